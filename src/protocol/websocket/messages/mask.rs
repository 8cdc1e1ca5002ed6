//! Masking: RFC 6455 section 5.3.

/// Undoes the mask of `masked`, which begins `position` bytes into its frame's payload. What comes out takes the place
/// of what was in `plain`.
pub(super) fn unmask(mut key: [u8; 4], position: u64, masked: &[u8], plain: &mut Vec<u8>) {
    key.rotate_left(usize::try_from(position % 4).unwrap_or_default());
    plain.clear();
    plain.extend_from_slice(masked);
    let mut wide = [0; WIDE];
    wide.chunks_mut(key.len()).for_each(|four| four.copy_from_slice(&key));
    let (whole, rest) = plain.as_chunks_mut::<WIDE>();
    for chunk in whole {
        chunk.iter_mut().zip(wide).for_each(|(byte, key)| *byte ^= key);
    }
    rest.iter_mut().zip(wide).for_each(|(byte, key)| *byte ^= key);
}

/// So many bytes at once: the compiler makes a few wide operations of it.
const WIDE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_goes_on_wherever_the_payload_is_cut() {
        let key = [1, 2, 3, 0x80];
        let payload: Vec<u8> = (0..=255).collect();
        let masked: Vec<u8> = payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        for cut in 0..=payload.len() {
            let (first, second) = masked.split_at(cut);
            let (mut one, mut other) = (Vec::new(), vec![9; 3]);
            unmask(key, 0, first, &mut one);
            unmask(key, cut as u64, second, &mut other);
            assert_eq!([one, other].concat(), payload, "cut at {cut}");
        }
    }
}
