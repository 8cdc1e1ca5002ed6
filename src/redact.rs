//! Secrets in what the network says, taken out before somebody else reads it: cookies, credentials, tokens.
//!
//! What helps to find a fault stays: names of cookies and parameters, authentication schemes, and everything
//! that the handshake itself is made of. Rather too much goes than too little, since reports are sent around.

mod secrets;
mod subprotocols;

use std::borrow::Cow;

pub use subprotocols::subprotocols;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The value of a header field without its secrets.
#[must_use]
pub fn header<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if COMMON.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return text(value);
    }
    if HANDSHAKE.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Cow::Borrowed(value);
    }
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        // They ask for credentials and carry none.
        "www-authenticate" | "proxy-authenticate" => text(value),
        "cookie" => Cow::Owned(cookies(value)),
        "set-cookie" => Cow::Owned(set_cookie(value)),
        "sec-websocket-protocol" => subprotocol_value(value),
        name if is_secret_header(name) => Cow::Owned(credentials(value)),
        _ => text(value),
    }
}

/// A request target, a URL, the start of a body, the reason of a close frame: any text, without its secrets.
///
/// Those are the values of parameters whose names tell what they are, what stands before the `@` of a URL, and
/// what looks like a JSON web token.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    replace(text, &secrets::find(text))
}

/// A text with other bytes for some ranges of it, which are in order and do not overlap.
fn replace<'a>(text: &'a str, ranges: &[std::ops::Range<usize>]) -> Cow<'a, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut replaced = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        replaced.push_str(text.get(from..range.start).unwrap_or_default());
        replaced.push_str(REDACTED);
        from = range.end;
    }
    replaced.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(replaced)
}

/// `sid=1; theme=dark`: the names stay.
fn cookies(value: &str) -> String {
    let cookies: Vec<String> = value.split(';').map(|cookie| named(cookie.trim())).collect();
    cookies.join("; ")
}

/// `sid=1; Path=/; HttpOnly`: the name and the attributes stay.
fn set_cookie(value: &str) -> String {
    match value.split_once(';') {
        Some((cookie, attributes)) => [&named(cookie.trim()), ";", attributes].concat(),
        None => named(value.trim()),
    }
}

fn named(cookie: &str) -> String {
    match cookie.split_once('=') {
        Some((name, _)) => [name, "=", REDACTED].concat(),
        None if cookie.is_empty() => String::new(),
        None => REDACTED.to_owned(),
    }
}

/// A known scheme stays.
fn credentials(value: &str) -> String {
    match value.trim().split_once(' ') {
        Some((scheme, _)) if SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)) => {
            [scheme, " ", REDACTED].concat()
        }
        _ if value.trim().is_empty() => String::new(),
        _ => REDACTED.to_owned(),
    }
}

fn subprotocol_value(value: &str) -> Cow<'_, str> {
    let elements: Vec<&str> = value.split(',').map(str::trim).collect();
    let shown = subprotocols(&elements);
    if shown.iter().all(|element| matches!(element, Cow::Borrowed(_))) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(shown.join(", "))
}

/// Whether a field's name, in small letters, says that its value is a secret.
fn is_secret_header(name: &str) -> bool {
    let mut words = name.split(['-', '_']);
    let tells = |word: &str| {
        let starts_auth = word.starts_with("auth") && !word.starts_with("author");
        starts_auth || word.starts_with("authoriz") || WORDS.contains(&word)
    };
    words.any(tells) || secrets::contains_telling_word(&squeeze(name))
}

/// Small letters and digits only, so that `api-key`, `API_KEY` and `apiKey` are one.
fn squeeze(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Parts of the handshake that carry no secrets.
const HANDSHAKE: [&str; 4] =
    ["Sec-WebSocket-Key", "Sec-WebSocket-Accept", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions"];

/// Fields of most heads whose names need no second look.
const COMMON: [&str; 19] = [
    "Host",
    "Connection",
    "Upgrade",
    "Origin",
    "User-Agent",
    "Server",
    "Date",
    "Content-Type",
    "Content-Length",
    "Cache-Control",
    "Pragma",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
];

/// Authentication schemes that may be seen.
const SCHEMES: [&str; 9] =
    ["Basic", "Bearer", "Digest", "Negotiate", "NTLM", "Token", "ApiKey", "DPoP", "AWS4-HMAC-SHA256"];

/// Words of which one in a field's name is enough.
const WORDS: [&str; 9] = ["jwt", "pwd", "session", "sid", "signature", "csrf", "xsrf", "otp", "assertion"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lose_their_secrets() {
        let cases = [
            ("Cookie", "sid=abc; theme=dark", "sid=[redacted]; theme=[redacted]"),
            ("cookie", "a=b=c;naked", "a=[redacted]; [redacted]"),
            ("Set-Cookie", "sid=abc; Path=/; HttpOnly", "sid=[redacted]; Path=/; HttpOnly"),
            ("Set-Cookie", "sid=abc", "sid=[redacted]"),
            ("Authorization", "Bearer abc", "Bearer [redacted]"),
            ("Authorization", "Basic dXNlcjpwYXNz", "Basic [redacted]"),
            ("Authorization", "abc def", "[redacted]"),
            ("Proxy-Authorization", "Digest username=\"a\", x=1", "Digest [redacted]"),
            ("X-Api-Key", "abc", "[redacted]"),
            ("apikey", "abc", "[redacted]"),
            ("X-Auth-Token", "abc", "[redacted]"),
            ("X-Authentik-Jwt", "abc", "[redacted]"),
            ("X-CSRF-Token", "abc", "[redacted]"),
            ("X-Amz-Security-Token", "abc", "[redacted]"),
            ("X-Vault-Secret", "abc", "[redacted]"),
            ("X-Goog-Iap-Jwt-Assertion", "abc", "[redacted]"),
            ("Location", "https://u:p@a.test/login?next=/ws&token=x#id_token=y", {
                "https://[redacted]@a.test/login?next=/ws&token=[redacted]#id_token=[redacted]"
            }),
            ("Referer", "https://a.test/?session=5", "https://a.test/?session=[redacted]"),
            ("Sec-WebSocket-Protocol", "bearer, abc", "bearer, [redacted]"),
            ("X-Anything", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[redacted]"),
        ];
        for (name, value, expected) in cases {
            assert_eq!(header(name, value), expected, "{name}: {value}");
        }
    }

    #[test]
    fn fields_without_secrets_stay() {
        let cases = [
            ("Sec-WebSocket-Key", "MAZh2tg+QykGCdHVG70tAA=="),
            ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
            ("Sec-WebSocket-Protocol", "graphql-transport-ws , v12.stomp"),
            ("WWW-Authenticate", "Bearer realm=\"api\", error=\"invalid_token\""),
            ("Host", "chat.example.test"),
            ("Origin", "https://chat.example.test"),
            ("Author", "somebody"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Request-Id", "550e8400-e29b-41d4-a716-446655440000"),
            ("Connection", "keep-alive, Upgrade"),
            ("Keep-Alive", "timeout=5"),
            ("Authorization", ""),
        ];
        for (name, value) in cases {
            assert_eq!(header(name, value), value, "{name}");
        }
    }
}
