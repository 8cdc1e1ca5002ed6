//! Takes packets from interfaces: counts and records them, and knows when that is over.

use std::time::{Duration, Instant};

use super::now;
use crate::capture::live::{Came, Drops, Live, Memory, Recorder};
use crate::capture::{Block, CaptureError};
use crate::cli::LiveArgs;
use crate::report::Status;
use crate::report::metrics::InterfaceGauges;

/// A capture in progress.
pub(super) struct Taking {
    live: Live,
    recorder: Option<Recorder>,
    /// Where packets are remembered for a while, if somebody may want them again.
    memory: Option<Memory>,
    interfaces: usize,
    count: Option<u64>,
    duration: Option<Duration>,
    began: Instant,
    packets: u64,
    bytes: u64,
    /// For each interface, why it ended though nobody asked for it.
    lost: Vec<Option<String>>,
    /// For each interface, whether it is switched off.
    down: Vec<bool>,
    /// When that was looked at.
    looked: Instant,
    /// Why all of it ends.
    ended: Option<String>,
}

/// What came.
pub(super) enum Step {
    /// Packets. They are recorded.
    Packets,
    /// Nothing, for a while.
    Nothing,
    /// An interface was lost: what there is to say about it.
    Lost(String),
    /// Interfaces were switched on or off: what there is to say about it.
    Switched(String),
    /// Nothing more will come.
    Over,
}

impl Taking {
    pub(super) fn new(
        live: Live,
        recorder: Option<Recorder>,
        memory: Option<Memory>,
        args: &LiveArgs,
    ) -> Self {
        let interfaces = args.interfaces.len();
        Self {
            live,
            recorder,
            memory,
            interfaces,
            count: args.count,
            duration: args.duration,
            began: now(),
            packets: 0,
            bytes: 0,
            lost: vec![None; interfaces],
            down: vec![false; interfaces],
            looked: now(),
            ended: None,
        }
    }

    /// Waits for what comes next, and swaps it for what is in `block`; that is remembered, if it was read.
    ///
    /// # Errors
    /// If it cannot be recorded.
    pub(super) fn next(&mut self, block: &mut Block) -> Result<Step, CaptureError> {
        if let Some(duration) = self.duration.filter(|duration| self.began.elapsed() >= *duration) {
            self.stop(&format!("after {} s", duration.as_secs()));
        }
        if let Some(memory) = self.memory.as_ref().filter(|_| !block.packets.is_empty()) {
            memory.add(std::mem::take(block));
        }
        if self.looked.elapsed() >= LOOK {
            self.looked = now();
            if let Some(message) = self.switched() {
                block.packets.clear();
                return Ok(Step::Switched(message));
            }
        }
        Ok(match self.live.next(block) {
            Came::Packets => {
                self.take(block)?;
                Step::Packets
            }
            Came::Nothing | Came::Ended(_, None) => Step::Nothing,
            Came::Ended(place, Some(reason)) => Step::Lost(self.lose(place, reason)),
            Came::AllEnded => Step::Over,
        })
    }

    fn take(&mut self, block: &mut Block) -> Result<(), CaptureError> {
        if let Some(count) = self.count {
            let room = usize::try_from(count.saturating_sub(self.packets)).unwrap_or(usize::MAX);
            if block.packets.len() >= room {
                block.packets.truncate(room);
                self.stop(&format!("after {count} packets"));
            }
        }
        self.packets = self.packets.saturating_add(block.packets.len() as u64);
        let bytes = block.packets.iter().map(|packet| u64::from(packet.original)).sum();
        self.bytes = self.bytes.saturating_add(bytes);
        let drops: Vec<Drops> = (0..self.interfaces).map(|place| self.live.drops_of(place)).collect();
        if let Some(recorder) = &mut self.recorder {
            recorder.write(block, |packet| self.live.place_of(packet), &drops)?;
        }
        Ok(())
    }

