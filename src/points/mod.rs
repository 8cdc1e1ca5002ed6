//! Several captures of one traffic, made at several *points*: on the client's host and on the server's, before and
//! behind a firewall. Which packets are the same, how far the clocks are apart, and what one point saw that the other
//! never did.
//!
//! First a [`Survey`] looks at all files and says which of them share packets, and by which clocks. Then the files are
//! read as one capture, by corrected times, and [`Sightings`] tells for each packet whether another point has shown it
//! before. What only one point shows of a connection is a fact of its [`Passage`].
//!
//! # Clocks
//!
//! A packet from point A to point B is seen at B later by the way that it took; one from B to A the other way round.
//! So the least difference in one direction and the greatest in the other bound how far B's clock is ahead, as NTP has
//! it (RFC 5905 section 8), and the middle is the best guess. Times are not corrected by that guess, but by the bound at
//! which packets from B seem to take no time to A: then all times are those of A, and how long an answer took is what A
//! saw. A is the point nearer to the clients.

mod clocks;
mod flow;
mod landmarks;
mod passage;
mod sightings;
mod standpoints;
mod survey;
mod transit;

pub use passage::{HalfPassage, Losses, Passage};
pub use sightings::{Seen, Sightings};
pub use survey::{Survey, Surveyed};

#[cfg(test)]
mod tests;
