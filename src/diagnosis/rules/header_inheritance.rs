//! nginx: a location with a `proxy_set_header` of its own loses those of the server.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::forwarding;
use crate::diagnosis::recipes::{self, Site};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{CaptureView, LegView, RouteView};
use crate::model::Outcome;
use crate::protocol::{RequestProblem, Role};
use crate::routes::{Change, Hop, Part, Software};

/// nginx: a location with a `proxy_set_header` of its own loses those of the server.
pub(super) static RULE: Rule = Rule {
    name: "header-inheritance",
    code: "WS204",
    severity: Severity::Error,
    summary: "one location of an nginx drops the upgrade that its other locations forward",
    page: "\
## What it sees

An nginx drops the upgrade on one path and forwards it on another one of the same server. The request on the path that
fails shows a `proxy_set_header` of its own: `Host` is not the one that nginx sends by itself, or there is a field such
as `X-Real-IP` that the client did not send. Its version of HTTP is that of the requests that work, so what stands at
the level of the server is in effect. If the version differs, the location was hardly configured at all; that is
`upgrade-stripped` alone.

## Why it breaks

`proxy_set_header` is inherited from the outer level only if the inner one has none. One line in a location, usually
`proxy_set_header Host $host;`, discards all lines of the `server` and `http` blocks for this location, `Upgrade` and
`Connection` among them. `proxy_http_version` is inherited all the same, which is why the version stays right. The
application sees an ordinary request: 426, 400, 404, or 200 with a page (RFC 9110 section 7.8).

## How to mend it

Repeat all lines in every location that has one of its own, or move the odd line up to where the others stand:

```
location /api/ {
    proxy_pass http://upstream;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_set_header Host $host;
}
```

A file with these lines that each location includes keeps them together. `nginx -T` shows what is in effect where.
",
    see: "https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_set_header",
    explains: &["upgrade-stripped", "WS2", "WS3", "upstream-aborted", "upstream-silent", "no-response"],
    check: Check::Capture(check),
};

/// One proxy, as clients of one server reach it.
type Place = (IpAddr, crate::units::Endpoint);

fn check(capture: &CaptureView<'_>) -> Vec<Finding> {
    let mut working: BTreeMap<Place, Vec<&LegView<'_>>> = BTreeMap::new();
    for route in &capture.routes {
        for (before, hop, after) in route.hops() {
            let is_forwarded = after.request.is_some() && !after.asks_with(RequestProblem::UpgradeMissing);
            let asks_upstream = is_forwarded && !after.asks_with(RequestProblem::ConnectionTokenMissing);
            if asks_upstream && before.request.is_some() && is_nginx(hop) {
                let siblings = working.entry(place(before, hop)).or_default();
                // One of each path and version is enough.
                let is_known =
                    |known: &&&LegView<'_>| known.path() == after.path() && version(known) == version(after);
                if !siblings.iter().any(|known| is_known(&known)) && siblings.len() < SIBLINGS {
                    siblings.push(after);
                }
            }
        }
    }
    capture.routes.iter().filter_map(|route| of_route(route, &working)).collect()
}

fn of_route(route: &RouteView<'_>, working: &BTreeMap<Place, Vec<&LegView<'_>>>) -> Option<Finding> {
    let (before, hop, after) = forwarding::stripping_hop(route)?;
    if !is_nginx(hop) || route.first.outcome == Outcome::Established {
        return None;
    }
    let own = own_field(hop, after)?;
    let siblings = working.get(&place(before, hop))?;
    let sibling = siblings
        .iter()
        .find(|sibling| sibling.path() != after.path() && version(sibling) == version(after))?;
    let path = |leg: &LegView<'_>| route.quote(leg.path().as_bytes());
    let headline = "loses the upgrade in a location with a proxy_set_header of its own";
    let upstream = sibling.connection.endpoint(Role::Server);
    let host = sibling.asked_text("host").filter(|host| {
        own == "Host" && (*host == upstream.to_string() || *host == upstream.address.to_string())
    });
    let finding = Finding::new(&RULE, Blame::proxy(&hop.proxy), headline)
        .saying(format!(
            "It forwards the upgrade for {} and drops it for {}, where it sets {own}.",
            path(sibling),
            path(before)
        ))
        .saying(
            "One proxy_set_header in a location discards all that the location would inherit, Upgrade and Connection \
             among them.",
        )
        .saying_also(host.map(|host| {
            format!("For {} the Host is {host}, as nginx sets it where nothing else is set.", path(sibling))
        }))
        .saying_also(after.status().map(|status| {
            format!("The upstream {} answers {status}.", after.connection.endpoint(Role::Server))
        }))
        .shown_by(sibling.request_packet())
        .shown_by(before.request_packet())
        .shown_by(after.packets())
        .mended_by(recipes::forward_upgrade(&Site::of(Some(&hop.proxy), before).sent_as(after)))
        .advising(recipes::INHERITANCE);
    Some(finding.about(About::Routes(vec![route.index])))
}

