//! What two points of capture show of a connection.

use serde::Serialize;

use super::place::{self, PlaceView};
use super::time::millis;
use crate::model::Connection;
use crate::numbering::Numbering;
use crate::points::{HalfPassage, Losses};
use crate::protocol::Role;
use crate::units::{PacketNumber, Timestamp};

/// A connection between two points.
#[derive(Serialize)]
pub(super) struct PassageView<'a> {
    client_point: u8,
    server_point: u8,
    round_trip_ms: Option<f64>,
    client: SideView<'a>,
    server: SideView<'a>,
}

/// The packets of one side on their way.
#[derive(Serialize)]
struct SideView<'a> {
    passed: u64,
    lost: LossesView<'a>,
    uncaptured: u64,
    bare: u64,
    appeared: LossesView<'a>,
    reset_appeared: Option<u64>,
    reset_lost: Option<u64>,
    hops: Option<i16>,
}

#[derive(Serialize)]
struct LossesView<'a> {
    packets: u64,
    payload_bytes: u64,
    to_the_end: u64,
    first_packet: Option<u64>,
    last_packet: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_packet_in_file: Option<PlaceView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_packet_in_file: Option<PlaceView<'a>>,
}

/// None where one point alone shows the connection, and none is to be missed at another.
pub(super) fn view<'a>(connection: &Connection, numbering: &'a Numbering) -> Option<PassageView<'a>> {
    let (client, [client_point, server_point]) = connection.passage(Role::Client)?;
    let (server, _) = connection.passage(Role::Server)?;
    Some(PassageView {
        client_point,
        server_point,
        round_trip_ms: connection.passage.as_ref()?.round_trip().map(millis),
        client: side(client, numbering),
        server: side(server, numbering),
    })
}

fn side<'a>(half: &HalfPassage, numbering: &'a Numbering) -> SideView<'a> {
    let number = |place: Option<(PacketNumber, Timestamp)>| place.map(|(packet, _)| packet.0);
    SideView {
        passed: half.passed,
        lost: losses(&half.lost, numbering),
        uncaptured: half.uncaptured,
        bare: half.bare,
        appeared: losses(&half.appeared, numbering),
        reset_appeared: number(half.reset_appeared),
        reset_lost: number(half.reset_lost),
        hops: half.hops,
    }
}

fn losses<'a>(losses: &Losses, numbering: &'a Numbering) -> LossesView<'a> {
    let (first, last) = (losses.first.map(|(packet, _)| packet), losses.last.map(|(packet, _)| packet));
    LossesView {
        packets: losses.packets,
        payload_bytes: losses.bytes,
        to_the_end: losses.to_the_end,
        first_packet: first.map(|packet| packet.0),
        last_packet: last.map(|packet| packet.0),
        first_packet_in_file: first.and_then(|packet| place::view(packet, numbering)),
        last_packet_in_file: last.and_then(|packet| place::view(packet, numbering)),
    }
}
