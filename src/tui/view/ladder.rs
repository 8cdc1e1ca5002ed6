//! The events of an attempt on all its legs, by time, with the silence between them.

use crate::model::Connection;
use crate::protocol::{FrameRecord, Opcode, Role};
use crate::report::count::{count, number, span};
use crate::routes::Route;
use crate::tcp::{EndedBy, Happened, Opened};
use crate::text;
use crate::tui::app::Below;
use crate::tui::messages::name;
use crate::tui::shown::Shown;
use crate::tui::story::{Story, StoryLeg};
use crate::units::{PacketNumber, Span, Timestamp};

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Event<'a> {
    /// When.
    pub(super) time: Timestamp,
    /// In which packet.
    pub(super) packet: Option<PacketNumber>,
    /// Between which lifelines: the first is the client's.
    pub(super) lane: usize,
    /// Who did it.
    pub(super) by: Role,
    /// What it was.
    pub(super) what: What<'a>,
}

/// What happened.
#[derive(Clone, Debug)]
pub(super) enum What<'a> {
    /// A SYN, and what became of it.
    Opened(Opened, Option<Span>),
    /// The connection was there before the capture.
    Midstream,
    /// A request.
    Request(&'a StoryLeg<'a>),
    /// An answer.
    Answer(&'a StoryLeg<'a>),
    /// A frame; a pong with the time since its ping.
    Frame(&'a FrameRecord, Option<Span>),
    /// Frames that are not kept.
    Forgotten(u64),
    /// The first FIN or RST.
    Ended(EndedBy),
    /// Something below the streams: sent again, late, missing; the other side's FIN.
    Below(Happened),
    /// Nothing, for so long. Drawn in several lines; this is the number of the line, and of how many.
    Silence(Span, usize, usize),
    /// The capture ends.
    End,
}

/// All events by time, and silence in lines of its own.
pub(super) fn events<'a>(story: &'a Story<'a>, below: &Below) -> Vec<Event<'a>> {
    let mut events: Vec<Event<'a>> = Vec::new();
    for (place, leg) in story.legs.iter().enumerate() {
        let lane = lane(story.route, place);
        of_leg(leg, lane, &mut events);
        happened(leg.connection, lane, below, &mut events);
    }
    for tried in &story.tries {
        let lane = story.legs.len().min(1);
        let opening = &tried.tcp.opening;
        let what = What::Opened(opening.opened, opening.connect);
        let (time, packet) = (opening.first.time, Some(opening.first.packet));
        events.push(Event { time, packet, lane, by: Role::Client, what });
        if let (Some(ending), Some(by)) = (tried.tcp.ending, tried.closed_by()) {
            let (time, packet) = (ending.origin.time, Some(ending.origin.packet));
            events.push(Event { time, packet, lane, by, what: What::Ended(ending.how) });
        }
        happened(tried, lane, below, &mut events);
    }
    events.sort_by_key(|event| (event.time, event.packet));
    if story.legs.iter().any(|leg| leg.connection.tcp.ending.is_none()) {
        events.push(Event { time: story.time.1, packet: None, lane: 0, by: Role::Client, what: What::End });
    }
    with_silence(events)
}

/// How many lifelines there are.
pub(super) fn lifelines(story: &Story<'_>) -> usize {
    let lanes = (0..story.legs.len()).map(|place| lane(story.route, place)).max().unwrap_or_default();
    let tried = if story.tries.is_empty() { 0 } else { story.legs.len().min(1) };
    lanes.max(tried).saturating_add(2)
}

/// What the lifelines are called.
pub(super) fn names(story: &Story<'_>) -> Vec<String> {
    let mut names = vec!["client".to_owned()];
    for (place, leg) in story.legs.iter().enumerate() {
        let at = lane(story.route, place);
        if let (Some(hop), Some(name)) = (leg.hop, names.get_mut(at)) {
            hop.name().clone_into(name);
        }
        if names.len() == at.saturating_add(1) {
            names.push("server".to_owned());
        }
    }
    if names.len() < lifelines(story) {
        let front = story.route.and_then(|route| route.front.as_ref()).and_then(|proxy| proxy.software);
        if let Some(last) = names.last_mut() {
            front.map_or("proxy", crate::routes::Software::name).clone_into(last);
        }
        names.push("upstream".to_owned());
    } else if names.len() > 2
        && let Some(last) = names.last_mut()
    {
        "upstream".clone_into(last);
    }
    names
}

