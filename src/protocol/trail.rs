//! What a connection leaves behind while its layers come and go.

use super::attempt::{Attempt, ForeignAnswer};
use super::{Exchanges, TlsFacts};

/// What the layers so far have seen; each hands it to the next.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The upgrade attempts, in order.
    pub(super) attempts: Vec<Attempt>,
    /// The other requests; boxed, since most connections have none.
    pub(super) exchanges: Option<Box<Exchanges>>,
    /// The first TLS records.
    pub(super) tls: Option<Box<TlsFacts>>,
}

impl Trail {
    /// What the server sends instead of an answer to the last attempt, if it began to.
    pub(super) fn foreign_answer(&mut self) -> Option<&mut ForeignAnswer> {
        self.attempts.last_mut()?.foreign.as_deref_mut()
    }

    /// What its attempts count for among what is kept of heads.
    pub(super) fn head_bytes(&self) -> usize {
        self.attempts.iter().filter(|attempt| !attempt.midstream).map(Attempt::kept_bytes).sum()
    }

    /// Whether nothing was seen.
    pub(super) const fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.exchanges.is_none() && self.tls.is_none()
    }
}
