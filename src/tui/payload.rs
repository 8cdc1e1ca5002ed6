//! Payloads made fit to be looked at: as text, as JSON with line breaks, as hexadecimal. Everything is escaped here.

use std::fmt::Write as _;

use crate::limits::SCREEN_PAYLOAD_BYTES;
use crate::protocol::Opcode;
use crate::text;

/// How a payload is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As text.
    Text,
    /// As JSON with line breaks and indents; what is no JSON stays as it is.
    Json,
    /// Byte by byte.
    Hex,
}

/// A payload in lines.
#[derive(Debug, Default)]
pub struct Laid {
    /// Which message, for how many columns, how, and how many bytes there were of it.
    pub(super) key: Option<(usize, usize, Form, usize)>,
    /// The lines, escaped.
    pub lines: Vec<String>,
    /// Bytes behind those in the lines.
    pub left_out: usize,
}

impl Form {
    /// All of them, in the order in which the key goes through them.
    pub const ALL: [Self; 3] = [Self::Text, Self::Json, Self::Hex];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "JSON",
            Self::Hex => "hex",
        }
    }

    /// What suits a payload.
    #[must_use]
    pub fn of(opcode: Opcode, payload: &[u8]) -> Self {
        let start = payload.get(..LOOKED_AT.min(payload.len())).unwrap_or_default();
        let is_text = match str::from_utf8(start) {
            Ok(text) => !text
                .chars()
                .any(|one| one.is_control() && !matches!(one, '\n' | '\r' | '\t' | '\x1e' | '\0')),
            // Cut inside of a character.
            Err(error) => error.error_len().is_none(),
        };
        if opcode == Opcode::CLOSE {
            return Self::Text;
        }
        let is_binary = opcode == Opcode::BINARY && (!is_text || start.contains(&0));
        if is_binary || !is_text && opcode != Opcode::TEXT {
            return Self::Hex;
        }
        // Socket.IO and others write a number before their JSON.
        let json = start.iter().position(|byte| !byte.is_ascii_digit() && !byte.is_ascii_whitespace());
        match json.and_then(|at| start.get(at)) {
            Some(b'{' | b'[') => Self::Json,
            _ => Self::Text,
        }
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Text => Self::Json,
            Self::Json => Self::Hex,
            Self::Hex => Self::Text,
        }
    }
}

impl Laid {
    /// Lays a payload out.
    pub(super) fn new(key: (usize, usize, Form, usize), payload: &[u8], is_ascii: bool) -> Self {
        let (_, width, form, _) = key;
        let shown = payload.get(..SCREEN_PAYLOAD_BYTES.min(payload.len())).unwrap_or_default();
        let lines = match form {
            Form::Hex => hex(shown, width),
            Form::Text => wrapped(&text::decode(shown), width, is_ascii),
            Form::Json => wrapped(&indented(&text::decode(shown)), width, is_ascii),
        };
        Self { key: Some(key), lines, left_out: payload.len().saturating_sub(shown.len()) }
    }
}

/// The start of a payload in one line.
#[must_use]
pub(super) fn preview(payload: &[u8], room: usize, ellipsis: &str) -> String {
    let start = payload.get(..room.saturating_mul(4).min(payload.len())).unwrap_or_default();
    let mut line = String::new();
    let decoded = text::decode(start);
    for word in decoded.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&text::escape(word));
    }
    if start.len() < payload.len() {
        line.push_str(ellipsis);
    }
    text::truncate(&line, room, ellipsis).into_owned()
}

/// A line break after each bracket and comma of JSON, with indents. Nothing is taken away, nothing is put in order: what
/// is shown is what was sent, and a payload that was cut, or has something before its JSON, can be shown too.
fn indented(source: &str) -> String {
    let mut out = String::with_capacity(source.len().saturating_mul(2));
    let (mut depth, mut is_in_string, mut is_escaped) = (0usize, false, false);
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        if is_in_string {
            out.push(character);
            is_in_string = character != '"' || is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            continue;
        }
        match character {
            '"' => {
                is_in_string = true;
                out.push('"');
            }
            '{' | '[' => {
                out.push(character);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(closing) = characters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(closing);
                } else {
                    depth = depth.saturating_add(1);
                    new_line(depth, &mut out);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(depth, &mut out);
                out.push(character);
            }
            ',' => {
                out.push(',');
                if depth > 0 {
                    new_line(depth, &mut out);
                }
            }
            ':' if depth > 0 => out.push_str(": "),
            // SignalR ends its records so.
            '\x1e' => {
                out.push(character);
                depth = 0;
                new_line(depth, &mut out);
            }
            _ if character.is_ascii_whitespace() && depth > 0 => {}
            _ => out.push(character),
        }
    }
    out
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    (0..depth.min(DEEPEST)).for_each(|_| out.push_str("  "));
}

