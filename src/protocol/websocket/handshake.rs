//! The opening handshake: what RFC 6455 sections 4.1 and 4.2 ask of a request and of its answer.
//!
//! Only what the head shows is a problem. A head that the capture has in part can have wrong fields, but no
//! missing ones.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use smallvec::smallvec;

use super::extensions::{self, DeflateParameters, Extension};
use crate::protocol::attempt::RequestFacts;
use crate::protocol::http::{Lines, Relevant, RequestHead, RequestLine, split_list};

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
    /// HTTP/1.0, in which servers must ignore Upgrade (RFC 9110 section 7.8).
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

/// What a request asks for, as far as its answer is measured by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The accept value that belongs to the key, if there is one key.
    pub(in crate::protocol) accept: Option<[u8; ACCEPT_BYTES]>,
    /// Where in the head the only line of subprotocols, and that of extensions, stands: to read the answer takes no
    /// second look at all the fields.
    subprotocols: Option<Range<u32>>,
    extensions: Option<Range<u32>>,
    /// One of these has several lines, or there are several keys: the head has to be read again.
    is_manifold: bool,
}

impl Offer {
    fn of(fields: &Relevant<'_>, bytes: &[u8]) -> Self {
        let only = |lines: &Lines<'_>| match lines[..] {
            [line] => place_of(line, bytes),
            _ => None,
        };
        let several = [&fields.keys, &fields.subprotocols, &fields.extensions];
        Self {
            accept: fields.keys.first().map(|key| accept_bytes(key)),
            subprotocols: only(&fields.subprotocols),
            extensions: only(&fields.extensions),
            is_manifold: several.iter().any(|lines| lines.len() > 1),
        }
    }

    /// Whether the answer cannot be judged without the bytes of the request.
    pub(crate) const fn needs_head(&self) -> bool {
        self.is_manifold || self.subprotocols.is_some() || self.extensions.is_some()
    }
}

/// Where a part of some bytes stands in them.
fn place_of(part: &[u8], bytes: &[u8]) -> Option<Range<u32>> {
    let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    let end = start.checked_add(part.len()).filter(|end| *end <= bytes.len())?;
    Some(u32::try_from(start).ok()?..u32::try_from(end).ok()?)
}

/// What a request shows of the handshake: what is wrong with it, and what it asks for. `None` if it shows no
/// WebSocket intent: neither an upgrade token nor any of the handshake's own fields. `fields` and `bytes` are those of
/// the head; `complete` says whether the capture has the whole of it.
#[must_use]
pub(crate) fn read_request(
    line: RequestLine<'_>,
    fields: &Relevant<'_>,
    bytes: &[u8],
    complete: bool,
) -> Option<(Vec<RequestProblem>, Offer)> {
    let has_intent = fields.upgrades || fields.has_handshake_field;
    has_intent.then(|| (request_problems(line, fields, complete), Offer::of(fields, bytes)))
}

/// The same for a request without intent that was answered as if it had some.
#[must_use]
pub(crate) fn read_unasked(
    request: &RequestHead<'_>,
    bytes: &[u8],
    complete: bool,
) -> (Vec<RequestProblem>, Offer) {
    let fields = Relevant::of(&request.fields);
    (request_problems(request.line(), &fields, complete), Offer::of(&fields, bytes))
}

fn request_problems(line: RequestLine<'_>, fields: &Relevant<'_>, complete: bool) -> Vec<RequestProblem> {
    let missing = |is_missing: bool| complete && is_missing;
    let found = [
        (missing(!fields.upgrades), RequestProblem::UpgradeMissing),
        (missing(!fields.connection_upgrades), RequestProblem::ConnectionTokenMissing),
        (missing(fields.keys.is_empty()), RequestProblem::KeyMissing),
        (fields.keys.first().is_some_and(|key| !is_valid_key(key)), RequestProblem::KeyInvalid),
        (fields.keys.len() > 1, RequestProblem::KeyRepeated),
        (missing(fields.version.is_none()), RequestProblem::VersionMissing),
        (fields.version.is_some_and(|version| version != b"13"), RequestProblem::VersionUnsupported),
        (line.version == Some(0), RequestProblem::HttpVersionTooLow),
        (!line.method.is_empty() && line.method != b"GET", RequestProblem::MethodNotGet),
        (fields.announces_body, RequestProblem::BodyPresent),
    ];
    problems_of(found)
}

