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
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, unsafe_one)) = rest.char_indices().find(|(_, letter)| text::is_unsafe(*letter)) {
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

/// Appends a value to a line.
pub(super) fn push(value: &impl Serialize, line: &mut Vec<u8>) {
    // A vector takes everything.
    let _ = value.serialize(&mut Serializer::with_formatter(line, Escapes));
}

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
}