    /// What is to be said of interfaces that were switched on or off.
    fn switched(&mut self) -> Option<String> {
        let mut messages = Vec::new();
        for (place, was_down) in self.down.iter_mut().enumerate() {
            let is_down = !self.live.is_up(place);
            let name = self.live.interface(place).and_then(|it| it.name.as_deref()).unwrap_or_default();
            let is_lost = self.lost.get(place).is_some_and(Option::is_some);
            match (std::mem::replace(was_down, is_down), is_down) {
                (false, true) if !is_lost => {
                    messages.push(format!(
                        "{name} is switched off: nothing comes from there until it is on again"
                    ));
                }
                (true, false) if !is_lost => messages.push(format!("{name} is on again")),
                _ => {}
            }
        }
        (!messages.is_empty()).then(|| messages.join("; "))
    }

    /// Whether an interface is switched off.
    pub(super) fn is_down(&self, place: usize) -> bool {
        self.down.get(place).copied().unwrap_or_default()
    }

    fn lose(&mut self, place: usize, reason: String) -> String {
        let name = self.live.interface(place).and_then(|it| it.name.clone()).unwrap_or_default();
        let message = format!("the capture on {name} has ended: {reason}");
        if let Some(lost) = self.lost.get_mut(place) {
            *lost = Some(reason);
        }
        message
    }

    /// Ends the capture, for this reason. What is there still comes. Once all interfaces were lost it ends for that one,
    /// also if somebody sees it on the screen and leaves before the last packets are told.
    pub(super) fn stop(&mut self, reason: &str) {
        if self.ended.is_none() && !self.all_lost() {
            self.ended = Some(reason.to_owned());
            self.live.stop();
        }
    }

    /// Why somebody or something wanted it to end.
    pub(super) fn ended(&self) -> Option<&str> {
        self.ended.as_deref()
    }

    /// If it ended because the last interface was lost: the message of that.
    pub(super) fn all_lost(&self) -> bool {
        self.ended.is_none() && self.lost.iter().all(Option::is_some)
    }

    /// Why an interface was lost.
    pub(super) fn lost(&self, place: usize) -> Option<&str> {
        self.lost.get(place)?.as_deref()
    }

    /// Packets and bytes that came.
    pub(super) const fn came(&self) -> (u64, u64) {
        (self.packets, self.bytes)
    }

    pub(super) fn drops(&self) -> Vec<Drops> {
        (0..self.interfaces).map(|place| self.live.drops_of(place)).collect()
    }

    pub(super) fn status(&self) -> Status {
        let drops = self.live.drops();
        Status {
            received: drops.received,
            dropped_by_kernel: drops.by_kernel,
            dropped_by_interface: drops.by_interface,
        }
    }

    /// Packets that may stand before earlier ones.
    pub(super) fn hurried(&self) -> u64 {
        self.live.hurried()
    }

    /// What is to be known of each interface.
    pub(super) fn gauges(&self) -> Vec<InterfaceGauges> {
        let gauges = |(place, drops): (usize, Drops)| InterfaceGauges {
            name: self.live.interface(place).and_then(|it| it.name.clone()).unwrap_or_default(),
            dropped_by_kernel: drops.by_kernel,
            dropped_by_interface: drops.by_interface,
            is_up: self.lost(place).is_none() && !self.is_down(place) && self.ended.is_none(),
        };
        self.drops().into_iter().enumerate().map(gauges).collect()
    }

    /// What whoever relies on the capture must know, in words.
    pub(super) fn warnings(&self) -> Vec<String> {
        let (dropped, hurried) = (self.status().dropped(), self.live.hurried());
        let mut warnings = Vec::new();
        if dropped > 0 {
            warnings.push(format!(
                "{dropped} packets were dropped before this program saw them (--buffer-size, a narrower filter)"
            ));
        }
        if hurried > 0 {
            warnings.push(format!(
                "{hurried} packets may stand before earlier ones of other interfaces: the machine is too busy to put them \
                 in order (fewer interfaces, a narrower filter)"
            ));
        }
        warnings
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn finish(&mut self) -> Result<(), CaptureError> {
        let drops = self.drops();
        self.recorder.take().map_or(Ok(()), |recorder| recorder.finish(&drops))
    }
}

/// How often it is looked whether interfaces are switched on.
const LOOK: Duration = Duration::from_secs(1);
