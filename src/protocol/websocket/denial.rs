//! A server that lets a client connect and says in its first message that it is not let in.

/// Whether a binary message is the one with which Hocuspocus refuses a document: the document's name, the type of the
/// message (2, authentication), what is said about that (1, permission denied) and why, each text with its length before
/// it (`writePermissionDenied` of `@hocuspocus/common`). No close frame needs to follow: the WebSocket may be open for other
/// documents.
pub(super) fn is_denial(message: &[u8]) -> bool {
    let Some((name, rest)) = text(message) else { return false };
    let Some((AUTHENTICATION, rest)) = rest.split_first_chunk().map(|(kind, rest)| (*kind, rest)) else {
        return false;
    };
    !name.is_empty() && text(rest).is_some_and(|(_, rest)| rest.is_empty())
}

/// Whether a text message is JSON whose type says that it is an error or the end: Action Cable's `disconnect`,
/// `connection_error` of the older GraphQL protocol, `error` of webpack-dev-server.
pub(super) fn is_refusal(message: &[u8]) -> bool {
    let kind = message.strip_prefix(b"{\"type\":\"".as_slice());
    kind.is_some_and(|rest| REFUSALS.iter().any(|kind| rest.starts_with(kind)))
}

/// A text behind its length, and what follows it. The messages that are looked at are shorter than 128 bytes, so a length is
/// one byte.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    let text = str::from_utf8(text).ok().filter(|text| !text.chars().any(char::is_control))?;
    Some((text, rest))
}

const AUTHENTICATION: [u8; 2] = [2, 1];

/// With the quotation mark behind each, so that no longer word is one of them.
const REFUSALS: [&[u8]; 3] = [b"disconnect\"", b"error\"", b"connection_error\""];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_known_by_all_of_its_bytes() {
        let denial = b"\x06page-1\x02\x01\x11permission-denied";
        assert!(is_denial(denial));
        assert!(is_denial(b"\x06page-1\x02\x01\x00"));
        for length in 0..denial.len() {
            assert!(!is_denial(&denial[..length]), "{length}");
        }
        for other in [
            &b"\x06page-1\x02\x02\x11permission-denied"[..],
            b"\x00\x02\x01\x00",
            b"\x06page-1\x02\x01\x00\x00",
        ] {
            assert!(!is_denial(other), "{other:?}");
        }
    }

    #[test]
    fn a_text_that_refuses_is_known_by_its_type() {
        for said in [
            r#"{"type":"disconnect","reason":"unauthorized","reconnect":false}"#,
            r#"{"type":"error","data":"Invalid Host/Origin header"}"#,
            r#"{"type":"connection_error","payload":{"message":"no"}}"#,
        ] {
            assert!(is_refusal(said.as_bytes()), "{said}");
        }
        for other in [r#"{"type":"welcome"}"#, r#"{"type":"errors"}"#, r#"{"id":1,"type":"error"}"#, ""] {
            assert!(!is_refusal(other.as_bytes()), "{other}");
        }
    }
}
