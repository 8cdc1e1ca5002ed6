//! What close codes mean: those that everybody shares, and those of applications (RFC 6455 section 7.4).

use super::application::Application;

/// What a close code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseMeaning {
    /// Its name, in a few words.
    pub name: &'static str,
    /// What kind of end it is.
    pub kind: CloseKind,
    /// Where to look first, as a sentence; empty if there is nothing to look for.
    pub look: &'static str,
}

/// What kind of end a close code tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseKind {
    /// As it should be.
    Normal,
    /// Whoever sent it stops, restarts or is too busy: the other side is to come again.
    Restart,
    /// Somebody is not let in, or no longer.
    Access,
    /// Something is broken.
    Fault,
    /// Nothing but the application knows.
    Unknown,
}

/// What a code means in sessions of an application; none if it is not known which.
#[must_use]
pub fn close_meaning(code: u16, application: Option<Application>) -> CloseMeaning {
    let dictionary = application.map_or(&[][..], dictionary);
    let find = |entries: &[(u16, CloseMeaning)]| {
        entries.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
    };
    find(dictionary).or_else(|| find(SHARED)).unwrap_or_else(|| unlisted(code))
}

const fn unlisted(code: u16) -> CloseMeaning {
    let name = match code {
        3000..=3999 => "of a library",
        4000..=4999 => "of the application",
        _ => "not assigned",
    };
    CloseMeaning { name, kind: CloseKind::Unknown, look: "" }
}

const fn dictionary(application: Application) -> &'static [(u16, CloseMeaning)] {
    match application {
        Application::GraphqlTransportWs => GRAPHQL_TRANSPORT_WS,
        Application::GraphqlWs => GRAPHQL_WS,
        Application::Hocuspocus => HOCUSPOCUS,
        Application::Plane => PLANE,
        Application::SockJs => SOCKJS,
        _ => &[],
    }
}

const fn entry(code: u16, name: &'static str, kind: CloseKind, look: &'static str) -> (u16, CloseMeaning) {
    (code, CloseMeaning { name, kind, look })
}

use CloseKind::{Access, Fault, Normal, Restart};

/// RFC 6455 section 7.4.1 and the registry of section 11.7.
const SHARED: &[(u16, CloseMeaning)] = &[
    entry(1000, "normal closure", Normal, ""),
    entry(1001, "going away", Restart, ""),
    entry(
        1002,
        "protocol error",
        Fault,
        "The other side broke a rule of RFC 6455 just before: look at its last frames.",
    ),
    entry(
        1003,
        "unsupported data",
        Fault,
        "The other side sent text where binary is expected, or the reverse.",
    ),
    entry(1005, "no code", Normal, ""),
    entry(
        1006,
        "abnormal closure, must not be sent",
        Fault,
        "A program that sends 1006 has a fault: it is for reports only.",
    ),
    entry(
        1007,
        "invalid payload",
        Fault,
        "The other side sent text that is not UTF-8, or a compressed message that cannot be inflated: read the capture \
         with --format json --messages to see which.",
    ),
    entry(
        1008,
        "policy violation",
        Access,
        "Look at what the application checks: credentials, Origin, rates.",
    ),
    entry(1009, "message too big", Fault, "Raise the limit of whoever closes, or send less at once."),
    entry(
        1010,
        "extension missing",
        Fault,
        "The client insists on an extension that the server did not agree to.",
    ),
    entry(1011, "internal error", Fault, "The reason stands in the log of whoever closes, at that moment."),
    entry(1012, "service restart", Restart, ""),
    entry(1013, "try again later", Restart, "Whoever closes is overloaded, or lets nobody in for now."),
    entry(1014, "bad gateway", Fault, "A gateway closes, since its own upstream failed: look at that one."),
    entry(
        1015,
        "TLS failure, must not be sent",
        Fault,
        "A program that sends 1015 has a fault: it is for reports only.",
    ),
    entry(3000, "unauthorized", Access, "The credentials are missing or no longer good."),
    entry(3003, "forbidden", Access, "The credentials are good, and not for this."),
    entry(3008, "timeout", Fault, "The other side did not do in time what was asked of it."),
];

