//! Any segments on a few connections: bytes handed up and gaps are what the connection says, bytes are those that were
//! sent, and limits hold.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wsinspect::decode::{Flags, FlowKey, Half, Segment};
use wsinspect::limits::Limits;
use wsinspect::tcp::{Chunk, Connections, Ended, Opening, Receiver};
use wsinspect::units::{Origin, PacketNumber, Timestamp};

/// One segment. Sequence numbers stay close together, so that segments meet.
#[derive(Arbitrary, Debug)]
struct Sent {
    port: u8,
    from_lo: bool,
    sequence: u16,
    acknowledgment: u16,
    flags: u8,
    length: u8,
    captured: u8,
    pause_ms: u16,
}

impl Sent {
    fn segment(&self, number: u64, nanos: i64) -> Segment<'static> {
        Segment {
            flow: FlowKey::ipv4(([10, 0, 0, 1], u16::from(self.port % 5)), ([10, 0, 0, 2], 80)).0,
            half: if self.from_lo { Half::Lo } else { Half::Hi },
            sequence: u32::from(self.sequence % 4096).wrapping_sub(2048),
            acknowledgment: u32::from(self.acknowledgment % 4096).wrapping_sub(2048),
            flags: Flags(self.flags),
            hop_limit: self.pause_ms.to_be_bytes()[1],
            identification: 0,
            window: 1,
            header: &[],
            payload: &PAYLOAD[..usize::from(self.captured.min(self.length))],
            payload_length: u32::from(self.length),
            origin: Origin {
                packet: PacketNumber(number),
                time: Timestamp::from_nanos(nanos),
                file_offset: 0,
            },
        }
    }
}

/// Counts what comes up, in each half.
#[derive(Debug, Default)]
struct Counter {
    bytes: [u64; 2],
    missing: [u64; 2],
}

impl Receiver for Counter {
    type Context = ();

    fn open((): &mut (), _: &Opening) -> Self {
        Self::default()
    }

    fn data(&mut self, (): &mut (), half: Half, chunk: Chunk<'_>) {
        assert!(!chunk.bytes.is_empty());
        self.bytes[half as usize] += chunk.bytes.len() as u64;
    }

    fn gap(&mut self, (): &mut (), half: Half, length: u64, _: Origin) {
        assert!(length > 0);
        self.missing[half as usize] += length;
    }

    fn warm(&self, _: Half) -> u64 {
        0
    }

    fn wants_bytes(&self) -> bool {
        true
    }
}

fn check(ended: &Ended<Counter>) {
    let Ended::Connection(facts, counter) = ended else { return };
    for half in [Half::Lo, Half::Hi] {
        let facts = facts.half(half);
        assert_eq!(facts.missing_bytes, counter.missing[half as usize]);
        assert!(counter.bytes[half as usize] <= facts.payload_bytes, "nothing is made up");
        assert!(u64::from(facts.after_reset) <= facts.packets);
        assert!(facts.packets > 0 || facts.payload_bytes == 0);
    }
}

fuzz_target!(|sent: Vec<Sent>| {
    let limits = Limits {
        connections: 3,
        embryos: 4,
        closed_connections: 2,
        out_of_order_half_bytes: 2_000,
        out_of_order_total_bytes: 5_000,
    };
    let mut table = Connections::new(limits);
    let mut nanos = 0;
    let segments: Vec<Segment<'_>> = sent
        .iter()
        .enumerate()
        .map(|(at, sent)| {
            nanos += i64::from(sent.pause_ms) * 1_000_000;
            sent.segment(at as u64 + 1, nanos)
        })
        .collect();
    let (mut places, mut ended) = (Vec::new(), |ended: Ended<Counter>, (): &mut ()| check(&ended));
    // Places are asked for ahead, so some are out of date when their segment comes.
    for batch in segments.chunks(BATCH) {
        let _ = table.locate(batch, &mut places);
        for (place, segment) in places.iter().zip(batch) {
            table.segment(*place, segment, &mut (), &mut ended);
        }
    }
    table.finish(&mut (), &mut ended);
});

const BATCH: usize = 8;
static PAYLOAD: [u8; 255] = [7; 255];
