//! What a session speaks above WebSocket, as far as its first messages show it, and what its messages are called.

use super::messages::Message;
use crate::model::Application;
use crate::protocol::{Opcode, Role};

/// By the subprotocol that was agreed, or else the target that was asked for, or else the first messages.
pub(super) fn application_of(
    subprotocol: Option<&str>,
    target: &str,
    messages: &[Message],
) -> Option<Application> {
    let by_message =
        || messages.iter().filter(|message| is_data(message)).take(FIRST).find_map(by_first_bytes);
    Application::of(subprotocol, target).or_else(by_message)
}

/// What a message is in an application, in a word or two that are escaped; none if it is nothing special.
pub(super) fn label(application: Application, message: &Message) -> Option<String> {
    if !is_data(message) {
        return None;
    }
    let payload = &*message.payload;
    match application {
        Application::SocketIo => socket_io(payload).map(str::to_owned),
        Application::EngineIo => engine_io(payload).map(str::to_owned),
        Application::GraphqlTransportWs | Application::GraphqlWs | Application::ActionCable => {
            string_of(payload, "type")
        }
        Application::SignalR => signalr(payload).map(str::to_owned),
        Application::Stomp => stomp(payload).map(str::to_owned),
        Application::Mqtt => mqtt(payload).map(str::to_owned),
        Application::Hocuspocus | Application::Plane => hocuspocus(payload).map(str::to_owned),
        Application::SignalRClassic
        | Application::SockJs
        | Application::Phoenix
        | Application::Wamp
        | Application::Ocpp => None,
    }
}

fn is_data(message: &Message) -> bool {
    matches!(message.opcode, Opcode::TEXT | Opcode::BINARY)
}

fn by_first_bytes(message: &Message) -> Option<Application> {
    let payload = &*message.payload;
    match (message.opcode, message.by) {
        (Opcode::TEXT, Role::Client) => {
            if string_of(payload, "protocol").is_some() && payload.ends_with(b"\x1e") {
                return Some(Application::SignalR);
            }
            let is_stomp = payload.starts_with(b"CONNECT\n")
                || payload.starts_with(b"CONNECT\r\n")
                || payload.starts_with(b"STOMP\n")
                || payload.starts_with(b"STOMP\r\n");
            if is_stomp {
                return Some(Application::Stomp);
            }
            (string_of(payload, "type").as_deref() == Some("connection_init"))
                .then_some(Application::GraphqlTransportWs)
        }
        (Opcode::TEXT, Role::Server) => payload.starts_with(b"0{\"sid\":").then_some(Application::EngineIo),
        (Opcode::BINARY, Role::Client) if is_mqtt_connect(payload) => Some(Application::Mqtt),
        (Opcode::BINARY, _) => hocuspocus(payload).map(|_| Application::Hocuspocus),
        _ => None,
    }
}

/// Engine.IO packets begin with a digit (protocol revisions 3 and 4).
fn engine_io(payload: &[u8]) -> Option<&'static str> {
    Some(match payload.first()? {
        b'0' => "open",
        b'1' => "close",
        b'2' => "ping",
        b'3' => "pong",
        b'4' => "message",
        b'5' => "upgrade",
        b'6' => "noop",
        _ => return None,
    })
}

/// Socket.IO packets stand in Engine.IO messages and begin with another digit.
fn socket_io(payload: &[u8]) -> Option<&'static str> {
    if payload.first() != Some(&b'4') {
        return engine_io(payload);
    }
    Some(match payload.get(1)? {
        b'0' => "connect",
        b'1' => "disconnect",
        b'2' => "event",
        b'3' => "ack",
        b'4' => "connect error",
        b'5' => "binary event",
        b'6' => "binary ack",
        _ => "message",
    })
}

/// The type of a `SignalR` message in JSON: `{"type":6}` is a ping.
fn signalr(payload: &[u8]) -> Option<&'static str> {
    if string_of(payload, "protocol").is_some() {
        return Some("handshake");
    }
    if payload == b"{}\x1e" {
        return Some("handshake ok");
    }
    let digit = after(payload, b"\"type\":")?.trim_ascii_start().first()?;
    Some(match digit {
        b'1' => "invocation",
        b'2' => "stream item",
        b'3' => "completion",
        b'4' => "stream invocation",
        b'5' => "cancel",
        b'6' => "ping",
        b'7' => "close",
        _ => return None,
    })
}

fn stomp(payload: &[u8]) -> Option<&'static str> {
    if payload.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        return Some("heart-beat");
    }
    let line = payload.split(|byte| matches!(byte, b'\r' | b'\n')).next()?;
    STOMP.into_iter().find(|command| command.as_bytes() == line)
}

/// The type in the first byte of an MQTT control packet (MQTT 3.1.1 section 2.2.1).
fn mqtt(payload: &[u8]) -> Option<&'static str> {
    let kind = payload.first()? >> 4;
    MQTT.get(usize::from(kind)).copied().filter(|name| !name.is_empty())
}

/// A CONNECT packet names its protocol (MQTT 3.1.1 section 3.1.2.1).
fn is_mqtt_connect(payload: &[u8]) -> bool {
    let start = payload.get(1..payload.len().min(14)).unwrap_or_default();
    let names: [&[u8]; 2] = [b"\x00\x04MQTT", b"\x00\x06MQIsdp"];
    payload.first() == Some(&0x10)
        && names.iter().any(|name| start.windows(name.len()).any(|window| window == *name))
}

