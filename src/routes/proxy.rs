//! Which proxy stands at a hop, as far as the wire shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::Route;
use crate::model::Capture;
use crate::protocol::{Attempt, Fields, RequestFacts, ResponseFacts, Role};
use crate::units::Endpoint;

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The address that faces the upstream, if the capture has that leg; else the one that faces the client.
    pub address: IpAddr,
    /// What it is; none if nothing on the wire says so.
    pub software: Option<Software>,
    /// Its version, if it says so.
    pub version: Option<Version>,
}

/// Proxies that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are names")]
pub enum Software {
    Nginx,
    Haproxy,
    Apache,
    Caddy,
    Traefik,
    Envoy,
    Varnish,
    Lighttpd,
    H2o,
    Squid,
    TrafficServer,
    Tinyproxy,
    Nghttpx,
    Mitmproxy,
    Iis,
    Cloudflare,
    CloudFront,
    AwsLoadBalancer,
}

/// A version as its numbers, so far as they were sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

impl Version {
    /// Reads `1.22.1`; what follows the numbers is left out. None if it begins with none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|character: char| character != '.' && !character.is_ascii_digit());
        let numbers = text.get(..end.unwrap_or(text.len()))?.trim_matches('.');
        let numbers: Option<Vec<u32>> =
            numbers.split('.').take(4).map(|number| number.parse().ok()).collect();
        numbers.map(Self)
    }

    /// Whether it is older than another one: `1.29.6` than `[1, 29, 7]`.
    #[must_use]
    pub fn is_before(&self, other: &[u32]) -> bool {
        self.0.as_slice() < other
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&numbers.join("."))
    }
}

impl Proxy {
    /// A proxy of which only the address is known.
    #[must_use]
    pub const fn at(address: IpAddr) -> Self {
        Self { address, software: None, version: None }
    }

    /// A proxy that calls itself so in a `Server` field; nothing but the address is known if that says nothing.
    #[must_use]
    pub fn called(address: IpAddr, server: &str) -> Self {
        let (software, version) = named(server).unzip();
        Self { address, software, version: version.flatten() }
    }
}

impl Software {
    /// Its name in reports: `nginx`, `HAProxy`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Apache => "Apache",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::Envoy => "Envoy",
            Self::Varnish => "Varnish",
            Self::Lighttpd => "lighttpd",
            Self::H2o => "H2O",
            Self::Squid => "Squid",
            Self::TrafficServer => "Traffic Server",
            Self::Tinyproxy => "Tinyproxy",
            Self::Nghttpx => "nghttpx",
            Self::Mitmproxy => "mitmproxy",
            Self::Iis => "IIS",
            Self::Cloudflare => "Cloudflare",
            Self::CloudFront => "CloudFront",
            Self::AwsLoadBalancer => "AWS load balancer",
        }
    }
}

/// Names the proxies of a route.
pub(super) fn name_proxies(capture: &Capture, route: &mut Route) {
    let attempt = |leg: &super::Leg| capture.connections.get(leg.connection)?.attempts.get(leg.attempt);
    let attempts: Vec<Option<&Attempt>> = route.legs.iter().map(attempt).collect();
    let of = |at: usize| attempts.get(at).copied().flatten();
    for at in 0..route.legs.len() {
        let hop = route.legs.get(at).and_then(|leg| leg.hop.as_ref());
        let Some(from) = hop.filter(|hop| hop.is_proxy()).map(|hop| hop.from) else { continue };
        let found = recognise(of(from), of(at));
        if let (Some((software, version)), Some(leg)) = (found, route.legs.get_mut(at))
            && let Some(hop) = &mut leg.hop
        {
            hop.proxy.software = Some(software);
            hop.proxy.version = version;
        }
    }
    let Some(first) = route.legs.first() else { return };
    let Some(connection) = capture.connections.get(first.connection) else { return };
    let address = connection.endpoint(Role::Server).address;
    let (software, version) = recognise(of(0), None).unzip();
    if software.is_some() || !route.tries.is_empty() {
        route.front = Some(Proxy { address, software, version: version.flatten() });
    }
}

