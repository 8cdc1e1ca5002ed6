//! A connection with everything that was seen on it.

use crate::decode::Half;
use crate::protocol::{Attempt, ProxyProtocol, Role, Spoken, StreamFacts};
use crate::tcp::{ConnectionFacts, HalfFacts};
use crate::units::{Endpoint, PacketNumber, Timestamp};

/// A TCP connection: the facts of its segments and of its payload.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What its segments show.
    pub tcp: ConnectionFacts,
    /// What it spoke in the end.
    pub spoken: Spoken,
    /// The upgrade attempts on it, in order.
    pub attempts: Vec<Attempt>,
    /// A header of the PROXY protocol before the first request.
    pub proxy_protocol: Option<ProxyProtocol>,
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
        let StreamFacts { spoken, attempts, proxy_protocol, .. } = stream;
        Self { tcp, spoken, attempts, proxy_protocol, client }
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

    /// Who sent the first FIN or RST.
    #[must_use]
    pub fn closed_by(&self) -> Option<Role> {
        let by = self.tcp.ending?.by;
        Some(if by == self.client { Role::Client } else { Role::Server })
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

    const fn half_of(&self, role: Role) -> Half {
        match role {
            Role::Client => self.client,
            Role::Server => self.client.other(),
        }
    }
}