/// A Hocuspocus message: the document's name with its length, then the type of the message.
fn hocuspocus(payload: &[u8]) -> Option<&'static str> {
    let (length, rest) = payload.split_first()?;
    let length = usize::from(*length);
    if length == 0 || length > 0x7f {
        return None;
    }
    let name = str::from_utf8(rest.get(..length)?).ok()?;
    if name.chars().any(char::is_control) {
        return None;
    }
    HOCUSPOCUS.get(usize::from(*rest.get(length)?)).copied()
}

/// The text of a field of a JSON object, without looking at more than the field.
fn string_of(payload: &[u8], field: &str) -> Option<String> {
    let rest = after(payload, format!("\"{field}\"").as_bytes())?.trim_ascii_start();
    let rest = rest.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = rest.iter().take(LONGEST_WORD).position(|byte| *byte == b'"')?;
    Some(crate::text::escape_bytes(rest.get(..end)?).into_owned())
}

/// What stands behind the first of these words.
fn after<'a>(payload: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let start = payload.get(..LOOKED_AT.min(payload.len()))?;
    let at = start.windows(word.len()).position(|window| window == word)?;
    payload.get(at.saturating_add(word.len())..)
}

/// Messages that are looked at to tell the protocol.
const FIRST: usize = 8;

/// Bytes in which a field is looked for.
const LOOKED_AT: usize = 512;

/// The longest word that is a label.
const LONGEST_WORD: usize = 40;

const STOMP: [&str; 15] = [
    "CONNECT",
    "STOMP",
    "CONNECTED",
    "SEND",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ACK",
    "NACK",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "DISCONNECT",
    "MESSAGE",
    "RECEIPT",
    "ERROR",
];

const MQTT: [&str; 16] = [
    "",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// By number; see `MessageType` of `@hocuspocus/provider`.
const HOCUSPOCUS: [&str; 11] = [
    "sync",
    "awareness",
    "auth",
    "query awareness",
    "sync reply",
    "stateless",
    "broadcast",
    "close",
    "sync status",
    "ping",
    "pong",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{PacketNumber, Timestamp};

    fn message(by: Role, opcode: Opcode, payload: &[u8]) -> Message {
        Message {
            index: 0,
            is_cut: false,
            packet: PacketNumber(1),
            time: Timestamp::default(),
            by,
            opcode,
            length: payload.len() as u64,
            is_compressed: false,
            payload: payload.into(),
            lacks: None,
        }
    }

    #[test]
    fn first_bytes_name_it() {
        let (client, server) = (Role::Client, Role::Server);
        let cases: [(Role, Opcode, &[u8], Option<Application>); 8] = [
            (client, Opcode::TEXT, b"{\"protocol\":\"json\",\"version\":1}\x1e", Some(Application::SignalR)),
            (client, Opcode::TEXT, b"CONNECT\naccept-version:1.2\n\n\0", Some(Application::Stomp)),
            (client, Opcode::TEXT, b"{\"type\":\"connection_init\"}", Some(Application::GraphqlTransportWs)),
            (server, Opcode::TEXT, b"0{\"sid\":\"x\"}", Some(Application::EngineIo)),
            (
                client,
                Opcode::BINARY,
                b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00",
                Some(Application::Mqtt),
            ),
            (client, Opcode::BINARY, b"\x04page\x02\x00\x05token", Some(Application::Hocuspocus)),
            (client, Opcode::TEXT, b"hello", None),
            (client, Opcode::BINARY, b"\x00\x01", None),
        ];
        for (by, opcode, payload, expected) in cases {
            let found = application_of(None, "/ws", &[message(by, opcode, payload)]);
            assert_eq!(found, expected, "{payload:?}");
        }
    }

    #[test]
    fn messages_are_told_apart() {
        let label = |application: Application, opcode, payload: &[u8]| {
            super::label(application, &message(Role::Client, opcode, payload)).unwrap_or_default()
        };
        assert_eq!(label(Application::SocketIo, Opcode::TEXT, b"42[\"a\"]"), "event");
        assert_eq!(label(Application::SocketIo, Opcode::TEXT, b"3"), "pong");
        assert_eq!(
            label(Application::GraphqlTransportWs, Opcode::TEXT, b"{\"id\":\"1\",\"type\" : \"subscribe\"}"),
            "subscribe"
        );
        assert_eq!(label(Application::SignalR, Opcode::TEXT, b"{\"type\":6}\x1e"), "ping");
        assert_eq!(label(Application::Stomp, Opcode::TEXT, b"\n"), "heart-beat");
        assert_eq!(label(Application::Mqtt, Opcode::BINARY, b"\xc0\x00"), "PINGREQ");
        assert_eq!(label(Application::Hocuspocus, Opcode::BINARY, b"\x04page\x00\x02"), "sync");
        assert_eq!(label(Application::Mqtt, Opcode::PING, b"\xc0\x00"), "");
    }

    #[test]
    fn no_payload_is_too_odd_to_be_labelled() {
        let all = [
            Application::SocketIo,
            Application::EngineIo,
            Application::GraphqlWs,
            Application::SignalR,
            Application::Stomp,
            Application::Mqtt,
            Application::Hocuspocus,
        ];
        let payloads: [&[u8]; 6] = [b"", b"4", b"\"type\":", b"\xff", b"\x7f", b"\"type\":\"\x1b[2J\""];
        for payload in payloads {
            for application in all {
                let label = super::label(application, &message(Role::Server, Opcode::TEXT, payload));
                let label = label.unwrap_or_default();
                assert!(!label.chars().any(crate::text::is_unsafe), "{payload:?}");
            }
        }
    }
}
