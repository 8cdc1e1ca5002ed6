//! Heads that break the grammar of RFC 9112 and are sent all the same: a space in the target, one before a field's
//! colon, a folded line, a control character. httparse refuses them; a person has to see them, since a server may have
//! refused them too.
//!
//! Only what httparse refused comes here.

use super::head::{Fields, HeadError, RequestHead, ResponseHead, minor_version};
use crate::limits;

/// Reads a request's head: a method, something, and a version of HTTP/1 (RFC 9112 section 3). Whatever stands between
/// them is the target, spaces and all; of one that is not UTF-8, what comes before that.
pub(super) fn request(bytes: &[u8]) -> Result<RequestHead<'_>, HeadError> {
    let (line, rest) = first_line(bytes);
    let method_end = memchr::memchr(b' ', line).ok_or(HeadError::NotHttp)?;
    let version_start = memchr::memrchr(b' ', line).ok_or(HeadError::NotHttp)?;
    let part = |from: usize, to: usize| text(line.get(from..to).unwrap_or_default().trim_ascii());
    let version = minor_version(part(version_start, line.len())).ok_or(HeadError::NotHttp)?;
    Ok(RequestHead {
        method: part(0, method_end),
        target: part(method_end, version_start),
        version: Some(version),
        fields: fields(rest)?,
    })
}

/// Reads a response's head: a version of HTTP/1, three digits, and whatever follows them (RFC 9112 section 4).
pub(super) fn response(bytes: &[u8]) -> Result<ResponseHead<'_>, HeadError> {
    let (line, rest) = first_line(bytes);
    let (version, after) = line.split_at_checked(VERSION_BYTES).ok_or(HeadError::NotHttp)?;
    let version = minor_version(text(version)).ok_or(HeadError::NotHttp)?;
    let (digits, reason) = after.trim_ascii_start().split_at_checked(3).ok_or(HeadError::NotHttp)?;
    let is_number = digits.iter().all(u8::is_ascii_digit) && !reason.first().is_some_and(u8::is_ascii_digit);
    let status = text(digits).parse().ok().filter(|status| *status >= 100 && is_number);
    Ok(ResponseHead {
        status: Some(status.ok_or(HeadError::NotHttp)?),
        reason: text(reason.trim_ascii()),
        version: Some(version),
        fields: fields(rest)?,
    })
}

/// Reads field lines. A line that begins with a space or a tab goes on with the one before it (RFC 9112 section 5.2),
/// and stays in its value as it was sent. What stands before the colon is the name, spaces included: a server must not
/// take `Upgrade :` for `Upgrade` (section 5.1). Lines without a name are passed over.
fn fields(lines: &[u8]) -> Result<Fields<'_>, HeadError> {
    // The name, and where the value begins and ends.
    let mut found: Vec<(&str, usize, usize)> = Vec::new();
    let mut start: usize = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let end = start.saturating_add(line.len());
        if let ([b' ' | b'\t', ..], Some((_, _, value_end))) = (line, found.last_mut()) {
            *value_end = end;
        } else if let Some(colon) = memchr::memchr(b':', line) {
            let name = text(line.get(..colon).unwrap_or_default().trim_ascii_start());
            if !name.is_empty() {
                found.push((name, start.saturating_add(colon).saturating_add(1), end));
            }
        }
        if found.len() > limits::HEAD_FIELDS {
            return Err(HeadError::TooManyFields);
        }
        start = end;
    }
    let value = |from: usize, to: usize| lines.get(from..to).unwrap_or_default().trim_ascii();
    Ok(Fields::of(found.into_iter().map(|(name, from, to)| (name, value(from, to)))))
}

/// The first line without its end, and what follows it.
fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, &[]));
    (line.trim_ascii_end(), rest.get(1..).unwrap_or_default())
}

/// As much as is UTF-8.
fn text(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// `HTTP/1.1`.
const VERSION_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_httparse_reads_is_read_alike() {
        let head = b"GET /ws HTTP/1.1\r\nHost: a\r\nX:\r\nUpgrade:\twebsocket \r\n\r\n";
        let (loose, strict) = (request(head).unwrap(), RequestHead::parse(head).unwrap());
        assert_eq!(format!("{loose:?}"), format!("{strict:?}"));
        let head = b"HTTP/1.0 502 Bad Gateway\r\nServer: a\r\n\r\n";
        let (loose, strict) = (response(head).unwrap(), ResponseHead::parse(head).unwrap());
        assert_eq!(format!("{loose:?}"), format!("{strict:?}"));
    }

    #[test]
    fn request_lines_that_are_not_right() {
        let read = |line: &[u8]| {
            let head = [line, b"\r\nHost: a\r\n\r\n"].concat();
            request(&head).map(|head| (head.method.to_owned(), head.target.to_owned(), head.version)).ok()
        };
        let is =
            |method: &str, target: &str, version| Some((method.to_owned(), target.to_owned(), Some(version)));
        assert_eq!(read(b"GET /a b HTTP/1.1"), is("GET", "/a b", 1));
        assert_eq!(read(b"GET /\xFCber HTTP/1.0"), is("GET", "/", 0));
        assert_eq!(read(b"GET /\x01 HTTP/1.1 "), is("GET", "/\x01", 1));
        assert_eq!(read(b"GET HTTP/1.1"), is("GET", "", 1));
        for line in [&b"PRI * HTTP/2.0"[..], b"GET /", b"GET", b"", b"GET / HTTP/1.2", b"GET / http/1.1"] {
            assert_eq!(read(line), None);
        }
    }

    #[test]
    fn status_lines_that_are_not_right() {
        let read = |line: &[u8]| {
            let head = [line, b"\r\nServer: a\r\n\r\n"].concat();
            response(&head).map(|head| (head.status.unwrap(), head.reason.to_owned())).ok()
        };
        assert_eq!(read(b"HTTP/1.1 101 Switching\x01"), Some((101, "Switching\x01".to_owned())));
        assert_eq!(read(b"HTTP/1.1 502-Bad"), Some((502, "-Bad".to_owned())));
        for line in [&b"HTTP/1.1 1010 x"[..], b"HTTP/1.1 10", b"HTTP/2.0 200 OK", b"HTTP/1.1 099 x", b""] {
            assert_eq!(read(line), None);
        }
    }

    #[test]
    fn field_lines_that_are_not_right() {
        let head = b"GET / HTTP/1.1\r\n First: a\r\nUpgrade : websocket\r\nConnection: a,\r\n b,\n\tc\r\n\
            no colon\r\n: no name\r\nX: \x00\r\n\r\n";
        let read: Vec<(&str, &[u8])> = request(head).unwrap().fields.iter().collect();
        let expected: [(&str, &[u8]); 4] =
            [("First", b"a"), ("Upgrade ", b"websocket"), ("Connection", b"a,\r\n b,\n\tc"), ("X", b"\x00")];
        assert_eq!(read, expected);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(limits::HEAD_FIELDS + 1));
        assert_eq!(request(many.as_bytes()).unwrap_err(), HeadError::TooManyFields);
    }
}
