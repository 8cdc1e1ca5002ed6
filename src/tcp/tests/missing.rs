//! Bytes that the capture lacks: what is given up when, and whose doing it is.

use super::*;

/// How many bytes of a half the capture lacks; how many of them a snap length cut off, and how many were acknowledged.
fn missing(facts: &ConnectionFacts, half: Half) -> (u64, u64, u64) {
    let half = facts.half(half);
    (half.missing_bytes, half.missing_cut_bytes, half.missing_acknowledged_bytes)
}

#[test]
fn a_hole_is_given_up_once_the_other_side_has_the_bytes() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ab");
    wire.send(Half::Lo, 106, 900, Flags::ACK, b"ef");
    wire.send(Half::Hi, 900, 108, Flags::ACK, b"");
    wire.time_ns += 200_000_000;
    wire.send(Half::Lo, 108, 900, Flags::ACK, b"gh");
    wire.send(Half::Lo, 102, 900, Flags::ACK, b"cdXX");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"ab"), Up::Gap(Half::Lo, 4), data(Half::Lo, b"efgh")]);
    assert_eq!(missing(&facts, Half::Lo), (4, 0, 4), "its receiver has them: the capture dropped them");
    assert_eq!(facts.half(Half::Lo).retransmitted, 1, "what comes after all comes too late");
}

#[test]
fn a_hole_that_nobody_acknowledged_waits_for_the_retransmission() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 103, 900, Flags::ACK, b"def");
    wire.send(Half::Hi, 900, 100, Flags::ACK, b"");
    wire.time_ns += 3_000_000_000;
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"abc");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"abcdef")]);
    assert_eq!(facts.half(Half::Lo).missing_bytes, 0);
}

#[test]
fn a_question_that_the_capture_lost_is_a_gap_before_its_answer() {
    for wait_ns in [0, 200_000_000] {
        let mut wire = Wire::new();
        wire.handshake(100, 900);
        wire.send(Half::Hi, 900, 103, Flags::ACK, b"answer");
        wire.time_ns += wait_ns;
        wire.send(Half::Hi, 906, 103, Flags::ACK, b"!");
        let (facts, up) = wire.only();
        assert_eq!(up, [Up::Gap(Half::Lo, 3), data(Half::Hi, b"answer!")]);
        assert_eq!(missing(&facts, Half::Lo), (3, 0, 3));
    }
}

#[test]
fn a_lost_fin_is_no_missing_byte() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ask");
    wire.send(Half::Hi, 900, 104, Flags::ACK.with(Flags::FIN), b"");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"ask")]);
    assert_eq!(facts.half(Half::Lo).missing_bytes, 0);
}

#[test]
fn two_halves_that_each_acknowledge_what_is_missing_of_the_other_still_end() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 950, Flags::ACK, b"lo");
    wire.send(Half::Hi, 900, 150, Flags::ACK, b"hi");
    let (facts, up) = wire.only();
    assert_eq!(up.iter().filter(|up| matches!(up, Up::Data(..))).count(), 2, "{up:?}");
    assert_eq!(missing(&facts, Half::Lo), (48, 0, 48));
    assert_eq!(missing(&facts, Half::Hi), (48, 0, 48));
}

#[test]
fn what_a_snap_length_cut_is_a_gap() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    let flow = FlowKey::ipv4(([10, 0, 0, 1], 40_000), ([10, 0, 0, 2], 80)).0;
    let segment = Segment {
        flow,
        half: Half::Lo,
        sequence: 100,
        acknowledgment: 900,
        flags: Flags::ACK,
        hop_limit: 64,
        identification: 0,
        window: 1,
        header: &[],
        payload: b"GET /",
        payload_length: 300,
        origin: Origin { packet: PacketNumber(4), ..Origin::default() },
    };
    let place = wire.place(&segment);
    let ended = &mut wire.ended;
    wire.table.segment(place, &segment, &mut (), &mut |connection, ()| ended.push(connection));
    wire.send(Half::Lo, 400, 900, Flags::ACK, b"next");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"GET /"), Up::Gap(Half::Lo, 295), data(Half::Lo, b"next")]);
    assert_eq!(missing(&facts, Half::Lo), (295, 295, 0));
}

#[test]
fn what_nobody_acknowledged_is_not_laid_to_the_capture() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"ab");
    // Lost on the way: the receiver keeps asking for it, and it never comes.
    wire.send(Half::Lo, 106, 900, Flags::ACK, b"ef");
    wire.send(Half::Hi, 900, 102, Flags::ACK, b"");
    wire.send(Half::Hi, 900, 102, Flags::ACK, b"");
    wire.time_ns += 5_000_000_000;
    wire.send(Half::Hi, 900, 102, Flags::RST, b"");
    let (facts, up) = wire.only();
    assert_eq!(up, [data(Half::Lo, b"ab"), Up::Gap(Half::Lo, 4), data(Half::Lo, b"ef")]);
    assert_eq!(missing(&facts, Half::Lo), (4, 0, 0));
    assert_eq!(missing(&facts, Half::Hi), (0, 0, 0));
}

