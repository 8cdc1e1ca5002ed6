//! Every limit of wsinspect, with what happens at it.
//!
//! Nothing that the network controls grows past a number of this file. At each limit something defined
//! happens and a fact says so.

use std::time::Duration;

use crate::units::Span;

/// Bytes of a block: it stays in the processor's second-level cache.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The longest record that is believed. Longer ones are damage.
///
/// libpcap's own limit for most link types is 256 KiB; USB captures have 128 MiB. 16 MiB is far above
/// any packet that carries TCP.
pub const RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Files that are read as one capture. More are refused.
pub const FILES: usize = 256;

/// What is kept to tell of which file each packet is, where there are several. Of later packets that is not told.
pub const NUMBERING_BYTES: usize = 32 * 1024 * 1024;

/// So long a time without a packet between one file and the next is told: they may not belong together.
pub const FILES_APART: Span = Span::from_millis(60_000);

/// Bytes of packets that are looked at, in all files together, to find out whether some show the same traffic, and how far
/// their clocks are apart. Each file is looked at from its beginning, up to its part. What comes later tells nothing of
/// that.
pub const SURVEYED_BYTES: u64 = 512 * 1024 * 1024;

/// Packets of all files together that are kept meanwhile. Of more a sample is kept, the same packets of each file.
pub const SURVEYED_PACKETS: usize = 128 * 1024;

/// Connections of all files together whose beginnings are compared. Later ones are taken for the same at each point.
pub const SURVEYED_FLOWS: usize = 128 * 1024;

/// How long a packet that was seen at one point of capture is awaited at another.
pub const SIGHTING_PATIENCE: Span = Span::from_millis(10_000);

/// Connections of which packets are awaited. At the limit the least recently seen sixteenth is awaited no longer.
pub const COMPARED_CONNECTIONS: usize = 32 * 1024;

/// Packets that are awaited on one half of a connection. At the limit the oldest is awaited no longer.
pub const AWAITED_PACKETS: usize = 4096;

/// The same of a connection that only one point has shown so far, and of all once there are more than
/// [`AWAITED_PACKETS_TOTAL`].
pub const AWAITED_PACKETS_ALONE: usize = 32;

/// Packets that are awaited on all connections together, before each may await fewer.
pub const AWAITED_PACKETS_TOTAL: usize = 512 * 1024;

/// Connections of which is told what one point saw and the other did not. Of more it is not.
pub const PASSAGES_KEPT: usize = 100_000;

/// Interfaces and comments of a file that are told; of the others the number is.
pub const FILE_FACTS: usize = 64;

/// Bytes of an interface's name and of a comment that are told; the rest is cut off.
pub const FILE_TEXT_BYTES: usize = 200;

/// Packets of which fragments came and others are awaited. At the limit the one that began first is given up; its
/// fragments are counted.
pub const FRAGMENTED_PACKETS: usize = 256;

/// What all of them hold. The same at the limit.
pub const FRAGMENT_BYTES: usize = 4 * 1024 * 1024;

/// How long fragments are awaited, as Linux does.
pub const FRAGMENT_PATIENCE: Span = Span::from_millis(30_000);

/// Holes between fragments of one packet; with one more it is given up. Each fragment fills one, in whatever order.
pub const FRAGMENT_HOLES: usize = 256;

/// So long after a packet has become whole, fragments of it are copies of those that came before.
pub const FRAGMENT_COPIES: Span = Span::from_millis(100);

/// How long after a packet one that is the same is a copy of it, captured at another place. A retransmission on a timer
/// takes longer, however near the other side is.
pub const COPY_PATIENCE: Span = Span::from_millis(1);

/// The same where packets have an identification or a time stamp, by which a retransmission is told apart anyway. Timers of
/// retransmissions begin at 200 ms.
pub const COPY_PATIENCE_NUMBERED: Span = Span::from_millis(100);

/// Connections without payload whose copies are counted. Those of others are counted in the totals only.
pub const EARLY_COPIES: usize = 4096;

/// How far back a zstd stream may refer, as `zstd -d` has it. A stream that wants more is corrupt.
pub const ZSTD_WINDOW_BYTES: u64 = 128 * 1024 * 1024;

