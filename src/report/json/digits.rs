//! Numbers in decimal, for lines that are put together by hand.

/// Appends a number.
pub(super) fn push(mut number: u64, line: &mut Vec<u8>) {
    let mut digits = [b'0'; MAX_DIGITS];
    let mut used = 0_usize;
    for three in digits.rchunks_exact_mut(3) {
        three.copy_from_slice(&of_three(number % 1_000));
        used = used.saturating_add(3);
        number /= 1_000;
        if number == 0 {
            break;
        }
    }
    let shown = digits.get(MAX_DIGITS.saturating_sub(used)..).unwrap_or_default();
    // The first three may begin with zeros; the last digit is one in any case.
    let zeros = shown.iter().take(2).take_while(|digit| **digit == b'0').count();
    line.extend_from_slice(shown.get(zeros..).unwrap_or_default());
}

/// Three digits, zeros in front. Of a larger number nothing is to be expected.
pub(super) fn of_three(number: u64) -> [u8; 3] {
    usize::try_from(number).ok().and_then(|number| THREE.get(number)).copied().unwrap_or_default()
}

/// Room for the largest number of 64 bits, which has 20, in threes.
const MAX_DIGITS: usize = 21;

/// All of 000 to 999: a look at a table costs less than three divisions.
static THREE: [[u8; 3]; 1_000] = three();

const fn three() -> [[u8; 3]; 1_000] {
    let mut table = [*b"000"; 1_000];
    let mut rest: &mut [[u8; 3]] = &mut table;
    let mut next = *b"000";
    while let Some((place, others)) = rest.split_first_mut() {
        *place = next;
        rest = others;
        let [hundreds, tens, ones] = next;
        next = match (hundreds, tens, ones) {
            (_, b'9', b'9') => [hundreds.wrapping_add(1), b'0', b'0'],
            (_, _, b'9') => [hundreds, tens.wrapping_add(1), b'0'],
            _ => [hundreds, tens, ones.wrapping_add(1)],
        };
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_does() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        let around = powers.flat_map(|power| [power - 1, power, power + 1, power.saturating_mul(9)]);
        for number in around.chain(0..2_500).chain([u64::MAX, u64::MAX - 1, 1_234_567_890_123_456_789]) {
            let mut digits = b"x".to_vec();
            push(number, &mut digits);
            assert_eq!(String::from_utf8(digits).unwrap(), format!("x{number}"));
        }
    }

    #[test]
    fn threes_have_zeros_in_front() {
        assert!((0..1_000).all(|number| of_three(number) == *format!("{number:03}").as_bytes()));
    }
}
