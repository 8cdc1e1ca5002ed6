//! How what the wire says is shown: secrets or none, and which times.

use crate::report::TimeStyle;
use crate::report::text::time::Clock;
use crate::report::wire::Wire;
use crate::units::Timestamp;

/// How what the wire says is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// Secrets in heads are shown.
    pub secrets: bool,
    /// How times are shown.
    pub time: TimeStyle,
    /// It happens now: whoever looks on knows the day, and local times go without it.
    pub is_live: bool,
}

impl Shown {
    pub(super) const fn wire(self) -> Wire {
        Wire { shows_secrets: self.secrets }
    }

    pub(super) fn clock(self, start: Timestamp) -> Clock {
        let clock = Clock::new(self.time, start);
        if self.is_live { clock.without_day() } else { clock }
    }
}
