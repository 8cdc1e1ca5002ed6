//! A TLS handshake fails with an alert.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::diagnosis::answers;
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, RouteView};
use crate::model::Connection;
use crate::protocol::{Role, ServerFirst, TlsAlert, TlsFacts};
use crate::units::{Endpoint, Origin};

/// A TLS handshake fails with an alert.
pub(super) static RULE: Rule = Rule {
    name: "tls-alert",
    code: "WS411",
    severity: Severity::Error,
    summary: "a TLS handshake fails: an alert gives the reason, or a side leaves it",
    page: "\
## What it sees

A ClientHello, and a fatal alert that is not encrypted, from either side (RFC 8446 section 6). Alerts after the keys
are in use cannot be read; with TLS 1.3 these are most of those about certificates. It is an error where it made a
proxy fail an attempt, or where no attempt at all is seen; elsewhere it is a warning.

Or no such alert, and the opener ends the connection when it has the other side's certificate: after its ClientHello it
sent nothing, or no more than an encrypted alert is long, and so no Finished. It is an error where a proxy does that and
fails an attempt, also if it leaves right after the handshake with an alert and without its request. Of a client it is
told if no attempt at all is seen and none of its handshakes with that server comes further: as a warning if it does so
again and again, else as a note.

## Why it breaks

Without TLS there is no HTTP, and so no WebSocket. The alert's name says what its sender did not like:

- `unknown_ca`, `bad_certificate`, `certificate_expired`, `certificate_unknown`: the other side's certificate. From a
  client: the server's chain is incomplete, self-signed or outdated, or the client lacks the authority.
- `unrecognized_name`: the server has no certificate for the name that was asked for (SNI).
- `protocol_version`, `handshake_failure`, `insufficient_security`: no version or cipher in common.
- `no_application_protocol`: nothing in common in ALPN, such as h2 only against http/1.1 only.
- `certificate_required`: the server wants a certificate of the client.

## How to mend it

A certificate that a client refuses: serve the whole chain (`ssl_certificate` with the intermediate certificates in
nginx), or give the client the authority (`NODE_EXTRA_CA_CERTS` for Node.js). A name: `proxy_ssl_server_name on;` in
nginx towards an upstream, or a certificate for that name. Versions and ciphers: `ssl_protocols TLSv1.2 TLSv1.3;`. For
ALPN let the side of the server offer http/1.1, which WebSockets need unless both speak RFC 8441.
",
    see: "https://www.rfc-editor.org/rfc/rfc8446#section-6",
    explains: &["refused-by-proxy", "html-instead-of-101", "no-response", "client-gave-up"],
    check: Check::Capture(check),
};

fn check(view: &CaptureView<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut tried: BTreeSet<usize> = BTreeSet::new();
    for route in &view.routes {
        tried.extend(&route.route.tries);
        let failed = route.tries.iter().find_map(|connection| Some((connection, fatal(connection)?)));
        let left = || route.tries.iter().find_map(|connection| Some((connection, left(connection)?)));
        if let Some((connection, alert)) = failed {
            let finding = judge(connection, &alert, Some(route)).shown_by(route.first.packets());
            findings.push(finding.about(About::Routes(vec![route.index])));
        } else if let Some((connection, end)) =
            left().filter(|_| route.first.status().is_none_or(|status| status >= 500))
        {
            let finding = broken_off(connection, end, Some(route)).shown_by(route.first.packets());
            findings.push(finding.about(About::Routes(vec![route.index])));
        } else if let Some(finding) = agreed_and_left(route) {
            findings.push(finding.about(About::Routes(vec![route.index])));
        }
    }
    let severity = if view.routes.is_empty() { Severity::Error } else { Severity::Warning };
    for (at, connection) in view.capture.connections.iter().enumerate() {
        if let Some(alert) = fatal(connection).filter(|_| !tried.contains(&at)) {
            let finding = judge(connection, &alert, None).at_most(severity);
            findings.push(finding.about(About::Connections(vec![at])));
        }
    }
    if view.routes.is_empty() {
        findings.extend(clients_that_leave(view));
    }
    findings
}

