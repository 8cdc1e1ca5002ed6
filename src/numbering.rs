//! Packet numbers of a capture that consists of several files: which packet of which file each is.
//!
//! Inside, packets are numbered in the order in which they were read, whatever file they are of: that number is the name
//! of a connection, and tells what came before what. People look a packet up in its own file.

use crate::limits;
use crate::units::PacketNumber;

/// Where the packets of a capture come from. Two bytes for each run of packets of one file.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    files: Vec<String>,
    runs: Vec<Run>,
    /// For every [`STEP`]th run, how many packets were before it: all together, then of each file.
    before: Vec<u64>,
    packets: u64,
    /// Those of them of which the file is known, and how many each file has.
    placed: u64,
    of_file: Vec<u64>,
}

/// Up to 256 packets of one file.
#[derive(Clone, Copy, Debug)]
struct Run {
    file: u8,
    /// One less than its packets.
    more: u8,
}

/// A packet of one of several files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFile<'a> {
    /// The file, counted from 1 by the times of their first packets.
    pub file: usize,
    /// Its path as it was given.
    pub name: &'a str,
    /// The packet's number in it, as Wireshark counts.
    pub packet: PacketNumber,
}

impl Numbering {
    /// Of a capture that is one file, or none.
    pub const ONE_FILE: &'static Self = &Self {
        files: Vec::new(),
        runs: Vec::new(),
        before: Vec::new(),
        packets: 0,
        placed: 0,
        of_file: Vec::new(),
    };

    /// For packets of these files, of which there are at most 256. With fewer than two there is nothing to be told.
    #[must_use]
    pub fn new(files: Vec<String>) -> Self {
        let of_file = vec![0; files.len()];
        Self { files, of_file, ..Self::default() }
    }

    /// The files, in the order of their first packets; none if there are fewer than two.
    #[must_use]
    pub fn files(&self) -> &[String] {
        if self.files.len() < 2 { &[] } else { &self.files }
    }

    /// Takes note of the next packet. Past [`limits::NUMBERING_BYTES`] it is counted only.
    pub fn push(&mut self, file: u8) {
        let is_known = self.unplaced() == 0;
        self.packets = self.packets.saturating_add(1);
        let Some(before) = self.of_file.get(usize::from(file)).copied().filter(|_| is_known) else { return };
        if let Some(run) = self.runs.last_mut().filter(|run| run.file == file && run.more < u8::MAX) {
            run.more = run.more.saturating_add(1);
        } else if self.bytes() < limits::NUMBERING_BYTES {
            if self.runs.len().is_multiple_of(STEP) {
                self.before.push(self.placed);
                self.before.extend_from_slice(&self.of_file);
            }
            self.runs.push(Run { file, more: 0 });
        } else {
            return;
        }
        self.placed = self.packets;
        if let Some(of_file) = self.of_file.get_mut(usize::from(file)) {
            *of_file = before.saturating_add(1);
        }
    }

    /// Packets of which the file is no longer known: those past the limit.
    #[must_use]
    pub fn unplaced(&self) -> u64 {
        self.packets.saturating_sub(self.placed)
    }

    /// Which packet of which file it is; none if there is one file only, and past the limit.
    #[must_use]
    pub fn in_file(&self, packet: PacketNumber) -> Option<InFile<'_>> {
        let files = self.files.len();
        let place = packet.0.checked_sub(1)?;
        if files < 2 {
            return None;
        }
        let stride = files.saturating_add(1);
        let steps = self.before.len().checked_div(stride)?;
        let total = |step: usize| self.before.get(step.saturating_mul(stride)).copied().unwrap_or_default();
        // The last step that begins at or before the packet.
        let (mut low, mut high) = (0, steps);
        while high.saturating_sub(low) > 1 {
            let middle = low.midpoint(high);
            if total(middle) <= place { low = middle } else { high = middle }
        }
        let mut start = total(low);
        let from = low.saturating_mul(stride).saturating_add(1);
        let before = self.before.get(from..from.saturating_add(files))?;
        let runs = self.runs.get(low.saturating_mul(STEP)..)?;
        let at = runs.iter().take(STEP).position(|run| {
            let end = start.saturating_add(u64::from(run.more)).saturating_add(1);
            let is_here = place < end;
            if !is_here {
                start = end;
            }
            is_here
        })?;
        let run = runs.get(at)?;
        let earlier = runs.get(..at)?.iter().filter(|earlier| earlier.file == run.file);
        let earlier: u64 = earlier.map(|earlier| u64::from(earlier.more).saturating_add(1)).sum();
        let in_run = place.saturating_sub(start).saturating_add(1);
        let number = before.get(usize::from(run.file))?.saturating_add(earlier).saturating_add(in_run);
        let name = self.files.get(usize::from(run.file))?;
        Some(InFile { file: usize::from(run.file).saturating_add(1), name, packet: PacketNumber(number) })
    }

    /// The number by which people look it up: see [`PacketNumber::in_file`].
    #[must_use]
    pub fn name(&self, packet: PacketNumber) -> PacketNumber {
        match self.in_file(packet) {
            Some(found) => {
                PacketNumber::in_file(u16::try_from(found.file).unwrap_or(u16::MAX), found.packet.0)
            }
            None if self.files.len() < 2 => packet,
            None => PacketNumber::in_some_file(packet.0),
        }
    }

    /// The number in the order of reading of a packet that people name so: the reverse of [`Self::name`]. The runs are
    /// walked: it is for single packets that somebody asks for.
    #[must_use]
    pub fn unname(&self, name: PacketNumber) -> PacketNumber {
        let Some((file, mut left)) = name.place() else { return name };
        let mut packets = 0_u64;
        for run in &self.runs {
            let length = u64::from(run.more).saturating_add(1);
            if u16::from(run.file).saturating_add(1) == file {
                if left <= length {
                    return PacketNumber(packets.saturating_add(left));
                }
                left = left.saturating_sub(length);
            }
            packets = packets.saturating_add(length);
        }
        // Past the limit the name is the number.
        PacketNumber(left)
    }

    fn bytes(&self) -> usize {
        let runs = self.runs.len().saturating_mul(size_of::<Run>());
        runs.saturating_add(self.before.len().saturating_mul(size_of::<u64>()))
    }
}

