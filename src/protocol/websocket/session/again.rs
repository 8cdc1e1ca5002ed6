//! Frames found again after bytes that the capture lacks.

use std::ops::ControlFlow;

use super::{Losses, Session, State};
use crate::protocol::websocket::resync::{Evidence, Trial, Verdict, frames_in};
use crate::protocol::{Context, Role};
use crate::units::Origin;

impl Session {
    /// Looks for a frame at the start of a segment: how much of it is used up. Breaks off if there is none.
    pub(super) fn find_again(&mut self, by: Role, segment: &[u8], origin: Origin) -> ControlFlow<(), usize> {
        let evidence = frames_in(segment, by, self.deflate);
        if evidence == Evidence::None {
            let losses = self.losses_mut(by);
            losses.undecoded_bytes = losses.undecoded_bytes.saturating_add(segment.len() as u64);
            return ControlFlow::Break(());
        }
        if let Some((trial, header_length)) = Trial::begin(segment, origin) {
            self.side_mut(by).state = State::Trial(Box::new(trial));
            return ControlFlow::Continue(header_length);
        }
        let losses = self.losses_mut(by);
        losses.resyncs = losses.resyncs.saturating_add(1);
        self.side_mut(by).state = State::Header;
        ControlFlow::Continue(0)
    }

    /// Ends the trial of a frame, if there is a verdict; `after` bytes of the segment follow it.
    pub(super) fn judge(&mut self, context: &mut Context, by: Role, verdict: Verdict, after: usize) {
        if verdict == Verdict::Open {
            return;
        }
        let State::Trial(trial) = std::mem::take(&mut self.side_mut(by).state) else { return };
        let losses = self.losses_mut(by);
        if verdict == Verdict::Frame {
            losses.resyncs = losses.resyncs.saturating_add(1);
            self.count(context, by, &trial.header, trial.origin);
        } else {
            let bytes = trial.passed().saturating_add(after as u64);
            losses.undecoded_bytes = losses.undecoded_bytes.saturating_add(bytes);
            self.lose(by);
        }
    }

    fn losses_mut(&mut self, by: Role) -> &mut Losses {
        let rare = self.rare.get_or_insert_default();
        if by == Role::Client { &mut rare.client_losses } else { &mut rare.server_losses }
    }
}
