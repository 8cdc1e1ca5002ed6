//! The classic format: a file header of 24 bytes, then records of 16 bytes and a packet each.
//!
//! The format: draft-ietf-opsawg-pcap, and pcap-savefile(5). It has no marks between records, so after
//! damage a chain of record headers that agree with one another is looked for.

use super::damage::Why;
use super::order::ByteOrder;
use super::parser::{Found, Input, Stop, Verdict};
use crate::capture::{LinkType, PacketMeta};
use crate::limits;
use crate::units::{Span, Timestamp};

/// Which of the formats that differ in little it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variant {
    /// The classic format.
    Microseconds,
    /// The same, with nanoseconds.
    Nanoseconds,
    /// Alexey Kuznetsov's patch: eight bytes more before each packet, about its interface.
    Kuznetzov,
    /// Written by Ixia's tools: four bytes more in the file header, with how many follow.
    Ixia,
}

impl Variant {
    /// Bytes before the first record.
    pub(super) const fn file_header(self) -> usize {
        match self {
            Self::Ixia => 28,
            _ => 24,
        }
    }

    /// Bytes before each packet.
    const fn record_header(self) -> usize {
        match self {
            Self::Kuznetzov => RECORD_HEADER + 8,
            _ => RECORD_HEADER,
        }
    }

    const fn has_nanoseconds(self) -> bool {
        matches!(self, Self::Nanoseconds)
    }
}

/// In which order a record tells its two lengths (libpcap's sf-pcap.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    /// Captured, then original.
    Usual,
    /// The other way round.
    Swapped,
    /// Either: nobody captures more than there was.
    Either,
}

/// Bytes before each packet, in most files.
pub(super) const RECORD_HEADER: usize = 16;

/// Reads records.
#[derive(Debug)]
pub(super) struct Pcap {
    order: ByteOrder,
    /// Nanoseconds in a unit of the sub-second part.
    unit: i64,
    link: LinkType,
    /// Bytes before each packet.
    record_header: usize,
    lengths: Lengths,
    /// The longest record that is believed where a record must be.
    longest: u32,
    /// The longest record that is believed where one may be, after damage.
    longest_in_search: u32,
    /// The times of the last two packets, the later last. Two, since the last before damage may be
    /// nonsense itself.
    recent: [Option<Timestamp>; 2],
}

impl Pcap {
    /// From the file header; `None` if it is not whole.
    pub(super) fn new(order: ByteOrder, variant: Variant, header: &[u8]) -> Option<Self> {
        let [_magic, version, _zone, _accuracy, snap_length, network] = order.words(header)?;
        // The upper half of the network field tells about frame check sequences.
        let link = LinkType(u16::try_from(network & 0xFFFF).unwrap_or_default());
        let believed = if snap_length == 0 { DEFAULT_SNAP_LENGTH } else { snap_length };
        Some(Self {
            order,
            unit: if variant.has_nanoseconds() { 1 } else { 1000 },
            link,
            record_header: variant.record_header(),
            lengths: match order.halves(version) {
                (2, ..=2) | (543, 0) => Lengths::Swapped,
                (2, 3) => Lengths::Either,
                _ => Lengths::Usual,
            },
            // Like libpcap: some writers exceed their own snap length.
            longest: believed.clamp(DEFAULT_SNAP_LENGTH, to_u32(limits::RECORD_BYTES)),
            longest_in_search: believed.min(to_u32(limits::SEARCH_BYTES)),
            recent: [None, None],
        })
    }

    /// Whether each packet stands behind [`RECORD_HEADER`] bytes.
    pub(super) fn has_usual_records(&self) -> bool {
        self.record_header == RECORD_HEADER
    }

    /// Reads records from `at` on, which moves behind the last whole one.
    pub(super) fn records(&mut self, input: Input<'_>, at: &mut usize, found: &mut Found<'_>) -> Stop {
        let is_usual = self.order == ByteOrder::Little
            && self.lengths == Lengths::Usual
            && self.record_header == RECORD_HEADER;
        if is_usual { self.walk::<true>(input, at, found) } else { self.walk::<false>(input, at, found) }
    }

