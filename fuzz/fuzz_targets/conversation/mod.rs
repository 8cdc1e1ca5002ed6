//! A conversation in pieces, through a stack, and what holds for everything that is seen of one.

use arbitrary::Arbitrary;
use wsinspect::decode::Half;
use wsinspect::limits;
use wsinspect::protocol::{
    Anomaly, Context, Decoded, OpaqueReason, Role, RoleFacts, ServerFirst, SessionFacts, Spoken, Stack,
    StreamFacts,
};
use wsinspect::tcp::{Chunk, Opened, Opening, Receiver};
use wsinspect::units::Origin;

/// Something that happens on a connection.
#[derive(Arbitrary, Debug)]
pub enum Event<'a> {
    /// The client sends bytes.
    Client(&'a [u8]),
    /// The server sends bytes.
    Server(&'a [u8]),
    /// Bytes of the client are lost.
    ClientLost(u16),
    /// Bytes of the server are lost.
    ServerLost(u16),
}

/// Reads a conversation that begins with `before`, each event in pieces of `piece` bytes.
pub fn read(before: &[Event<'_>], events: &[Event<'_>], piece: usize, joined: bool) -> StreamFacts {
    read_for(Context::new(true, true), before, events, piece, joined)
}

/// The same, for whoever wants something else.
pub fn read_for(
    mut context: Context,
    before: &[Event<'_>],
    events: &[Event<'_>],
    piece: usize,
    joined: bool,
) -> StreamFacts {
    let opener = (!joined).then_some(Half::Lo);
    let opened = if joined { Opened::Midstream } else { Opened::Handshake };
    let opening = Opening { first: Origin::default(), opened, opener, connect: None };
    let mut stack = Stack::open(&mut context, &opening);
    let mut sent = [0; 2];
    for event in before.iter().chain(events) {
        let (half, bytes, lost) = match *event {
            Event::Client(bytes) => (Half::Lo, bytes, 0),
            Event::Server(bytes) => (Half::Hi, bytes, 0),
            Event::ClientLost(length) => (Half::Lo, &[][..], length),
            Event::ServerLost(length) => (Half::Hi, &[][..], length),
        };
        for bytes in bytes.chunks(piece.max(1)) {
            sent[half as usize] += bytes.len() as u64;
            stack.data(&mut context, half, Chunk { bytes, origin: Origin::default() });
        }
        if lost > 0 {
            stack.gap(&mut context, half, u64::from(lost), Origin::default());
        }
    }
    let facts = stack.finish(&mut context);
    check(&facts, sent);
    facts
}

/// What holds for any conversation in which so many bytes were sent.
fn check(facts: &StreamFacts, sent: [u64; 2]) {
    assert!(facts.attempts.len() <= limits::ATTEMPTS_OF_CONNECTION);
    assert!(facts.exchanges.len() <= limits::EXCHANGES_KEPT);
    for exchange in facts.exchanges.iter() {
        assert!(exchange.answer.as_ref().is_none_or(|answer| answer.status < 1000));
        assert!(exchange.target.len() <= limits::EXCHANGE_REQUEST_BYTES);
    }
    if let Some(tls) = &facts.tls {
        let is_answer = matches!(tls.server, ServerFirst::Tls(_));
        assert!(tls.client_hello.is_some() || is_answer || facts.spoken == Spoken::Opaque(OpaqueReason::Tls));
        assert!(tls.alert.is_none_or(|alert| alert.by == Role::Client || is_answer));
    }
    for attempt in &facts.attempts {
        if let Some(request) = &attempt.request {
            assert!(request.bytes.len() <= limits::HEAD_BYTES + 2);
            let _ = request.head();
        }
        if let Some(response) = &attempt.response {
            assert!(response.bytes.len() <= limits::HEAD_BYTES + 2);
            assert!(response.body_start.len() <= limits::BODY_START_BYTES);
            assert!(response.problems.is_empty() || response.status == 101);
            let _ = response.head();
        }
        if let Some(session) = &attempt.session {
            check_session(session, sent);
        }
    }
}

fn check_session(session: &SessionFacts, [from_lo, from_hi]: [u64; 2]) {
    let (client, server) = (&session.client, &session.server);
    let frames = client.frames() + server.frames();
    assert_eq!(session.frames.len() as u64 + session.frames.forgotten, frames);
    let at_most = |facts: &RoleFacts| facts.text + facts.binary + facts.continuation + facts.other;
    for facts in [client, server] {
        assert!(facts.messages <= at_most(facts));
        // A header has two bytes.
        assert!(facts.frames() * 2 + facts.undecoded_bytes <= from_lo.max(from_hi));
    }
    assert!(
        session.marks.len() <= usize::from(limits::FRAME_MARKS)
            && session.marks.len() as u64 <= client.frames()
    );
    // All but one kind are violations of a frame.
    let of_frames = session.anomalies.iter().filter(|anomaly| anomaly.kind != Anomaly::HttpInTunnel);
    assert!(of_frames.map(|anomaly| anomaly.count).sum::<u64>() <= frames * 8);
    assert!(session.pings.answered + session.pings.unanswered <= client.ping + server.ping);
    if let Some(decoded) = &session.decoded {
        check_decoded(session, decoded);
    }
    if let Some(close) = &session.close {
        assert!(close.reason.len() <= limits::CONTROL_PAYLOAD_BYTES - 2);
        assert!(session.role(close.by).close > 0);
    }
}

fn check_decoded(session: &SessionFacts, decoded: &Decoded) {
    let messages = decoded.client.messages + decoded.server.messages;
    // Those that were never completed are told, too.
    assert!(messages >= session.client.messages + session.server.messages);
    let control = [&session.client, &session.server].map(|facts| facts.ping + facts.pong + facts.close);
    let reserved = session.client.other + session.server.other;
    let told = decoded.messages.len() as u64 + decoded.messages.forgotten;
    assert!(
        (messages + control[0] + control[1]..=messages + control[0] + control[1] + reserved).contains(&told)
    );
    let mut last = None;
    for message in decoded.messages.iter() {
        assert!(message.payload.len() <= limits::MESSAGE_BYTES);
        assert!(message.length.is_none_or(|length| length >= message.payload.len() as u64));
        assert!(message.length.is_none_or(|length| message.compressed || length == message.wire_length));
        assert!(message.length.is_some() || message.obstacle.is_some());
        assert!(last.replace(message.index) < Some(message.index));
        let _ = message.text();
    }
}
