//! Attempts over time, as a few numbers to draw.

use super::rows::Row;
use crate::units::{Span, Timestamp, median};

/// Attempts in 48 equal parts of the capture's time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chart {
    /// In each part: attempts that did not fail, and attempts that failed.
    pub attempts: Vec<(u64, u64)>,
    /// In each part: the median time to an answer, in nanoseconds; 0 without one.
    pub latency: Vec<u64>,
    /// Attempts that were established, and all whose end is known.
    pub success: (u64, u64),
    /// Of established attempts: half were answered faster, and the slowest.
    pub answered: Option<(Span, Span)>,
}

impl Chart {
    /// Of all rows.
    #[must_use]
    pub fn new(rows: &[Row], (start, end): (Timestamp, Timestamp)) -> Self {
        let mut attempts = vec![(0u64, 0u64); BUCKETS];
        let mut latencies: Vec<Vec<Span>> = vec![Vec::new(); BUCKETS];
        let mut established: Vec<Span> = Vec::new();
        let (mut succeeded, mut known) = (0u64, 0u64);
        let whole = end.since(start).as_nanos().max(1).unsigned_abs();
        for row in rows {
            let at = row.began.since(start).as_nanos().max(0).unsigned_abs();
            let bucket = u128::from(at).saturating_mul(BUCKETS as u128) / u128::from(whole);
            let bucket = usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS.saturating_sub(1));
            let is_established = row.outcome == crate::model::Outcome::Established;
            if let Some((fine, failed)) = attempts.get_mut(bucket) {
                let counter = if row.outcome.is_failure() { failed } else { fine };
                *counter = counter.saturating_add(1);
            }
            if let (Some(latencies), Some(latency)) = (latencies.get_mut(bucket), row.latency) {
                latencies.push(latency);
            }
            if is_established || row.outcome.is_failure() {
                known = known.saturating_add(1);
            }
            if is_established {
                succeeded = succeeded.saturating_add(1);
                established.extend(row.latency);
            }
        }
        let latency = latencies
            .iter_mut()
            .map(|spans| middle(spans).map_or(0, |span| span.as_nanos().max(1).unsigned_abs()));
        let latency = latency.collect();
        let slowest = established.iter().max().copied();
        let answered = middle(&mut established).zip(slowest);
        Self { attempts, latency, success: (succeeded, known), answered }
    }
}

/// The median, without sorting all of them: that takes milliseconds where there are 100,000.
fn middle(spans: &mut [Span]) -> Option<Span> {
    let at = spans.len() / 2;
    if spans.is_empty() {
        return None;
    }
    let is_even = spans.len().is_multiple_of(2);
    let (before, upper, _) = spans.select_nth_unstable(at);
    let lower = before.iter().max().copied().filter(|_| is_even).unwrap_or(*upper);
    median(&[lower, *upper])
}

/// As fine as anybody could draw it in a corner.
pub(super) const BUCKETS: usize = 48;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_middle_is_the_median(nanos in prop::collection::vec(-9i64..9, 0..12)) {
            let mut spans: Vec<Span> = nanos.into_iter().map(Span::from_millis).collect();
            let found = middle(&mut spans);
            spans.sort_unstable();
            prop_assert_eq!(found, median(&spans));
        }
    }
}
