//! The opening handshake: what RFC 6455 sections 4.1 and 4.2 ask of a request and of its answer.
//!
//! Only what the head shows is a problem. A head that the capture has in part can have wrong fields, but no
//! missing ones.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::extensions::{self, Extension};
use crate::protocol::http::{RequestHead, ResponseHead};

/// What is wrong with a request (RFC 6455 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestProblem {
    /// No `Upgrade` field with the token `websocket`.
    UpgradeMissing,
    /// No `Connection` field with the token `upgrade`.
    ConnectionTokenMissing,
    /// No `Sec-WebSocket-Key`.
    KeyMissing,
    /// A key that is not the base64 form of 16 bytes.
    KeyInvalid,
    /// More than one `Sec-WebSocket-Key` (section 11.3.1).
    KeyRepeated,
    /// No `Sec-WebSocket-Version`.
    VersionMissing,
    /// A version other than 13.
    VersionUnsupported,
    /// HTTP/1.0, in which Upgrade means nothing (RFC 9110 section 7.8).
    HttpVersionTooLow,
    /// A method other than GET.
    MethodNotGet,
    /// The request announces a body.
    BodyPresent,
}

impl RequestProblem {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpgradeMissing => "upgrade-missing",
            Self::ConnectionTokenMissing => "connection-token-missing",
            Self::KeyMissing => "key-missing",
            Self::KeyInvalid => "key-invalid",
            Self::KeyRepeated => "key-repeated",
            Self::VersionMissing => "version-missing",
            Self::VersionUnsupported => "version-unsupported",
            Self::HttpVersionTooLow => "http-version-too-low",
            Self::MethodNotGet => "method-not-get",
            Self::BodyPresent => "body-present",
        }
    }
}

/// What is wrong with a 101 answer (RFC 6455 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResponseProblem {
    /// `Sec-WebSocket-Accept` is not what the key asks for.
    AcceptWrong,
    /// No `Sec-WebSocket-Accept`.
    AcceptMissing,
    /// No `Upgrade` field with the token `websocket`.
    UpgradeMissing,
    /// No `Connection` field with the token `upgrade`.
    ConnectionTokenMissing,
    /// A subprotocol that the client did not offer.
    SubprotocolNotOffered,
    /// The client offered subprotocols and none was chosen. Legal, but browsers give up.
    SubprotocolMissing,
    /// More than one subprotocol was chosen (section 11.3.4).
    SubprotocolRepeated,
    /// An extension that the client did not offer.
    ExtensionNotOffered,
    /// permessage-deflate with parameters that RFC 7692 section 7.1 does not allow as an answer to the offer.
    ExtensionParameterInvalid,
    /// The answer announces a body, which a 101 cannot have (RFC 9110 section 15.2).
    BodyPresent,
}

impl ResponseProblem {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcceptWrong => "accept-wrong",
            Self::AcceptMissing => "accept-missing",
            Self::UpgradeMissing => "upgrade-missing",
            Self::ConnectionTokenMissing => "connection-token-missing",
            Self::SubprotocolNotOffered => "subprotocol-not-offered",
            Self::SubprotocolMissing => "subprotocol-missing",
            Self::SubprotocolRepeated => "subprotocol-repeated",
            Self::ExtensionNotOffered => "extension-not-offered",
            Self::ExtensionParameterInvalid => "extension-parameter-invalid",
            Self::BodyPresent => "body-present",
        }
    }

    /// Whether the client must fail the connection for it (RFC 6455 section 4.1, RFC 7692 section 7.1).
    ///
    /// Two chosen subprotocols are one value `a, b` (RFC 9110 section 5.3), which nobody can have offered.
    #[must_use]
    pub const fn is_fatal(self) -> bool {
        !matches!(self, Self::SubprotocolMissing | Self::BodyPresent)
    }
}

