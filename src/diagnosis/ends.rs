//! How sessions ended: who did it first, how, and after how much silence.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Blame;
use super::recipes::Site;
use super::timeouts;
use super::view::{CaptureView, LegView, OverTls, RouteView};
use crate::model::Outcome;
use crate::protocol::{CloseFact, Role, SessionFacts};
use crate::routes::{Proxy, Software};
use crate::tcp::EndedBy;
use crate::units::{PacketNumber, Span, Timestamp};

/// The end of a session.
#[derive(Clone, Debug)]
pub(super) struct End<'v, 'a> {
    /// The route of the session.
    pub(super) route: &'v RouteView<'a>,
    /// The leg on which it was seen first.
    pub(super) leg: &'v LegView<'a>,
    /// Which side of that leg.
    pub(super) by: Role,
    /// Who that is.
    pub(super) who: Blame,
    /// By what.
    pub(super) with: With,
    /// When.
    pub(super) at: Timestamp,
    /// The packet.
    pub(super) packet: PacketNumber,
    /// How long nobody had sent anything, on any leg; 0 if what one side sent after the end hides that.
    pub(super) silence: Span,
    /// The capture lacks nothing of the session, so that no close frame can have been overlooked.
    pub(super) is_whole: bool,
}

/// What a session ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    /// A close frame with a status code.
    CloseFrame(u16),
    /// FIN or RST, and no close frame from anybody.
    Connection(EndedBy),
}

/// The ends of all sessions that the capture shows.
#[derive(Debug)]
pub struct Ends<'v, 'a> {
    /// In the order of the routes.
    pub(super) all: Vec<End<'v, 'a>>,
    /// Places in `all` of sessions that somebody ended at the same moment; see [`together`].
    pub(super) together: Vec<Vec<usize>>,
}

impl<'v, 'a> Ends<'v, 'a> {
    /// Reads them.
    pub(super) fn of_all(view: &'v CaptureView<'a>) -> Self {
        let all: Vec<End<'v, 'a>> = view.routes.iter().filter_map(of).collect();
        let together = together(view, &all);
        Self { all, together }
    }

    /// Those that came alone, and not together with others.
    pub(super) fn alone(&self) -> impl Iterator<Item = &End<'v, 'a>> {
        let mut is_alone = vec![true; self.all.len()];
        for at in self.together.iter().flatten() {
            if let Some(slot) = is_alone.get_mut(*at) {
                *slot = false;
            }
        }
        self.all.iter().zip(is_alone).filter(|(_, is_alone)| *is_alone).map(|(end, _)| end)
    }
}

/// The end of a route's session. None if there was none, if the capture stops before, or shows one side only.
pub(super) fn of<'v, 'a>(route: &'v RouteView<'a>) -> Option<End<'v, 'a>> {
    let sessions = || route.legs().filter_map(|leg| Some((leg, session(leg)?)));
    let is_seen = sessions().all(|(leg, _)| !leg.connection.is_one_sided() && !leg.connection.tcp.evicted);
    let ended = |leg: &LegView<'_>| leg.connection.tcp.ending.is_some();
    if !is_seen || !sessions().any(|(leg, _)| ended(leg)) {
        return None;
    }
    let closes = sessions().filter_map(|(leg, session)| {
        let close = session.close.as_ref().filter(|close| !is_late(leg, close))?;
        Some((leg, close.by, With::CloseFrame(close.code), close.origin))
    });
    let endings = sessions().filter_map(|(leg, _)| {
        let ending = leg.connection.tcp.ending?;
        Some((leg, leg.connection.closed_by()?, With::Connection(ending.how), ending.origin))
    });
    let first = closes.min_by_key(|(.., origin)| (origin.time, origin.packet));
    let (leg, by, with, origin) =
        first.or_else(|| endings.min_by_key(|(.., origin)| (origin.time, origin.packet)))?;
    let latest = latest_before(&sessions().collect::<Vec<_>>(), origin.time);
    Some(End {
        route,
        leg,
        by,
        who: if by == Role::Client { leaver(route, leg, with, origin.time) } else { route.answerer(leg) },
        with,
        at: origin.time,
        packet: origin.packet,
        is_whole: sessions().all(|(leg, session)| is_whole(leg, session)),
        silence: latest.map_or_else(Span::default, |latest| origin.time.since(latest)),
    })
}

/// Whether a close frame comes when the other side has ended the connection: that is no end, but an answer to it (Tomcat
/// says 1002 to whoever hangs up, measured with 10.1).
pub(super) fn is_late(leg: &LegView<'_>, close: &CloseFact) -> bool {
    leg.connection.is_ended_before(close.by.other(), close.origin.packet)
}

