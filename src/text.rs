//! Text from the network, made fit for terminals and reports.
//!
//! Whoever wrote such text may want to move the cursor, to hide a part or to turn the order of letters round.
//! What could do that is shown as an escape: `\n`, `\x1b`, `\u{202e}`. A backslash stays as it is, so that paths
//! and patterns can be read. Nothing is allocated where nothing is to be done.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// What stands for the end of a text that was cut, where any character can be shown.
pub const ELLIPSIS: &str = "…";

/// Escapes what a terminal would obey or a person could not see.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut marks = Marks::default();
    if !text.chars().any(|character| is_unsafe(character) || marks.is_too_many(character)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len().saturating_add(16));
    push_escaped(text, &mut escaped);
    Cow::Owned(escaped)
}

/// As [`escape`], of bytes: what is not UTF-8 is shown byte by byte as `\xff`.
#[must_use]
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => escape(text),
        Err(_) => chunks_to_text(bytes, push_escaped),
    }
}

/// Bytes as text, unescaped but for what is not UTF-8: that becomes `\xff`, byte by byte.
#[must_use]
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => chunks_to_text(bytes, |text, decoded| decoded.push_str(text)),
    }
}

/// Whether a terminal would obey a character, or a person could not see it: control characters, marks and
/// overrides of the writing direction, line separators, and what has no width and no shape.
#[must_use]
pub const fn is_unsafe(character: char) -> bool {
    matches!(character,
        // C0, DEL and C1.
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        // Soft hyphen, grapheme joiner, Arabic letter mark, Hangul and Khmer fillers, Mongolian selectors.
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        // Zero-width characters, direction marks, line separators, embeddings, overrides and isolates.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // Filler, variation selectors, byte order mark, half-width filler, annotations.
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        // Musical formatting, tags and further variation selectors.
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// How many columns a text takes that was escaped.
#[must_use]
pub fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.chars().map(columns).fold(0, usize::saturating_add)
}

/// Cuts an escaped text to at most `limit` columns. A cut text ends with `mark`, usually [`ELLIPSIS`].
#[must_use]
pub fn truncate<'a>(text: &'a str, limit: usize, mark: &str) -> Cow<'a, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let Some(room) = limit.checked_sub(width(mark)) else {
        return Cow::Borrowed(start_of(text, limit));
    };
    Cow::Owned([start_of(text, room), mark].concat())
}

/// Fills up to `columns` with spaces on the right.
#[must_use]
pub fn pad(text: &str, columns: usize) -> Cow<'_, str> {
    match columns.saturating_sub(width(text)) {
        0 => Cow::Borrowed(text),
        missing => Cow::Owned([text, &" ".repeat(missing)].concat()),
    }
}

/// Fills up to `columns` with spaces on the left.
#[must_use]
pub fn pad_start(text: &str, columns: usize) -> Cow<'_, str> {
    match columns.saturating_sub(width(text)) {
        0 => Cow::Borrowed(text),
        missing => Cow::Owned([&" ".repeat(missing), text].concat()),
    }
}

/// The longest start of a text that takes at most `limit` columns.
fn start_of(text: &str, limit: usize) -> &str {
    let mut used = 0_usize;
    let end = text
        .char_indices()
        .find(|(_, character)| {
            used = used.saturating_add(columns(*character));
            used > limit
        })
        .map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or_default()
}

fn chunks_to_text(bytes: &[u8], push: fn(&str, &mut String)) -> Cow<'static, str> {
    let mut text = String::with_capacity(bytes.len().saturating_add(16));
    for chunk in bytes.utf8_chunks() {
        push(chunk.valid(), &mut text);
        for byte in chunk.invalid() {
            push_formatted(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    Cow::Owned(text)
}

fn push_escaped(text: &str, escaped: &mut String) {
    let mut marks = Marks::default();
    for character in text.chars() {
        let too_many = marks.is_too_many(character);
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\0'..='\u{ff}' if is_unsafe(character) => {
                push_formatted(escaped, format_args!("\\x{:02x}", u32::from(character)));
            }
            _ if too_many || is_unsafe(character) => {
                push_formatted(escaped, format_args!("\\u{{{:x}}}", u32::from(character)));
            }
            _ => escaped.push(character),
        }
    }
}

