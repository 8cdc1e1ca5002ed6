//! The capture readers beside others: a naive one of this file, and libpcap's.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use proptest::prelude::*;
use testing::{PcapFile, PcapngFile, Pieces, Seen, read, read_from};
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "../src/capture/testing.rs"]
mod testing;

/// One thing that a file can contain.
#[derive(Clone, Debug)]
enum Item {
    Enhanced { interface: u32, ticks: u64, cut: u32, data: Vec<u8>, commented: bool },
    Obsolete { interface: u16, ticks: u64, data: Vec<u8> },
    Simple { original: u32 },
    Interface { link: u16, snap_length: u32, resolution: Option<u8>, offset: Option<i64> },
    Section { big: bool },
    Unknown { kind: u32, body: Vec<u8> },
}

#[derive(Clone, Debug)]
struct Record {
    seconds: u32,
    fraction: u32,
    cut: u32,
    data: Vec<u8>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pcap_is_read_like_the_naive_reader(
        big in any::<bool>(),
        nanoseconds in any::<bool>(),
        snap_length in prop_oneof![Just(0), Just(65_535), Just(262_144), any::<u32>()],
        network in any::<u32>(),
        records in prop::collection::vec(record(), 0..60),
        pieces in pieces(),
    ) {
        let file = pcap_file(big, nanoseconds, snap_length, network, &records);
        let expected = naive_pcap(&file);
        prop_assert_eq!(expected.len(), records.len());
        let (seen, damage) = read_from(Pieces::new(&file, &pieces)).unwrap();
        prop_assert!(seen == expected);
        prop_assert_eq!(damage, vec![]);
    }

    #[test]
    fn pcapng_is_read_like_the_naive_reader(
        big in any::<bool>(),
        items in prop::collection::vec(item(), 0..80),
        pieces in pieces(),
    ) {
        let file = pcapng_file(big, &items);
        let expected = naive_pcapng(&file);
        let (seen, damage) = read_from(Pieces::new(&file, &pieces)).unwrap();
        prop_assert!(seen == expected);
        // Packets may name interfaces that are not there; else there is nothing to tell.
        prop_assert!(damage.iter().all(|damage| damage.what.ends_with("; it is left out")));
    }

    #[test]
    fn changed_files_are_read_to_the_end(
        pcapng in any::<bool>(),
        records in prop::collection::vec(record(), 1..40),
        items in prop::collection::vec(item(), 1..40),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..12),
        pieces in pieces(),
    ) {
        let mut file =
            if pcapng { pcapng_file(false, &items) } else { pcap_file(false, false, 0, 1, &records) };
        for (at, change) in changes {
            let at = at.index(file.len());
            match change {
                Change::Set(bytes) => {
                    let end = file.len().min(at + bytes.len());
                    file.splice(at..end, bytes);
                }
                Change::Insert(bytes) => { file.splice(at..at, bytes); }
                Change::Remove(length) => { file.drain(at..file.len().min(at + length).max(at)); }
            }
            if file.is_empty() {
                break;
            }
        }
        // The same in whatever pieces, the damage too.
        let whole = read_from(std::io::Cursor::new(file.clone()));
        let parts = read_from(Pieces::new(&file, &pieces));
        match (whole, parts) {
            (Ok(whole), Ok(parts)) => prop_assert!(whole == parts),
            (whole, parts) => prop_assert_eq!(whole.unwrap_err().to_string(), parts.unwrap_err().to_string()),
        }
    }

    #[test]
    fn pcap_is_read_like_libpcap_reads_it(
        big in any::<bool>(),
        nanoseconds in any::<bool>(),
        records in prop::collection::vec(record(), 0..20),
    ) {
        let file = pcap_file(big, nanoseconds, 262_144, 1, &records);
        prop_assert!(libpcap(&file) == read(&file).0.iter().map(as_libpcap).collect::<Vec<_>>());
    }
}