/// Tells of each proxy what another route showed of it: who listens at the same place is the same.
pub(super) fn share_names(capture: &Capture, routes: &mut [Route]) {
    let mut known: BTreeMap<Endpoint, (Software, Option<Version>)> = BTreeMap::new();
    let mut forwarders: BTreeSet<Endpoint> = BTreeSet::new();
    let listener = |route: &Route, from: usize| {
        let connection = capture.connections.get(route.legs.get(from)?.connection)?;
        Some(connection.endpoint(Role::Server))
    };
    for route in routes.iter() {
        for (listener, proxy) in proxies(route, listener) {
            let Some(software) = proxy.software else { continue };
            if route.legs.len() > 1 {
                forwarders.insert(listener);
            }
            let known = known.entry(listener).or_insert((software, None));
            if known.0 == software && known.1.is_none() {
                known.1.clone_from(&proxy.version);
            }
        }
    }
    for route in routes.iter_mut() {
        // Who is seen to hand attempts on is a proxy, and the same one where it gives no answer.
        if let (None, Some(first)) = (&route.front, listener(route, 0).filter(|it| forwarders.contains(it))) {
            route.front = Some(Proxy::at(first.address));
        }
        let found: Vec<Endpoint> =
            proxies(route, listener).into_iter().map(|(listener, _)| listener).collect();
        let hops = route.legs.iter_mut().filter_map(|leg| leg.hop.as_mut());
        let hops = hops.filter(|hop| hop.is_proxy()).map(|hop| &mut hop.proxy);
        for (proxy, listener) in hops.chain(route.front.as_mut()).zip(found) {
            let Some((software, version)) = known.get(&listener) else { continue };
            if proxy.software.is_none_or(|own| own == *software) {
                proxy.software = Some(*software);
                proxy.version = proxy.version.take().or_else(|| version.clone());
            }
        }
    }
}

/// The proxies of a route, each with the place where it listens: those of the hops, then the one in front.
fn proxies(route: &Route, listener: impl Fn(&Route, usize) -> Option<Endpoint>) -> Vec<(Endpoint, &Proxy)> {
    let hops = route.legs.iter().filter_map(|leg| leg.hop.as_ref()).filter(|hop| hop.is_proxy());
    let hops = hops.filter_map(|hop| Some((listener(route, hop.from)?, &hop.proxy)));
    hops.chain(route.front.as_ref().and_then(|front| Some((listener(route, 0)?, front)))).collect()
}

/// What stands between two legs; `after` is none if the capture lacks it.
fn recognise(before: Option<&Attempt>, after: Option<&Attempt>) -> Option<(Software, Option<Version>)> {
    let answer = before.and_then(|attempt| attempt.response.as_ref()).map(ResponseFacts::head);
    let upstream = after.and_then(|attempt| attempt.response.as_ref()).map(ResponseFacts::head);
    if let Some(answer) = &answer {
        let server = text(&answer.fields, "server");
        let passed_on = upstream.as_ref().and_then(|upstream| text(&upstream.fields, "server"));
        // What the upstream calls itself says nothing about the proxy.
        let own = server.filter(|server| passed_on != Some(server));
        if let Some(found) =
            own.and_then(named).or_else(|| from_via(&answer.fields, upstream.as_ref().map(|it| &it.fields)))
        {
            return Some(found);
        }
        if let Some(found) = by_answer(&answer.fields) {
            return Some((found, None));
        }
    }
    let is_passed_on =
        upstream.as_ref().map(|upstream| upstream.status) == answer.as_ref().map(|it| it.status);
    if let (Some(software), false) = (before.and_then(by_page), is_passed_on) {
        return Some((software, None));
    }
    let request = after.and_then(|attempt| attempt.request.as_ref()).map(RequestFacts::head)?;
    let asked = before.and_then(|attempt| attempt.request.as_ref()).map(RequestFacts::head);
    let asked = asked.as_ref().map(|asked| &asked.fields);
    from_via(&request.fields, asked)
        .or_else(|| by_request(asked, &request.fields).map(|software| (software, None)))
}

/// What a proxy is by the request that it sends, where nobody sees what it got.
pub(super) fn by_what_it_sends(sent: &Attempt) -> Option<Software> {
    let request = sent.request.as_ref()?.head();
    let first: Vec<(&str, &[u8])> = request.fields.iter().take(2).collect();
    // As its documentation has it, and before what the client sent; programs begin with Host, or write Upgrade.
    let is_nginx = matches!(first[..], [("Upgrade", _), ("Connection", b"upgrade")]);
    let known = from_via(&request.fields, None).map(|(software, _)| software);
    known.or_else(|| by_request(None, &request.fields)).or(is_nginx.then_some(Software::Nginx))
}

