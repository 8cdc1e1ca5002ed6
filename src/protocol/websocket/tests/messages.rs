//! Messages by example, and what any conversation comes to beside what was sent.

use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

use crate::decode::Half;
use crate::limits;
use crate::protocol::testing::*;
use crate::protocol::websocket::{Message, MessagesWanted, Obstacle, Which};
use crate::protocol::{Context, Decoded, Role, SessionFacts, Stack};

mod window;

const DEFLATE: &str = "permessage-deflate";

/// For somebody who wants messages, too.
fn wanted() -> Context {
    Context::new(true, true).with_messages(MessagesWanted::default())
}

/// A handshake in which this was agreed on.
fn handshake(extension: &str) -> [Event; 2] {
    let answer = match extension {
        "" => ANSWER.to_owned(),
        extension => [ANSWER.trim_end(), "\r\nSec-WebSocket-Extensions: ", extension, "\r\n\r\n"].concat(),
    };
    [client(REQUEST), server(answer)]
}

fn decoded(session: &SessionFacts) -> &Decoded {
    session.decoded.as_deref().unwrap()
}

/// What is decoded of these events after a handshake; the same at every cut, and beside the same facts of the session as
/// without messages.
fn session(extension: &str, events: &[Event]) -> SessionFacts {
    let events = [&handshake(extension), events].concat();
    let found = *only(same_at_every_cut_for(wanted, &events)).session.unwrap();
    let plain = *only(told(&events)).session.unwrap();
    assert_eq!(format!("{:?}", SessionFacts { decoded: None, ..found.clone() }), format!("{plain:?}"));
    found
}

/// The same for one reading, where bytes are many, or cuts matter.
fn session_once(extension: &str, events: &[Event]) -> SessionFacts {
    let events = [&handshake(extension), events].concat();
    *only(in_pieces_for(wanted(), &events, Some(Half::Lo), |_, bytes| vec![bytes])).session.unwrap()
}

fn messages(session: &SessionFacts) -> Vec<&Message> {
    decoded(session).messages.iter().collect()
}

/// Messages as lines: what they say, and what stood in the way.
fn lines(session: &SessionFacts) -> Vec<String> {
    let line = |message: &&Message| {
        let by = if message.by == Role::Client { '>' } else { '<' };
        let payload = message.payload.escape_ascii().to_string();
        let obstacle = message.obstacle.map_or_else(String::new, |it| format!(" {}", it.name()));
        format!("{by}{:x} {payload}{obstacle}", message.opcode.0)
    };
    messages(session).iter().map(line).collect()
}

/// A client's frame.
fn masked(first: u8, payload: impl AsRef<[u8]>) -> Event {
    client(frame(first, KEY, payload.as_ref()))
}

/// A server's frame.
fn plain(first: u8, payload: impl AsRef<[u8]>) -> Event {
    server(frame(first, None, payload.as_ref()))
}

/// A sender's side of permessage-deflate.
struct Deflater {
    stream: Compress,
    takes_over: bool,
}

impl Deflater {
    fn new(takes_over: bool, window_bits: u8) -> Self {
        Self {
            stream: Compress::new_with_window_bits(Compression::default(), false, window_bits),
            takes_over,
        }
    }

    /// RFC 7692 section 7.2.1.
    fn message(&mut self, payload: &[u8]) -> Vec<u8> {
        if !self.takes_over {
            self.stream.reset();
        }
        let mut out = Vec::new();
        let before = self.stream.total_in();
        loop {
            out.reserve(1024);
            let used = usize::try_from(self.stream.total_in() - before).unwrap();
            self.stream.compress_vec(&payload[used..], &mut out, FlushCompress::Sync).unwrap();
            if out.len() < out.capacity() {
                break;
            }
        }
        if out.is_empty() {
            // Section 7.2.3.6: zlib flushes nothing where there is nothing new.
            return vec![0];
        }
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
        out.truncate(out.len() - 4);
        out
    }
}

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// The same, referring to a message that said it before.
const AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

