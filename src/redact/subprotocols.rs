//! Secrets in `Sec-WebSocket-Protocol`.
//!
//! Browsers let no script set header fields of an upgrade, so that many applications send their token as a
//! subprotocol: after an entry that says so, behind a prefix, or bare.

use std::borrow::Cow;

use super::secrets::{self, contains_telling_word};
use super::{REDACTED, squeeze};

/// The entries of a list of subprotocols without the secrets among them.
#[must_use]
pub fn subprotocols<'a>(entries: &[&'a str]) -> Vec<Cow<'a, str>> {
    let mut announced = false;
    entries
        .iter()
        .map(|entry| {
            let is_secret = announced && !PUBLIC.contains(&entry.to_ascii_lowercase().as_str());
            announced = announces(entry);
            if is_secret && !entry.is_empty() { Cow::Owned(REDACTED.to_owned()) } else { shown(entry) }
        })
        .collect()
}

fn shown(entry: &str) -> Cow<'_, str> {
    if let Some(prefix) = prefix_of_secret(entry) {
        return Cow::Owned([prefix, REDACTED].concat());
    }
    if is_opaque(entry) {
        return Cow::Owned(REDACTED.to_owned());
    }
    super::text(entry)
}

/// Whether the entry says that the next one is a credential.
fn announces(entry: &str) -> bool {
    let word = squeeze(entry);
    ANNOUNCING.contains(&word.as_str()) || (contains_telling_word(&word) && word.len() <= ANNOUNCING_LENGTH)
}

/// The prefix behind which the entry carries a credential.
fn prefix_of_secret(entry: &str) -> Option<&str> {
    let known = PREFIXES.iter().find_map(|prefix| entry.get(..prefix.len()).filter(|start| start == prefix));
    if let Some(prefix) = known.filter(|prefix| entry.len() > prefix.len()) {
        return Some(prefix);
    }
    // `bearer.abc`, `access_token=abc`: the first word tells, and what follows is not another word.
    let (at, _) = entry.match_indices(['.', '=', ':', '-', '|']).find(|(at, _)| {
        let (first, rest) = entry.split_at_checked(*at).unwrap_or_default();
        announces(first) && rest.len() > 1
    })?;
    let (prefix, rest) = entry.split_at_checked(at.saturating_add(1))?;
    let is_words =
        rest.len() < SHORT && rest.bytes().all(|byte| !byte.is_ascii_digit() && !byte.is_ascii_uppercase());
    let is_version = rest
        .strip_prefix('v')
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
    let assigns = prefix.ends_with(['=', ':', '|']);
    (assigns || !(is_words || is_version)).then_some(prefix)
}

/// A long entry that is no name: letters and digits without a pattern.
fn is_opaque(entry: &str) -> bool {
    if secrets::holds_token(entry) {
        return true;
    }
    let bytes = entry.as_bytes();
    if bytes.len() < OPAQUE_LENGTH || !bytes.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let is_hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    let longest_word = entry.split(['.', '-', '_', ':', '/']).map(str::len).max().unwrap_or_default();
    is_hex || longest_word >= OPAQUE_WORD || changes_of_kind(bytes).saturating_mul(4) >= bytes.len()
}

/// How often small letters, capitals and digits take turns: seldom in names, at every other letter in
/// what chance made. A capital that begins a word of a name counts once.
fn changes_of_kind(bytes: &[u8]) -> usize {
    let kind = |byte: &u8| match byte {
        b'a'..=b'z' => Some(SMALL),
        b'A'..=b'Z' => Some(CAPITAL),
        b'0'..=b'9' => Some(DIGIT),
        _ => None,
    };
    let kinds: Vec<u8> = bytes.iter().filter_map(kind).collect();
    kinds.windows(2).filter(|pair| matches!(pair, [before, after] if before != after && (*before, *after) != (CAPITAL, SMALL))).count()
}

/// Kinds of letters.
const SMALL: u8 = 0;
const CAPITAL: u8 = 1;
const DIGIT: u8 = 2;

/// Entries after which a credential comes, squeezed.
const ANNOUNCING: [&str; 13] = [
    "bearer",
    "authorization",
    "auth",
    "authentication",
    "basic",
    "key",
    "session",
    "sessionid",
    "sid",
    "ticket",
    "xauth",
    "xauthorization",
    "authbearer",
];

/// Longer entries that contain a telling word are names of protocols.
const ANNOUNCING_LENGTH: usize = 14;

/// Known ways to put a credential behind a prefix.
const PREFIXES: [&str; 3] =
    ["base64url.bearer.authorization.k8s.io.", "openai-insecure-api-key.", "cf-access-token."];

/// Protocols that stay readable though the entry before them announces a credential.
const PUBLIC: [&str; 10] = [
    "graphql-ws",
    "graphql-transport-ws",
    "mqtt",
    "v10.stomp",
    "v11.stomp",
    "v12.stomp",
    "wamp.2.json",
    "soap",
    "chat",
    "binary",
];

/// Entries shorter than this are no secrets of their own.
const OPAQUE_LENGTH: usize = 24;

/// No word is as long as this and has digits.
const OPAQUE_WORD: usize = 32;

/// What is shorter than this and looks like words is believed to be words.
const SHORT: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_lose_their_secrets() {
        let cases = [
            ("bearer, abc", "bearer, [redacted]"),
            ("Access_Token, abc, graphql-ws", "Access_Token, [redacted], graphql-ws"),
            ("authorization, graphql-ws", "authorization, graphql-ws"),
            ("x-api-key, hunter2", "x-api-key, [redacted]"),
            ("v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.ZXlK", {
                "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.[redacted]"
            }),
            ("realtime, openai-insecure-api-key.sk-abc, openai-beta.realtime-v1", {
                "realtime, openai-insecure-api-key.[redacted], openai-beta.realtime-v1"
            }),
            ("aws-appsync-event-ws, header-eyJBdXRob3JpemF0aW9uIjoiYWJjIiwiaG9zdCI6IngifQ", {
                "aws-appsync-event-ws, [redacted]"
            }),
            ("token=abc", "token=[redacted]"),
            ("bearer.AbC1", "bearer.[redacted]"),
            ("Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZg", "[redacted]"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", "[redacted]"),
            ("550e8400-e29b-41d4-a716-446655440000", "[redacted]"),
            ("chat, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "chat, [redacted]"),
        ];
        for (given, expected) in cases {
            assert_eq!(redacted(given), expected);
        }
    }

    #[test]
    fn names_of_protocols_stay() {
        let cases = [
            "graphql-transport-ws, graphql-ws",
            "v10.stomp, v11.stomp, v12.stomp",
            "wamp.2.json, wamp.2.msgpack.batched",
            "actioncable-v1-json, actioncable-unsupported",
            "v5.channel.k8s.io, base64.binary.k8s.io",
            "ocpp1.6, ocpp2.0.1, mqttv3.1",
            "openai-beta.realtime-v1",
            "com.example.MyVeryOwnProtocolForChatsV2",
            "auth.v2, token-auth",
            "hub.bsc.bacnet.org",
            "msrp, sip, xmpp, bfcp",
            "",
        ];
        for given in cases {
            assert_eq!(redacted(given), given);
        }
    }

    fn redacted(list: &str) -> String {
        subprotocols(&list.split(", ").collect::<Vec<_>>()).join(", ")
    }
}
