//! Finds secrets in free text: parameters, URLs, tokens.

use std::ops::Range;

use super::squeeze;

/// The secrets of a text, in order and without overlaps.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    find_within(text, ENCODED_LEVELS)
}

/// Whether a squeezed name contains a word that tells of a secret wherever it stands.
pub(super) fn contains_telling_word(squeezed: &str) -> bool {
    TELLING_WORDS.iter().any(|word| squeezed.contains(word))
}

/// Whether bytes hold the start of a JSON object in base64, as tokens do, long enough to be one.
pub(super) fn holds_token(text: &str) -> bool {
    text.contains(TOKEN_START) && !tokens(text).is_empty()
}

fn find_within(text: &str, levels: u32) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Each kind of secret needs one of these; most values have none.
    let bytes = text.as_bytes();
    if memchr::memchr3(b'J', b'@', b'=', bytes).is_none() && memchr::memchr(b'"', bytes).is_none() {
        return found;
    }
    if text.contains(TOKEN_START) {
        found.extend(tokens(text));
    }
    if text.contains('@') {
        found.extend(user_parts(text));
    }
    if text.contains('=') {
        found.extend(parameters(text, levels));
    }
    if text.contains("\":") || text.contains("\" :") {
        found.extend(json_members(text));
    }
    merged(found)
}

/// What looks like a JSON web token (RFC 7519): `eyJ`, which is `{"` in base64, and two dots behind it. One that
/// the end of the text cuts, and a long one without dots, count too.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, _) in text.match_indices(TOKEN_START) {
        let inside_word = text.as_bytes().get(start.wrapping_sub(1)).is_some_and(u8::is_ascii_alphanumeric);
        if inside_word || found.last().is_some_and(|last| last.end > start) {
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.bytes().take_while(|byte| is_token_byte(*byte)).count();
        let token = rest.get(..length).unwrap_or_default();
        let dots = token.bytes().filter(|byte| *byte == b'.').count();
        let is_cut = length == rest.len() && length >= CUT_TOKEN_BYTES;
        if dots >= 2 || is_cut || length >= TOKEN_BYTES {
            found.push(start..start.saturating_add(length));
        }
    }
    found
}

/// What stands between `://` and the `@` of a URL (RFC 3986 section 3.2.1).
fn user_parts(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, separator) in text.match_indices("://") {
        let start = at.saturating_add(separator.len());
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(|letter| "/?#\"'<>\\ \t\r\n".contains(letter)).unwrap_or(rest.len());
        if let Some(length) = rest.get(..end).and_then(|authority| authority.rfind('@')) {
            found.push(start..start.saturating_add(length));
        }
    }
    found
}