/// When anybody last sent something before a moment. None if one side sent something later on all legs, which hides what
/// it sent before.
fn latest_before(sessions: &[(&LegView<'_>, &SessionFacts)], at: Timestamp) -> Option<Timestamp> {
    let of = |role: Role| {
        let sent = |(leg, session): &(&LegView<'_>, &SessionFacts)| {
            let (_, time) = leg.connection.half(role).last_payload?;
            let said_no_more = session.role(role).frames() == session.role(role).close;
            let answered = leg.attempt.response.as_ref().map(|response| response.origin.time);
            if time <= at { Some(time) } else { answered.filter(|answered| said_no_more && *answered <= at) }
        };
        let is_silent = sessions.iter().all(|(leg, _)| leg.connection.half(role).last_payload.is_none());
        sessions.iter().filter_map(sent).max().map(Some).or(is_silent.then_some(None))
    };
    of(Role::Client)?.max(of(Role::Server)?)
}

/// Who ends a session on the client's side of a leg. Where the client comes over TLS, its own connection says whether it
/// had left before, or sent something that nobody can read: a Close frame, or the end of TLS.
fn leaver(route: &RouteView<'_>, leg: &LegView<'_>, with: With, at: Timestamp) -> Blame {
    let Some(over) = leg.over_tls else { return route.sender(leg) };
    let client = over.connection;
    let left = client.tcp.ending.is_some_and(|ending| {
        client.closed_by() == Some(Role::Client) && ending.origin.time.since(at) <= HANDED_ON
    });
    let spoke = client.half(Role::Client).last_payload.zip(leg.connection.last_payload());
    let spoke = spoke.is_some_and(|((_, spoke), last)| spoke <= at && spoke.since(last) > HANDED_ON);
    if left || spoke || matches!(with, With::CloseFrame(_)) {
        Blame::Client(client.endpoint(Role::Client).address)
    } else {
        route.sender(leg)
    }
}

/// The first close frame of a route's session, also where no connection has ended yet.
pub(super) fn close_of<'v, 'a>(route: &'v RouteView<'a>) -> Option<End<'v, 'a>> {
    let sessions = || route.legs().filter_map(|leg| Some((leg, session(leg)?)));
    let closes = sessions().filter_map(|(leg, session)| Some((leg, session.close.as_ref()?)));
    let (leg, close) = closes.min_by_key(|(_, close)| (close.origin.time, close.origin.packet))?;
    Some(End {
        route,
        leg,
        by: close.by,
        who: if close.by == Role::Client {
            route.frames_from(leg, Role::Client)
        } else {
            route.answerer(leg)
        },
        with: With::CloseFrame(close.code),
        at: close.origin.time,
        packet: close.origin.packet,
        is_whole: sessions().all(|(leg, session)| is_whole(leg, session)),
        silence: Span::default(),
    })
}

impl<'a> End<'_, 'a> {
    /// The proxy that ended it, if one did.
    pub(super) fn proxy(&self) -> Option<&'a Proxy> {
        if self.by == Role::Client {
            self.leg.hop.map(|hop| &hop.proxy).or(self.leg.over_tls.map(|over| over.proxy))
        } else {
            self.route.proxy_behind(self.leg)
        }
    }

    /// That proxy, and the path that the client asked for.
    pub(super) fn site(&self) -> Site<'a> {
        Site::of(self.proxy(), &self.route.first)
    }
}

impl End<'_, '_> {
    /// Whether the client itself ended it.
    pub(super) const fn is_by_client(&self) -> bool {
        matches!(self.who, Blame::Client(_))
    }

    /// Whether the session ended without a close frame.
    pub(super) const fn is_cut(&self) -> bool {
        matches!(self.with, With::Connection(_))
    }

    /// Whether the silence before the end looks like a timeout: seconds, whole ones but for what the network adds, and
    /// longer than the pauses before.
    pub(super) fn is_after_timeout(&self) -> bool {
        let beyond = self.silence.as_nanos().checked_rem(NANOS_PER_SECOND).unwrap_or_default();
        let is_whole =
            beyond <= NETWORK_ADDS || beyond >= NANOS_PER_SECOND.saturating_sub(self.clock_lacks());
        let is_whole = is_whole && !self.is_counted_in_seconds();
        self.is_after_silence() && (is_whole || self.default_timeout().is_some())
    }

    /// The default of a proxy that is seen to end both sides after about that: on a busy machine a timer fires late.
    fn default_timeout(&self) -> Option<Span> {
        let software = Some(self.proxy()?.software?);
        let known = timeouts::near(self.silence).into_iter().find(|known| known.fits(software))?;
        self.ends_both_sides().then(|| Span::from_millis(known.seconds.saturating_mul(1000)))
    }

