//! One TCP connection as the wire shows it: handshake, segments, acknowledgments, FIN (RFC 9293).
//!
//! What is said on it comes from an [`Application`]; this file only keeps the numbers right, sends
//! some segments again and swaps others if the profile asks for it.

use std::io::{self, Write};

use crate::burst::Burst;
use crate::kit::Kit;
use crate::packet::{ACK, CaptureWriter, Endpoint, FIN, PSH, SYN, Segment};

/// One side of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Who opened the connection.
    Client,
    /// Who accepted it.
    Server,
}

impl Role {
    /// The other side.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What comes after a burst.
pub(crate) enum Next {
    /// The burst that was just filled.
    Send,
    /// Nothing more is said, and this side closes first.
    Close(Role),
    /// Nothing more is said until the capture ends.
    StayOpen,
}

/// Who decides what is said on a connection.
pub(crate) trait Application {
    /// Fills `burst`, which is empty, with what is sent next.
    fn next(&mut self, burst: &mut Burst, kit: &mut Kit) -> Next;
}

/// How badly the path treats data segments, each a share of 10,000.
#[derive(Clone, Copy, Default)]
pub(crate) struct Impairment {
    /// Sent a second time.
    pub(crate) retransmitted: u32,
    /// Overtaken by the next segment of its burst.
    pub(crate) swapped: u32,
    /// Received, and missed by the capture: only of those that lie within the payload of one frame.
    pub(crate) uncaptured: u32,
}

/// A connection on its way from SYN to FIN.
pub(crate) struct Conversation {
    client: Endpoint,
    server: Endpoint,
    client_next: u32,
    server_next: u32,
    round_trip_us: u32,
    impairment: Impairment,
    phase: Phase,
    application: Box<dyn Application>,
    burst: Burst,
    unacknowledged: u8,
    acknowledge: Option<Role>,
    late: Option<Late>,
}

#[derive(Clone, Copy)]
enum Phase {
    Syn,
    SynAck,
    HandshakeAck,
    Open,
    Fin(Role),
    AnswerFin(Role),
    LastAck(Role),
    Over,
}

/// A segment that comes after its time: sent again, or overtaken.
struct Late {
    by: Role,
    sequence: u32,
    flags: u8,
    payload: Vec<u8>,
    pause_us: u32,
}

impl Conversation {
    /// A connection that begins with the next step.
    pub(crate) fn new(
        client: Endpoint,
        server: Endpoint,
        application: Box<dyn Application>,
        impairment: Impairment,
        kit: &mut Kit,
    ) -> Self {
        Self {
            client,
            server,
            client_next: initial_sequence(300, kit),
            server_next: initial_sequence(2000, kit),
            round_trip_us: kit.random.magnitude(8, 13),
            impairment,
            phase: Phase::Syn,
            application,
            burst: Burst::new(),
            unacknowledged: 0,
            acknowledge: None,
            late: None,
        }
    }

    /// The rest of a connection that was open before the capture began.
    pub(crate) fn join(mut self, kit: &mut Kit) -> Self {
        self.phase = Phase::Open;
        self.load(kit);
        self
    }

    /// Writes one packet; the time until the next one in microseconds, or `None` after the last.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn step<W: Write>(
        &mut self,
        kit: &mut Kit,
        wire: &mut CaptureWriter<W>,
        scratch: &mut Vec<u8>,
    ) -> io::Result<Option<u32>> {
        if let Some(late) = self.late.take() {
            self.send(late.by, late.sequence, late.flags, &late.payload, wire)?;
        } else if let Some(by) = self.acknowledge.take() {
            self.send_bare(by, ACK, wire)?;
        } else {
            match self.phase {
                Phase::Syn => {
                    self.send_bare(Role::Client, SYN, wire)?;
                    self.phase = Phase::SynAck;
                }
                Phase::SynAck => {
                    self.send_bare(Role::Server, SYN | ACK, wire)?;
                    self.phase = Phase::HandshakeAck;
                }
                Phase::HandshakeAck => {
                    self.send_bare(Role::Client, ACK, wire)?;
                    kit.truth.connections += 1;
                    self.phase = Phase::Open;
                    self.load(kit);
                }
                Phase::Open => self.send_data(kit, wire, scratch)?,
                Phase::Fin(by) => {
                    self.send_bare(by, FIN | ACK, wire)?;
                    self.phase = Phase::AnswerFin(by.other());
                }
                Phase::AnswerFin(by) => {
                    self.send_bare(by, FIN | ACK, wire)?;
                    self.phase = Phase::LastAck(by.other());
                }
                Phase::LastAck(by) => {
                    self.send_bare(by, ACK, wire)?;
                    self.phase = Phase::Over;
                }
                Phase::Over => {}
            }
        }
        Ok(self.pause(kit))
    }