/// The values of `name=value` behind `?`, `&`, `#` or `;`, if the name tells.
fn parameters(text: &str, levels: u32) -> Vec<Range<usize>> {
    let (mut found, mut covered) = (Vec::new(), 0);
    // In running text, `code=7` says what is wrong; in a URL it may be a login.
    let in_urls = text.match_indices(['?', '&', '#', ';']).map(|(at, _)| (at.saturating_add(1), true));
    let in_text = text.match_indices([' ', ',', '\t', '\n']).map(|(at, _)| (at.saturating_add(1), false));
    let mut starts: Vec<(usize, bool)> = in_urls.chain(in_text).chain([(0, false)]).collect();
    starts.sort_unstable();
    for (start, is_url) in starts {
        if start < covered {
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let Some(length) = rest.find(|letter: char| !is_name_letter(letter)) else { continue };
        let Some((name, value)) = rest.split_at_checked(length) else { continue };
        let Some(value) = value.strip_prefix('=') else { continue };
        let is_telling = contains_telling_word(&squeeze(name));
        let is_secret =
            if is_url { is_secret_parameter(name) || is_connection_token(name, value) } else { is_telling };
        // Of what is no secret only the start counts, so that the time does not grow with the square.
        let ends = if is_secret { "&#;,\"'<> \t\r\n" } else { "?&#;,\"'<> \t\r\n" };
        let end = value.find(|letter| ends.contains(letter)).unwrap_or(value.len());
        let value = value.get(..end).unwrap_or_default();
        if !value.is_empty() && (is_secret || hides_secret(value, levels)) {
            let from = start.saturating_add(length).saturating_add(1);
            covered = from.saturating_add(value.len());
            found.push(from..covered);
        }
    }
    found
}

/// The text values of JSON members whose names tell. `code` and `key` do not: in answers they say what is wrong.
fn json_members(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (colon, _) in text.match_indices(':') {
        let before = text.get(..colon).unwrap_or_default().trim_end();
        let name = before.strip_suffix('"').and_then(|before| before.rsplit('"').next());
        let after = text.get(colon.saturating_add(1)..).unwrap_or_default();
        let Some(value) = after.trim_start().strip_prefix('"') else { continue };
        if name.is_some_and(|name| name.len() < 40 && is_secret_member(name)) {
            let length = value.find('"').unwrap_or(value.len());
            let start = text.len().saturating_sub(value.len());
            found.push(start..start.saturating_add(length));
        }
    }
    found
}

/// A value that is itself an encoded URL, such as that of `next=`.
fn hides_secret(value: &str, levels: u32) -> bool {
    let Some(levels) = levels.checked_sub(1) else { return false };
    value.contains('%') && !find_within(&percent_decoded(value), levels).is_empty()
}

/// Whether a parameter is the connection token of `SignalR`, by which anybody could take the session over: `id`, with 16
/// random bytes in base64url. Other applications call rooms and users so.
fn is_connection_token(name: &str, value: &str) -> bool {
    let length =
        value.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
    let token = value.get(..length).unwrap_or_default();
    let ends = value.as_bytes().get(length).is_none_or(|next| b"&#;,\"'<> \t\r\n".contains(next));
    let has = |kind: fn(&u8) -> bool| token.as_bytes().iter().any(kind);
    name == "id"
        && ends
        && length == CONNECTION_TOKEN_BYTES
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

fn is_secret_member(name: &str) -> bool {
    let name = squeeze(name);
    MEMBERS.contains(&name.as_str()) || contains_telling_word(&name)
}

fn is_secret_parameter(name: &str) -> bool {
    let name = squeeze(&percent_decoded(name));
    PARAMETERS.contains(&name.as_str()) || contains_telling_word(&name)
}

fn percent_decoded(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.split_first_chunk::<2>()).flatten();
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = escaped.and_then(|([high, low], after)| Some((digit(*high)? << 4 | digit(*low)?, after)));
        let (byte, after) = byte.unwrap_or((first, after));
        decoded.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// In order, with those that touch or overlap made one.
fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=')
}

fn is_name_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "-_.~%[]".contains(letter)
}

/// The start of a JSON object in base64.
const TOKEN_START: &str = "eyJ";

/// As long as a token of one part is at least.
const TOKEN_BYTES: usize = 40;

/// From this length on the start of a token is worth hiding.
const CUT_TOKEN_BYTES: usize = 12;

/// URLs within URLs are looked into this deep.
const ENCODED_LEVELS: u32 = 3;

/// Sixteen bytes in base64url without padding.
const CONNECTION_TOKEN_BYTES: usize = 22;

/// Members of JSON objects with a secret, squeezed: `connection_init` of GraphQL has an `Authorization`, the first message
/// of others a `cookie`.
const MEMBERS: [&str; 12] = [
    "authorization",
    "auth",
    "bearer",
    "cookie",
    "pwd",
    "pass",
    "passcode",
    "sid",
    "session",
    "sessionid",
    "ticket",
    "otp",
];

/// Parameters with a secret, squeezed.
const PARAMETERS: [&str; 25] = [
    "key",
    "pwd",
    "pass",
    "auth",
    "authorization",
    "sid",
    "session",
    "sessionid",
    "jsessionid",
    "phpsessid",
    "sessid",
    "sig",
    "hmac",
    "code",
    "ticket",
    "bearer",
    "otp",
    "csrf",
    "xsrf",
    "nonce",
    "samlresponse",
    "authkey",
    "sessionkey",
    "streamkey",
    "passcode",
];

/// Words that tell of a secret within a name, squeezed.
const TELLING_WORDS: [&str; 9] =
    ["token", "secret", "passw", "apikey", "accesskey", "privatekey", "credential", "jwt", "signature"];