    /// The timeout that the silence before the end speaks for: whole seconds if it is near some.
    pub(super) fn timeout(&self) -> Span {
        if let Some(default) = self.default_timeout() {
            return default;
        }
        let whole = self.silence.as_nanos().saturating_add(self.clock_lacks()) / NANOS_PER_SECOND;
        if self.is_counted_in_seconds() {
            let over = self.silence.as_nanos() / NANOS_PER_SECOND;
            Span::from_nanos(over.saturating_mul(NANOS_PER_SECOND))
        } else if self.is_after_timeout() {
            Span::from_nanos(whole.saturating_mul(NANOS_PER_SECOND))
        } else {
            self.silence
        }
    }

    /// Whether a proxy cut both sides that looks once a second which timeouts are over, so that it cuts at any moment of the
    /// second that follows (measured with Squid 5.7 and Traffic Server 9.2).
    fn is_counted_in_seconds(&self) -> bool {
        let software = self.proxy().and_then(|proxy| proxy.software);
        matches!(software, Some(Software::Squid | Software::TrafficServer)) && self.ends_both_sides()
    }

    /// How much sooner a timer may fire than its length after the last byte.
    fn clock_lacks(&self) -> i64 {
        let is_nginx = self.proxy().is_some_and(|proxy| proxy.software == Some(Software::Nginx));
        if is_nginx { NGINX_LACKS } else { CLOCK_LACKS }
    }

    /// Whether the silence is a whole number of seconds but for a tenth, which chance seldom makes.
    pub(super) fn is_on_the_second(&self) -> bool {
        let beyond = self.silence.as_nanos().checked_rem(NANOS_PER_SECOND).unwrap_or_default();
        beyond <= EXACT || beyond >= NANOS_PER_SECOND.saturating_sub(CLOCK_LACKS)
    }

    /// Whether the silence before the end is worth a word.
    pub(super) fn is_after_silence(&self) -> bool {
        self.silence >= LEAST_SILENCE && self.silence.as_nanos() / 2 >= self.mean_pause().as_nanos()
    }

    /// Whether both sides of a proxy are seen to end within a moment, and the end began there.
    pub(super) fn ends_both_sides(&self) -> bool {
        if let Some(over) = self.over_tls() {
            let ended = over.connection.tcp.ending.map(|ending| ending.origin.time);
            let is_proxys = over.connection.closed_by() == Some(Role::Server);
            return is_proxys && ended.is_some_and(|ended| is_moment(ended, self.at));
        }
        let ended = |leg: &LegView<'_>| leg.connection.tcp.ending.map(|ending| ending.origin.time);
        let by = |leg: &LegView<'_>, role| leg.connection.closed_by() == Some(role);
        self.route.hops().any(|(before, hop, after)| {
            let together = ended(before).zip(ended(after)).is_some_and(|(one, other)| is_moment(one, other));
            together
                && by(before, Role::Server)
                && by(after, Role::Client)
                && self.who == Blame::proxy(&hop.proxy)
        })
    }

    /// The client's connection over TLS, if the proxy behind it ended the session.
    pub(super) fn over_tls(&self) -> Option<OverTls<'_>> {
        self.leg.over_tls.filter(|over| self.who == Blame::proxy(over.proxy))
    }

    /// The packets that ended the legs.
    pub(super) fn packets(&self) -> Vec<PacketNumber> {
        let endings = self.route.legs().filter_map(|leg| leg.connection.tcp.ending);
        let mut packets: Vec<PacketNumber> = endings.map(|ending| ending.origin.packet).collect();
        packets.push(self.packet);
        packets.extend(self.over_tls().and_then(|over| Some(over.connection.tcp.ending?.origin.packet)));
        let halves = [Role::Server, Role::Client].map(|role| self.leg.connection.half(role).last_payload);
        let before =
            halves.into_iter().flatten().filter(|(packet, _)| !self.is_cut() || *packet <= self.packet);
        packets.extend(before.max_by_key(|(_, time)| *time).map(|(packet, _)| packet));
        packets
    }

    /// How many frames flowed, both ways.
    pub(super) fn frames(&self) -> u64 {
        session(self.leg).map_or(0, |session| session.client.plus(&session.server).frames())
    }

    /// The same without a close frame that came too late.
    pub(super) fn frames_before(&self) -> u64 {
        let close = session(self.leg).and_then(|session| session.close.as_ref());
        self.frames().saturating_sub(u64::from(close.is_some_and(|close| is_late(self.leg, close))))
    }

    /// How many pings flowed, both ways.
    pub(super) fn pings(&self) -> u64 {
        session(self.leg).map_or(0, |session| session.client.ping.saturating_add(session.server.ping))
    }

    /// The mean time from one frame to the next.
    fn mean_pause(&self) -> Span {
        let answered = self.leg.attempt.response.as_ref().map(|response| response.origin.time);
        let began = answered.unwrap_or(self.leg.connection.tcp.opening.first.time);
        let lasted = self.at.since(began).as_nanos().saturating_sub(self.silence.as_nanos());
        let frames = i64::try_from(self.frames_before()).unwrap_or(i64::MAX).max(1);
        Span::from_nanos(lasted.checked_div(frames).unwrap_or_default())
    }
}

