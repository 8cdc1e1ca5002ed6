//! HTTP and HTML in clear text where a frame is due: somebody writes to a connection that was upgraded as if it had not
//! been.

/// Whether HTTP or HTML begins here. No letter of theirs is a first byte that RFC 6455 allows: each has reserved bits or
/// the opcode of a control frame in fragments.
#[inline]
#[must_use]
pub(super) fn is_clear_text(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(b'H' | b'G' | b'P' | b'<')) && begins(bytes)
}

#[cold]
fn begins(bytes: &[u8]) -> bool {
    STARTS.iter().any(|start| bytes.starts_with(start))
}

const STARTS: [&[u8]; 6] = [b"HTTP/1.", b"GET /", b"POST /", b"<!DOCTYPE", b"<!doctype", b"<html"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_and_pages_are_known_and_frames_are_not() {
        for bytes in [&b"HTTP/1.1 400 Bad Request"[..], b"GET /ws HTTP/1.1", b"<!DOCTYPE html>"] {
            assert!(is_clear_text(bytes), "{bytes:?}");
        }
        for bytes in [&b"H"[..], b"\x81\x05HTTP/", b"\xc1\x00", b"GETTING", b""] {
            assert!(!is_clear_text(bytes), "{bytes:?}");
        }
    }
}
