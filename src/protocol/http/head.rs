//! Heads of requests and responses (RFC 9112 sections 2 to 5), over httparse.
//!
//! A head may be known in part: a snap length or a loss cut it. Then its whole lines count.

use std::mem::MaybeUninit;

use super::list::{has_token, split_list};
use super::loose;
use crate::limits;

/// A request's head, borrowed from its bytes.
#[derive(Clone, Debug, Default)]
pub struct RequestHead<'a> {
    /// The method; empty if the capture lacks it.
    pub method: &'a str,
    /// The target as it was sent; empty if the capture lacks it.
    pub target: &'a str,
    /// The minor version of HTTP/1: 0 or 1; none if the capture lacks it.
    pub version: Option<u8>,
    /// The fields.
    pub fields: Fields<'a>,
}

/// What the first line of a request says of a handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestLine<'a> {
    /// The method; empty if the capture lacks it.
    pub(crate) method: &'a [u8],
    /// The minor version of HTTP/1: 0 or 1; none if the capture lacks it.
    pub(crate) version: Option<u8>,
}

/// A response's head, borrowed from its bytes.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead<'a> {
    /// The status code; none if the capture lacks it.
    pub status: Option<u16>,
    /// The reason phrase.
    pub reason: &'a str,
    /// The minor version of HTTP/1: 0 or 1; none if the capture lacks it.
    pub version: Option<u8>,
    /// The fields.
    pub fields: Fields<'a>,
}

/// Header fields in the order and case of the wire.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a>(Vec<(&'a str, &'a [u8])>);

/// Why bytes cannot be taken for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// It is not HTTP/1.
    NotHttp,
    /// It has more than [`limits::HEAD_FIELDS`] fields.
    TooManyFields,
}

impl<'a> RequestHead<'a> {
    pub(crate) const fn line(&self) -> RequestLine<'a> {
        RequestLine { method: self.method.as_bytes(), version: self.version }
    }

    /// Reads a whole head, the empty line included.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeadError> {
        let mut fields = [const { MaybeUninit::uninit() }; limits::HEAD_FIELDS];
        let mut request = httparse::Request::new(&mut []);
        let parsed = lenient().parse_request_with_uninit_headers(&mut request, bytes, &mut fields);
        if !is_whole(parsed)? {
            return loose::request(bytes);
        }
        Ok(Self {
            method: request.method.unwrap_or_default(),
            target: request.path.unwrap_or_default(),
            version: request.version,
            fields: Fields::collect(request.headers),
        })
    }

    /// Reads what was kept of a head: the whole of it, or what `mend` made of a part.
    #[must_use]
    pub fn parse_kept(bytes: &'a [u8]) -> Self {
        Self::parse(bytes).unwrap_or_else(|_| {
            let mut parts = first_line(bytes).split(' ');
            Self {
                // Without a space behind it some of it may be missing.
                method: parts
                    .next()
                    .filter(|method| bytes.get(method.len()) == Some(&b' '))
                    .unwrap_or_default(),
                target: parts.next().unwrap_or_default(),
                version: parts.next().and_then(minor_version),
                fields: Fields::default(),
            }
        })
    }
}

impl<'a> ResponseHead<'a> {
    /// Reads a whole head, the empty line included.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeadError> {
        let mut fields = [const { MaybeUninit::uninit() }; limits::HEAD_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = lenient().parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
        if !is_whole(parsed)? {
            return loose::response(bytes);
        }
        Ok(Self {
            status: response.code,
            reason: response.reason.unwrap_or_default(),
            version: response.version,
            fields: Fields::collect(response.headers),
        })
    }

    /// Reads what was kept of a head: the whole of it, or what `mend` made of a part.
    #[must_use]
    pub fn parse_kept(bytes: &'a [u8]) -> Self {
        Self::parse(bytes).unwrap_or_else(|_| {
            let mut parts = first_line(bytes).splitn(3, ' ');
            let version = parts.next().and_then(minor_version);
            // Three digits, or else some of them may be missing.
            let status =
                parts.next().filter(|digits| digits.len() == 3).and_then(|digits| digits.parse().ok());
            Self { status, reason: parts.next().unwrap_or_default(), version, fields: Fields::default() }
        })
    }
}

impl<'a> Fields<'a> {
    /// These fields.
    pub(super) fn of(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(fields.collect())
    }

    fn collect(headers: &[httparse::Header<'a>]) -> Self {
        Self(headers.iter().map(|header| (header.name, header.value)).collect())
    }

    /// All fields.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().copied()
    }

    /// The values of a field, one for each line that has it.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim_ascii())
    }

    /// The values that are UTF-8.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name).filter_map(|value| str::from_utf8(value).ok())
    }

    /// The elements of a comma-separated list, over all the field's lines (RFC 9110 section 5.6.1).
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&'a str> {
        self.texts(name).flat_map(|value| split_list(value, ',')).collect()
    }

    /// Whether a list has a token, in any case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.values(name).any(|value| has_token(value, token))
    }
}

/// Where a head ends in `bytes`, searched from `from` on: after its empty line (RFC 9112 section 2.1).
/// Bare line feeds are taken, as most servers do.
#[must_use]
pub(super) fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    // From line to line: a head has few, and a search for two bytes or three costs more to prepare than to do.
    let end = memchr::memchr_iter(b'\n', rest).find_map(|at| match rest.get(at..)? {
        [_, b'\n', ..] => Some(at.saturating_add(2)),
        [_, b'\r', b'\n', ..] => Some(at.saturating_add(3)),
        _ => None,
    })?;
    Some(from.saturating_add(end))
}

