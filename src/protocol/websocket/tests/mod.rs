//! The handshake by a table, sessions by example, and sessions beside a naive reader of frames.

mod handshake;
mod naive;
mod session;
