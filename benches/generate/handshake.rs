//! The opening handshake as browsers, libraries and servers write it (RFC 6455 section 4).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::burst::Burst;
use crate::conversation::Role;
use crate::kit::Kit;

/// One upgrade attempt: what the answer must know of the request.
pub(crate) struct Handshake {
    nonce: [u8; 16],
    subprotocol: bool,
    /// The field of the answer that accepts extensions, or nothing.
    extensions: &'static str,
}

impl Handshake {
    /// An attempt with a fresh key.
    pub(crate) fn new(kit: &mut Kit) -> Self {
        Self { nonce: kit.random.bytes(), subprotocol: kit.random.chance(1, 4), extensions: "" }
    }

    /// The same, and the answer accepts permessage-deflate; `forgets` if each message is to be compressed by itself.
    pub(crate) fn with_deflate(self, forgets: bool) -> Self {
        let extensions = if forgets { FORGETFUL } else { "Sec-WebSocket-Extensions: permessage-deflate\r\n" };
        Self { extensions, ..self }
    }

    /// Writes the request.
    pub(crate) fn request(&self, burst: &mut Burst, kit: &mut Kit) {
        burst.begin(Role::Client, kit.random.between(100, 3_000));
        let key = STANDARD.encode(self.nonce);
        let room = kit.random.below(5_000);
        let session = kit.random.bits();
        let subprotocol = if self.subprotocol { "Sec-WebSocket-Protocol: chat.v2, chat.v1\r\n" } else { "" };
        match kit.random.below(8) {
            0..4 => burst.print(format_args!(
                "GET /ws/rooms/{room} HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\n\
                 Pragma: no-cache\r\nCache-Control: no-cache\r\nUser-Agent: {CHROME}\r\n\
                 Upgrade: websocket\r\nOrigin: https://chat.example.com\r\n\
                 Sec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
                 Accept-Language: en-US,en;q=0.9\r\nCookie: session={session:016x}\r\n\
                 Sec-WebSocket-Key: {key}\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
                 {subprotocol}\r\n"
            )),
            4..7 => burst.print(format_args!(
                "GET /ws/rooms/{room} HTTP/1.1\r\nHost: chat.example.com\r\nUser-Agent: {FIREFOX}\r\n\
                 Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\n\
                 Accept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Version: 13\r\n\
                 Origin: https://chat.example.com\r\n{subprotocol}\
                 Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: {key}\r\n\
                 Connection: keep-alive, Upgrade\r\nCookie: session={session:016x}\r\n\
                 Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: websocket\r\n\
                 Sec-Fetch-Site: same-origin\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\
                 Upgrade: websocket\r\n\r\n"
            )),
            _ => burst.print(format_args!(
                "GET /ws/rooms/{room} HTTP/1.1\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: {key}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
                 {subprotocol}Host: chat.example.com\r\n\r\n"
            )),
        }
    }

    /// Writes the 101 that accepts the request, and counts it.
    pub(crate) fn accept(&self, burst: &mut Burst, kit: &mut Kit) {
        burst.begin(Role::Server, kit.random.magnitude(10, 14));
        kit.truth.established += 1;
        let accept = self.accept_value();
        let extensions = self.extensions;
        let subprotocol = if self.subprotocol { "Sec-WebSocket-Protocol: chat.v2\r\n" } else { "" };
        if kit.random.chance(1, 2) {
            burst.print(format_args!(
                "HTTP/1.1 101 Switching Protocols\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
                 Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\
                 {extensions}{subprotocol}\r\n"
            ));
        } else {
            burst.print(format_args!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n{extensions}{subprotocol}\r\n"
            ));
        }
    }

    /// Writes a refusal with `status` and its reason, and counts it. The server closes after it.
    pub(crate) fn refuse(status: &str, burst: &mut Burst, kit: &mut Kit) {
        burst.begin(Role::Server, kit.random.magnitude(10, 17));
        kit.truth.refused += 1;
        let body = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n\
             <center><h1>{status}</h1></center>\r\n<hr><center>nginx/1.28.0</center>\r\n\
             </body>\r\n</html>\r\n"
        );
        burst.print(format_args!(
            "HTTP/1.1 {status}\r\nServer: nginx/1.28.0\r\nDate: {DATE}\r\n\
             Content-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        ));
    }

    /// The value that proves the key was read: RFC 6455 section 4.2.2.
    fn accept_value(&self) -> String {
        let mut hash = Sha1::new();
        hash.update(STANDARD.encode(self.nonce));
        hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        STANDARD.encode(hash.finalize())
    }
}

/// Accepts permessage-deflate without context takeover on either side (RFC 7692 section 7.1.1).
const FORGETFUL: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; \
                         client_no_context_takeover\r\n";

/// The day on which every capture begins.
pub(crate) const DATE: &str = "Mon, 21 Sep 2026 14:13:20 GMT";

/// `User-Agent` of a browser on Windows.
pub(crate) const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
    (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// `User-Agent` of a browser on Linux.
pub(crate) const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0";