/// From a product token such as `nginx/1.22.1` (RFC 9110 section 10.2.4).
fn named(server: &str) -> Option<(Software, Option<Version>)> {
    let product = server.split([' ', '(']).next().unwrap_or_default();
    let (name, version) =
        product.split_once('/').map_or((product, None), |(name, version)| (name, Some(version)));
    let known =
        NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, software)| *software)?;
    // OpenResty counts as nginx does, with one number more.
    Some((known, version.and_then(Version::parse)))
}

/// From the comments and pseudonyms of `Via` that the proxy added itself to a message that it got (RFC 9110 section
/// 7.6.3).
fn from_via(fields: &Fields<'_>, got: Option<&Fields<'_>>) -> Option<(Software, Option<Version>)> {
    let own = fields.list("via");
    let passed_on = got.map(|got| got.list("via")).unwrap_or_default();
    let added = own.iter().rev().find(|element| !passed_on.contains(element))?;
    let words = added.split([' ', '(', ')']);
    words.filter(|word| !word.is_empty()).find_map(named)
}

/// From fields that one product alone writes into answers.
fn by_answer(fields: &Fields<'_>) -> Option<Software> {
    let has = |name: &str| fields.values(name).next().is_some();
    [
        ("cf-ray", Software::Cloudflare),
        ("x-amz-cf-id", Software::CloudFront),
        ("x-envoy-upstream-service-time", Software::Envoy),
        ("x-varnish", Software::Varnish),
    ]
    .into_iter()
    .find(|(name, _)| has(name))
    .map(|(_, software)| software)
}

/// From an error page that one product alone writes.
fn by_page(attempt: &Attempt) -> Option<Software> {
    let response = attempt.response.as_ref()?;
    let starts = |start: String| response.body_start.starts_with(start.as_bytes());
    let (status, head) = (response.status, response.head());
    // HAProxy's come without Date and Server (measured with 2.6); Envoy's are plain text.
    let is_bare = ["server", "date"].into_iter().all(|name| head.fields.values(name).next().is_none());
    if is_bare && starts(format!("<html><body><h1>{status} ")) {
        return Some(Software::Haproxy);
    }
    let is_envoys = starts("upstream connect error or disconnect/reset before headers".to_owned());
    is_envoys.then_some(Software::Envoy)
}

/// From what the proxy adds to requests, and how it writes them.
fn by_request(before: Option<&Fields<'_>>, after: &Fields<'_>) -> Option<Software> {
    let added = |name: &str| {
        after.values(name).next().is_some()
            && before.is_none_or(|before| before.values(name).next().is_none())
    };
    if added("x-envoy-expected-rq-timeout-ms") || added("x-envoy-external-address") {
        return Some(Software::Envoy);
    }
    if added("x-forwarded-server") {
        // Traefik names itself there too, and says the port besides.
        return Some(if added("x-forwarded-port") { Software::Traefik } else { Software::Apache });
    }
    if added("x-arr-log-id") || added("x-original-url") {
        return Some(Software::Iis);
    }
    if added("x-amzn-trace-id") {
        return Some(Software::AwsLoadBalancer);
    }
    if added("cf-connecting-ip") {
        return Some(Software::Cloudflare);
    }
    if added("x-varnish") {
        return Some(Software::Varnish);
    }
    // Both write all names in small letters, whatever the client did; Envoy also names the request.
    let is_small = |fields: &Fields<'_>| {
        fields.iter().all(|(name, _)| !name.bytes().any(|byte| byte.is_ascii_uppercase()))
    };
    let was_mixed = before.is_some_and(|before| !is_small(before));
    let is_rewritten = was_mixed && is_small(after);
    // Programs for Node.js write small letters too, some of them in another order.
    let keeps_order = before.is_some_and(|before| is_in_order(before, after));
    if is_rewritten && added("x-request-id") {
        return Some(Software::Envoy);
    }
    if added("x-host") && added("x-forwarded-host") {
        return Some(Software::Lighttpd);
    }
    (is_rewritten && keeps_order).then_some(Software::Haproxy)
}

