//! The client's connection over TLS of an attempt of which only what its proxy decrypted can be read.

use std::collections::BTreeMap;

use serde::Serialize;

use super::route::{self, ProxyView};
use crate::model::Capture;
use crate::protocol::Role;
use crate::routes::Route;

/// The connection, told here since others than those with attempts may not be listed, and the proxy that decrypts it.
#[derive(Serialize)]
pub(super) struct OverTlsView {
    connection: u64,
    client: String,
    server: String,
    proxy: ProxyView,
}

/// For connections, by their places: the attempts that came over TLS, by their places among those of the connection.
pub(super) fn by_connection(
    capture: &Capture,
    routes: &[Route],
) -> BTreeMap<usize, Vec<(usize, OverTlsView)>> {
    let mut found: BTreeMap<usize, Vec<(usize, OverTlsView)>> = BTreeMap::new();
    for route in routes {
        let (Some(over), Some(leg)) = (&route.over_tls, route.legs.first()) else { continue };
        let Some(connection) = capture.connections.get(over.connection) else { continue };
        let view = OverTlsView {
            connection: connection.id().0,
            client: connection.endpoint(Role::Client).to_string(),
            server: connection.endpoint(Role::Server).to_string(),
            proxy: route::proxy(&over.proxy),
        };
        found.entry(leg.connection).or_default().push((leg.attempt, view));
    }
    found
}
