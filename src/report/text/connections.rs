//! Connections without an attempt, one line each.

use super::page::{PLAIN, Page, UNSURE};
use crate::model::{Capture, Connection};
use crate::protocol::{OpaqueReason, Role, Spoken};
use crate::report::count::{count, number};
use crate::report::json::tls;
use crate::tcp::{EndedBy, Opened};
use crate::text::{escape, pad, pad_start};

/// Writes the table, if there are any.
pub(super) fn write(capture: &Capture, page: &mut Page<'_>) -> std::io::Result<()> {
    let without: Vec<&Connection> =
        capture.connections.iter().filter(|connection| connection.attempts.is_empty()).collect();
    if without.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.paragraph(
        "",
        &format!("{} without an upgrade attempt", count(without.len() as u64, "connection")),
        UNSURE,
    );
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(without.iter().take(SHOWN).map(|connection| row(connection)));
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(|at| {
        rows.iter().filter_map(|row| row.get(at)).map(String::len).max().unwrap_or_default()
    });
    let gaps = GAP.len().saturating_mul(COLUMNS.len());
    if widths.iter().sum::<usize>().saturating_add(gaps) <= page.width() {
        for row in &rows {
            page.paragraph(GAP, &line(row, &widths), PLAIN);
        }
    } else {
        // A table that is broken at each row is none.
        for [first, client, server, state, speaks, bytes] in rows.iter().skip(1) {
            let text = format!("{client} -> {server}, {state}, {speaks}, {bytes} bytes");
            page.paragraph(&[GAP, &pad(first, widths[0]), GAP].concat(), &text, PLAIN);
        }
    }
    if let Some(more @ 1..) = without.len().checked_sub(SHOWN) {
        let more = number(more as u64);
        page.paragraph("  ", &format!("and {more} more (--format json lists all)"), PLAIN);
    }
    Ok(())
}

fn row(connection: &Connection) -> [String; COLUMNS.len()] {
    let bytes = |role| connection.half(role).payload_bytes;
    [
        connection.id().to_string(),
        connection.endpoint(Role::Client).to_string(),
        connection.endpoint(Role::Server).to_string(),
        opened(connection).to_owned(),
        spoken(connection),
        number(bytes(Role::Client).saturating_add(bytes(Role::Server))),
    ]
}

fn opened(connection: &Connection) -> &'static str {
    match (connection.tcp.opening.opened, connection.tcp.ending.map(|ending| ending.how)) {
        (Opened::Refused, _) => "refused",
        (Opened::Unanswered, _) => "unanswered",
        (Opened::Handshake, None) => "open",
        (Opened::Handshake, Some(EndedBy::Fin)) => "FIN",
        (Opened::Handshake, Some(EndedBy::Reset)) => "RST",
        (Opened::Midstream, None) => "midstream",
        (Opened::Midstream, Some(EndedBy::Fin)) => "midstream, FIN",
        (Opened::Midstream, Some(EndedBy::Reset)) => "midstream, RST",
    }
}

/// What it speaks; of TLS, which version and to which host.
fn spoken(connection: &Connection) -> String {
    let reason = match connection.spoken {
        Spoken::Nothing => "-",
        Spoken::Http => "http",
        Spoken::WebSocket => "websocket",
        Spoken::Opaque(reason) => reason.name(),
    };
    let Some(facts) =
        connection.tls.as_deref().filter(|_| connection.spoken == Spoken::Opaque(OpaqueReason::Tls))
    else {
        return reason.to_owned();
    };
    let version = facts.version.map(|version| format!(" {}", tls::version(version))).unwrap_or_default();
    let name = facts.server_name.as_deref().map(|name| format!(" to {}", escape(name))).unwrap_or_default();
    let alert =
        facts.alert.and_then(|alert| alert.name()).map(|name| format!(", {name}")).unwrap_or_default();
    format!("{reason}{version}{name}{alert}")
}

/// The number stands at the right of its column.
fn line(row: &[String; COLUMNS.len()], widths: &[usize; COLUMNS.len()]) -> String {
    let cells: Vec<String> = row
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(at, (cell, width))| {
            let is_number = at.saturating_add(1) == COLUMNS.len();
            if is_number { pad_start(cell, *width) } else { pad(cell, *width) }.into_owned()
        })
        .collect();
    cells.join(GAP)
}

/// Before each column.
const GAP: &str = "  ";

/// More are not read by anybody.
const SHOWN: usize = 1_000;

const COLUMNS: [&str; 6] = ["first", "client", "server", "state", "speaks", "bytes"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::analysed;

    #[test]
    fn what_is_too_wide_for_a_table_is_listed() {
        let capture = analysed("upstream-down-502/proxy-any.pcap");
        let shown = |width| {
            let mut written = Vec::new();
            let mut page = Page::new(&mut written, width);
            write(&capture, &mut page).unwrap();
            page.flush().unwrap();
            String::from_utf8(anstream::adapter::strip_bytes(&written).into_vec()).unwrap()
        };
        let head = "\n1 connection without an upgrade attempt\n";
        let table = "  first  client           server          state    speaks  bytes\n  \
                       #10    10.77.2.1:57094  10.77.2.2:8000  refused  -           0\n";
        assert_eq!(shown(64), format!("{head}{table}"));
        let list = "  #10    10.77.2.1:57094 -> 10.77.2.2:8000, refused, -, 0 bytes\n";
        assert_eq!(shown(63), format!("{head}{list}"));
    }

    #[test]
    fn rows_are_aligned() {
        let row = ["#1", "a:1", "b:80", "FIN", "http", "1,234"].map(str::to_owned);
        assert_eq!(line(&row, &[3, 4, 4, 5, 4, 6]), "#1   a:1   b:80  FIN    http   1,234");
    }
}
