//! Requests that ask for no upgrade, and their answers: what else the client and the server had to say.

use std::collections::VecDeque;

use super::head::{RequestHead, ResponseHead};
use crate::limits;
use crate::units::Origin;

/// A request that is no upgrade attempt, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Where the request begins.
    pub request: Origin,
    /// Whether the capture has the whole head of the request.
    pub complete: bool,
    /// The method; empty if the capture lacks it.
    pub method: Box<str>,
    /// The target: the first [`limits::EXCHANGE_REQUEST_BYTES`]; empty if the capture lacks it.
    pub target: Box<str>,
    /// The first `Host` field: the first [`limits::EXCHANGE_REQUEST_BYTES`].
    pub host: Option<Box<str>>,
    /// The first `Origin` field (RFC 6454 section 7): the first [`limits::EXCHANGE_REQUEST_BYTES`].
    pub origin: Option<Box<str>>,
    /// `Connection` has the token `upgrade` and there is no `Upgrade` field: what is left of an upgrade request if
    /// somebody on the way removed the field that must not be passed on and kept the one that says so (RFC 9110
    /// sections 7.6.1 and 7.8).
    pub asks_connection_upgrade: bool,
    /// The final answer; none if there is none in the capture.
    pub answer: Option<ExchangeAnswer>,
    /// The answer came, or may have come, in bytes that the capture lacks.
    pub response_lost: bool,
    /// Its number on the connection.
    number: u32,
}

/// The final answer of an exchange. Of each field the first line is kept, and of that the first
/// [`limits::EXCHANGE_ANSWER_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeAnswer {
    /// Where it begins.
    pub origin: Origin,
    /// The status code: three digits.
    pub status: u16,
    /// `Server`: who says that they answer (RFC 9110 section 10.2.4).
    pub server: Option<Box<str>>,
    /// `Location`: where else to look (RFC 9110 section 10.2.2).
    pub location: Option<Box<str>>,
    /// `Content-Type` (RFC 9110 section 8.3).
    pub content_type: Option<Box<str>>,
    /// How the body of a refusal (400 and more) begins: the first [`limits::EXCHANGE_ANSWER_BYTES`].
    pub body_start: Vec<u8>,
}

/// The exchanges of a connection in the order of their requests: the first [`limits::EXCHANGES_KEPT_FIRST`] and the
/// latest, up to [`limits::EXCHANGES_KEPT`] together.
#[derive(Clone, Debug, Default)]
pub struct Exchanges {
    first: Vec<Exchange>,
    latest: VecDeque<Exchange>,
    next: u32,
    /// Exchanges between the first and the latest ones, or beyond the limit of all connections
    /// ([`limits::EXCHANGES_KEPT_TOTAL`]), that are not kept.
    pub forgotten: u64,
}

impl Exchanges {
    /// The exchanges that are kept, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Exchange> {
        self.first.iter().chain(&self.latest)
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len().saturating_add(self.latest.len())
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.latest.is_empty()
    }

    /// Adds a request and says by what number its answer finds it; `None` if it is not kept. `room` is how many more
    /// exchanges all connections together may keep.
    pub(super) fn request(
        &mut self,
        head: &RequestHead<'_>,
        complete: bool,
        origin: Origin,
        room: &mut usize,
    ) -> Option<u32> {
        if *room == 0 || self.len() >= limits::EXCHANGES_KEPT {
            self.forgotten = self.forgotten.saturating_add(1);
            self.latest.pop_front()?;
        } else {
            *room = room.saturating_sub(1);
        }
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let exchange = Exchange::new(head, complete, origin, number);
        if self.first.len() < limits::EXCHANGES_KEPT_FIRST {
            self.first.push(exchange);
        } else {
            self.latest.push_back(exchange);
        }
        Some(number)
    }

    /// Takes the latest request out again, if it has this number: its answer shows it to be an attempt.
    pub(super) fn remove_latest(&mut self, number: u32, room: &mut usize) {
        let latest = self.latest.back().or(self.first.last());
        if latest.is_some_and(|exchange| exchange.number == number) {
            if self.latest.pop_back().is_none() {
                self.first.pop();
            }
            *room = room.saturating_add(1);
        }
    }

    /// Adds the answer of a request that is still kept.
    pub(super) fn answer(&mut self, number: u32, head: &ResponseHead<'_>, status: u16, origin: Origin) {
        if let Some(exchange) = self.find(number) {
            exchange.answer = Some(ExchangeAnswer::new(head, status, origin));
        }
    }

    /// Adds bytes of the body of an answer that is a refusal, if its request is still kept.
    pub(super) fn answer_body(&mut self, number: u32, bytes: &[u8]) {
        let answer = self.find(number).and_then(|exchange| exchange.answer.as_mut());
        let Some(answer) = answer.filter(|answer| answer.status >= REFUSED) else { return };
        let room = limits::EXCHANGE_ANSWER_BYTES.saturating_sub(answer.body_start.len());
        answer.body_start.extend(bytes.iter().take(room));
    }

    /// Notes that the answer of a request may be in bytes that the capture lacks.
    pub(super) fn lose_response(&mut self, number: u32) {
        if let Some(exchange) = self.find(number) {
            exchange.response_lost = true;
        }
    }

    fn find(&mut self, number: u32) -> Option<&mut Exchange> {
        // Answers belong to late requests more often than to early ones.
        self.first.iter_mut().chain(&mut self.latest).rfind(|exchange| exchange.number == number)
    }
}