    /// The same. `USUAL` says that the file is as nearly all are; then nothing is asked again for each record.
    #[inline(never)]
    fn walk<const USUAL: bool>(&mut self, input: Input<'_>, at: &mut usize, found: &mut Found<'_>) -> Stop {
        let order = if USUAL { ByteOrder::Little } else { self.order };
        let record_header = if USUAL { RECORD_HEADER } else { self.record_header };
        let (unit, longest, link) = (self.unit, self.longest, self.link);
        let before = found.packets.len();
        // What is left is all that changes with each record, so that it stays in registers.
        let mut rest = input.rest(*at);
        let unread = loop {
            let Some([seconds, fraction, mut captured, mut original]) = order.words(rest) else { break None };
            if !USUAL {
                (captured, original) = self.in_order(captured, original);
            }
            if captured > longest || (captured | original | seconds | fraction) == 0 {
                break Some(captured);
            }
            let Some(after) = rest.get(record_header.saturating_add(captured as usize)..) else {
                break Some(captured);
            };
            let start = input.bytes.len().saturating_sub(rest.len()).saturating_add(record_header);
            found.packets.push(PacketMeta {
                time: time(seconds, fraction, unit),
                start: to_u32(start),
                captured,
                original: original.max(captured),
                link,
            });
            rest = after;
        };
        *at = input.bytes.len().saturating_sub(rest.len());
        self.remember(found.packets.get(before..).unwrap_or_default());
        self.stop(input, *at, unread)
    }

    /// Why the record at `at` was not read; it says that so many bytes were captured, if it says anything.
    #[cold]
    fn stop(&self, input: Input<'_>, at: usize, captured: Option<u32>) -> Stop {
        let (offset, have, header) = (input.offset_of(at), input.rest(at).len(), self.record_header);
        let header_is_cut = Stop::Lost(offset, Why::RecordHeaderCut { have, of: header });
        let Some(captured) = captured else {
            return match have {
                0 if input.last => Stop::End,
                _ if input.last => header_is_cut,
                _ => Stop::Need(header),
            };
        };
        let record = header.saturating_add(captured as usize);
        if captured > self.longest {
            Stop::Lost(offset, Why::RecordLength { says: captured })
        } else if record <= have {
            Stop::Lost(offset, Why::RecordZero)
        } else if !input.last {
            Stop::Need(record)
        } else if let Some(have) = have.checked_sub(header) {
            Stop::Lost(offset, Why::RecordCut { have, of: captured })
        } else {
            header_is_cut
        }
    }

    /// Keeps the times of the last two packets.
    fn remember(&mut self, packets: &[PacketMeta]) {
        for packet in packets.get(packets.len().saturating_sub(2)..).unwrap_or_default() {
            let [_, latest] = self.recent;
            self.recent = [latest, Some(packet.time)];
        }
    }

    /// Whether records may go on at `start`: a chain of plausible headers, or a shorter one that ends
    /// exactly with the file.
    pub(super) fn judge(&self, input: Input<'_>, start: usize) -> Verdict {
        let mut known = self.recent;
        let mut at = start;
        for headers in 0..CHAIN {
            let rest = input.rest(at);
            let Some([seconds, fraction, mut captured, mut original]) = self.order.words(rest) else {
                return if !input.last {
                    Verdict::Unclear(at.saturating_sub(start).saturating_add(self.record_header))
                } else if headers > 0 && at == input.bytes.len() {
                    Verdict::Plausible
                } else {
                    Verdict::Not
                };
            };
            if self.lengths != Lengths::Usual {
                (captured, original) = self.in_order(captured, original);
            }
            let lengths = 0 < captured
                && captured <= self.longest_in_search
                && captured <= original
                && original < LONGEST_ORIGINAL;
            if !lengths || i64::from(fraction).saturating_mul(self.unit) >= NANOS_PER_SECOND {
                return Verdict::Not;
            }
            let time = time(seconds, fraction, self.unit);
            if known == [None, None] {
                known = [None, Some(time)];
            }
            if !known.iter().flatten().any(|&other| within_a_day(time, other)) {
                return Verdict::Not;
            }
            at = at.saturating_add(self.record_header).saturating_add(captured as usize);
        }
        Verdict::Plausible
    }

    /// The lengths of a record in a file that may tell them in the other order: captured, then original.
    #[cold]
    fn in_order(&self, first: u32, second: u32) -> (u32, u32) {
        match self.lengths {
            Lengths::Usual => (first, second),
            Lengths::Swapped => (second, first),
            Lengths::Either => (first.min(second), first.max(second)),
        }
    }
}

/// The time of a record whose sub-second part counts units of so many nanoseconds. A part of a second or more is carried
/// over. Both are 32 bits wide, so that nothing can overflow: 2^32 seconds are half of what fits.
#[inline]
fn time(seconds: u32, fraction: u32, unit: i64) -> Timestamp {
    Timestamp::from_nanos(i64::from(seconds) * NANOS_PER_SECOND + i64::from(fraction) * unit)
}

