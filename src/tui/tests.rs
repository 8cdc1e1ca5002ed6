//! Every screen from real captures, fed with what a person does; and what the state does without a terminal.

mod behaviour;
mod below;
mod live;
mod messages;
mod screens;
mod texts;

use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;

use super::*;
use crate::capture::CaptureFile;
use crate::diagnosis::{Selection, diagnose};
use crate::model::Capture;
use crate::pipeline::{Options, analyse};

/// A shipped capture, read.
fn captured(name: &str) -> Capture {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures").join(name);
    let mut file = CaptureFile::open(&path).unwrap();
    analyse(&mut file, None, Options { keeps_frames: true, ..Options::default() }, |_| {}).unwrap()
}

/// The state once a capture is read.
fn read(name: &str, (columns, rows): (u16, u16)) -> App {
    finished(captured(name), name, (columns, rows))
}

fn finished(capture: Capture, name: &str, (columns, rows): (u16, u16)) -> App {
    let mut app = App::new(name, Shown::default(), Theme::default(), Size::new(columns, rows));
    let diagnosis = diagnose(&capture, &Selection::default(), false);
    let progress = Progress {
        bytes: capture.totals.bytes,
        size: None,
        packets: capture.totals.packets,
        first_and_last: capture.totals.first_and_last,
    };
    let _ = receive(&mut app, News::Progress(progress));
    let finished = Finished::new(capture, diagnosis, app.shown);
    let _ = receive(&mut app, News::Finished(Box::new(finished)));
    app
}

/// Does several things, and says what is to be done outside.
fn act(app: &mut App, actions: &[Action]) -> Vec<Effect> {
    actions.iter().flat_map(|action| update(app, *action)).collect()
}

fn type_text(app: &mut App, text: &str) {
    for character in text.chars() {
        let _ = update(app, Action::Type(character));
    }
}

/// What the terminal shows, without styles.
fn drawn(app: &App) -> String {
    let mut terminal = Terminal::new(TestBackend::new(app.size.width, app.size.height)).unwrap();
    terminal.draw(|frame| draw(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let width = usize::from(buffer.area.width).max(1);
    let lines = buffer.content.chunks(width).map(|cells| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned()
    });
    lines.collect::<Vec<String>>().join("\n")
}