/// What is known of `Sec-WebSocket-Accept`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// It is what the key asks for.
    Valid,
    /// It is something else.
    Wrong,
    /// A 101 without it.
    Missing,
    /// Nothing to check: no 101, or no key in the capture.
    #[default]
    Unchecked,
}

/// Whether a request shows WebSocket intent: an upgrade token, or any of the handshake's own fields.
#[must_use]
pub fn shows_intent(request: &RequestHead<'_>) -> bool {
    request.fields.iter().any(|(name, value)| {
        let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
        (first == Some(b's') && is_handshake_field(name))
            || (first == Some(b'u') && name.eq_ignore_ascii_case("upgrade") && has_token(value, "websocket"))
    })
}

/// What is wrong with a request. `complete` says whether the capture has the whole head.
#[must_use]
pub fn request_problems(request: &RequestHead<'_>, complete: bool) -> Vec<RequestProblem> {
    let keys: Vec<&[u8]> = request.fields.values("sec-websocket-key").collect();
    let mut versions = request.fields.values("sec-websocket-version");
    let version = versions.next();
    let missing = |is_missing: bool| complete && is_missing;
    let has_body = request.fields.values("transfer-encoding").next().is_some()
        || announces_body(request.fields.values("content-length"));
    let found = [
        (missing(!request.fields.has_token("upgrade", "websocket")), RequestProblem::UpgradeMissing),
        (missing(!request.fields.has_token("connection", "upgrade")), RequestProblem::ConnectionTokenMissing),
        (missing(keys.is_empty()), RequestProblem::KeyMissing),
        (keys.first().is_some_and(|key| !is_valid_key(key)), RequestProblem::KeyInvalid),
        (keys.len() > 1, RequestProblem::KeyRepeated),
        (missing(version.is_none()), RequestProblem::VersionMissing),
        (version.is_some_and(|version| version != b"13"), RequestProblem::VersionUnsupported),
        (request.version == Some(0), RequestProblem::HttpVersionTooLow),
        (!request.method.is_empty() && request.method != "GET", RequestProblem::MethodNotGet),
        (has_body, RequestProblem::BodyPresent),
    ];
    found.into_iter().filter(|(is_found, _)| *is_found).map(|(_, problem)| problem).collect()
}