/// What is wrong with a 101, and whether its accept value is right. `fields` are those of the answer; `complete` says
/// whether the capture has the whole head.
#[must_use]
pub(crate) fn read_response(
    request: Option<&RequestFacts>,
    fields: &Relevant<'_>,
    complete: bool,
) -> (Vec<ResponseProblem>, Accept) {
    let asked = request.map(Asked::of).unwrap_or_default();
    let accept = check_accept(request, &asked.keys, fields.accept, complete);
    // What was offered is known only if the whole request is.
    let asked = Some(asked).filter(|_| request.is_some_and(|request| request.complete));
    let missing = |is_missing: bool| complete && is_missing;
    let subprotocols = check_subprotocol(asked.as_ref(), fields);
    let extensions = asked.filter(|_| !fields.extensions.is_empty());
    let extensions = extensions.map(|asked| check_extensions(&asked.extensions, &fields.extensions));
    let found = [
        (accept == Accept::Wrong, ResponseProblem::AcceptWrong),
        (accept == Accept::Missing, ResponseProblem::AcceptMissing),
        (missing(!fields.upgrades), ResponseProblem::UpgradeMissing),
        (missing(!fields.connection_upgrades), ResponseProblem::ConnectionTokenMissing),
        (subprotocols.not_offered, ResponseProblem::SubprotocolNotOffered),
        (missing(subprotocols.missing), ResponseProblem::SubprotocolMissing),
        (subprotocols.repeated, ResponseProblem::SubprotocolRepeated),
        (extensions.is_some_and(|found| found.not_offered), ResponseProblem::ExtensionNotOffered),
        (extensions.is_some_and(|found| found.illegal), ResponseProblem::ExtensionParameterInvalid),
        (fields.announces_body, ResponseProblem::BodyPresent),
    ];
    (problems_of(found), accept)
}

/// The problems that there are. Of most heads there is none, which is soon told.
fn problems_of<P: Copy, const N: usize>(found: [(bool, P); N]) -> Vec<P> {
    if !found.iter().fold(false, |any, (is_found, _)| any | is_found) {
        return Vec::new();
    }
    found.into_iter().filter(|(is_found, _)| *is_found).map(|(_, problem)| problem).collect()
}

/// What an answer agrees on for permessage-deflate; none if it does not have it.
#[must_use]
pub(crate) fn agreed_deflate(response: &Relevant<'_>) -> Option<DeflateParameters> {
    let extensions = extensions_of(&response.extensions);
    extensions.iter().find(|extension| extension.is_deflate()).map(Extension::deflate_parameters)
}

/// The accept value for a key (RFC 6455 section 4.2.2, item 5.4).
#[must_use]
pub fn accept_for(key: &[u8]) -> String {
    accept_bytes(key).into_iter().map(char::from).collect()
}

fn accept_bytes(key: &[u8]) -> [u8; ACCEPT_BYTES] {
    let mut accept = [0; ACCEPT_BYTES];
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    // The lengths fit: 20 bytes are 28 characters.
    let _ = STANDARD.encode_slice(digest, &mut accept);
    accept
}

/// What a request asked for, as its answer is compared with it.
#[derive(Debug, Default)]
struct Asked<'a> {
    subprotocols: Lines<'a>,
    extensions: Lines<'a>,
    /// All keys, if there are several.
    keys: Lines<'a>,
}

impl<'a> Asked<'a> {
    fn of(request: &'a RequestFacts) -> Self {
        let offer = &request.offer;
        if offer.is_manifold {
            let Relevant { subprotocols, extensions, keys, .. } = Relevant::of(&request.head().fields);
            return Self { subprotocols, extensions, keys };
        }
        let line = |place: &Option<Range<u32>>| -> Lines<'a> {
            let place = place.as_ref().map(|place| place.start as usize..place.end as usize);
            place.and_then(|place| request.bytes.get(place)).map_or_else(Lines::new, |line| smallvec![line])
        };
        let (subprotocols, extensions) = (line(&offer.subprotocols), line(&offer.extensions));
        Self { subprotocols, extensions, keys: Lines::new() }
    }
}