/// Where libpcap can follow: one link type, one section, no packets of unknown interfaces.
#[test]
fn pcapng_is_read_like_libpcap_reads_it() {
    for big in [false, true] {
        let mut file = PcapngFile::new(big);
        file.section()
            .interface(1, 96, &[(9, &[9])])
            .interface(1, 96, &[])
            .interface(1, 96, &[(9, &[0x80 | 0x14])])
            .interface(1, 96, &[(9, &[3])]);
        for number in 0..200_u32 {
            let data = testing::payload(number as usize % 97, 0);
            let ticks = u64::from(number) * 12_345_678_901;
            let original = u32::try_from(data.len()).unwrap() + number;
            let captured = original - number;
            file.enhanced_saying(number % 4, ticks, captured, original, &data);
            file.block(0x8000_0001, &data);
            file.obsolete(u16::try_from(number % 4).unwrap(), ticks, &data);
        }
        let seen: Vec<_> = read(&file.bytes).0.iter().map(as_libpcap).collect();
        assert_eq!(seen.len(), 400);
        assert!(libpcap(&file.bytes) == seen);
    }
}

/// The pcap formats that differ in little from the usual one, as libpcap 1.10 tells them apart in sf-pcap.c.
#[test]
fn relatives_of_pcap_are_read_like_libpcap_reads_them() {
    for big in [false, true] {
        for (major, minor) in [(2, 4), (2, 3), (2, 2), (2, 0), (543, 0)] {
            for network in [1, 1 | 0x1400_0000, 113] {
                let file = relative(big, 0xA1B2_C3D4, (major, minor), network, 0);
                compare(&file, &format!("version {major}.{minor} big {big} network {network:#x}"));
            }
        }
        compare(&relative(big, 0xA1B2_3C4D, (2, 4), 1, 0), "nanoseconds");
        compare(&relative(big, 0xA1B2_CD34, (2, 4), 1, 8), "Kuznetzov's");
    }
}

/// What libpcap refuses and what it reads are refused and read here, but for Ixia's format, which only Wireshark knows.
#[test]
fn versions_that_libpcap_refuses() {
    for (version, libpcap_reads_it) in [((1, 4), false), ((2, 5), false), ((3, 0), false), ((2, 4), true)] {
        let file = relative(false, 0xA1B2_C3D4, version, 1, 0);
        assert_eq!(is_read_by_libpcap(&file), libpcap_reads_it, "{version:?}");
    }
    // The versions beyond ours are read as what they say they are like, since their records are as before or damaged.
    assert_eq!(read(&relative(false, 0xA1B2_C3D4, (2, 5), 1, 0)).0.len(), 20);
}

fn compare(file: &[u8], what: &str) {
    let seen: Vec<_> = read(file).0.iter().map(as_libpcap).collect();
    assert_eq!(seen.len(), 20, "{what}");
    assert!(libpcap(file) == seen, "{what}");
}

/// A file of twenty records with `extra` bytes more before each packet; records of version 2.2 and before tell the two
/// lengths the other way round, those of 2.3 now and then.
fn relative(big: bool, magic: u32, (major, minor): (u16, u16), network: u32, extra: usize) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let half = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let mut file = [&word(magic)[..], &half(major), &half(minor)].concat();
    file.extend([0, 0, 65_535, network].map(word).concat());
    for number in 0..20_u32 {
        let data = testing::payload(60 + number as usize, 0);
        let (captured, original) = (60 + number, 1_000 + number);
        let is_swapped = matches!((major, minor), (2, ..=2) | (543, 0)) || (minor == 3 && number % 2 == 0);
        let lengths = if is_swapped { [original, captured] } else { [captured, original] };
        file.extend([1_700_000_000 + number, number * 999].map(word).concat());
        file.extend(lengths.map(word).concat());
        file.extend(vec![7; extra]);
        file.extend(data);
    }
    file
}

fn is_read_by_libpcap(file: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, file).unwrap();
    pcap::Capture::from_file(&path).is_ok()
}

/// Seconds and nanoseconds within the second, original length, bytes.
type Plain = (i64, i64, u32, Vec<u8>);

fn libpcap(file: &[u8]) -> Vec<Plain> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, file).unwrap();
    let mut capture = pcap::Capture::from_file_with_precision(&path, pcap::Precision::Nano).unwrap();
    let mut packets = Vec::new();
    while let Ok(packet) = capture.next_packet() {
        let time = packet.header.ts;
        packets.push((time.tv_sec, time.tv_usec, packet.header.len, packet.data.to_vec()));
    }
    packets
}