/// Whether the fields that both requests have stand in the same order.
fn is_in_order(before: &Fields<'_>, after: &Fields<'_>) -> bool {
    let common = |of: &Fields<'_>, other: &Fields<'_>| -> Vec<String> {
        let names = of.iter().map(|(name, _)| name.to_ascii_lowercase());
        names.filter(|name| other.values(name).next().is_some()).collect()
    };
    common(before, after) == common(after, before)
}

fn text<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a str> {
    fields.texts(name).next()
}

/// Product tokens.
const NAMES: &[(&str, Software)] = &[
    ("nginx", Software::Nginx),
    ("openresty", Software::Nginx),
    ("haproxy", Software::Haproxy),
    ("apache", Software::Apache),
    ("caddy", Software::Caddy),
    ("traefik", Software::Traefik),
    ("envoy", Software::Envoy),
    ("istio-envoy", Software::Envoy),
    ("varnish", Software::Varnish),
    ("lighttpd", Software::Lighttpd),
    ("h2o", Software::H2o),
    ("squid", Software::Squid),
    ("ats", Software::TrafficServer),
    ("apachetrafficserver", Software::TrafficServer),
    ("tinyproxy", Software::Tinyproxy),
    ("nghttpx", Software::Nghttpx),
    ("mitmproxy", Software::Mitmproxy),
    ("microsoft-iis", Software::Iis),
    ("cloudflare", Software::Cloudflare),
    ("cloudfront", Software::CloudFront),
    ("awselb", Software::AwsLoadBalancer),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::RequestHead;

    #[test]
    fn a_via_tells_the_product_that_added_it() {
        let fields = |via: &[&str]| {
            let fields: Vec<String> = via.iter().map(|value| format!("Via: {value}\r\n")).collect();
            format!("GET /ws HTTP/1.1\r\n{}\r\n", fields.concat())
        };
        let cases: [(&[&str], &[&str], Option<Software>); 5] = [
            (&["1.1 vm (tinyproxy/1.11.1)"], &[], Some(Software::Tinyproxy)),
            (&["http/1.1 edge (ApacheTrafficServer/9.2.9 [c s f ])"], &[], Some(Software::TrafficServer)),
            (&["1.1 a (squid/5.7)", "1.1 nghttpx"], &["1.1 a (squid/5.7)"], Some(Software::Nghttpx)),
            (&["1.1 a (squid/5.7)"], &["1.1 a (squid/5.7)"], None),
            (&["1.1 10.0.0.1:8080"], &[], None),
        ];
        for (sent, got, expected) in cases {
            let (sent, got) = (fields(sent), fields(got));
            let (sent, got) =
                (RequestHead::parse(sent.as_bytes()).unwrap(), RequestHead::parse(got.as_bytes()).unwrap());
            let found = from_via(&sent.fields, Some(&got.fields)).map(|(software, _)| software);
            assert_eq!(found, expected, "{sent:?}");
        }
    }

    #[test]
    fn how_fields_are_written_tells_the_product() {
        let asked = b"GET /ws HTTP/1.1\r\nUser-Agent: x\r\nOrigin: http://a.test\r\nHost: a.test\r\n\r\n";
        let asked = RequestHead::parse(asked).unwrap();
        for (forwarded, expected) in [
            ("user-agent: x\r\norigin: http://a.test\r\nhost: a.test\r\n", Some(Software::Haproxy)),
            // http-proxy of Node.js turns them round.
            ("host: a.test\r\norigin: http://a.test\r\nuser-agent: x\r\n", None),
            ("user-agent: x\r\nhost: a.test\r\nx-request-id: 1\r\n", Some(Software::Envoy)),
            ("User-Agent: x\r\nHost: a.test\r\n", None),
            ("Host: a.test\r\nX-Host: a.test\r\nX-Forwarded-Host: a.test\r\n", Some(Software::Lighttpd)),
        ] {
            let head = format!("GET /ws HTTP/1.1\r\n{forwarded}\r\n");
            let head = RequestHead::parse(head.as_bytes()).unwrap();
            assert_eq!(by_request(Some(&asked.fields), &head.fields), expected, "{forwarded}");
        }
    }
}