/// Writing to a string does not fail.
fn push_formatted(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(arguments);
}

/// Counts marks in a row that sit upon another character: a few belong to many scripts, a tower of them covers
/// other lines.
#[derive(Default)]
struct Marks(usize);

impl Marks {
    fn is_too_many(&mut self, character: char) -> bool {
        self.0 = if columns(character) == 0 { self.0.saturating_add(1) } else { 0 };
        self.0 > MARKS_IN_A_ROW
    }
}

fn columns(character: char) -> usize {
    character.width().unwrap_or(0)
}

/// ASCII that shows.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~')
}

/// Vietnamese and Hebrew put up to three marks on one letter.
const MARKS_IN_A_ROW: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let cases: &[(&[u8], &str)] = &[
            (b"/ws?room=5", "/ws?room=5"),
            (b"C:\\temp", "C:\\temp"),
            (b"a\x1b[2Jb", "a\\x1b[2Jb"),
            (b"line\r\nnext\tcolumn\0", "line\\r\\nnext\\tcolumn\\x00"),
            (b"\x7f", "\\x7f"),
            ("\u{9b}2J".as_bytes(), "\\x9b2J"),
            ("evil\u{202e}txt.exe".as_bytes(), "evil\\u{202e}txt.exe"),
            ("a\u{200b}b\u{feff}\u{2066}".as_bytes(), "a\\u{200b}b\\u{feff}\\u{2066}"),
            ("\u{ad}\u{e0041}".as_bytes(), "\\xad\\u{e0041}"),
            (b"\xff\xfea", "\\xff\\xfea"),
            (b"cut \xe2\x82", "cut \\xe2\\x82"),
            ("Grüße, 世界".as_bytes(), "Grüße, 世界"),
            ("e\u{301}\u{302}\u{303}\u{304}\u{305}".as_bytes(), "e\u{301}\u{302}\u{303}\\u{304}\\u{305}"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(escape_bytes(bytes), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn nothing_is_allocated_for_harmless_text() {
        for text in ["", "GET /ws", "Grüße, 世界", "n\u{303}"] {
            assert!(matches!(escape(text), Cow::Borrowed(_)), "{text}");
            assert!(matches!(escape_bytes(text.as_bytes()), Cow::Borrowed(_)), "{text}");
        }
        assert!(matches!(truncate("short", 5, ELLIPSIS), Cow::Borrowed("short")));
        assert!(matches!(pad("full", 4), Cow::Borrowed("full")));
    }

    #[test]
    fn decoding_changes_only_what_is_not_utf8() {
        assert_eq!(decode(b"a\n\x1b\xff"), "a\n\x1b\\xff");
        assert!(matches!(decode("é\n".as_bytes()), Cow::Borrowed("é\n")));
    }

    #[test]
    fn texts_are_cut_to_columns() {
        let cases = [
            ("abcdef", 6, "abcdef"),
            ("abcdef", 5, "abcd…"),
            ("abcdef", 1, "…"),
            ("abcdef", 0, ""),
            ("世界世界", 8, "世界世界"),
            ("世界世界", 7, "世界世…"),
            ("世界世界", 6, "世界…"),
            ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
        ];
        for (text, limit, expected) in cases {
            let cut = truncate(text, limit, ELLIPSIS);
            assert_eq!(cut, expected);
            assert!(width(&cut) <= limit);
        }
        assert_eq!(truncate("abcdef", 2, "..."), "ab");
    }

    #[test]
    fn texts_are_filled_up_to_columns() {
        assert_eq!(pad("世", 4), "世  ");
        assert_eq!(pad_start("世", 4), "  世");
        assert_eq!(pad("longer", 3), "longer");
    }
}
