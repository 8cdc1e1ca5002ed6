//! Who sends next: a queue of connections by time, so that many are open at once and their packets
//! alternate as on a busy proxy.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::conversation::{Conversation, Role};
use crate::kit::Kit;
use crate::packet::{CaptureWriter, Endpoint, SYN, Segment};
use crate::profiles::Profile;

/// How many connections, and how close together.
pub(crate) struct Plan {
    /// Connections in the whole capture.
    pub(crate) connections: u32,
    /// Open at the same time, at most.
    pub(crate) open: u32,
    /// The first of them begin within this time.
    pub(crate) spread_us: u64,
    /// SYNs from addresses that never answer, beside the connections.
    pub(crate) flood_syns: u32,
    /// Port of the server that they are sent to.
    pub(crate) flood_port: u16,
}

/// Time between two SYNs of a flood, on average.
pub(crate) const FLOOD_GAP_US: u32 = 30;

/// Writes the whole capture.
///
/// # Errors
///
/// If the file cannot be written.
pub(crate) fn run<W: Write>(
    profile: &mut dyn Profile,
    kit: &mut Kit,
    wire: &mut CaptureWriter<W>,
) -> io::Result<()> {
    let plan = profile.plan();
    let slots = plan.open.min(plan.connections);
    let mut queue: BinaryHeap<Reverse<(u64, u32)>> =
        (0..slots).map(|slot| Reverse((START_US + scaled(plan.spread_us, kit), slot))).collect();
    let mut open: Vec<Option<Conversation>> = (0..slots).map(|_| None).collect();
    if plan.flood_syns > 0 {
        queue.push(Reverse((START_US, FLOOD)));
    }
    let mut started = 0;
    let mut syns = 0;
    let mut scratch = Vec::with_capacity(2048);
    while let Some(Reverse((time_us, slot))) = queue.pop() {
        wire.set_clock(time_us);
        if slot == FLOOD {
            flood(syns, plan.flood_port, kit, wire)?;
            syns += 1;
            if syns < plan.flood_syns {
                let gap_us = kit.random.between(1, 2 * FLOOD_GAP_US - 1);
                queue.push(Reverse((time_us + u64::from(gap_us), FLOOD)));
            }
            continue;
        }
        let Some(place) = open.get_mut(slot as usize) else {
            continue;
        };
        let conversation = match place {
            Some(conversation) => conversation,
            None if started < plan.connections => {
                started += 1;
                place.insert(begin(started - 1, profile, kit))
            }
            None => continue,
        };
        let pause_us = conversation.step(kit, wire, &mut scratch)?.unwrap_or_else(|| {
            *place = None;
            kit.random.between(500, 50_000)
        });
        queue.push(Reverse((time_us + u64::from(pause_us), slot)));
    }
    Ok(())
}

/// Opens the connection with the given number, between two addresses that no other one has.
fn begin(number: u32, profile: &mut dyn Profile, kit: &mut Kit) -> Conversation {
    let opening = profile.open(number, kit);
    // Four connections a client, as a browser has; the multiplier is odd, so clients differ.
    let host = (number / 4).wrapping_mul(0x9e_3779) & 0xff_ffff;
    let port = 32_768 + (number % 4) * 7_000 + kit.random.below(7_000);
    let client = Endpoint { address: (10 << 24) | host, port: (port & 0xffff) as u16 };
    let server = Endpoint { address: SERVER + kit.random.below(4), port: opening.port };
    let conversation = Conversation::new(client, server, opening.application, profile.impairment(), kit);
    if profile.joins() { conversation.join(kit) } else { conversation }
}

/// Writes one SYN from an address that is seen only once.
fn flood<W: Write>(number: u32, port: u16, kit: &mut Kit, wire: &mut CaptureWriter<W>) -> io::Result<()> {
    // Multiplying by an odd number and xor with a shift both keep numbers distinct.
    let mixed = number.wrapping_mul(0x9e37_79b1);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b);
    // The ports are below those of the clients, so that no SYN belongs to a connection.
    let source =
        Endpoint { address: mixed ^ (mixed >> 13), port: 1024 + (kit.random.below(31_000) & 0xffff) as u16 };
    kit.truth.half_open += 1;
    wire.write(&Segment {
        by: Role::Client,
        source,
        destination: Endpoint { address: SERVER, port },
        sequence: kit.random.word(),
        acknowledgment: 0,
        flags: SYN,
        payload: &[],
    })
}

/// A time from 0 to `limit_us`.
fn scaled(limit_us: u64, kit: &mut Kit) -> u64 {
    (limit_us * u64::from(kit.random.word())) >> 32
}

/// Stands in the queue for the flood.
const FLOOD: u32 = u32::MAX;

/// 2026-09-21 14:13:20 UTC.
const START_US: u64 = 1_790_000_000_000_000;

/// 192.168.10.16, the first of four servers.
const SERVER: u32 = 0xc0a8_0a10;