    /// The time until the next packet, by what it will be.
    fn pause(&self, kit: &mut Kit) -> Option<u32> {
        if let Some(late) = &self.late {
            return Some(late.pause_us);
        }
        if self.acknowledge.is_some() {
            return Some(kit.random.between(40, 400));
        }
        match self.phase {
            Phase::Over => None,
            Phase::Syn | Phase::SynAck => Some(kit.random.between(20, 90)),
            Phase::Open if self.burst.is_started() => Some(kit.random.between(12, 400)),
            Phase::Open => Some(self.burst.pause_us),
            Phase::HandshakeAck | Phase::Fin(_) | Phase::AnswerFin(_) | Phase::LastAck(_) => {
                Some(self.round_trip_us)
            }
        }
    }

    /// Sends the next segment of the burst, and loads the next burst after its last one.
    fn send_data<W: Write>(
        &mut self,
        kit: &mut Kit,
        wire: &mut CaptureWriter<W>,
        scratch: &mut Vec<u8>,
    ) -> io::Result<()> {
        let by = self.burst.by;
        let inside_payload = self.burst.is_inside_payload();
        self.burst.cut_segment(scratch, kit);
        let mut sequence = self.advance(by, scratch.len());
        let droppable = inside_payload && self.impairment.uncaptured > 0 && !self.burst.is_empty();
        if droppable && kit.random.chance(self.impairment.uncaptured, 10_000) {
            kit.truth.missing_bytes += scratch.len() as u64;
            self.unacknowledged += 1;
            return Ok(());
        }
        kit.truth.data_segments += 1;
        if !self.burst.is_empty() && kit.random.chance(self.impairment.swapped, 10_000) {
            self.late = Some(Late {
                by,
                sequence,
                flags: ACK,
                payload: scratch.clone(),
                pause_us: kit.random.between(5, 120),
            });
            kit.truth.out_of_order += 1;
            self.burst.cut_segment(scratch, kit);
            kit.truth.data_segments += 1;
            self.unacknowledged += 1;
            sequence = self.advance(by, scratch.len());
        }
        let flags = if self.burst.is_empty() { PSH | ACK } else { ACK };
        self.send(by, sequence, flags, scratch, wire)?;
        // A single byte sent again cannot be told from a keep-alive.
        let again = self.late.is_none() && scratch.len() > 1;
        if again && kit.random.chance(self.impairment.retransmitted, 10_000) {
            self.late = Some(Late {
                by,
                sequence,
                flags,
                payload: scratch.clone(),
                pause_us: self.round_trip_us + kit.random.between(5_000, 250_000),
            });
            kit.truth.retransmitted += 1;
        }
        self.unacknowledged += 1;
        if self.burst.is_empty() {
            self.load(kit);
        } else if self.unacknowledged >= 2 {
            self.acknowledge = Some(by.other());
            self.unacknowledged = 0;
        }
        Ok(())
    }

    /// Asks the application what comes next; what was sent is acknowledged by an answer that comes
    /// soon, by the other side's FIN, or else by a segment of its own.
    fn load(&mut self, kit: &mut Kit) {
        let sender = self.burst.by;
        self.burst.clear();
        let carried = match self.application.next(&mut self.burst, kit) {
            Next::Send => self.burst.by != sender && self.burst.pause_us < DELAYED_ACKNOWLEDGMENT_US,
            Next::Close(by) => {
                self.phase = Phase::Fin(by);
                by != sender
            }
            Next::StayOpen => {
                self.phase = Phase::Over;
                false
            }
        };
        if self.unacknowledged > 0 && !carried {
            self.acknowledge = Some(sender.other());
        }
        self.unacknowledged = 0;
    }

    /// Takes `length` sequence numbers of one side; the first of them.
    fn advance(&mut self, by: Role, length: usize) -> u32 {
        let next = match by {
            Role::Client => &mut self.client_next,
            Role::Server => &mut self.server_next,
        };
        let first = *next;
        // Sequence numbers count modulo 2^32; a segment is far shorter.
        *next = first.wrapping_add(u32::try_from(length).unwrap_or_default());
        first
    }

    /// Sends a segment without payload.
    fn send_bare<W: Write>(&mut self, by: Role, flags: u8, wire: &mut CaptureWriter<W>) -> io::Result<()> {
        let sequence = self.advance(by, usize::from(flags & (SYN | FIN) != 0));
        self.send(by, sequence, flags, &[], wire)
    }

    fn send<W: Write>(
        &self,
        by: Role,
        sequence: u32,
        flags: u8,
        payload: &[u8],
        wire: &mut CaptureWriter<W>,
    ) -> io::Result<()> {
        let (source, destination, received) = match by {
            Role::Client => (self.client, self.server, self.server_next),
            Role::Server => (self.server, self.client, self.client_next),
        };
        wire.write(&Segment {
            by,
            source,
            destination,
            sequence,
            acknowledgment: if flags & ACK == 0 { 0 } else { received },
            flags,
            payload,
        })
    }
}

/// A receiver that has nothing to say acknowledges after this time at the latest.
const DELAYED_ACKNOWLEDGMENT_US: u32 = 40_000;

/// A random number; one in eight is so high that it wraps within the first `bytes` bytes.
fn initial_sequence(bytes: u32, kit: &mut Kit) -> u32 {
    if kit.random.chance(1, 8) { u32::MAX - kit.random.below(bytes) } else { kit.random.word() }
}
