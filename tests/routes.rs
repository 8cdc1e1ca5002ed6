//! Legs of one attempt are found and strangers are kept apart, in traffic whose truth is known: many clients at once,
//! over no proxy, one, or two, with retries on another backend, and with clients that all use one key.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use proptest::prelude::*;
use testing::PcapFile;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;
use wsinspect::model::{Capture, Outcome};
use wsinspect::pipeline::Options;
use wsinspect::protocol::{Role, accept_for};
use wsinspect::routes::{CountedOnce, MatchedBy, Route, find};

#[path = "support/facts.rs"]
mod facts;
#[path = "../src/capture/testing.rs"]
mod testing;

/// One client's attempt.
#[derive(Clone, Debug)]
struct Visit {
    /// When it begins.
    start_ms: u64,
    /// How many proxies it passes.
    proxies: u8,
    /// The first backend fails, and the last proxy asks another one.
    retries: bool,
    /// The key is one that is built into the program of several clients.
    has_common_key: bool,
    /// What the application answers.
    switches: bool,
}

/// A packet on its way into a capture: its time in microseconds, and its bytes from the IP header on.
type Packet = (u64, Vec<u8>);

fn visit() -> impl Strategy<Value = Visit> {
    (0..2_000u64, 0..3u8, any::<bool>(), prop::bool::weighted(0.3), any::<bool>()).prop_map(
        |(start_ms, proxies, retries, has_common_key, switches)| Visit {
            start_ms,
            proxies,
            retries: retries && proxies > 0,
            has_common_key,
            switches,
        },
    )
}

