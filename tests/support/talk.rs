//! Conversations made up from a seed: what each side of some connections says, in the order in which it is said.

#![allow(dead_code, reason = "not every test needs everything")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use sha1::{Digest, Sha1};

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Dice(TestRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(end).unwrap()).unwrap()
    }

    /// True so often in a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// A FIN each way, the client's first.
    Fin,
    /// The same, the server's first.
    ServerFin,
    /// It does not.
    Open,
}

/// What is said on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    /// Who says it, and what: the client if true.
    pub(crate) turns: Vec<(bool, Vec<u8>)>,
    pub(crate) end: End,
}

/// What one side of a connection makes of messages.
struct Side {
    deflate: Option<Compress>,
    takes_over: bool,
}

impl Talk {
    /// An HTTP connection with some requests, most often an upgrade, and then messages.
    pub(crate) fn new(dice: &mut Dice) -> Self {
        let mut talk = Self { turns: Vec::new(), end: dice.one_of(&[End::Fin, End::ServerFin, End::Open]) };
        for _ in 0..dice.below(3) {
            talk.exchange(dice);
        }
        match dice.below(10) {
            0 => talk.exchange(dice),
            1 => talk.refused(dice),
            2 => {
                talk.refused(dice);
                talk.session(dice);
            }
            _ => talk.session(dice),
        }
        talk
    }

    fn say(&mut self, by_client: bool, bytes: impl AsRef<[u8]>) {
        self.turns.push((by_client, bytes.as_ref().to_vec()));
    }

    /// A request that asks for no upgrade, and its answer, framed in one of the ways of RFC 9112 section 6.
    fn exchange(&mut self, dice: &mut Dice) {
        let body: String = "HTTP/1.1 101 is a body ".chars().cycle().take(dice.below(300)).collect();
        let request = match dice.below(3) {
            0 => format!("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
            1 => "HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            _ => "GET /get HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        };
        let is_head = request.starts_with("HEAD");
        self.say(true, request);
        let interim = if dice.percent(20) { "HTTP/1.1 103 Early Hints\r\n\r\n" } else { "" };
        let (framing, coded) = if dice.percent(50) || body.is_empty() {
            (format!("Content-Length: {}", body.len()), body)
        } else {
            ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()))
        };
        let coded = if is_head { String::new() } else { coded };
        self.say(false, format!("{interim}HTTP/1.1 200 OK\r\nServer: test\r\n{framing}\r\n\r\n{coded}"));
    }

    fn ask(&mut self, dice: &mut Dice, extensions: &str) -> String {
        let key = STANDARD.encode(dice.bytes::<16>());
        self.say(
            true,
            format!(
                "GET /ws HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{extensions}\r\n"
            ),
        );
        key
    }

    fn refused(&mut self, dice: &mut Dice) {
        self.ask(dice, "");
        let status = dice.one_of(&["400 Bad Request", "403 Forbidden", "404 Not Found", "502 Bad Gateway"]);
        self.say(false, format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nnope"));
    }

    fn session(&mut self, dice: &mut Dice) {
        let (offer, chosen, takes_over) = dice.one_of(&[
            ("", "", [true, true]),
            ("permessage-deflate", "permessage-deflate", [true, true]),
            (
                "permessage-deflate; client_max_window_bits",
                "permessage-deflate; server_no_context_takeover; client_max_window_bits=15",
                [true, false],
            ),
            (
                "permessage-deflate; client_no_context_takeover",
                "permessage-deflate; client_no_context_takeover",
                [false, true],
            ),
            (
                "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
                "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
                [false, false],
            ),
        ]);
        let field = |value: &str| match value {
            "" => String::new(),
            value => format!("Sec-WebSocket-Extensions: {value}\r\n"),
        };
        let key = self.ask(dice, &field(offer));
        let accept = STANDARD.encode(Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        let mut answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{}\r\n",
            field(chosen)
        )
        .into_bytes();
        let mut sides = takes_over.map(|takes_over| Side {
            deflate: (!chosen.is_empty()).then(|| Compress::new(Compression::default(), false)),
            takes_over,
        });
        if dice.percent(20) {
            // The server's first message comes with its answer.
            answer.extend(sides[1].message(dice, false).concat());
        }
        self.say(false, answer);
        for _ in 0..dice.below(12) {
            let by_client = dice.percent(50);
            let mut frames = sides[usize::from(!by_client)].message(dice, by_client);
            if dice.percent(20) {
                // A control frame may stand between fragments (RFC 6455 section 5.4).
                let ping = frame(dice, 0x89, by_client, b"are you there");
                frames.insert(dice.below(frames.len() + 1), ping);
                self.say_frames(dice, by_client, frames);
                let answer = frame(dice, 0x8A, !by_client, b"are you there");
                self.say(!by_client, answer);
            } else {
                self.say_frames(dice, by_client, frames);
            }
        }
        if dice.percent(60) {
            let first = dice.percent(50);
            for by_client in [first, !first] {
                let close = frame(dice, 0x88, by_client, &[3, 0xE8, b'b', b'y', b'e']);
                self.say(by_client, close);
            }
        }
    }

    /// Frames, each in a turn of its own or several together.
    fn say_frames(&mut self, dice: &mut Dice, by_client: bool, frames: Vec<Vec<u8>>) {
        if dice.percent(50) {
            self.say(by_client, frames.concat());
        } else {
            for frame in frames {
                self.say(by_client, frame);
            }
        }
    }
}

