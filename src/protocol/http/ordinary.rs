//! Heads as nearly all are, read in one pass: where they end, how they begin, and the fields that matter.
//!
//! Ordinary is a head of visible ASCII whose lines all end with CR LF, with names of letters, digits and hyphens. What is
//! not, httparse judges, and a test holds this to saying the same. A handshake is most of what many a connection has to
//! be read for, and httparse, which checks each byte and keeps each field, took a third of it.

use super::head::RequestLine;
use super::relevant::Relevant;
use crate::limits;

/// An ordinary head.
#[derive(Clone, Debug)]
pub(super) struct Ordinary<'a> {
    /// How many bytes it has, the empty line included.
    pub(super) length: usize,
    /// The request line or the status line.
    pub(super) first_line: &'a [u8],
    /// What its fields say.
    pub(super) fields: Relevant<'a>,
}

impl<'a> Ordinary<'a> {
    /// The head at the front of these bytes, if they have the whole of one and it is ordinary.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (first_line, mut rest) = line(bytes)?;
        let mut fields = Relevant::default();
        for _ in 0..=limits::HEAD_FIELDS {
            if let Some(after) = rest.strip_prefix(b"\r\n") {
                let length = bytes.len().saturating_sub(after.len());
                return (length <= limits::HEAD_BYTES).then_some(Self { length, first_line, fields });
            }
            let (name, after) = rest.split_at_checked(before_colon(rest))?;
            let (value, after) = line(after.get(1..)?)?;
            // A name that is known need not be looked at byte by byte.
            let is_known = fields.field(name, trimmed(value));
            if !is_known && (name.is_empty() || name_length(rest) != name.len()) {
                return None;
            }
            rest = after;
        }
        None
    }

    /// What the first line says, if it is a request line as RFC 9112 section 3 has it.
    pub(super) fn request_line(&self) -> Option<RequestLine<'a>> {
        let method_length = self.first_line.iter().position(|byte| *byte == b' ')?;
        let (method, rest) = self.first_line.split_at_checked(method_length)?;
        let target_length = rest.len().checked_sub(VERSION_BYTES)?;
        let (target, version) = rest.split_at_checked(target_length)?;
        let (b' ', target) = target.split_first()? else { return None };
        let is_one = !target.is_empty() && !target.contains(&b' ');
        let minor = match version {
            b" HTTP/1.1" => 1,
            b" HTTP/1.0" => 0,
            _ => return None,
        };
        (is_one && !method.is_empty() && name_length(method) == method.len())
            .then_some(RequestLine { method, version: Some(minor) })
    }

    /// The status code, if the first line is a status line as RFC 9112 section 4 has it.
    pub(super) fn status(&self) -> Option<u16> {
        let rest = self.first_line.strip_prefix(b"HTTP/1.")?;
        let [b'0' | b'1', b' ', hundreds, tens, ones, b' ', ..] = rest else { return None };
        let digit = |byte: &u8| byte.is_ascii_digit().then(|| u16::from(byte & 0x0f));
        let (hundreds, tens, ones) = (digit(hundreds)?, digit(tens)?, digit(ones)?);
        Some(hundreds.saturating_mul(100).saturating_add(tens.saturating_mul(10)).saturating_add(ones))
    }
}

/// The next line without its end, and what follows it; none if there is no end, or anything but visible ASCII before it.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, end) = bytes.split_at_checked(visible(bytes))?;
    Some((line, end.strip_prefix(b"\r\n")?))
}

/// How many bytes there are before the first one that is neither a space nor visible ASCII.
#[inline]
fn visible(bytes: &[u8]) -> usize {
    let marks = |word: u64| {
        let below = word.wrapping_sub(each(b' '));
        let above = word.wrapping_add(each(0x80 - (b'~' + 1)));
        below | above | word
    };
    bytes_before(bytes, marks, |byte| matches!(byte, b' '..=b'~'))
}

/// How many bytes there are before the first colon.
#[inline]
fn before_colon(bytes: &[u8]) -> usize {
    let marks = |word: u64| {
        let others = word ^ each(b':');
        others.wrapping_sub(each(1)) & !others
    };
    bytes_before(bytes, marks, |byte| byte != b':')
}

/// A value without spaces around it; nearly all have one before it.
#[inline]
fn trimmed(value: &[u8]) -> &[u8] {
    match value {
        [b' ', bare @ ..] if bare.first() != Some(&b' ') && bare.last() != Some(&b' ') => bare,
        _ => value.trim_ascii(),
    }
}

/// How many bytes of visible ASCII there are before the first one that is no [`is_name`].
#[inline]
fn name_length(line: &[u8]) -> usize {
    let marks = |word: u64| {
        let at_least = |first: u8| word.wrapping_add(each(0x80 - first));
        let letter = word | each(0x20);
        let is_letter =
            letter.wrapping_add(each(0x80 - b'a')) & !letter.wrapping_add(each(0x80 - (b'z' + 1)));
        let is_digit = at_least(b'0') & !at_least(b'9' + 1);
        let is_hyphen = each(0x80).wrapping_sub(word ^ each(b'-'));
        !(is_letter | is_digit | is_hyphen)
    };
    bytes_before(line, marks, is_name)
}

