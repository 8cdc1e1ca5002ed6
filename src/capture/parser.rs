//! Takes bytes, finds packets, and after damage finds the place where they go on.
//!
//! No I/O here: the caller brings the front of what is not yet consumed, and learns how much of it is
//! done with. What the formats differ in is in [`pcap`](super::pcap) and [`pcapng`](super::pcapng).

use super::damage::{DamageLog, Lost, Why};
use super::pcap::Pcap;
use super::pcapng::Pcapng;
use crate::capture::{FileFacts, PacketMeta};
use crate::units::PacketNumber;

/// Reads the records of one capture.
#[derive(Debug)]
pub(super) struct Parser {
    format: Format,
    /// Where the records got out of step, while the next plausible one is looked for.
    lost: Option<Lost>,
}

/// The format of the capture.
#[derive(Debug)]
pub(super) enum Format {
    Pcap(Pcap),
    Pcapng(Box<Pcapng>),
}

/// The front of the capture that is not yet consumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a> {
    /// The bytes.
    pub(super) bytes: &'a [u8],
    /// Where in `bytes` the first of them is that is not yet consumed.
    pub(super) from: usize,
    /// Where `bytes` starts in the capture.
    pub(super) offset: u64,
    /// Whether the capture ends with them.
    pub(super) last: bool,
}

/// What was found in the input.
#[derive(Debug)]
pub(super) struct Found<'a> {
    /// The packets; their ranges count from the start of the input.
    pub(super) packets: &'a mut Vec<PacketMeta>,
    /// The number of the first of them.
    pub(super) first: PacketNumber,
    /// The damage.
    pub(super) damage: &'a mut DamageLog,
}

/// How far the parser came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The bytes before this one are done with: all of them if the input was the last.
    pub(super) consumed: usize,
    /// So many bytes, from there, are needed to come further.
    pub(super) need: usize,
}

/// Why a format read no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// It needs so many bytes from where it is.
    Need(usize),
    /// The capture ends here, between two records.
    End,
    /// The record at this file offset is damaged.
    Lost(u64, Why),
}

/// Whether a record starts at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Plausible,
    Not,
    /// So many bytes from that place would tell.
    Unclear(usize),
}

impl Parser {
    /// A parser that starts at the first record or block.
    pub(super) fn new(format: Format) -> Self {
        Self { format, lost: None }
    }

    /// Whether records can be read from any of them on: they need nothing of those before.
    pub(super) fn can_start_anywhere(&self) -> bool {
        matches!(&self.format, Format::Pcap(pcap) if pcap.has_usual_records())
    }

    /// What the capture has said of itself so far.
    pub(super) fn facts(&self) -> FileFacts {
        match &self.format {
            Format::Pcap(_) => FileFacts::default(),
            Format::Pcapng(pcapng) => pcapng.facts().clone(),
        }
    }

    /// Finds the packets of the input.
    pub(super) fn parse(&mut self, input: Input<'_>, found: &mut Found<'_>) -> Step {
        let mut at = input.from;
        loop {
            if let Some(lost) = self.lost.take() {
                match self.search(input, at) {
                    Search::Here(start) => {
                        lost.tell_skipped(input.offset_of(start), found.damage);
                        at = start;
                    }
                    Search::Later(step) => {
                        self.lost = Some(lost);
                        return step;
                    }
                    Search::Nowhere => {
                        lost.tell_stopped(found.damage);
                        return Step::all(input);
                    }
                }
            }
            let stop = match &mut self.format {
                Format::Pcap(pcap) => pcap.records(input, &mut at, found),
                Format::Pcapng(pcapng) => pcapng.blocks(input, &mut at, found),
            };
            match stop {
                Stop::Need(need) => return Step { consumed: at, need },
                Stop::End => return Step::all(input),
                Stop::Lost(offset, why) => {
                    self.lost = Some(Lost { packet: found.next(), offset, why });
                    at = at.saturating_add(1).min(input.bytes.len());
                }
            }
        }
    }

    /// Looks for the first place from `from` on at which records plausibly go on.
    ///
    /// Linear: each place is judged by a few headers. If one cannot be judged yet, at least as many bytes
    /// are asked for as are kept for it, so that what is kept is moved only once for each byte read.
    fn search(&self, input: Input<'_>, from: usize) -> Search {
        for start in from..input.bytes.len() {
            let verdict = match &self.format {
                Format::Pcap(pcap) => pcap.judge(input, start),
                Format::Pcapng(pcapng) => pcapng.judge(input, start),
            };
            match verdict {
                Verdict::Not => {}
                Verdict::Plausible => return Search::Here(start),
                Verdict::Unclear(need) => {
                    let kept = input.bytes.len().saturating_sub(start);
                    return Search::Later(Step { consumed: start, need: need.max(kept.saturating_mul(2)) });
                }
            }
        }
        if input.last { Search::Nowhere } else { Search::Later(Step::all(input)) }
    }
}

impl Input<'_> {
    /// The bytes from `at` on.
    #[inline]
    pub(super) fn rest(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    /// Where the byte `at` is in the capture.
    #[inline]
    pub(super) fn offset_of(&self, at: usize) -> u64 {
        self.offset.saturating_add(at as u64)
    }
}

impl Found<'_> {
    /// The number of the next packet.
    pub(super) fn next(&self) -> PacketNumber {
        PacketNumber(self.first.0.saturating_add(self.packets.len() as u64))
    }

    /// Tells of damage after which the records go on as if nothing had been.
    pub(super) fn tell(&mut self, offset: u64, what: impl FnOnce() -> String) {
        self.damage.tell(self.next(), offset, what);
    }
}

impl Step {
    fn all(input: Input<'_>) -> Self {
        Self { consumed: input.bytes.len(), need: 1 }
    }
}

/// Where the records go on after damage.
enum Search {
    Here(usize),
    Later(Step),
    Nowhere,
}
