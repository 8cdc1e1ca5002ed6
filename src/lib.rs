//! wsinspect reads packet captures and tells why a WebSocket does not work.
//!
//! Data flows one way: capture → decode → tcp → protocol → model → report. A room uses rooms upstream of
//! it only; `tests/arrows.rs` holds it to that. ARCHITECTURE.md is the map.

pub mod capture;
pub mod decode;
pub mod limits;
pub mod model;
pub mod pipeline;
pub mod protocol;
pub mod redact;
pub mod report;
pub mod tcp;
pub mod text;
pub mod units;
