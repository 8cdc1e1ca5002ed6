//! Open connections on which sessions go on by polling: nothing is ever decided there, and yet it has to be judged.

use std::collections::BTreeMap;

use crate::limits::LIVE_JUDGED;
use crate::model::PollingRequest;
use crate::pipeline::Following;
use crate::protocol::{Exchange, Exchanges};
use crate::units::{PacketNumber, Span, Timestamp};

/// How far open connections had polled when they were handed over for that: each is a few times, and then when it is
/// over. At [`LIVE_JUDGED`] the earliest goes, and may be handed over again.
#[derive(Debug)]
pub(super) struct Polls {
    stages: BTreeMap<PacketNumber, usize>,
    /// When this was looked at the last time, and the latest packet then.
    looked: Timestamp,
    latest: PacketNumber,
}

impl Default for Polls {
    fn default() -> Self {
        Self { stages: BTreeMap::new(), looked: Timestamp::MIN, latest: PacketNumber(0) }
    }
}

impl Polls {
    /// The open connections that have polled for longer, or were refused more often, than when they were judged. Looks
    /// every [`LOOK`] only, and at those with new packets.
    pub(super) fn due(&mut self, following: &Following) -> Vec<PacketNumber> {
        let now = following.now();
        if now.since(self.looked) < LOOK {
            return Vec::new();
        }
        self.looked = now;
        let (mut due, mut latest) = (Vec::new(), self.latest);
        for open in following.open().filter(|open| open.last_packet() > self.latest) {
            latest = latest.max(open.last_packet());
            let stage = open.exchanges().map(stage).unwrap_or_default();
            if stage > self.stages.get(&open.id()).copied().unwrap_or_default() {
                self.stages.insert(open.id(), stage);
                due.push(open.id());
            }
        }
        self.latest = latest;
        while self.stages.len() > LIVE_JUDGED {
            self.stages.pop_first();
        }
        due
    }

    /// This connection is over.
    pub(super) fn forget(&mut self, connection: PacketNumber) {
        self.stages.remove(&connection);
    }

    /// The clock was put to another time.
    pub(super) fn clock_stepped(&mut self, now: Timestamp) {
        self.looked = self.looked.min(now);
    }
}

/// How often a connection with these requests is to have been judged.
fn stage(exchanges: &Exchanges) -> usize {
    let is_poll = |exchange: &&Exchange| PollingRequest::of(&exchange.method, &exchange.target).is_some();
    let polls = || exchanges.iter().filter(is_poll);
    let (Some(first), Some(last)) = (polls().next(), polls().last()) else { return 0 };
    let lasted = last.request.time.since(first.request.time);
    let is_refused = |exchange: &&Exchange| exchange.answer.as_ref().is_some_and(|it| it.status >= 400);
    let is_refused_often = polls().filter(is_refused).count() > 1;
    STAGES.iter().filter(|least| lasted >= **least).count().saturating_add(usize::from(is_refused_often))
}

/// After how much polling a connection is judged. A fallback shows at once. A session that stays with polling does so
/// after two requests, and those may each wait for a message as long as the server's pings are apart, 25 s; and then the
/// attempt before has to be in the window still.
const STAGES: [Span; 4] =
    [Span::from_millis(0), Span::from_millis(10_000), Span::from_millis(20_000), Span::from_millis(40_000)];

/// How often open connections are looked at for that.
const LOOK: Span = Span::from_millis(5_000);
