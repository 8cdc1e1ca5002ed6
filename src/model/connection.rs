//! A connection with everything that was seen on it.

use crate::decode::Half;
use crate::points::{HalfPassage, Passage};
use crate::protocol::{
    Attempt, Exchanges, ForeignAnswer, ProxyProtocol, Role, Spoken, StreamFacts, TlsFacts,
};
use crate::tcp::{ConnectionFacts, EndedBy, HalfFacts};
use crate::units::{Endpoint, PacketNumber, Span, Timestamp};

/// A TCP connection: the facts of its segments and of its payload.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What its segments show.
    pub tcp: ConnectionFacts,
    /// What it spoke in the end.
    pub spoken: Spoken,
    /// The upgrade attempts on it, in order.
    pub attempts: Vec<Attempt>,
    /// The requests on it that are none, if heads are kept.
    pub exchanges: Exchanges,
    /// Its first TLS records, if it has some and heads are kept.
    pub tls: Option<Box<TlsFacts>>,
    /// A header of the PROXY protocol before the first request.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// What the server said, if that is no HTTP and nobody asked it for anything.
    pub greeting: Option<Box<ForeignAnswer>>,
    /// What two points of capture show of it, if there are two.
    pub passage: Option<Box<Passage>>,
    client: Half,
}

impl Connection {
    /// Puts the facts together. The client is who sent the request, or the SYN, or, failing both, the higher
    /// port.
    #[must_use]
    pub fn new(tcp: ConnectionFacts, stream: StreamFacts) -> Self {
        let port = |half| tcp.flow.endpoint(half).port;
        let higher_port = if port(Half::Lo) > port(Half::Hi) { Half::Lo } else { Half::Hi };
        let client = stream.client.or(tcp.opening.opener).unwrap_or(higher_port);
        let StreamFacts { spoken, attempts, exchanges, tls, proxy_protocol, greeting, .. } = stream;
        Self { tcp, spoken, attempts, exchanges, tls, proxy_protocol, greeting, passage: None, client }
    }

    /// Its name: the number of its first packet.
    #[must_use]
    pub const fn id(&self) -> PacketNumber {
        self.tcp.opening.first.packet
    }

    /// The address and port of one side.
    #[must_use]
    pub fn endpoint(&self, role: Role) -> Endpoint {
        self.tcp.flow.endpoint(self.half_of(role))
    }

    /// What one side's segments show.
    #[must_use]
    pub const fn half(&self, role: Role) -> &HalfFacts {
        self.tcp.half(self.half_of(role))
    }

    /// What became of one side's packets between two points of capture, and the points: that on its own side first.
    #[must_use]
    pub fn passage(&self, role: Role) -> Option<(&HalfPassage, [u8; 2])> {
        let (passage, half) = (self.passage.as_ref()?, self.half_of(role));
        Some((passage.half(half), [passage.point(half), passage.point(half.other())]))
    }

    /// Who sent the first FIN or RST.
    #[must_use]
    pub fn closed_by(&self) -> Option<Role> {
        let by = self.tcp.ending?.by;
        Some(if by == self.client { Role::Client } else { Role::Server })
    }

    /// Whether one side sent the first FIN or RST, and a packet comes after it.
    #[must_use]
    pub fn is_ended_before(&self, by: Role, packet: PacketNumber) -> bool {
        self.closed_by() == Some(by) && self.tcp.ending.is_some_and(|ending| ending.origin.packet < packet)
    }

    /// Whether the capture has packets of one side only.
    #[must_use]
    pub const fn is_one_sided(&self) -> bool {
        self.half(Role::Client).packets == 0 || self.half(Role::Server).packets == 0
    }

    /// When its last payload was sent, either way, before it ended.
    #[must_use]
    pub fn last_payload(&self) -> Option<Timestamp> {
        let time = |role| self.half(role).last_payload.map(|(_, time)| time);
        time(Role::Client).max(time(Role::Server))
    }

    /// From its first packet to its last; negative if the clock of the capture went back.
    #[must_use]
    pub fn duration(&self) -> Span {
        self.tcp.last.1.since(self.tcp.opening.first.time)
    }

    /// Whether the first of its FINs and RSTs is a RST.
    #[must_use]
    pub fn ended_by_reset(&self) -> bool {
        self.tcp.ending.is_some_and(|ending| ending.how == EndedBy::Reset)
    }

    /// From its last payload, either way, to the first FIN or RST. None without an end, without payload, and if there
    /// was payload after that end; payload in the same packet is none after it.
    #[must_use]
    pub fn silence_before_end(&self) -> Option<Span> {
        let end = self.tcp.ending?.origin;
        let [client, server] = [Role::Client, Role::Server].map(|role| self.half(role).last_payload);
        let (packet, time) = client.max(server)?;
        let silence = end.time.since(time);
        (packet <= end.packet && silence >= Span::default()).then_some(silence)
    }

    const fn half_of(&self, role: Role) -> Half {
        match role {
            Role::Client => self.client,
            Role::Server => self.client.other(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bystanders::tests::facts;
    use crate::tcp::Ending;
    use crate::units::Origin;

    /// A packet and its time in seconds.
    fn at(packet: u64, seconds: i64) -> (PacketNumber, Timestamp) {
        (PacketNumber(packet), Timestamp::from_parts(seconds, 0))
    }

    fn connection(
        payload: [Option<(PacketNumber, Timestamp)>; 2],
        end: Option<(EndedBy, PacketNumber, Timestamp)>,
    ) -> Connection {
        let mut tcp = facts(1);
        tcp.last = at(9, 60);
        tcp.ending = end.map(|(how, packet, time)| {
            let origin = Origin { packet, time, file_offset: 0 };
            Ending { how, by: Half::Lo, origin, hop_limit: 64 }
        });
        for (half, last_payload) in tcp.halves.iter_mut().zip(payload) {
            half.last_payload = last_payload;
        }
        Connection::new(tcp, StreamFacts::default())
    }

    #[test]
    fn the_silence_before_the_end_is_that_of_both_sides() {
        let (lo, hi) = (Some(at(3, 5)), Some(at(4, 7)));
        let end = |packet, seconds| {
            let (packet, time) = at(packet, seconds);
            Some((EndedBy::Fin, packet, time))
        };
        let silence = |payload, end| connection(payload, end).silence_before_end().map(Span::as_nanos);
        assert_eq!(silence([lo, hi], end(5, 37)), Some(30_000_000_000));
        assert_eq!(silence([lo, None], end(5, 37)), Some(32_000_000_000));
        assert_eq!(silence([lo, hi], end(4, 7)), Some(0), "with the last payload");
        assert_eq!(silence([lo, hi], end(3, 5)), None, "before it");
        assert_eq!(silence([lo, hi], end(5, 6)), None, "the clock went back");
        assert_eq!(silence([lo, hi], None), None);
        assert_eq!(silence([None, None], end(5, 37)), None);
    }

    #[test]
    fn an_end_is_a_reset_or_it_is_none() {
        let (packet, time) = at(5, 37);
        let ended = |how| connection([None; 2], Some((how, packet, time)));
        assert!(ended(EndedBy::Reset).ended_by_reset() && !ended(EndedBy::Fin).ended_by_reset());
        assert!(!connection([None; 2], None).ended_by_reset());
        assert_eq!(ended(EndedBy::Fin).duration().as_nanos(), 60_000_000_000);
    }
}
