//! What a session speaks above WebSocket, as far as its subprotocol and its target show it.

use crate::protocol::{Attempt, RequestFacts, ResponseFacts};

/// A protocol above WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names are in `name`")]
pub enum Application {
    SocketIo,
    EngineIo,
    /// <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>
    GraphqlTransportWs,
    /// The older protocol of subscriptions-transport-ws.
    GraphqlWs,
    /// ASP.NET Core: JSON or `MessagePack` records after a handshake.
    SignalR,
    /// The protocol before it, of ASP.NET.
    SignalRClassic,
    Hocuspocus,
    /// The live server of Plane, which speaks Hocuspocus.
    Plane,
    /// <https://github.com/sockjs/sockjs-protocol>
    SockJs,
    Stomp,
    Mqtt,
    Phoenix,
    ActionCable,
    Wamp,
    Ocpp,
}

impl Application {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SocketIo => "Socket.IO",
            Self::EngineIo => "Engine.IO",
            Self::GraphqlTransportWs => "GraphQL (graphql-transport-ws)",
            Self::GraphqlWs => "GraphQL (graphql-ws)",
            Self::SignalR => "SignalR",
            Self::SignalRClassic => "SignalR (ASP.NET)",
            Self::Hocuspocus => "Hocuspocus",
            Self::Plane => "Plane (Hocuspocus)",
            Self::SockJs => "SockJS",
            Self::Stomp => "STOMP",
            Self::Mqtt => "MQTT",
            Self::Phoenix => "Phoenix channels",
            Self::ActionCable => "Action Cable",
            Self::Wamp => "WAMP",
            Self::Ocpp => "OCPP",
        }
    }

    /// By the subprotocol that was agreed, or else the target that was asked for.
    #[must_use]
    pub fn of(subprotocol: Option<&str>, target: &str) -> Option<Self> {
        subprotocol.and_then(by_subprotocol).or_else(|| by_target(target))
    }

    /// Of an attempt: by the subprotocol that its answer chose, or else by its target, or else by what its client offered:
    /// a server that chooses nothing of it may say in a close frame why.
    #[must_use]
    pub fn of_attempt(attempt: &Attempt) -> Option<Self> {
        let answer = attempt.response.as_ref().map(ResponseFacts::head);
        let chosen = answer.as_ref().and_then(|head| head.fields.list(SUBPROTOCOL).first().copied());
        let asked = attempt.request.as_ref().map(RequestFacts::head);
        let offered = || asked.as_ref()?.fields.list(SUBPROTOCOL).into_iter().find_map(by_subprotocol);
        Self::of(chosen, asked.as_ref().map_or("", |head| head.target))
            .or_else(|| offered().filter(|_| chosen.is_none()))
    }
}

const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

/// Names of the IANA registry of subprotocols (RFC 6455 section 11.5), and those that libraries use.
fn by_subprotocol(name: &str) -> Option<Application> {
    let name = name.trim().to_ascii_lowercase();
    Some(match name.as_str() {
        "graphql-transport-ws" => Application::GraphqlTransportWs,
        "graphql-ws" => Application::GraphqlWs,
        "mqtt" => Application::Mqtt,
        "stomp" => Application::Stomp,
        _ if name.starts_with("mqttv3") => Application::Mqtt,
        _ if name.strip_suffix("stomp").is_some_and(|version| version.ends_with('.')) => Application::Stomp,
        _ if name.starts_with("actioncable-") => Application::ActionCable,
        _ if name.starts_with("wamp.") => Application::Wamp,
        _ if name.starts_with("ocpp") => Application::Ocpp,
        _ => return None,
    })
}

fn by_target(target: &str) -> Option<Application> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let has = |name: &str| query.split('&').any(|field| field.split('=').next() == Some(name));
    let segments = || path.split('/').filter(|segment| !segment.is_empty());
    if has("EIO") && has("transport") {
        let is_socket_io = segments().any(|segment| segment == "socket.io");
        return Some(if is_socket_io { Application::SocketIo } else { Application::EngineIo });
    }
    if has("connectionToken") && has("transport") {
        return Some(Application::SignalRClassic);
    }
    if has("vsn") && segments().next_back() == Some("websocket") {
        return Some(Application::Phoenix);
    }
    if is_sockjs(path) {
        return Some(Application::SockJs);
    }
    match segments().next_back() {
        Some("cable") => Some(Application::ActionCable),
        Some("mqtt") => Some(Application::Mqtt),
        // Plane serves it below /live, and names the kind of document in the query.
        Some("collaboration") => {
            let is_plane = has("documentType") || segments().nth_back(1) == Some("live");
            Some(if is_plane { Application::Plane } else { Application::Hocuspocus })
        }
        _ => None,
    }
}

/// `/prefix/NNN/SESSION/websocket`: a server of three digits and a session.
fn is_sockjs(path: &str) -> bool {
    let mut segments = path.rsplit('/');
    let (last, session, server) = (segments.next(), segments.next(), segments.next());
    last == Some("websocket")
        && session.is_some_and(|session| !session.is_empty())
        && server.is_some_and(|server| server.len() == 3 && server.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subprotocol_and_target_name_it() {
        let cases = [
            (Some("graphql-transport-ws"), "/", Some(Application::GraphqlTransportWs)),
            (Some("v12.stomp"), "/", Some(Application::Stomp)),
            (Some("mqtt"), "/", Some(Application::Mqtt)),
            (None, "/socket.io/?EIO=4&transport=websocket", Some(Application::SocketIo)),
            (None, "/engine.io/?EIO=4&transport=websocket&sid=x", Some(Application::EngineIo)),
            (
                None,
                "/signalr/connect?transport=webSockets&connectionToken=x",
                Some(Application::SignalRClassic),
            ),
            (None, "/live/websocket?vsn=2.0.0", Some(Application::Phoenix)),
            (None, "/live/collaboration?documentType=project_page", Some(Application::Plane)),
            (None, "/live/collaboration", Some(Application::Plane)),
            (None, "/collaboration?documentType=page", Some(Application::Plane)),
            (None, "/collaboration", Some(Application::Hocuspocus)),
            (None, "/echo/123/abcd/websocket", Some(Application::SockJs)),
            (None, "/echo/abc/abcd/websocket", None),
            (Some("chat"), "/live", None),
        ];
        for (subprotocol, target, expected) in cases {
            assert_eq!(Application::of(subprotocol, target), expected, "{target}");
        }
    }
}