fn within_a_day(one: Timestamp, other: Timestamp) -> bool {
    one.since(other).as_nanos().unsigned_abs() <= DAY.as_nanos().unsigned_abs()
}

/// A position in a block, or a limit; both are far below 4 GiB.
#[inline]
fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// So many headers in a row are no chance.
const CHAIN: usize = 3;

/// libpcap's own limit for most link types.
const DEFAULT_SNAP_LENGTH: u32 = 262_144;

/// No packet of a chain was longer on the wire.
const LONGEST_ORIGINAL: u32 = 64 * 1024 * 1024;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

const DAY: Span = Span::from_millis(24 * 60 * 60 * 1000);

#[cfg(test)]
mod tests {
    use crate::capture::testing::{PcapFile, Seen, lines, payload, read, read_from, same_in_pieces};

    /// Three packets of 60, 74 and 0 bytes, one second apart.
    fn three() -> PcapFile {
        let mut file = PcapFile::usual();
        file.packet(1_700_000_000, 1, &payload(60, 0)).packet(1_700_000_001, 2, &payload(74, 1)).packet(
            1_700_000_002,
            3,
            &[],
        );
        file
    }

    #[test]
    fn every_variant_is_read() {
        for (big, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut file = PcapFile::new(big, nanoseconds, 0, 0xF400_0071);
            file.record(5, 999_999, 4, 1500, b"abcd");
            let nanos = 5_000_000_000 + if nanoseconds { 999_999 } else { 999_999_000 };
            let data = b"abcd".to_vec();
            let seen = Seen { number: 1, nanos, link: 113, original: 1500, offset: 40, data };
            assert_eq!(read(&file.bytes), (vec![seen], vec![]));
        }
    }

    /// A file of some variant with two packets, the first of them cut; `extra` bytes more in each record header.
    fn variant(magic: u32, version: u32, file_header: &[u8], extra: &[u8], swapped: bool) -> Vec<u8> {
        let mut file = PcapFile::usual();
        file.bytes[..4].copy_from_slice(&magic.to_le_bytes());
        file.bytes[4..8].copy_from_slice(&version.to_le_bytes());
        file.raw(file_header);
        let (captured, original) = if swapped { (9, 4) } else { (4, 9) };
        file.record(5, 7, captured, original, extra).raw(b"abcd").record(6, 8, 2, 2, extra).raw(b"ef");
        file.bytes
    }

    #[test]
    fn relatives_of_the_format_are_read() {
        let usual = 0x0004_0002;
        let cases = [
            (variant(0xA1B2_CD34, usual, &[], &[9; 8], false), 1000),
            (variant(0x1C00_01AC, usual, &[9; 4], &[], false), 1000),
            (variant(0x1C00_01AB, usual, &[9; 4], &[], false), 1000),
            (variant(0xA1B2_C3D4, 0x0002_0002, &[], &[], true), 1000),
            (variant(0xA1B2_C3D4, 0x0003_0002, &[], &[], true), 1000),
            (variant(0xA1B2_C3D4, 0x0003_0002, &[], &[], false), 1000),
            (variant(0xA1B2_C3D4, 543, &[], &[], true), 1000),
        ];
        for (file, unit) in cases {
            let (seen, damage) = read(&file);
            let plain: Vec<_> =
                seen.iter().map(|seen| (seen.nanos, seen.original, seen.data.as_slice())).collect();
            let expected =
                [(5_000_000_000 + 7 * unit, 9, &b"abcd"[..]), (6_000_000_000 + 8 * unit, 2, &b"ef"[..])];
            assert_eq!(plain, expected);
            assert_eq!(damage, []);
            same_in_pieces(&file);
        }
        let kuznetzov = variant(0xA1B2_CD34, usual, &[], &[9; 8], false);
        let (_, damage) = read(&kuznetzov[..24 + 20]);
        assert_eq!(
            lines(&damage),
            ["#1 24: the last record is cut off: 20 of the 24 bytes of its header are there"]
        );
    }

    #[test]
    fn odd_but_readable_records_are_read() {
        let mut file = PcapFile::usual();
        file.record(u32::MAX, u32::MAX, 4, 2, b"abcd").packet(0, 1, &[]);
        let (seen, damage) = read(&file.bytes);
        assert_eq!(damage, []);
        assert_eq!(seen[0].nanos, 4_294_967_295_000_000_000 + 4_294_967_295_000);
        assert_eq!(seen[0].original, 4);
        assert_eq!((seen[1].nanos, seen[1].data.len()), (1000, 0));
    }

