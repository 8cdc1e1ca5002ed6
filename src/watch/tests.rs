//! What is told of a capture that goes on is what is found in it afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::capture::{CaptureFile, PacketMeta, Source};
use crate::diagnosis::{Finding, Selection, diagnose};
use crate::model::Keeps;
use crate::pipeline::analyse;

/// Every packet of a capture as a block of its own.
fn blocks(path: &Path) -> Vec<Block> {
    let (mut file, mut block) = (CaptureFile::open(path).unwrap(), Block::default());
    let mut blocks = Vec::new();
    while file.next_block(&mut block).unwrap() {
        for packet in &block.packets {
            let bytes = block.captured(packet).to_vec();
            let packets = vec![PacketMeta { start: 0, ..*packet }];
            let first = PacketNumber(blocks.len() as u64 + 1);
            blocks.push(Block { bytes, packets, first, ..Block::default() });
        }
    }
    blocks
}

/// A capture that goes on, and somebody who judges it and is so often too busy to.
struct Watched {
    watch: Watch,
    judge: Judge,
    /// Each judgment takes so many looks.
    slowness: usize,
    judged: Option<(usize, Judged)>,
}

impl std::ops::Deref for Watched {
    type Target = Watch;

    fn deref(&self) -> &Watch {
        &self.watch
    }
}

impl std::ops::DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Watch {
        &mut self.watch
    }
}

impl Watched {
    /// What happened and what was judged.
    fn look(&mut self) -> Vec<Event> {
        let mut events = self.watch.events();
        if let Some((looks, _)) = &mut self.judged {
            *looks = looks.saturating_sub(1);
        }
        if let Some((_, judged)) = self.judged.take_if(|(looks, _)| *looks == 0) {
            events.extend(self.watch.judged(judged));
        }
        if self.judged.is_none() {
            let judged = self.watch.task().map(|task| self.judge.judge(task));
            match judged {
                Some(judged) if self.slowness == 0 => events.extend(self.watch.judged(judged)),
                judged => self.judged = judged.map(|judged| (self.slowness, judged)),
            }
        }
        events
    }

    /// What comes of the end.
    fn finish(&mut self) -> Vec<Event> {
        let judged = self.judged.take();
        let mut events = judged.map(|(_, judged)| self.watch.judged(judged)).unwrap_or_default();
        events.extend(self.watch.end());
        while let Some(task) = self.watch.task() {
            let judged = self.judge.judge(task);
            events.extend(self.watch.judged(judged));
        }
        events
    }
}

fn watch() -> Watched {
    slow_watch(0)
}

fn slow_watch(slowness: usize) -> Watched {
    let judge = Judge::new(Selection::default(), false);
    Watched { watch: Watch::new(Options::default(), true), judge, slowness, judged: None }
}

/// What is told of a capture, when it is looked at after each packet.
fn told(path: &Path, slowness: usize) -> Vec<Event> {
    let mut watch = slow_watch(slowness);
    let mut events = Vec::new();
    for block in blocks(path) {
        watch.read(&block);
        events.extend(watch.look());
    }
    events.extend(watch.finish());
    assert!(watch.finish().is_empty());
    events
}

fn captures() -> Vec<std::path::PathBuf> {
    let files = |folder: &Path| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let folders = files(Path::new("captures")).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<_> = folders.flat_map(|folder| files(&folder)).collect();
    found.retain(|path| path.to_str().unwrap().contains(".pcap"));
    found.sort();
    assert!(found.len() > 50);
    found
}

/// Rule and packets of findings. Names of products are left out: what tells one may come after the finding.
fn shown<'a>(findings: impl Iterator<Item = &'a Finding>) -> BTreeSet<String> {
    findings
        .map(|finding| format!("{} {:?} {}", finding.rule.code, finding.packets, finding.headline))
        .collect()
}

#[test]
fn every_shipped_capture_is_judged_the_same() {
    every_capture_is_judged_the_same(0);
}

#[test]
fn the_same_by_who_is_slow() {
    every_capture_is_judged_the_same(7);
}

