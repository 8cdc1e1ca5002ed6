//! Bytes shaped like TLS 1.3 (RFC 8446): two hellos in the clear, then records of random bytes.

use crate::burst::Burst;
use crate::conversation::{Application, Next, Role};
use crate::kit::Kit;
use crate::material::Kind;

/// Hellos, then requests and answers that nobody can read.
pub(crate) struct Tls {
    exchanges_left: u32,
    session: [u8; 32],
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    ClientHello,
    ServerHello,
    Request,
    /// So many bytes of the answer are left.
    Answer(u32),
    Alert,
    End,
}

impl Tls {
    /// A connection with one to eight exchanges.
    pub(crate) fn new(kit: &mut Kit) -> Self {
        Self {
            exchanges_left: kit.random.between(1, 8),
            session: kit.random.bytes(),
            stage: Stage::ClientHello,
        }
    }

    /// A hello: type, version, random, session id, `choice` (ciphers and compression), extensions.
    fn hello(&self, kind: u8, choice: &[u8], extensions: &[u8], kit: &mut Kit) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend_from_slice(&kit.random.bytes::<32>());
        body.push(32);
        body.extend_from_slice(&self.session);
        body.extend_from_slice(choice);
        sized(&mut body, extensions);
        let mut message = vec![kind, 0];
        sized(&mut message, &body);
        message
    }

    fn client_hello(&self, kit: &mut Kit) -> Vec<u8> {
        let mut extensions = Vec::new();
        extension(&mut extensions, 0, b"\x00\x12\x00\x00\x0fwww.example.com");
        extension(&mut extensions, 10, &[0, 4, 0, 29, 0, 23]);
        extension(&mut extensions, 13, &[0, 6, 4, 3, 8, 4, 4, 1]);
        extension(&mut extensions, 16, b"\x00\x0c\x02h2\x08http/1.1");
        extension(&mut extensions, 43, &[4, 3, 4, 3, 3]);
        let mut share = vec![0, 36, 0, 29, 0, 32];
        share.extend_from_slice(&kit.random.bytes::<32>());
        extension(&mut extensions, 51, &share);
        let choice = [0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0];
        self.hello(1, &choice, &extensions, kit)
    }

    fn server_hello(&self, kit: &mut Kit) -> Vec<u8> {
        let mut extensions = Vec::new();
        extension(&mut extensions, 43, &[3, 4]);
        let mut share = vec![0, 29, 0, 32];
        share.extend_from_slice(&kit.random.bytes::<32>());
        extension(&mut extensions, 51, &share);
        self.hello(2, &[0x13, 1, 0], &extensions, kit)
    }
}

impl Application for Tls {
    fn next(&mut self, burst: &mut Burst, kit: &mut Kit) -> Next {
        self.stage = match self.stage {
            Stage::ClientHello => {
                burst.begin(Role::Client, kit.random.between(100, 900));
                let hello = self.client_hello(kit);
                record(&mut burst.bytes, HANDSHAKE, [3, 1], &hello);
                Stage::ServerHello
            }
            Stage::ServerHello => {
                burst.begin(Role::Server, kit.random.magnitude(9, 12));
                let hello = self.server_hello(kit);
                record(&mut burst.bytes, HANDSHAKE, [3, 3], &hello);
                record(&mut burst.bytes, CHANGE_CIPHER_SPEC, [3, 3], &[1]);
                encrypted(burst, kit.random.between(2_500, 4_200));
                Stage::Request
            }
            Stage::Request => {
                burst.begin(Role::Client, kit.random.magnitude(9, 18));
                self.exchanges_left -= 1;
                encrypted(burst, kit.random.between(90, 900));
                Stage::Answer(kit.random.magnitude(8, 15))
            }
            Stage::Answer(left) => {
                burst.begin(Role::Server, kit.random.magnitude(7, 14));
                let length = left.min(RECORD_BYTES);
                encrypted(burst, length + 17);
                match (left - length, self.exchanges_left) {
                    (0, 0) => Stage::Alert,
                    (0, _) => Stage::Request,
                    (rest, _) => Stage::Answer(rest),
                }
            }
            Stage::Alert => {
                burst.begin(Role::Client, kit.random.magnitude(9, 16));
                encrypted(burst, 19);
                Stage::End
            }
            Stage::End => return Next::Close(Role::Client),
        };
        Next::Send
    }
}

/// Appends one record: type, version, length, content.
fn record(output: &mut Vec<u8>, kind: u8, version: [u8; 2], content: &[u8]) {
    output.push(kind);
    output.extend_from_slice(&version);
    sized(output, content);
}

/// Appends a record of application data whose `length` bytes are filler.
fn encrypted(burst: &mut Burst, length: u32) {
    let size = (length & 0xffff) as u16;
    burst.bytes.extend_from_slice(&[APPLICATION_DATA, 3, 3]);
    burst.bytes.extend_from_slice(&size.to_be_bytes());
    burst.fill(Kind::Binary, u64::from(length), None);
}

/// Appends one extension: type, length, content.
fn extension(output: &mut Vec<u8>, kind: u16, content: &[u8]) {
    output.extend_from_slice(&kind.to_be_bytes());
    sized(output, content);
}

/// Appends a length of two bytes and what it counts; what is built here is far below 64 KiB.
fn sized(output: &mut Vec<u8>, content: &[u8]) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(content);
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Plaintext of the largest record, RFC 8446 section 5.1.
const RECORD_BYTES: u32 = 16_384;
