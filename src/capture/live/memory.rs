//! The latest packets of a live capture, for who wants to see them again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::capture::{Block, CaptureError, Damage, FileFacts, InterfaceFacts, Source};
use crate::limits::LIVE_MEMORY_BYTES;
use crate::units::PacketNumber;

/// Remembers packets, up to [`LIVE_MEMORY_BYTES`]; then the oldest are forgotten.
///
/// One thread adds blocks and others copy the list of them; nobody holds its lock for longer than that.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    blocks: VecDeque<Arc<Block>>,
    bytes: usize,
    interfaces: Vec<InterfaceFacts>,
}

/// What was remembered at some moment, to be read.
#[derive(Debug)]
pub struct Remembered {
    blocks: VecDeque<Arc<Block>>,
    interfaces: Vec<InterfaceFacts>,
}

impl Memory {
    /// Nothing so far, of these interfaces.
    #[must_use]
    pub fn new(interfaces: Vec<InterfaceFacts>) -> Self {
        Self(Arc::new(Mutex::new(Kept { interfaces, ..Kept::default() })))
    }

    /// Adds packets, behind those that were added before.
    pub fn add(&self, mut block: Block) {
        // What a block was made for may be much more than what is in it.
        block.bytes.shrink_to_fit();
        block.packets.shrink_to_fit();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes = kept.bytes.saturating_add(size(&block));
        kept.blocks.push_back(Arc::new(block));
        while kept.bytes > LIVE_MEMORY_BYTES {
            let Some(oldest) = kept.blocks.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(size(&oldest));
        }
    }

    /// What is remembered now.
    #[must_use]
    pub fn read(&self) -> Remembered {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Remembered { blocks: kept.blocks.clone(), interfaces: kept.interfaces.clone() }
    }

    /// How much is remembered.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Packets before this one are forgotten before long: they lie in the oldest quarter of what may be remembered.
    #[must_use]
    pub fn soon_forgotten(&self) -> PacketNumber {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over = kept.bytes.saturating_sub(LIVE_MEMORY_BYTES / 4 * 3);
        let mut before = PacketNumber(0);
        for block in &kept.blocks {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(size(block));
            before = PacketNumber(block.first.0.saturating_add(block.packets.len() as u64));
        }
        before
    }

    /// The first packet that is remembered; none if there is none.
    #[must_use]
    pub fn first(&self) -> Option<PacketNumber> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.blocks.front().map(|block| block.first)
    }
}

impl Remembered {
    /// The first packet; none if there is none.
    #[must_use]
    pub fn first(&self) -> Option<PacketNumber> {
        self.blocks.front().map(|block| block.first)
    }

    /// The last packet, or 0.
    #[must_use]
    pub fn last(&self) -> PacketNumber {
        let last = |block: &Arc<Block>| block.first.0.saturating_add(block.packets.len() as u64);
        PacketNumber(self.blocks.back().map_or(0, last).saturating_sub(1))
    }

    /// Leaves out what lies before a packet, block by block.
    pub fn skip_to(&mut self, packet: PacketNumber) {
        let ends = |block: &Block| block.first.0.saturating_add(block.packets.len() as u64);
        while self.blocks.front().is_some_and(|block| ends(block) <= packet.0) {
            self.blocks.pop_front();
        }
    }
}

impl Source for Remembered {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        let Some(next) = self.blocks.pop_front() else { return Ok(false) };
        block.bytes.clone_from(&next.bytes);
        block.packets.clone_from(&next.packets);
        (block.first, block.file_offset) = (next.first, next.file_offset);
        Ok(true)
    }

    fn name(&self) -> &'static str {
        "the live capture"
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        Vec::new()
    }

    fn files(&self) -> Vec<FileFacts> {
        vec![FileFacts { interfaces: self.interfaces.clone(), ..FileFacts::default() }]
    }
}

fn size(block: &Block) -> usize {
    let packets = block.packets.len().saturating_mul(size_of::<crate::capture::PacketMeta>());
    block.bytes.len().saturating_add(packets).saturating_add(size_of::<Block>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{LinkType, PacketMeta};
    use crate::units::Timestamp;

    #[test]
    fn the_latest_packets_are_remembered() {
        let memory = Memory::new(Vec::new());
        assert_eq!((memory.first(), memory.soon_forgotten()), (None, PacketNumber(0)));
        let packet =
            PacketMeta { time: Timestamp::MIN, start: 0, captured: 1, original: 1, link: LinkType::ETHERNET };
        for first in 1..=10 {
            let bytes = vec![0; LIVE_MEMORY_BYTES / 4];
            memory.add(Block {
                bytes,
                packets: vec![packet],
                first: PacketNumber(first),
                ..Block::default()
            });
        }
        assert_eq!(memory.first(), Some(PacketNumber(8)));
        assert_eq!(memory.soon_forgotten(), PacketNumber(9));
        let mut skipped = memory.read();
        skipped.skip_to(PacketNumber(10));
        assert_eq!(skipped.blocks.len(), 1);
        let (mut remembered, mut block) = (memory.read(), Block::default());
        memory.add(Block { first: PacketNumber(11), ..Block::default() });
        let mut firsts = Vec::new();
        while remembered.next_block(&mut block).unwrap() {
            firsts.push(block.first.0);
        }
        assert_eq!(firsts, [8, 9, 10]);
    }
}
