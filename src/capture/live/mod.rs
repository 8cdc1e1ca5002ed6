//! Live capture with libpcap: opens interfaces, and hands out what comes as blocks.
//!
//! One thread an interface, which only copies packets into a block and hands it over. There are so many blocks and no
//! more: if the other side is slower than the wire the thread waits, the kernel's buffer takes what comes, and what does
//! not fit there is dropped by the kernel, and counted. Packets of several interfaces are put in order.

mod devices;
mod interleave;
mod memory;
mod recorder;
mod thread;

pub use devices::{Device, devices};
pub use memory::{Memory, Remembered};
pub use recorder::{Recorder, Rotation};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pcap::{Active, BreakLoop, Capture, Linktype, Precision};

use crate::capture::pcapng::encode::Interface;
use crate::capture::{Block, CaptureError, LinkType};
use crate::limits::LIVE_BLOCKS;
use crate::units::{PacketNumber, Timestamp};
use interleave::{Interleave, Taken};
use thread::{Counters, Message, Worker};

/// How interfaces are opened.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Only packets that match it, in tcpdump's language.
    pub filter: String,
    /// Bytes of a packet that are captured at most.
    pub snap_length: u32,
    /// Bytes of the kernel's buffer for each interface.
    pub buffer_bytes: u32,
    /// Packets that are not for this machine, too.
    pub promiscuous: bool,
}

/// What was dropped since the capture began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Packets that the filter let through, dropped ones included.
    pub received: u64,
    /// Dropped by the kernel, since nobody took them out of its buffer in time.
    pub by_kernel: u64,
    /// Dropped by the interface or its driver.
    pub by_interface: u64,
}

/// Interfaces that are open and not yet read from.
pub struct Opened {
    interfaces: Vec<(Interface, Capture<Active>)>,
}

/// Interfaces that are read from.
pub struct Live {
    interfaces: Vec<Running>,
    messages: Receiver<Message>,
    stop: Arc<AtomicBool>,
    packets: u64,
    /// What puts their packets in order, if there are several.
    order: Option<Interleave>,
    /// Where the packets of the latest block came from.
    taken: Taken,
}

struct Running {
    interface: Interface,
    empty: Sender<Block>,
    counters: Arc<Counters>,
    wake: BreakLoop,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// Packets; they are in the block. [`Live::place_of`] says which interface each came by.
    Packets,
    /// Nothing, for a while.
    Nothing,
    /// An interface ended: its place, and the reason if nobody asked for it.
    Ended(usize, Option<String>),
    /// All interfaces have ended.
    AllEnded,
}

impl Opened {
    /// Opens interfaces. `any` is all of them.
    ///
    /// # Errors
    /// If one cannot be opened, or the filter is none.
    pub fn open(names: &[String], options: &LiveOptions) -> Result<Self, CaptureError> {
        let open = |name: &String| open(name, options);
        Ok(Self { interfaces: names.iter().map(open).collect::<Result<_, _>>()? })
    }

    /// What was opened.
    pub fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.iter().map(|(interface, _)| interface)
    }

    /// Begins to read, each interface in a thread of its own.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub fn start(self) -> Result<Live, CaptureError> {
        let (sender, messages) = sync_channel(LIVE_BLOCKS);
        let stop = Arc::new(AtomicBool::new(false));
        let mut interfaces = Vec::new();
        let is_one_of_several = self.interfaces.len() > 1;
        let order = is_one_of_several.then(|| Interleave::new(self.interfaces.len()));
        for (place, (interface, mut capture)) in self.interfaces.into_iter().enumerate() {
            let (empty, blocks) = channel();
            let counters = Arc::new(Counters::default());
            let name = interface.name.clone().unwrap_or_default();
            let wake = capture.breakloop_handle();
            if is_one_of_several {
                let cannot = |error| CaptureError::Interface { name: name.clone(), reason: words(error) };
                capture = capture.setnonblock().map_err(cannot)?;
            }
            let (stop, counted, sender): (_, _, SyncSender<Message>) =
                (Arc::clone(&stop), Arc::clone(&counters), sender.clone());
            let link = interface.link;
            let worker = Worker {
                place,
                link,
                capture,
                blocks,
                messages: sender,
                counters: counted,
                stop,
                is_one_of_several,
            };
            let started = std::thread::Builder::new().name(format!("capture {name}"));
            started.spawn(move || worker.work()).map_err(|error| CaptureError::Read { name, error })?;
            interfaces.push(Running { interface, empty, counters, wake });
        }
        Ok(Live { interfaces, messages, stop, packets: 0, order, taken: Taken::default() })
    }
}

