//! Files of every kind of block, whole, cut, damaged and hostile.

use std::io::{Cursor, Read};

use crate::capture::testing::{PcapngFile, Seen, lines, payload, read, read_from, same_in_pieces};

fn seen(number: u64, nanos: i64, offset: u64, data: &[u8]) -> Seen {
    let original = u32::try_from(data.len()).unwrap();
    Seen { number, nanos, link: 1, original, offset, data: data.to_vec() }
}

/// Section header and interface: 48 bytes. Then three packets in blocks of 52, 60 and 36 bytes.
fn three() -> PcapngFile {
    let mut file = PcapngFile::usual();
    file.enhanced(0, 1_000_001, &payload(20, 0))
        .commented(0, 1_000_002, &payload(14, 1))
        .enhanced(0, 7, b"abc");
    file
}

#[test]
fn every_kind_of_packet_is_read_in_both_byte_orders() {
    for big in [false, true] {
        let mut file = PcapngFile::new(big);
        file.section().interface(113, 3, &[(2, b"eth0"), (9, &[9])]).interface(1, 0, &[(9, &[0x8A])]);
        let start = file.bytes.len() as u64;
        file.commented(0, 5_000_000_001, b"first")
            .enhanced_saying(1, 3 << 10, 4, 1500, b"abcd")
            .obsolete(1, 4 << 10, b"old")
            .simple(9, b"sim")
            .simple(2, b"si");
        let (all, damage) = read(&file.bytes);
        assert_eq!(damage, []);
        assert_eq!(all[0], Seen { link: 113, ..seen(1, 5_000_000_001, start + 28, b"first") });
        assert_eq!(all[1], Seen { original: 1500, ..seen(2, 3_000_000_000, start + 80, b"abcd") });
        assert_eq!(all[2], seen(3, 4_000_000_000, start + 116, b"old"));
        assert_eq!(all[3], Seen { link: 113, original: 9, ..seen(4, 4_000_000_000, start + 136, b"sim") });
        assert_eq!(all[4], Seen { link: 113, ..seen(5, 4_000_000_000, start + 156, b"si") });
    }
}

#[test]
fn offsets_of_time_are_added() {
    for big in [false, true] {
        let mut file = PcapngFile::new(big);
        let offset = file.long(-2);
        file.section().interface(1, 0, &[(14, &offset)]).enhanced(0, 5_000_000, b"").simple(0, b"");
        let times: Vec<i64> = read(&file.bytes).0.iter().map(|seen| seen.nanos).collect();
        assert_eq!(times, [3_000_000_000, 3_000_000_000]);
    }
}

#[test]
fn options_that_make_no_sense_are_passed_over() {
    for options in [&[(9_u16, &[][..]), (14, &[1, 2])][..], &[(0, &[]), (9, &[0])], &[(2, &[0; 300])]] {
        let mut file = PcapngFile::new(false);
        file.section().interface(1, 0, options).enhanced(0, 7, b"x");
        assert_eq!(read(&file.bytes).0[0].nanos, 7_000);
    }
    // An option that is longer than its block.
    let mut file = PcapngFile::new(false);
    file.section().block(1, &[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0xFF, 0xFF, 0, 0, 0, 0]).enhanced(0, 7, b"x");
    assert_eq!(read(&file.bytes).0[0].nanos, 7_000);
}