/// Makes a readable head of the start of one: its whole lines and an empty one. If not even the first line
/// is whole, what there is of it.
#[must_use]
pub(super) fn mend(part: &[u8]) -> Vec<u8> {
    match memchr::memrchr(b'\n', part) {
        Some(end) => [part.get(..=end).unwrap_or_default(), b"\r\n"].concat(),
        None => part.to_vec(),
    }
}

/// Whether bytes at the start of a message may be the start of a request line: a method of capital letters
/// and a space. Shorter bytes may be, as long as nothing speaks against it.
#[must_use]
pub(crate) fn may_start_request(bytes: &[u8]) -> bool {
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    method > 0 && method <= MAX_METHOD_BYTES && matches!(bytes.get(method), None | Some(b' '))
}

/// Whether bytes at the start of a message may be the start of a status line.
#[must_use]
pub(crate) fn may_start_response(bytes: &[u8]) -> bool {
    let length = bytes.len().min(STATUS_LINE_START.len());
    bytes.get(..length) == STATUS_LINE_START.get(..length)
}

/// Some servers and proxies write heads that are not quite right; a person wants to see them all the same. What is worse
/// than this is read [loosely](loose).
fn lenient() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_multiple_spaces_in_request_line_delimiters(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_space_before_first_header_name(true);
    config
}

/// Whether httparse read a whole head; if it did not, it may be read loosely.
fn is_whole(parsed: Result<httparse::Status<usize>, httparse::Error>) -> Result<bool, HeadError> {
    match parsed {
        Ok(httparse::Status::Complete(_)) => Ok(true),
        Err(httparse::Error::TooManyHeaders) => Err(HeadError::TooManyFields),
        Ok(httparse::Status::Partial) => Err(HeadError::NotHttp),
        Err(_) => Ok(false),
    }
}

fn first_line(bytes: &[u8]) -> &str {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let valid = match str::from_utf8(line) {
        Ok(_) => line.len(),
        Err(error) => error.valid_up_to(),
    };
    line.get(..valid).and_then(|line| str::from_utf8(line).ok()).unwrap_or_default()
}

pub(super) fn minor_version(text: &str) -> Option<u8> {
    match text {
        "HTTP/1.0" => Some(0),
        "HTTP/1.1" => Some(1),
        _ => None,
    }
}

/// The longest registered method, `BASELINE-CONTROL`, has 16 characters.
const MAX_METHOD_BYTES: usize = 20;

const STATUS_LINE_START: &[u8] = b"HTTP/1.";

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /ws?x=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive,  Upgrade\r\n\r\nrest";

    #[test]
    fn the_end_is_found_from_any_start_before_it() {
        let end = REQUEST.len() - 4;
        for from in 0..end - 3 {
            assert_eq!(find_end(REQUEST, from), Some(end));
        }
        for cut in 0..end {
            assert_eq!(find_end(&REQUEST[..cut], 0), None);
        }
        assert_eq!(find_end(b"a\n\nb", 0), Some(3));
    }

    #[test]
    fn lists_tokens_and_values() {
        let head = RequestHead::parse(REQUEST).unwrap();
        assert_eq!((head.method, head.target, head.version), ("GET", "/ws?x=1", Some(1)));
        assert!(head.fields.has_token("connection", "upgrade"));
        assert!(!head.fields.has_token("connection", "up"));
        assert_eq!(head.fields.list("Connection"), ["keep-alive", "Upgrade"]);
        assert_eq!(head.fields.values("host").collect::<Vec<_>>(), [b"a"]);
    }

    #[test]
    fn a_cut_head_keeps_its_whole_lines() {
        for cut in 0..REQUEST.len() - 4 {
            let mended = mend(&REQUEST[..cut]);
            let head = RequestHead::parse_kept(&mended);
            // The start of a method is none.
            assert_eq!(head.method, if cut > "GET".len() { "GET" } else { "" }, "cut at {cut}");
            assert!("/ws?x=1".starts_with(head.target));
            let lines = memchr::memchr_iter(b'\n', &REQUEST[..cut]).count();
            assert_eq!(head.fields.iter().count(), lines.saturating_sub(1).min(2), "cut at {cut}");
        }
    }

    #[test]
    fn a_status_of_fewer_digits_is_none() {
        let status = |bytes: &[u8]| ResponseHead::parse_kept(&mend(bytes)).status;
        assert_eq!(status(b"HTTP/1.1 10"), None);
        assert_eq!(status(b"HTTP/1.1 101"), Some(101));
        assert_eq!(status(b"HTTP/1.1 101 Switching Protoc"), Some(101));
        assert_eq!(status(b"HTTP/1.1 502 Bad Gateway\r\nServ"), Some(502));
    }

    #[test]
    fn starts_of_messages() {
        for start in [&b"G"[..], b"GET", b"GET ", b"M-SEARCH * HTTP/1.1"] {
            assert!(may_start_request(start));
        }
        for start in [&b"get / HTTP/1.1"[..], b"\x16\x03\x01", b"GET/", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ ", b""] {
            assert!(!may_start_request(start));
        }
        assert!(
            may_start_response(b"HTT")
                && may_start_response(b"HTTP/1.1 200")
                && !may_start_response(b"HTTP/2 ")
        );
    }
}
