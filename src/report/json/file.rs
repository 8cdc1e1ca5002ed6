//! The files of a capture, where there are several or where one says something of itself.

use std::collections::BTreeMap;

use serde::Serialize;

use super::time::millis;
use crate::capture::{Clock, FileFacts, InterfaceFacts};
use crate::model::Capture;

/// A file.
#[derive(Serialize)]
pub(super) struct FileView<'a> {
    file: &'a str,
    packets: u64,
    interfaces: Vec<InterfaceView<'a>>,
    comments: Vec<CommentView<'a>>,
    secrets: u64,
    /// The same by what they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets_for: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<ClockView>,
}

/// How its clock stands beside that of the file whose times are told.
#[derive(Serialize)]
struct ClockView {
    #[serde(rename = "ahead_ms")]
    ahead: f64,
    #[serde(rename = "error_ms")]
    error: Option<f64>,
    #[serde(rename = "gains_ms")]
    gains: f64,
    #[serde(rename = "taken_off_ms")]
    taken_off: f64,
}

#[derive(Serialize)]
struct InterfaceView<'a> {
    name: Option<&'a str>,
    link_type: u16,
    dropped: Option<u64>,
}

#[derive(Serialize)]
struct CommentView<'a> {
    packet: Option<u64>,
    text: &'a str,
}

/// All of them; none if there is one file that says nothing of itself.
pub(super) fn views(capture: &Capture) -> Vec<FileView<'_>> {
    match capture.files.as_slice() {
        [file] if file.is_plain() => Vec::new(),
        files => files.iter().map(view).collect(),
    }
}

fn view(file: &FileFacts) -> FileView<'_> {
    let interfaces = file.interfaces.iter().map(|InterfaceFacts { name, link, dropped }| InterfaceView {
        name: name.as_deref(),
        link_type: link.0,
        dropped: *dropped,
    });
    let comments = file
        .comments
        .iter()
        .map(|comment| CommentView { packet: comment.packet.map(|packet| packet.0), text: &comment.text });
    FileView {
        file: &file.name,
        packets: file.packets,
        interfaces: interfaces.collect(),
        comments: comments.collect(),
        secrets: file.secrets.values().fold(0, |sum, blocks| sum.saturating_add(*blocks)),
        secrets_for: file.secrets.iter().map(|(secrets, blocks)| (secrets.name(), *blocks)).collect(),
        point: file.standpoint.point,
        clock: file.standpoint.point.and_then(|_| clock(&file.standpoint.clock)),
    }
}

fn clock(clock: &Clock) -> Option<ClockView> {
    let (_, taken_off) = clock.takes_off.first()?;
    Some(ClockView {
        ahead: millis(clock.ahead),
        error: clock.error.map(millis),
        gains: millis(clock.gains),
        taken_off: millis(*taken_off),
    })
}
