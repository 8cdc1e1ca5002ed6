//! Where live connections lie: found by their endpoints, named by a place that stays while they live.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::flow::Flow;
use super::receiver::Receiver;
use crate::decode::FlowKey;

/// The live connections.
#[derive(Debug)]
pub(super) struct Slots<R> {
    /// The place of each flow: four bytes a flow, so that the table stays in the cache.
    index: HashTable<u32>,
    /// Seeded, since the keys come from the network.
    hasher: foldhash::fast::RandomState,
    /// The flows in blocks of [`BLOCK`]: they never move, and begin on a cache line whatever the allocator does. In places
    /// that are free lie [vacant](Flow::is_vacant) ones, so that nothing but a key has to be read to tell.
    blocks: Vec<Box<[Flow<R>; BLOCK]>>,
    /// The hash of what lies at each place: a table that grows asks for all of them, and the flows lie far apart.
    hashes: Vec<u64>,
    /// Distinguishes the flows that use a place one after the other.
    generations: Vec<u32>,
    free: Vec<u32>,
}

impl<R: Receiver> Slots<R> {
    pub(super) fn new() -> Self {
        Self {
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            blocks: Vec::new(),
            hashes: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Where the connection between these endpoints lies.
    pub(super) fn find(&self, key: &FlowKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |place| self.is_at(*place, key)).copied()
    }

    /// Where it lies most probably; the flow itself is not touched. The table keeps seven bits of each hash, so one
    /// guess in twenty or so is wrong. To compare more bits would be to wait for them.
    #[inline]
    pub(super) fn guess(&self, key: &FlowKey) -> Option<u32> {
        let hash = self.hasher.hash_one(key);
        self.index.find(hash, |_| true).copied()
    }

    /// Whether the connection between these endpoints lies here.
    #[inline]
    pub(super) fn is_at(&self, place: u32, key: &FlowKey) -> bool {
        self.get(place).is_some_and(|flow| flow.key == *key)
    }

    /// What lies at a place.
    #[inline]
    pub(super) fn get(&self, place: u32) -> Option<&Flow<R>> {
        self.blocks.get(place as usize / BLOCK)?.get(place as usize % BLOCK)
    }

    /// What lies at a place, to be worked on.
    #[inline]
    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Flow<R>> {
        self.blocks.get_mut(place as usize / BLOCK)?.get_mut(place as usize % BLOCK)
    }

    /// The connection between these endpoints, if it lies here, to be worked on.
    #[inline]
    pub(super) fn get_mut_if(&mut self, place: u32, key: &FlowKey) -> Option<&mut Flow<R>> {
        self.get_mut(place).filter(|flow| flow.key == *key)
    }

    /// The number of the flow at a place among those that have used it.
    pub(super) fn generation(&self, place: u32) -> u32 {
        self.generations.get(place as usize).copied().unwrap_or_default()
    }

    /// Adds a connection; there must be none between the same endpoints. `None` beyond 2^32 of them.
    pub(super) fn insert(&mut self, flow: Flow<R>) -> Option<u32> {
        let hash = self.hasher.hash_one(flow.key);
        let place = if let Some(place) = self.free.pop() {
            *self.get_mut(place)? = flow;
            *self.hashes.get_mut(place as usize)? = hash;
            place
        } else {
            let place = u32::try_from(self.generations.len()).ok()?;
            if self.generations.len().is_multiple_of(BLOCK) {
                let block: Box<[Flow<R>]> = std::iter::repeat_with(Flow::vacant).take(BLOCK).collect();
                self.blocks.push(block.try_into().ok()?);
            }
            *self.get_mut(place)? = flow;
            self.hashes.push(hash);
            self.generations.push(0);
            place
        };
        let hashes = &self.hashes;
        self.index
            .insert_unique(hash, place, |other| hashes.get(*other as usize).copied().unwrap_or_default());
        Some(place)
    }

    /// Frees the place of a connection that has ended.
    pub(super) fn free(&mut self, place: u32) {
        let Some(flow) = self.get_mut(place).filter(|flow| !flow.is_vacant()) else { return };
        flow.key = FlowKey::NONE;
        if let Some(generation) = self.generations.get_mut(place as usize) {
            *generation = generation.wrapping_add(1);
        }
        let hash = self.hashes.get(place as usize).copied().unwrap_or_default();
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == place) {
            entry.remove();
        }
        self.free.push(place);
    }

    /// All of them with their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Flow<R>)> {
        (0..).zip(self.blocks.iter().flat_map(|block| block.iter())).filter(|(_, flow)| !flow.is_vacant())
    }

    /// Shows all of them for the last time. They stay where they lie: to take each out would be to copy it.
    pub(super) fn clear(&mut self, mut last_look: impl FnMut(&mut Flow<R>)) {
        self.index.clear();
        self.free.clear();
        self.hashes.clear();
        self.generations.clear();
        for mut block in std::mem::take(&mut self.blocks) {
            block.iter_mut().filter(|flow| !flow.is_vacant()).for_each(&mut last_look);
        }
    }
}

/// Flows that are allocated together.
const BLOCK: usize = 64;