#[test]
fn sections_start_anew() {
    let mut file = PcapngFile::usual();
    file.enhanced(0, 1, b"a");
    file.section_in(true).interface(101, 0, &[]).enhanced(0, 2, b"b");
    file.section_in(false).enhanced(0, 3, b"c").interface(12, 0, &[]).enhanced(0, 4, b"d");
    let (all, damage) = read(&file.bytes);
    assert_eq!(
        all.iter().map(|seen| (seen.link, seen.nanos)).collect::<Vec<_>>(),
        [(1, 1000), (101, 2000), (12, 4000)]
    );
    assert_eq!(
        lines(&damage),
        ["#3 194: the packet names interface 0, which the section does not describe; it is left out"]
            .map(|line| line.replace("194", &(48 + 36 + 48 + 36 + 28).to_string()))
    );
    same_in_pieces(&file.bytes);
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_packets() {
    let file = three().bytes;
    let (all, damage) = read(&file);
    assert_eq!((all.len(), damage.len()), (3, 0));
    // Where blocks start and end, and the packets that are whole there.
    let edges = [(28, 0), (48, 0), (100, 1), (160, 2), (196, 3)];
    assert_eq!(file.len(), 196);
    for cut in 0..=file.len() {
        let result = read_from(Cursor::new(file[..cut].to_vec()));
        if cut < 28 {
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
        let block = edges.iter().rposition(|&(edge, _)| edge <= cut).unwrap();
        let (start, packets) = edges[block];
        assert_eq!(seen, all[..packets], "cut at {cut}");
        let number = packets + 1;
        let expected = match cut - start {
            0 => vec![],
            have @ 1..12 => vec![format!(
                "#{number} {start}: the last block is cut off: {have} of its first 12 bytes are there"
            )],
            have => vec![format!(
                "#{number} {start}: the last block is cut off: {have} of {} bytes are there",
                edges[block + 1].0 - start
            )],
        };
        assert_eq!(lines(&damage), expected, "cut at {cut}");
    }
}

#[test]
fn pieces_make_no_difference() {
    same_in_pieces(&three().bytes);
    same_in_pieces(&three().bytes[..150]);
}

#[test]
fn damaged_lengths_are_told_and_passed() {
    for (at, value, what) in [
        (4, 0_u32, "the block says it is 0 bytes long, and its kind has at least 32"),
        (4, 4, "the block says it is 4 bytes long, and its kind has at least 32"),
        (4, 11, "the block says it is 11 bytes long, and its kind has at least 32"),
        (4, 12, "the block says it is 12 bytes long, and its kind has at least 32"),
        (4, 54, "the block says it is 54 bytes long, which is no multiple of 4"),
        (4, 0xFFFF_FFFC, "the block says it is 4294967292 bytes long"),
        (4, 56, "the block says it is 56 bytes long at its start and 6 at its end"),
        (48, 56, "the block says it is 52 bytes long at its start and 56 at its end"),
        (4, 4000, "the block says it is 4000 bytes long and 148 are left"),
    ] {
        let mut file = three().bytes;
        file[48 + at..52 + at].copy_from_slice(&value.to_le_bytes());
        let (seen, damage) = read(&file);
        assert_eq!(lines(&damage), [format!("#1 48: {what}; 52 bytes are skipped")]);
        assert_eq!(seen.len(), 2);
        assert_eq!((seen[0].number, seen[0].offset), (1, 128));
        same_in_pieces(&file);
    }
}

#[test]
fn lengths_of_unknown_blocks_are_checked_too() {
    for (length, what) in [
        (0_u32, "the block says it is 0 bytes long, and its kind has at least 12"),
        (4, "the block says it is 4 bytes long, and its kind has at least 12"),
        (11, "the block says it is 11 bytes long, and its kind has at least 12"),
        (14, "the block says it is 14 bytes long, which is no multiple of 4"),
    ] {
        let mut file = PcapngFile::usual();
        file.raw(&99_u32.to_le_bytes()).raw(&length.to_le_bytes()).raw(&payload(41, 0)).enhanced(0, 1, b"on");
        let (seen, damage) = read(&file.bytes);
        assert_eq!(lines(&damage), [format!("#1 48: {what}; 49 bytes are skipped")]);
        assert_eq!(seen.len(), 1);
    }
}

#[test]
fn nothing_after_damage_is_told() {
    let mut file = PcapngFile::usual();
    file.enhanced(0, 1, b"a").raw(&6_u32.to_le_bytes()).raw(&[0xFF; 100]);
    let (seen, damage) = read(&file.bytes);
    assert_eq!(seen.len(), 1);
    assert_eq!(
        lines(&damage),
        ["#2 84: the block says it is 4294967295 bytes long, which is no multiple of 4; reading stops here"]
    );
}

#[test]
fn a_section_header_without_its_mark_is_damage() {
    let mut file = three();
    let at = file.bytes.len();
    file.section().interface(1, 0, &[]).enhanced(0, 9, b"on");
    file.bytes[at + 8] ^= 1;
    let (seen, damage) = read(&file.bytes);
    assert_eq!(
        lines(&damage),
        ["#4 196: the section header does not tell its byte order; 28 bytes are skipped"]
    );
    assert_eq!(seen.len(), 4);
}

#[test]
fn packets_that_do_not_fit_their_block_are_left_out() {
    let mut file = PcapngFile::usual();
    file.enhanced_saying(0, 1, 5, 5, b"abcd")
        .simple(9, b"abcdefgh")
        .enhanced(1, 2, b"b")
        .enhanced(0, 3, b"c");
    let (seen, damage) = read(&file.bytes);
    assert_eq!(
        lines(&damage),
        [
            "#1 48: the packet says it has 5 captured bytes, and its block has room for 4; it is left out",
            "#1 84: the packet says it has 9 captured bytes, and its block has room for 8; it is left out",
            "#1 108: the packet names interface 1, which the section does not describe; it is left out",
        ]
    );
    assert_eq!((seen.len(), seen[0].number, seen[0].nanos), (1, 1, 3000));
}

#[test]
fn unknown_blocks_are_passed_over() {
    let mut file = PcapngFile::usual();
    file.block(4, &[0; 4]).block(0x8000_0001, &payload(300_000, 0)).block(0xBAD, &payload(5, 1));
    for number in 0..5 {
        file.block(5, &payload(12, 0)).enhanced(0, number, b"x").block(10, &payload(20, 1));
    }
    let (seen, damage) = read(&file.bytes);
    assert_eq!((seen.len(), damage.len()), (5, 0));
    same_in_pieces(&file.bytes);
}

#[test]
fn a_million_tiny_blocks_are_passed_over() {
    let mut file = PcapngFile::usual();
    let tiny = PcapngFile::new(false).block(0x00C0_FFEE, &[]).bytes.clone();
    file.raw(&tiny.repeat(1_000_000)).enhanced(0, 1, b"x");
    let (seen, damage) = read(&file.bytes);
    assert_eq!((seen.len(), damage.len()), (1, 0));
}

#[test]
fn huge_blocks_are_passed_over_without_a_buffer() {
    const LENGTH: u32 = 40 << 20;
    let file = |end: u32| {
        let mut front = PcapngFile::usual();
        front.enhanced(0, 1, b"a").raw(&4_u32.to_le_bytes()).raw(&LENGTH.to_le_bytes());
        let mut back = PcapngFile::new(false);
        back.raw(&end.to_le_bytes()).enhanced(0, 2, b"b").enhanced(0, 3, b"c");
        Cursor::new(front.bytes)
            .chain(std::io::repeat(0xEE).take(u64::from(LENGTH) - 12))
            .chain(Cursor::new(back.bytes))
    };
    let (seen, damage) = read_from(file(LENGTH)).unwrap();
    assert_eq!((seen.len(), damage.len()), (3, 0));
    assert_eq!(seen[1].offset, 84 + u64::from(LENGTH) + 28);

    let (seen, damage) = read_from(file(8)).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(
        lines(&damage),
        [
            "#2 84: the block says it is 41943040 bytes long at its start and 8 at its end; 41943040 bytes are skipped"
        ]
    );

    for (take, have) in [(1000, 1000), (u64::from(LENGTH) + 84 - 2, u64::from(LENGTH) - 2 + 84)] {
        let (seen, damage) = read_from(file(LENGTH).take(take)).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(
            lines(&damage),
            [format!("#2 84: the last block is cut off: {} of 41943040 bytes are there", have - 84)]
        );
    }
}

#[test]
fn interfaces_beyond_the_limit_are_told() {
    let mut file = PcapngFile::new(false);
    file.section();
    let interface = PcapngFile::new(false).interface(1, 0, &[]).bytes.clone();
    file.raw(&interface.repeat(65_537)).enhanced(65_535, 1, b"a").enhanced(65_536, 2, b"b");
    let (seen, damage) = read(&file.bytes);
    assert_eq!(seen.len(), 1);
    assert_eq!(
        lines(&damage),
        [
            format!(
                "#1 {}: this is one interface more than 65536; its packets are left out",
                28 + 65_536 * 20
            ),
            format!(
                "#2 {}: the packet names interface 65536, which the section does not describe; it is left out",
                28 + 65_537 * 20 + 36
            ),
        ]
    );
}

#[test]
fn a_section_header_that_cannot_be_one_is_no_capture() {
    for (at, value) in [(4, 27_u32), (4, 0xFFFF_FFFC), (8, 0)] {
        let mut file = three().bytes;
        file[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let text = read_from(Cursor::new(file)).unwrap_err().to_string();
        assert!(
            text.starts_with("cannot read test: it starts like pcapng, and its section header is damaged (")
        );
    }
}
