//! Two request heads beside each other: before and after a proxy.

use super::wire::Wire;
use crate::diagnosis::Rule;
use crate::protocol::{Fields, RequestHead};

/// A line of a head before and after a proxy. Texts are redacted and not escaped.
pub(super) struct HeadRow {
    /// Before the proxy; none if it was added.
    pub(super) before: Option<String>,
    /// After it; none if it was dropped.
    pub(super) after: Option<String>,
}

/// The lines that a reader compares, and how many others are the same on both sides.
pub(super) struct HeadRows {
    pub(super) rows: Vec<HeadRow>,
    pub(super) others: u64,
}

impl HeadRow {
    /// What became of the line, in a word; none if nothing.
    pub(super) fn mark(&self) -> Option<&'static str> {
        match (&self.before, &self.after) {
            (None, _) => Some("added"),
            (_, None) => Some("dropped"),
            (before, after) if before != after => Some("changed"),
            _ => None,
        }
    }
}

/// Whether a rule is about what a proxy makes of a request, so that both requests are its evidence.
pub(super) fn is_about_requests(rule: &Rule) -> bool {
    ["WS20", "WS211", "WS212", "WS213", "WS214"].into_iter().any(|codes| rule.is_meant_by(codes))
}

/// Compares two requests: the request line, the fields of the handshake, and whatever else differs.
pub(super) fn compare(before: &RequestHead<'_>, after: &RequestHead<'_>, wire: Wire) -> HeadRows {
    let mut compared = HeadRows {
        rows: vec![HeadRow { before: Some(line(before, wire)), after: Some(line(after, wire)) }],
        others: 0,
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in before.fields.iter().chain(after.fields.iter()) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    for name in names {
        let (was, is) = (field(&before.fields, name, wire), field(&after.fields, name, wire));
        // The case of a name means nothing (RFC 9110 section 5.1); what matters is the value.
        let same = before.fields.values(name).eq(after.fields.values(name));
        if same && !is_telling(name) {
            compared.others = compared.others.saturating_add(1);
        } else {
            let is = if same { was.clone() } else { is };
            compared.rows.push(HeadRow { before: was, after: is });
        }
    }
    compared
}

fn line(head: &RequestHead<'_>, wire: Wire) -> String {
    let version = head.version.map(|minor| format!(" HTTP/1.{minor}")).unwrap_or_default();
    format!("{} {}{version}", head.method, wire.text(head.target.as_bytes()))
}

/// All lines of a field as one list.
fn field(fields: &Fields<'_>, name: &str, wire: Wire) -> Option<String> {
    let written = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.0;
    let values: Vec<String> = fields.values(name).map(|value| wire.value(name, value).into_owned()).collect();
    Some(format!("{written}: {}", values.join(", ")))
}

/// Whether a reader looks for a field even if it is the same on both sides.
fn is_telling(name: &str) -> bool {
    let known = ["host", "upgrade", "connection", "sec-websocket-key"];
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_and_what_a_reader_looks_for_is_shown() {
        let before = RequestHead::parse(
            b"GET /ws?token=a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nAccept: x\r\nCookie: a=1\r\n\r\n",
        )
        .unwrap();
        let after = RequestHead::parse(
            b"GET /ws?token=a HTTP/1.0\r\nhost: a\r\nX-Real-IP: 10.0.0.1\r\naccept: x\r\nCookie: a=2\r\n\r\n",
        )
        .unwrap();
        let compared = compare(&before, &after, Wire { shows_secrets: false });
        let rows: Vec<(&str, &str, &str)> = compared
            .rows
            .iter()
            .map(|row| {
                (
                    row.before.as_deref().unwrap_or("-"),
                    row.after.as_deref().unwrap_or("-"),
                    row.mark().unwrap_or(""),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("GET /ws?token=[redacted] HTTP/1.1", "GET /ws?token=[redacted] HTTP/1.0", "changed"),
                ("Host: a", "Host: a", ""),
                ("Upgrade: websocket", "-", "dropped"),
                // What is redacted differs all the same, and may be shown as if it did not.
                ("Cookie: a=[redacted]", "Cookie: a=[redacted]", ""),
                ("-", "X-Real-IP: 10.0.0.1", "added"),
            ]
        );
        assert_eq!(compared.others, 1);
    }
}
