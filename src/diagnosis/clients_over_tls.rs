//! Tests: proxies that decrypt what the client sends, so that the first leg that can be read is theirs.

use super::testing::*;

/// The server's side of TLS, as far as it shows.
const SERVER_HELLO: [u8; 9] = [0x16, 3, 3, 0, 4, 2, 0, 0, 0];
/// What comes encrypted after it.
const RECORD: [u8; 10] = [0x17, 3, 3, 0, 5, 1, 2, 3, 4, 5];

/// A client's connection over TLS to a proxy.
fn encrypted(script: &mut Script, client: &str, proxy: &str) -> Talk {
    let mut talk = script.connect(client, proxy);
    script.say(&mut talk, From::Client, client_hello()).say(&mut talk, From::Server, SERVER_HELLO);
    script.say(&mut talk, From::Client, RECORD);
    talk
}

/// Two sessions over TLS, each of which ends as `end` says after seven seconds without a byte.
fn two_sessions(opener: &str, upstream: &str, end: fn(&mut Script, &mut Talk, &mut Talk)) -> Script {
    let mut script = Script::default();
    for number in 0..2 {
        let mut over = encrypted(&mut script, &format!("10.77.1.2:5000{number}"), "10.77.1.1:443");
        let mut leg = script.connect(&format!("{opener}:4000{number}"), upstream);
        script.say(&mut leg, From::Client, request()).say(&mut leg, From::Server, switching());
        script.say(&mut over, From::Server, RECORD).say(&mut over, From::Client, RECORD);
        script.say(&mut leg, From::Client, text_frame(From::Client, "hello")).wait_ms(7_003);
        end(&mut script, &mut over, &mut leg);
        script.wait_ms(3_000);
    }
    script
}

#[test]
fn a_proxy_that_cuts_both_sides_is_named() {
    for (opener, upstream) in
        [("10.77.2.1", "10.77.2.2:3000"), ("127.0.0.1", "127.0.0.1:3000"), ("10.77.1.1", "10.77.1.9:3000")]
    {
        let script = two_sessions(opener, upstream, |script, over, leg| {
            script.close(over, From::Server).close(leg, From::Client);
        });
        let proxy = format!("error idle-timeout: the proxy {opener} cuts sessions that are silent for 7 s");
        assert_eq!(script.leading(), proxy);
        assert_eq!(
            script.finding("idle-timeout").unwrap().detail,
            [
                format!(
                    "After 7.0 s without a byte in either direction the proxy {opener} ends 2 sessions, each with a FIN \
                     to the client's side and a FIN to the upstream's, without a Close frame."
                ),
                "The client's side is 10.77.1.2:50000 to 10.77.1.1:443, over TLS: by their times the two go together."
                    .to_owned()
            ]
        );
    }
}

#[test]
fn a_client_that_leaves_is_no_proxy_that_cuts() {
    let leaves: [fn(&mut Script, &mut Talk, &mut Talk); 2] = [
        |script, over, leg| {
            script.close(over, From::Client).close(leg, From::Client);
        },
        // It says so first, encrypted, and the proxy hangs up.
        |script, over, leg| {
            script.say(over, From::Client, RECORD).close(leg, From::Client).close(over, From::Server);
        },
    ];
    for end in leaves {
        let script = two_sessions("10.77.2.1", "10.77.2.2:3000", end);
        let client = "warning idle-timeout: the client 10.77.1.2 cuts sessions that are silent for 7 s";
        assert_eq!(script.leading(), client);
    }
}

#[test]
fn what_only_happens_to_be_there_is_not_tied() {
    // It goes on when the session ends.
    let mut script = two_sessions("10.77.2.1", "10.77.2.2:3000", |script, _, leg| {
        script.close(leg, From::Client);
    });
    let opener = "warning idle-timeout: the client 10.77.2.1 cuts sessions that are silent for 7 s";
    assert_eq!(script.leading(), opener);
    // One that comes from elsewhere to the host that also speaks TLS.
    script = two_sessions("10.77.1.3", "10.77.1.1:3000", |script, over, leg| {
        script.close(over, From::Server).close(leg, From::Client);
    });
    assert!(
        script.leading().starts_with("warning idle-timeout: the client 10.77.1.3"),
        "{}",
        script.leading()
    );
    // The client itself has both.
    script = two_sessions("10.77.1.2", "10.77.2.2:3000", |script, over, leg| {
        script.close(over, From::Server).close(leg, From::Client);
    });
    assert!(
        script.leading().starts_with("warning idle-timeout: the client 10.77.1.2"),
        "{}",
        script.leading()
    );
}

#[test]
fn all_from_one_address_have_to_fit_where_the_proxy_has_two() {
    let mut script = two_sessions("10.77.2.1", "10.77.2.2:3000", |script, over, leg| {
        script.close(over, From::Server).close(leg, From::Client);
    });
    let mut third = script.wait_ms(60_000).connect("10.77.2.1:40009", UPSTREAM);
    script.say(&mut third, From::Client, request()).say(&mut third, From::Server, switching());
    assert!(
        script.leading().starts_with("warning idle-timeout: the client 10.77.2.1"),
        "{}",
        script.leading()
    );
}

#[test]
fn a_proxy_that_strips_what_it_decrypts_is_named() {
    let mut script = Script::default();
    let mut over = encrypted(&mut script, CLIENT, "10.77.1.1:443");
    let mut leg = script.connect(PROXY_OUT, UPSTREAM);
    script.say(&mut leg, From::Client, request_with(&[("Upgrade", "")]));
    script.say(&mut leg, From::Server, answer("426 Upgrade Required", &[], "no"));
    script.say(&mut over, From::Server, RECORD);
    assert_eq!(script.leading(), "error upgrade-stripped: the proxy 10.77.2.1 drops the upgrade");
}

#[test]
fn clients_over_tls_that_only_leave_are_healthy() {
    let script = two_sessions("10.77.2.1", "10.77.2.2:3000", |script, over, leg| {
        script.say(over, From::Client, RECORD);
        script.say(leg, From::Client, close_frame(From::Client, 1000));
        script.say(leg, From::Server, close_frame(From::Server, 1000));
        script.say(over, From::Server, RECORD).close(leg, From::Server).close(over, From::Server);
    });
    assert_eq!(script.rules(), [""; 0]);
}