/// The plain requests of a session stand beside its WebSocket, on the client's side only; a session that has none has none.
#[test]
fn plain_requests_of_a_session_are_found_beside_its_websocket() {
    let polling = |name: &str| {
        let path = format!("{}/captures/{name}/proxy-any.pcap", env!("CARGO_MANIFEST_DIR"));
        let mut source = facts::open(std::fs::read(path).unwrap()).unwrap();
        let capture = facts::read_from(&mut source, Options::default());
        let routes = find(&capture);
        let counts = |route: &Route| {
            route.polling.as_ref().map(|it| (it.before, it.after, it.refused, it.connections))
        };
        routes.iter().map(counts).collect::<Vec<_>>()
    };
    // One that opens the session has no name yet and is not counted.
    assert_eq!(polling("socketio-sticky"), [Some((1, 2, 0, 3))]);
    assert_eq!(polling("socketio-polling"), [Some((1, 12, 0, 13))]);
    assert_eq!(polling("socketio-scattered"), [Some((1, 1, 2, 2)), Some((1, 1, 2, 2))]);
    assert_eq!(polling("signalr"), [Some((1, 0, 0, 1))]);
    assert_eq!(polling("sockjs"), [None]);
    assert_eq!(polling("chat"), [None]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn routes_are_what_was_sent(visits in prop::collection::vec(visit(), 1..40)) {
        let mut packets = Vec::new();
        let mut truth = BTreeSet::new();
        for (number, visit) in visits.iter().enumerate() {
            truth.insert(play(visit, number, &mut packets));
        }
        let capture = written(packets);
        let (routes, found) = routes(&capture);
        prop_assert_eq!(found, truth);
        // Each visitor counts his attempt once, by the answer that he got.
        let counted = CountedOnce::new(&capture, &routes);
        let switched = visits.iter().filter(|visit| visit.switches).count() as u64;
        prop_assert_eq!(counted.totals.attempts_total(), visits.len() as u64);
        prop_assert_eq!(counted.totals.attempts_with(Outcome::Established), switched);
        let legs: usize = routes.iter().map(|route| route.legs.len()).sum();
        prop_assert_eq!(counted.seen_on, (legs > visits.len()).then_some(legs as u64));
    }
}

#[test]
fn a_retry_hangs_below_the_same_leg_as_the_try_before() {
    let visit = Visit { start_ms: 0, proxies: 1, retries: true, has_common_key: false, switches: true };
    let mut packets = Vec::new();
    play(&visit, 0, &mut packets);
    let capture = written(packets);
    let [route] = find(&capture).try_into().unwrap();
    let from: Vec<Option<usize>> =
        route.legs.iter().map(|leg| leg.hop.as_ref().map(|hop| hop.from)).collect();
    assert_eq!((from, route.matched_by), (vec![None, Some(0), Some(0)], Some(MatchedBy::Key)));
}

/// A connection with two attempts is one, and attempts of which some legs were not kept are counted by connection.
#[test]
fn connections_with_several_attempts_are_counted_once() {
    let path = format!("{}/captures/apache-reused-connection/proxy-any.pcap", env!("CARGO_MANIFEST_DIR"));
    let mut source = facts::open(std::fs::read(path).unwrap()).unwrap();
    let mut capture = facts::read_from(&mut source, Options::default());
    let routes = find(&capture);
    let counted = CountedOnce::new(&capture, &routes);
    assert_eq!((counted.totals.attempts_total(), counted.seen_on), (2, Some(3)));
    *capture.totals.attempts.entry(Outcome::Refused).or_default() += 1;
    let counted = CountedOnce::new(&capture, &routes);
    assert_eq!((counted.totals.attempts, counted.seen_on), (capture.totals.attempts, None));
}

type Address = (Ipv4Addr, u16);

/// Connections, each from one address to another, that open at the same moment and ask a little later.
fn ask_at_once(ends: &[(Address, Address)], keys: &[&str], packets: &mut Vec<Packet>) {
    let mut legs: Vec<Leg> = Vec::new();
    for (at, (client, server)) in (0..).zip(ends) {
        legs.push(Leg::open(*client, *server, at * 20, packets));
    }
    for ((at, leg), key) in (0..).zip(&mut legs).zip(keys) {
        leg.say(true, 300 + at * 20, &request(key, Ipv4Addr::new(10, 0, 0, 1), false), packets);
    }
    for ((at, leg), key) in (0..).zip(legs.iter_mut().rev()).zip(keys.iter().rev()) {
        leg.say(false, 2_000 + at * 20, &answer(false, key), packets);
    }
}

#[test]
fn a_connection_whose_addresses_are_translated_is_one_attempt_and_no_proxy() {
    let (visitor, host, container) =
        (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(172, 17, 0, 2));
    let gateway = Ipv4Addr::new(172, 17, 0, 1);
    for (client, server) in
        [(visitor, (container, 3000)), (gateway, (container, 3000)), (gateway, (host, 80))]
    {
        let mut packets = Vec::new();
        let ends = [((visitor, 50_000), (host, 80)), ((client, 50_000), server)];
        ask_at_once(&ends, &["AAAAAAAAAAAAAAAAA0001A=="; 2], &mut packets);
        let capture = written(packets);
        let [route] = find(&capture).try_into().unwrap();
        assert_eq!(route.legs.len(), 2);
        assert!(route.legs[1].hop.as_ref().unwrap().is_translation);
    }
}

#[test]
fn requests_that_only_look_alike_are_strangers() {
    let (one, other) = ((Ipv4Addr::new(10, 9, 0, 1), 3000), (Ipv4Addr::new(10, 9, 0, 2), 3000));
    let client = Ipv4Addr::new(10, 0, 0, 1);
    let sample = "dGhlIHNhbXBsZSBub25jZQ==";
    for keys in [
        // A host that asks two servers at once with the key of RFC 6455.
        [sample, sample],
        // A proxy that asks two servers for two clients with one browser.
        ["AAAAAAAAAAAAAAAAA0001A==", "AAAAAAAAAAAAAAAAA0002A=="],
    ] {
        let mut packets = Vec::new();
        ask_at_once(&[((client, 50_000), one), ((client, 50_001), other)], &keys, &mut packets);
        assert_eq!(find(&written(packets)).len(), 2, "{keys:?}");
    }
}

#[test]
fn without_handshakes_the_same_frames_tell() {
    let mut packets = Vec::new();
    for (number, shift_us) in [(0u8, 0), (1, 500)] {
        let ends = [
            ((Ipv4Addr::new(10, 0, 0, number), 50_000), (Ipv4Addr::new(10, 1, 0, 1), 80)),
            ((Ipv4Addr::new(10, 2, 0, 1), 40_000 + u16::from(number)), (Ipv4Addr::new(10, 9, 0, 1), 3000)),
        ];
        for (side, (client, server)) in ends.into_iter().enumerate() {
            let mut sequence = 77;
            for frame in 0..4u8 {
                let time = u64::from(frame) * 10_000 + shift_us + side as u64 * 100;
                let masked = [0x81, 0x82, 9, number, frame, 7, b'a' ^ 9, b'b' ^ number];
                let mut packet = Vec::new();
                PacketBuilder::ipv4(client.0.octets(), server.0.octets(), 64)
                    .tcp(client.1, server.1, sequence, 64_000)
                    .ack(1)
                    .write(&mut packet, &masked)
                    .unwrap();
                sequence += 8;
                packets.push((time, packet));
            }
        }
    }
    let (routes, found) = routes(&written(packets));
    assert!(routes.iter().all(|route| route.matched_by == Some(MatchedBy::Bytes)), "{routes:?}");
    let legs = |number: u8| {
        let upstream = format!("10.2.0.1:{}", 40_000 + u32::from(number));
        vec![format!("10.0.0.{number}:50000"), upstream]
    };
    assert_eq!(found, BTreeSet::from([legs(0), legs(1)]));
}

/// The routes of a capture, and each as the clients of its legs.
fn routes(capture: &Capture) -> (Vec<Route>, BTreeSet<Vec<String>>) {
    let routes = find(capture);
    let client = |connection: usize| capture.connections[connection].endpoint(Role::Client).to_string();
    let legs = routes.iter().map(|route| route.legs.iter().map(|leg| client(leg.connection)).collect());
    let legs = legs.collect();
    (routes, legs)
}

/// Puts the packets of a visit into the capture; the clients of its legs, the visitor first.
fn play(visit: &Visit, number: usize, packets: &mut Vec<Packet>) -> Vec<String> {
    let number = u16::try_from(number).unwrap();
    let key = if visit.has_common_key {
        "dGhlIHNhbXBsZSBub25jZQ==".to_owned()
    } else {
        format!("AAAAAAAAAAAAAAAAA{number:04}A==")
    };
    let visitor = Ipv4Addr::new(10, 0, 0, number.to_be_bytes()[1]);
    // The proxies in a row, each with an address on both sides, and the application behind them.
    let servers = [Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 1, 1, 1)];
    let application = (Ipv4Addr::new(10, 9, 0, 1), 3000);
    let mut ends = Vec::new();
    let mut client = (visitor, 50_000 + number);
    for proxy in 0..visit.proxies {
        let server = servers[usize::from(proxy)];
        ends.push((client, (server, 80)));
        client = (Ipv4Addr::new(10, 2, proxy, 1), 40_000 + number);
    }
    ends.push((client, application));
    let mut begins = visit.start_ms * 1000;
    let mut legs: Vec<Leg> = Vec::new();
    for (client, server) in ends {
        legs.push(Leg::open(client, server, begins, packets));
        let ask = request(&key, visitor, legs.len() > 1);
        legs.last_mut().unwrap().say(true, begins + 300, &ask, packets);
        begins += 1000;
    }
    let mut told: Vec<String> = legs.iter().map(Leg::name).collect();
    if visit.retries {
        // The last proxy's first backend closes without an answer, and it asks the next one.
        let first = legs.pop().unwrap();
        first.end(begins, packets);
        let client = (first.client.0, first.client.1 + 10_000);
        let mut second = Leg::open(client, (Ipv4Addr::new(10, 9, 0, 2), 3000), begins + 500, packets);
        second.say(true, begins + 900, &request(&key, visitor, true), packets);
        told.push(second.name());
        legs.push(second);
        begins += 1500;
    }
    let answer = answer(visit.switches, &key);
    for leg in legs.iter_mut().rev() {
        leg.say(false, begins, &answer, packets);
        begins += 1000;
    }
    told
}