/// Bytes of the latest delivered segment of a half that are kept to notice a retransmission that differs:
/// enough for an HTTP status line's code, few enough to share a cache line with the half's state.
pub const OVERLAP_MEMORY_BYTES: usize = OVERLAP_MEMORY_BYTES_U8 as usize;

/// [`OVERLAP_MEMORY_BYTES`] as it is stored.
pub(crate) const OVERLAP_MEMORY_BYTES_U8: u8 = 16;

/// How long a hole that the other side has acknowledged, or a segment that acknowledges what was not seen,
/// waits for the missing bytes: captures on several queues or interfaces come slightly out of order.
/// Then the hole becomes a gap.
pub const REORDERING_PATIENCE: Span = Span::from_millis(100);

/// A jump in sequence numbers that is not believed at once: the segment is stray, and counted, unless it
/// continues the stray one before it.
pub const SEQUENCE_JUMP_BYTES: i64 = 64 * 1024 * 1024;

/// How long a closed connection is kept for late packets: twice the usual maximum segment lifetime.
pub const CLOSED_LINGER: Span = Span::from_millis(120_000);

/// The limits that depend on how much there is of something.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections tracked. At the limit the least recently used sixteenth goes; counted.
    pub connections: usize,
    /// Connections remembered that have carried no payload yet. At the limit the least recently used
    /// of the same set goes; counted. Rounded up to a power of two.
    pub embryos: usize,
    /// Closed connections kept for late packets. At the limit the earliest closed goes; what comes after that is
    /// a connection without payload. More of them would be cold memory for every new connection.
    pub closed_connections: usize,
    /// Out-of-order bytes of one half, bookkeeping included. At the limit the oldest hole becomes a gap.
    pub out_of_order_half_bytes: usize,
    /// Out-of-order bytes of all connections. At the limit the oldest hole becomes a gap.
    pub out_of_order_total_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 200_000,
            embryos: 16 * 1024,
            closed_connections: 2 * 1024,
            out_of_order_half_bytes: 1024 * 1024,
            out_of_order_total_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Frames of a session's client by which it is recognised on another connection. Later ones are not looked at.
pub const FRAME_MARKS: u8 = 8;

/// Pings of one side that wait for their pongs. At the limit the oldest counts as unanswered.
pub const OUTSTANDING_PINGS: usize = 64;

/// Ping round trips of one session that the median is taken of. At the limit every other one goes.
pub const PING_SAMPLES: usize = 512;

/// What a control frame may carry (RFC 6455 section 5.5). Longer ones are skipped, and told.
pub const CONTROL_PAYLOAD_BYTES: usize = 125;

/// A frame from this many bytes on is a long one, of which each session remembers the longest: more than fits the 16-bit
/// length (RFC 6455 section 5.2), and than several libraries take by default.
pub const LONG_FRAME_BYTES: u64 = 65_536;

/// Frames remembered of one session, if they are asked for: the first [`FRAMES_KEPT_FIRST`] and the latest.
/// Counters stay complete.
pub const FRAMES_KEPT: usize = 10_000;

/// The first frames of a session that are remembered whatever comes after.
pub const FRAMES_KEPT_FIRST: usize = 1_000;

/// Frames remembered of all sessions. At the limit a new frame takes the place of an old one.
pub const FRAMES_KEPT_TOTAL: usize = 2_000_000;

/// Messages remembered of one session, if they are asked for: the first [`MESSAGES_KEPT_FIRST`] and the latest. Counters
/// stay complete.
pub const MESSAGES_KEPT: usize = 10_000;

/// The first messages of a session that are remembered whatever comes after.
pub const MESSAGES_KEPT_FIRST: usize = 1_000;

/// Messages remembered of all sessions. At the limit a new one takes the place of an old one of its session.
pub const MESSAGES_KEPT_TOTAL: usize = 1_000_000;

/// Decoded bytes of one message that are kept. The rest is decoded, counted and let go; the message tells how much.
pub const MESSAGE_BYTES: usize = 1024 * 1024;

