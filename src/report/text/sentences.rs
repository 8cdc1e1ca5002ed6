//! Problems of heads and frames in words, with what the wire says beside them.

use crate::protocol::{
    Anomaly, AnomalyFact, Fields, RequestHead, RequestProblem, ResponseHead, ResponseProblem, accept_for,
};
use crate::report::count::{count, verb};
use crate::report::wire::Wire;
use crate::text;

/// What is wrong with a request.
pub(crate) fn request(problem: RequestProblem, head: &RequestHead<'_>, wire: Wire) -> String {
    let fields = &head.fields;
    match problem {
        RequestProblem::UpgradeMissing => with_value("no Upgrade: websocket", "Upgrade", fields, wire),
        RequestProblem::ConnectionTokenMissing => connection_token(fields, wire),
        RequestProblem::KeyMissing => "no Sec-WebSocket-Key".to_owned(),
        RequestProblem::KeyInvalid => {
            with_value("Sec-WebSocket-Key is not 16 bytes in base64", "Sec-WebSocket-Key", fields, wire)
        }
        RequestProblem::KeyRepeated => "more than one Sec-WebSocket-Key".to_owned(),
        RequestProblem::VersionMissing => "no Sec-WebSocket-Version".to_owned(),
        RequestProblem::VersionUnsupported => {
            with_value("Sec-WebSocket-Version is not 13", "Sec-WebSocket-Version", fields, wire)
        }
        RequestProblem::HttpVersionTooLow => "HTTP/1.0, in which servers must ignore Upgrade".to_owned(),
        RequestProblem::MethodNotGet => format!("the method is {}, not GET", text::escape(head.method)),
        RequestProblem::BodyPresent => "announces a body, which an upgrade request does not have".to_owned(),
    }
}

/// What is wrong with a 101.
pub(crate) fn response(
    problem: ResponseProblem,
    head: &ResponseHead<'_>,
    asked: &RequestHead<'_>,
    wire: Wire,
) -> String {
    let fields = &head.fields;
    let with_value = |sentence: &str, name: &str| with_value(sentence, name, fields, wire);
    match problem {
        ResponseProblem::AcceptWrong => accept_wrong(fields, &asked.fields, wire),
        ResponseProblem::AcceptMissing => "no Sec-WebSocket-Accept".to_owned(),
        ResponseProblem::UpgradeMissing => with_value("no Upgrade: websocket", "Upgrade"),
        ResponseProblem::ConnectionTokenMissing => connection_token(fields, wire),
        ResponseProblem::SubprotocolNotOffered => {
            let offer = offer(asked, wire);
            let chosen = with_value("chooses a subprotocol that was not offered", SUBPROTOCOL);
            format!("{chosen}; {offer}")
        }
        ResponseProblem::SubprotocolMissing => {
            format!("chooses no subprotocol, for which browsers give up; {}", offer(asked, wire))
        }
        ResponseProblem::SubprotocolRepeated => with_value("chooses more than one subprotocol", SUBPROTOCOL),
        ResponseProblem::ExtensionNotOffered => {
            with_value("agrees to an extension that was not offered", EXTENSIONS)
        }
        ResponseProblem::ExtensionParameterInvalid => {
            with_value("permessage-deflate with parameters that do not answer the offer", EXTENSIONS)
        }
        ResponseProblem::BodyPresent => "announces a body, which a 101 cannot have".to_owned(),
    }
}