/// The alert that ended a handshake. One that a client sends to a server of plaintext is that server's doing.
fn fatal(connection: &Connection) -> Option<TlsAlert> {
    let tls = connection.tls.as_deref().filter(|tls| tls.client_hello.is_some())?;
    let alert = tls.alert.filter(|alert| alert.level == FATAL)?;
    let speaks_tls = matches!(tls.server, ServerFirst::Tls(_));
    (speaks_tls && !matches!(alert.description, CLOSE_NOTIFY | USER_CANCELED)).then_some(alert)
}

/// A connection by its place, and its end in the middle of the handshake.
type Left<'a> = (usize, &'a Connection, Origin);

/// Those none of whose handshakes with a server comes to its end.
fn clients_that_leave(view: &CaptureView<'_>) -> Vec<Finding> {
    let place = |connection: &Connection| {
        (connection.endpoint(Role::Client).address, connection.endpoint(Role::Server))
    };
    let mut groups: BTreeMap<(IpAddr, Endpoint), Vec<Left<'_>>> = BTreeMap::new();
    for (at, connection) in view.capture.connections.iter().enumerate() {
        if let Some(end) = left(connection).filter(|_| is_modern(connection)) {
            groups.entry(place(connection)).or_default().push((at, connection, end));
        }
    }
    for connection in view.capture.connections.iter().filter(|it| left(it).is_none()) {
        if connection.half(Role::Server).payload_bytes > 0 {
            groups.remove(&place(connection));
        }
    }
    let judge = |group: Vec<Left<'_>>| {
        let (_, connection, end) = group.first()?;
        let severity = if group.len() > 1 { Severity::Warning } else { Severity::Note };
        let about = About::Connections(group.iter().map(|(at, ..)| *at).collect());
        Some(broken_off(connection, *end, None).at_most(severity).about(about))
    };
    groups.into_values().filter_map(judge).collect()
}

/// The end of a connection whose opener left when it had the server's hello. What it sent after its own hello is nothing, or
/// as long as an encrypted alert: a record of 19 bytes (RFC 8446 section 5.2), with the `ChangeCipherSpec` of RFC 8446
/// appendix D.4 or without. A `Finished` is longer.
fn left(connection: &Connection) -> Option<Origin> {
    left_after(connection, |_, sent| matches!(sent, 0 | 24 | 30))
}

/// The end of a connection whose opener left, if what it sent after its hello is as long as that.
fn left_after(connection: &Connection, is_meant: fn(&TlsFacts, u64) -> bool) -> Option<Origin> {
    let tls = connection.tls.as_deref().filter(|tls| tls.client_hello.is_some() && tls.alert.is_none())?;
    let lacks = |role| connection.half(role).missing_bytes > 0;
    let is_whole = !tls.is_cut
        && !lacks(Role::Client)
        && !lacks(Role::Server)
        && connection.tcp.opening.connect.is_some();
    let sent = connection.half(Role::Client).payload_bytes.checked_sub(tls.client_hello_bytes)?;
    let is_left = is_meant(tls, sent) && matches!(tls.server, ServerFirst::Tls(_));
    let ending = connection.tcp.ending.filter(|_| connection.closed_by() == Some(Role::Client))?;
    (is_whole && is_left).then_some(ending.origin)
}

/// A proxy that ends the handshake as it should, and the connection after it, without the request that it was opened for:
/// nginx looks at the certificate only then (1.22.1, `proxy_ssl_verify`).
fn agreed_and_left(route: &RouteView<'_>) -> Option<Finding> {
    let status = route.first.status().filter(|status| *status >= 500)?;
    let end = |connection: &&Connection| left_after(connection, sends_no_request);
    let (connection, end) = route.tries.iter().find_map(|it| Some((*it, end(it)?)))?;
    let (proxy, upstream) = (answers::opener(route, connection), connection.endpoint(Role::Server));
    let hello = connection.tls.as_deref().and_then(|tls| tls.client_hello);
    Some(
        Finding::new(
            &RULE,
            Blame::proxy(&proxy),
            format!("leaves {} after the TLS handshake", Blame::Upstream(upstream).spoken()),
        )
        .saying("The handshake comes to its end. Then it sends an alert and a FIN, and no request.")
        .saying_also(Some(format!("Its client gets {status}.")))
        .shown_by(hello.map(|hello| hello.packet))
        .shown_by([end.packet])
        .shown_by(route.first.packets())
        .advising(
            "Most often it does not trust the certificate, which nginx checks only then (proxy_ssl_verify on): self-signed, \
             outdated, for another name (proxy_ssl_name), or of an authority that is not in \
             proxy_ssl_trusted_certificate. Its error log says which.",
        ),
    )
}

