//! HTTP/1 (RFC 9110, RFC 9112), as far as the handshake of WebSocket needs it.

mod chunked;
mod exchange;
mod framing;
mod head;
mod held;
mod layer;
mod list;
mod loose;
mod message;
mod ordinary;
mod relevant;

pub use exchange::{Exchange, ExchangeAnswer, Exchanges};
pub use head::{Fields, HeadError, RequestHead, ResponseHead};
pub(super) use head::{RequestLine, may_start_request, may_start_response};
pub(super) use held::HeldPiece;
pub(super) use layer::{Finished, Http};
pub(super) use list::split_list;
pub(super) use relevant::{Lines, Relevant};

#[cfg(test)]
mod corners;
#[cfg(test)]
mod losses;
#[cfg(test)]
mod tests;
