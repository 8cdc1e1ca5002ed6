//! A client speaks TLS to a plaintext port.

use crate::diagnosis::finding::{Blame, Finding, Fix};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::scheme::{self, RefusesTls};
use crate::diagnosis::view::ConnectionView;
use crate::protocol::Role;

/// A client speaks TLS to a plaintext port.
pub(super) static RULE: Rule = Rule {
    name: "tls-on-plaintext-port",
    code: "WS408",
    severity: Severity::Error,
    summary: "the client speaks TLS (wss://) to a port that expects plaintext (ws://)",
    page: "\
## What it sees

A TLS ClientHello, and an answer in plaintext: `HTTP/1.1 400 Bad Request` as a rule. Or the server closes the
connection without a word, and the same port is seen to speak HTTP in plaintext on another connection (then it is a
warning), or is not seen to say anything at all (then it is a note).

## Why it breaks

The URL of the WebSocket has `wss://`, and nothing on this port speaks TLS. The client cannot read the answer and says
something like `wrong version number` or `SSL_ERROR_RX_RECORD_TOO_LONG`. Often TLS ends at another place: at a load
balancer or at another port of the same proxy.

## How to mend it

Use the host and port that speak TLS, usually 443, in the client's URL; or `ws://` where plaintext is meant, which
browsers allow only on pages that came without TLS. If this port was to speak TLS, give it a certificate: `listen 443
ssl;` in nginx, `bind :443 ssl crt FILE` in HAProxy, `SSLEngine on` in Apache.
",
    see: "https://www.rfc-editor.org/rfc/rfc6455#section-3",
    explains: &[],
    check: Check::Connection(check),
};

fn check(view: &ConnectionView<'_>) -> Option<Finding> {
    let connection = view.connection;
    let refuses = scheme::refuses_tls(connection)?;
    let (client, server) = (connection.endpoint(Role::Client).address, connection.endpoint(Role::Server));
    if view.is_try || view.servers.is_proxys(connection) {
        return None;
    }
    let severity = match refuses {
        RefusesTls::WithStatus(..) => Severity::Error,
        RefusesTls::ByClosing(_) if view.servers.speaks_plaintext(server) => Severity::Warning,
        // Nobody is seen to get a word out of it, neither in TLS nor in plaintext.
        RefusesTls::ByClosing(_)
            if !view.servers.says_something(server) && connection.tcp.opening.connect.is_some() =>
        {
            Severity::Note
        }
        RefusesTls::WithOther(_) | RefusesTls::ByClosing(_) => return None,
    };
    let hello = connection.tls.as_deref().and_then(|tls| tls.client_hello);
    if severity == Severity::Note {
        let finding = Finding::new(&RULE, Blame::Server(server), "closes the connection at the ClientHello");
        return Some(
            finding
                .at_most(severity)
                .saying("It sends no byte, no alert of TLS either, so that no TLS comes to be.")
                .shown_by(hello.map(|hello| hello.packet))
                .shown_by([refuses.origin().packet])
                .advising(
                    "Servers that speak plaintext on this port do this: then wss:// has the wrong port, or should be ws://. So \
                     do some that speak TLS and do not like what they are offered (no certificate for that name), and firewalls.",
                ),
        );
    }
    Some(
        Finding::new(&RULE, Blame::Client(client), "speaks TLS to a plaintext port")
            .at_most(severity)
            .saying(format!("It sends a ClientHello to {server}, which {}.", refuses.words()))
            .shown_by(hello.map(|hello| hello.packet))
            .shown_by([refuses.origin().packet])
            .mended_by([Fix {
                target: "client",
                place: "the URL of the WebSocket".to_owned(),
                text: "wss:// with the port that speaks TLS, or ws:// with this one".to_owned(),
            }]),
    )
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn hello(script: &mut Script) -> Talk {
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, client_hello());
        client
    }

    #[test]
    fn a_client_with_the_wrong_scheme_is_told() {
        let client = "tls-on-plaintext-port: the client 10.77.1.2 speaks TLS to a plaintext port";
        let mut script = Script::default();
        let mut talk = hello(&mut script);
        script.say(&mut talk, From::Server, answer("400 Bad Request", &[], "<html>"));
        script.close(&mut talk, From::Server);
        assert_eq!(script.leading(), format!("error {client}"));
        assert_eq!(leading_of("tls-on-plaintext-port"), format!("error {client}"));
        // A port that is known to speak plaintext closes.
        let mut script = Script::default();
        let mut other = script.connect("10.77.1.3:50000", PROXY);
        script.say(&mut other, From::Client, request()).say(&mut other, From::Server, switching());
        let mut talk = hello(&mut script);
        script.reset(&mut talk, From::Server);
        assert_eq!(script.leading(), format!("warning {client}"));
    }

    #[test]
    fn what_may_have_other_reasons_is_left_alone() {
        let mut script = Script::default();
        let mut talk = hello(&mut script);
        script.reset(&mut talk, From::Server);
        assert_eq!(
            script.leading(),
            "note tls-on-plaintext-port: the server 10.77.1.1:80 closes the connection at the ClientHello",
            "the server may speak TLS and dislike the client"
        );
        let mut talk = hello(&mut script);
        script.say(&mut talk, From::Server, [0x16, 3, 3, 0, 4, 2, 0, 0, 0]).close(&mut talk, From::Server);
        assert_eq!(script.rules(), [""; 0], "it does speak TLS");
        let mut script = Script::default();
        let mut talk = hello(&mut script);
        script.say(&mut talk, From::Server, [0x16, 3, 3, 0, 4, 2, 0, 0, 0]).close(&mut talk, From::Server);
        assert_eq!(script.rules(), [""; 0], "a ServerHello");
        assert_eq!(leading_of("tls-all-correct"), "");
    }
}
