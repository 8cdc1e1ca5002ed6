//! Verdicts: what went wrong, at which hop, and what to change.
//!
//! A *rule* reads facts and yields *findings*. Each has its own file in `rules`, with its page, its check and its tests;
//! the list of them is generated. One fault gives one leading finding: a rule that explains what others see takes
//! their findings as its symptoms.

mod answers;
mod decoding;
mod ends;
mod engine;
mod error_pages;
mod finding;
mod forwarding;
mod gates;
mod recipes;
mod redirects;
mod rule;
mod rules;
mod scheme;
mod sessions_by_polling;
mod softening;
mod statuses;
mod switching;
mod timeouts;
mod view;
mod violations;
mod waiting;
mod words;

pub use ends::Ends;
pub use engine::{Diagnosis, Verdict, diagnose};
pub use finding::{About, Blame, Finding, Fix};
pub use rule::{Check, Rule, Selection, Severity, UnknownRule};
pub use rules::ALL;
pub use scheme::Servers;
pub use view::{CaptureView, ConnectionView, LegView, OverTls, RouteView};

#[cfg(test)]
mod clients_over_tls;
#[cfg(test)]
mod testing;
