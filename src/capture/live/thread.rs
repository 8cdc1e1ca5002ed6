//! The thread of an interface: copies packets into blocks and hands them over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::{Duration, Instant};

use pcap::{Active, Capture};

use super::{BATCH_MILLIS, Drops, wall_clock, words};
use crate::capture::{Block, LinkType, PacketMeta};
use crate::units::{Span, Timestamp};

/// What a thread says.
pub(super) enum Message {
    /// Packets of the interface at this place.
    Block(usize, Block),
    /// The interface at this place has no packet from before this time that was not handed over.
    UpTo(usize, Timestamp),
    /// The interface at this place has ended, for this reason if nobody asked for it.
    Ended(usize, Option<String>),
}

/// What an interface counted. The thread is the only one to write.
#[derive(Debug, Default)]
pub(super) struct Counters {
    taken: AtomicU64,
    by_kernel: AtomicU64,
    by_interface: AtomicU64,
}

pub(super) struct Worker {
    pub(super) place: usize,
    pub(super) link: LinkType,
    pub(super) capture: Capture<Active>,
    /// Blocks that were read and may be filled anew.
    pub(super) blocks: Receiver<Block>,
    pub(super) messages: SyncSender<Message>,
    pub(super) counters: Arc<Counters>,
    pub(super) stop: Arc<AtomicBool>,
    /// There are others: whoever puts their packets in order must know how far each is. Then the interface does not wait
    /// for packets by itself.
    pub(super) is_one_of_several: bool,
}

impl Worker {
    /// Until it is asked to stop, or the interface ends. If nobody listens any more, there is nobody to be told.
    pub(super) fn work(mut self) {
        let mut counted = Counted::default();
        let mut pause = SHORTEST_PAUSE;
        let reason = loop {
            let mut block = self.blocks.try_recv().unwrap_or_default();
            block.packets.clear();
            block.bytes.clear();
            let asked = wall_clock();
            let filled = self.fill(&mut block);
            self.count(&mut counted, filled.is_err());
            if !block.packets.is_empty() {
                pause = SHORTEST_PAUSE;
                self.counters.taken.fetch_add(block.packets.len() as u64, Ordering::Relaxed);
                if self.messages.send(Message::Block(self.place, block)).is_err() {
                    return;
                }
            } else if self.is_one_of_several {
                let up_to = asked.after(Span::from_millis(COLLECTED_MILLIS.saturating_neg()));
                if self.messages.send(Message::UpTo(self.place, up_to)).is_err() {
                    return;
                }
                std::thread::sleep(pause);
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
            let is_asked = self.stop.load(Ordering::Relaxed);
            match filled {
                Err(_) | Ok(()) if is_asked => break None,
                Err(reason) => break Some(reason),
                Ok(()) => {}
            }
        };
        self.count(&mut counted, true);
        let _ = self.messages.send(Message::Ended(self.place, reason));
    }

    /// Waits for packets and takes what there is, but not more than [`AT_ONCE`]. It must not ask for more before what it
    /// has is handed on: where nothing comes for a while, libpcap waits as long.
    fn fill(&mut self, block: &mut Block) -> Result<(), String> {
        let link = self.link;
        let taken = self.capture.dispatch(Some(AT_ONCE), |packet| {
            let start = block.bytes.len();
            block.bytes.extend_from_slice(packet.data);
            #[allow(clippy::useless_conversion, reason = "they are 32 bits wide on some machines")]
            let seconds = i64::from(packet.header.ts.tv_sec);
            // Nanoseconds, since that precision was asked for.
            let nanos = u32::try_from(packet.header.ts.tv_usec).unwrap_or_default();
            block.packets.push(PacketMeta {
                time: Timestamp::from_parts(seconds, nanos),
                start: u32::try_from(start).unwrap_or(u32::MAX),
                captured: u32::try_from(packet.data.len()).unwrap_or(u32::MAX),
                original: packet.header.len.max(packet.header.caplen),
                link,
            });
        });
        taken.map(|_| ()).map_err(words)
    }

    /// Asks the kernel what was dropped, not more often than is of use: it reads files for that.
    fn count(&mut self, counted: &mut Counted, is_last: bool) {
        let now = now();
        let is_early = counted.at.is_some_and(|at| now.duration_since(at) < COUNTING);
        if is_early && !is_last {
            return;
        }
        let Ok(stat) = self.capture.stats() else { return };
        counted.at = Some(now);
        // They are 32 bits wide, and go round.
        let add = |counter: &AtomicU64, before: &mut u32, value: u32| {
            counter.fetch_add(u64::from(value.wrapping_sub(*before)), Ordering::Relaxed);
            *before = value;
        };
        add(&self.counters.by_kernel, &mut counted.by_kernel, stat.dropped);
        add(&self.counters.by_interface, &mut counted.by_interface, stat.if_dropped);
    }
}

/// What the kernel said when it was asked for the last time.
#[derive(Default)]
struct Counted {
    at: Option<Instant>,
    by_kernel: u32,
    by_interface: u32,
}

impl Counters {
    /// What libpcap says that it received is not asked for: it counts the packets of the loopback twice, though it hands
    /// over each once.
    pub(super) fn drops(&self) -> Drops {
        let by_kernel = self.by_kernel.load(Ordering::Relaxed);
        Drops {
            received: self.taken.load(Ordering::Relaxed).saturating_add(by_kernel),
            by_kernel,
            by_interface: self.by_interface.load(Ordering::Relaxed),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how often the kernel is asked is a matter of this machine's time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Packets that are taken at once: what they hold at most is a few megabytes.
const AT_ONCE: usize = 128;

const COUNTING: Duration = Duration::from_secs(1);

/// So old may a packet be that the kernel has and did not hand over though it was asked: it looks every
/// [`BATCH_MILLIS`] whether a batch was there before, and clocks tick.
const COLLECTED_MILLIS: i64 = 2 * BATCH_MILLIS as i64 + 20;

/// How long to wait until an interface that had nothing is asked again; twice as long each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);

/// The longest of these waits. What comes in this time must have room in the kernel's buffer.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
