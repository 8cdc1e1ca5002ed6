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

/// The longest record that a search after damage believes.
///
/// The search looks at chains of records, so it holds a few times this; a packet of 256 KiB is four times
/// what segmentation offload makes.
pub const SEARCH_BYTES: usize = 256 * 1024;

/// Damaged places of one capture that are told in full. Of the others the number is told.
pub const DAMAGES: usize = 100;

/// Interfaces of one pcapng section. Packets of later ones are left out, and that is told.
pub const INTERFACES: usize = 65_536;

/// Link types for which one filter is compiled. Packets of others do not match, and that is told.
pub const FILTER_LINK_TYPES: usize = 64;
