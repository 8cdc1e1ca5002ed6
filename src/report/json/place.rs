//! Beside the number of a packet: which packet of which file it is, where there are several.

use serde::Serialize;

use crate::numbering::Numbering;
use crate::units::PacketNumber;

/// A packet in its own file.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct PlaceView<'a> {
    pub(super) file: &'a str,
    pub(super) packet: u64,
}

/// Where a packet is; none if there is one file only.
pub(super) fn view(packet: PacketNumber, numbering: &Numbering) -> Option<PlaceView<'_>> {
    numbering.in_file(packet).map(|found| PlaceView { file: found.name, packet: found.packet.0 })
}