/// Lines of a text, each escaped and cut into pieces that fit.
fn wrapped(source: &str, width: usize, is_ascii: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for line in source.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line).replace('\t', "    ");
        let mut rest = text::escape(&line).into_owned();
        if is_ascii && !rest.is_ascii() {
            rest = rest.escape_default().to_string();
        }
        loop {
            let piece = text::truncate(&rest, width.max(2), "").into_owned();
            if piece.is_empty() || piece.len() >= rest.len() {
                lines.push(rest);
                break;
            }
            rest.drain(..piece.len());
            lines.push(piece);
        }
    }
    lines
}

/// Offsets, bytes, and what they are in ASCII.
fn hex(bytes: &[u8], width: usize) -> Vec<String> {
    let in_line = if width >= 77 { 16 } else { 8 };
    let line = |(number, chunk): (usize, &[u8])| {
        let mut line = format!("{:08x} ", number.saturating_mul(in_line));
        for at in 0..in_line {
            if at == 8 {
                line.push(' ');
            }
            let _ = match chunk.get(at) {
                Some(byte) => write!(line, " {byte:02x}"),
                None => write!(line, "   "),
            };
        }
        line.push_str("  ");
        line.extend(
            chunk
                .iter()
                .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }),
        );
        line
    };
    bytes.chunks(in_line).enumerate().map(line).collect()
}

/// Bytes that are looked at to choose a form.
const LOOKED_AT: usize = 512;

/// Deeper levels are not indented any more.
const DEEPEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(form: Form, payload: &[u8], width: usize) -> Vec<String> {
        Laid::new((0, width, form, payload.len()), payload, false).lines
    }

    #[test]
    fn json_gets_lines_and_keeps_its_order_and_its_numbers() {
        let lines = laid(Form::Json, br#"42["b",{"z":1.10,"a":{},"t":"x, {y}\" :"},[]]"#, 80);
        let expected = [
            "42[",
            "  \"b\",",
            "  {",
            "    \"z\": 1.10,",
            "    \"a\": {},",
            "    \"t\": \"x, {y}\\\" :\"",
            "  },",
            "  []",
            "]",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn what_is_cut_or_no_json_is_shown_as_far_as_it_goes() {
        assert_eq!(laid(Form::Json, br#"{"a":[1,"#, 80), ["{", "  \"a\": [", "    1,", "    "]);
        assert_eq!(laid(Form::Json, b"hello, world", 80), ["hello, world"]);
        assert_eq!(laid(Form::Json, b"]]}", 80), ["", "]", "]", "}"]);
    }

    #[test]
    fn lines_are_escaped_and_fit() {
        assert_eq!(laid(Form::Text, b"a\x1b[2Jb\r\n\tc", 40), ["a\\x1b[2Jb", "    c"]);
        let wide = laid(Form::Text, "世界世界世界".as_bytes(), 5);
        assert_eq!(wide, ["世界", "世界", "世界"]);
        assert_eq!(laid(Form::Text, b"\xff\xfe", 40), ["\\xff\\xfe"]);
        assert_eq!(laid(Form::Text, b"", 40), [""]);
    }

    #[test]
    fn bytes_are_shown_with_their_offsets() {
        let bytes: Vec<u8> = (0..20).map(|byte| byte + 60).collect();
        assert_eq!(
            laid(Form::Hex, &bytes, 80),
            [
                "00000000  3c 3d 3e 3f 40 41 42 43  44 45 46 47 48 49 4a 4b  <=>?@ABCDEFGHIJK",
                "00000010  4c 4d 4e 4f                                       LMNO",
            ]
        );
        assert_eq!(laid(Form::Hex, &bytes, 60).len(), 3);
    }

    #[test]
    fn the_form_follows_the_payload() {
        let of = Form::of;
        assert_eq!(of(Opcode::TEXT, b"hello"), Form::Text);
        assert_eq!(of(Opcode::TEXT, b" {\"a\":1}"), Form::Json);
        assert_eq!(of(Opcode::TEXT, b"42[\"a\"]"), Form::Json);
        assert_eq!(of(Opcode::BINARY, b"{\"a\":1}"), Form::Json);
        assert_eq!(of(Opcode::BINARY, b"\x00\x01\x02"), Form::Hex);
        assert_eq!(of(Opcode::PING, b"\x8f\xff"), Form::Hex);
        assert_eq!(of(Opcode::TEXT, b"CONNECT\naccept-version:1.2\n\n\0"), Form::Text);
    }

    #[test]
    fn a_preview_is_one_line() {
        assert_eq!(preview(b"a\n  b\tc\x07", 20, "…"), "a b c\\x07");
        assert_eq!(preview(b"abcdefghij", 5, "…"), "abcd…");
    }
}
