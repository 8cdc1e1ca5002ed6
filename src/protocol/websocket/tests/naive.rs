//! The session beside a reader that has all bytes at once and takes one frame after the other.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::decode::Half;
use crate::protocol::testing::*;
use crate::protocol::{Context, Role, RoleFacts, SessionFacts};

/// One frame as it is written, right or wrong.
#[derive(Clone, Debug)]
struct Written {
    by: Role,
    first: u8,
    masked: bool,
    /// How the length is written: in 7, 16 or 64 bits, if it fits.
    width: u8,
    payload: Vec<u8>,
}

impl Written {
    fn bytes(&self) -> Vec<u8> {
        let mask = if self.masked { 0x80 } else { 0 };
        let length = self.payload.len();
        let mut bytes = vec![self.first];
        match (self.width, length) {
            (0, 0..126) => bytes.push(mask | u8::try_from(length).unwrap()),
            (0 | 1, _) => {
                bytes.push(mask | 0x7e);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(mask | 0x7f);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        let key = if self.masked { KEY.unwrap() } else { [0; 4] };
        bytes.extend(key.iter().take(if self.masked { 4 } else { 0 }));
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }
}

/// What RFC 6455 says of frames, without any thought for cuts, gaps or speed.
#[derive(Default)]
struct Naive {
    client: RoleFacts,
    server: RoleFacts,
    close: Option<(Role, u16, Vec<u8>)>,
    anomalies: BTreeMap<(String, Role), u64>,
    open: BTreeMap<Role, bool>,
    closed: BTreeMap<Role, bool>,
}

impl Naive {
    fn frame(&mut self, frame: &Written, deflate: bool) {
        let by = frame.by;
        let (fin, rsv, opcode) = (frame.first & 0x80 != 0, frame.first >> 4 & 7, frame.first & 15);
        let length = frame.payload.len();
        let is_control = opcode >= 8;
        let facts = if by == Role::Client { &mut self.client } else { &mut self.server };
        let counter = match opcode {
            0 => &mut facts.continuation,
            1 => &mut facts.text,
            2 => &mut facts.binary,
            8 => &mut facts.close,
            9 => &mut facts.ping,
            10 => &mut facts.pong,
            _ => &mut facts.other,
        };
        *counter += 1;
        facts.payload_bytes += length as u64;
        let mut anomaly = |name: &str, is_one: bool| {
            if is_one {
                *self.anomalies.entry((name.to_owned(), by)).or_default() += 1;
            }
        };
        anomaly("client-frame-unmasked", by == Role::Client && !frame.masked);
        anomaly("server-frame-masked", by == Role::Server && frame.masked);
        let compressed = deflate && rsv == 4 && (opcode == 1 || opcode == 2);
        anomaly("reserved-bit-set", rsv != 0 && !compressed);
        anomaly("reserved-opcode", !matches!(opcode, 0..=2 | 8..=10));
        anomaly("control-frame-fragmented", is_control && !fin);
        anomaly("control-frame-too-long", is_control && length > 125);
        let is_short = frame.width == 0 || (frame.width == 1 && length >= 126);
        anomaly("length-not-minimal", !is_short);
        if !is_control {
            let open = self.open.insert(by, !fin).unwrap_or(false);
            anomaly("continuation-without-start", opcode == 0 && !open);
            anomaly("message-interrupted", opcode != 0 && open);
            anomaly("data-after-close", self.closed.contains_key(&by));
            if fin && (open || opcode != 0) {
                facts.messages += 1;
            }
        }
        if opcode == 8 && length <= 125 {
            self.closed.insert(by, true);
            let code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
            let defined = |code| matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            anomaly("close-malformed", length == 1 || code.is_some_and(|code| !defined(code)));
            let reason = frame.payload.get(2..).unwrap_or_default().to_vec();
            self.close.get_or_insert((by, code.unwrap_or(1005), reason));
        }
    }
}

fn written() -> impl Strategy<Value = Written> {
    let opcode = prop_oneof![8 => Just(1_u8), 4 => Just(2), 4 => Just(0), 3 => 8_u8..=10, 1 => 0_u8..=15];
    let rsv = prop_oneof![8 => Just(0_u8), 2 => Just(4), 1 => 0_u8..8];
    let length = prop_oneof![4 => 0_usize..8, 2 => 120_usize..130, 1 => 0_usize..700];
    let width = prop_oneof![8 => Just(0_u8), 1 => Just(1), 1 => Just(2)];
    let code = prop_oneof![990_u16..1020, 2990_u16..3010, 4990_u16..5010];
    (any::<bool>(), prop::bool::weighted(0.8), opcode, rsv, prop::bool::weighted(0.9), length, width, code)
        .prop_map(|(is_client, fin, opcode, rsv, right_mask, length, width, code)| {
            let by = if is_client { Role::Client } else { Role::Server };
            let mut payload: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            payload.iter_mut().zip(code.to_be_bytes()).for_each(|(to, byte)| *to = byte);
            let first = u8::from(fin) << 7 | rsv << 4 | opcode;
            Written { by, first, masked: is_client == right_mask, width, payload }
        })
}

fn compare(found: &SessionFacts, naive: &Naive, frames: &[Written]) -> Result<(), TestCaseError> {
    compare_without_frames(found, naive, frames)?;
    let logged: Vec<_> = found.frames.iter().map(|it| (it.by, it.opcode.0, it.length, it.masked)).collect();
    let expected: Vec<_> =
        frames.iter().map(|it| (it.by, it.first & 15, it.payload.len() as u64, it.masked)).collect();
    prop_assert_eq!(logged, expected);
    Ok(())
}

fn compare_without_frames(
    found: &SessionFacts,
    naive: &Naive,
    frames: &[Written],
) -> Result<(), TestCaseError> {
    compare_counts(found, naive)?;
    let close = found.close.as_ref().map(|close| (close.by, close.code, close.reason.to_vec()));
    prop_assert_eq!(close, naive.close.clone());
    let anomalies: BTreeMap<_, _> =
        found.anomalies.iter().map(|it| ((it.kind.name().to_owned(), it.by), it.count)).collect();
    prop_assert_eq!(anomalies, naive.anomalies.clone());
    let marks: Vec<_> = found.marks.iter().map(|mark| (mark.masking_key, mark.length)).collect();
    let masked = frames.iter().filter(|it| it.by == Role::Client && it.masked);
    let expected: Vec<_> = masked.map(|it| (KEY.unwrap(), it.payload.len() as u64)).take(8).collect();
    prop_assert_eq!(marks, expected);
    Ok(())
}

fn compare_counts(found: &SessionFacts, naive: &Naive) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.client, naive.client);
    prop_assert_eq!(found.server, naive.server);
    Ok(())
}