/// Sessions that somebody ended at the same moment, though they were not silent for the same time: as when a process
/// stops. Two or more routes each; places in `ends`, which are all of the view.
fn together(view: &CaptureView<'_>, ends: &[End<'_, '_>]) -> Vec<Vec<usize>> {
    let stops = |end: &End<'_, '_>| match end.with {
        With::CloseFrame(code) => matches!(code, GOING_AWAY | SERVICE_RESTART),
        With::Connection(_) => true,
    };
    let mut order: Vec<(usize, &End<'_, '_>)> =
        ends.iter().enumerate().filter(|(_, end)| !end.is_by_client() && stops(end)).collect();
    order.sort_by(|(_, one), (_, other)| one.who.cmp(&other.who).then(one.at.cmp(&other.at)));
    let loads = Load::of_everybody(view, ends);
    let length =
        view.capture.totals.first_and_last.map_or(Span::default(), |(first, last)| last.since(first));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for of_one in order.chunk_by(|(_, one), (_, other)| one.who == other.who) {
        for group in at_once(of_one) {
            let members: Vec<&End<'_, '_>> = group.iter().map(|(_, end)| *end).collect();
            let Some(first) = members.first() else { continue };
            let load = loads.get(&first.who);
            let is_shed = load.is_none_or(|load| load.is_shed(members.len(), first.at));
            let is_all = load.is_some_and(|load| load.is_all(members.len(), first.at));
            let is_outstanding = is_shed && is_more_than_usual(members.len(), of_one.len(), is_all, length);
            if members.len() > 1
                && is_outstanding
                && !follow_their_begins(&members)
                && !is_idle_alike(&members)
            {
                groups.push(group.iter().map(|(at, _)| *at).collect());
            }
        }
    }
    groups
}

/// Ends in their order, cut where more than a moment lies between one and the first of its group.
fn at_once<'s, 'v, 'a>(
    mut ends: &'s [(usize, &'s End<'v, 'a>)],
) -> impl Iterator<Item = &'s [(usize, &'s End<'v, 'a>)]> {
    std::iter::from_fn(move || {
        let (_, first) = ends.first()?;
        let length = ends.partition_point(|(_, end)| end.at.since(first.at) <= AT_ONCE);
        let (group, rest) = ends.split_at_checked(length.max(1))?;
        ends = rest;
        Some(group)
    })
}

/// Whether so many ends in a moment, of `all` in a capture of that length, are more than chance brings together where
/// sessions come and go. Of ten ends in 25 seconds three fall into the same second in every third capture, and five in one
/// of 400; but if nothing goes on behind them, fewer are enough.
fn is_more_than_usual(group: usize, all: usize, is_all_that_is_open: bool, length: Span) -> bool {
    let others = all.saturating_sub(group);
    if others == 0 || (is_all_that_is_open && group >= LEAST_OF_ALL) {
        return true;
    }
    let moments = usize::try_from(length.as_nanos() / AT_ONCE.as_nanos()).unwrap_or_default().max(1);
    group >= LEAST_AMONG_OTHERS.saturating_add(TIMES_THE_USUAL.saturating_mul(others) / moments)
}

/// Whether the ends are as far apart as the begins were: sessions that all last as long end as they came.
fn follow_their_begins(members: &[&End<'_, '_>]) -> bool {
    let spread = |times: &dyn Fn(&End<'_, '_>) -> Option<i64>| {
        let times = || members.iter().filter_map(|end| times(end));
        times().max().unwrap_or_default().saturating_sub(times().min().unwrap_or_default())
    };
    let ends = spread(&|end| Some(end.at.as_nanos()));
    let lengths = spread(&|end| Some(end.at.since(began(end.route)?).as_nanos()));
    lengths < ends / 2
}

