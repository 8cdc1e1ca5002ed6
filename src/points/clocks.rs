//! How far two clocks are apart, from packets that were seen by both.

use crate::capture::Clock;
use crate::units::{Span, Timestamp};

/// A packet that was seen at the measure and at the other point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sample {
    /// When the other point saw it, by its own clock.
    pub(super) at: Timestamp,
    /// How much later that is than what the measure says, in nanoseconds.
    pub(super) later: i64,
    /// Whether it came from the measure's side; otherwise it went there.
    pub(super) is_outward: bool,
}

/// What the clock is ahead at least and at most, as far as packets of each direction tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bounds {
    /// No less than this: packets towards the measure were seen at the other point first.
    least: Option<i64>,
    /// No more than this: those from the measure were seen there later.
    most: Option<i64>,
}

/// The other point's clock; none without a sample. `samples` are put into the order of their times.
pub(super) fn estimate(samples: &mut [Sample]) -> Option<Clock> {
    samples.sort_unstable();
    let whole = Bounds::of(samples);
    let trimmed = || Bounds::trimmed(samples);
    for bounds in [Some(whole), Some(trimmed()).filter(|_| samples.len() >= TRIMMED_AT_LEAST)] {
        if let Some(bounds) = bounds.filter(|bounds| bounds.agree()) {
            return bounds.clock(samples.first()?.at);
        }
    }
    drifting(samples).or_else(|| trimmed().clock(samples.first()?.at))
}

/// The clock if it runs at another speed: pieces of time in each of which it stands still.
fn drifting(samples: &[Sample]) -> Option<Clock> {
    let mut pieces = Vec::new();
    split(samples, DEPTH, &mut pieces)?;
    let (first, last) = (pieces.first()?, pieces.last()?);
    let ahead = first.1.middle()?;
    let errors = pieces.iter().filter_map(|(_, bounds)| bounds.error());
    Some(Clock {
        takes_off: pieces
            .iter()
            .filter_map(|(at, bounds)| Some((*at, Span::from_nanos(bounds.taken_off()?))))
            .collect(),
        ahead: Span::from_nanos(ahead),
        error: errors.max(),
        gains: Span::from_nanos(last.1.middle()?.saturating_sub(ahead)),
    })
}

/// Halves a stretch of samples until each part agrees with itself. None if a part has too few to tell.
fn split(samples: &[Sample], depth: u32, pieces: &mut Vec<(Timestamp, Bounds)>) -> Option<()> {
    let bounds = Bounds::of(samples);
    if depth < DEPTH && bounds.agree() {
        let (first, last) = (samples.first()?.at, samples.last()?.at);
        let middle = first.after(Span::from_nanos(last.since(first).as_nanos() / 2));
        pieces.push((middle, bounds));
        return Some(());
    }
    let (earlier, later) = samples.split_at_checked(samples.len() / 2)?;
    let is_enough = |part: &[Sample]| {
        let outward = part.iter().filter(|sample| sample.is_outward).count();
        outward >= EACH_WAY && part.len().saturating_sub(outward) >= EACH_WAY
    };
    if depth == 0 || !is_enough(earlier) || !is_enough(later) {
        return None;
    }
    let depth = depth.saturating_sub(1);
    split(earlier, depth, pieces)?;
    split(later, depth, pieces)
}

impl Bounds {
    fn of(samples: &[Sample]) -> Self {
        let way =
            |outward: bool| samples.iter().filter(move |it| it.is_outward == outward).map(|it| it.later);
        Self { least: way(false).max(), most: way(true).min() }
    }

    /// Without those few that tell most: a packet that was taken for another one is far off.
    fn trimmed(samples: &[Sample]) -> Self {
        let way = |outward: bool| {
            let mut all: Vec<i64> =
                samples.iter().filter(|it| it.is_outward == outward).map(|it| it.later).collect();
            all.sort_unstable();
            all
        };
        let (mut inward, outward) = (way(false), way(true));
        inward.reverse();
        let nearest = |all: &[i64]| all.get(all.len().div_ceil(TRIMMED_PART)).or(all.first()).copied();
        Self { least: nearest(&inward), most: nearest(&outward) }
    }

    /// Whether one clock can have shown that. Times of two captures are never exact to the last.
    fn agree(self) -> bool {
        match (self.least, self.most) {
            (Some(least), Some(most)) => least.saturating_sub(most) <= JITTER_NANOS,
            _ => true,
        }
    }

