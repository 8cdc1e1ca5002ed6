//! UTF-8 that comes in pieces: RFC 6455 section 8.1 asks it of text messages and of the reasons of close frames.

/// Checks a text piece by piece.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Utf8 {
    /// Bytes of whole characters so far.
    valid: u64,
    /// The start of a character that is not whole yet, and how many bytes of it there are.
    start: [u8; LONGEST],
    started: usize,
    invalid: bool,
}

impl Utf8 {
    /// The next bytes of the text.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.invalid {
            return;
        }
        let mut rest = bytes;
        while self.started > 0 {
            let Some((next, after)) = rest.split_first() else { return };
            if let Some(place) = self.start.get_mut(self.started) {
                *place = *next;
            }
            self.started = self.started.saturating_add(1);
            match str::from_utf8(self.start.get(..self.started).unwrap_or_default()) {
                Ok(character) => {
                    self.valid = self.valid.saturating_add(character.len() as u64);
                    self.started = 0;
                }
                Err(error) if error.error_len().is_none() => {}
                Err(_) => {
                    self.invalid = true;
                    return;
                }
            }
            rest = after;
        }
        let Err(error) = str::from_utf8(rest) else {
            self.valid = self.valid.saturating_add(rest.len() as u64);
            return;
        };
        self.valid = self.valid.saturating_add(error.valid_up_to() as u64);
        self.invalid = error.error_len().is_some();
        let start = rest.get(error.valid_up_to()..).unwrap_or_default();
        if !self.invalid {
            self.start.iter_mut().zip(start).for_each(|(to, from)| *to = *from);
            self.started = start.len();
        }
    }

    /// Where the text stopped being UTF-8: the place of the first byte that no character begins or goes on with, or of
    /// the character that the end of the text cuts. `is_whole` says whether the text has ended.
    pub(super) fn invalid_at(&self, is_whole: bool) -> Option<u64> {
        (self.invalid || (is_whole && self.started > 0)).then_some(self.valid)
    }
}

/// The longest character, in bytes.
const LONGEST: usize = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_pieces(text: &[u8], piece: usize) -> Utf8 {
        let mut utf8 = Utf8::default();
        text.chunks(piece).for_each(|bytes| utf8.push(bytes));
        utf8
    }

    fn check(text: &[u8]) {
        let expected = str::from_utf8(text).err().map(|error| error.valid_up_to() as u64);
        for piece in 1..=text.len().max(1) {
            assert_eq!(in_pieces(text, piece).invalid_at(true), expected, "{text:?} in pieces of {piece}");
        }
    }

    #[test]
    fn characters_may_be_cut_anywhere() {
        for text in ["", "a", "Grüße, 世界, 👋🏽!", "\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}\0"] {
            check(text.as_bytes());
        }
    }

    #[test]
    fn what_is_no_utf_8_is_found_where_it_is() {
        // Overlong, a surrogate, above the last character, a lone continuation, a cut character.
        for bad in [&b"\xc0\x80"[..], b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xff", b"\xe4\xb8"] {
            check(bad);
            check(&[b"ab\xc3\xa9", bad].concat());
            check(&[b"ab\xc3\xa9", bad, b"cd"].concat());
        }
    }

    #[test]
    fn a_cut_character_is_wrong_only_at_the_end() {
        let utf8 = in_pieces(b"ab\xe4\xb8", 1);
        assert_eq!((utf8.invalid_at(false), utf8.invalid_at(true)), (None, Some(2)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_what_the_standard_library_says(
            text in prop::collection::vec(prop_oneof![any::<u8>(), 0x7f_u8..0xc4, Just(0xf4), Just(0x80)], 0..24),
        ) {
            check(&text);
        }
    }
}