/// What RFC 6455 does not allow in frames, and where it was first seen.
pub(crate) fn anomaly(fact: &AnomalyFact) -> String {
    let (by, number) = (fact.by.name(), fact.count);
    let frames = count(number, "frame");
    let sentence = match fact.kind {
        Anomaly::ClientFrameUnmasked => format!("the client sent {frames} without masking"),
        Anomaly::ServerFrameMasked => format!("the server masked {frames}"),
        Anomaly::ReservedBitSet => {
            format!("the {by} set a reserved bit that no agreed extension uses, in {frames}")
        }
        Anomaly::ReservedOpcode => format!("the {by} sent {frames} with a reserved opcode"),
        Anomaly::ControlFrameFragmented => {
            format!("the {by} sent {} in fragments", count(number, "control frame"))
        }
        Anomaly::ControlFrameTooLong => {
            format!("the {by} sent {} of more than 125 bytes", count(number, "control frame"))
        }
        Anomaly::ContinuationWithoutStart => {
            format!("the {by} sent {} with no message to continue", count(number, "continuation frame"))
        }
        Anomaly::MessageInterrupted => {
            format!("the {by} began {} inside a fragmented one", count(number, "message"))
        }
        Anomaly::LengthNotMinimal => format!(
            "the {by} wrote the {} of {frames} in more bytes than needed, or with the highest bit set",
            verb(number, "length", "lengths")
        ),
        Anomaly::CloseMalformed => format!(
            "the {by} sent {} with half a code, or a code that must not be sent",
            count(number, "close frame")
        ),
        Anomaly::DataAfterClose => {
            format!("the {by} sent {} after its close frame", count(number, "data frame"))
        }
        Anomaly::HttpInTunnel => format!("the {by} sent HTTP or HTML in clear text where a frame is due"),
    };
    format!("{sentence}, {}{}", verb(number, "", "first "), fact.first.packet)
}

fn connection_token(fields: &Fields<'_>, wire: Wire) -> String {
    match fields.values("Connection").next() {
        Some(_) => with_value("Connection lacks the token \"upgrade\"", "Connection", fields, wire),
        None => "no Connection: upgrade".to_owned(),
    }
}

fn accept_wrong(fields: &Fields<'_>, asked: &Fields<'_>, wire: Wire) -> String {
    let got = shown(wire, "Sec-WebSocket-Accept", fields).unwrap_or_default();
    let expected = asked.values("Sec-WebSocket-Key").next().map(accept_for).unwrap_or_default();
    format!("Sec-WebSocket-Accept is not the answer to this key: expected {expected}, got {got}")
}

fn offer(asked: &RequestHead<'_>, wire: Wire) -> String {
    let offered = wire.offered(&asked.fields);
    if offered.is_empty() {
        return "none was offered".to_owned();
    }
    let offered: Vec<&str> = offered.iter().map(|(_, shown)| &**shown).collect();
    format!("offered: {}", cut(&text::escape(&offered.join(", "))))
}

/// A sentence, and in brackets what the field says, if there is one.
fn with_value(sentence: &str, name: &str, fields: &Fields<'_>, wire: Wire) -> String {
    match shown(wire, name, fields) {
        Some(value) => format!("{sentence} ({name}: {value})"),
        None => sentence.to_owned(),
    }
}

fn shown(wire: Wire, name: &str, fields: &Fields<'_>) -> Option<String> {
    wire.first(fields, name).map(|value| cut(&text::escape(&value)))
}