/// Decoded bytes of all messages that are kept. At the limit messages are told without the bytes that find no room.
pub const MESSAGE_BYTES_KEPT_TOTAL: usize = 256 * 1024 * 1024;

/// Retransmissions, gaps and the like remembered of a connection that is read again. Later ones are counted.
pub const HAPPENINGS_KEPT: usize = 10_000;

/// Bytes of payload that the screen holds of one session. More messages are not read back.
pub const SCREEN_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a payload that the screen lays out. The rest is counted, and exported with it.
pub const SCREEN_PAYLOAD_BYTES: usize = 512 * 1024;

/// Messages that one reading back of a session returns. It says where the next one goes on.
pub const READ_BACK_MESSAGES: usize = 4_000;

/// Bytes of them. The first message that does not fit is left for the next reading back.
pub const READ_BACK_BYTES: usize = 16 * 1024 * 1024;

/// Connections that are read again for the payload of a session that ended with Close 1002 or 1007. Those beyond are not;
/// a warning says so.
pub const SECOND_LOOKS: usize = 500;

/// The longest message that is inflated. After a longer one its side is no longer inflated; a fact says so.
pub const INFLATED_BYTES: u64 = 16 * 1024 * 1024;

/// How many times as long as it was sent a message may be when it is inflated. After one that is longer its side is no
/// longer inflated; a fact says so. DEFLATE can do 1032 times.
pub const INFLATION_RATIO: u64 = 1_000;

/// Final blocks of one message that are followed by others. After a message with more of them its side is no longer
/// inflated; a fact says so.
pub const FINAL_BLOCKS: u32 = 1_000;

/// Sides of sessions that are inflated at once: each needs about 110 KiB, or 140 where a small
/// window was agreed on. Those beyond are not inflated; a fact says so.
pub const INFLATERS: usize = 1_024;

/// The head of an HTTP message. A longer one makes the stream opaque; the reason is kept.
pub const HEAD_BYTES: usize = 64 * 1024;

/// Fields of a head. More make the stream opaque; the reason is kept.
pub const HEAD_FIELDS: usize = 128;

/// What the client sends after an upgrade request and before its answer is held, up to here. More makes the
/// stream opaque; the reason is kept.
pub const HELD_BYTES: usize = 256 * 1024;

/// What all connections hold of heads in pieces and of bytes that wait for an answer. At the limit the stream that
/// wants more becomes opaque; the reason is kept.
pub const BUFFERED_TOTAL_BYTES: usize = 64 * 1024 * 1024;

/// What the attempts of open connections hold, their heads and themselves. At the limit a connection with another attempt
/// becomes opaque; the reason is kept.
pub const OPEN_HEAD_BYTES: usize = 512 * 1024 * 1024;

/// Requests of one connection that wait for their answers. More make the stream opaque; the reason is kept.
pub const PENDING_REQUESTS: usize = 1_000;

/// Upgrade attempts of one connection. One more makes the stream opaque; the reason is kept.
pub const ATTEMPTS_OF_CONNECTION: usize = 1_000;

/// TLS records of one side that are looked at for alerts. Later ones are not.
pub const TLS_RECORDS: u8 = 32;

/// An extension of a TLS hello that is looked into. A longer one is passed over: no host name is longer than 255 bytes.
pub const TLS_EXTENSION_BYTES: usize = 512;

/// Bytes of one side of a TLS connection that go by, once nothing more is wanted of that side, while the other side's
/// records are still looked at. More end that too: the capture has one side only.
pub const TLS_WAIT_BYTES: u64 = 64 * 1024;

/// Requests of one connection that are no attempts and are kept with their answers, if heads are: the first
/// [`EXCHANGES_KEPT_FIRST`] and the latest. The others are counted.
pub const EXCHANGES_KEPT: usize = 64;

/// The first requests of a connection that are kept whatever comes after.
pub const EXCHANGES_KEPT_FIRST: usize = 32;

/// Requests of all connections that are no attempts and are kept. At the limit a new one takes the place of an old one
/// of its connection, or is only counted.
pub const EXCHANGES_KEPT_TOTAL: usize = 50_000;