fn every_capture_is_judged_the_same(slowness: usize) {
    let mut different = Vec::new();
    for path in captures() {
        let options = Options { keeps: Keeps::Connections, ..Options::default() };
        let capture = analyse(&mut CaptureFile::open(&path).unwrap(), None, options, |_| {}).unwrap();
        let expected = shown(diagnose(&capture, &Selection::default(), false).findings.iter());
        let events = told(&path, slowness);
        let found = events.iter().filter_map(|event| match event {
            Event::Found(found) => Some(&found.finding),
            _ => None,
        });
        let found = shown(found);
        if found != expected {
            different.push(format!("{}\n  read {expected:#?}\n  live {found:#?}", path.display()));
        }
        let diagnosis = diagnose(&capture, &Selection::default(), false);
        let end = capture.totals.first_and_last.unwrap().1;
        let mut expected: Vec<(Outcome, Option<&str>)> = Vec::new();
        for (place, route) in diagnosis.routes.iter().enumerate() {
            let client = capture.connections.get(route.legs[0].connection).unwrap();
            let outcome = Outcome::of(&client.attempts[route.legs[0].attempt], client, end);
            let rule = diagnosis.on_route(place).next().map(|finding| finding.rule.name);
            // What breaks a session is not known when the session begins.
            expected.push((outcome, rule.filter(|_| outcome.is_failure())));
        }
        let mut attempted: Vec<(Outcome, Option<&str>)> = Vec::new();
        for event in &events {
            if let Event::Attempted(it) = event {
                let rule = it.rule.map(|rule| rule.name);
                attempted.push((it.outcome, rule.filter(|_| it.outcome.is_failure())));
            }
        }
        expected.sort_unstable();
        attempted.sort_unstable();
        if attempted != expected {
            different.push(format!("{}\n  read {expected:?}\n  live {attempted:?}", path.display()));
        }
        let handshakes = events.iter().filter(|event| matches!(event, Event::Handshake { .. })).count();
        assert_eq!(handshakes as u64, capture.totals.attempts_total(), "{}", path.display());
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// The packets of a block so much later, and so many further on.
fn later(block: &Block, span: Span, packets: u64) -> Block {
    let packet = |packet: &PacketMeta| PacketMeta { time: packet.time.after(span), ..*packet };
    Block {
        bytes: block.bytes.clone(),
        packets: block.packets.iter().map(packet).collect(),
        first: PacketNumber(block.first.0 + packets),
        ..Block::default()
    }
}

#[test]
fn what_is_over_is_let_go() {
    let blocks = blocks(Path::new("captures/nginx-nothing-configured/proxy-any.pcap"));
    let (mut watch, mut found, mut kept) = (watch(), Vec::new(), Vec::new());
    for round in 0..60 {
        let span = Span::from_millis(round * 100_000);
        for block in &blocks {
            watch.read(&later(block, span, u64::try_from(round).unwrap() * blocks.len() as u64));
            found.extend(watch.look().into_iter().filter(|event| matches!(event, Event::Found(_))));
        }
        // The clock goes on where no packet comes.
        for _ in 0..2 {
            let later = watch.now().after(Span::from_millis(3_000));
            watch.wait_until(later);
            found.extend(watch.look().into_iter().filter(|event| matches!(event, Event::Found(_))));
        }
        kept.push((watch.judge.window.len(), watch.judge.told.legs.len(), watch.due.len()));
    }
    // One round in the window, since no two have the same keys, and no more.
    assert!(kept[4..].iter().all(|later| *later == kept[4]), "{kept:?}");
    assert!(kept[4].0 <= 12, "{kept:?}");
    found.extend(watch.finish().into_iter().filter(|event| matches!(event, Event::Found(_))));
    let mut codes = BTreeMap::new();
    for event in &found {
        let Event::Found(found) = event else { continue };
        *codes.entry((found.finding.rule.code, found.legs.len())).or_insert(0) += 1;
    }
    assert_eq!(codes, BTreeMap::from([(("WS201", 2), 2 * 60)]), "each finding once");
    assert_eq!(watch.totals().attempts_total(), 4 * 60);
}

#[test]
fn what_is_about_several_is_told_once_however_many_more_come_or_are_forgotten() {
    let [several, others] = ["mixed-backends/proxy-any.pcap", "chat/client-eth.pcap"]
        .map(|name| blocks(&Path::new("captures").join(name)));
    let mut watch = watch();
    let mut packets = 0;
    let mut play = |watch: &mut Watched, blocks: &[Block], seconds: i64| {
        let start = several[0].packets[0].time.since(blocks[0].packets[0].time);
        let span = Span::from_nanos(start.as_nanos() + seconds * 1_000_000_000);
        let mut told = Vec::new();
        for block in blocks {
            watch.read(&later(block, span, packets));
            told.extend(watch.look());
        }
        packets += blocks.len() as u64;
        told.retain(|event| matches!(event, Event::Found(it) if it.finding.rule.name == "mixed-backends"));
        told.len()
    };
    let mut found = 0;
    for seconds in (0..60).step_by(10) {
        found += play(&mut watch, &several, seconds);
    }
    assert_eq!(found, 1, "though some of it is always too young");
    // Others come and go while those leave the window, one round after the other.
    let again: usize = (64..200).step_by(4).map(|seconds| play(&mut watch, &others, seconds)).sum();
    assert_eq!(again, 0);
}

#[test]
fn what_is_old_goes_though_nothing_is_due() {
    let blocks = blocks(Path::new("captures/nginx-nothing-configured/proxy-any.pcap"));
    let mut watch = watch();
    for block in &blocks {
        watch.read(block);
        watch.look();
    }
    let seconds = |watch: &mut Watched, seconds: i64| {
        for _ in 0..seconds {
            let later = watch.now().after(Span::from_millis(1_000));
            watch.wait_until(later);
            watch.look();
        }
    };
    seconds(&mut watch, 10);
    assert!(watch.kept > 0 && watch.kept == watch.judge.window.len());
    seconds(&mut watch, 80);
    assert_eq!((watch.kept, watch.judge.window.len()), (0, 0));
    assert!(watch.task().is_none());
}

#[test]
fn while_somebody_judges_no_more_waits_than_may() {
    let mut watch = Watch::new(Options::default(), true);
    for block in blocks(Path::new("captures/nginx-nothing-configured/proxy-any.pcap")) {
        watch.read(&block);
    }
    let mut ended = watch.following.end().into_iter().find_map(|happened| match happened {
        Happened::Ended(connection) if !connection.attempts.is_empty() => Some(connection),
        _ => None,
    });
    let now = watch.now();
    for name in 0..LIVE_CONNECTIONS as u64 + 100 {
        ended.as_mut().unwrap().tcp.opening.first.packet = PacketNumber(name);
        watch.note(&Happened::Ended(ended.clone().unwrap()), now);
        if name % 1_000 == 0 {
            watch.events();
        }
    }
    watch.events();
    assert_eq!((watch.ended.len(), watch.unjudged()), (LIVE_CONNECTIONS, 100));
    // It does not wait for its time when there is so much.
    watch.next_judgment = now.after(Span::from_millis(60_000));
    assert!(watch.task().is_none(), "nothing is due");
    watch.wait_until(now.after(LIVE_SETTLING));
    let task = watch.task().unwrap();
    let names = |from: u64, to: u64| (from..to).map(PacketNumber);
    assert_eq!((task.ended.len(), watch.ended.len()), (LIVE_CONNECTIONS, 0));
    assert!(task.forgotten.into_iter().eq(names(0, 100)));
    assert!(task.ready.into_iter().eq(names(0, LIVE_CONNECTIONS as u64 + 100)));
    assert!(watch.task().is_none());
}

#[test]
fn nothing_is_kept_for_who_does_not_judge() {
    let mut watch = Watch::new(Options::default(), false);
    for block in blocks(Path::new("captures/nginx-nothing-configured/proxy-any.pcap")) {
        watch.read(&block);
        watch.events();
    }
    assert!(!watch.end().is_empty());
    assert!(watch.task().is_none() && watch.ended.len() == 0 && watch.due.is_empty());
}

#[test]
fn silent_connections_expire() {
    let path = Path::new("captures/chat/client-eth.pcap");
    let mut watch = watch();
    let blocks = blocks(path);
    // Up to the answer: the session is open.
    for block in &blocks[..8] {
        watch.read(block);
    }
    let ended = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Ended(_))).count();
    let hours = |hours: i64| Span::from_millis(hours * 60 * 60 * 1_000);
    let start = watch.now();
    watch.wait_until(start.after(hours(1)));
    assert_eq!(ended(&watch.look()), 0);
    watch.wait_until(start.after(hours(3)));
    let events = watch.look();
    assert_eq!(ended(&events), 1);
    assert!(matches!(&events[..], [.., Event::Ended(connection)] if connection.tcp.evicted));
    assert_eq!(watch.totals().tcp.connections_expired, 1);
    // The time does not go back.
    watch.wait_until(start);
    assert_eq!(watch.now(), start.after(hours(3)));
}

