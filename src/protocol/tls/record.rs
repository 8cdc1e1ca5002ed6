//! The first bytes of a TLS record (RFC 8446 section 5.1), or of what stands in its place.

/// What some bytes at the start of a record are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Too few bytes to tell.
    More,
    /// A record.
    Record(Record),
    /// The status line of an HTTP/1 answer, with this status.
    Http(u16),
    /// Something else.
    Other,
}

/// The head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    /// The type of the handshake message that it begins with; told of a half's first record only.
    pub(super) message: Option<u8>,
    /// Level and description of an alert that is not encrypted: of two bytes, which encryption makes longer.
    pub(super) alert: Option<[u8; 2]>,
    /// Bytes of it that are still to come.
    pub(super) remaining: u16,
}

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ChangeCipherSpec,
    Alert,
    Handshake,
    /// Application data, or a heartbeat (RFC 6520).
    Other,
}

/// Reads the start of a record, or of a half if it `is_first`. Longer bytes never take back what shorter ones say.
pub(super) fn read(bytes: &[u8], is_first: bool) -> Reading {
    if is_first && bytes.first() == Some(&b'H') {
        return status_line(bytes);
    }
    let kind = match bytes.first() {
        None => return Reading::More,
        Some(&CHANGE_CIPHER_SPEC) => Kind::ChangeCipherSpec,
        Some(&ALERT) => Kind::Alert,
        Some(&HANDSHAKE) => Kind::Handshake,
        Some(&(APPLICATION_DATA | HEARTBEAT)) => Kind::Other,
        Some(_) => return Reading::Other,
    };
    // Every version on the wire is 3.something (RFC 8446 section 4.2.1 and appendix D).
    if bytes.get(1).is_some_and(|major| *major != 3) || bytes.get(2).is_some_and(|minor| *minor > 4) {
        return Reading::Other;
    }
    let Some((&[_, _, _, high, low], body)) = bytes.split_first_chunk::<5>() else { return Reading::More };
    let length = u16::from_be_bytes([high, low]);
    if length > MAX_LENGTH {
        return Reading::Other;
    }
    let (message, alert) = match (kind, body) {
        (Kind::Handshake, [message, ..]) if is_first && length > 0 => (Some(*message), None),
        (Kind::Handshake, []) if is_first && length > 0 => return Reading::More,
        (Kind::Alert, [level, description, ..]) if length == 2 => (None, Some([*level, *description])),
        (Kind::Alert, _) if length == 2 => return Reading::More,
        _ => (None, None),
    };
    let read = u16::try_from(body.len()).unwrap_or(u16::MAX);
    Reading::Record(Record { kind, message, alert, remaining: length.saturating_sub(read) })
}

/// `HTTP/1.1 400` (RFC 9112 section 4).
fn status_line(bytes: &[u8]) -> Reading {
    let fits = |(byte, expected): (&u8, &u8)| match expected {
        b'0' => byte.is_ascii_digit(),
        _ => byte == expected,
    };
    if !bytes.iter().zip(STATUS_LINE).all(fits) {
        return Reading::Other;
    }
    let status = bytes.get(9..HEAD_BYTES).and_then(|digits| str::from_utf8(digits).ok());
    status.and_then(|digits| digits.parse().ok()).map_or(Reading::More, Reading::Http)
}

/// How many bytes say what it is: a status line up to its status. A record needs seven.
pub(super) const HEAD_BYTES: usize = STATUS_LINE.len();

/// Bytes of a record before what it carries.
pub(super) const FIELDS: usize = 5;

/// The types of handshake messages that begin a half (RFC 8446 section 4).
pub(super) const CLIENT_HELLO: u8 = 1;
pub(super) const SERVER_HELLO: u8 = 2;

const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

/// The longest record there is (RFC 5246 section 6.2.3).
const MAX_LENGTH: u16 = (1 << 14) + 2048;

/// A zero stands for any digit.
const STATUS_LINE: &[u8; 12] = b"HTTP/1.0 000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_soon_as_they_are_there() {
        let whole: [(&[u8], Reading); 6] = [
            (b"\x16\x03\x01\x02\x00\x01", handshake(Some(CLIENT_HELLO), 511)),
            (b"\x15\x03\x03\x00\x02\x02\x28", alert([2, 40])),
            (b"HTTP/1.1 400", Reading::Http(400)),
            (b"HTTP/2", Reading::Other),
            (b"\x16\x03\x05", Reading::Other),
            (b"\x17\x03\x03\x48\x01", Reading::Other),
        ];
        for (bytes, expected) in whole {
            assert_eq!(read(bytes, true), expected, "{bytes:x?}");
            for cut in 0..bytes.len() {
                assert_eq!(read(&bytes[..cut], true), Reading::More, "{bytes:x?} cut at {cut}");
            }
        }
        // Later in a half the type of a message means nothing: it may be encrypted.
        assert_eq!(read(b"\x16\x03\x03\x00\x28", false), handshake(None, 40));
        assert_eq!(read(b"H", false), Reading::Other);
        assert_eq!(read(b"\x16\x03\x03\x00\x00", true), handshake(None, 0));
    }

    fn handshake(message: Option<u8>, remaining: u16) -> Reading {
        Reading::Record(Record { kind: Kind::Handshake, message, alert: None, remaining })
    }

    fn alert(alert: [u8; 2]) -> Reading {
        Reading::Record(Record { kind: Kind::Alert, message: None, alert: Some(alert), remaining: 0 })
    }
}
