//! Every limit of wsinspect, with what happens at it.
//!
//! Nothing that the network controls grows past a number of this file. At each limit something defined
//! happens and a fact says so.

/// Bytes of a block: it stays in the processor's second-level cache.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// The longest record that is believed. Longer ones are damage.
///
/// libpcap's own limit for most link types is 256 KiB; USB captures have 128 MiB. 16 MiB is far above
/// any packet that carries TCP.
pub const RECORD_BYTES: usize = 16 * 1024 * 1024;