/// Bytes of the target, of the host and of the origin of such a request that are kept; the rest is cut off.
pub const EXCHANGE_REQUEST_BYTES: usize = 256;

/// Bytes of each field of its answer, and of the body of a refusal, that are kept; the rest is cut off.
pub const EXCHANGE_ANSWER_BYTES: usize = 128;

/// Interim answers of an attempt whose statuses are kept. Later ones are not told.
pub const INTERIM_ANSWERS: usize = 8;

/// The start that is kept of what a server sends where an answer of HTTP/1 is due.
pub const FOREIGN_ANSWER_BYTES: usize = 64;

/// What a server says before it is asked. If it says more, nobody will ask it in HTTP, and it is not looked into.
pub const GREETING_BYTES: usize = 1024;

/// The start of the answer's body that is kept: it often says what is wrong.
pub const BODY_START_BYTES: usize = 400;

/// A header of the PROXY protocol that comes in pieces. It may say that it has 64 KiB; real ones have some hundred bytes.
/// A longer one is taken for something that is not HTTP.
pub const PROXY_PROTOCOL_BYTES: usize = 4 * 1024;

/// Chunks of a connection from before the capture that are looked at for frames, before it is given up.
pub const MIDSTREAM_CHUNKS: u32 = 16;

/// How long a request waits in the capture before it counts as unanswered though its connection is open.
pub const UNANSWERED_AFTER: Span = Span::from_millis(60_000);

/// Attempts kept for reports, and with `--all` connections. At the limit later ones are only counted.
pub const ATTEMPTS_KEPT: usize = 200_000;

/// Connections without an attempt that carried payload, kept beside those with one: they may say why attempts fail.
/// The earliest stay, the others are only counted.
pub const BYSTANDERS_KEPT: usize = 20_000;

/// Connections without payload, kept beside those with an attempt: refused, unanswered, or silent. The earliest stay,
/// the others are only counted.
pub const UNOPENED_KEPT: usize = 20_000;

/// Bytes of heads and of bodies' starts that are kept for reports. At the limit later attempts are only counted.
pub const HEAD_BYTES_KEPT: usize = 256 * 1024 * 1024;

/// The longest record that a search after damage believes.
///
/// The search looks at chains of records, so it holds a few times this; a packet of 256 KiB is four times
/// what segmentation offload makes.
pub const SEARCH_BYTES: usize = 256 * 1024;

/// Damaged places of one capture that are told in full. Of the others the number is told.
pub const DAMAGES: usize = 100;

/// Interfaces of one pcapng section. Packets of later ones are left out, and that is told.
pub const INTERFACES: usize = 65_536;

/// Link types for which one filter is compiled. Packets of others do not match, and that is told.
pub const FILTER_LINK_TYPES: usize = 64;

/// Attempts that are compared to find the one that another came from: the latest with the same key or target.
pub const ROUTE_CANDIDATES: usize = 64;

/// Legs of one route. Further ones are left out of it: nobody has so many proxies, a loop has.
pub const ROUTE_LEGS: usize = 32;

/// How long a proxy may take to hand a request on: the longest connect timeout of those known (nginx, 75 s).
pub const FORWARDING_PATIENCE: Span = Span::from_millis(75_000);

/// How long a closed connection of a live capture is kept for late packets. Then it is told, with all that came.
pub const LIVE_LINGER: Span = Span::from_millis(2_000);

/// How long a connection of a live capture may be silent before it is dropped: as long as systems wait until they probe
/// one by themselves (RFC 9293 section 3.8.4). Counted.
pub const LIVE_IDLE: Span = Span::from_millis(2 * 60 * 60 * 1_000);

/// How long something of a live capture has to be over before it is judged: what belongs to it may come late.
pub const LIVE_SETTLING: Span = Span::from_millis(1_000);

/// How long connections of a live capture that are over are kept to be judged together with others. Then only the
/// totals know of them.
pub const LIVE_WINDOW: Span = FORWARDING_PATIENCE;

/// Connections of a live capture that are over and kept. At the limit the oldest goes.
pub const LIVE_CONNECTIONS: usize = 20_000;