#[test]
fn an_attempt_without_an_answer_is_told_when_it_waited_for_long() {
    let blocks = blocks(Path::new("captures/chat/client-eth.pcap"));
    let mut watch = watch();
    for block in &blocks[..6] {
        watch.read(block);
    }
    assert!(watch.look().is_empty());
    let later = watch.now().after(Span::from_millis(61_000));
    watch.wait_until(later);
    let events = watch.look();
    assert!(matches!(&events[..], [Event::Handshake { outcome: Outcome::Unanswered, .. }]), "{events:?}");
    assert!(watch.look().is_empty(), "it is told once");
}

/// A capture in which the clock is put by so much in the middle, as it is told of it: what came before that, and after
/// it. Connections that have closed when the clock is put wait to be told if it is put at once.
fn told_across_a_step(by: Span, at_once: bool) -> (Vec<Event>, Vec<Event>) {
    let path = Path::new("captures/nginx-nothing-configured/proxy-any.pcap");
    let mut watch = watch();
    let (before, after) = (blocks(path), blocks(path));
    let (first, count) = (before[0].packets[0].time, before.len() as u64);
    let end = |watch: &mut Watched, mut time: Timestamp| {
        // Nothing comes, and time goes by.
        let mut events = Vec::new();
        for _ in 0..80 {
            watch.wait_until(time);
            time = time.after(Span::from_millis(100));
            events.extend(watch.look());
        }
        events
    };
    let mut told = Vec::new();
    for block in before {
        watch.read(&block);
        told.extend(watch.look());
    }
    if !at_once {
        let last = watch.now();
        told.extend(end(&mut watch, last));
    }
    // One that waits for its answer when the clock is put.
    let start = watch.now().after(by);
    watch.clock_stepped(start);
    assert_eq!(watch.now(), start);
    if at_once {
        told.extend(end(&mut watch, start));
    }
    let start = watch.now();
    let mut later = Vec::new();
    for mut block in after {
        block.first = PacketNumber(block.first.0 + count);
        for packet in &mut block.packets {
            packet.time = start.after(packet.time.since(first));
        }
        watch.read(&block);
        later.extend(watch.look());
    }
    let last = watch.now();
    later.extend(end(&mut watch, last));
    (told, later)
}