/// When the first connection of a route's session began; none if it has no session.
pub(super) fn began(route: &RouteView<'_>) -> Option<Timestamp> {
    let sessions = route.legs().filter(|leg| session(leg).is_some());
    sessions.map(|leg| leg.connection.tcp.opening.first.time).min()
}

/// The sessions that somebody carries: when they began and when they ended, each in order.
#[derive(Debug, Default)]
struct Load {
    began: Vec<Timestamp>,
    ended: Vec<Timestamp>,
}

impl Load {
    fn of_everybody(view: &CaptureView<'_>, ends: &[End<'_, '_>]) -> BTreeMap<Blame, Self> {
        let ended: BTreeMap<usize, Timestamp> = ends.iter().map(|end| (end.route.index, end.at)).collect();
        let mut loads: BTreeMap<Blame, Self> = BTreeMap::new();
        for route in &view.routes {
            let Some(began) = began(route) else { continue };
            let sessions = route.legs().filter(|leg| session(leg).is_some());
            let carriers: BTreeSet<Blame> =
                sessions.flat_map(|leg| [route.sender(leg), route.answerer(leg)]).collect();
            for carrier in carriers {
                let load = loads.entry(carrier).or_default();
                load.began.push(began);
                load.ended.extend(ended.get(&route.index));
            }
        }
        for load in loads.values_mut() {
            load.began.sort_unstable();
            load.ended.sort_unstable();
        }
        loads
    }

    /// Whether so many ends, from some time on, are a good part of what was open then. A process that stops lets
    /// nothing go on; others of its kind may.
    fn is_shed(&self, number: usize, from: Timestamp) -> bool {
        number.saturating_mul(PROCESSES) >= self.open_at(from)
    }

    /// Whether so many ends, from some time on, are all that was open then.
    fn is_all(&self, number: usize, from: Timestamp) -> bool {
        number >= self.open_at(from)
    }

    fn open_at(&self, time: Timestamp) -> usize {
        let before = |times: &[Timestamp]| times.partition_point(|other| *other < time);
        before(&self.began).saturating_sub(before(&self.ended))
    }
}

/// Whether sessions that ended together had all been silent as long, or each for whole seconds: that is what timeouts
/// do.
fn is_idle_alike(members: &[&End<'_, '_>]) -> bool {
    let cut = members.iter().all(|end| end.is_cut());
    let Some(first) = members.first().filter(|_| cut) else { return false };
    let alike = members
        .iter()
        .all(|end| end.silence >= LEAST_SILENCE && timeouts::is_near(end.silence, first.silence));
    alike || members.iter().all(|end| end.is_after_timeout())
}

/// The session of a leg; none if it had none, or one that the client must refuse.
pub(super) fn session<'a>(leg: &LegView<'a>) -> Option<&'a SessionFacts> {
    let is_open = matches!(leg.outcome, Outcome::Established | Outcome::Midstream);
    leg.attempt.session.as_deref().filter(|_| is_open)
}

/// Whether the capture lacks nothing of a session.
pub(super) fn is_whole(leg: &LegView<'_>, session: &SessionFacts) -> bool {
    let undecoded = session.client.undecoded_bytes.saturating_add(session.server.undecoded_bytes);
    !leg.is_doubtful() && undecoded == 0
}

fn is_moment(one: Timestamp, other: Timestamp) -> bool {
    one.since(other).as_nanos().abs() <= AT_ONCE.as_nanos()
}

/// What a proxy takes to hand an end or a frame on.
const HANDED_ON: Span = Span::from_millis(100);

/// RFC 6455 section 7.4.1.
const GOING_AWAY: u16 = 1001;
/// As registered with IANA beside those of RFC 6455.
const SERVICE_RESTART: u16 = 1012;

/// What one stopping process does in one go.
const AT_ONCE: Span = Span::from_millis(1_000);

/// Two ends in a moment are nothing special where there are others.
const LEAST_AMONG_OTHERS: usize = 5;
/// The same where nothing else goes on.
const LEAST_OF_ALL: usize = 3;
/// By how much a moment has to stand out.
const TIMES_THE_USUAL: usize = 5;
/// Of so many processes that share the load, one may stop.
const PROCESSES: usize = 4;

/// No product waits less by itself.
const LEAST_SILENCE: Span = Span::from_millis(2_000);

/// A timer that fires, and the way of a packet.
const NETWORK_ADDS: i64 = 150_000_000;
/// The same on a machine that is not busy.
const EXACT: i64 = 80_000_000;
/// Timers that began before the packet was captured.
const CLOCK_LACKS: i64 = 20_000_000;
/// nginx does not set a timer anew that it has set less than 300 ms before (`NGX_TIMER_LAZY_DELAY`).
const NGINX_LACKS: i64 = 300_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