fn check_accept(
    request: Option<&RequestFacts>,
    keys: &[&[u8]],
    accept: Option<&[u8]>,
    complete: bool,
) -> Accept {
    let Some(accept) = accept else {
        return if complete { Accept::Missing } else { Accept::Unchecked };
    };
    let Some(expected) = request.and_then(|request| request.offer.accept) else { return Accept::Unchecked };
    // Of repeated keys nobody can tell which one the server took.
    let is_valid = expected == accept || keys.iter().any(|key| accept_bytes(key) == accept);
    if is_valid { Accept::Valid } else { Accept::Wrong }
}

/// What is wrong with the choice of a subprotocol.
#[derive(Clone, Copy, Debug, Default)]
struct SubprotocolChoice {
    not_offered: bool,
    missing: bool,
    repeated: bool,
}

fn check_subprotocol(asked: Option<&Asked<'_>>, response: &Relevant<'_>) -> SubprotocolChoice {
    if response.subprotocols.is_empty() && asked.is_none_or(|asked| asked.subprotocols.is_empty()) {
        return SubprotocolChoice::default();
    }
    let chosen: Vec<&str> = elements(&response.subprotocols).collect();
    let repeated = chosen.len() > 1;
    let Some(asked) = asked else {
        return SubprotocolChoice { repeated, ..SubprotocolChoice::default() };
    };
    let offered: Vec<&str> = elements(&asked.subprotocols).collect();
    SubprotocolChoice {
        not_offered: chosen.iter().any(|chosen| !offered.contains(chosen)),
        missing: chosen.is_empty() && !offered.is_empty(),
        repeated,
    }
}

/// What is wrong with the extensions that were accepted.
#[derive(Clone, Copy, Debug, Default)]
struct ExtensionChoice {
    not_offered: bool,
    /// permessage-deflate that is no answer to any of its offers, or is there twice.
    illegal: bool,
}

fn check_extensions(offered: &[&[u8]], answered: &[&[u8]]) -> ExtensionChoice {
    let (offered, answered) = (extensions_of(offered), extensions_of(answered));
    let same = |a: &Extension<'_>, b: &Extension<'_>| a.name.eq_ignore_ascii_case(b.name);
    let answers_an_offer = |answer: &Extension<'_>| {
        offered.iter().any(|offer| offer.is_deflate() && answer.is_legal_answer_to(offer))
    };
    let deflate: Vec<&Extension<'_>> = answered.iter().filter(|answer| answer.is_deflate()).collect();
    let is_offered = offered.iter().any(Extension::is_deflate);
    ExtensionChoice {
        not_offered: answered.iter().any(|answer| !offered.iter().any(|offer| same(offer, answer))),
        illegal: deflate.len() > 1 || (is_offered && deflate.iter().any(|answer| !answers_an_offer(answer))),
    }
}

fn extensions_of<'a>(lines: &[&'a [u8]]) -> Vec<Extension<'a>> {
    texts(lines).flat_map(extensions::parse).collect()
}

/// The elements of a list, over all its lines.
fn elements<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a str> {
    texts(lines).flat_map(|line| split_list(line, ','))
}

/// The lines that are UTF-8.
fn texts<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = &'a str> {
    lines.iter().filter_map(|line| str::from_utf8(line).ok())
}

/// RFC 6455 section 4.1, item 7: 16 bytes in base64, so 24 characters of which the last two are padding.
fn is_valid_key(key: &[u8]) -> bool {
    let mut bytes = [0; KEY_BYTES + 2];
    key.len() == KEY_CHARACTERS && STANDARD.decode_slice(key, &mut bytes) == Ok(KEY_BYTES)
}

/// RFC 6455 section 4.1, item 7: a nonce of so many bytes, which are so many characters in base64.
const KEY_BYTES: usize = 16;
const KEY_CHARACTERS: usize = 24;

/// The base64 form of a SHA-1.
pub const ACCEPT_BYTES: usize = 28;

/// RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
