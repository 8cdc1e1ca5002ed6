//! Packet scripts for the tests of rules: conversations as a person tells them, turned into a capture and judged.

use std::io::Cursor;
use std::net::SocketAddr;

use etherparse::PacketBuilder;

pub(super) use super::Diagnosis;
use super::{Finding, Selection, diagnose};
use crate::capture::{CaptureFile, CaptureFiles};
use crate::pipeline::{Options, analyse};
use crate::protocol::{MessagesWanted, Which};

/// A capture in the making. Each step takes a tenth of a millisecond.
#[derive(Clone, Default)]
pub(super) struct Script {
    packets: Vec<(u64, Vec<u8>)>,
    now_us: u64,
}

/// A TCP connection of a script: a name for its two ends and their sequence numbers.
#[derive(Clone, Copy)]
pub(super) struct Talk {
    client: SocketAddr,
    server: SocketAddr,
    client_next: u32,
    server_next: u32,
    /// The sequence number of the client's SYN.
    pub(super) client_isn: u32,
    /// That of the server's.
    pub(super) server_isn: u32,
    /// The hop limit of what the client sends.
    pub(super) client_hop_limit: u8,
    /// The hop limit of what the server sends.
    pub(super) server_hop_limit: u8,
    /// What the client says that it can take, in bytes.
    pub(super) client_window: u16,
    /// What the server says that it can take, in bytes.
    pub(super) server_window: u16,
}

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
}

#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the bits of a header")]
struct Bits {
    syn: bool,
    ack: bool,
    fin: bool,
    rst: bool,
}

impl Script {
    /// Lets time pass.
    pub(super) fn wait_ms(&mut self, millis: u64) -> &mut Self {
        self.now_us += millis * 1000;
        self
    }

    /// Opens a connection: SYN, SYN+ACK, ACK.
    pub(super) fn connect(&mut self, client: &str, server: &str) -> Talk {
        let mut talk = Talk::new(client, server);
        self.open(&mut talk);
        talk
    }

    /// The same for a connection that has its numbers.
    pub(super) fn open(&mut self, talk: &mut Talk) -> &mut Self {
        (talk.client_next, talk.server_next) = (talk.client_isn, talk.server_isn);
        self.send(talk, From::Client, Bits { syn: true, ..Bits::default() }, b"");
        self.send(talk, From::Server, Bits { syn: true, ack: true, ..Bits::default() }, b"");
        self.send(talk, From::Client, Bits { ack: true, ..Bits::default() }, b"")
    }

    /// Lets time pass until it is as late as in another capture.
    pub(super) const fn wait_until(&mut self, other: &Self) -> &mut Self {
        self.now_us = other.now_us;
        self
    }

    /// Has the client's packets captured so many microseconds later, as somebody farther away would.
    pub(super) fn later_by(&mut self, micros: u64) -> &mut Self {
        for (time_us, packet) in &mut self.packets {
            *time_us += if packet[12..16] == [10, 77, 1, 2] { micros } else { 0 };
        }
        self
    }

    /// Leaves a packet out.
    pub(super) fn remove(&mut self, place: usize) {
        self.packets.remove(place);
    }

    /// Ends the capture before its last packets.
    pub(super) fn cut_to(&mut self, packets: usize) {
        self.packets.truncate(packets);
    }

    /// How many packets there are.
    pub(super) const fn len(&self) -> usize {
        self.packets.len()
    }

    /// A connection that was there before the capture.
    pub(super) fn midstream(client: &str, server: &str) -> Talk {
        Talk::new(client, server)
    }

    /// A SYN that a RST answers.
    pub(super) fn refused(&mut self, client: &str, server: &str) {
        let mut talk = Talk::new(client, server);
        self.send(&mut talk, From::Client, Bits { syn: true, ..Bits::default() }, b"");
        self.send(&mut talk, From::Server, Bits { rst: true, ack: true, ..Bits::default() }, b"");
    }

