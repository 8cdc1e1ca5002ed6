//! The columns of the attempts table: what stands in them, how wide they are, how they sort.

use std::borrow::Cow;
use std::collections::HashMap;

use super::news::FindingRow;
use super::rows::Row;
use super::theme::Theme;
use crate::report::count::{number, span};
use crate::report::text::time::Clock;
use crate::text;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "what stands in them is in `cell`")]
pub enum Column {
    Time,
    Client,
    Server,
    Target,
    Status,
    Outcome,
    Latency,
    Frames,
    Bytes,
    Duration,
    Close,
    Finding,
}

/// How wide the columns are that depend on what stands in them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Widths {
    client: usize,
    server: usize,
    target: usize,
    finding: usize,
    close: usize,
    time: usize,
}

impl Column {
    /// All of them, from left to right.
    pub const ALL: [Self; 12] = [
        Self::Time,
        Self::Client,
        Self::Server,
        Self::Target,
        Self::Status,
        Self::Outcome,
        Self::Latency,
        Self::Frames,
        Self::Bytes,
        Self::Duration,
        Self::Close,
        Self::Finding,
    ];

    /// Its heading.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Client => "client",
            Self::Server => "server",
            Self::Target => "target",
            Self::Status => "status",
            Self::Outcome => "outcome",
            Self::Latency => "latency",
            Self::Frames => "frames",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Close => "close",
            Self::Finding => "finding",
        }
    }

    /// Whether it is aligned to the right.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Latency | Self::Frames | Self::Bytes | Self::Duration)
    }

    /// The columns that fit, of those that are wanted, with their widths.
    #[must_use]
    pub fn that_fit(wanted: &[Self], widths: Widths, room: usize) -> Vec<(Self, usize)> {
        let mut chosen: Vec<Self> = Vec::new();
        let mut used = 0usize;
        let is_of_use = |column: &Self| *column != Self::Finding || widths.finding > 0;
        let wanted = |column: &Self| wanted.contains(column) && is_of_use(column);
        for column in BY_IMPORTANCE.into_iter().filter(wanted) {
            let needs = column.width(widths).saturating_add(GAP);
            if used.saturating_add(needs) <= room.saturating_add(GAP) {
                used = used.saturating_add(needs);
                chosen.push(column);
            }
        }
        let mut spare = room.saturating_add(GAP).saturating_sub(used);
        let mut fitted = Vec::new();
        // What was cut to fit gets what is left, the target first.
        for column in [Self::Target, Self::Server, Self::Finding, Self::Close] {
            let more = column.full_width(widths).saturating_sub(column.width(widths)).min(spare);
            if chosen.contains(&column) {
                spare = spare.saturating_sub(more);
                fitted.push((column, column.width(widths).saturating_add(more)));
            }
        }
        let width = |column: Self| {
            let fitted = fitted.iter().find(|(known, _)| *known == column).map(|(_, width)| *width);
            fitted.unwrap_or_else(|| column.width(widths))
        };
        Self::ALL
            .into_iter()
            .filter(|column| chosen.contains(column))
            .map(|column| (column, width(column)))
            .collect()
    }

    /// What stands in it, if it is so wide.
    #[must_use]
    pub(super) fn cell(
        self,
        row: &Row,
        findings: &[FindingRow],
        width: usize,
        clock: &Clock,
        theme: Theme,
    ) -> String {
        let none = || "-".to_owned();
        match self {
            Self::Time => clock.show(row.began),
            Self::Client => row.client.to_string(),
            Self::Server => row.server.to_string(),
            Self::Target => row.target.to_string(),
            Self::Status => row.status.map_or_else(none, |status| status.to_string()),
            Self::Outcome => format!("{} {}", theme.symbol(row.outcome), row.outcome.name()),
            Self::Latency => row.latency.map_or_else(none, span),
            Self::Frames => row.frames.map_or_else(none, |[client, server]| format!("{client}/{server}")),
            Self::Bytes if row.frames.is_none() => none(),
            Self::Bytes => number(row.bytes.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes))),
            Self::Duration => row.duration.map_or_else(none, span),
            // A name that is cut says less than none.
            Self::Close => Some(named_close(row))
                .filter(|close| text::width(close) <= width)
                .unwrap_or_else(|| row.close.to_string()),
            Self::Finding => row
                .finding
                .and_then(|finding| findings.get(finding))
                .map_or_else(String::new, |finding| finding.rule.name.to_owned()),
        }
    }

    /// The text that it sorts by, if that is what it sorts by.
    const fn text(self) -> Option<fn(&Row) -> &str> {
        match self {
            Self::Client => Some(|row| &row.client),
            Self::Server => Some(|row| &row.server),
            Self::Target => Some(|row| &row.target),
            Self::Close => Some(|row| &row.close),
            _ => None,
        }
    }

    /// What rows sort by: keys beside one another with the rows' places. To look into 100,000 rows for each comparison
    /// would take longer than a person waits.
    #[must_use]
    pub(super) fn keys(
        self,
        rows: &[Row],
        places: impl Iterator<Item = usize>,
        ranks: &Ranks,
    ) -> Vec<(u128, usize)> {
        let Some(text) = self.text() else {
            return places.filter_map(|place| Some((self.key(rows.get(place)?), place))).collect();
        };
        let known = ranks.0.iter().find(|(column, _)| *column == self).map(|(_, ranks)| ranks);
        if known.is_none() && rows.len() > RANKED_AT_ONCE {
            return places.filter_map(|place| Some((beginning(text(rows.get(place)?)), place))).collect();
        }
        let ranks = known.map_or_else(|| Cow::Owned(ranks_of(rows, text)), Cow::Borrowed);
        places.filter_map(|place| Some((u128::from(*ranks.get(place)?), place))).collect()
    }

    /// What it sorts by, but for texts.
    fn key(self, row: &Row) -> u128 {
        let span = |span: Option<crate::units::Span>| {
            span.map_or(0, |span| shifted(span.as_nanos()).saturating_add(1))
        };
        match self {
            Self::Time | Self::Client | Self::Server | Self::Target | Self::Close => {
                shifted(row.began.as_nanos())
            }
            Self::Status => row.status.unwrap_or_default().into(),
            Self::Outcome => importance(row) as u128,
            Self::Latency => span(row.latency),
            Self::Duration => span(row.duration),
            Self::Frames => row.frames.map_or(0, |[client, server]| sum(client, server).saturating_add(1)),
            Self::Bytes => row.bytes.iter().fold(0, |all, bytes| sum(all, *bytes)),
            Self::Finding => row.finding.map_or(u128::MAX, |finding| finding as u128),
        }
    }

    /// The least width at which it is of use.
    fn width(self, widths: Widths) -> usize {
        match self {
            Self::Time => widths.time.max(9),
            Self::Client => widths.client.clamp(6, 21),
            // A route needs room, or it says nothing.
            Self::Server => widths.server.clamp(6, 40),
            Self::Target => widths.target.clamp(6, 12),
            Self::Status => 6,
            Self::Outcome => 13,
            Self::Latency => 8,
            Self::Frames => 9,
            Self::Bytes | Self::Duration | Self::Close => 11,
            Self::Finding => widths.finding.clamp(7, 18),
        }
    }

    fn full_width(self, widths: Widths) -> usize {
        match self {
            Self::Target => widths.target,
            Self::Server => widths.server,
            Self::Finding => widths.finding,
            Self::Close => widths.close,
            _ => 0,
        }
        .max(self.width(widths))
    }
}