/// Bytes of heads and of bodies' starts of such connections. At the limit the oldest connection goes.
pub const LIVE_HEAD_BYTES: usize = 64 * 1024 * 1024;

/// Open connections without an attempt that a live capture judges others with: those heard of latest.
pub const LIVE_BYSTANDERS: usize = 2_000;

/// Connections without payload that a live capture judges others with: the latest ones.
pub const LIVE_UNOPENED: usize = 2_000;

/// Connections of a live capture of which it is remembered what was told: more than can be followed at once. At the limit
/// the earliest goes, and a finding on it may be told again.
pub const LIVE_CONNECTIONS_TOLD: usize = 250_000;

/// Findings of a live capture on more than one route, or on the capture, that are remembered as told. At the limit they
/// may be told again.
pub const LIVE_FINDINGS_TOLD: usize = 10_000;

/// Blocks of a live capture that wait to be read. At the limit the threads that fill them wait, and the kernel's buffer
/// takes what comes.
pub const LIVE_BLOCKS: usize = 32;

/// Bytes of packets that wait for those of other interfaces, where several are captured on. At the limit the earliest goes
/// on without waiting; counted, and told.
pub const LIVE_ORDER_BYTES: usize = 32 * 1024 * 1024;

/// How long a packet waits for those of other interfaces: longer than a thread is kept from its processor. The same after
/// that.
pub const LIVE_ORDER_PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of the latest packets of a live capture that are remembered, where there is a screen or a file of failures. At
/// the limit the oldest go: payloads that lay in them are shown as no longer kept.
pub const LIVE_MEMORY_BYTES: usize = 64 * 1024 * 1024;

/// Connections with an attempt that ended and are listed on the screen of a live capture, and such that are open. At the
/// limit the oldest are counted only, and that is told.
pub const LIVE_SCREEN_CONNECTIONS: usize = 10_000;

/// Bytes of heads and frames of those that ended. The same at the limit.
pub const LIVE_SCREEN_BYTES: usize = 32 * 1024 * 1024;

/// Hosts that metrics tell apart. Attempts at others are counted under one label value that says so; counted.
pub const METRICS_HOSTS: usize = 100;

/// Combinations of outcome, status, host and rule that metrics tell apart. The same for others.
pub const METRICS_SERIES: usize = 2_000;

/// Bytes of a host that metrics show. The rest is cut off.
pub const METRICS_HOST_BYTES: usize = 100;

/// Who may ask for metrics at once. Others wait in the system's queue.
pub const METRICS_CLIENTS: usize = 4;

/// Bytes of a request for metrics. A longer one is refused.
pub const METRICS_REQUEST_BYTES: usize = 8 * 1024;

/// How long a client of metrics may take to ask, and to take the page. Then its connection is closed.
pub const METRICS_PATIENCE: Duration = Duration::from_secs(5);

/// Connections of a live capture whose packets are yet to be written to a file of failures. At the limit what there is of
/// the earliest is written, and what comes of it later is not; counted, and told.
pub const LIVE_FAILURES: usize = 10_000;

/// How long after a finding the packets of a connection that is over are written: other findings may come with it.
pub const LIVE_FAILURES_PATIENCE: Span = Span::from_millis(3_000);

/// How long the packets of an open connection with findings wait to be written, for others that may come; less if they
/// would be forgotten by then.
pub const LIVE_FAILURES_PAUSE: Span = Span::from_millis(60_000);

/// How often packets are written to a file of failures: each time all that is remembered is looked through.
pub const LIVE_FAILURES_WRITES: Span = Span::from_millis(1_000);

/// A step of the clock that is told, and taken into account. Smaller ones are not: they are in all that is measured.
pub const LIVE_CLOCK_STEP: Span = Span::from_millis(2_000);

/// How long after the clock was put back packets may come that got their times before.
pub const LIVE_STALE: Span = Span::from_millis(10_000);

/// Connections of a live capture with something new that are judged at once, and open ones with a young attempt that they
/// are judged with. Of the first the others wait for the next judgment; of the second the latest are taken. And open ones on
/// which sessions poll, of which it is remembered how far they were judged: at the limit the earliest goes.
pub const LIVE_JUDGED: usize = 10_000;