fn as_libpcap(seen: &Seen) -> Plain {
    (seen.nanos / 1_000_000_000, seen.nanos % 1_000_000_000, seen.original, seen.data.clone())
}

/// Reads a valid pcap file the plain way.
fn naive_pcap(file: &[u8]) -> Vec<Seen> {
    let big = file[0] == 0xA1;
    let nanoseconds = file[0] == 0x4D || file[3] == 0x4D;
    let word = |at: usize| word(file, at, big);
    let mut seen = Vec::new();
    let mut at = 24;
    while at < file.len() {
        let captured = word(at + 8);
        let unit = if nanoseconds { 1 } else { 1000 };
        seen.push(Seen {
            number: seen.len() as u64 + 1,
            nanos: i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * unit,
            link: u16::try_from(word(20) & 0xFFFF).unwrap(),
            original: word(at + 12).max(captured),
            offset: at as u64 + 16,
            data: file[at + 16..at + 16 + captured as usize].to_vec(),
        });
        at += 16 + captured as usize;
    }
    seen
}

/// Reads a valid pcapng file the plain way.
fn naive_pcapng(file: &[u8]) -> Vec<Seen> {
    let (mut big, mut interfaces, mut latest) = (false, Vec::new(), 0);
    let mut seen: Vec<Seen> = Vec::new();
    let mut at = 0;
    while at < file.len() {
        if file[at..at + 4] == [0x0A, 0x0D, 0x0D, 0x0A] {
            big = file[at + 8] == 0x1A;
            interfaces.clear();
        }
        let word = |from: usize| word(file, at + from, big);
        let half = |from: usize| {
            let bytes = [file[at + from], file[at + from + 1]];
            if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
        };
        let length = word(4) as usize;
        let packet = match word(0) {
            1 => {
                let (mut resolution, mut offset) = (6, 0);
                let mut option = 16;
                while option < length - 4 && half(option) != 0 {
                    match half(option) {
                        9 => resolution = file[at + option + 4],
                        14 => {
                            let bytes = file[at + option + 4..at + option + 12].try_into().unwrap();
                            offset = if big { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                        }
                        _ => {}
                    }
                    option += 4 + usize::from(half(option + 2)).next_multiple_of(4);
                }
                interfaces.push((half(8), word(12), resolution, offset));
                None
            }
            2 => Some((u32::from(half(8)), true, word(20), word(24), 28)),
            6 => Some((word(8), true, word(20), word(24), 28)),
            3 => {
                let snap_length = interfaces.first().map_or(0, |interface| interface.1);
                let captured = if snap_length == 0 { word(8) } else { word(8).min(snap_length) };
                Some((0, false, captured, word(8), 12))
            }
            _ => None,
        };
        if let Some((interface, timed, captured, original, header)) = packet
            && let Some(&(link, _, resolution, offset)) = interfaces.get(interface as usize)
            && captured as usize <= length - header - 4
        {
            if timed {
                latest = naive_time(u64::from(word(12)) << 32 | u64::from(word(16)), resolution, offset);
            }
            let data = file[at + header..at + header + captured as usize].to_vec();
            let number = seen.len() as u64 + 1;
            let original = original.max(captured);
            seen.push(Seen { number, nanos: latest, link, original, offset: (at + header) as u64, data });
        }
        at += length;
    }
    seen
}

fn naive_time(ticks: u64, resolution: u8, offset: i64) -> i64 {
    let base = if resolution < 128 { 10 } else { 2 };
    let mut nanos = i128::from(ticks) * 1_000_000_000;
    for _ in 0..resolution & 127 {
        nanos /= base;
    }
    nanos += i128::from(offset) * 1_000_000_000;
    i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
}

fn word(file: &[u8], at: usize, big: bool) -> u32 {
    let bytes = file[at..at + 4].try_into().unwrap();
    if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
}

fn pcap_file(big: bool, nanoseconds: bool, snap_length: u32, network: u32, records: &[Record]) -> Vec<u8> {
    let mut file = PcapFile::new(big, nanoseconds, snap_length, network);
    for Record { seconds, fraction, cut, data } in records {
        let captured = u32::try_from(data.len()).unwrap();
        file.record(*seconds, *fraction, captured, captured + cut, data);
    }
    file.bytes
}

fn pcapng_file(big: bool, items: &[Item]) -> Vec<u8> {
    let mut file = PcapngFile::new(big);
    file.section().interface(1, 0, &[]);
    for item in items {
        match item {
            Item::Enhanced { interface, ticks, commented: true, data, .. } => {
                file.commented(*interface, *ticks, data);
            }
            Item::Enhanced { interface, ticks, cut, data, .. } => {
                let captured = u32::try_from(data.len()).unwrap();
                file.enhanced_saying(*interface, *ticks, captured, captured + cut, data);
            }
            Item::Obsolete { interface, ticks, data } => {
                file.obsolete(*interface, *ticks, data);
            }
            Item::Simple { original } => {
                file.simple(*original, &testing::payload(*original as usize, 1));
            }
            Item::Interface { link, snap_length, resolution, offset } => {
                let (resolution, offset) =
                    (resolution.map(|value| [value]), offset.map(|value| file.long(value)));
                let mut options: Vec<(u16, &[u8])> = vec![(2, b"eth0")];
                options.extend(resolution.iter().map(|value| (9, &value[..])));
                options.extend(offset.iter().map(|value| (14, &value[..])));
                file.interface(*link, *snap_length, &options);
            }
            Item::Section { big } => {
                file.section_in(*big).interface(1, 0, &[]);
            }
            Item::Unknown { kind, body } => {
                file.block(*kind, body);
            }
        }
    }
    file.bytes
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..200),
        5 => (0_usize..3000).prop_map(|length| testing::payload(length, 0)),
        1 => (0_usize..200_000).prop_map(|length| testing::payload(length, 0)),
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let seconds = prop_oneof![4 => 1_700_000_000_u32..1_700_000_100, 1 => 0_u32..=0x7FFF_FFFF];
    (seconds, 0_u32..1_000_000, 0_u32..10, data()).prop_map(|(seconds, fraction, cut, data)| Record {
        seconds,
        fraction,
        cut,
        data,
    })
}