/// What is wrong with a 101, and whether its accept value is right. `request` is what the capture has of the
/// request, `complete` whether the capture has the whole of each head.
#[must_use]
pub fn response_problems(
    request: Option<(&RequestHead<'_>, bool)>,
    response: &ResponseHead<'_>,
    complete: bool,
) -> (Vec<ResponseProblem>, Accept) {
    let accept = check_accept(request.map(|(request, _)| request), response, complete);
    // What was offered is known only if the whole request is.
    let whole_request = request.filter(|(_, complete)| *complete).map(|(request, _)| request);
    let missing = |is_missing: bool| complete && is_missing;
    let (subprotocol_not_offered, subprotocol_missing) = check_subprotocol(whole_request, response);
    let (extension_not_offered, extension_parameter_invalid) = check_extensions(whole_request, response);
    let has_body = response.fields.values("transfer-encoding").next().is_some()
        || announces_body(response.fields.values("content-length"));
    let found = [
        (accept == Accept::Wrong, ResponseProblem::AcceptWrong),
        (accept == Accept::Missing, ResponseProblem::AcceptMissing),
        (missing(!response.fields.has_token("upgrade", "websocket")), ResponseProblem::UpgradeMissing),
        (
            missing(!response.fields.has_token("connection", "upgrade")),
            ResponseProblem::ConnectionTokenMissing,
        ),
        (subprotocol_not_offered, ResponseProblem::SubprotocolNotOffered),
        (missing(subprotocol_missing), ResponseProblem::SubprotocolMissing),
        (response.fields.list("sec-websocket-protocol").len() > 1, ResponseProblem::SubprotocolRepeated),
        (extension_not_offered, ResponseProblem::ExtensionNotOffered),
        (extension_parameter_invalid, ResponseProblem::ExtensionParameterInvalid),
        (has_body, ResponseProblem::BodyPresent),
    ];
    (found.into_iter().filter(|(is_found, _)| *is_found).map(|(_, problem)| problem).collect(), accept)
}

/// Whether an answer agrees on permessage-deflate.
#[must_use]
pub fn agreed_deflate(response: &ResponseHead<'_>) -> bool {
    let values: Vec<&str> = response.fields.texts("sec-websocket-extensions").collect();
    values.iter().flat_map(|value| extensions::parse(value)).any(|extension| extension.is_deflate())
}

/// The accept value for a key (RFC 6455 section 4.2.2, item 5.4).
#[must_use]
pub fn accept_for(key: &[u8]) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

fn check_accept(request: Option<&RequestHead<'_>>, response: &ResponseHead<'_>, complete: bool) -> Accept {
    let keys: Vec<&[u8]> =
        request.map(|request| request.fields.values("sec-websocket-key").collect()).unwrap_or_default();
    match (response.fields.values("sec-websocket-accept").next(), keys.as_slice()) {
        (None, _) if complete => Accept::Missing,
        (None, _) | (Some(_), []) => Accept::Unchecked,
        (Some(accept), keys) if keys.iter().any(|key| accept_for(key).as_bytes() == accept) => Accept::Valid,
        (Some(_), _) => Accept::Wrong,
    }
}

/// Whether the chosen subprotocol was not offered, and whether none was chosen though some were offered.
fn check_subprotocol(request: Option<&RequestHead<'_>>, response: &ResponseHead<'_>) -> (bool, bool) {
    let Some(request) = request else { return (false, false) };
    let offered = request.fields.list("sec-websocket-protocol");
    let chosen = response.fields.list("sec-websocket-protocol");
    (chosen.iter().any(|chosen| !offered.contains(chosen)), chosen.is_empty() && !offered.is_empty())
}

/// Whether an extension was not offered, and whether one came with parameters that are no answer to the offer.
fn check_extensions(request: Option<&RequestHead<'_>>, response: &ResponseHead<'_>) -> (bool, bool) {
    let Some(request) = request else { return (false, false) };
    let offer_values: Vec<&str> = request.fields.texts("sec-websocket-extensions").collect();
    let answer_values: Vec<&str> = response.fields.texts("sec-websocket-extensions").collect();
    let offered: Vec<Extension<'_>> =
        offer_values.iter().flat_map(|value| extensions::parse(value)).collect();
    let answered: Vec<Extension<'_>> =
        answer_values.iter().flat_map(|value| extensions::parse(value)).collect();
    let same = |a: &Extension<'_>, b: &Extension<'_>| a.name.eq_ignore_ascii_case(b.name);
    let not_offered = answered.iter().any(|answer| !offered.iter().any(|offer| same(offer, answer)));
    let illegal = answered.iter().filter(|answer| answer.is_deflate()).any(|answer| {
        let mut offers = offered.iter().filter(|offer| offer.is_deflate()).peekable();
        offers.peek().is_some() && !offers.any(|offer| answer.is_legal_answer_to(offer))
    });
    let repeated = answered.iter().filter(|answer| answer.is_deflate()).count() > 1;
    (not_offered, illegal || repeated)
}

/// `Sec-WebSocket-Key`, `-Version`, `-Protocol`, `-Extensions`, and the `Key1`, `Key2` of the drafts.
fn is_handshake_field(name: &str) -> bool {
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// RFC 6455 section 4.1, item 7: 16 bytes in base64, so 24 characters of which the last two are padding.
fn is_valid_key(key: &[u8]) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

fn announces_body<'a>(mut lengths: impl Iterator<Item = &'a [u8]>) -> bool {
    lengths.any(|length| length.iter().any(|digit| *digit != b'0'))
}

/// Whether a comma-separated list has a token, in any case.
fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

const PREFIX: &str = "sec-websocket-";

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
