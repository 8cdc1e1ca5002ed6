//! The packets of a shipped capture, to be put in another order, cut anew, and written as a capture again.

#![allow(dead_code, reason = "not every test needs everything")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::testing::{self, PcapFile};

/// A captured packet.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) nanos: i64,
    pub(crate) link: u16,
    /// Its length on the wire.
    pub(crate) original: u32,
    pub(crate) bytes: Vec<u8>,
}

/// All shipped captures in the pcap format: name and path.
pub(crate) fn shipped() -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let files = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let scenarios = files(&folder).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<(String, PathBuf)> = scenarios
        .flat_map(|scenario| files(&scenario))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .map(|path| (path.strip_prefix(&folder).unwrap().display().to_string(), path))
        .collect();
    found.sort();
    assert!(found.len() > 40, "the captures were not found: {found:?}");
    found
}

/// The packets of one of them.
pub(crate) fn of(path: &Path) -> Vec<Packet> {
    let (seen, damage) = testing::read(&fs::read(path).unwrap());
    assert_eq!(damage, [], "{}", path.display());
    let packet = |seen: testing::Seen| Packet {
        nanos: seen.nanos,
        link: seen.link,
        original: seen.original,
        bytes: seen.data,
    };
    seen.into_iter().map(packet).collect()
}

/// As a capture with nanoseconds; all packets have the link type of the first.
pub(crate) fn write(packets: &[Packet]) -> Vec<u8> {
    let link = packets.first().map_or(1, |packet| packet.link);
    let mut file = PcapFile::new(false, true, 262_144, u32::from(link));
    for packet in packets {
        assert_eq!(packet.link, link, "one link type a file");
        let (seconds, nanos) =
            (packet.nanos.div_euclid(1_000_000_000), packet.nanos.rem_euclid(1_000_000_000));
        let captured = u32::try_from(packet.bytes.len()).unwrap();
        let (seconds, nanos) = (u32::try_from(seconds).unwrap(), u32::try_from(nanos).unwrap());
        file.record(seconds, nanos, captured, packet.original, &packet.bytes);
    }
    file.bytes
}

/// The same packets in another order, at the times at which packets were captured before.
pub(crate) fn in_order(packets: &[Packet], order: &[usize]) -> Vec<Packet> {
    let at = |(slot, from): (usize, &usize)| Packet { nanos: packets[slot].nanos, ..packets[*from].clone() };
    order.iter().enumerate().map(at).collect()
}

impl Packet {
    /// The lengths of its headers and of its payload, if it is a whole TCP packet.
    fn layout(&self) -> Option<Layout> {
        let ip = match self.link {
            1 => 14,
            113 => 16,
            276 => 20,
            other => panic!("a link type that is not expected here: {other}"),
        };
        let big = |at: usize| {
            Some(usize::from(u16::from_be_bytes([*self.bytes.get(at)?, *self.bytes.get(at + 1)?])))
        };
        let (tcp, end) = match self.bytes.get(ip)? >> 4 {
            4 if self.bytes[ip + 9] == TCP => (ip + usize::from(self.bytes[ip] & 0xf) * 4, ip + big(ip + 2)?),
            6 if self.bytes[ip + 6] == TCP => (ip + 40, ip + 40 + big(ip + 4)?),
            _ => return None,
        };
        let payload = tcp + usize::from(self.bytes.get(tcp + 12)? >> 4) * 4;
        (end <= self.bytes.len()).then_some(Layout { ip, tcp, payload, end })
    }

    /// How many bytes of payload it carries; none if it is no whole TCP packet.
    pub(crate) fn payload_length(&self) -> usize {
        self.layout().map_or(0, |layout| layout.end - layout.payload)
    }

    /// Whether it opens a connection, or answers who does.
    pub(crate) fn is_syn(&self) -> bool {
        self.layout().is_some_and(|layout| self.bytes[layout.tcp + 13] & SYN != 0)
    }

    /// As segments that carry so many bytes each.
    pub(crate) fn cut(&self, lengths: &[usize]) -> Vec<Self> {
        let Layout { ip, tcp, payload, end } = self.layout().unwrap();
        assert_eq!(lengths.iter().sum::<usize>(), end - payload);
        let mut pieces = Vec::new();
        let mut from = payload;
        for length in lengths {
            let mut bytes = self.bytes[..payload].to_vec();
            bytes.extend_from_slice(&self.bytes[from..from + length]);
            let total = u16::try_from(payload - ip + length).unwrap();
            if bytes[ip] >> 4 == 4 {
                bytes[ip + 2..ip + 4].copy_from_slice(&total.to_be_bytes());
            } else {
                bytes[ip + 4..ip + 6].copy_from_slice(&(total - 40).to_be_bytes());
            }
            let sequence = u32::from_be_bytes(bytes[tcp + 4..tcp + 8].try_into().unwrap());
            let sequence = sequence.wrapping_add(u32::try_from(from - payload).unwrap());
            bytes[tcp + 4..tcp + 8].copy_from_slice(&sequence.to_be_bytes());
            from += length;
            if from < end {
                bytes[tcp + 13] &= !FIN;
            }
            pieces.push(Self { original: u32::try_from(bytes.len()).unwrap(), bytes, ..*self });
        }
        pieces
    }

    /// As a capture with this snap length has it.
    pub(crate) fn snapped(&self, snap_length: usize) -> Self {
        let bytes = self.bytes[..self.bytes.len().min(snap_length)].to_vec();
        Self { bytes, ..*self }
    }
}

/// Where the parts of a packet begin, and where its payload ends.
struct Layout {
    ip: usize,
    tcp: usize,
    payload: usize,
    end: usize,
}

const TCP: u8 = 6;
const FIN: u8 = 1;
const SYN: u8 = 2;
