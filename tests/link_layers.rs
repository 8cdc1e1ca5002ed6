//! The same conversation gives the same report whatever carries it: link layers, versions of IP, file formats.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that fails may panic")]

use conversation::{
    Conversation, Ip, Link, SWITCH, UPGRADE, client_frame, client_text, pcap, pcap_with, pcapng, server_frame,
};
use program::reports;
use serde_json::Value;
// What the shared test support calls `crate::capture`.
use wsinspect::capture;

#[path = "support/conversation.rs"]
mod conversation;
#[path = "support/program.rs"]
mod program;
#[path = "../src/capture/testing.rs"]
mod testing;

#[test]
fn link_layers_do_not_matter() {
    for ip in [Ip::V4, Ip::V6, Ip::V6Extended] {
        let packets = packets(ip);
        let expected = seen(&pcap(Link::Ethernet, &packets));
        check(ip, &expected);
        for link in Link::ALL {
            assert_eq!(seen(&pcap(link, &packets)), expected, "{ip:?} in {link:?}");
        }
    }
}

#[test]
fn file_formats_do_not_matter() {
    let packets = packets(Ip::V4);
    let expected = seen(&pcap(Link::Ethernet, &packets));
    for big in [false, true] {
        for nanoseconds in [false, true] {
            let file = pcap_with(big, nanoseconds, Link::Ethernet, &packets);
            assert_eq!(seen(&file), expected, "big-endian: {big}, nanoseconds: {nanoseconds}");
        }
        for link in Link::ALL {
            assert_eq!(seen(&pcapng(big, link, &packets)), expected, "{link:?}, big-endian: {big}");
        }
    }
}

/// The headers before TCP make no difference to the report but for the addresses.
#[test]
fn versions_of_ip_do_not_matter() {
    let expected = seen(&pcap(Link::Raw, &packets(Ip::V4)));
    for ip in [Ip::V6, Ip::V6Extended] {
        let (text, json) = seen(&pcap(Link::Raw, &packets(ip)));
        assert_eq!(with_ipv4_addresses(&json), expected.1);
        assert_eq!(text.lines().count(), expected.0.lines().count());
    }
}

/// A whole WebSocket: eleven packets.
fn packets(ip: Ip) -> Vec<Vec<u8>> {
    let mut connection = Conversation::open(ip, 50_123);
    connection.client(UPGRADE).server(SWITCH).client(client_text("hello"));
    connection.server(server_frame(0x82, &[1, 2, 3]));
    connection.client(client_frame(0x88, &[3, 0xE8])).server(server_frame(0x88, &[3, 0xE8]));
    connection.close();
    connection.packets
}

/// What is in the reports of a capture but for how many bytes its headers take.
fn seen(file: &[u8]) -> (String, Vec<Value>) {
    let (text, mut json) = reports("capture", file, &["--all"]);
    assert!(json.last().unwrap()["bytes"].is_u64());
    json.last_mut().unwrap()["bytes"] = Value::Null;
    (text, json)
}

fn check(ip: Ip, (text, json): &(String, Vec<Value>)) {
    let endpoint = |host| if ip == Ip::V4 { format!("10.77.1.{host}") } else { format!("[fd77:1::{host}]") };
    assert_eq!(json[0]["client"], format!("{}:50123", endpoint(2)));
    assert_eq!(json[0]["server"], format!("{}:80", endpoint(1)));
    assert_eq!(json[0]["start"], "2023-11-14T22:13:20.000000000Z");
    let attempt = &json[0]["attempts"][0];
    assert_eq!((&attempt["outcome"], &attempt["websocket"]["end"]), (&"established".into(), &"clean".into()));
    assert_eq!(json[1]["skipped"], serde_json::json!({}));
    assert!(text.starts_with("the only upgrade attempt succeeded; "), "{text}");
}

fn with_ipv4_addresses(lines: &[Value]) -> Vec<Value> {
    let replace = |line: &Value| {
        let text = line.to_string();
        let text = text.replace("[fd77:1::2]", "10.77.1.2").replace("[fd77:1::1]", "10.77.1.1");
        serde_json::from_str(&text).unwrap()
    };
    lines.iter().map(replace).collect()
}
