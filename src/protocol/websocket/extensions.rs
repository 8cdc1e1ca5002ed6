//! `Sec-WebSocket-Extensions` (RFC 6455 section 9.1) and the parameters of permessage-deflate (RFC 7692).

use crate::protocol::http::split_list;

/// One extension of a list: its name and its parameters, in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    /// The name, as it was written.
    pub name: &'a str,
    /// Parameters; the value without quotes.
    pub parameters: Vec<(&'a str, Option<&'a str>)>,
}

/// What both sides agreed on for permessage-deflate (RFC 7692 section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeflateParameters {
    /// No message of the client refers to those before it (RFC 7692 section 7.1.1.2).
    pub client_no_context_takeover: bool,
    /// No message of the server does (RFC 7692 section 7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Within how many bits of window the client keeps (section 7.1.2.2): 8 to 15; none if nothing legal was said.
    pub client_window_bits: Option<u8>,
    /// The same of the server (section 7.1.2.1).
    pub server_window_bits: Option<u8>,
}

/// The extensions of a header value. Anything is taken for what it looks like; what is illegal shows when it is
/// compared.
pub(super) fn parse(value: &str) -> Vec<Extension<'_>> {
    split_list(value, ',')
        .filter_map(|element| {
            let mut parts = split_list(element, ';');
            let name = parts.next()?;
            let parameters = parts.map(parameter).collect();
            Some(Extension { name, parameters })
        })
        .collect()
}

fn parameter(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, value)) => {
            let value = value.trim_matches([' ', '\t']);
            let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
            (name.trim_end_matches([' ', '\t']), Some(unquoted))
        }
        None => (text, None),
    }
}

impl Extension<'_> {
    /// Whether it is permessage-deflate.
    pub(super) fn is_deflate(&self) -> bool {
        self.name.eq_ignore_ascii_case("permessage-deflate")
    }

    /// What it says as an answer.
    pub(super) fn deflate_parameters(&self) -> DeflateParameters {
        DeflateParameters {
            client_no_context_takeover: self.has(CLIENT_NO_CONTEXT_TAKEOVER),
            server_no_context_takeover: self.has(SERVER_NO_CONTEXT_TAKEOVER),
            client_window_bits: self.bits(CLIENT_MAX_WINDOW_BITS),
            server_window_bits: self.bits(SERVER_MAX_WINDOW_BITS),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.parameters.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The number of window bits that a parameter gives.
    fn bits(&self, name: &str) -> Option<u8> {
        let (_, value) = self.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        bits((*value)?)
    }

    /// Whether the parameters of an accepted permessage-deflate are legal as an answer to `offer`
    /// (RFC 7692 sections 7.1, 7.1.1 and 7.1.2).
    pub(super) fn is_legal_answer_to(&self, offer: &Self) -> bool {
        let each_is_legal = self.parameters.iter().enumerate().all(|(at, (name, value))| {
            let repeated = self.parameters.iter().take(at).any(|(other, _)| other.eq_ignore_ascii_case(name));
            let legal = match name.to_ascii_lowercase().as_str() {
                SERVER_NO_CONTEXT_TAKEOVER | CLIENT_NO_CONTEXT_TAKEOVER => value.is_none(),
                SERVER_MAX_WINDOW_BITS | CLIENT_MAX_WINDOW_BITS => {
                    value.is_some_and(|value| bits(value).is_some())
                }
                _ => false,
            };
            legal && !repeated
        });
        // Section 7.1.2.1: no more than was offered.
        let at_most_offered = |name: &str| {
            offer.bits(name).zip(self.bits(name)).is_none_or(|(offered, answered)| answered <= offered)
        };
        // Section 7.1.2.2: only a client that offered it understands it.
        let client_bits_offered = !self.has(CLIENT_MAX_WINDOW_BITS) || offer.has(CLIENT_MAX_WINDOW_BITS);
        each_is_legal
            && client_bits_offered
            && at_most_offered(SERVER_MAX_WINDOW_BITS)
            && at_most_offered(CLIENT_MAX_WINDOW_BITS)
    }
}

/// RFC 7692 section 7.1.2: a decimal from 8 to 15 without leading zeros.
fn bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        _ => value.parse().ok().filter(|bits| (10..=15).contains(bits) && value.len() == 2),
    }
}

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_with_and_without_values() {
        let found = parse("permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\", x");
        assert_eq!(found.len(), 2);
        assert_eq!(
            found[0].parameters,
            [("client_max_window_bits", None), ("server_max_window_bits", Some("10"))]
        );
    }

    #[test]
    fn answers_are_judged_by_rfc_7692() {
        let check = |offer: &str, answer: &str, legal: bool| {
            let (offers, answers) = (parse(offer), parse(answer));
            assert_eq!(answers[0].is_legal_answer_to(&offers[0]), legal, "{offer} -> {answer}");
        };
        let browser = "permessage-deflate; client_max_window_bits";
        check(browser, "permessage-deflate", true);
        check(browser, "permessage-deflate; server_no_context_takeover; client_no_context_takeover", true);
        check(browser, "permessage-deflate; client_max_window_bits=12", true);
        check(browser, "permessage-deflate; server_max_window_bits=\"9\"", true);
        check("permessage-deflate", "permessage-deflate; client_max_window_bits=12", false);
        check(browser, "permessage-deflate; client_max_window_bits", false);
        check(browser, "permessage-deflate; server_max_window_bits=16", false);
        check(browser, "permessage-deflate; server_max_window_bits=08", false);
        check(browser, "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", false);
        check(browser, "permessage-deflate; server_no_context_takeover=1", false);
        check(browser, "permessage-deflate; unknown", false);
        check(
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=11",
            false,
        );
    }
}