    #[test]
    fn no_packets_are_a_capture_too() {
        assert_eq!(read(&PcapFile::usual().bytes), (vec![], vec![]));
    }

    #[test]
    fn a_file_cut_anywhere_gives_its_whole_packets() {
        let file = three().bytes;
        let (all, _) = read(&file);
        // Where records start and end.
        let edges = [24, 100, 190, 206];
        for cut in 0..=file.len() {
            let result = read_from(std::io::Cursor::new(file[..cut].to_vec()));
            if cut < 24 {
                let text = result.unwrap_err().to_string();
                let expected = match cut {
                    0 => "cannot read test: it is empty (",
                    1..4 => "cannot read test: it ends inside its first four bytes (",
                    _ => "cannot read test: it ends inside its file header (",
                };
                assert!(text.starts_with(expected), "cut at {cut}: {text}");
                continue;
            }
            let (seen, damage) = result.unwrap();
            let whole = edges.iter().filter(|&&edge| edge <= cut).count() - 1;
            assert_eq!(seen, all[..whole], "cut at {cut}");
            let start = edges[whole];
            let expected = match cut - start {
                0 => vec![],
                have @ 1..16 => vec![format!(
                    "#{} {start}: the last record is cut off: {have} of the 16 bytes of its header are there",
                    whole + 1
                )],
                have => vec![format!(
                    "#{} {start}: the last record is cut off: {} of {} bytes are there",
                    whole + 1,
                    have - 16,
                    edges[whole + 1] - start - 16
                )],
            };
            assert_eq!(lines(&damage), expected, "cut at {cut}");
        }
    }

    #[test]
    fn reading_goes_on_after_a_wild_length() {
        let mut file = PcapFile::usual();
        file.packet(1_700_000_000, 1, &payload(60, 0));
        file.record(1_700_000_001, 2, 3_405_691_582, 74, &payload(74, 1));
        for number in 2..9 {
            file.packet(1_700_000_000 + number, 0, &payload(100, 2));
        }
        let (seen, damage) = read(&file.bytes);
        assert_eq!(
            lines(&damage),
            ["#2 100: the record says it is 3405691582 bytes long; 90 bytes are skipped"]
        );
        assert_eq!(seen.len(), 8);
        assert_eq!((seen[1].number, seen[1].offset, seen[1].data.len()), (2, 206, 100));
        same_in_pieces(&file.bytes);
    }