/// Whether what follows the hello is the end of a handshake and an alert, by its length. With TLS 1.3 that is a `Finished`
/// of SHA-256 or SHA-384 (58 or 74 bytes) and an alert (24), with the `ChangeCipherSpec` (6) of RFC 8446 appendix D.4 or
/// without. With TLS 1.2 it is the key exchange by X25519, P-256 or P-384 (42, 75 or 107), `ChangeCipherSpec` (6), and
/// `Finished` and alert under AES-GCM (45 and 31) or `ChaCha20` (37 and 23).
fn sends_no_request(tls: &TlsFacts, sent: u64) -> bool {
    match tls.version {
        Some(TLS_1_2) => matches!(sent, 108 | 124 | 141 | 157 | 173 | 189),
        _ => matches!(sent, 82 | 88 | 98 | 104),
    }
}

/// Whether a client offers what is in use. Health checks that send a hello to see it answered offer less (`ssl-hello-chk`
/// of HAProxy: SSL 3.0).
fn is_modern(connection: &Connection) -> bool {
    connection.tls.as_deref().and_then(|tls| tls.version_offered) >= Some(TLS_1_2)
}

fn broken_off(connection: &Connection, end: Origin, route: Option<&RouteView<'_>>) -> Finding {
    let (client, server) = (connection.endpoint(Role::Client), connection.endpoint(Role::Server));
    let proxy = route.map(|route| answers::opener(route, connection));
    let who = proxy.as_ref().map_or(Blame::Client(client.address), Blame::proxy);
    let other = if route.is_some() { Blame::Upstream(server) } else { Blame::Server(server) };
    let made = route.and_then(|route| route.first.status());
    let hello = connection.tls.as_deref().and_then(|tls| tls.client_hello);
    Finding::new(&RULE, who, format!("breaks off the TLS handshake with {}", other.spoken()))
        .saying("It has the other side's hello and certificate, and ends the connection before it agrees to them.")
        .saying_also(made.map(|status| format!("Its client gets {status}.")))
        .shown_by(hello.map(|hello| hello.packet))
        .shown_by([end.packet])
        .advising(
            "Most often it does not trust the certificate: self-signed, outdated, for another name, or of an authority that \
             it does not know. Its log says which; of a browser, the console.",
        )
}

fn judge(connection: &Connection, alert: &TlsAlert, route: Option<&RouteView<'_>>) -> Finding {
    let (client, server) = (connection.endpoint(Role::Client), connection.endpoint(Role::Server));
    let proxy = route.and_then(|route| route.proxy_behind(route.last()));
    let client_side = match proxy {
        Some(proxy) => Blame::proxy(proxy),
        None if route.is_some() => Blame::Proxy(client.address, None, None),
        None => Blame::Client(client.address),
    };
    let server_side = if route.is_some() { Blame::Upstream(server) } else { Blame::Server(server) };
    let name = alert_name(alert.description);
    let is_about_certificate = matches!(alert.description, 42..=46 | 48);
    let (who, headline) = match alert.by {
        // Who has the certificate can mend it.
        Role::Client if is_about_certificate => {
            (server_side.clone(), format!("has a certificate that is refused: {name}"))
        }
        Role::Client => (client_side.clone(), format!("ends the TLS handshake: {name}")),
        Role::Server => (server_side.clone(), format!("ends the TLS handshake: {name}")),
    };
    let (sender, receiver) = match alert.by {
        Role::Client => (client_side.spoken(), server_side.spoken()),
        Role::Server => (server_side.spoken(), client_side.spoken()),
    };
    let hello = connection.tls.as_deref().and_then(|tls| tls.client_hello);
    let made = route.and_then(|route| route.first.status());
    let finding = Finding::new(&RULE, who, headline)
        .saying(format!(
            "The alert {name} ({}) goes from {sender} to {receiver}, and the handshake ends.",
            alert.description
        ))
        .saying_also(made.map(|status| format!("The client of the proxy gets {status}.")))
        .shown_by(hello.map(|hello| hello.packet))
        .shown_by([alert.origin.packet]);
    match meaning(alert.description) {
        Some(meaning) => finding.advising(meaning),
        None => finding,
    }
}

