//! The handshake by a table, sessions by example, sessions beside a naive reader of frames, and their
//! messages beside what was sent.

mod handshake;
mod messages;
mod naive;
mod session;