    #[test]
    fn zeros_are_no_packets() {
        let mut file = three();
        let end = file.bytes.len();
        file.raw(&[0; 5000]);
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 3);
        assert_eq!(lines(&damage), [format!("#4 {end}: the record header is all zeros; reading stops here")]);
        file.packet(1_700_000_009, 0, &payload(60, 0));
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 4);
        assert_eq!(
            lines(&damage),
            [format!("#4 {end}: the record header is all zeros; 5000 bytes are skipped")]
        );
        same_in_pieces(&file.bytes);
    }

    #[test]
    fn reading_goes_on_after_lost_bytes() {
        let mut file = PcapFile::usual();
        for number in 0..20 {
            file.packet(1_700_000_000 + number, 0, &payload(100, 0));
        }
        // The end of the fourth packet, and the start of the fifth record.
        file.bytes.drain(24 + 116 * 4 - 13..24 + 116 * 4 + 9);
        let (seen, damage) = read(&file.bytes);
        // The fourth packet now ends in what were the bytes of the fifth.
        assert_eq!(seen.len(), 19);
        assert_eq!(damage.len(), 1);
        assert_eq!((damage[0].packet.0, damage[0].file_offset), (5, 24 + 116 * 4));
        assert!(damage[0].what.ends_with("; 94 bytes are skipped"), "{}", damage[0].what);
        same_in_pieces(&file.bytes);
    }

    #[test]
    fn a_short_chain_that_ends_with_the_file_is_believed() {
        let mut file = PcapFile::usual();
        file.packet(1_700_000_000, 1, &payload(60, 0));
        file.record(1_700_000_001, 0, u32::MAX, 5, &payload(5, 0));
        file.packet(1_700_000_002, 1, &payload(60, 0));
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 2);
        assert_eq!(
            lines(&damage),
            ["#2 100: the record says it is 4294967295 bytes long; 21 bytes are skipped"]
        );
    }

    #[test]
    fn a_length_that_reaches_over_the_end_is_looked_into() {
        let mut file = PcapFile::usual();
        file.packet(1_700_000_000, 1, &payload(60, 0));
        file.record(1_700_000_001, 0, 200_000, 5, &payload(5, 0));
        file.packet(1_700_000_002, 1, &payload(60, 0));
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 2);
        assert_eq!(
            lines(&damage),
            ["#2 100: the record says it is 200000 bytes long and 81 are left; 21 bytes are skipped"]
        );
        same_in_pieces(&file.bytes);
    }

    #[test]
    fn times_far_away_are_not_believed_after_damage() {
        let mut file = PcapFile::usual();
        file.packet(1_700_000_000, 1, &payload(60, 0));
        file.record(1_700_000_001, 0, u32::MAX, 5, &payload(5, 0));
        for number in 0..9 {
            file.packet(1_700_086_402 + number, 1, &payload(60, 0));
        }
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 1);
        assert_eq!(
            lines(&damage),
            ["#2 100: the record says it is 4294967295 bytes long; reading stops here"]
        );
    }

    #[test]
    fn damage_in_the_first_record_leaves_the_chain_to_agree_with_itself() {
        let mut file = PcapFile::usual();
        file.record(9, 0, u32::MAX, 5, &payload(5, 0));
        for number in 0..3 {
            file.packet(1_700_000_000 + number, 1, &payload(60, 0));
        }
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 3);
        assert_eq!(
            lines(&damage),
            ["#1 24: the record says it is 4294967295 bytes long; 21 bytes are skipped"]
        );
    }

    #[test]
    fn records_larger_than_a_block_are_read() {
        let mut file = PcapFile::new(false, false, 0x7FFF_FFFF, 1);
        file.packet(1, 0, &payload(10, 0))
            .packet(2, 0, &payload(3_000_000, 1))
            .packet(3, 0, &payload(16 << 20, 2))
            .packet(4, 0, &payload(10, 3));
        let (seen, damage) = read(&file.bytes);
        assert_eq!(damage, []);
        assert_eq!(
            seen.iter().map(|seen| seen.data.len()).collect::<Vec<_>>(),
            [10, 3_000_000, 16 << 20, 10]
        );
        assert_eq!(seen[2].data, payload(16 << 20, 2));
    }

    #[test]
    fn records_longer_than_the_limit_are_damage() {
        let mut file = PcapFile::new(false, false, u32::MAX, 1);
        file.packet(1, 0, &payload((16 << 20) + 1, 0));
        assert_eq!(
            lines(&read(&file.bytes).1),
            ["#1 24: the record says it is 16777217 bytes long; reading stops here"]
        );
        let mut file = PcapFile::new(false, false, 65_535, 1);
        file.packet(1, 0, &payload(262_144, 0)).packet(1, 0, &payload(262_145, 0));
        let (seen, damage) = read(&file.bytes);
        assert_eq!((seen.len(), damage.len()), (1, 1));
    }

    #[test]
    fn a_search_over_many_near_misses_ends() {
        let mut file = PcapFile::usual();
        file.packet(0x0003_0007, 0, b"first").record(0, 0, u32::MAX, 0, &[]);
        // Zones in which each fourth byte starts a plausible header, whose chain then leads into nonsense.
        for at in 0..1_000_000_u32 {
            let word = if (at >> 14) % 2 == 0 { 0x0003_0007_u32 } else { u32::MAX };
            file.raw(&word.to_le_bytes());
        }
        let (_, damage) = read(&file.bytes);
        assert!(!damage.is_empty());
    }

    #[test]
    fn damage_is_told_a_hundred_times_and_then_counted() {
        let mut file = PcapFile::usual();
        for round in 0..150 {
            for number in 0..3 {
                file.packet(1_700_000_000 + round * 4 + number, 0, &payload(20, 0));
            }
            file.record(0, 0, u32::MAX, 0, &payload(7, 0));
        }
        let (seen, damage) = read(&file.bytes);
        assert_eq!(seen.len(), 450);
        assert_eq!(damage.len(), 101);
        assert_eq!(damage[100].what, "50 more damaged places from here on are not listed");
        assert_eq!((damage[100].packet.0, damage[100].file_offset), (304, 24 + 100 * 131 + 108));
        same_in_pieces(&file.bytes);
    }

    #[test]
    fn pieces_make_no_difference() {
        same_in_pieces(&three().bytes);
        same_in_pieces(&three().bytes[..150]);
    }
}