impl Exchange {
    fn new(head: &RequestHead<'_>, complete: bool, origin: Origin, number: u32) -> Self {
        let asks = head.fields.has_token("connection", "upgrade");
        let host = head.fields.values("host").next();
        let asked_from = head.fields.values("origin").next();
        Self {
            request: origin,
            complete,
            method: start(head.method.as_bytes(), limits::EXCHANGE_REQUEST_BYTES),
            target: start(head.target.as_bytes(), limits::EXCHANGE_REQUEST_BYTES),
            host: host.map(|value| start(value, limits::EXCHANGE_REQUEST_BYTES)),
            origin: asked_from.map(|value| start(value, limits::EXCHANGE_REQUEST_BYTES)),
            asks_connection_upgrade: asks && head.fields.values("upgrade").next().is_none(),
            answer: None,
            response_lost: false,
            number,
        }
    }
}

/// Statuses from this one on refuse a request (RFC 9110 sections 15.5 and 15.6).
pub(super) const REFUSED: u16 = 400;

impl ExchangeAnswer {
    fn new(head: &ResponseHead<'_>, status: u16, origin: Origin) -> Self {
        let field = |name| {
            let value = head.fields.values(name).next();
            value.map(|value| start(value, limits::EXCHANGE_ANSWER_BYTES))
        };
        Self {
            origin,
            status,
            server: field("server"),
            location: field("location"),
            content_type: field("content-type"),
            body_start: Vec::new(),
        }
    }
}

/// The start of a value, up to so many bytes of it; what is not UTF-8 is replaced, and a character is not cut apart.
fn start(value: &[u8], limit: usize) -> Box<str> {
    let start = value.get(..limit).unwrap_or(value);
    let whole = match str::from_utf8(start) {
        Err(error) if error.error_len().is_none() && start.len() < value.len() => error.valid_up_to(),
        _ => start.len(),
    };
    String::from_utf8_lossy(start.get(..whole).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(exchanges: &mut Exchanges, target: &str, room: &mut usize) -> Option<u32> {
        let head = RequestHead { method: "GET", target, ..RequestHead::default() };
        exchanges.request(&head, true, Origin::default(), room)
    }

    fn targets(exchanges: &Exchanges) -> Vec<usize> {
        exchanges.iter().map(|exchange| exchange.target.parse().unwrap()).collect()
    }

    #[test]
    fn the_first_and_the_latest_exchanges_stay_and_find_their_answers() {
        let (mut exchanges, mut room) = (Exchanges::default(), 1_000);
        for at in 0..200_u16 {
            let number = request(&mut exchanges, &at.to_string(), &mut room).unwrap();
            exchanges.answer(number, &ResponseHead::default(), 200 + at, Origin::default());
        }
        assert_eq!(targets(&exchanges), (0..32).chain(168..200).collect::<Vec<usize>>());
        for exchange in exchanges.iter() {
            let status = exchange.answer.as_ref().unwrap().status;
            assert_eq!(status, 200 + exchange.target.parse::<u16>().unwrap());
        }
        assert_eq!((exchanges.forgotten, room), (136, 1_000 - limits::EXCHANGES_KEPT));
        // Whoever is forgotten is not found.
        exchanges.answer(100, &ResponseHead::default(), 500, Origin::default());
        assert!(exchanges.iter().all(|exchange| exchange.answer.as_ref().unwrap().status < 500));
    }

    #[test]
    fn all_connections_share_the_room() {
        let mut room = 40;
        let (mut one, mut other) = (Exchanges::default(), Exchanges::default());
        for at in 0..50 {
            request(&mut one, &at.to_string(), &mut room).unwrap();
        }
        assert_eq!(targets(&one), (0..32).chain(42..50).collect::<Vec<usize>>());
        assert_eq!((one.forgotten, room), (10, 0));
        assert_eq!(request(&mut other, "0", &mut room), None);
        assert_eq!((other.len(), other.forgotten), (0, 1));
    }

    #[test]
    fn what_turns_out_to_be_an_attempt_makes_room() {
        let (mut exchanges, mut room) = (Exchanges::default(), 2);
        let first = request(&mut exchanges, "0", &mut room).unwrap();
        let latest = request(&mut exchanges, "1", &mut room).unwrap();
        exchanges.remove_latest(first, &mut room);
        assert_eq!((targets(&exchanges), room), (vec![0, 1], 0), "it is not the latest");
        exchanges.remove_latest(latest, &mut room);
        assert_eq!((targets(&exchanges), room), (vec![0], 1));
        exchanges.remove_latest(latest, &mut room);
        assert_eq!((targets(&exchanges), room), (vec![0], 1));
    }

    #[test]
    fn values_are_cut_between_characters() {
        assert_eq!(&*start(b"abcdef", 4), "abcd");
        assert_eq!(&*start("ab\u{e9}d".as_bytes(), 3), "ab");
        assert_eq!(&*start("ab\u{e9}d".as_bytes(), 4), "ab\u{e9}");
        assert_eq!(&*start(b"a\xffb", 3), "a\u{fffd}b");
        assert_eq!(&*start(b"a\xc3", 8), "a\u{fffd}");
    }
}