/// A value as long as a sentence bears it.
fn cut(value: &str) -> String {
    text::truncate(value, VALUE_COLUMNS, super::page::MARK).into_owned()
}

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";
const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const VALUE_COLUMNS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Role;
    use crate::units::{Origin, PacketNumber};

    const WIRE: Wire = Wire { shows_secrets: false };

    #[test]
    fn problems_of_requests() {
        use RequestProblem as P;
        let odd = b"POST / HTTP/1.0\r\nUpgrade: h2c\r\nConnection: close\x1b\r\nSec-WebSocket-Key: abc\r\n\
            Sec-WebSocket-Version: 8\r\n\r\n";
        let odd = RequestHead::parse(odd).unwrap();
        let bare = RequestHead::parse(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let cases = [
            (P::UpgradeMissing, &odd, "no Upgrade: websocket (Upgrade: h2c)"),
            (P::UpgradeMissing, &bare, "no Upgrade: websocket"),
            (P::ConnectionTokenMissing, &bare, "no Connection: upgrade"),
            (P::KeyMissing, &bare, "no Sec-WebSocket-Key"),
            (P::KeyInvalid, &odd, "Sec-WebSocket-Key is not 16 bytes in base64 (Sec-WebSocket-Key: abc)"),
            (P::KeyRepeated, &odd, "more than one Sec-WebSocket-Key"),
            (P::VersionMissing, &bare, "no Sec-WebSocket-Version"),
            (P::VersionUnsupported, &odd, "Sec-WebSocket-Version is not 13 (Sec-WebSocket-Version: 8)"),
            (P::HttpVersionTooLow, &odd, "HTTP/1.0, in which servers must ignore Upgrade"),
            (P::MethodNotGet, &odd, "the method is POST, not GET"),
            (P::BodyPresent, &odd, "announces a body, which an upgrade request does not have"),
        ];
        for (problem, head, expected) in cases {
            assert_eq!(request(problem, head, WIRE), expected);
        }
        let close = RequestHead::parse(b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!(
            request(P::ConnectionTokenMissing, &close, WIRE),
            "Connection lacks the token \"upgrade\" (Connection: close)"
        );
    }

    #[test]
    fn problems_of_responses() {
        use ResponseProblem as P;
        let asked = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Protocol: chat, superchat\r\n\r\n";
        let answer = b"HTTP/1.1 101 x\r\nSec-WebSocket-Accept: wrong\r\nSec-WebSocket-Protocol: other\r\n\
            Sec-WebSocket-Extensions: x-frame\r\nUpgrade: tcp\r\n\r\n";
        let (asked, answer) = (RequestHead::parse(asked).unwrap(), ResponseHead::parse(answer).unwrap());
        let cases = [
            (P::AcceptWrong, {
                "Sec-WebSocket-Accept is not the answer to this key: \
                 expected s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, got wrong"
            }),
            (P::AcceptMissing, "no Sec-WebSocket-Accept"),
            (P::UpgradeMissing, "no Upgrade: websocket (Upgrade: tcp)"),
            (P::ConnectionTokenMissing, "no Connection: upgrade"),
            (P::SubprotocolNotOffered, {
                "chooses a subprotocol that was not offered (Sec-WebSocket-Protocol: other); \
                 offered: chat, superchat"
            }),
            (P::SubprotocolMissing, {
                "chooses no subprotocol, for which browsers give up; offered: chat, superchat"
            }),
            (P::SubprotocolRepeated, "chooses more than one subprotocol (Sec-WebSocket-Protocol: other)"),
            (P::ExtensionNotOffered, {
                "agrees to an extension that was not offered (Sec-WebSocket-Extensions: x-frame)"
            }),
            (P::ExtensionParameterInvalid, {
                "permessage-deflate with parameters that do not answer the offer \
                 (Sec-WebSocket-Extensions: x-frame)"
            }),
            (P::BodyPresent, "announces a body, which a 101 cannot have"),
        ];
        for (problem, expected) in cases {
            assert_eq!(response(problem, &answer, &asked, WIRE), expected);
        }
    }

    #[test]
    fn anomalies_name_who_how_often_and_where() {
        use Anomaly as A;
        let fact = |kind, by, count| AnomalyFact {
            kind,
            by,
            count,
            first: Origin { packet: PacketNumber(12), ..Origin::default() },
        };
        let cases = [
            (A::ClientFrameUnmasked, Role::Client, 1, "the client sent 1 frame without masking, #12"),
            (A::ServerFrameMasked, Role::Server, 3, "the server masked 3 frames, first #12"),
            (A::ReservedBitSet, Role::Server, 1, {
                "the server set a reserved bit that no agreed extension uses, in 1 frame, #12"
            }),
            (A::ReservedOpcode, Role::Client, 1, "the client sent 1 frame with a reserved opcode, #12"),
            (A::ControlFrameFragmented, Role::Client, 2, {
                "the client sent 2 control frames in fragments, first #12"
            }),
            (A::ControlFrameTooLong, Role::Client, 1, {
                "the client sent 1 control frame of more than 125 bytes, #12"
            }),
            (A::ContinuationWithoutStart, Role::Client, 1, {
                "the client sent 1 continuation frame with no message to continue, #12"
            }),
            (
                A::MessageInterrupted,
                Role::Client,
                1,
                "the client began 1 message inside a fragmented one, #12",
            ),
            (A::LengthNotMinimal, Role::Client, 1, {
                "the client wrote the length of 1 frame in more bytes than needed, or with the highest bit set, #12"
            }),
            (A::CloseMalformed, Role::Server, 1, {
                "the server sent 1 close frame with half a code, or a code that must not be sent, #12"
            }),
            (A::DataAfterClose, Role::Server, 1, "the server sent 1 data frame after its close frame, #12"),
        ];
        for (kind, by, count, expected) in cases {
            assert_eq!(anomaly(&fact(kind, by, count)), expected);
        }
    }
}