#[cfg(test)]
mod tests {
    use crate::redact::text;

    #[test]
    fn texts_lose_their_secrets() {
        let cases = [
            ("/ws?token=abc", "/ws?token=[redacted]"),
            ("/ws?room=5&access_token=a.b-c&x=1", "/ws?room=5&access_token=[redacted]&x=1"),
            ("/ws?api-key=a&apiKey=b&API_KEY=c", {
                "/ws?api-key=[redacted]&apiKey=[redacted]&API_KEY=[redacted]"
            }),
            ("/ws?access%5Ftoken=abc", "/ws?access%5Ftoken=[redacted]"),
            ("/socket.io/?EIO=4&transport=websocket&sid=AbC", {
                "/socket.io/?EIO=4&transport=websocket&sid=[redacted]"
            }),
            ("/app;jsessionid=12AB/ws", "/app;jsessionid=[redacted]"),
            ("/login?next=%2Fws%3Ftoken%3Dabc&lang=de", "/login?next=[redacted]&lang=de"),
            ("/a?X-Amz-Signature=f00&X-Amz-Date=2026", "/a?X-Amz-Signature=[redacted]&X-Amz-Date=2026"),
            ("ws://user:pass@host.test/x", "ws://[redacted]@host.test/x"),
            ("see http://u:p@h/ now", "see http://[redacted]@h/ now"),
            ("/ws/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/x", "/ws/[redacted]/x"),
            ("cut eyJhbGciOiJIUzI1NiJ9.eyJzdWI", "cut [redacted]"),
            ("{\"token\": \"abc\", \"code\":\"E5\"}", "{\"token\": \"[redacted]\", \"code\":\"E5\"}"),
            ("/chat?id=3lNYuoMyCrWM7JTaKJzPhA", "/chat?id=[redacted]"),
            ("/chat?id=3lNYuoMyCrWM7JTaKJzPhA&x=1", "/chat?id=[redacted]&x=1"),
            ("/live?stream_key=a&auth-key=b", "/live?stream_key=[redacted]&auth-key=[redacted]"),
            (
                "{\"payload\":{\"Authorization\":\"Bearer abc\"}}",
                "{\"payload\":{\"Authorization\":\"[redacted]\"}}",
            ),
            ("0{\"sid\":\"AbC\",\"pingInterval\":25000}", "0{\"sid\":\"[redacted]\",\"pingInterval\":25000}"),
            ("{\"id\":\"7\",\"cookie\":\"session-id=abc\"}", "{\"id\":\"7\",\"cookie\":\"[redacted]\"}"),
            ("<a href=\"/x?a=1&amp;token=b\">", "<a href=\"/x?a=1&amp;token=[redacted]\">"),
        ];
        for (given, expected) in cases {
            assert_eq!(text(given), expected);
        }
    }

    #[test]
    fn texts_without_secrets_stay() {
        let cases = [
            "/ws?room=5",
            "/ws?id=5&x=1",
            "/ws?id=550e8400-e29b-41d4-a716-446655440000",
            "/ws?id=a-room-with-22-letters",
            "/ws?roomid=3lNYuoMyCrWM7JTaKJzPhA",
            "/socket.io/?EIO=4&transport=websocket",
            "/ws?next=%2Fchat%3Froom%3D5",
            "/ws?codec=opus&keyboard=1&author=x",
            "/ws?token=",
            "/ws?token",
            "/tokens/5",
            "user@example.test",
            "http://a.test/@someone",
            "eyJ and eyJa.b",
            "keyJhbGciOiJIUzI1NiJ9",
            "{\"code\":\"E5\",\"error\":\"invalid_token\"}",
            "going away",
            "%",
            "?%=%&%2=%zz",
        ];
        for given in cases {
            assert_eq!(text(given), given);
        }
    }

    #[test]
    fn long_and_deeply_encoded_text_ends() {
        for nested in
            [format!("/?a=%{}3Db", "25".repeat(60_000)), "?a=%".repeat(20_000), "://".repeat(20_000)]
        {
            assert_eq!(text(&nested), nested);
        }
        assert!(text(&"?sid=".repeat(20_000)).len() < 100);
    }
}