    /// A SYN that nobody answers, sent again after 1, 3 and 7 seconds.
    pub(super) fn unanswered(&mut self, client: &str, server: &str) {
        for wait_ms in [0, 1000, 2000, 4000] {
            self.wait_ms(wait_ms);
            let mut talk = Talk::new(client, server);
            self.send(&mut talk, From::Client, Bits { syn: true, ..Bits::default() }, b"");
        }
    }

    /// A SYN, and nothing after it.
    pub(super) fn half_open(&mut self, client: &str, server: &str) {
        let mut talk = Talk::new(client, server);
        self.send(&mut talk, From::Client, Bits { syn: true, ..Bits::default() }, b"");
    }

    /// Sends bytes, which the other side acknowledges.
    pub(super) fn say(&mut self, talk: &mut Talk, from: From, bytes: impl AsRef<[u8]>) -> &mut Self {
        let ack = Bits { ack: true, ..Bits::default() };
        for piece in bytes.as_ref().chunks(1400) {
            self.send(talk, from, ack, piece);
        }
        self.send(talk, from.other(), ack, b"");
        self
    }

    /// Sends bytes that nobody acknowledges: a capture of one side.
    pub(super) fn say_alone(&mut self, talk: &mut Talk, from: From, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.send(talk, from, Bits { ack: true, ..Bits::default() }, bytes.as_ref());
        self
    }

    /// Sends the last bytes once more, and nobody acknowledges them.
    pub(super) fn say_again(&mut self, talk: &mut Talk, from: From, bytes: impl AsRef<[u8]>) -> &mut Self {
        let length = u32::try_from(bytes.as_ref().len()).unwrap();
        let next = if from == From::Client { &mut talk.client_next } else { &mut talk.server_next };
        *next = next.wrapping_sub(length);
        self.say_alone(talk, from, bytes)
    }

    /// Acknowledges what came, and says how much more can be taken.
    pub(super) fn acknowledge(&mut self, talk: &mut Talk, from: From) -> &mut Self {
        self.send(talk, from, Bits { ack: true, ..Bits::default() }, b"")
    }

    /// The same with every packet captured twice.
    pub(super) fn twice(&self) -> Self {
        let packets = self.packets.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect();
        Self { packets, now_us: self.now_us }
    }

    /// Ends a connection in good order, `from` first.
    pub(super) fn close(&mut self, talk: &mut Talk, from: From) -> &mut Self {
        let fin = Bits { fin: true, ack: true, ..Bits::default() };
        self.send(talk, from, fin, b"").send(talk, from.other(), fin, b"");
        self.send(talk, from, Bits { ack: true, ..Bits::default() }, b"")
    }

    /// Ends one half of a connection; the other side may go on.
    pub(super) fn finish(&mut self, talk: &mut Talk, from: From) -> &mut Self {
        self.send(talk, from, Bits { fin: true, ack: true, ..Bits::default() }, b"")
    }

    /// Ends a connection with a RST.
    pub(super) fn reset(&mut self, talk: &mut Talk, from: From) -> &mut Self {
        self.send(talk, from, Bits { rst: true, ack: true, ..Bits::default() }, b"")
    }