#[test]
fn a_clock_that_is_put_stops_nothing() {
    let rules = |events: &[Event]| {
        let mut rules = Vec::new();
        for event in events {
            match event {
                Event::Found(found) => rules.push(found.finding.rule.name),
                Event::Attempted(attempted) => rules.push(attempted.outcome.name()),
                Event::Ended(_) => rules.push("ended"),
                Event::Handshake { .. } => rules.push("handshake"),
            }
        }
        rules.sort_unstable();
        rules
    };
    let (usual, same) = told_across_a_step(Span::from_millis(1), false);
    assert_eq!(rules(&usual), rules(&same));
    assert!(rules(&usual).contains(&"upgrade-stripped"));
    for (hours, at_once) in [(-100, false), (-3, false), (3, false), (100, false), (-100, true), (3, true)] {
        let (before, after) = told_across_a_step(Span::from_millis(hours * 3_600_000), at_once);
        assert_eq!(rules(&before), rules(&usual), "{hours} h");
        assert_eq!(rules(&after), rules(&usual), "{hours} h");
    }
}

#[test]
fn a_request_that_waits_when_the_clock_is_put_forward_is_not_unanswered() {
    let path = Path::new("captures/nginx-nothing-configured/proxy-any.pcap");
    let mut watch = watch();
    for block in blocks(path).into_iter().take(7) {
        watch.read(&block);
    }
    let stepped = watch.now().after(Span::from_millis(3 * 3_600_000));
    watch.clock_stepped(stepped);
    assert_eq!(watch.look().len(), 0);
    watch.wait_until(stepped.after(Span::from_millis(61_000)));
    let events = watch.look();
    assert!(events.iter().any(|event| matches!(event, Event::Handshake { .. })), "{events:?}");
}

/// A connection to a Socket.IO server that stays open, as packets.
struct Polling {
    port: u16,
    sent: [u32; 2],
}

impl Polling {
    const fn new(port: u16) -> Self {
        Self { port, sent: [1, 1] }
    }

    /// A request, and its answer at once, so many seconds after the beginning.
    fn ask(&mut self, watch: &mut Watched, seconds: i64, request: &str, answer: &str) -> Vec<Event> {
        let mut events = Vec::new();
        if self.sent == [1, 1] {
            for (is_client, flags) in [(true, "S"), (false, "SA"), (true, "A")] {
                events.extend(self.packet(watch, seconds, (is_client, flags), ""));
            }
        }
        events.extend(self.packet(watch, seconds, (true, "A"), request));
        events.extend(self.packet(watch, seconds, (false, "A"), answer));
        events
    }

    fn close(&mut self, watch: &mut Watched, seconds: i64) -> Vec<Event> {
        self.packet(watch, seconds, (true, "R"), "")
    }