impl Live {
    /// Waits for what comes next, and puts packets into `block`.
    pub fn next(&mut self, block: &mut Block) -> Came {
        block.packets.clear();
        if self.order.is_some() { self.next_in_order(block) } else { self.next_of_one(block) }
    }

    /// The only interface there is has its packets in order.
    fn next_of_one(&mut self, block: &mut Block) -> Came {
        match self.messages.recv_timeout(PATIENCE) {
            Ok(Message::Block(place, mut full)) => {
                self.number(&mut full);
                std::mem::swap(block, &mut full);
                self.give_back(place, full);
                Came::Packets
            }
            Ok(Message::Ended(place, reason)) => Came::Ended(place, reason),
            Ok(Message::UpTo(..)) | Err(RecvTimeoutError::Timeout) => Came::Nothing,
            Err(RecvTimeoutError::Disconnected) => Came::AllEnded,
        }
    }

    /// What waits is asked first: only what cannot go on without more makes more be taken in.
    fn next_in_order(&mut self, block: &mut Block) -> Came {
        let Some(order) = &mut self.order else { return Came::AllEnded };
        block.bytes.clear();
        self.taken.places.clear();
        let began = now();
        loop {
            let now = now();
            order.take(now, block, &mut self.taken);
            for (place, read) in self.taken.empty.drain(..) {
                // A thread that has ended needs none.
                let _ = self.interfaces.get(place).map(|running| running.empty.send(read));
            }
            if !block.packets.is_empty() {
                self.number(block);
                return Came::Packets;
            }
            match self.messages.recv_timeout(LOOK_AGAIN) {
                Ok(Message::Block(place, full)) => order.push(place, full, now),
                Ok(Message::UpTo(place, time)) => order.up_to(place, time),
                Ok(Message::Ended(place, reason)) => {
                    order.end(place);
                    return Came::Ended(place, reason);
                }
                Err(RecvTimeoutError::Disconnected) if order.is_empty() => return Came::AllEnded,
                Err(RecvTimeoutError::Disconnected) => {
                    (0..self.interfaces.len()).for_each(|place| order.end(place));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if now.saturating_duration_since(began) >= PATIENCE {
                return Came::Nothing;
            }
        }
    }

    fn number(&mut self, block: &mut Block) {
        block.first = PacketNumber(self.packets.saturating_add(1));
        self.packets = self.packets.saturating_add(block.packets.len() as u64);
    }

    fn give_back(&self, place: usize, read: Block) {
        // A thread that has ended needs none.
        let _ = self.interfaces.get(place).map(|running| running.empty.send(read));
    }

    /// Which interface a packet of the latest block came by, by its place in the block.
    #[must_use]
    pub fn place_of(&self, packet: usize) -> usize {
        self.taken.places.get(packet).copied().unwrap_or_default()
    }

    /// Packets that may stand behind later ones of another interface.
    #[must_use]
    pub fn hurried(&self) -> u64 {
        self.order.as_ref().map_or(0, Interleave::hurried)
    }

    /// Asks all interfaces to end. What they have still comes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        for running in &self.interfaces {
            running.wake.breakloop();
        }
    }

    /// Whether an interface is switched on, as far as the system says. What is switched off loses nothing but time: libpcap
    /// waits until it is on again.
    #[must_use]
    pub fn is_up(&self, place: usize) -> bool {
        let name = self.interface(place).and_then(|interface| interface.name.as_deref()).unwrap_or(ANY);
        let flags = std::fs::read_to_string(format!("/sys/class/net/{name}/flags"));
        let flags =
            flags.ok().and_then(|flags| u32::from_str_radix(flags.trim().trim_start_matches("0x"), 16).ok());
        name == ANY || flags.is_none_or(|flags| flags & UP != 0)
    }

    /// An interface by its place.
    #[must_use]
    pub fn interface(&self, place: usize) -> Option<&Interface> {
        self.interfaces.get(place).map(|running| &running.interface)
    }

    /// What was dropped at an interface so far.
    #[must_use]
    pub fn drops_of(&self, place: usize) -> Drops {
        self.interfaces.get(place).map(|running| running.counters.drops()).unwrap_or_default()
    }

