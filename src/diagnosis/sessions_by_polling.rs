//! Sessions that begin by polling: Engine.IO (and Socket.IO above it), `SignalR`, `SockJS`. Their plain requests and their
//! WebSocket attempts carry one session's name, which ties them together over connections.

use std::collections::BTreeMap;

use super::view::CaptureView;
use crate::model::{PollingProtocol, PollingRequest};
use crate::protocol::Role;
use crate::units::{Endpoint, PacketNumber, Timestamp};

/// A request that belongs to a session of an application.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// The session's name; empty where it has none yet.
    pub(super) session: &'a str,
    /// What kind of request it is.
    pub(super) kind: Kind,
    /// The target as it was sent.
    pub(super) target: &'a str,
    /// The status of the answer; none if the capture has none.
    pub(super) status: Option<u16>,
    /// Where it begins.
    pub(super) packet: PacketNumber,
    /// When.
    pub(super) time: Timestamp,
    /// The connection's place in the capture.
    pub(super) connection: usize,
    /// Who sent it.
    pub(super) client: Endpoint,
    /// Who was asked.
    pub(super) server: Endpoint,
}

/// What kind of request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Long polling, of any application.
    Poll,
    /// `POST .../negotiate` of `SignalR`.
    Negotiate,
    /// A WebSocket attempt.
    WebSocket,
}

/// The requests of each application's sessions, by time.
#[derive(Debug)]
pub(super) struct Requests<'a> {
    pub(super) engine_io: Vec<Request<'a>>,
    pub(super) signalr: Vec<Request<'a>>,
    pub(super) sockjs: Vec<Request<'a>>,
}

impl<'a> Requests<'a> {
    /// All that the capture has: of connections whose other requests are kept.
    pub(super) fn of(view: &CaptureView<'a>) -> Self {
        let mut all = Self { engine_io: Vec::new(), signalr: Vec::new(), sockjs: Vec::new() };
        for (place, connection) in view.capture.connections.iter().enumerate() {
            let (client, server) = (connection.endpoint(Role::Client), connection.endpoint(Role::Server));
            for exchange in connection.exchanges.iter() {
                all.add(
                    &exchange.method,
                    Request {
                        session: "",
                        kind: Kind::Poll,
                        target: &exchange.target,
                        status: exchange.answer.as_ref().map(|answer| answer.status),
                        packet: exchange.request.packet,
                        time: exchange.request.time,
                        connection: place,
                        client,
                        server,
                    },
                );
            }
        }
        for leg in view.routes.iter().flat_map(super::view::RouteView::legs) {
            let Some(request) = leg.attempt.request.as_ref() else { continue };
            let place = view.capture.connections.partition_point(|other| other.id() < leg.connection.id());
            all.add(
                "GET",
                Request {
                    session: "",
                    kind: Kind::WebSocket,
                    target: leg.target(),
                    status: leg.status(),
                    packet: request.origin.packet,
                    time: request.origin.time,
                    connection: place,
                    client: leg.connection.endpoint(Role::Client),
                    server: leg.connection.endpoint(Role::Server),
                },
            );
        }
        for requests in [&mut all.engine_io, &mut all.signalr, &mut all.sockjs] {
            requests.sort_by_key(|request| request.packet);
        }
        all
    }

    fn add(&mut self, method: &str, request: Request<'a>) {
        let Some(known) = PollingRequest::of(method, request.target) else { return };
        let kind = if known.negotiates { Kind::Negotiate } else { request.kind };
        let requests = match known.protocol {
            PollingProtocol::EngineIo => &mut self.engine_io,
            PollingProtocol::SignalR => &mut self.signalr,
            PollingProtocol::SockJs => &mut self.sockjs,
        };
        requests.push(Request { session: known.session, kind, ..request });
    }
}

/// Requests by the name of their session.
pub(super) fn by_session<'r, 'a>(requests: &'r [Request<'a>]) -> BTreeMap<&'a str, Vec<&'r Request<'a>>> {
    let mut sessions: BTreeMap<&'a str, Vec<&'r Request<'a>>> = BTreeMap::new();
    for request in requests.iter().filter(|request| !request.session.is_empty()) {
        sessions.entry(request.session).or_default().push(request);
    }
    sessions
}
