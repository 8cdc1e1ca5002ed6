//! wsinspect reads packet captures and tells why a WebSocket does not work.
//!
//! Data flows one way: capture → decode → tcp → protocol → model → report. A room uses rooms upstream of
//! it only; `tests/arrows.rs` holds it to that. ARCHITECTURE.md is the map.

// The edge: what was typed, what it means, who calls whom.
pub mod app;
pub mod cli;
pub mod progress;

// The ground floor.
pub mod limits;
pub mod redact;
pub mod text;
pub mod units;

// The rooms. Data passes through capture, decode, tcp, protocol, model and report; pipeline drives them.
pub mod capture;
pub mod decode;
pub mod model;
pub mod pipeline;
pub mod protocol;
pub mod report;
pub mod tcp;