    /// What was dropped so far, everywhere.
    #[must_use]
    pub fn drops(&self) -> Drops {
        let all = self.interfaces.iter().map(|running| running.counters.drops());
        all.fold(Drops::default(), |sum, drops| Drops {
            received: sum.received.saturating_add(drops.received),
            by_kernel: sum.by_kernel.saturating_add(drops.by_kernel),
            by_interface: sum.by_interface.saturating_add(drops.by_interface),
        })
    }
}

/// The time by the clock that packets get their times from.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "where no packet comes, nothing else says how late it is")]
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_parts(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

#[expect(clippy::disallowed_methods, reason = "how long something waits is a matter of this machine's time")]
fn now() -> Instant {
    Instant::now()
}

fn open(name: &str, options: &LiveOptions) -> Result<(Interface, Capture<Active>), CaptureError> {
    let cannot = |reason: String| CaptureError::Interface { name: name.to_owned(), reason };
    let says = |error: pcap::Error| cannot(explained(&words(error)));
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let inactive = Capture::from_device(name)
        .map_err(says)?
        .snaplen(number(options.snap_length))
        .buffer_size(number(options.buffer_bytes))
        // All interfaces together cannot be asked for the packets of others.
        .promisc(options.promiscuous && name != ANY)
        .precision(Precision::Nano)
        .timeout(BATCH_MILLIS);
    let mut capture = inactive.open().map_err(says)?;
    if name == ANY {
        // The second version says which interface a packet came by. An old libpcap does not know it.
        let _ = capture.set_datalink(Linktype(i32::from(LinkType::LINUX_SLL2.0)));
    }
    capture
        .filter(&options.filter, true)
        .map_err(|error| CaptureError::Filter { filter: options.filter.clone(), reason: words(error) })?;
    let link = link_type(capture.get_datalink());
    let interface = Interface {
        name: Some(name.to_owned()),
        filter: Some(options.filter.clone()).filter(|filter| !filter.is_empty()),
        link,
        snap_length: options.snap_length,
    };
    Ok((interface, capture))
}

/// The number that files have for what libpcap numbers otherwise (`pcap/dlt.h`).
fn link_type(link: Linktype) -> LinkType {
    match u16::try_from(link.0) {
        Ok(12) => LinkType::RAW,
        Ok(other) => LinkType(other),
        Err(_) => LinkType(u16::MAX),
    }
}

/// What libpcap says, in one line.
fn words(error: pcap::Error) -> String {
    let text = match error {
        pcap::Error::PcapError(reason) => reason,
        other => other.to_string(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What libpcap says about an interface, with what to do about it.
fn explained(reason: &str) -> String {
    if reason.contains("permission") || reason.contains("not permitted") {
        return rights_hint();
    }
    if reason.contains("No such device") {
        return "there is no such interface (wsinspect interfaces lists them)".to_owned();
    }
    // libpcap begins with the name, which the message has already.
    reason.split_once(": ").map_or(reason, |(_, rest)| rest).to_owned()
}

/// What to do where the right to capture is missing.
#[must_use]
pub fn rights_hint() -> String {
    let program =
        std::env::current_exe().map_or_else(|_| "PATH".to_owned(), |path| path.display().to_string());
    format!("permission denied (use sudo, or once: sudo setcap cap_net_raw=ep {program})")
}

/// All interfaces together, as libpcap calls them.
const ANY: &str = "any";

/// `IFF_UP` of `linux/if.h`.
const UP: u32 = 1;

/// How long the kernel may collect packets before it hands them over. Immediate mode would hand over each one when it
/// comes; but then libpcap has the kernel keep each packet in as many bytes as one may have, 256 KiB, so that 16 MiB hold
/// 64 of them, and the next burst is dropped.
const BATCH_MILLIS: i32 = 50;

/// How long to wait for packets before something else may be done.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long to wait for packets before those that wait for their turn are looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libpcap_says_is_one_line_with_a_hint() {
        let error = pcap::Error::PcapError(
            "eth0: You don't have permission\n(socket: Operation not permitted)".into(),
        );
        let text = explained(&words(error));
        assert!(
            text.starts_with("permission denied (use sudo, or once: sudo setcap cap_net_raw=ep /"),
            "{text}"
        );
        assert_eq!(
            explained("eth9: No such device exists"),
            "there is no such interface (wsinspect interfaces lists them)"
        );
        assert_eq!(explained("eth9: That device is not up"), "That device is not up");
    }

    #[test]
    fn raw_packets_have_one_number_in_files() {
        assert_eq!(link_type(Linktype(12)), LinkType::RAW);
        assert_eq!(link_type(Linktype(1)), LinkType::ETHERNET);
    }
}
