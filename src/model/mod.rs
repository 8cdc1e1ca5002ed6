//! What was seen, put together: connections, attempts with their outcomes, totals. Plain data; the [`Store`] is
//! its only writer.

mod bystanders;
mod capture;
mod connection;
mod names;
mod outcome;
mod store;

pub use capture::{Capture, Latency, Totals};
pub use connection::Connection;
pub use outcome::{Outcome, SessionEnd};
pub use store::{Keeps, Store};