proptest! {
    #[test]
    fn any_frames_in_any_pieces_are_what_a_naive_reader_sees(
        deflate in any::<bool>(),
        frames in prop::collection::vec(written(), 0..30),
        pieces in prop::collection::vec(prop_oneof![1_usize..5, 1_usize..300], 1..8),
    ) {
        let mut naive = Naive::default();
        let extension = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" } else { "\r\n" };
        let answer = [ANSWER.trim_end(), "\r\n", extension].concat();
        let mut events = vec![client(REQUEST), server(answer)];
        for frame in &frames {
            naive.frame(frame, deflate);
            events.push(Event::Sent(frame.by, frame.bytes()));
        }
        let cut = |_: usize, bytes: &[u8]| -> Vec<usize> {
            let mut lengths = pieces.iter().cycle();
            let mut left = bytes.len();
            let mut cut = Vec::new();
            while left > 0 {
                let length = left.min(*lengths.next().unwrap());
                cut.push(length);
                left -= length;
            }
            cut
        };
        // Who wants less is told less, and that by shorter ways.
        let found = |keeps_heads, keeps_frames| {
            let context = Context::new(keeps_heads, keeps_frames);
            only(in_pieces_for(context, &events, Some(Half::Lo), |at, bytes| {
                let mut rest = bytes;
                cut(at, bytes).into_iter().map(|length| {
                    let (now, later) = rest.split_at(length);
                    rest = later;
                    now
                }).collect()
            })).session.unwrap()
        };
        compare(&found(true, true), &naive, &frames)?;
        compare_without_frames(&found(true, false), &naive, &frames)?;
        compare_counts(&found(false, false), &naive)?;
    }
}