fn item() -> impl Strategy<Value = Item> {
    let ticks = || prop_oneof![Just(1_700_000_000_000_000_u64), any::<u64>()];
    prop_oneof![
        8 => (0_u32..4, ticks(), 0_u32..9, data(), any::<bool>()).prop_map(
            |(interface, ticks, cut, data, commented)| Item::Enhanced { interface, ticks, cut, data, commented }
        ),
        1 => (0_u16..3, ticks(), data())
            .prop_map(|(interface, ticks, data)| Item::Obsolete { interface, ticks, data }),
        2 => (0_u32..300).prop_map(|original| Item::Simple { original }),
        2 => (
            any::<u16>(),
            prop_oneof![Just(0), 0_u32..300],
            prop::option::of(any::<u8>()),
            prop::option::of(any::<i64>()),
        )
            .prop_map(|(link, snap_length, resolution, offset)| {
                Item::Interface { link, snap_length, resolution, offset }
            }),
        1 => any::<bool>().prop_map(|big| Item::Section { big }),
        2 => (prop_oneof![Just(4_u32), Just(5), Just(10), Just(0xBAD), 0x8000_0000..=u32::MAX], data())
            .prop_map(|(kind, body)| Item::Unknown { kind, body: [&[0; 12][..], &body].concat() }),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    Set(Vec<u8>),
    Insert(Vec<u8>),
    Remove(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let bytes =
        || prop_oneof![prop::collection::vec(any::<u8>(), 1..9), (1_usize..9).prop_map(|n| vec![0xFF; n])];
    prop_oneof![
        3 => bytes().prop_map(Change::Set),
        1 => bytes().prop_map(Change::Insert),
        1 => (1_usize..200).prop_map(Change::Remove),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1_usize..40, 1000_usize..100_000], 1..6)
}