    /// The capture, judged by all rules.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        judge(CaptureFile::from_reader("script", Box::new(Cursor::new(self.file()))).unwrap())
    }

    /// The same where messages are decoded.
    pub(super) fn with_messages(&self) -> Diagnosis {
        let mut file = CaptureFile::from_reader("script", Box::new(Cursor::new(self.file()))).unwrap();
        let options = Options { messages: Some(WANTED), ..Options::default() };
        let capture = analyse(&mut file, None, options, |_| {}).unwrap();
        diagnose(&capture, &Selection::default(), false)
    }

    /// The names of the rules that find something, the leading one first.
    pub(super) fn rules(&self) -> Vec<&'static str> {
        self.diagnosis().findings.iter().map(|finding| finding.rule.name).collect()
    }

    /// The finding of a rule.
    pub(super) fn finding(&self, rule: &str) -> Option<Finding> {
        self.diagnosis().findings.into_iter().find(|finding| finding.rule.name == rule)
    }

    /// The leading finding, as `severity rule: sentence`; empty if there is none.
    pub(super) fn leading(&self) -> String {
        leading(&self.diagnosis())
    }

    /// A pcap file with raw IP packets.
    fn file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 101] {
            file.extend(word.to_le_bytes());
        }
        for (time_us, packet) in &self.packets {
            let length = u32::try_from(packet.len()).unwrap();
            let (seconds, micros) = (time_us / 1_000_000, time_us % 1_000_000);
            for word in [
                1_800_000_000 + u32::try_from(seconds).unwrap(),
                u32::try_from(micros).unwrap(),
                length,
                length,
            ] {
                file.extend(word.to_le_bytes());
            }
            file.extend(packet);
        }
        file
    }

    fn send(&mut self, talk: &mut Talk, from: From, bits: Bits, payload: &[u8]) -> &mut Self {
        let (source, target) =
            if from == From::Client { (talk.client, talk.server) } else { (talk.server, talk.client) };
        let hop_limit = if from == From::Client { talk.client_hop_limit } else { talk.server_hop_limit };
        let (SocketAddr::V4(source), SocketAddr::V4(target)) = (source, target) else { panic!("IPv4 only") };
        let window = if from == From::Client { talk.client_window } else { talk.server_window };
        let (next, other) = match from {
            From::Client => (&mut talk.client_next, talk.server_next),
            From::Server => (&mut talk.server_next, talk.client_next),
        };
        let mut builder = PacketBuilder::ipv4(source.ip().octets(), target.ip().octets(), hop_limit).tcp(
            source.port(),
            target.port(),
            *next,
            window,
        );
        for (is_set, set) in [
            (bits.syn, etherparse::PacketBuilderStep::syn as fn(_) -> _),
            (bits.fin, etherparse::PacketBuilderStep::fin),
            (bits.rst, etherparse::PacketBuilderStep::rst),
        ] {
            builder = if is_set { set(builder) } else { builder };
        }
        if bits.ack {
            builder = builder.ack(other);
        }
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        self.packets.push((self.now_us, packet));
        self.now_us += 100;
        let length = u32::try_from(payload.len()).unwrap() + u32::from(bits.syn) + u32::from(bits.fin);
        *next = next.wrapping_add(length);
        self
    }
}

impl Talk {
    fn new(client: &str, server: &str) -> Self {
        Self {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
            client_next: 1000,
            server_next: 5000,
            client_isn: 1000,
            server_isn: 5000,
            client_hop_limit: 64,
            server_hop_limit: 64,
            client_window: 64_000,
            server_window: 64_000,
        }
    }
}

impl Talk {
    /// The server sends bytes that the capture lacks.
    pub(super) const fn loses(&mut self, bytes: u32) {
        self.server_next = self.server_next.wrapping_add(bytes);
    }

    /// The client does not get these last bytes of the server, so that it acknowledges what was before.
    pub(super) fn server_is_not_heard(&mut self, bytes: &[u8]) {
        self.server_next = self.server_next.wrapping_sub(u32::try_from(bytes.len()).unwrap());
    }

    /// The server goes on behind these bytes.
    pub(super) fn server_has_sent(&mut self, bytes: &[u8]) {
        self.server_next = self.server_next.wrapping_add(u32::try_from(bytes.len()).unwrap());
    }

    /// The client sends bytes that the capture lacks.
    pub(super) const fn client_loses(&mut self, bytes: u32) {
        self.client_next = self.client_next.wrapping_add(bytes);
    }
}