    fn middle(self) -> Option<i64> {
        match (self.least, self.most) {
            (Some(least), Some(most)) => Some(least.midpoint(most)),
            (one, other) => one.or(other),
        }
    }

    fn error(self) -> Option<Span> {
        let wide = self.most?.saturating_sub(self.least?).saturating_abs();
        Some(Span::from_nanos(wide.saturating_add(1) / 2))
    }

    /// What makes times those of the measure: see the room's own words.
    fn taken_off(self) -> Option<i64> {
        match (self.least, self.most) {
            (Some(least), Some(most)) if least > most => self.middle(),
            // A moment more, so that what was sent stays before what arrived.
            (Some(least), Some(most)) => {
                let moment = (most.saturating_sub(least) / 4).min(MOMENT_NANOS);
                Some(least.saturating_add(moment))
            }
            (least, most) => least.or(most),
        }
    }

    fn clock(self, from: Timestamp) -> Option<Clock> {
        Some(Clock {
            takes_off: vec![(from, Span::from_nanos(self.taken_off()?))],
            ahead: Span::from_nanos(self.middle()?),
            error: self.error(),
            gains: Span::default(),
        })
    }
}

/// How long packets to the measure seem to take at least, where the way is long enough.
const MOMENT_NANOS: i64 = 100_000;
/// Packets whose times two captures may put in the wrong order though nothing is wrong.
const JITTER_NANOS: i64 = 20_000;
/// One in so many may be wrong, either way.
const TRIMMED_PART: usize = 64;
const TRIMMED_AT_LEAST: usize = 64;
/// How often a capture is halved to find how its clock drifts.
const DEPTH: u32 = 6;
/// Packets in each direction that tell something of a part.
const EACH_WAY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets both ways each second, which take `way` and up to `jitter` more; the clock is `ahead`, in microseconds,
    /// and gains so much a second.
    fn samples(seconds: i64, way: i64, jitter: i64, ahead: i64, gain: i64) -> Vec<Sample> {
        (0..seconds)
            .flat_map(|second| {
                let ahead = ahead + gain * second;
                let late = (second * 7_919) % (jitter + 1);
                [(way + late, true), (-way - late, false)].map(|(later, is_outward)| Sample {
                    at: Timestamp::from_parts(second, u32::from(is_outward)),
                    later: (ahead + later) * 1_000,
                    is_outward,
                })
            })
            .collect()
    }

    fn micros(span: Span) -> i64 {
        span.as_nanos() / 1_000
    }

    #[test]
    fn the_middle_of_both_directions_is_the_offset() {
        for ahead in [0, 3_200, -5_000_000] {
            let clock = estimate(&mut samples(100, 400, 300, ahead, 0)).unwrap();
            assert_eq!((micros(clock.ahead), clock.error.map(micros)), (ahead, Some(400)));
            // From the other point to the measure nothing takes time, or hardly any.
            assert_eq!(clock.takes_off.len(), 1);
            assert_eq!(micros(clock.takes_off[0].1), ahead - 300);
        }
    }

    #[test]
    fn one_direction_alone_has_no_error_to_tell() {
        let mut outward: Vec<Sample> =
            samples(9, 400, 0, 1_000, 0).into_iter().filter(|it| it.is_outward).collect();
        let clock = estimate(&mut outward).unwrap();
        assert_eq!((micros(clock.ahead), clock.error), (1_400, None));
        assert_eq!(estimate(&mut []), None);
    }

    #[test]
    fn a_wrong_pair_does_not_count() {
        let mut all = samples(200, 400, 300, 1_000, 0);
        all.push(Sample { at: Timestamp::from_parts(7, 0), later: -9_000_000_000, is_outward: true });
        let clock = estimate(&mut all).unwrap();
        assert!((900..1_100).contains(&micros(clock.ahead)), "{clock:?}");
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        // 50 microseconds a second over ten minutes: 30 ms.
        let clock = estimate(&mut samples(600, 400, 100, 0, 50)).unwrap();
        assert!((25_000..31_000).contains(&micros(clock.gains)), "{clock:?}");
        for second in [30, 300, 570] {
            let at = Timestamp::from_parts(second, 0);
            let off = micros(at.since(clock.correct(at)));
            assert!((off - (50 * second - 400)).abs() < 600, "{second}: {off}");
        }
    }
}