#[test]
fn a_hole_may_be_acknowledged_in_part() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    wire.send(Half::Lo, 110, 900, Flags::ACK, b"later");
    wire.send(Half::Hi, 900, 104, Flags::ACK, b"");
    let (facts, up) = wire.only();
    assert_eq!(up.iter().map(|up| matches!(up, Up::Gap(Half::Lo, 10))).filter(|is| *is).count(), 1, "{up:?}");
    assert_eq!(missing(&facts, Half::Lo), (10, 0, 4));
}

#[test]
fn one_direction_alone_says_of_no_byte_that_it_arrived() {
    let mut wire = Wire::new();
    wire.send(Half::Lo, 100, 900, Flags::SYN, b"");
    wire.send(Half::Lo, 101, 900, Flags::ACK, b"ab");
    wire.send(Half::Lo, 106, 900, Flags::ACK, b"ef");
    let (facts, _) = wire.only();
    assert_eq!(missing(&facts, Half::Lo), (3, 0, 0));
}

#[test]
fn of_two_that_wait_for_each_other_the_earlier_goes_first_and_nothing_with_it() {
    let mut wire = Wire::new();
    wire.handshake(100, 900);
    // The first ten bytes are lost. Five of them are sent again together with later ones, and so acknowledge more.
    wire.send(Half::Lo, 100, 910, Flags::ACK, b"abc");
    wire.send(Half::Hi, 905, 103, Flags::ACK, b"again and later");
    wire.send(Half::Lo, 103, 920, Flags::ACK, b"d");
    let (_, up) = wire.only();
    let expected = [
        Up::Gap(Half::Hi, 5),
        data(Half::Lo, b"abc"),
        data(Half::Hi, b"again and later"),
        data(Half::Lo, b"d"),
    ];
    assert_eq!(up, expected);
}

/// A hole that is acknowledged, a clock that is put, and a segment so long after that.
fn across_a_step(step_ns: i64, wait_ns: i64) -> Vec<Up> {
    let mut wire = Wire::new();
    wire.time_ns = 10_000_000_000_000;
    wire.handshake(100, 900);
    wire.send(Half::Lo, 106, 900, Flags::ACK, b"ef");
    wire.send(Half::Hi, 900, 108, Flags::ACK, b"");
    wire.time_ns += step_ns;
    wire.send(Half::Hi, 900, 108, Flags::ACK, b"");
    wire.time_ns += wait_ns;
    wire.send(Half::Hi, 900, 108, Flags::ACK, b"!");
    wire.send(Half::Lo, 100, 900, Flags::ACK, b"abcdXX");
    wire.only().1
}

#[test]
fn a_clock_that_is_put_back_neither_gives_up_a_hole_nor_keeps_it() {
    let filled = [data(Half::Lo, b"abcdXXef"), data(Half::Hi, b"!")];
    let given_up = [Up::Gap(Half::Lo, 6), data(Half::Lo, b"ef"), data(Half::Hi, b"!")];
    for step_ns in [0, -1, -3_000_000, -500_000_000, -3_600_000_000_000, -9_000_000_000_000] {
        assert_eq!(across_a_step(step_ns, 50_000_000), filled, "{step_ns}");
        assert_eq!(across_a_step(step_ns, 150_000_000), given_up, "{step_ns}");
    }
}

#[test]
fn two_that_wait_for_each_other_do_so_across_a_step_back() {
    for step_ns in [0, -3_600_000_000_000] {
        let mut wire = Wire::new();
        wire.time_ns = 10_000_000_000_000;
        wire.handshake(100, 900);
        // Each acknowledges what the other has not shown.
        wire.send(Half::Lo, 100, 903, Flags::ACK, b"abc");
        wire.send(Half::Hi, 900, 103, Flags::ACK, b"xyz");
        wire.time_ns += step_ns;
        for _ in 0..3 {
            wire.time_ns += 60_000_000;
            wire.send(Half::Hi, 903, 103, Flags::ACK, b"");
        }
        let place = wire.table.open().next().unwrap();
        let delivered = place.receiver().0.clone();
        assert_eq!(delivered, [data(Half::Lo, b"abc"), data(Half::Hi, b"xyz")], "{step_ns}");
    }
}
