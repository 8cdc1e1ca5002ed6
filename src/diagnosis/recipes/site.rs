//! What a fix is written for: a proxy, a path, and where requests for it go.

use crate::diagnosis::answers;
use crate::diagnosis::view::{LegView, RouteView};
use crate::protocol::{RequestProblem, Role};
use crate::routes::{Proxy, Software, Version};
use crate::units::Endpoint;

/// One path at one proxy.
#[derive(Clone, Copy, Debug)]
pub(in crate::diagnosis) struct Site<'a> {
    /// What the proxy is; none if nothing says so.
    pub(super) software: Option<Software>,
    /// Its version, if it says so.
    pub(super) version: Option<&'a Version>,
    /// The path as the client wrote it.
    pub(super) path: &'a str,
    /// The client names a port beside the host.
    pub(super) names_port: bool,
    /// Where the proxy sends it, if the capture shows that.
    upstream: Option<Endpoint>,
    /// It is sent on as HTTP/1.0.
    pub(super) sends_1_0: bool,
    /// The path there; that of the client if the capture does not show another.
    pub(super) upstream_path: &'a str,
}

impl<'a> Site<'a> {
    /// The path of a leg at the proxy that it goes to.
    pub(in crate::diagnosis) fn of(proxy: Option<&'a Proxy>, leg: &LegView<'a>) -> Self {
        // Behind a proxy it may be the name that the proxy has for its upstream.
        let host = leg.asked_text("host").filter(|_| !answers::looks_forwarded(leg));
        let names_port = host.is_some_and(|host| !host.ends_with(']') && host.contains(':'));
        Self { names_port, ..Self::at(proxy, path_of_leg(leg)) }
    }

    /// A path at a proxy.
    pub(in crate::diagnosis) fn at(proxy: Option<&'a Proxy>, path: &'a str) -> Self {
        Self {
            software: proxy.and_then(|proxy| proxy.software),
            version: proxy.and_then(|proxy| proxy.version.as_ref()),
            path,
            names_port: false,
            upstream: None,
            sends_1_0: false,
            upstream_path: path,
        }
    }

    /// What the proxy is, where more is known of it than its hop shows.
    pub(in crate::diagnosis) fn known_as(mut self, software: Option<Software>) -> Self {
        self.software = self.software.or(software);
        self
    }

    /// The leg on which the proxy hands the request on.
    pub(in crate::diagnosis) fn sent_as(mut self, leg: &LegView<'a>) -> Self {
        self.sends_1_0 = leg.asks_with(RequestProblem::HttpVersionTooLow);
        self.upstream_path = if leg.path().starts_with('/') { leg.path() } else { self.path };
        self.sent_to(leg.connection.endpoint(Role::Server))
    }

    /// Where the proxy sends it.
    pub(in crate::diagnosis) const fn sent_to(mut self, upstream: Endpoint) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// The upstream as a configuration names it.
    pub(super) fn upstream(&self) -> String {
        self.upstream.map_or_else(|| "UPSTREAM".to_owned(), |upstream| upstream.to_string())
    }
}

/// The path that people would write into a location: that of the client's request.
pub(in crate::diagnosis) fn path_of<'a>(route: &RouteView<'a>) -> &'a str {
    path_of_leg(&route.first)
}

/// The path of one leg; `/` if it is not in the capture.
pub(in crate::diagnosis) fn path_of_leg<'a>(leg: &LegView<'a>) -> &'a str {
    let path = leg.path();
    if path.starts_with('/') { path } else { "/" }
}
