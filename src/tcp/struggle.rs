//! What a half has trouble with: bytes that it sends again and again, a window that it closes, bytes that the capture
//! lacks. All of it is rare, so that nothing is there for it on ordinary connections.

use super::facts::{ClosedWindow, HalfFacts, Retries};
use crate::decode::Segment;
use crate::units::{Origin, PacketNumber, Span, Timestamp};

/// The trouble of one half.
#[derive(Clone, Debug, Default)]
pub(super) struct Struggle {
    retransmitted_bytes: u64,
    missing_cut_bytes: u64,
    missing_acknowledged_bytes: u64,
    /// The bytes that were sent again last.
    latest: Option<Run>,
    /// Those that were sent again most often, and how many packets the other side had sent at the last time.
    worst: Option<(Retries, u32)>,
    window: Option<ClosedWindow>,
    /// Since when its window has been closed.
    closed_since: Option<Origin>,
}

/// Sending the same bytes again.
#[derive(Clone, Copy, Debug)]
struct Run {
    sequence: u32,
    /// Packets of the other side before it.
    heard: u32,
    retries: Retries,
}

impl Struggle {
    /// A segment with bytes that had been seen before. `heard` is how many packets the other side has sent so far.
    pub(super) fn retransmitted(&mut self, segment: &Segment<'_>, heard: u32) {
        self.retransmitted_bytes = self.retransmitted_bytes.saturating_add(u64::from(segment.payload_length));
        let at = (segment.origin.packet, segment.origin.time);
        let run = match self.latest.filter(|run| run.sequence == segment.sequence) {
            Some(run) => Run {
                retries: Retries {
                    times: run.retries.times.saturating_add(1),
                    length: run.retries.length.max(segment.payload_length),
                    last: at,
                    is_heard: run.heard != heard,
                    ..run.retries
                },
                ..run
            },
            None => Run {
                sequence: segment.sequence,
                heard,
                retries: Retries {
                    times: 1,
                    length: segment.payload_length,
                    first: at,
                    last: at,
                    is_heard: false,
                    heard_after: 0,
                },
            },
        };
        self.latest = Some(run);
        if self.worst.is_none_or(|(worst, _)| worst.times <= run.retries.times) {
            self.worst = Some((run.retries, heard));
        }
    }

    /// Bytes that a snap length cut off.
    pub(super) const fn missing_cut(&mut self, bytes: u64) {
        self.missing_cut_bytes = self.missing_cut_bytes.saturating_add(bytes);
    }

    /// Bytes that the capture dropped: the other side has acknowledged them.
    pub(super) const fn missing_acknowledged(&mut self, bytes: u64) {
        self.missing_acknowledged_bytes = self.missing_acknowledged_bytes.saturating_add(bytes);
    }

    /// Whether the window is closed.
    pub(super) const fn is_window_closed(&self) -> bool {
        self.closed_since.is_some()
    }

    /// A segment says that the window is closed, or open again.
    pub(super) fn window(&mut self, is_closed: bool, at: Origin) {
        match (self.closed_since, is_closed) {
            (None, true) => {
                self.closed_since = Some(at);
                let first = (at.packet, at.time);
                let known = self.window.get_or_insert(ClosedWindow { first, ..ClosedWindow::default() });
                known.times = known.times.saturating_add(1);
            }
            (Some(since), false) => {
                self.closed_since = None;
                self.add_closed(at.time.since(since.time));
            }
            _ => {}
        }
    }

    /// The facts that follow from it, and nothing else, in the end: `last` being the last packet and `heard` how many the
    /// other side has sent.
    pub(super) fn facts(&self, last: (PacketNumber, Timestamp), heard: u32) -> HalfFacts {
        let mut end = self.clone();
        if let Some(since) = end.closed_since {
            end.add_closed(last.1.since(since.time));
        }
        let retries = |(worst, before)| Retries { heard_after: heard.saturating_sub(before), ..worst };
        HalfFacts {
            missing_cut_bytes: self.missing_cut_bytes,
            missing_acknowledged_bytes: self.missing_acknowledged_bytes,
            retransmitted_bytes: self.retransmitted_bytes,
            retries: self.worst.map(retries),
            closed_window: end
                .window
                .map(|window| ClosedWindow { is_to_the_end: self.is_window_closed(), ..window }),
            ..HalfFacts::default()
        }
    }

    fn add_closed(&mut self, span: Span) {
        if let Some(window) = &mut self.window {
            window.longest = window.longest.max(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{Flags, FlowKey};

    fn at(packet: u64) -> Origin {
        let time = Timestamp::from_parts(i64::try_from(packet).unwrap(), 0);
        Origin { packet: PacketNumber(packet), time, file_offset: 0 }
    }

    fn number_and_time(packet: u64) -> (PacketNumber, Timestamp) {
        (at(packet).packet, at(packet).time)
    }

    fn segment(packet: u64, sequence: u32) -> Segment<'static> {
        let (flow, half) = FlowKey::ipv4(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 80));
        Segment {
            flow,
            half,
            sequence,
            acknowledgment: 0,
            flags: Flags::ACK,
            hop_limit: 64,
            identification: 0,
            window: 1,
            header: &[],
            payload: b"0123456789",
            payload_length: 10,
            origin: at(packet),
        }
    }

    #[test]
    fn the_bytes_that_were_sent_again_most_often_are_told() {
        let mut struggle = Struggle::default();
        for (packet, sequence, heard) in [(1, 5, 3), (2, 9, 3), (3, 9, 3), (5, 9, 4), (6, 7, 4)] {
            struggle.retransmitted(&segment(packet, sequence), heard);
        }
        let facts = struggle.facts(number_and_time(9), 6);
        let (bytes, worst, window) = (facts.retransmitted_bytes, facts.retries.unwrap(), facts.closed_window);
        assert_eq!(
            (bytes, worst.times, worst.first.0, worst.last.0),
            (50, 3, PacketNumber(2), PacketNumber(5))
        );
        assert!(worst.is_heard && window.is_none());
        assert_eq!(worst.heard_after, 2);
    }

    #[test]
    fn a_closed_window_lasts_until_it_opens_or_to_the_end() {
        let mut struggle = Struggle::default();
        for (packet, is_closed) in [(1, true), (2, true), (4, false), (5, false), (7, true)] {
            struggle.window(is_closed, at(packet));
        }
        assert!(struggle.is_window_closed());
        let window = struggle.facts(number_and_time(8), 0).closed_window.unwrap();
        assert_eq!(
            (window.times, window.longest, window.first.0),
            (2, Span::from_millis(3_000), PacketNumber(1))
        );
        assert!(window.is_to_the_end);
    }
}