/// One connection in the making.
struct Leg {
    client: (Ipv4Addr, u16),
    server: (Ipv4Addr, u16),
    next: [u32; 2],
}

impl Leg {
    fn open(client: (Ipv4Addr, u16), server: (Ipv4Addr, u16), time: u64, packets: &mut Vec<Packet>) -> Self {
        let mut leg = Self { client, server, next: [100, 900] };
        leg.send(true, time, true, false, b"", packets);
        leg.send(false, time + 100, true, false, b"", packets);
        leg
    }

    fn say(&mut self, by_client: bool, time: u64, payload: &str, packets: &mut Vec<Packet>) {
        self.send(by_client, time, false, false, payload.as_bytes(), packets);
    }

    fn end(&self, time: u64, packets: &mut Vec<Packet>) {
        let mut leg = Self { ..*self };
        leg.send(false, time, false, true, b"", packets);
        leg.send(true, time + 50, false, true, b"", packets);
    }

    fn name(&self) -> String {
        format!("{}:{}", self.client.0, self.client.1)
    }

    fn send(
        &mut self,
        by_client: bool,
        time: u64,
        syn: bool,
        fin: bool,
        payload: &[u8],
        packets: &mut Vec<Packet>,
    ) {
        let (mine, other) = if by_client { (0, 1) } else { (1, 0) };
        let (from, to) = if by_client { (self.client, self.server) } else { (self.server, self.client) };
        let mut builder = PacketBuilder::ipv4(from.0.octets(), to.0.octets(), 64).tcp(
            from.1,
            to.1,
            self.next[mine],
            64_000,
        );
        if syn {
            builder = builder.syn();
        }
        if fin {
            builder = builder.fin();
        }
        if !(syn && by_client) {
            builder = builder.ack(self.next[other]);
        }
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        packets.push((time, packet));
        self.next[mine] += u32::try_from(payload.len()).unwrap() + u32::from(syn) + u32::from(fin);
    }
}

/// A request of a visitor; proxies say for whom they ask.
fn request(key: &str, visitor: Ipv4Addr, is_forwarded: bool) -> String {
    let forwarded = if is_forwarded { format!("X-Forwarded-For: {visitor}\r\n") } else { String::new() };
    format!(
        "GET /ws HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{forwarded}\r\n"
    )
}

fn answer(switches: bool, key: &str) -> String {
    if switches {
        let accept = accept_for(key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    } else {
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()
    }
}

fn written(mut packets: Vec<Packet>) -> Capture {
    packets.sort_by_key(|(time, _)| *time);
    let mut file = PcapFile::new(false, false, 65_535, 101);
    for (time, packet) in &packets {
        file.packet(
            u32::try_from(time / 1_000_000).unwrap(),
            u32::try_from(time % 1_000_000).unwrap(),
            packet,
        );
    }
    facts::read_from(&mut facts::open(file.bytes).unwrap(), Options::default())
}