/// <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md> and the codes of its library.
const GRAPHQL_TRANSPORT_WS: &[(u16, CloseMeaning)] = &[
    entry(4004, "bad response", Fault, "The client cannot read what the server sent."),
    entry(4005, "internal client error", Fault, "The reason stands in the log of the client."),
    entry(
        4400,
        "bad request",
        Fault,
        "A message is none of graphql-transport-ws: do both sides speak the same protocol?",
    ),
    entry(4401, "unauthorized", Access, "Something was asked for before connection_init was acknowledged."),
    entry(
        4403,
        "forbidden",
        Access,
        "onConnect of the server refused the connection: look at connectionParams.",
    ),
    entry(4406, "subprotocol not acceptable", Fault, "Offer and choose graphql-transport-ws on both sides."),
    entry(
        4408,
        "connection initialisation timeout",
        Fault,
        "The client did not send connection_init in time.",
    ),
    entry(4409, "subscriber already exists", Fault, "The client used one id for two operations."),
    entry(4429, "too many initialisation requests", Fault, "The client sent connection_init twice."),
    entry(4500, "internal server error", Fault, "The reason stands in the log of the server."),
    entry(
        4504,
        "connection acknowledgement timeout",
        Fault,
        "The server did not send connection_ack in time.",
    ),
];

/// The older protocol, of subscriptions-transport-ws, and servers that speak both.
const GRAPHQL_WS: &[(u16, CloseMeaning)] = &[
    entry(
        4400,
        "bad request",
        Fault,
        "A message is none of graphql-ws: do both sides speak the same protocol?",
    ),
    entry(4401, "unauthorized", Access, "The server refused the connection: look at connectionParams."),
    entry(4403, "forbidden", Access, "The server refused the connection: look at connectionParams."),
    entry(
        4406,
        "subprotocol not acceptable",
        Fault,
        "The other side wants graphql-transport-ws, the protocol of the newer library.",
    ),
];

/// `CloseEvents` of `@hocuspocus/common`.
const HOCUSPOCUS: &[(u16, CloseMeaning)] = &[
    entry(4205, "connection reset by the server", Restart, ""),
    entry(
        4401,
        "unauthorized",
        Access,
        "The server could not read a message, or its beforeHandleMessage refused one. A token that is refused it tells in a \
         message.",
    ),
    entry(
        4403,
        "forbidden",
        Access,
        "The server refused the client or the document: its log has the reason.",
    ),
    entry(4408, "connection timeout", Fault, "The client did not answer the server's ping in time."),
];

/// Plane's live server: those of Hocuspocus, and its own.
const PLANE: &[(u16, CloseMeaning)] = &[
    entry(
        4000,
        "forced close",
        Restart,
        "The live server closed the document on purpose; the editor does not try again.",
    ),
    entry(
        4001,
        "document too large",
        Fault,
        "The page is larger than the live server takes; the editor does not try again.",
    ),
    entry(4002, "memory pressure", Fault, "The live server is short of memory: give it more."),
    entry(4003, "security violation", Access, "The live server refused what was sent."),
    entry(4205, "connection reset by the server", Restart, ""),
    entry(
        4401,
        "unauthorized",
        Access,
        "The live server asks Plane's API with the cookie in the first message: look at both.",
    ),
    entry(
        4403,
        "forbidden",
        Access,
        "The live server asks Plane's API with the cookie in the first message: look at both.",
    ),
    entry(4408, "connection timeout", Fault, "The client did not answer the server's ping in time."),
];

/// <https://github.com/sockjs/sockjs-protocol>
const SOCKJS: &[(u16, CloseMeaning)] = &[entry(3000, "go away", Normal, "")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_names() {
        let name = |code| close_meaning(code, None).name;
        for (code, expected) in [
            (1000, "normal closure"),
            (1014, "bad gateway"),
            (3000, "unauthorized"),
            (3500, "of a library"),
            (4400, "of the application"),
            (999, "not assigned"),
            (1016, "not assigned"),
        ] {
            assert_eq!(name(code), expected);
        }
    }

    #[test]
    fn applications_have_their_own() {
        let name = |code, application| close_meaning(code, Some(application)).name;
        assert_eq!(name(4406, Application::GraphqlTransportWs), "subprotocol not acceptable");
        assert_eq!(name(4001, Application::Plane), "document too large");
        assert_eq!(name(3000, Application::SockJs), "go away");
        assert_eq!(name(1011, Application::Plane), "internal error", "what all share");
        assert_eq!(name(4001, Application::Mqtt), "of the application");
    }
}