/// How many proxies stand between the client and a leg.
fn lane(route: Option<&Route>, place: usize) -> usize {
    let (mut lane, mut at) = (0usize, place);
    let from = |at: usize| route.and_then(|route| route.legs.get(at)?.hop.as_ref()).map(|hop| hop.from);
    while let Some(before) = from(at).filter(|before| *before < at) {
        (lane, at) = (lane.saturating_add(1), before);
    }
    lane
}

fn of_leg<'a>(leg: &'a StoryLeg<'a>, lane: usize, events: &mut Vec<Event<'a>>) {
    let mut push = |time, packet, by, what| events.push(Event { time, packet, lane, by, what });
    let opening = &leg.connection.tcp.opening;
    let opened = match opening.opened {
        Opened::Midstream => What::Midstream,
        opened => What::Opened(opened, opening.connect),
    };
    push(opening.first.time, Some(opening.first.packet), Role::Client, opened);
    if let Some(request) = &leg.attempt.request {
        push(request.origin.time, Some(request.origin.packet), Role::Client, What::Request(leg));
    }
    if let Some(response) = &leg.attempt.response {
        push(response.origin.time, Some(response.origin.packet), Role::Server, What::Answer(leg));
    }
    if let Some(session) = &leg.attempt.session {
        let mut last = None;
        let mut pings = Pings::default();
        for (at, frame) in session.frames.iter().enumerate() {
            if at == crate::limits::FRAMES_KEPT_FIRST && session.frames.forgotten > 0 {
                push(
                    last.unwrap_or(frame.time),
                    None,
                    Role::Client,
                    What::Forgotten(session.frames.forgotten),
                );
            }
            last = Some(frame.time);
            push(frame.time, Some(frame.packet), frame.by, What::Frame(frame, pings.answered(frame)));
        }
    }
    if let (Some(ending), Some(by)) = (leg.connection.tcp.ending, leg.connection.closed_by()) {
        push(ending.origin.time, Some(ending.origin.packet), by, What::Ended(ending.how));
    }
}

/// What happened below the streams of a connection, but for its first end: that is known without it.
fn happened(connection: &Connection, lane: usize, below: &Below, events: &mut Vec<Event<'_>>) {
    let Some((_, happened)) = below.happened.iter().find(|(name, _)| *name == connection.id()) else {
        return;
    };
    let end = connection.tcp.ending.map(|ending| ending.origin.packet);
    let client = connection.endpoint(Role::Client);
    for happening in &happened.kept {
        let is_end = matches!(happening.what, Happened::Fin | Happened::Reset);
        if is_end && end == Some(happening.origin.packet) {
            continue;
        }
        let is_client = connection.tcp.flow.endpoint(happening.by) == client;
        let by = if is_client { Role::Client } else { Role::Server };
        let (time, packet) = (happening.origin.time, Some(happening.origin.packet));
        events.push(Event { time, packet, lane, by, what: What::Below(happening.what) });
    }
}

fn below_words(happened: Happened) -> String {
    match happened {
        Happened::Retransmitted(bytes) => format!("again {} B", number(bytes.into())),
        Happened::OutOfOrder(bytes) => format!("late {} B", number(bytes.into())),
        Happened::Missing(bytes) => format!("lacks {} B", number(bytes)),
        Happened::KeepAlive => "keep-alive".to_owned(),
        Happened::Fin => "FIN".to_owned(),
        Happened::Reset => "RST".to_owned(),
    }
}

/// Pings that wait for their pongs. A frame's payload is not kept, so a pong belongs to the ping of the other side that is
/// as long (RFC 6455 section 5.5.3 has it send the same back), if there is only one.
#[derive(Default)]
struct Pings(Vec<(Role, u64, Timestamp)>);