#[test]
fn the_examples_of_rfc_7692() {
    let facts = session(
        DEFLATE,
        &[
            plain(0xc1, HELLO),
            plain(0xc1, AGAIN),
            // Section 7.2.3.1, in fragments.
            plain(0x41, &HELLO[..3]),
            plain(0x80, &HELLO[3..]),
            // Section 7.2.3.3: a block without compression.
            plain(0xc1, b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
            // Section 7.2.3.4: a final block.
            plain(0xc1, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
            // Section 7.2.3.5: two blocks.
            plain(0xc1, b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
            plain(0xc1, AGAIN),
            // Section 7.2.3.6: an empty fragment.
            plain(0xc1, b"\x00"),
        ],
    );
    let mut expected = vec!["<1 Hello"; 7];
    expected.push("<1 ");
    assert_eq!(lines(&facts), expected);
    assert!(messages(&facts).iter().all(|it| it.compressed && it.length == Some(it.payload.len() as u64)));
    assert_eq!(messages(&facts)[2].fragments, 2);
    let server = decoded(&facts).server;
    assert_eq!((server.messages, server.compressed, server.deflate_failed.count), (8, 8, 0));
}

#[test]
fn odd_ends_of_deflate_data_that_everybody_reads() {
    // A final block with nothing behind it; an empty payload; a window that goes on behind a final block; final blocks
    // within a message.
    let final_hello = b"\xf3\x48\xcd\xc9\xc9\x07\x00";
    let facts = session(
        DEFLATE,
        &[
            plain(0xc1, final_hello),
            plain(0xc1, AGAIN),
            plain(0xc1, b""),
            plain(0xc1, [&final_hello[..], final_hello, HELLO].concat()),
            plain(0x41, b""),
            plain(0x00, HELLO),
            plain(0x80, b""),
        ],
    );
    assert_eq!(lines(&facts), ["<1 Hello", "<1 Hello", "<1 ", "<1 HelloHelloHello", "<1 Hello"]);
    // Whoever leaves the tail where it is, is understood.
    let facts = session(DEFLATE, &[plain(0xc1, [HELLO, b"\0\0\xff\xff"].concat()), plain(0xc1, AGAIN)]);
    assert_eq!(lines(&facts), ["<1 Hello deflate-unfinished", "<1 Hello"]);
}

#[test]
fn plain_messages_between_compressed_ones_leave_the_window_alone() {
    let facts = session(
        DEFLATE,
        &[
            masked(0xc1, HELLO),
            masked(0x81, "as it is"),
            plain(0xc1, HELLO),
            masked(0x89, "ping"),
            masked(0x41, &AGAIN[..2]),
            masked(0x89, "ping"),
            masked(0x80, &AGAIN[2..]),
            masked(0x81, ""),
            plain(0xc2, AGAIN),
        ],
    );
    let expected =
        [">1 Hello", ">1 as it is", "<1 Hello", ">9 ping", ">9 ping", ">1 Hello", ">1 ", "<2 Hello"];
    assert_eq!(lines(&facts), expected);
    let compressed: Vec<bool> = messages(&facts).iter().map(|it| it.compressed).collect();
    assert_eq!(compressed, [true, false, true, false, false, true, false, true]);
}

#[test]
fn each_side_takes_its_window_over_or_not() {
    let events = [masked(0xc1, HELLO), masked(0xc1, AGAIN), plain(0xc1, HELLO), plain(0xc1, AGAIN)];
    let told = |extension: &str| lines(&session(extension, &events));
    let (good, bad) = ([">1 Hello", ">1 Hello"], [">1 Hello", ">1 H deflate-failed"]);
    let server = |lines: [&str; 2]| lines.map(|line| line.replace('>', "<"));
    let client = |lines: [&str; 2]| lines.map(str::to_owned);
    assert_eq!(told(DEFLATE), [client(good), server(good)].concat());
    assert_eq!(told("permessage-deflate; client_no_context_takeover"), [client(bad), server(good)].concat());
    assert_eq!(
        told("permessage-deflate; server_no_context_takeover; server_max_window_bits=10"),
        [client(good), server(bad)].concat()
    );
}

#[test]
fn what_the_capture_lacks_is_nobodys_fault() {
    // A whole message is missing, and frames are found again.
    let lost = || Event::Lost(Role::Server, 9);
    let events = |extension| {
        session_once(
            extension,
            &[plain(0xc1, HELLO), lost(), plain(0xc1, AGAIN), plain(0xc1, HELLO), plain(0xc1, AGAIN)],
        )
    };
    let facts = events(DEFLATE);
    assert_eq!(lines(&facts), ["<1 Hello", "<1 H window-missing", "<1 Hello", "<1 Hello"]);
    let counted = decoded(&facts).server;
    assert_eq!((counted.deflate_failed.count, counted.lacking.count), (0, 1));
    // Where no message refers to another, there is nothing to be lost, and the sender's fault is its own.
    let facts = events("permessage-deflate; server_no_context_takeover");
    assert_eq!(lines(&facts), ["<1 Hello", "<1 H deflate-failed", "<1 Hello", "<1 H deflate-failed"]);
    // Bytes within a message are missing.
    for first in [0xc1, 0x81] {
        let facts = session_once(
            DEFLATE,
            &[
                server(&frame(first, None, HELLO)[..5]),
                Event::Lost(Role::Server, 4),
                plain(0xc1, AGAIN),
                plain(0x81, "x"),
            ],
        );
        let told = lines(&facts);
        assert!(told[0].ends_with(" missing-bytes"), "{told:?}");
        assert_eq!(told[1].ends_with("window-missing"), first == 0xc1, "{told:?}");
        assert_eq!((told[2].as_str(), messages(&facts)[0].wire_length), ("<1 x", 7));
    }
}

#[test]
fn from_the_middle_of_a_session_what_stands_alone_is_read() {
    let events = [plain(0xc1, AGAIN), masked(0x80, "the end"), plain(0xc1, HELLO), plain(0xc1, AGAIN)];
    let facts = in_pieces_for(wanted(), &events, None, |_, bytes| vec![bytes]);
    let session = *only(facts).session.unwrap();
    let expected = ["<1 H window-missing", ">0 the end start-missing", "<1 Hello", "<1 Hello"];
    assert_eq!(lines(&session), expected);
    assert_eq!((decoded(&session).server.lacking.count, decoded(&session).client.lacking.count), (1, 1));
    assert_eq!(decoded(&session).server.deflate_failed.count, 0);
}

#[test]
fn bytes_that_are_no_deflate() {
    let facts = session(
        DEFLATE,
        &[
            plain(0xc1, HELLO),
            plain(0xc1, b"\xff\xff\xff"),
            plain(0xc1, AGAIN),
            plain(0xc1, HELLO),
            plain(0xc1, &HELLO[..4]),
            plain(0x81, "plain"),
        ],
    );
    let told = lines(&facts);
    assert_eq!(told[..4], ["<1 Hello", "<1  deflate-failed", "<1 H earlier-deflate-failed", "<1 Hello"]);
    assert!(told[4].contains("deflate-"), "cut off inside a block: {told:?}");
    assert_eq!(told[5], "<1 plain");
    assert_eq!(decoded(&facts).server.deflate_failed.count, 2);
    assert_eq!(decoded(&facts).server.deflate_failed.first.unwrap().packet.0, 4);
}

#[test]
fn reserved_bits_that_nobody_explained() {
    let facts = session("", &[plain(0xc1, HELLO), plain(0x91, "two"), plain(0x81, "x"), plain(0x83, "odd")]);
    let told = lines(&facts);
    assert_eq!(told[0], "<1 \\xf2H\\xcd\\xc9\\xc9\\x07\\x00 reserved-bits");
    assert_eq!(told[1..], ["<1 two reserved-bits", "<1 x", "<3 odd"]);
    assert!(messages(&facts).iter().all(|it| !it.compressed && it.not_utf8.is_none()));
    // RSV2 beside RSV1: what is inside is not known, nor is it after that.
    let facts = session(DEFLATE, &[plain(0xc1, HELLO), plain(0xe1, HELLO), plain(0xc1, AGAIN)]);
    assert_eq!(lines(&facts), ["<1 Hello", "<1  reserved-bits", "<1 H earlier-deflate-failed"]);
}

#[test]
fn messages_that_do_not_fit_together() {
    let facts = session(
        "",
        &[
            plain(0x80, "of what?"),
            plain(0x01, "first"),
            plain(0x82, "second"),
            plain(0x01, "un"),
            plain(0x00, "finished"),
            masked(0x88, b"\x03\xe8bye"),
        ],
    );
    let expected = [
        "<0 of what? continuation-without-start",
        "<1 first interrupted",
        "<2 second",
        ">8 \\x03\\xe8bye",
        "<1 unfinished unfinished",
    ];
    assert_eq!(lines(&facts), expected);
    let indices: Vec<u64> = messages(&facts).iter().map(|it| it.index).collect();
    assert_eq!(indices, [0, 1, 2, 3, 4]);
    let last = messages(&facts)[4];
    assert_eq!((last.first.packet.0, last.last.packet.0, last.fragments), (6, 7, 2));
    assert_eq!((last.length, last.wire_length), (None, 10));
}

#[test]
fn http_where_a_frame_is_due_is_no_message() {
    let events = [plain(0x81, "before"), server(b"HTTP/1.1 400 Bad Request\r\n\r\n")];
    let events = [&events[..], &[server(frame(0x81, None, b"after"))]].concat();
    assert_eq!(lines(&session_once("", &events)), ["<1 before", "<1 after"]);
}

#[test]
fn lengths_that_nobody_can_send() {
    for length in [[0x80, 0, 0, 0, 0, 0, 0, 0], [0xff; 8], [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
        for first in [0x81, 0xc1, 0x88, 0x89] {
            let header = [&[first, 0x7f][..], &length].concat();
            let facts = session(DEFLATE, &[server([&header, HELLO].concat()), plain(0x81, "inside")]);
            let found = messages(&facts);
            let obstacle = if first == 0xc1 { Obstacle::DeflateFailed } else { Obstacle::Unfinished };
            assert_eq!((found.len(), found[0].obstacle), (1, Some(obstacle)));
            assert_eq!((found[0].wire_length, found[0].length), (u64::from_be_bytes(length), None));
        }
    }
}

#[test]
fn texts_that_are_no_utf_8() {
    let smile = "a😀".as_bytes();
    let facts = session(
        DEFLATE,
        &[
            masked(0x01, &smile[..3]),
            masked(0x80, &smile[3..]),
            masked(0x01, &smile[..3]),
            masked(0x00, ""),
            masked(0x80, "x"),
            masked(0x81, &smile[..4]),
            masked(0x82, &smile[..4]),
            masked(0x88, b"\x03\xe8ok\xff"),
            masked(0x88, b"\x03"),
        ],
    );
    let found: Vec<_> = messages(&facts)
        .iter()
        .map(|it| it.not_utf8.map(|it| (it.valid_bytes, it.origin.packet.0)))
        .collect();
    assert_eq!(found, [None, Some((1, 7)), Some((1, 8)), None, Some((4, 10)), None]);
    let texts: Vec<_> = messages(&facts).iter().map(|it| it.text()).collect();
    assert_eq!(texts, [Some("a😀"), None, None, None, None, None]);
    let not_utf8 = decoded(&facts).client.not_utf8;
    assert_eq!((not_utf8.count, not_utf8.first.unwrap().packet.0), (3, 7));
    // It is the inflated text that counts.
    let bad = Deflater::new(true, 15).message(b"\xc3");
    let facts = session(DEFLATE, &[plain(0xc1, bad), plain(0xc1, HELLO)]);
    assert_eq!(decoded(&facts).server.not_utf8.count, 1);
}

#[test]
fn a_bomb_ends_the_inflating_of_its_side() {
    let zeros = |mib: usize| vec![0; mib * 1024 * 1024];
    let told = |bomb: &[u8]| {
        let bomb = Deflater::new(true, 15).message(bomb);
        let events = [plain(0xc2, bomb), plain(0xc1, HELLO), plain(0x81, "plain"), masked(0xc1, HELLO)];
        let facts = session_once(DEFLATE, &events);
        let found = messages(&facts);
        assert_eq!(found[0].payload.len(), limits::MESSAGE_BYTES);
        assert_eq!(lines(&facts)[1..], ["<1  no-longer-inflated", "<1 plain", ">1 Hello"]);
        assert_eq!(decoded(&facts).server.limited.count, 2);
        (found[0].obstacle, found[0].length)
    };
    assert_eq!(told(&zeros(17)), (Some(Obstacle::InflatedTooLong), None));
    assert_eq!(told(&zeros(15)), (Some(Obstacle::RatioTooHigh), Some(15 * 1024 * 1024)));
    // Many final blocks: each would cost a new window.
    let blocks = b"\x03\x00".repeat(2_000);
    let facts = session_once(DEFLATE, &[plain(0xc1, blocks), plain(0xc1, HELLO)]);
    assert_eq!(lines(&facts), ["<1  too-many-final-blocks", "<1  no-longer-inflated"]);
}

#[test]
fn sides_beyond_the_limit_are_not_inflated() {
    let events = [&handshake(DEFLATE)[..], &[plain(0xc1, HELLO), plain(0x81, "plain")]].concat();
    let mut context = wanted();
    let read = |context: &mut Context| begun(context, &events, Some(Half::Lo), |_, bytes| vec![bytes]);
    let open: Vec<Stack> = (0..limits::INFLATERS).map(|_| read(&mut context)).collect();
    let told = |stack: Stack, context: &mut Context| lines(&only(stack.finish(context)).session.unwrap());
    assert_eq!(told(read(&mut context), &mut context), ["<1  too-many-inflaters", "<1 plain"]);
    // One that ends makes room for another.
    let mut open = open.into_iter();
    assert_eq!(told(open.next().unwrap(), &mut context), ["<1 Hello", "<1 plain"]);
    assert_eq!(told(read(&mut context), &mut context), ["<1 Hello", "<1 plain"]);
}

#[test]
fn long_messages_are_cut_and_many_make_room() {
    let umlauts = "ä".repeat(limits::MESSAGE_BYTES);
    let facts = session_once("", &[plain(0x81, [b"x", umlauts.as_bytes()].concat())]);
    let message = messages(&facts)[0];
    assert_eq!(
        (message.payload.len(), message.length),
        (limits::MESSAGE_BYTES, Some(umlauts.len() as u64 + 1))
    );
    assert_eq!(message.text().map(str::len), Some(limits::MESSAGE_BYTES - 1), "no half characters");
    assert_eq!(message.cut_bytes(), umlauts.len() as u64 + 1 - limits::MESSAGE_BYTES as u64);
    // Of many messages, the first and the latest.
    let many: Vec<u8> = (0..11_000_u32).flat_map(|number| frame(0x82, None, &number.to_be_bytes())).collect();
    let facts = session_once("", &[server(&many)]);
    let kept: Vec<u64> = messages(&facts).iter().map(|it| it.index).collect();
    assert_eq!(
        (kept.len(), kept[999], kept[1_000], kept[9_999]),
        (limits::MESSAGES_KEPT, 999, 2_000, 10_999)
    );
    let log = &decoded(&facts).messages;
    assert_eq!((log.len() as u64 + log.forgotten, decoded(&facts).server.messages), (11_000, 11_000));
}

/// The indices that are kept of ten messages of ten bytes, and the first one that was refused.
fn kept(which: Which, most: usize, bytes: usize) -> (Vec<u64>, Vec<usize>, Option<u64>) {
    let mut context = Context::new(false, false).with_messages(MessagesWanted {
        which,
        most,
        bytes,
        ..MessagesWanted::default()
    });
    let events = [&handshake("")[..], &vec![plain(0x82, [7; 10]); 10]].concat();
    let found = feed(&mut context, &events, Some(Half::Lo), |_, bytes| vec![bytes]);
    let session = only(found).session.unwrap();
    let lengths = messages(&session).iter().map(|it| it.payload.len()).collect();
    (messages(&session).iter().map(|it| it.index).collect(), lengths, context.refused_message())
}

#[test]
fn room_for_some_messages() {
    let upto = |end: u64| (0..end).collect::<Vec<_>>();
    assert_eq!(kept(Which::Every, 100, 1_000), (upto(10), vec![10; 10], None));
    assert_eq!(kept(Which::Every, 4, 1_000), (upto(4), vec![10; 4], None));
    let mut cut = vec![10, 10, 5];
    cut.resize(10, 0);
    assert_eq!(kept(Which::Every, 100, 25), (upto(10), cut, None));
    assert_eq!(kept(Which::From(0), 4, 1_000), (upto(4), vec![10; 4], Some(4)));
    assert_eq!(kept(Which::From(0), 100, 25), (vec![0, 1], vec![10; 2], Some(2)));
    assert_eq!(kept(Which::From(7), 100, 25), (vec![7, 8], vec![10; 2], Some(9)));
    assert_eq!(kept(Which::From(8), 100, 25), (vec![8, 9], vec![10; 2], None));
    assert_eq!(kept(Which::From(10), 0, 0), (vec![], vec![], None));
}

/// A message as it is sent.
#[derive(Clone, Debug)]
struct Sent {
    by: Role,
    is_text: bool,
    compressed: bool,
    payload: Vec<u8>,
    /// Where its frames end, in thousandths of it.
    cuts: Vec<usize>,
    /// A ping behind each frame but the last.
    pings: bool,
}

fn sent() -> impl Strategy<Value = Sent> {
    let words = prop::sample::select(vec!["again ", "and ", "é", "世界", "{\"id\":", "\0"]);
    let text = prop::collection::vec(words, 0..60).prop_map(|words| words.concat().into_bytes());
    let bytes = prop::collection::vec(any::<u8>(), 0..400);
    let long = (0_usize..3, any::<u8>())
        .prop_map(|(times, byte)| [vec![byte; 40_000 * times], b"end".to_vec()].concat());
    let payload = prop_oneof![4 => text.prop_map(|it| (true, it)), 2 => bytes.prop_map(|it| (false, it)), 1 => long.prop_map(|it| (false, it))];
    let cuts = prop::collection::vec(0_usize..=1000, 0..4);
    (any::<bool>(), prop::bool::weighted(0.7), payload, cuts, any::<bool>()).prop_map(
        |(is_client, compressed, (is_text, payload), mut cuts, pings)| {
            cuts.sort_unstable();
            let by = if is_client { Role::Client } else { Role::Server };
            Sent { by, is_text, compressed, payload, cuts, pings }
        },
    )
}

impl Sent {
    /// Its frames, as one event each.
    fn frames(&self, deflater: &mut Deflater) -> Vec<Event> {
        let payload = if self.compressed { deflater.message(&self.payload) } else { self.payload.clone() };
        let (key, mut first) = (KEY.filter(|_| self.by == Role::Client), if self.is_text { 1 } else { 2 });
        if self.compressed {
            first |= 0x40;
        }
        let mut ends: Vec<usize> = self.cuts.iter().map(|cut| payload.len() * cut / 1000).collect();
        ends.push(payload.len());
        let mut start = 0;
        let mut events = Vec::new();
        for (at, end) in ends.iter().enumerate() {
            let fin = if at + 1 == ends.len() { 0x80 } else { 0 };
            events.push(Event::Sent(self.by, frame(first | fin, key, &payload[start..*end])));
            if self.pings && fin == 0 {
                events.push(Event::Sent(self.by, frame(0x89, key, b"in between")));
            }
            (start, first) = (*end, 0);
        }
        events
    }
}

/// All events in pieces of these lengths, again and again.
fn cut<'a>(bytes: &'a [u8], pieces: &[usize]) -> Vec<&'a [u8]> {
    let (mut rest, mut cut) = (bytes, Vec::new());
    for length in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(rest.len().min(*length));
        cut.push(now);
        rest = later;
    }
    cut
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_messages_come_out_as_they_were_sent(
        plan in prop::collection::vec(sent(), 0..12),
        takes_over in any::<[bool; 2]>(),
        window_bits in 9_u8..=15,
        pieces in prop::collection::vec(prop_oneof![1_usize..5, 1_usize..3_000], 1..8),
        midstream in prop::bool::weighted(0.2),
    ) {
        let mut extension = DEFLATE.to_owned();
        for (takes_over, parameter) in takes_over.iter().zip(["client", "server"]) {
            if !takes_over {
                extension = format!("{extension}; {parameter}_no_context_takeover");
            }
        }
        let mut deflaters = takes_over.map(|takes_over| Deflater::new(takes_over, window_bits));
        let mut events = if midstream { Vec::new() } else { handshake(&extension).to_vec() };
        for message in &plan {
            events.extend(message.frames(&mut deflaters[usize::from(message.by == Role::Server)]));
        }
        let opener = (!midstream).then_some(Half::Lo);
        // The start of a session that is joined is recognised by whole segments only.
        let facts = in_pieces_for(wanted(), &events, opener, |_, bytes| {
            if midstream { vec![bytes] } else { cut(bytes, &pieces) }
        });
        let Some(session) = facts.attempts.into_iter().next().and_then(|attempt| attempt.session) else {
            prop_assert!(midstream);
            return Ok(());
        };
        let found: Vec<&Message> = messages(&session).into_iter().filter(|it| !it.is_control()).collect();
        // From the first bytes of a session on, nothing is unknown, whoever has not seen the handshake.
        if !midstream || found.len() == plan.len() {
            prop_assert_eq!(found.len(), plan.len());
            for (message, sent) in found.iter().zip(&plan) {
                prop_assert_eq!(message.obstacle, None);
                prop_assert_eq!((message.by, message.compressed), (sent.by, sent.compressed));
                prop_assert_eq!(message.fragments, sent.cuts.len() as u64 + 1);
                prop_assert_eq!(&*message.payload, &sent.payload[..]);
                prop_assert_eq!(message.length, Some(sent.payload.len() as u64));
                prop_assert_eq!(message.text().is_some(), sent.is_text);
            }
        }
        let facts = decoded(&session);
        prop_assert_eq!(facts.client.not_utf8.count + facts.server.not_utf8.count, 0);
        prop_assert_eq!(facts.client.deflate_failed.count + facts.server.deflate_failed.count, 0);
        prop_assert_eq!(session.client.messages + session.server.messages, found.len() as u64);
    }

    #[test]
    fn any_bytes_in_any_pieces_give_the_same_messages(
        frames in prop::collection::vec(
            (any::<bool>(), prop::sample::select(vec![0xc1_u8, 0x41, 0xc2, 0x00, 0x80, 0x81, 0x88, 0x89]),
             prop_oneof![prop::collection::vec(any::<u8>(), 0..40), Just(HELLO.to_vec()), Just(AGAIN.to_vec())]),
            0..16,
        ),
        pieces in prop::collection::vec(1_usize..9, 1..8),
        takes_over in any::<bool>(),
    ) {
        let extension = if takes_over { DEFLATE } else { "permessage-deflate; server_no_context_takeover" };
        let mut events = handshake(extension).to_vec();
        for (is_client, first, payload) in &frames {
            events.push(if *is_client { masked(*first, payload) } else { plain(*first, payload) });
        }
        let whole = in_pieces_for(wanted(), &events, Some(Half::Lo), |_, bytes| vec![bytes]);
        let found = in_pieces_for(wanted(), &events, Some(Half::Lo), |_, bytes| cut(bytes, &pieces));
        prop_assert_eq!(format!("{found:?}"), format!("{whole:?}"));
        let session = only(whole).session.unwrap();
        let data = messages(&session).iter().filter(|it| !it.is_control()).count() as u64;
        // Each is a message that was completed, or one of those that never were.
        prop_assert!(data >= session.client.messages + session.server.messages);
    }
}
