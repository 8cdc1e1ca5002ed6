//! Reads a capture again for the payload of sessions that somebody closed because he could not read it.
//!
//! Payload is skipped at the first reading: looking at each byte of it would take several times as long, and nobody asks
//! what nearly all of it says. Where a receiver says that he could not make sense of a message, it is the question.

use std::collections::{HashMap, HashSet};

use super::shard::Shard;
use super::{Options, comparing, segment};
use crate::capture::{Block, CaptureError, Filter, Source};
use crate::decode::{FlowKey, Unwrap};
use crate::limits::{Limits, SECOND_LOOKS};
use crate::model::{Capture, Connection, Keeps};
use crate::points::Surveyed;
use crate::protocol::{MessagesWanted, Which};
use crate::units::{PacketNumber, Timestamp};

/// The connections that are to be read again.
#[derive(Debug)]
pub struct SecondLook {
    /// Where they begin. Whatever used their ports before or after is read with them.
    wanted: HashSet<(PacketNumber, Timestamp)>,
    flows: HashSet<FlowKey>,
    /// The last packet of all of them.
    last: PacketNumber,
}

impl SecondLook {
    /// What has to be read again of a capture: the connections of sessions that end with Close 1002 or 1007 and whose
    /// messages nobody has decoded; the first [`SECOND_LOOKS`] of them, and a warning if there are more. None if there
    /// are no such sessions.
    #[must_use]
    pub fn of(capture: &mut Capture) -> Option<Self> {
        let beyond = capture.connections.iter().filter(|it| is_suspect(it)).skip(SECOND_LOOKS).count();
        if beyond > 0 {
            capture.totals.warnings.push(format!(
                "{beyond} connections with Close 1002 or 1007 were not looked into (--messages decodes all)"
            ));
        }
        let suspects = || capture.connections.iter().filter(|it| is_suspect(it)).take(SECOND_LOOKS);
        Some(Self {
            wanted: suspects().map(place).collect(),
            flows: suspects().map(|connection| connection.tcp.flow).collect(),
            last: suspects().map(|connection| connection.tcp.last.0).max()?,
        })
    }

    /// Reads them, and adds to the capture what their payload is like, see [`Decoded`](crate::protocol::Decoded), without any message.
    ///
    /// `source` begins where the capture began, and `filter` is the one with which it was read. `progress` is called
    /// after each block.
    ///
    /// # Errors
    /// If the capture cannot be read again.
    pub fn take<S: Source>(
        &self,
        source: &mut S,
        filter: Option<Filter>,
        capture: &mut Capture,
        progress: impl FnMut(&S),
    ) -> Result<(), CaptureError> {
        let found = self.read(source, filter, capture.surveyed.as_ref(), progress)?;
        let mut found: HashMap<_, _> = found.into_iter().map(|it| (place(&it), it)).collect();
        for connection in &mut capture.connections {
            let Some(again) = found.remove(&place(connection)) else { continue };
            for (attempt, again) in connection.attempts.iter_mut().zip(again.attempts) {
                if let (Some(session), Some(again)) = (&mut attempt.session, again.session) {
                    session.decoded = again.decoded;
                }
            }
        }
        Ok(())
    }

    fn read<S: Source>(
        &self,
        source: &mut S,
        mut filter: Option<Filter>,
        surveyed: Option<&Surveyed>,
        mut progress: impl FnMut(&S),
    ) -> Result<Vec<Connection>, CaptureError> {
        let mut shard = Shard::new(options());
        comparing::again(source, &mut shard, surveyed);
        let (mut unwrap, mut block) = (Unwrap::default(), Block::default());
        while source.next_block(&mut block)? {
            for (place, packet) in block.packets.iter().enumerate() {
                let number = PacketNumber(block.first.0.saturating_add(place as u64));
                if number > self.last {
                    break;
                }
                let Some(segment) = segment(&block, packet, number, &mut unwrap) else { continue };
                let point = block.point(place);
                if self.flows.contains(&shard.flow_at(&segment, point))
                    && filter
                        .as_mut()
                        .map_or(Ok(true), |filter| filter.matches(packet.link, block.captured(packet)))?
                {
                    shard.segment_at(&segment, point);
                }
            }
            progress(source);
            if block.first.0.saturating_add(block.packets.len() as u64) > self.last.0 {
                break;
            }
        }
        let connections = shard.finish(Vec::new()).connections;
        Ok(connections.into_iter().filter(|it| self.wanted.contains(&place(it))).collect())
    }
}

/// Nothing is kept of messages but what they are like.
fn options() -> Options {
    let messages = MessagesWanted { which: Which::From(u64::MAX), most: 0, bytes: 0, bytes_each: 0 };
    let limits = Limits { embryos: 16, ..Limits::default() };
    Options { keeps: Keeps::Connections, messages: Some(messages), limits, ..Options::default() }
}

fn is_suspect(connection: &Connection) -> bool {
    let mut sessions = connection.attempts.iter().filter_map(|attempt| attempt.session.as_deref());
    sessions.any(|session| {
        session.decoded.is_none() && session.close.as_ref().is_some_and(|close| is_unreadable(close.code))
    })
}

/// RFC 6455 section 7.4.1: a protocol error, and data of another kind than the message says. Browsers and some
/// libraries send the first one for text that is not UTF-8, and for what cannot be inflated.
const fn is_unreadable(code: u16) -> bool {
    matches!(code, 1002 | 1007)
}

fn place(connection: &Connection) -> (PacketNumber, Timestamp) {
    let first = connection.tcp.opening.first;
    (first.packet, first.time)
}
