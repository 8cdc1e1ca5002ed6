//! Reports are sent around: what they show of the network carries no secrets unless they are asked for, and
//! nothing that a terminal would obey.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use conversation::{Conversation, Ip, Link, SWITCH, client_frame, pcap, server_frame};
use program::{Folder, run};
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/program.rs"]
mod program;
#[path = "../src/capture/testing.rs"]
mod testing;

/// Every secret has this in it.
const MARK: &str = "hunter2";

/// The start of a JSON web token, in which no mark can be read.
const TOKEN: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

#[test]
fn secrets_are_hidden_unless_they_are_asked_for() {
    let folder = Folder::with("secret.pcap", &pcap(Link::Ethernet, &secretive()));
    for format in ["text", "json"] {
        let read = |options: &[&str]| {
            let options = [&["read", "secret.pcap", "--all", "--format", format], options].concat();
            // A secret that is broken at the end of a row is one too.
            folder.run(&options).report().replace("\n               ", "")
        };
        let (hidden, open) = (read(&[]), read(&["--show-secrets"]));
        assert!(!hidden.contains(MARK), "{hidden}");
        assert!(!hidden.contains(TOKEN), "{hidden}");
        assert!(!hidden.contains("eyJ"), "{hidden}");
        assert!(hidden.contains("[redacted]") && hidden.contains("room=5"), "{hidden}");
        assert!(!open.contains("[redacted]"), "{open}");
        for secret in ["hunter2-query", "hunter2-location", "hunter2-body"] {
            assert!(open.contains(secret), "{secret} in {open}");
        }
        if format == "json" {
            for secret in ["cookie", "basic", "bearer", "api-key", "set-cookie", "user", "referer"] {
                assert!(open.contains(&format!("{MARK}-{secret}")), "{secret} in {open}");
            }
            assert!(open.contains(TOKEN));
        }
    }
}

#[test]
fn the_text_has_nothing_that_a_terminal_would_obey() {
    let file = pcap(Link::Ethernet, &hostile());
    let folder = Folder::new();
    folder.write("hostile.pcap", &file);
    // What the capture's reader says about damage has its name in it.
    let odd_name = "odd\u{1b}[2J\u{202e}.pcap";
    folder.write(odd_name, file.get(..file.len() - 1).unwrap());
    for name in ["hostile.pcap", odd_name] {
        for options in [&[][..], &["--all"], &["--show-secrets"], &["--time", "utc"], &["-q"]] {
            let text = folder.run(&[&["read", name], options].concat()).report();
            assert_harmless(&text);
        }
        // Escapes are how JSON tells them.
        assert_harmless(&folder.run(&["read", name, "--all", "--frames", "--format", "json"]).report());
    }
    folder.write(odd_name, b"no capture");
    for arguments in [&["read", odd_name][..], &["read", "hostile.pcap", "-o", "no/\u{1b}[2J\n"]] {
        assert_harmless(&folder.run(arguments).complaint());
    }
    let text = folder.run(&["read", "hostile.pcap"]).report();
    for shown in ["\\x1b[31m", "\\u{202e}", "\\x9b"] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
}

/// With colour there are escapes, and they are ours.
#[test]
fn colours_come_from_the_program_alone() {
    let folder = Folder::with("hostile.pcap", &pcap(Link::Ethernet, &hostile()));
    let colored = folder.run(&["read", "--color", "always", "hostile.pcap"]).report();
    let plain = folder.run(&["read", "--color", "never", "hostile.pcap"]).report();
    assert!(colored.contains("\x1b["));
    assert_eq!(without_styles(&colored), plain);
}

#[test]
fn shipped_captures_are_harmless_and_their_cookie_is_hidden() {
    for path in program::captures() {
        let path = path.to_str().unwrap();
        let text = run(&["read", "--all", path]).report();
        let json = run(&["read", "--all", "--frames", "--format", "json", path]).report();
        assert_harmless(&text);
        assert_harmless(&json);
        for report in [&text, &json] {
            assert!(!report.contains("sample-value"), "{path}: {report}");
        }
    }
}

