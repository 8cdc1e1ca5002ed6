//! What differs between a request before and after a proxy.

use crate::protocol::{Fields, RequestHead};
use crate::text;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What differs.
    pub part: Part,
    /// How it was on the client's side, unescaped and not redacted; none if it was added.
    pub before: Option<String>,
    /// How it is after the proxy; none if it was dropped.
    pub after: Option<String>,
}

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The method.
    Method,
    /// The target.
    Target,
    /// The version of HTTP.
    HttpVersion,
    /// A field, by its name as it was sent first.
    Header(String),
}

impl Part {
    /// Its name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Target => "target",
            Self::HttpVersion => "http_version",
            Self::Header(_) => "header",
        }
    }
}

/// All differences: the request line's, then those of the fields in the order of the wire, added ones last.
///
/// Fields are compared by name in any case, and by value to the letter; several lines of one name are one list
/// (RFC 9110 section 5.3).
#[must_use]
pub fn changes(before: &RequestHead<'_>, after: &RequestHead<'_>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut push = |part, before: Option<String>, after: Option<String>| {
        if before != after {
            changes.push(Change { part, before, after });
        }
    };
    push(Part::Method, Some(before.method.to_owned()), Some(after.method.to_owned()));
    push(Part::Target, Some(before.target.to_owned()), Some(after.target.to_owned()));
    push(Part::HttpVersion, before.version.map(version), after.version.map(version));
    for name in names(&before.fields) {
        push(Part::Header(name.to_owned()), joined(&before.fields, name), joined(&after.fields, name));
    }
    for name in names(&after.fields).into_iter().filter(|name| joined(&before.fields, name).is_none()) {
        push(Part::Header(name.to_owned()), None, joined(&after.fields, name));
    }
    changes
}

fn version(minor: u8) -> String {
    format!("1.{minor}")
}

/// The names of the fields, each once.
fn names<'a>(fields: &Fields<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in fields.iter() {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    names
}

/// All values of a field; none if the head lacks it.
fn joined(fields: &Fields<'_>, name: &str) -> Option<String> {
    let values: Vec<String> = fields.values(name).map(|value| text::decode(value).into_owned()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &[u8] =
        b"GET /ws HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\nCookie: a=1\r\n\
        Cookie: b=2\r\nSec-WebSocket-Version: 13\r\n\r\n";

    #[test]
    fn each_kind_of_change_is_found() {
        let upstream =
            b"GET /api/ws HTTP/1.0\r\nHost: 10.0.0.2\r\nX-Real-IP: 10.0.0.9\r\ncookie: a=1, b=2\r\n\
            sec-websocket-version: 13\r\n\r\n";
        let (client, upstream) = (RequestHead::parse(CLIENT).unwrap(), RequestHead::parse(upstream).unwrap());
        let found: Vec<String> = changes(&client, &upstream)
            .into_iter()
            .map(|change| {
                let name = if let Part::Header(name) = &change.part { name } else { change.part.name() };
                let side = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
                format!("{name}: {} > {}", side(change.before), side(change.after))
            })
            .collect();
        assert_eq!(
            found,
            [
                "target: /ws > /api/ws",
                "http_version: 1.1 > 1.0",
                "Host: chat.example.test > 10.0.0.2",
                "Upgrade: websocket > -",
                "X-Real-IP: - > 10.0.0.9",
            ]
        );
        assert_eq!(changes(&client, &client), []);
    }
}
