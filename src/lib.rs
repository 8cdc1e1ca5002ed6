//! wsinspect reads packet captures and tells which WebSocket upgrade attempts there were, which failed, and what
//! the wire says about each.
//!
//! Data flows one way: capture → decode → tcp → protocol → model → routes → diagnosis → report and tui. A room uses rooms upstream of
//! it only; `tests/arrows.rs` holds it to that. ARCHITECTURE.md is the map.
//!
//! ```
//! use wsinspect::capture::CaptureFile;
//! use wsinspect::model::Outcome;
//! use wsinspect::pipeline::{Options, analyse};
//!
//! let mut file = CaptureFile::open("captures/chat/proxy-any.pcap".as_ref())?;
//! let capture = analyse(&mut file, None, Options::default(), |_| {})?;
//! assert_eq!(capture.totals.attempts_with(Outcome::Established), 2);
//! # Ok::<(), wsinspect::capture::CaptureError>(())
//! ```

// The edge: what was typed, what it means, who calls whom.
pub mod app;
pub mod cli;
pub mod doubts;
pub mod failures;
pub mod live;
pub mod manual;
pub mod progress;
pub mod sandbox;
pub mod screen;

// The ground floor.
pub mod limits;
pub mod numbering;
pub mod redact;
pub mod text;
pub mod units;

// The rooms, in alphabetical order; the way of the data through them is drawn in ARCHITECTURE.md.
pub mod capture;
pub mod decode;
pub mod diagnosis;
pub mod model;
pub mod pipeline;
pub mod points;
pub mod protocol;
pub mod report;
pub mod routes;
pub mod tcp;
pub mod tui;
pub mod watch;
