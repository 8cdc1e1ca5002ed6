//! Turns packet numbers into those by which people look packets up, once nothing depends on their order any more.

use super::capture::Capture;
use super::connection::Connection;
use crate::numbering::Numbering;
use crate::units::PacketNumber;

impl Capture {
    /// Names packets by file, if there are several: see [`PacketNumber::in_file`]. To be done after judging and before
    /// writing for people.
    pub fn name_packets(&mut self) {
        if self.numbering.files().is_empty() {
            return;
        }
        for connection in &mut self.connections {
            name_all(connection, &self.numbering);
        }
    }
}

fn name_all(connection: &mut Connection, numbering: &Numbering) {
    let name = |packet: &mut PacketNumber| *packet = numbering.name(*packet);
    let tcp = &mut connection.tcp;
    name(&mut tcp.opening.first.packet);
    name(&mut tcp.last.0);
    if let Some(ending) = &mut tcp.ending {
        name(&mut ending.origin.packet);
    }
    for (packet, _) in tcp.halves.iter_mut().filter_map(|half| half.last_payload.as_mut()) {
        name(packet);
    }
    for attempt in &mut connection.attempts {
        if let Some(request) = &mut attempt.request {
            name(&mut request.origin.packet);
        }
        if let Some(response) = &mut attempt.response {
            name(&mut response.origin.packet);
        }
        let Some(session) = &mut attempt.session else { continue };
        if let Some(close) = &mut session.close {
            name(&mut close.origin.packet);
        }
        for anomaly in &mut session.anomalies {
            name(&mut anomaly.first.packet);
        }
        for frame in session.frames.iter_mut() {
            name(&mut frame.packet);
        }
    }
}
