//! What was seen, put together: connections, attempts with their outcomes, totals. Plain data; the [`Store`] is
//! its only writer.

mod application;
mod bystanders;
mod capture;
mod close_codes;
mod connection;
mod names;
mod outcome;
mod polling;
mod store;

pub use application::Application;
pub use capture::{Capture, Latency, Totals};
pub use close_codes::{CloseKind, CloseMeaning, close_meaning};
pub use connection::Connection;
pub use outcome::{Outcome, SessionEnd};
pub use polling::{PollingProtocol, PollingRequest, path_of_target, query_field, sockjs_session};
pub use store::{Keeps, Store};