/// Runs that are walked to find a packet, at most.
const STEP: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_of_one_file_have_plain_names() {
        let mut numbering = Numbering::new(vec!["a".to_owned()]);
        numbering.push(0);
        assert_eq!(
            (numbering.name(PacketNumber(1)), numbering.in_file(PacketNumber(1))),
            (PacketNumber(1), None)
        );
        assert_eq!(Numbering::default().name(PacketNumber(7)), PacketNumber(7));
        assert!(numbering.files().is_empty());
    }

    #[test]
    fn packets_past_the_limit_are_counted() {
        let mut numbering = Numbering::new(vec!["a".to_owned(), "b".to_owned()]);
        let runs = limits::NUMBERING_BYTES as u64;
        for packet in 0..runs {
            numbering.push(u8::from(packet % 2 == 1));
        }
        assert!(numbering.bytes() <= limits::NUMBERING_BYTES + 64);
        let unplaced = numbering.unplaced();
        assert!(unplaced > 0);
        assert_eq!(numbering.name(PacketNumber(runs)).to_string(), format!("#?:{runs}"));
        assert_eq!(numbering.unname(numbering.name(PacketNumber(runs))), PacketNumber(runs));
        let last = runs - unplaced;
        assert_eq!(numbering.in_file(PacketNumber(last)).unwrap().packet.0, last.div_ceil(2));
    }

    proptest! {
        #[test]
        fn every_packet_is_found_again(
            files in 2_u8..5,
            runs in prop::collection::vec((any::<u8>(), prop_oneof![4 => 1_usize..4, 1 => 200_usize..900]), 1..900),
        ) {
            let names: Vec<String> = (0..files).map(|file| file.to_string()).collect();
            let mut numbering = Numbering::new(names);
            let mut plain = Vec::new();
            let mut own = vec![0; usize::from(files)];
            for (file, length) in runs {
                for _ in 0..length {
                    let file = file % files;
                    own[usize::from(file)] += 1;
                    plain.push((file, own[usize::from(file)]));
                    numbering.push(file);
                }
            }
            for (place, (file, own)) in plain.iter().enumerate() {
                let found = numbering.in_file(PacketNumber(place as u64 + 1)).unwrap();
                prop_assert_eq!((found.file, found.packet.0), (usize::from(*file) + 1, *own));
                prop_assert_eq!(found.name, file.to_string());
                // Walked each time: some of them do.
                if place % 97 == 0 {
                    let name = numbering.name(PacketNumber(place as u64 + 1));
                    prop_assert_eq!(numbering.unname(name), PacketNumber(place as u64 + 1));
                }
            }
            prop_assert_eq!(numbering.in_file(PacketNumber(0)), None);
            prop_assert_eq!(numbering.in_file(PacketNumber(plain.len() as u64 + 1)), None);
        }
    }
}