impl Side {
    /// The frames of a message.
    fn message(&mut self, dice: &mut Dice, by_client: bool) -> Vec<Vec<u8>> {
        let length = match dice.below(10) {
            0 => 0,
            1..7 => dice.below(120),
            7 | 8 => 126 + dice.below(2_000),
            _ => 65_000 + dice.below(1_000),
        };
        let is_text = dice.percent(60);
        let word = dice.one_of(&["hello ", "grün ", "{\"type\":\"update\",\"n\":", "0"]);
        let start = dice.below(1_000).to_string();
        let payload: Vec<u8> = if is_text {
            start.chars().chain(word.chars().cycle()).take(length).collect::<String>().into_bytes()
        } else {
            (0..length).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
        };
        let opcode = if is_text { 1 } else { 2 };
        let mut first = opcode;
        let mut bytes = payload;
        if let Some(deflate) = self.deflate.as_mut().filter(|_| dice.percent(80)) {
            bytes = deflated(deflate, &bytes);
            if !self.takes_over {
                deflate.reset();
            }
            first |= 0x40;
        }
        let mut frames = Vec::new();
        let pieces = if dice.percent(30) { 1 + dice.below(4) } else { 1 };
        let mut rest = &bytes[..];
        for piece in (0..pieces).rev() {
            let length = if piece == 0 { rest.len() } else { dice.below(rest.len() + 1) };
            let (now, later) = rest.split_at(length);
            let fin = if piece == 0 { 0x80 } else { 0 };
            frames.push(frame(dice, first | fin, by_client, now));
            (first, rest) = (0, later);
        }
        frames
    }
}

/// A message's payload, compressed (RFC 7692 section 7.2.1).
fn deflated(deflate: &mut Compress, payload: &[u8]) -> Vec<u8> {
    if payload.is_empty() {
        // Section 7.2.3.6: a flush of nothing may give nothing.
        return vec![0];
    }
    let mut bytes = Vec::with_capacity(payload.len() + 1_024);
    let before = deflate.total_in();
    while deflate.total_in() - before < payload.len() as u64 {
        let from = usize::try_from(deflate.total_in() - before).unwrap();
        deflate.compress_vec(&payload[from..], &mut bytes, FlushCompress::Sync).unwrap();
        bytes.reserve(1_024);
    }
    assert!(bytes.ends_with(&[0, 0, 0xFF, 0xFF]));
    bytes.truncate(bytes.len() - 4);
    bytes
}

/// A frame with its length written in the shortest way.
fn frame(dice: &mut Dice, first: u8, by_client: bool, payload: &[u8]) -> Vec<u8> {
    let mask = if by_client { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(mask | u8::try_from(short).unwrap()),
        long @ 126..65_536 => {
            bytes.push(mask | 0x7E);
            bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
        }
        longest => {
            bytes.push(mask | 0x7F);
            bytes.extend((longest as u64).to_be_bytes());
        }
    }
    if !by_client {
        bytes.extend(payload);
        return bytes;
    }
    let key = dice.bytes::<4>();
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}