/// What shows that the location has a `proxy_set_header`: `Host`, which nginx would name after the upstream, or a field
/// that the client did not send.
fn own_field<'h>(hop: &'h Hop, after: &LegView<'_>) -> Option<&'h str> {
    let name = |change: &'h Change| match &change.part {
        Part::Header(name) => Some((name.as_str(), change)),
        _ => None,
    };
    let is_added = |(name, change): &(&str, &Change)| {
        change.before.is_none()
            && !name.eq_ignore_ascii_case("connection")
            && !name.eq_ignore_ascii_case("host")
    };
    let mut fields = hop.changes.iter().filter_map(name);
    let host_changed = fields.clone().any(|(name, _)| name.eq_ignore_ascii_case("host"));
    let added = fields.find(is_added).map(|(name, _)| name);
    added.or_else(|| (!host_changed && after.asked("host").is_some()).then_some("Host"))
}

fn is_nginx(hop: &Hop) -> bool {
    hop.proxy.software == Some(Software::Nginx)
}

fn place(before: &LegView<'_>, hop: &Hop) -> Place {
    (hop.proxy.address, before.connection.endpoint(Role::Server))
}

fn version(leg: &LegView<'_>) -> Option<u8> {
    leg.request.as_ref().and_then(|request| request.version)
}

/// Paths of one proxy that are compared with one that fails.
const SIBLINGS: usize = 16;

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    const OK: &[(&str, &str)] = &[("Host", "10.77.2.2:3000")];
    const LOST: &[(&str, &str)] = &[("GET", "/api/live"), ("Upgrade", ""), ("Connection", "close")];

    /// One path that is forwarded with `one`, and another one that is forwarded with `other`.
    fn two_paths(one: &[(&str, &str)], other: &[(&str, &str)]) -> Script {
        let mut script = Script::default();
        for (number, forwarded) in [one, other].into_iter().enumerate() {
            let forwarded = request_with(forwarded);
            let target = forwarded.split(' ').nth(1).unwrap().to_owned();
            // Each attempt has a key of its own.
            let key = ["dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEA=="][number];
            let with_key = |head: &str| head.replace(KEY, key);
            let mut client = script.connect(&format!("10.77.1.2:{}", 50_000 + number), PROXY);
            script.say(&mut client, From::Client, with_key(&request_with(&[("GET", &target)])));
            let mut upstream = script.connect(&format!("10.77.2.1:{}", 40_000 + number), UPSTREAM);
            script.say(&mut upstream, From::Client, with_key(&forwarded));
            let accept = crate::protocol::accept_for(key.as_bytes());
            let is_upgrade = forwarded.contains("Upgrade: websocket");
            let reply = if is_upgrade {
                switching_with(&[("Sec-WebSocket-Accept", &accept)])
            } else {
                answer("426 Upgrade Required", &[], "")
            };
            script.say(&mut upstream, From::Server, &reply);
            let named = reply.replacen("\r\n", "\r\nServer: nginx/1.22.1\r\n", 1);
            script.say(&mut client, From::Server, named);
        }
        script
    }

    #[test]
    fn a_location_that_sets_host_alone_loses_the_upgrade() {
        let script = two_paths(OK, LOST);
        assert_eq!(
            script.leading(),
            "error header-inheritance: nginx 1.22.1 (10.77.2.1) loses the upgrade in a location with a proxy_set_header \
             of its own"
        );
        assert_eq!(script.rules(), ["header-inheritance"]);
        let finding = script.finding("header-inheritance").unwrap();
        assert_eq!(
            finding.detail[0],
            "It forwards the upgrade for /ws and drops it for /api/live, where it sets Host."
        );
        assert_eq!(finding.detail.len(), 4);
        assert_eq!(finding.symptoms.iter().map(|rule| rule.name).next(), Some("upgrade-stripped"));
    }

    #[test]
    fn a_location_without_a_field_of_its_own_is_only_not_configured() {
        let own_host = ("Host", "10.77.2.2:3000");
        for (one, other, expected) in [
            (OK, [LOST, &[("X-Real-IP", "10.77.1.2"), own_host]].concat(), "header-inheritance"),
            // Nothing of its own: it would have inherited.
            (OK, [LOST, &[own_host]].concat(), "upgrade-stripped"),
            // The version is not inherited either.
            (OK, [LOST, &[("HTTP", "1.0")]].concat(), "upgrade-stripped"),
            // Nothing works.
            (&[("Upgrade", ""), ("Connection", "close")], LOST.to_vec(), "upgrade-stripped"),
        ] {
            assert_eq!(two_paths(one, &other).rules().last(), Some(&expected), "{other:?}");
        }
    }
}
