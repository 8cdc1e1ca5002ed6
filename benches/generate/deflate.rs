//! permessage-deflate on one connection: what is compressed, and with which window (RFC 7692 section 7.2.1).

use flate2::{Compress, Compression, FlushCompress};

use crate::conversation::Role;
use crate::kit::Kit;

/// What a connection has agreed on.
pub(crate) enum Deflate {
    /// Every message starts with an empty window.
    Forgets,
    /// Each side keeps its window from message to message: the client's, the server's.
    Keeps(Box<[Compress; 2]>),
}

impl Deflate {
    /// With or without context takeover, on both sides.
    pub(crate) fn new(forgets: bool) -> Self {
        let window = || Compress::new(Compression::default(), false);
        if forgets { Self::Forgets } else { Self::Keeps(Box::new([window(), window()])) }
    }

    /// Compresses one fragment; the first and the last of a message are told.
    pub(crate) fn fragment(
        &mut self,
        by: Role,
        first: bool,
        last: bool,
        plain: &[u8],
        kit: &mut Kit,
    ) -> Vec<u8> {
        let compressor = match (self, by) {
            (Self::Forgets, _) => {
                if first {
                    kit.compressor.reset();
                }
                &mut kit.compressor
            }
            (Self::Keeps(windows), by) => {
                let [client, server] = windows.as_mut();
                if by == Role::Client { client } else { server }
            }
        };
        // A block of stored bytes for each 64 KiB, and the empty one of the flush, fit; payloads here are far shorter.
        let mut output = Vec::with_capacity(plain.len() + plain.len() / 8 + 128);
        // It fails on no input; what it did not take would show in every reader.
        compressor.compress_vec(plain, &mut output, FlushCompress::Sync).unwrap_or(flate2::Status::BufError);
        if last {
            output.truncate(output.len().saturating_sub(TAIL_BYTES));
        }
        output
    }
}

/// The end of an empty stored block, which is not sent: 00 00 ff ff.
const TAIL_BYTES: usize = 4;
