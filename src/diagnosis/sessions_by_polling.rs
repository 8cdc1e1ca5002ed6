//! Sessions that begin by polling: Engine.IO (and Socket.IO above it), `SignalR`, `SockJS`. Their plain requests and their
//! WebSocket attempts carry one session's name, which ties them together over connections.

use std::collections::BTreeMap;

use super::view::CaptureView;
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
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        if field(query, "EIO").is_some() && field(query, "transport").is_some() {
            let session = field(query, "sid").unwrap_or_default();
            self.engine_io.push(Request { session, ..request });
        } else if method == "POST" && path.ends_with("/negotiate") {
            self.signalr.push(Request { kind: Kind::Negotiate, ..request });
        } else if let Some(session) = field(query, "id").filter(|id| id.len() >= SHORTEST_ID) {
            self.signalr.push(Request { session, ..request });
        } else if let Some((session, _)) = sockjs(path) {
            self.sockjs.push(Request { session, ..request });
        }
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

/// The value of a field of a query.
pub(super) fn field<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|field| field.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

/// The session and the transport of `/prefix/NNN/SESSION/TRANSPORT`.
pub(super) fn sockjs(path: &str) -> Option<(&str, &str)> {
    let mut segments = path.rsplit('/');
    let (transport, session, server) = (segments.next()?, segments.next()?, segments.next()?);
    let is_server = server.len() == 3 && server.bytes().all(|byte| byte.is_ascii_digit());
    (is_server && !session.is_empty() && TRANSPORTS.contains(&transport)).then_some((session, transport))
}

/// The path of a target, without the query.
pub(super) fn path(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

/// <https://github.com/sockjs/sockjs-protocol>
const TRANSPORTS: [&str; 8] =
    ["websocket", "xhr", "xhr_send", "xhr_streaming", "eventsource", "htmlfile", "jsonp", "jsonp_send"];

/// Shorter ones name something else than a connection: those of `SignalR` are 16 bytes in base64.
const SHORTEST_ID: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sessions_are_found_in_targets() {
        assert_eq!(field("EIO=4&transport=polling&sid=abc", "sid"), Some("abc"));
        assert_eq!(field("EIO=4&transport=polling", "sid"), None);
        assert_eq!(sockjs("/echo/123/abcd/xhr_streaming"), Some(("abcd", "xhr_streaming")));
        assert_eq!(sockjs("/echo/12/abcd/xhr"), None);
        assert_eq!(sockjs("/live/123/abcd/page"), None);
        assert_eq!(path("/a/b?c=/d"), "/a/b");
    }
}
