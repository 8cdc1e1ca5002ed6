//! What waits on a connection whose segments are not in order, and how long.

use super::halves::Pair;
use super::lane::Lane;
use crate::limits::REORDERING_PATIENCE;
use crate::units::Timestamp;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Disorder {
    pub(super) lanes: Pair<Lane>,
    /// The clock was put back: what came later than now, by its time, waits since it was seen that it did.
    put_back: Option<Timestamp>,
}

impl Disorder {
    pub(super) fn held_bytes(&self) -> usize {
        let Pair([lo, hi]) = &self.lanes;
        lo.held_bytes().saturating_add(hi.held_bytes())
    }

    /// How long what waits is waited for now. A clock that was put back neither ends a wait nor makes one longer than twice
    /// as long.
    pub(super) fn patience(&mut self, now: Timestamp) -> Patience {
        let Pair(lanes) = &self.lanes;
        let is_ahead = lanes.iter().flat_map(Lane::waits_since).any(|since| since > now);
        self.put_back = is_ahead.then(|| self.put_back.map_or(now, |since| since.min(now)));
        Patience::UntilNow { now, put_back: self.put_back }
    }
}

/// How long to wait for what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// [`REORDERING_PATIENCE`], in the capture's time.
    UntilNow {
        /// That of the latest packet.
        now: Timestamp,
        /// What came later than that has waited since then.
        put_back: Option<Timestamp>,
    },
    /// For ever.
    Endless,
    /// No longer: nothing more will come.
    AtAnEnd,
}

impl Patience {
    /// Whether what has waited since `since` has waited long enough.
    pub(super) fn is_over(self, since: Timestamp) -> bool {
        match self {
            Self::UntilNow { now, put_back } => {
                let since = put_back.filter(|_| since > now).unwrap_or(since);
                now.since(since) >= REORDERING_PATIENCE
            }
            Self::Endless => false,
            Self::AtAnEnd => true,
        }
    }
}
