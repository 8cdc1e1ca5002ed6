//! Protocols whose sessions go over several requests: Engine.IO (and Socket.IO above it), `SignalR`, `SockJS`. Their plain
//! requests and their WebSocket attempts carry one session's name.

/// A protocol whose sessions begin, or go on, by plain requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollingProtocol {
    /// <https://socket.io/docs/v4/engine-io-protocol/>
    EngineIo,
    /// <https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md>
    SignalR,
    /// <https://github.com/sockjs/sockjs-protocol>
    SockJs,
}

/// What a request has to do with such a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollingRequest<'a> {
    /// Whose session it is.
    pub protocol: PollingProtocol,
    /// The session's name; empty where it has none yet.
    pub session: &'a str,
    /// It asks for a name: `POST .../negotiate` of `SignalR`.
    pub negotiates: bool,
}

impl<'a> PollingRequest<'a> {
    /// By its method and its target; none if it belongs to no such session.
    #[must_use]
    pub fn of(method: &str, target: &'a str) -> Option<Self> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let of = |protocol, session| Self { protocol, session, negotiates: false };
        if query_field(query, "EIO").is_some() && query_field(query, "transport").is_some() {
            return Some(of(PollingProtocol::EngineIo, query_field(query, "sid").unwrap_or_default()));
        }
        if method == "POST" && path.ends_with("/negotiate") {
            return Some(Self { negotiates: true, ..of(PollingProtocol::SignalR, "") });
        }
        if let Some(session) = query_field(query, "id").filter(|id| id.len() >= SHORTEST_ID) {
            return Some(of(PollingProtocol::SignalR, session));
        }
        sockjs_session(path).map(|(session, _)| of(PollingProtocol::SockJs, session))
    }
}

/// The value of a field of a query.
#[must_use]
pub fn query_field<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|field| field.split_once('=').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

/// The session and the transport of `/prefix/NNN/SESSION/TRANSPORT`.
#[must_use]
pub fn sockjs_session(path: &str) -> Option<(&str, &str)> {
    let mut segments = path.rsplit('/');
    let (transport, session, server) = (segments.next()?, segments.next()?, segments.next()?);
    let is_server = server.len() == 3 && server.bytes().all(|byte| byte.is_ascii_digit());
    (is_server && !session.is_empty() && TRANSPORTS.contains(&transport)).then_some((session, transport))
}

/// The path of a target, without the query.
#[must_use]
pub fn path_of_target(target: &str) -> &str {
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
        assert_eq!(query_field("EIO=4&transport=polling&sid=abc", "sid"), Some("abc"));
        assert_eq!(query_field("EIO=4&transport=polling", "sid"), None);
        assert_eq!(sockjs_session("/echo/123/abcd/xhr_streaming"), Some(("abcd", "xhr_streaming")));
        assert_eq!(sockjs_session("/echo/12/abcd/xhr"), None);
        assert_eq!(sockjs_session("/live/123/abcd/page"), None);
        assert_eq!(path_of_target("/a/b?c=/d"), "/a/b");
    }

    #[test]
    fn requests_are_known_by_their_protocol() {
        let of = |method, target| {
            PollingRequest::of(method, target).map(|it| (it.protocol, it.session.to_owned(), it.negotiates))
        };
        let named = |protocol, session: &str| Some((protocol, session.to_owned(), false));
        assert_eq!(
            of("GET", "/socket.io/?EIO=4&transport=polling&sid=a"),
            named(PollingProtocol::EngineIo, "a")
        );
        assert_eq!(of("POST", "/hub/negotiate?x=1"), Some((PollingProtocol::SignalR, String::new(), true)));
        assert_eq!(
            of("GET", "/hub?id=2gFEdJIBTxWqkQtDYFH2fg"),
            named(PollingProtocol::SignalR, "2gFEdJIBTxWqkQtDYFH2fg")
        );
        assert_eq!(of("POST", "/echo/123/abcd/xhr"), named(PollingProtocol::SockJs, "abcd"));
        assert_eq!(of("GET", "/page?id=7"), None);
    }
}
