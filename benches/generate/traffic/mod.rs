//! What is said on a connection: one kind of application a file.

pub(crate) mod heartbeat;
pub(crate) mod messages;
pub(crate) mod tls;
pub(crate) mod transfer;
pub(crate) mod web;