impl Pings {
    /// From a pong's ping to it; none of any other frame, and where it could be that of another ping.
    fn answered(&mut self, frame: &FrameRecord) -> Option<Span> {
        match frame.opcode {
            Opcode::PING => {
                if self.0.len() >= crate::limits::OUTSTANDING_PINGS {
                    self.0.remove(0);
                }
                self.0.push((frame.by, frame.length, frame.time));
                None
            }
            Opcode::PONG => {
                let is_its =
                    |(by, length, _): &(Role, u64, Timestamp)| *by != frame.by && *length == frame.length;
                let (its, others): (Vec<_>, Vec<_>) = self.0.drain(..).partition(is_its);
                self.0 = others;
                match its.as_slice() {
                    [(_, _, sent)] => Some(frame.time.since(*sent)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn with_silence(events: Vec<Event<'_>>) -> Vec<Event<'_>> {
    let mut all: Vec<Event<'_>> = Vec::with_capacity(events.len());
    for event in events {
        if let Some(before) = all.last().map(|before| before.time) {
            let silence = event.time.since(before);
            let lines = match silence {
                _ if silence < SILENCE => 0,
                _ if silence < LONG => 1,
                _ => 3,
            };
            for line in 0..lines {
                let what = What::Silence(silence, line, lines);
                all.push(Event { time: before, packet: None, lane: 0, by: Role::Client, what });
            }
        }
        all.push(event);
    }
    all
}

impl What<'_> {
    /// In a few words, escaped; in fewer where there is little room.
    pub(super) fn words(&self, shown: Shown, room: usize) -> String {
        match self {
            Self::Opened(Opened::Refused, _) => "SYN, refused".to_owned(),
            Self::Opened(Opened::Unanswered, _) => "SYN, no answer".to_owned(),
            Self::Opened(_, Some(connect)) if room >= 25 => format!("SYN, open after {}", span(*connect)),
            Self::Opened(..) => "SYN".to_owned(),
            Self::Midstream => "open before the capture".to_owned(),
            Self::Request(leg) => request(leg, shown),
            Self::Answer(leg) => {
                let words = answer(leg, shown);
                let status = words.split(' ').next().unwrap_or_default().to_owned();
                if text::width(&words) <= room { words } else { status }
            }
            Self::Frame(frame, answered) => {
                let words = format!("{} {} B", opcode(frame), number(frame.length));
                match answered {
                    Some(after) if room >= 28 => format!("{words}, {} after its ping", span(*after)),
                    Some(after) if room >= 20 => format!("{words}, {}", span(*after)),
                    _ => words,
                }
            }
            Self::Forgotten(frames) => format!("{} not kept", count(*frames, "frame")),
            Self::Ended(EndedBy::Fin) => "FIN".to_owned(),
            Self::Ended(EndedBy::Reset) => "RST".to_owned(),
            Self::Below(happened) => below_words(*happened),
            Self::Silence(silence, ..) => format!("{} of silence", span(*silence)),
            Self::End if shown.is_live => "so far".to_owned(),
            Self::End => "the capture ends".to_owned(),
        }
    }
}

fn request(leg: &StoryLeg<'_>, shown: Shown) -> String {
    let Some(request) = &leg.attempt.request else { return String::new() };
    let head = request.head();
    let version = if head.version == Some(0) { " 1.0" } else { "" };
    let line = format!("{} {}{version}", head.method, shown.wire().text(head.target.as_bytes()));
    text::escape(&line).into_owned()
}

fn answer(leg: &StoryLeg<'_>, shown: Shown) -> String {
    let Some(response) = &leg.attempt.response else { return String::new() };
    let head = response.head();
    let line = format!("{} {}", response.status, shown.wire().text(head.reason.as_bytes()));
    text::escape(line.trim_end()).into_owned()
}

/// What kind of frame it is: a message that goes on or is compressed says so.
pub(super) fn opcode(frame: &FrameRecord) -> String {
    let name = name(frame.opcode);
    let goes_on = if frame.fin { "" } else { "+" };
    format!("{name}{goes_on}")
}

/// Less is no silence, it is a pause.
const SILENCE: Span = Span::from_millis(1_000);

/// From here on it is drawn long.
const LONG: Span = Span::from_millis(10_000);
