//! What the wire says, fit to be shown: redacted, unless secrets are wanted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::protocol::Fields;
use crate::{redact, text};

/// Shows what the heads of one attempt say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    /// Secrets stay.
    pub(crate) shows_secrets: bool,
}

impl Wire {
    /// A request target, a body, a reason.
    pub(crate) fn text(self, bytes: &[u8]) -> Cow<'_, str> {
        self.redacted(text::decode(bytes), redact::text)
    }

    /// The same of what is known to be text.
    pub(crate) fn message(self, text: &str) -> Cow<'_, str> {
        self.redacted(Cow::Borrowed(text), redact::text)
    }

    /// The value of a field.
    pub(crate) fn value<'a>(self, name: &str, value: &'a [u8]) -> Cow<'a, str> {
        self.redacted(text::decode(value), |value| redact::header(name, value))
    }

    /// The first value of a field; none if the head lacks it.
    pub(crate) fn first<'a>(self, fields: &Fields<'a>, name: &str) -> Option<Cow<'a, str>> {
        fields.values(name).next().map(|value| self.value(name, value))
    }

    /// All fields in the order of the wire. `offer` is what [`Self::offered`] gave for the request.
    pub(crate) fn headers<'a>(
        self,
        fields: &Fields<'a>,
        offer: &[(&str, Cow<'_, str>)],
    ) -> Vec<(&'a str, Cow<'a, str>)> {
        let secrets: BTreeMap<&str, &str> = offer
            .iter()
            .filter(|(sent, shown)| sent != shown)
            .map(|(sent, shown)| (*sent, &**shown))
            .collect();
        let show = |name: &'a str, value: &'a [u8]| match name {
            _ if secrets.is_empty() || !name.eq_ignore_ascii_case(SUBPROTOCOL) => self.value(name, value),
            _ => replace_elements(&text::decode(value), &secrets)
                .map_or_else(|| self.value(name, value), Cow::Owned),
        };
        fields.iter().map(|(name, value)| (name, show(name, value))).collect()
    }

    /// The subprotocols of a request: each as it was sent and as it is shown.
    pub(crate) fn offered<'a>(self, fields: &Fields<'a>) -> Vec<(&'a str, Cow<'a, str>)> {
        let sent = fields.list(SUBPROTOCOL);
        let shown = if self.shows_secrets {
            sent.iter().copied().map(Cow::Borrowed).collect()
        } else {
            redact::subprotocols(&sent)
        };
        sent.into_iter().zip(shown).collect()
    }

    /// The subprotocol that an answer chose. A credential that was offered and chosen stays hidden; `offered` is what
    /// [`Self::offered`] gave for the request.
    pub(crate) fn chosen(self, answer: &Fields<'_>, offered: &[(&str, Cow<'_, str>)]) -> Option<String> {
        let chosen = *answer.list(SUBPROTOCOL).first()?;
        let shown = offered.iter().find(|(sent, _)| *sent == chosen).map(|(_, shown)| shown.to_string());
        Some(shown.unwrap_or_else(|| self.value(SUBPROTOCOL, chosen.as_bytes()).into_owned()))
    }

    fn redacted(self, text: Cow<'_, str>, redact: impl Fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
        if self.shows_secrets {
            return text;
        }
        match redact(&text) {
            Cow::Owned(redacted) => Cow::Owned(redacted),
            Cow::Borrowed(_) => text,
        }
    }
}

/// A list of subprotocols with other texts for some of its elements; none if it has none of them.
fn replace_elements(list: &str, others: &BTreeMap<&str, &str>) -> Option<String> {
    let elements: Vec<&str> = list.split(',').map(str::trim).collect();
    if !elements.iter().any(|element| others.contains_key(element)) {
        return None;
    }
    let shown = redact::subprotocols(&elements);
    let shown: Vec<&str> = elements
        .iter()
        .zip(&shown)
        .map(|(element, shown)| others.get(element).copied().unwrap_or(shown))
        .collect();
    Some(shown.join(", "))
}

/// Carries credentials in many applications, since browsers let no script set other fields.
const SUBPROTOCOL: &str = "Sec-WebSocket-Protocol";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{RequestHead, ResponseHead};

    const REQUEST: &[u8] = b"GET /ws?token=a HTTP/1.1\r\nCookie: sid=1\r\n\
        Sec-WebSocket-Protocol: bearer\r\nSec-WebSocket-Protocol: hunter2, chat\r\n\r\n";
    const RESPONSE: &[u8] = b"HTTP/1.1 101 x\r\nSec-WebSocket-Protocol: hunter2\r\n\r\n";

    #[test]
    fn a_credential_stays_hidden_in_other_lines_and_in_the_answer() {
        let (request, response) =
            (RequestHead::parse(REQUEST).unwrap(), ResponseHead::parse(RESPONSE).unwrap());
        for (shows_secrets, secret, cookie) in
            [(false, "[redacted]", "sid=[redacted]"), (true, "hunter2", "sid=1")]
        {
            let wire = Wire { shows_secrets };
            let offered = wire.offered(&request.fields);
            let list = format!("{secret}, chat");
            assert_eq!(
                wire.headers(&request.fields, &offered),
                [
                    ("Cookie", cookie.into()),
                    (SUBPROTOCOL, "bearer".into()),
                    (SUBPROTOCOL, Cow::Borrowed(list.as_str()))
                ]
            );
            assert_eq!(wire.headers(&response.fields, &offered), [(SUBPROTOCOL, secret.into())]);
        }
    }
}
