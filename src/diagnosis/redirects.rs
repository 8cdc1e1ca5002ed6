//! Answers that send the client elsewhere. WebSocket clients do not follow: RFC 6455 section 4.1 lets them, and browsers
//! must not (the WHATWG's Fetch, redirect mode "error").

use super::answers::{self, Answer};
use super::view::RouteView;

/// A redirect that the client got.
pub(super) struct Redirect<'r, 'a> {
    /// The answer.
    pub(super) answer: Answer<'r, 'a>,
    /// Where it points, as it was sent.
    pub(super) location: &'a str,
    /// What it means.
    pub(super) kind: Kind,
}

/// What a redirect means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same place, encrypted.
    Https,
    /// The same path with a slash at its end.
    TrailingSlash,
    /// A place to log in.
    Login,
    /// Something else.
    Other,
}

/// The redirect that the client got; none if the answer is no redirect.
pub(super) fn of<'r, 'a>(route: &'r RouteView<'a>) -> Option<Redirect<'r, 'a>> {
    let answer =
        answers::refusal(route).filter(|answer| matches!(answer.status, 301 | 302 | 303 | 307 | 308))?;
    let location = answer.leg.answered_text("location")?;
    let path = answer.leg.path();
    let hosts = [answer.leg.asked_text("host"), route.first.asked_text("host")];
    let sets_cookie = answer.leg.answered("set-cookie").is_some();
    let kind = kind(location, path, &hosts.map(|host| name(host.unwrap_or_default())), sets_cookie);
    Some(Redirect { answer, location, kind })
}

fn kind(location: &str, path: &str, hosts: &[&str], sets_cookie: bool) -> Kind {
    let target = parse(location);
    let same_path = target.path == path;
    let slash_added = target.path.strip_suffix('/') == Some(path);
    let is_here = target.host.is_none_or(|host| hosts.iter().any(|known| known.eq_ignore_ascii_case(host)));
    let asks_to_log_in =
        names_login(target.host.unwrap_or_default()) || names_login(target.path) || (sets_cookie && !is_here);
    let is_encrypted = target
        .scheme
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss"));
    if !same_path && !slash_added && asks_to_log_in {
        Kind::Login
    } else if is_encrypted && is_here {
        Kind::Https
    } else if slash_added && !path.is_empty() {
        Kind::TrailingSlash
    } else {
        Kind::Other
    }
}

struct Target<'a> {
    scheme: Option<&'a str>,
    /// Without the port.
    host: Option<&'a str>,
    path: &'a str,
}

/// A URI reference (RFC 3986 section 4.1), as far as it matters here.
fn parse(location: &str) -> Target<'_> {
    let without_query = location.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match without_query.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), Some(rest)),
        None => (None, without_query.strip_prefix("//")),
    };
    let Some(rest) = rest else { return Target { scheme, host: None, path: without_query } };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    Target { scheme, host: Some(name(authority)), path: if path.is_empty() { "/" } else { path } }
}

/// A host without user information and port.
pub(super) fn name(authority: &str) -> &str {
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.starts_with('[') {
        return host.split_once(']').map_or(host, |(address, _)| address).trim_start_matches('[');
    }
    host.split(':').next().unwrap_or_default()
}

/// Whether a host or a path looks like that of a login page.
fn names_login(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace(['_', '-'], "");
    let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.any(|word| LOGIN.iter().any(|known| word.starts_with(known)) || LOGIN_WORDS.contains(&word))
}

/// How words of login pages begin.
const LOGIN: &[&str] = &[
    "login",
    "logon",
    "signin",
    "oauth",
    "openid",
    "oidc",
    "saml",
    "authelia",
    "authentik",
    "authoriz",
    "authenticat",
];

/// Whole words of login pages.
const LOGIN_WORDS: &[&str] = &["auth", "sso", "idp", "cas"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_mean_what_they_say() {
        let cases = [
            ("https://chat.test/ws", false, Kind::Https),
            ("https://chat.test/ws/", false, Kind::Https),
            ("wss://chat.test:8443/ws", false, Kind::Https),
            ("http://chat.test:8080/ws/", false, Kind::TrailingSlash),
            ("/ws/", false, Kind::TrailingSlash),
            ("/login?next=/ws", false, Kind::Login),
            ("https://chat.test/users/sign_in", false, Kind::Login),
            ("https://sso.other.test/start?rd=/ws", false, Kind::Login),
            ("https://other.test/gate", true, Kind::Login),
            ("https://other.test/ws", false, Kind::Other),
            ("http://www.chat.test/ws", false, Kind::Other),
            ("/authors", false, Kind::Other),
            ("/", false, Kind::Other),
        ];
        for (location, sets_cookie, expected) in cases {
            assert_eq!(kind(location, "/ws", &["chat.test"], sets_cookie), expected, "{location}");
        }
        assert_eq!(kind("https://a.test/oauth/ws", "/oauth/ws", &["a.test"], false), Kind::Https);
    }
}