/// How many bytes there are before the first one that is not meant. `marks` says so for eight bytes at a time, by the
/// highest bit of each; of the bytes that it marks the first one must be right, and more is not asked.
#[inline]
fn bytes_before(bytes: &[u8], marks: impl Fn(u64) -> u64, is_meant: impl Fn(u8) -> bool) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut before = 0_usize;
    for word in words {
        let marked = marks(u64::from_le_bytes(*word)) & each(0x80);
        if marked != 0 {
            return before.wrapping_add(marked.trailing_zeros() as usize / 8);
        }
        // Not beyond the slice's own length.
        before = before.wrapping_add(8);
    }
    before.wrapping_add(rest.iter().take_while(|byte| is_meant(**byte)).count())
}

/// Whether a field's name may have this byte; RFC 9110 section 5.6.2 allows more that nobody uses.
#[inline]
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// A word of eight times this byte.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// ` HTTP/1.1`.
const VERSION_BYTES: usize = 9;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{RequestHead, ResponseHead};
    use super::*;

    const REQUEST: &[u8] = b"GET /ws?x=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive,  Upgrade \r\n\
        Upgrade:websocket\r\nSec-WebSocket-Key: a==\r\nEmpty:\r\n\r\nrest";

    /// Holds what is read of a request to what httparse reads of it.
    fn compare(bytes: &[u8]) -> bool {
        let Some(ordinary) = Ordinary::read(bytes) else { return false };
        let bytes = &bytes[..ordinary.length];
        let same = |fields: &super::super::Fields<'_>| {
            assert_eq!(format!("{:?}", Relevant::of(fields)), format!("{:?}", ordinary.fields));
        };
        let (request, status) = (ordinary.request_line(), ordinary.status());
        if let Some(line) = request {
            let head = RequestHead::parse(bytes).unwrap();
            assert_eq!((head.method.as_bytes(), head.version), (line.method, line.version));
            same(&head.fields);
        }
        if let Some(status) = status {
            let head = ResponseHead::parse(bytes).unwrap();
            assert_eq!(head.status, Some(status));
            same(&head.fields);
        }
        request.is_some() || status.is_some()
    }

    #[test]
    fn an_ordinary_head_is_read_to_its_end() {
        let ordinary = Ordinary::read(REQUEST).unwrap();
        assert_eq!(ordinary.length, REQUEST.len() - 4);
        let line = ordinary.request_line().unwrap();
        assert_eq!((line.method, line.version), (&b"GET"[..], Some(1)));
        assert!(ordinary.fields.upgrades && ordinary.fields.connection_upgrades);
        assert_eq!(ordinary.fields.keys[..], [b"a=="]);
        assert!(compare(REQUEST));
        for cut in 0..ordinary.length {
            assert!(Ordinary::read(&REQUEST[..cut]).is_none(), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_not_ordinary_is_left_to_others() {
        for odd in [
            &b"GET / HTTP/1.1\nHost: a\n\n"[..],
            b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            b"GET / HTTP/1.1\r\n: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: \x7f\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        ] {
            assert!(Ordinary::read(odd).is_none(), "{}", odd.escape_ascii());
        }
        let many =
            [&b"GET / HTTP/1.1\r\n"[..], &b"a: b\r\n".repeat(limits::HEAD_FIELDS + 1), b"\r\n"].concat();
        assert!(Ordinary::read(&many).is_none());
        let line = |line: &str| format!("{line}\r\n\r\n").into_bytes();
        for odd in
            ["GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/2.0", "GET HTTP/1.1", " / HTTP/1.1", "GET"]
        {
            assert_eq!(
                Ordinary::read(&line(odd)).unwrap().request_line().map(|line| line.method),
                None,
                "{odd}"
            );
        }
        for odd in
            ["HTTP/1.1 20 OK", "HTTP/1.1  200 OK", "HTTP/1.2 200 OK", "HTTP/1.1 200OK", "HTTP/1.1 2x0 OK"]
        {
            assert_eq!(Ordinary::read(&line(odd)).unwrap().status(), None, "{odd}");
        }
    }

    #[test]
    fn the_first_byte_that_is_not_meant_is_found_at_any_place() {
        for at in 0..40 {
            for byte in 0..=u8::MAX {
                let mut bytes = [b'x'; 40];
                bytes[at] = byte;
                let expected = if (b' '..=b'~').contains(&byte) { 40 } else { at };
                assert_eq!(visible(&bytes), expected, "{byte:#04x} at {at}");
                if (b' '..=b'~').contains(&byte) {
                    let expected = if is_name(byte) { 40 } else { at };
                    assert_eq!(name_length(&bytes), expected, "{byte:#04x} at {at}");
                }
            }
        }
    }

    fn head() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            Just("GET / HTTP/1.1".to_owned()),
            Just("HTTP/1.0 101 Switching Protocols".to_owned()),
            Just("HTTP/1.1 200 ".to_owned()),
            "[A-Za-z:/. 0-9-]{0,24}",
        ];
        let name = prop_oneof![
            Just("Upgrade".to_owned()),
            Just("connection".to_owned()),
            Just("Content-Length".to_owned()),
            Just("Transfer-Encoding".to_owned()),
            Just("Sec-WebSocket-Protocol".to_owned()),
            "[A-Za-z_ -]{0,12}",
        ];
        let value = "[ -~\t\u{e4}]{0,20}";
        let field = (name, value).prop_map(|(name, value)| format!("{name}:{value}\r\n"));
        (line, prop::collection::vec(field, 0..8))
            .prop_map(|(line, fields)| format!("{line}\r\n{}\r\n", fields.concat()).into_bytes())
    }

    proptest! {
        #[test]
        fn it_says_what_httparse_says(head in head()) {
            compare(&head);
        }
    }
}
