//! What happened below the streams of the attempt under the cursor: asked for when its flow is looked at.

use crate::tcp::Happenings;
use crate::tui::action::Screen;
use crate::tui::app::{App, Below};
use crate::tui::effect::Effect;
use crate::tui::rows::AttemptId;
use crate::units::PacketNumber;

/// Asks for it, if nobody has yet. While reading goes on the counts are not final, and so it waits.
pub(super) fn settle(app: &mut App) -> Option<Effect> {
    let is_due = app.screen == Screen::Flow && app.data.finished.is_some() && app.below.of != app.selected();
    if app.screen != Screen::Flow && app.below.is_asked {
        // Another question takes the place of this one.
        app.below = Below::default();
    }
    if !is_due {
        return None;
    }
    let connections = app.connections();
    app.below = Below { of: app.selected(), is_asked: !connections.is_empty(), ..Below::default() };
    app.below.is_asked.then_some(Effect::ReadHappenings(connections))
}

/// It is there, or nobody knows it.
pub(super) fn arrived(app: &mut App, of: AttemptId, read: Result<Vec<(PacketNumber, Happenings)>, String>) {
    if app.below.of == Some(of) {
        app.below.is_asked = false;
        match read {
            Ok(happened) => app.below.happened = happened,
            Err(reason) => {
                app.notice = Some(format!("no retransmissions and gaps: {reason}"));
                app.below.failed = Some(reason);
            }
        }
    }
}