/// How it ended, with what the code means.
fn named_close(row: &Row) -> String {
    if row.close_name.is_empty() {
        row.close.to_string()
    } else {
        format!("{} ({})", row.close, row.close_name)
    }
}

impl Widths {
    /// Grows to what a row needs.
    pub fn add(&mut self, row: &Row, findings: &[FindingRow]) {
        self.client = self.client.max(text::width(&row.client));
        self.server = self.server.max(text::width(&row.server));
        self.target = self.target.max(text::width(&row.target));
        let brackets = if row.close_name.is_empty() { 0 } else { " ()".len() };
        let close = row.close.len().saturating_add(row.close_name.len()).saturating_add(brackets);
        self.close = self.close.max(close);
        let finding = row.finding.and_then(|finding| findings.get(finding));
        self.finding = self.finding.max(finding.map_or(0, |finding| finding.rule.name.len()));
    }

    pub(super) const fn time(self) -> usize {
        self.time
    }

    /// How wide times are.
    pub const fn set_time(&mut self, width: usize) {
        self.time = width;
    }
}

/// Of each column that sorts by a text, the places of the rows' texts among all its texts.
#[derive(Clone, Debug, Default)]
pub(super) struct Ranks(Vec<(Column, Vec<u32>)>);

impl Ranks {
    /// Of all rows. To compare so many texts takes a tenth of a second where there are 100,000.
    #[must_use]
    pub(super) fn new(rows: &[Row]) -> Self {
        let ranks = |column: Column| Some((column, ranks_of(rows, column.text()?)));
        Self(Column::ALL.into_iter().filter_map(ranks).collect())
    }
}

/// The places of texts among all of them. Many rows have the same text: each is compared with the others once.
fn ranks_of(rows: &[Row], text: fn(&Row) -> &str) -> Vec<u32> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<(&str, usize)> = Vec::new();
    let mut number = |row| {
        let text = text(row);
        *numbers.entry(text).or_insert_with(|| {
            texts.push((text, texts.len()));
            texts.len().saturating_sub(1)
        })
    };
    let numbered: Vec<usize> = rows.iter().map(&mut number).collect();
    texts.sort_by_cached_key(|(text, _)| (beginning(text), *text));
    let mut ranks = vec![0u32; texts.len()];
    for (rank, (_, number)) in (0..).zip(&texts) {
        if let Some(slot) = ranks.get_mut(*number) {
            *slot = rank;
        }
    }
    numbered.into_iter().map(|number| ranks.get(number).copied().unwrap_or_default()).collect()
}

/// Failures first.
fn importance(row: &Row) -> usize {
    use crate::model::Outcome as O;
    let order = [O::Invalid, O::Refused, O::Unanswered, O::Unknown, O::Midstream, O::Established];
    order.iter().position(|outcome| *outcome == row.outcome).unwrap_or_default()
}

fn sum<T: Into<u128>>(one: T, other: u64) -> u128 {
    one.into().saturating_add(other.into())
}

/// A number in the order of the signed ones.
fn shifted(nanos: i64) -> u128 {
    u128::from(nanos.cast_unsigned() ^ (1 << 63))
}

/// The first bytes of a text as a number in the order of the texts.
fn beginning(text: &str) -> u128 {
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(text.bytes()) {
        *slot = byte;
    }
    u128::from_be_bytes(bytes)
}

/// The most rows whose texts are compared while somebody waits. Until all is read, more are sorted by the first 16 bytes.
const RANKED_AT_ONCE: usize = 20_000;

/// Columns between two columns of the table.
pub(super) const GAP: usize = 2;

/// Where there is no room for all, these come first.
const BY_IMPORTANCE: [Column; 12] = [
    Column::Outcome,
    Column::Status,
    Column::Target,
    Column::Client,
    Column::Time,
    Column::Latency,
    Column::Finding,
    Column::Server,
    Column::Frames,
    Column::Duration,
    Column::Close,
    Column::Bytes,
];
