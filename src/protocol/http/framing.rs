//! How a message says where its body ends (RFC 9112 section 6.3).

use super::chunked::Chunked;
use super::relevant::Relevant;

/// How a body is framed (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked(Chunked),
    /// Until the connection ends.
    UntilEnd,
}

/// What a request's method says of the body of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    Other,
}

impl Method {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

/// RFC 9112 section 6.3: a request without a length has no body.
pub(super) fn request_framing(request: &Relevant<'_>) -> Option<Framing> {
    if request.is_chunked {
        return Some(Framing::Chunked(Chunked::default()));
    }
    content_length(request).filter(|length| *length > 0).map(Framing::Length)
}

/// RFC 9112 section 6.3: a response without a length goes on until the connection ends.
pub(super) fn response_framing(response: &Relevant<'_>, status: u16, method: Method) -> Option<Framing> {
    if method == Method::Head || matches!(status, 204 | 304) {
        return None;
    }
    if response.is_chunked {
        return Some(Framing::Chunked(Chunked::default()));
    }
    let length = content_length(response).filter(|_| !response.has_transfer_coding);
    Some(length.map_or(Framing::UntilEnd, Framing::Length))
}

/// The first of the lengths; `7, 7` is what some proxies make of two fields.
fn content_length(fields: &Relevant<'_>) -> Option<u64> {
    let first = fields.content_length?.split(|byte| *byte == b',').next()?.trim_ascii();
    // Digits only (RFC 9110 section 8.6): no sign.
    let digits = first.iter().all(u8::is_ascii_digit).then_some(first)?;
    str::from_utf8(digits).ok()?.parse().ok()
}
