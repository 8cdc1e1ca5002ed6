//! Keeps JSON harmless on a terminal without changing a value.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::text;

/// Compact JSON in which characters that a terminal would obey, or a person could not see, are `\u` escapes.
/// RFC 8259 section 7 allows that for any character.
pub(super) struct Escapes;

impl Formatter for Escapes {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, unsafe_one)) = find_unsafe(rest) {
            let (before, after) = rest.split_at_checked(at).unwrap_or_default();
            writer.write_all(before.as_bytes())?;
            for unit in unsafe_one.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.get(unsafe_one.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// The first character that needs an escape. ASCII but for DEL needs none: control characters never come here, since
/// `serde_json` escapes them itself.
fn find_unsafe(text: &str) -> Option<(usize, char)> {
    let mut at = 0_usize;
    loop {
        let rest = text.get(at..)?;
        at = at.saturating_add(length_below_delete(rest.as_bytes()));
        let letter = text.get(at..)?.chars().next()?;
        if text::is_unsafe(letter) {
            return Some((at, letter));
        }
        at = at.saturating_add(letter.len_utf8());
    }
}

/// How many bytes at the front are ASCII and not DEL. Eight are looked at at once: one more makes a high bit of DEL, and
/// no other byte without one gets one by that.
fn length_below_delete(bytes: &[u8]) -> usize {
    let are_below = |eight: &[u8; 8]| {
        let eight = u64::from_ne_bytes(*eight);
        (eight | eight.wrapping_add(ONES)) & HIGH_BITS == 0
    };
    // Most are short; the last eight may have been looked at before.
    if bytes.last_chunk().is_some_and(are_below) && bytes.as_chunks().0.iter().all(are_below) {
        return bytes.len();
    }
    let (eights, _) = bytes.as_chunks();
    let from = eights.iter().take_while(|eight| are_below(eight)).count().saturating_mul(8);
    let rest = bytes.get(from..).unwrap_or_default();
    from.saturating_add(rest.iter().take_while(|byte| **byte < 0x7f).count())
}

/// Appends a value to a line.
pub(super) fn push(value: &impl Serialize, line: &mut Vec<u8>) {
    // A vector takes everything.
    let _ = value.serialize(&mut Serializer::with_formatter(line, Escapes));
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[test]
    fn unsafe_characters_are_escaped_and_values_stay() {
        let cases = [
            ("plain", "\"plain\""),
            ("Grüße \"世界\"\n", "\"Grüße \\\"世界\\\"\\n\""),
            ("\x1b[2J", "\"\\u001b[2J\""),
            ("a\x7f\u{9b}b", "\"a\\u007f\\u009bb\""),
            ("a\u{202e}b\u{e0041}", "\"a\\u202eb\\udb40\\udc41\""),
        ];
        for (value, expected) in cases {
            let mut written = Vec::new();
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut written, Escapes)).unwrap();
            assert_eq!(String::from_utf8(written.clone()).unwrap(), expected);
            assert_eq!(serde_json::from_slice::<String>(&written).unwrap(), value);
        }
    }

    #[test]
    fn one_byte_that_needs_a_look_is_seen_wherever_it_stands() {
        for length in 0..40 {
            let plain = vec![0x7e; length];
            assert_eq!(length_below_delete(&plain), length);
            for (at, odd) in (0..length).flat_map(|at| [0x7f, 0x80, 0xfe, 0xff].map(|odd| (at, odd))) {
                let mut bytes = plain.clone();
                bytes[at] = odd;
                assert_eq!(length_below_delete(&bytes), at, "{odd:#x} at {at} of {length}");
            }
        }
    }

    #[test]
    fn what_needs_an_escape_is_found_as_letter_by_letter() {
        let letters = ['a', '~', '\x7f', 'ü', '\u{9b}', '世', '\u{202e}', '👋', '\u{e0041}'];
        for n in 0..20_000_usize {
            let text: String = (0..n % 13).map(|at| letters[(n * 7 + n / 13 * at) % (9 - n % 5)]).collect();
            let expected = text.char_indices().find(|(_, letter)| text::is_unsafe(*letter));
            assert_eq!(find_unsafe(&text), expected, "{text:?}");
        }
    }
}