    fn packet(&mut self, watch: &mut Watched, seconds: i64, how: (bool, &str), payload: &str) -> Vec<Event> {
        let (is_client, flags) = how;
        let (client, server) = ([10, 77, 1, 2], [10, 77, 1, 1]);
        let [sent, acknowledged] = if is_client { [0, 1] } else { [1, 0] }.map(|side: usize| self.sent[side]);
        let opens = u32::from(flags.contains('S'));
        let builder = if is_client {
            etherparse::PacketBuilder::ipv4(client, server, 64).tcp(self.port, 80, sent - opens, 64_000)
        } else {
            etherparse::PacketBuilder::ipv4(server, client, 64).tcp(80, self.port, sent - opens, 64_000)
        };
        let builder = if opens > 0 { builder.syn() } else { builder };
        let builder = if flags.contains('A') { builder.ack(acknowledged) } else { builder };
        let builder = if flags.contains('R') { builder.rst() } else { builder };
        let mut bytes = Vec::new();
        builder.write(&mut bytes, payload.as_bytes()).unwrap();
        self.sent[usize::from(!is_client)] += u32::try_from(payload.len()).unwrap();
        let length = u32::try_from(bytes.len()).unwrap();
        let time = Timestamp::from_nanos(seconds * 1_000_000_000);
        let meta = PacketMeta {
            time,
            start: 0,
            captured: length,
            original: length,
            link: crate::capture::LinkType(101),
        };
        let first = PacketNumber(watch.following.counted().packets + 1);
        watch.read(&Block { bytes, packets: vec![meta], first, ..Block::default() });
        watch.look()
    }
}

const POLL: &str = "GET /socket.io/?EIO=4&transport=polling&sid=abcd HTTP/1.1\r\nHost: a\r\n\r\n";
const MESSAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2";
const REFUSED: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";

/// Which rules found something, how bad that is, and when.
fn rules(events: Vec<Event>, seconds: i64) -> Vec<(i64, &'static str, &'static str)> {
    let found = |event| match event {
        Event::Found(it) => Some((seconds, it.finding.rule.name, it.finding.severity.name())),
        _ => None,
    };
    events.into_iter().filter_map(found).collect()
}

/// What is told of a session that polls for ten minutes, each request on a connection that stays open for so long, with a
/// WebSocket attempt at its beginning or without.
fn told_of_polling(has_attempt: bool, connection_lasts: i64) -> Vec<(i64, &'static str, &'static str)> {
    let mut watch = watch();
    let (mut told, mut polling) = (Vec::new(), Polling::new(50_000));
    for seconds in (0..600).step_by(25) {
        if seconds % connection_lasts == 0 && seconds > 0 {
            told.extend(rules(polling.close(&mut watch, seconds), seconds));
            polling = Polling::new(polling.port + 1);
        }
        told.extend(rules(polling.ask(&mut watch, seconds, POLL, MESSAGE), seconds));
        if has_attempt && seconds == 0 {
            let request = POLL.replace("polling", "websocket").replace(
                "Host: a\r\n",
                "Host: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            );
            let mut attempt = Polling::new(40_000);
            told.extend(rules(attempt.ask(&mut watch, 0, &request, REFUSED), 0));
            told.extend(rules(attempt.close(&mut watch, 0), 0));
        }
        for later in 1..25 {
            let now = Timestamp::from_nanos((seconds + later) * 1_000_000_000);
            watch.wait_until(now);
            told.extend(rules(watch.look(), seconds + later));
        }
    }
    told.extend(rules(watch.finish(), 600));
    told.retain(|(_, rule, _)| *rule == "engineio-stuck-polling");
    told
}

#[test]
fn a_session_that_polls_for_ever_is_told_while_it_does() {
    for connection_lasts in [10_000, 100] {
        let without = told_of_polling(false, connection_lasts);
        assert!(matches!(without[..], [(26..40, _, "note")]), "{without:?}");
        // Once, though nobody remembers the attempt when the connections end.
        let with = told_of_polling(true, connection_lasts);
        assert!(matches!(with[..], [(51..65, _, "warning")]), "{with:?}");
    }
}

#[test]
fn requests_that_are_refused_again_and_again_are_told_at_once() {
    let mut watch = watch();
    let (mut told, mut polling) = (Vec::new(), Polling::new(50_000));
    for seconds in 0..60 {
        told.extend(rules(polling.ask(&mut watch, seconds, POLL, REFUSED), seconds));
    }
    assert!(matches!(told[..], [(2..10, "engineio-session-unknown", "warning")]), "{told:?}");
    let polls = &watch.polls;
    assert_eq!(format!("{polls:?}").matches("PacketNumber(1):").count(), 1, "{polls:?}");
    polling.close(&mut watch, 60);
    watch.wait_until(Timestamp::from_nanos(70_000_000_000));
    watch.look();
    assert!(!format!("{:?}", watch.polls).contains("PacketNumber(1):"));
}