impl From {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The real capture of a name, as the proxy saw it, judged by all rules.
pub(super) fn diagnosis_of(capture: &str) -> Diagnosis {
    let path = format!("{}/captures/{capture}/proxy-any.pcap", env!("CARGO_MANIFEST_DIR"));
    judge(CaptureFile::open(path.as_ref()).unwrap())
}

/// As [`Script::leading`], of a real capture.
pub(super) fn leading_of(capture: &str) -> String {
    leading(&diagnosis_of(capture))
}

/// A script as the client's point has it, and as the server's has it. The way takes 30 microseconds, the server's clock is
/// so many milliseconds ahead, and these packets do not arrive.
pub(super) fn points(script: &Script, lost: &[usize], ahead_ms: i64) -> (Script, Script) {
    let (mut near, mut far) = (Script::default(), Script::default());
    for (place, (time_us, packet)) in script.packets.iter().enumerate() {
        // From the client's network, or from the proxy's.
        let is_clients = packet[12..16] == [10, 77, 1, 2];
        let (sent, arrived) = if is_clients { (&mut near, &mut far) } else { (&mut far, &mut near) };
        sent.packets.push((*time_us, packet.clone()));
        if !lost.contains(&place) {
            arrived.packets.push((time_us + 30, packet.clone()));
        }
    }
    for (side, ahead_us) in [(&mut near, 0), (&mut far, ahead_ms * 1_000)] {
        side.packets.sort_by_key(|(time_us, _)| *time_us);
        for (time_us, _) in &mut side.packets {
            *time_us = time_us.checked_add_signed(10_000_000 + ahead_us).unwrap();
        }
    }
    (near, far)
}

/// The same, judged together.
pub(super) fn at_two_points(script: &Script, lost: &[usize], ahead_ms: i64) -> Diagnosis {
    let (near, far) = points(script, lost, ahead_ms);
    two_captures(&near, &far)
}

/// Two scripts, judged together as `client.pcap` and `server.pcap`.
pub(super) fn two_captures(client: &Script, server: &Script) -> Diagnosis {
    let folder = tempfile::tempdir().unwrap();
    let paths = [("client.pcap", client), ("server.pcap", server)].map(|(name, script)| {
        let path = folder.path().join(name);
        std::fs::write(&path, script.file()).unwrap();
        path
    });
    let mut files = CaptureFiles::open(&paths).unwrap();
    let mut capture = analyse(&mut files, None, Options::default(), |_| {}).unwrap();
    for file in &mut capture.files {
        file.name = file.name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    diagnose(&capture, &Selection::default(), false)
}

/// The numbers of the packets that show a finding.
pub(super) fn numbers(finding: &Finding) -> Vec<u64> {
    finding.packets.iter().map(|packet| packet.0).collect()
}

fn judge(mut file: CaptureFile) -> Diagnosis {
    let capture = analyse(&mut file, None, Options::default(), |_| {}).unwrap();
    diagnose(&capture, &Selection::default(), false)
}

/// The leading finding, as [`Script::leading`].
pub(super) fn leading(diagnosis: &Diagnosis) -> String {
    diagnosis.findings.first().map_or_else(String::new, |finding| {
        format!("{} {}: {}", finding.severity.name(), finding.rule.name, finding.sentence())
    })
}

/// An upgrade request as a browser sends it, for `/ws` at `chat.example.test`, with the sample key of RFC 6455.
pub(super) fn request() -> String {
    request_with(&[])
}

/// The same with other fields: a value for a name replaces it, an empty one drops it, a new name comes last. The names
/// `GET` and `HTTP` stand for the target and the version.
pub(super) fn request_with(others: &[(&str, &str)]) -> String {
    let usual = [
        ("GET", "/ws"),
        ("HTTP", "1.1"),
        ("Host", "chat.example.test"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Origin", "http://chat.example.test"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ];
    let fields = replaced(&usual, others);
    let value = |name: &str| fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
    let first = format!("GET {} HTTP/{}\r\n", value("GET"), value("HTTP"));
    first + &lines(&fields)
}

/// A session on one connection, in which nobody has sent a frame yet.
pub(super) fn session() -> (Script, Talk) {
    let mut script = Script::default();
    let mut client = script.connect(CLIENT, PROXY);
    script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
    (script, client)
}

/// A session over a proxy: the client's leg and the upstream's.
pub(super) fn proxied_session() -> (Script, Talk, Talk) {
    let mut script = Script::default();
    let mut client = script.connect(CLIENT, PROXY);
    script.say(&mut client, From::Client, request());
    let mut upstream = script.connect(PROXY_OUT, UPSTREAM);
    script.say(&mut upstream, From::Client, request()).say(&mut upstream, From::Server, switching());
    script.say(&mut client, From::Server, switching());
    (script, client, upstream)
}

/// A 101 that answers [`request`].
pub(super) fn switching() -> String {
    switching_with(&[])
}

/// The same with other fields, as in [`request_with`].
pub(super) fn switching_with(others: &[(&str, &str)]) -> String {
    let usual = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", ACCEPT)];
    "HTTP/1.1 101 Switching Protocols\r\n".to_owned() + &lines(&replaced(&usual, others))
}

/// An answer with a body.
pub(super) fn answer(status: &str, fields: &[(&str, &str)], body: &str) -> String {
    let length = body.len().to_string();
    let usual = [("Content-Length", length.as_str())];
    format!("HTTP/1.1 {status}\r\n{}{body}", lines(&replaced(&usual, fields)))
}

/// The first record of TLS, with a `ClientHello` of no length (RFC 8446 section 5.1).
pub(super) fn client_hello() -> Vec<u8> {
    vec![0x16, 3, 1, 0, 4, 1, 0, 0, 0]
}

/// A masked text frame from a client, or an unmasked one from a server.
pub(super) fn text_frame(from: From, text: &str) -> Vec<u8> {
    frame(from, 0x1, text.as_bytes())
}

/// A close frame with a status code.
pub(super) fn close_frame(from: From, code: u16) -> Vec<u8> {
    frame(from, 0x8, &code.to_be_bytes())
}

/// A frame of up to 125 bytes with an opcode, FIN set.
pub(super) fn frame(from: From, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    match from {
        From::Server => [&[0x80 | opcode, length], payload].concat(),
        From::Client => {
            let masking_key = [0x37, 0xfa, 0x21, 0x3d];
            let masked: Vec<u8> =
                payload.iter().zip(masking_key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
            [&[0x80 | opcode, 0x80 | length], &masking_key[..], &masked].concat()
        }
    }
}

fn replaced(usual: &[(&str, &str)], others: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> =
        usual.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (name, value) in others {
        match fields.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(field) => (*value).clone_into(&mut field.1),
            None => fields.push(((*name).to_owned(), (*value).to_owned())),
        }
    }
    fields.retain(|(_, value)| !value.is_empty());
    fields
}

fn lines(fields: &[(String, String)]) -> String {
    let lines = fields.iter().filter(|(name, _)| name != "GET" && name != "HTTP");
    lines.map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect::<String>() + "\r\n"
}

/// What scripts are decoded with.
const WANTED: MessagesWanted =
    MessagesWanted { which: Which::Every, most: 1_000, bytes: 1 << 20, bytes_each: 1 << 10 };

/// RFC 6455 section 1.3.
pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// RFC 6455 section 1.3.
pub(super) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Addresses of the lab: client, proxy on its side, proxy on the upstream's side, upstream.
pub(super) const CLIENT: &str = "10.77.1.2:50000";
/// See [`CLIENT`].
pub(super) const PROXY: &str = "10.77.1.1:80";
/// See [`CLIENT`].
pub(super) const PROXY_OUT: &str = "10.77.2.1:40000";
/// See [`CLIENT`].
pub(super) const UPSTREAM: &str = "10.77.2.2:3000";
