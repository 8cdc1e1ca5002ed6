//! The fields that decide how a message is framed and what it says of the handshake, found in one pass.

use smallvec::SmallVec;

use super::head::Fields;
use super::list::has_token;

/// The lines of one field, in order: most fields have one.
pub(crate) type Lines<'a> = SmallVec<[&'a [u8]; 1]>;

/// What a head says of its body (RFC 9112 section 6) and of the handshake (RFC 6455 section 4). A head has a dozen
/// fields, and looking for each of these among them costs more than to parse it.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field that is there or not")]
pub(crate) struct Relevant<'a> {
    /// `Upgrade` has the token `websocket`.
    pub(crate) upgrades: bool,
    /// `Connection` has the token `upgrade`.
    pub(crate) connection_upgrades: bool,
    /// The `Sec-WebSocket-Key` lines.
    pub(crate) keys: Lines<'a>,
    /// The first `Sec-WebSocket-Version`.
    pub(crate) version: Option<&'a [u8]>,
    /// The first `Sec-WebSocket-Accept`.
    pub(crate) accept: Option<&'a [u8]>,
    /// The `Sec-WebSocket-Protocol` lines.
    pub(crate) subprotocols: Lines<'a>,
    /// The `Sec-WebSocket-Extensions` lines.
    pub(crate) extensions: Lines<'a>,
    /// Some `Sec-WebSocket-` field is there, those of the drafts (`Key1`, `Key2`) included.
    pub(crate) has_handshake_field: bool,
    /// The first `Content-Length`.
    pub(crate) content_length: Option<&'a [u8]>,
    /// `Transfer-Encoding` is there, and is not the `identity` of old, which was none (RFC 7230 appendix A.2).
    pub(crate) has_transfer_coding: bool,
    /// The final transfer coding is `chunked` (RFC 9112 section 6.3).
    pub(crate) is_chunked: bool,
    /// The head announces a body.
    pub(crate) announces_body: bool,
}

impl<'a> Relevant<'a> {
    /// Those among these fields.
    pub(crate) fn of(fields: &Fields<'a>) -> Self {
        let mut found = Self::default();
        for (name, value) in fields.iter() {
            let _ = found.field(name.as_bytes(), value.trim_ascii());
        }
        found
    }

    /// Takes the next field; the value is trimmed. Whether its name is one of those that matter.
    #[inline]
    pub(super) fn field(&mut self, name: &[u8], value: &'a [u8]) -> bool {
        // The length and the first letter leave few names to compare with.
        let initial = name.first().map(u8::to_ascii_lowercase);
        match (name.len(), initial) {
            (7, Some(b'u')) if is(name, b"Upgrade") => {
                self.upgrades |= has_token(value, "websocket");
            }
            (10, Some(b'c')) if is(name, b"Connection") => {
                self.connection_upgrades |= has_token(value, "upgrade");
            }
            (14, Some(b'c')) if is(name, b"Content-Length") => {
                self.content_length = self.content_length.or(Some(value));
                self.announces_body |= value.iter().any(|digit| *digit != b'0');
            }
            (17, Some(b't')) if is(name, b"Transfer-Encoding") => {
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
                if !last.eq_ignore_ascii_case(b"identity") {
                    self.announces_body = true;
                    self.has_transfer_coding = true;
                    self.is_chunked = last.eq_ignore_ascii_case(b"chunked");
                }
            }
            (15.., Some(b's')) => {
                return match name.split_at_checked(PREFIX.len()) {
                    Some((prefix, rest)) if is(prefix, PREFIX) => self.handshake_field(rest, value),
                    _ => false,
                };
            }
            _ => return false,
        }
        true
    }

    /// A field whose name goes on like this after the prefix.
    fn handshake_field(&mut self, name: &[u8], value: &'a [u8]) -> bool {
        self.has_handshake_field = true;
        match name.len() {
            3 if is(name, b"Key") => self.keys.push(value),
            7 if is(name, b"Version") => self.version = self.version.or(Some(value)),
            6 if is(name, b"Accept") => self.accept = self.accept.or(Some(value)),
            8 if is(name, b"Protocol") => self.subprotocols.push(value),
            10 if is(name, b"Extensions") => self.extensions.push(value),
            _ => return false,
        }
        true
    }
}

/// Whether a name is this one, in any case; most write it as the standards do, and that is one comparison.
#[inline]
fn is<const LENGTH: usize>(name: &[u8], known: &[u8; LENGTH]) -> bool {
    <&[u8; LENGTH]>::try_from(name).is_ok_and(|name| name == known || name.eq_ignore_ascii_case(known))
}

const PREFIX: &[u8; 14] = b"Sec-WebSocket-";
