//! The line of a message.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::frame::opcode_name;
use super::place::{self, PlaceView};
use super::time::{Clock, TimeText};
use crate::numbering::Numbering;
use crate::protocol::{Message, Obstacle};
use crate::report::wire::Wire;
use crate::units::PacketNumber;

/// A message.
#[derive(Serialize)]
#[serde(tag = "type", rename = "message")]
pub(super) struct MessageLine<'a> {
    connection: u64,
    attempt: usize,
    packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet_in_file: Option<PlaceView<'a>>,
    time: TimeText,
    last_packet: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_packet_in_file: Option<PlaceView<'a>>,
    by: &'static str,
    opcode: &'static str,
    fragments: u64,
    compressed: bool,
    wire_length: u64,
    /// Null if not all of it could be decoded.
    length: Option<u64>,
    /// Decoded bytes that are not in this line.
    cut_bytes: u64,
    problem: Option<&'static str>,
    /// Where a text stops being UTF-8.
    not_utf8_at: Option<u64>,
    /// Secrets are taken out of the text.
    redacted: bool,
    #[serde(flatten)]
    payload: Payload<'a>,
}

/// What could be decoded, from the first byte on.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Payload<'a> {
    /// Of a text message that is UTF-8.
    Text(Cow<'a, str>),
    /// Of all others.
    Base64(String),
}

/// A message of the attempt at some place of a connection.
pub(super) fn line<'a>(
    (connection, attempt): (PacketNumber, usize),
    message: &'a Message,
    (wire, numbering): (Wire, &'a Numbering),
    clock: &mut Clock,
) -> MessageLine<'a> {
    let text = message.text();
    let payload = match text {
        Some(text) => Payload::Text(wire.message(text)),
        None => Payload::Base64(STANDARD.encode(&message.payload)),
    };
    let left_out = text.map_or(0, |text| message.payload.len().saturating_sub(text.len()));
    MessageLine {
        connection: connection.0,
        attempt,
        packet: message.first.packet.0,
        packet_in_file: place::view(message.first.packet, numbering),
        time: clock.text(message.first.time),
        last_packet: message.last.packet.0,
        last_packet_in_file: place::view(message.last.packet, numbering),
        by: message.by.name(),
        opcode: opcode_name(message.opcode),
        fragments: message.fragments,
        compressed: message.compressed,
        wire_length: message.wire_length,
        length: message.length,
        cut_bytes: message.cut_bytes().saturating_add(left_out as u64),
        problem: message.obstacle.map(Obstacle::name),
        not_utf8_at: message.not_utf8.map(|not_utf8| not_utf8.valid_bytes),
        redacted: matches!((&payload, text), (Payload::Text(shown), Some(text)) if shown != text),
        payload,
    }
}