/// The names of RFC 8446 section 6 and, of old ones, RFC 5246 section 7.2.
fn alert_name(description: u8) -> String {
    TlsAlert::name_of(description).map_or_else(|| format!("alert {description}"), str::to_owned)
}

/// What to do about the usual ones.
fn meaning(description: u8) -> Option<&'static str> {
    Some(match description {
        40 | 71 => {
            "The two sides have no cipher in common, or the server misses a name (SNI) in the ClientHello."
        }
        42..=46 | 48 => {
            "Serve the whole chain of certificates, renew it if it is outdated, or give the other side the authority \
             that signed it."
        }
        70 => "The two sides have no version of TLS in common: allow TLS 1.2 and 1.3 on both.",
        112 => {
            "The server has no certificate for the name that was asked for; towards an upstream nginx sends the name \
             only with proxy_ssl_server_name on."
        }
        116 => "The server wants a certificate of the client.",
        120 => "ALPN has nothing in common: let the server offer http/1.1.",
        _ => return None,
    })
}

const TLS_1_2: u16 = 0x0303;
const FATAL: u8 = 2;
const CLOSE_NOTIFY: u8 = 0;
const USER_CANCELED: u8 = 90;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const SERVER_HELLO: [u8; 9] = [0x16, 3, 3, 0, 4, 2, 0, 0, 0];

    fn alert(level: u8, description: u8) -> [u8; 7] {
        [0x15, 3, 3, 0, 2, level, description]
    }

    /// A handshake that the server or the client ends with an alert.
    fn handshake(script: &mut Script, client: &str, server: &str, by: From, level: u8, description: u8) {
        let mut talk = script.connect(client, server);
        script.say(&mut talk, From::Client, client_hello());
        if by == From::Client {
            script.say(&mut talk, From::Server, SERVER_HELLO);
        }
        script.say(&mut talk, by, alert(level, description)).close(&mut talk, by);
    }

    #[test]
    fn the_alert_and_who_can_mend_it_are_told() {
        for (by, description, expected) in [
            (From::Server, 70, "the server 10.77.1.1:443 ends the TLS handshake: protocol_version"),
            (From::Client, 48, "the server 10.77.1.1:443 has a certificate that is refused: unknown_ca"),
            (From::Client, 47, "the client 10.77.1.2 ends the TLS handshake: illegal_parameter"),
            (From::Server, 222, "the server 10.77.1.1:443 ends the TLS handshake: alert 222"),
        ] {
            let mut script = Script::default();
            handshake(&mut script, CLIENT, "10.77.1.1:443", by, 2, description);
            assert_eq!(script.leading(), format!("error tls-alert: {expected}"));
        }
    }

    #[test]
    fn an_upstream_that_refuses_the_proxy_explains_its_502() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        handshake(&mut script, PROXY_OUT, "10.77.2.2:8443", From::Server, 2, 112);
        script.say(
            &mut client,
            From::Server,
            answer("502 Bad Gateway", &[("Server", "nginx/1.22.1")], "<html>"),
        );
        let upstream =
            "error tls-alert: the upstream 10.77.2.2:8443 ends the TLS handshake: unrecognized_name";
        assert_eq!(script.leading(), upstream);
    }

    /// A hello that names a host (RFC 6066 section 3), in a record.
    fn hello_for_a_host() -> Vec<u8> {
        let name = b"\0\0\0\x06\0\x04\0\0\x01a";
        let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0, 0, 10], name].concat();
        body.splice(0..0, [1, 0, 0, u8::try_from(body.len()).unwrap()]);
        body.splice(0..0, [0x16, 3, 1, 0, u8::try_from(body.len()).unwrap()]);
        body
    }

    /// A handshake that the client leaves, after this.
    fn leaves(script: &mut Script, client: &str, server: &str, after: &[u8]) {
        let mut talk = script.connect(client, server);
        script.say(&mut talk, From::Client, hello_for_a_host()).say(&mut talk, From::Server, SERVER_HELLO);
        if !after.is_empty() {
            script.say(&mut talk, From::Client, after);
        }
        script.close(&mut talk, From::Client);
    }

    const ENCRYPTED_ALERT: [u8; 24] =
        [0x17, 3, 3, 0, 19, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1];

    #[test]
    fn who_leaves_in_the_middle_of_a_handshake_is_told() {
        let sentence =
            "tls-alert: the client 10.77.1.2 breaks off the TLS handshake with the server 10.77.1.1:443";
        for after in [&[][..], &ENCRYPTED_ALERT] {
            let mut script = Script::default();
            leaves(&mut script, CLIENT, "10.77.1.1:443", after);
            assert_eq!(script.leading(), format!("note {sentence}"));
            leaves(&mut script, "10.77.1.2:50001", "10.77.1.1:443", after);
            assert_eq!(script.leading(), format!("warning {sentence}"));
            // It comes further another time: it may have thought better of it.
            leaves(&mut script, "10.77.1.2:50002", "10.77.1.1:443", &[0x17; 58]);
            assert_eq!(script.rules(), [""; 0]);
        }
        // A health check.
        let mut script = Script::default();
        let mut check = script.connect(CLIENT, "10.77.1.1:443");
        let mut hello = hello_for_a_host();
        hello[10] = 0;
        script.say(&mut check, From::Client, hello).say(&mut check, From::Server, SERVER_HELLO);
        script.reset(&mut check, From::Client);
        assert_eq!(script.rules(), [""; 0]);
    }

    #[test]
    fn a_proxy_that_does_not_trust_its_upstream_explains_its_503() {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        leaves(&mut script, PROXY_OUT, "10.77.2.2:8443", &ENCRYPTED_ALERT);
        let page = "<html><body><h1>503 Service Unavailable</h1>";
        script.say(&mut client, From::Server, answer("503 Service Unavailable", &[], page));
        assert_eq!(
            script.leading(),
            "error tls-alert: HAProxy (10.77.1.1) breaks off the TLS handshake with the upstream 10.77.2.2:8443"
        );
        // Node.js: no word to the client either.
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request());
        leaves(&mut script, PROXY_OUT, "10.77.2.2:8443", b"");
        script.close(&mut client, From::Server);
        assert!(script.leading().starts_with("error tls-alert: the proxy 10.77."), "{}", script.leading());
    }

    #[test]
    fn a_proxy_that_looks_at_the_certificate_after_the_handshake_explains_its_502() {
        let through = |sent: usize, status: &str| {
            let mut script = Script::default();
            let mut client = script.connect(CLIENT, PROXY);
            script.say(&mut client, From::Client, request());
            leaves(&mut script, PROXY_OUT, "10.77.2.2:8443", &vec![0x17; sent]);
            let page = "<hr><center>nginx/1.22.1</center>";
            script.say(&mut client, From::Server, answer(status, &[("Server", "nginx/1.22.1")], page));
            script.leading()
        };
        let expected = "error tls-alert: nginx 1.22.1 (10.77.1.1) leaves the upstream 10.77.2.2:8443 after the TLS handshake";
        for sent in [82, 88, 98, 104] {
            assert_eq!(through(sent, "502 Bad Gateway"), expected, "{sent}");
        }
        // A request went that way, or the answer came that way.
        assert!(!through(400, "502 Bad Gateway").contains("tls-alert"));
        assert!(!through(104, "404 Not Found").contains("tls-alert"));
    }

    #[test]
    fn ordinary_ends_and_warnings_are_left_alone() {
        for (level, description) in [(1, 0), (2, 0), (1, 112), (2, 90)] {
            let mut script = Script::default();
            handshake(&mut script, CLIENT, "10.77.1.1:443", From::Client, level, description);
            assert_eq!(script.rules(), [""; 0], "{level} {description}");
        }
        // Beside attempts it may be about something else.
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request()).say(&mut client, From::Server, switching());
        handshake(&mut script, "10.77.1.2:50001", "10.77.9.9:443", From::Client, 2, 48);
        assert!(script.leading().starts_with("warning tls-alert"));
    }
}
