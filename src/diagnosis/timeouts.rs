//! Timeouts that products are known for, to compare a silence with.

use crate::routes::Software;
use crate::units::Span;

/// A timeout that somebody may have left at its default.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownTimeout {
    /// How long.
    pub(super) seconds: i64,
    /// Whose, and how the setting is called.
    pub(super) setting: &'static str,
    /// It limits how long a connection lasts, whatever flows.
    pub(super) is_lifetime: bool,
}

impl KnownTimeout {
    /// Whether it is this software's; any is where the software is not known.
    pub(super) fn fits(&self, software: Option<Software>) -> bool {
        software.is_none_or(|software| self.setting.contains(software.name()))
    }
}

/// Those whose length is near a silence: 2 percent, at least half a second.
pub(super) fn near(silence: Span) -> Vec<KnownTimeout> {
    KNOWN
        .iter()
        .filter(|known| is_near(silence, Span::from_millis(known.seconds.saturating_mul(1000))))
        .copied()
        .collect()
}

/// Whether two silences are the same timeout: 2 percent apart, or half a second.
pub(super) fn is_near(one: Span, other: Span) -> bool {
    let longer = one.as_nanos().max(other.as_nanos());
    let tolerance = (longer / 50).max(HALF_A_SECOND);
    one.as_nanos().abs_diff(other.as_nanos()) <= tolerance.unsigned_abs()
}

const HALF_A_SECOND: i64 = 500_000_000;

/// Documented defaults, and what stock configurations have.
const KNOWN: &[KnownTimeout] = &[
    KnownTimeout {
        seconds: 30,
        setting: "the backend timeout of a Google Cloud load balancer",
        is_lifetime: true,
    },
    KnownTimeout {
        seconds: 50,
        setting: "HAProxy's timeout client and timeout server in stock configurations",
        is_lifetime: false,
    },
    KnownTimeout { seconds: 60, setting: "nginx's proxy_read_timeout", is_lifetime: false },
    KnownTimeout { seconds: 60, setting: "Apache's Timeout", is_lifetime: false },
    KnownTimeout { seconds: 60, setting: "the idle timeout of an AWS load balancer", is_lifetime: false },
    // Measured with 7.1 and 1.4.69, both with shorter ones; lighttpd cuts a second later.
    KnownTimeout { seconds: 60, setting: "Varnish's pipe_timeout", is_lifetime: false },
    KnownTimeout { seconds: 60, setting: "lighttpd's server.max-read-idle", is_lifetime: false },
    KnownTimeout {
        seconds: 100,
        setting: "Cloudflare's idle timeout, as users report it",
        is_lifetime: false,
    },
    KnownTimeout { seconds: 300, setting: "Envoy's stream_idle_timeout", is_lifetime: false },
    KnownTimeout {
        seconds: 600,
        setting: "Traffic Server's proxy.config.websocket.no_activity_timeout",
        is_lifetime: false,
    },
    KnownTimeout { seconds: 900, setting: "Squid's read_timeout", is_lifetime: false },
    KnownTimeout { seconds: 3600, setting: "the idle_timeout of Envoy's TCP proxy", is_lifetime: false },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_near_a_timeout_within_two_percent_or_half_a_second() {
        let settings = |millis| near(Span::from_millis(millis)).len();
        assert_eq!((settings(60_000), settings(61_199), settings(61_301)), (5, 5, 0));
        assert_eq!((settings(30_500), settings(30_700), settings(29_300)), (1, 0, 0));
    }
}
