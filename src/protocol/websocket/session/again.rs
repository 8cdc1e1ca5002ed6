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
        let side = self.side_mut(by);
        let is_again = !matches!(side.state, State::Joined);
        if let Some((mut trial, header_length)) = Trial::begin(segment, origin) {
            trial.is_again = is_again;
            side.state = State::Trial(Box::new(trial));
            return ControlFlow::Continue(header_length);
        }
        side.state = State::Header;
        self.note_found(by, is_again);
        ControlFlow::Continue(0)
    }

    /// A frame was found. The first of a session that is older than the capture is not found again.
    fn note_found(&mut self, by: Role, is_again: bool) {
        if is_again {
            let losses = self.losses_mut(by);
            losses.resyncs = losses.resyncs.saturating_add(1);
        }
    }

    /// Bytes of one side, of a session that is older than the capture, are no frames: where its next one begins is not
    /// known.
    pub(crate) fn pass_over(&mut self, by: Role, length: u64) {
        let has_frames = self.side_mut(by).facts(Losses::default(), 0).frames() > 0;
        self.side_mut(by).state = if has_frames { State::Lost } else { State::Joined };
        if length > 0 {
            let losses = self.losses_mut(by);
            losses.undecoded_bytes = losses.undecoded_bytes.saturating_add(length);
        }
    }

    /// Ends the trial of a frame, if there is a verdict; `after` bytes of the segment follow it.
    pub(super) fn judge(&mut self, context: &mut Context, by: Role, verdict: Verdict, after: usize) {
        if verdict == Verdict::Open {
            return;
        }
        let State::Trial(trial) = std::mem::take(&mut self.side_mut(by).state) else { return };
        if verdict == Verdict::Frame {
            self.note_found(by, trial.is_again);
            self.count(context, by, &trial.header, trial.origin);
        } else {
            let losses = self.losses_mut(by);
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