/// An attempt that is refused and one that is established, with a secret wherever one can be.
fn secretive() -> Vec<Vec<u8>> {
    let request = |target: &str| {
        format!(
            "GET {target} HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Cookie: sid=hunter2-cookie; theme=hunter2-theme\r\nAuthorization: Bearer hunter2-bearer\r\n\
             Proxy-Authorization: Basic hunter2-basic\r\nX-Api-Key: hunter2-api-key\r\n\
             Referer: https://me:hunter2-user@chat.example.test/?session=hunter2-referer\r\n\
             Sec-WebSocket-Protocol: chat, {TOKEN}\r\n\r\n"
        )
    };
    let mut refused = Conversation::open(Ip::V4, 40_001);
    refused.client(request("/ws?room=5&token=hunter2-query"));
    let body = "{\"error\":\"expired\",\"access_token\":\"hunter2-body\"}";
    refused.server(format!(
        "HTTP/1.1 401 Unauthorized\r\nSet-Cookie: sid=hunter2-set-cookie; Path=/\r\n\
         Location: https://me:hunter2-user@login.example.test/?room=5&access_token=hunter2-location\r\n\
         WWW-Authenticate: Bearer realm=\"chat\"\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    refused.close();

    let mut established = Conversation::open(Ip::V4, 40_002);
    established.client(request("/ws?room=5&access_token=hunter2-query#token=hunter2-fragment"));
    established.server(SWITCH.replace("\r\n\r\n", &format!("\r\nSec-WebSocket-Protocol: {TOKEN}\r\n\r\n")));
    established.client(client_frame(0x81, b"hunter2-message"));
    established.server(server_frame(0x88, b"\x0f\xa1see /login?token=hunter2-close"));
    established.close();
    [refused.packets, established.packets].concat()
}

/// An attempt that is refused and one that is established, with something hostile wherever text can be.
fn hostile() -> Vec<Vec<u8>> {
    let evil = "a\u{1b}[31mb\u{202e}c\u{9b}2Jd\u{200b}\u{7f}";
    let mut refused = Conversation::open(Ip::V4, 40_001);
    // Control characters end a head's parsing; what is beyond ASCII does not.
    refused.client(
        "GET /ws?\u{202e}\u{9b}2J HTTP/1.1\r\nHost: chat.example.test\r\nUpgrade: web\u{1b}socket\r\n\
         Connection: \u{202e}close\r\nSec-WebSocket-Key: \u{9b}\u{202e}\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    refused.server(format!(
        "HTTP/1.1 403 No\u{202e}\u{9b}\r\nServer: nginx\u{202e}\u{9b}/\u{200b}\r\nVia: 1.1 \u{202e}\r\n\
         Location: /\u{202e}\u{9b}\r\nWWW-Authenticate: \u{202e}\r\nContent-Length: {}\r\n\r\n{evil}",
        evil.len()
    ));
    refused.close();

    let mut established = Conversation::open(Ip::V4, 40_002);
    established.client(conversation::UPGRADE.replace("/ws", "/\u{202e}gnp.ws"));
    established.server(SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: x\u{202e}\r\n\r\n"));
    established.client(client_frame(0x81, evil.as_bytes()));
    let close = [b"\x03\xe8", evil.as_bytes()].concat();
    established.server(server_frame(0x88, &close));
    established.close();

    // Not UTF-8 at all.
    let mut refused_again = Conversation::open(Ip::V4, 40_003);
    refused_again.client(b"GET /ws\xff\x9b2J HTTP/1.1\r\nHost: \xff\x1b[2J\r\nUpgrade: websocket\r\n\r\n");
    refused_again
        .server(b"HTTP/1.1 400 \xff\xfe\r\nServer: \xff\r\nContent-Length: 5\r\n\r\n\xff\xfe\x00\x08\x1b");
    refused_again.close();
    [refused.packets, established.packets, refused_again.packets].concat()
}

fn assert_harmless(report: &str) {
    let obeyed = |letter: char| {
        (letter.is_control() && letter != '\n')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
    };
    let found: Vec<char> = report.chars().filter(|letter| obeyed(*letter)).collect();
    assert!(found.is_empty(), "{found:?} in {report:?}");
}

/// Takes out what sets colours and weights, and nothing else.
fn without_styles(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        let (numbers, after) = after.split_once('m').unwrap();
        assert!(numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{numbers:?}");
        rest = after;
    }
    plain + rest
}
