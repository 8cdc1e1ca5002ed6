//! Windows of permessage-deflate: RFC 7692 section 7.1.2.

use super::*;

/// Letters without a pattern: a simple generator of numbers makes them.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b'a' + u8::try_from(state % 26).unwrap()
    };
    (0..length).map(|_| next()).collect()
}

/// What comes again after so many bytes, and in between nothing that lies more than a byte back.
fn far(distance: usize) -> Vec<u8> {
    let again: Vec<u8> = noise(1, 40).iter().map(u8::to_ascii_uppercase).collect();
    [&again[..], &vec![b'0'; distance - again.len()], &again].concat()
}

fn offered(side: Role, bits: u8) -> String {
    format!("{DEFLATE}; {}_max_window_bits={bits}", side.name())
}

/// What stood in the way of messages that were compressed with a window, where another one was agreed on.
fn told(agreed: u8, used: u8, takes_over: bool, messages: &[Vec<u8>]) -> Vec<Option<Obstacle>> {
    let told = [Role::Client, Role::Server].map(|by| {
        let mut deflater = Deflater::new(takes_over, used);
        let send = |message: &Vec<u8>| match by {
            Role::Client => masked(0xc2, deflater.message(message)),
            Role::Server => plain(0xc2, deflater.message(message)),
        };
        let events: Vec<Event> = messages.iter().map(send).collect();
        let no_takeover =
            if takes_over { String::new() } else { format!("; {}_no_context_takeover", by.name()) };
        let facts = session_once(&[offered(by, agreed), no_takeover].concat(), &events);
        // They are read all the same.
        let found: Vec<&[u8]> = super::messages(&facts).iter().map(|it| &*it.payload).collect();
        assert_eq!(found, messages);
        assert!(super::messages(&facts).iter().all(|it| it.length == Some(it.payload.len() as u64)));
        let told: Vec<Option<Obstacle>> = super::messages(&facts).iter().map(|it| it.obstacle).collect();
        let beyond = told.iter().filter(|obstacle| obstacle.is_some()).count() as u64;
        assert_eq!(decoded(&facts).role(by).beyond_window.count, beyond);
        assert_eq!(decoded(&facts).role(by.other()).beyond_window.count, 0);
        told
    });
    assert_eq!(told[0], told[1], "{agreed} bits agreed, {used} used");
    told[0].clone()
}

#[test]
fn a_sender_with_a_larger_window_than_agreed_is_told() {
    for agreed in 8..=15_u8 {
        for used in 9..=15 {
            for distance in [200, 300, 700, 1_200, 2_300, 4_500, 9_000, 17_000, 32_000] {
                let message = far(distance);
                // zlib looks back at most so far.
                let is_found = distance <= (1 << used) - 262;
                let is_beyond = is_found && distance > 1 << agreed.max(9);
                let expected = is_beyond.then_some(Obstacle::BeyondWindow);
                let found = told(agreed, used, true, std::slice::from_ref(&message));
                assert_eq!(found, [expected], "{agreed} bits agreed, {used} used, {distance} bytes back");
            }
        }
    }
}

#[test]
fn who_keeps_within_the_window_is_told_nothing() {
    let messages: Vec<Vec<u8>> = [(1, 5_000), (1, 5_000), (2, 40_000), (1, 300), (1, 300), (2, 100_000)]
        .into_iter()
        .map(|(seed, length)| noise(seed, length))
        .collect();
    for bits in 8..=15_u8 {
        for takes_over in [true, false] {
            assert_eq!(told(bits, bits.max(9), takes_over, &messages), [None; 6], "{bits}");
        }
    }
}

#[test]
fn the_window_goes_over_messages_only_if_it_is_taken_over() {
    // Each is short; the third one repeats the first one, which lies 600 bytes back.
    let messages: Vec<Vec<u8>> = [1, 2, 1].map(|seed| noise(seed, 600)).into();
    let beyond = Some(Obstacle::BeyondWindow);
    assert_eq!(told(9, 15, true, &messages), [None, None, beyond]);
    assert_eq!(told(11, 15, true, &messages), [None, None, None]);
    assert_eq!(told(9, 15, false, &messages), [None, None, None]);
    // A message after it that keeps within the window is as it must be.
    let messages = [messages, vec![noise(3, 100)]].concat();
    assert_eq!(told(9, 15, true, &messages), [None, None, beyond, None]);
}

#[test]
fn cuts_and_gaps_change_nothing() {
    let mut deflater = Deflater::new(true, 15);
    let sent = [far(900), noise(3, 50), far(900)].map(|message| deflater.message(&message));
    let extension = offered(Role::Server, 9);
    let whole = [plain(0xc2, &sent[0]), plain(0xc2, &sent[1]), plain(0xc2, &sent[2])];
    let beyond: Vec<bool> = messages(&session(&extension, &whole))
        .iter()
        .map(|it| it.obstacle == Some(Obstacle::BeyondWindow))
        .collect();
    assert_eq!(beyond, [true, false, true]);
    // What the capture lacks is not the sender's fault. The header is as short as it can be.
    assert!(sent[0].len() < 126);
    let lost = [
        Event::Lost(Role::Server, u64::try_from(sent[0].len()).unwrap() + 2),
        plain(0xc2, &sent[1]),
        plain(0xc2, &sent[2]),
    ];
    let facts = session_once(&extension, &lost);
    let server = &decoded(&facts).server;
    assert_eq!((server.beyond_window.count, server.deflate_failed.count), (0, 0));
}
