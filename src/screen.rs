//! The terminal of the UI: takes it and gives it back, whatever happens; lets the reader work beside it.
//!
//! Two threads. The reader parses packets and sends news over a channel, at most one hand-over for each time that the
//! screen asks; it waits for nothing. The screen takes keys and news, and draws. No lock is shared.

mod again;
pub mod look;

use std::any::Any;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    self, DisableMouseCapture, EnableMouseCapture, Event, KeyEventKind, MouseButton, MouseEventKind,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, enable_raw_mode};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::capture::{CaptureFiles, Filter};
use crate::diagnosis::{Selection, diagnose};
use crate::doubts::Doubts;
use crate::model::Connection;
use crate::pipeline::{Options, SoFar, analyse_watched};
use crate::tui::{
    self, Action, App, Effect, Finished, Motion, News, Progress, Row, Shown, Theme, clipboard, draw, receive,
    rows_so_far, update,
};
use crate::units::{PacketNumber, Timestamp};
use again::{Again, Job};

pub use again::{Kept, KeptFiles};

/// What is read, and how.
#[derive(Debug)]
pub struct Reading {
    /// The capture.
    pub files: CaptureFiles,
    /// Where its files are, so that parts of it can be read again; none if it comes through a pipe.
    pub paths: Vec<PathBuf>,
    /// Which of its packets, as it was typed.
    pub filter_text: Option<String>,
    /// The same, compiled.
    pub filter: Option<Filter>,
    /// The same capture, for what somebody could not read of it; none if it comes through a pipe.
    pub doubts: Option<Doubts>,
    /// What is kept of it.
    pub options: Options,
    /// By which rules it is judged.
    pub selection: Selection,
    /// How what it says is shown.
    pub shown: Shown,
}

/// Shows a capture until its reader has seen enough.
///
/// # Errors
/// If the terminal cannot be used, or if the capture could not be read on.
pub fn run(reading: Reading, name: &str, theme: Theme) -> anyhow::Result<()> {
    let kept = match reading.paths.as_slice() {
        [] => Kept::Nothing,
        [path] => Kept::File(path.clone(), reading.filter_text.clone()),
        paths => Kept::Files(KeptFiles::new(paths.to_vec(), reading.filter_text.clone())),
    };
    let shown = reading.shown;
    // What waits for a pipe is not to keep the program from ending.
    show(name, (shown, theme), kept, |_| (), move |reader| read(reading, reader))
}

/// Shows what `work` hands over, in a thread of its own, until its reader has seen enough. Then `leave` is called with
/// what `work` has to say at its end.
///
/// # Errors
/// If the terminal cannot be used, or if `work` failed.
pub fn show<T: Send + 'static>(
    name: &str,
    (shown, theme): (Shown, Theme),
    kept: Kept,
    leave: impl FnOnce(&Receiver<T>),
    work: impl FnOnce(&Reader) -> T + Send + 'static,
) -> anyhow::Result<()> {
    let cannot = |error: io::Error| anyhow!("cannot use the terminal: {error} (for a report: --format text)");
    let stop = Arc::new(AtomicI32::new(0));
    obey_signals(&stop).map_err(cannot)?;
    let mut screen = Screen::take().map_err(cannot)?;
    let size = screen.terminal.size().map_err(cannot)?;
    let mut app = App::new(name, shown, theme, size);
    let (link, reader) = link(kept).map_err(cannot)?;
    let (last, words) = channel();
    let work = move || {
        reader.tell_panic(|| {
            let _ = last.send(work(&reader));
        });
    };
    let thread = thread::Builder::new().name(BEHIND[0].to_owned()).spawn(work);
    let done = match thread {
        Ok(_) => screen.show(&mut app, &link, &stop).map_err(cannot),
        Err(error) => Err(cannot(error)),
    };
    drop(screen);
    leave(&words);
    let failed = app.data.failed.take();
    // Taking it apart piece by piece would keep whoever wants to leave.
    std::mem::forget((app, link));
    let signal = stop.load(Ordering::Relaxed);
    if signal != 0 {
        // Whoever sent it is to see that it was obeyed.
        low_level::emulate_default_handler(signal).map_err(cannot)?;
    }
    done?;
    failed.map_or(Ok(()), |reason| Err(anyhow!(reason)))
}

/// Notes a signal that ends the program, and sees to it that it ends.
///
/// The screen gives the terminal back and goes. If it does not, it waits in vain: where a terminal was closed, crossterm
/// reads its end over and over again (0.29). Then the terminal is given back from here.
fn obey_signals(stop: &Arc<AtomicI32>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGHUP, SIGINT])?;
    let stop = Arc::clone(stop);
    let obey = move || {
        let Some(signal) = signals.forever().next() else { return };
        stop.store(signal, Ordering::Relaxed);
        thread::sleep(LAST_WORDS);
        give_back();
        let _ = low_level::emulate_default_handler(signal);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(obey).map(|_| ())
}

/// The screen's end of the link.
struct Link {
    news: Receiver<News>,
    wants: Arc<AtomicBool>,
    asks: Sender<PacketNumber>,
    again: Again,
}

/// The reader's end of it.
#[derive(Debug)]
pub struct Reader {
    news: Sender<News>,
    /// The screen has taken what was handed over, and would take more.
    wanted: Arc<AtomicBool>,
    /// Connections that the screen asks for.
    asked: Receiver<PacketNumber>,
}

fn link(kept: Kept) -> io::Result<(Link, Reader)> {
    let (to_screen, news) = channel();
    let again = Again::start(kept, to_screen.clone())?;
    let (asks, asked) = channel();
    let wants = Arc::new(AtomicBool::new(true));
    let wanted = Arc::clone(&wants);
    Ok((Link { news, wants, asks, again }, Reader { news: to_screen, wanted, asked }))
}

/// Reads to the end. If nobody takes the news any more the program is about to end.
fn read(reading: Reading, reader: &Reader) {
    let Reading { mut files, filter, doubts, options, selection, shown, .. } = reading;
    let mut told = Told::default();
    let capture = analyse_watched(&mut files, filter, options, |files, so_far| {
        if let Some(connection) = reader.asked().and_then(|name| find(name, so_far)) {
            reader.send(News::Connection(Box::new(connection)));
        }
        if reader.is_wanted() {
            reader.send(News::Progress(progress(files, so_far.totals())));
            let rows = told.rows(so_far, shown);
            if !rows.is_empty() {
                reader.send(News::Rows(rows));
            }
        }
    });
    match capture {
        Ok(mut capture) => {
            reader.send(News::Progress(progress(&files, &capture.totals)));
            if let Some(Err(error)) = doubts.map(|doubts| doubts.settle(&mut capture, true)) {
                capture.totals.warnings.push(format!("{error:#}"));
            }
            let mut diagnosis = diagnose(&capture, &selection, shown.secrets);
            capture.name_packets();
            diagnosis.name_packets(&capture.numbering);
            reader.send(News::Finished(Box::new(Finished::new(capture, diagnosis, shown))));
        }
        Err(error) => reader.send(News::Failed(error.to_string())),
    }
}

/// What the screen was told of.
#[derive(Default)]
struct Told {
    /// So many connections that are over.
    ended: usize,
    /// Of connections that are not over: so many attempts.
    open: BTreeMap<PacketNumber, usize>,
}

impl Told {
    /// What is new: attempts that have their answer, and all of connections that are over.
    fn rows(&mut self, so_far: SoFar<'_>, shown: Shown) -> Vec<Row> {
        let end = so_far.totals().first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
        let mut rows: Vec<Row> = Vec::new();
        for connection in so_far.ended().get(self.ended..).unwrap_or_default() {
            self.open.remove(&connection.id());
            rows.extend(rows_so_far(connection, end, shown));
        }
        self.ended = so_far.ended().len();
        for connection in so_far.open() {
            let attempts = connection.attempts();
            let decided = attempts.iter().take_while(|attempt| attempt.response.is_some()).count();
            if decided == 0 {
                continue;
            }
            let told = self.open.entry(connection.id()).or_default();
            if *told < decided {
                let new = rows_so_far(&connection.to_connection(), end, shown);
                rows.extend(new.into_iter().take(decided).skip(*told));
                *told = decided;
            }
        }
        rows
    }
}

/// A connection by its name.
fn find(name: PacketNumber, so_far: SoFar<'_>) -> Option<Connection> {
    let ended = so_far.ended().iter().find(|connection| connection.id() == name);
    let open = || so_far.open().find(|connection| connection.id() == name).map(|open| open.to_connection());
    ended.cloned().or_else(open)
}

fn progress(files: &CaptureFiles, totals: &crate::model::Totals) -> Progress {
    Progress {
        bytes: files.position(),
        size: files.size(),
        packets: totals.packets,
        first_and_last: totals.first_and_last,
    }
}

impl Reader {
    /// Hands something over. If nobody takes it any more the program is about to end.
    pub fn send(&self, news: News) {
        let _ = self.news.send(news);
    }

    /// Whether the screen has taken what was handed over, and would take more. It is asked once for each time.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.wanted.swap(false, Ordering::Relaxed)
    }

    /// The connection that the screen has asked for last, since this was called.
    #[must_use]
    pub fn asked(&self) -> Option<PacketNumber> {
        self.asked.try_iter().last()
    }

    /// Where others may hand something over.
    #[must_use]
    pub fn news(&self) -> Sender<News> {
        self.news.clone()
    }

    /// Works, and tells if that ends by a panic: nobody is to wait for news that will not come.
    fn tell_panic(&self, work: impl FnOnce()) {
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(work)) {
            self.send(News::Failed(broken(&*panic)));
        }
    }
}

/// The terminal as long as it is ours. It is given back when this goes, and by a panic of any thread.
#[derive(Debug)]
pub struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// If standard output or input is none.
    pub fn take() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        // It gives back all but the mouse, and calls the hook that was there.
        let give_back_the_rest = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_behind = thread::current().name().is_some_and(|name| BEHIND.contains(&name));
            // Where a panic ends its thread alone, the screen goes on and tells of it.
            if cfg!(panic = "unwind") && is_behind {
                return;
            }
            let _ = execute!(io::stdout(), DisableMouseCapture);
            give_back_the_rest(panic);
        }));
        let screen = Self { terminal };
        execute!(io::stdout(), EnableMouseCapture)?;
        Ok(screen)
    }

    /// Until somebody has seen enough, or a signal says so.
    fn show(&mut self, app: &mut App, link: &Link, stop: &AtomicI32) -> io::Result<()> {
        let mut is_changed = true;
        let mut taken = now();
        loop {
            while let Ok(news) = link.news.try_recv() {
                let effects = receive(app, news);
                self.obey(effects, link)?;
                is_changed = true;
            }
            // To sort many rows anew costs more than to look at a few of them later.
            let often = if app.data.rows.len() < MANY_ROWS { HAND_OVER } else { HAND_OVER.saturating_mul(4) };
            if taken.elapsed() >= often || app.data.rows.is_empty() {
                taken = now();
                link.wants.store(true, Ordering::Relaxed);
            }
            if is_changed {
                self.terminal.draw(|frame| draw(app, frame))?;
                is_changed = false;
            }
            let mut patience = if app.data.goes_on() { WHILE_READING } else { AT_REST };
            while event::poll(patience)? {
                if let Some(action) = action(app, &event::read()?) {
                    is_changed = true;
                    let effects = update(app, action);
                    if self.obey(effects, link)? {
                        return Ok(());
                    }
                }
                patience = Duration::ZERO;
            }
            if stop.load(Ordering::Relaxed) != 0 {
                return Ok(());
            }
        }
    }

    /// Does what is to be done outside of the state; whether that is all there will be.
    fn obey(&mut self, effects: Vec<Effect>, link: &Link) -> io::Result<bool> {
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(true),
                Effect::Fetch(connection) => {
                    // A reader that is done has handed over everything.
                    let _ = link.asks.send(connection);
                }
                Effect::Copy(text) => {
                    let mut out = io::stdout().lock();
                    out.write_all(clipboard(&text).as_bytes())?;
                    out.flush()?;
                }
                Effect::Suspend => self.suspend()?,
                Effect::ReadMessages(session, from) => link.again.ask(Job::Messages(session, from)),
                Effect::ReadWhole(session, index) => link.again.ask(Job::Whole(session, index)),
                Effect::ReadHappenings(connections) => link.again.ask(Job::Happenings(connections)),
                Effect::Discard(gone) => link.again.ask(Job::Discard(gone)),
                Effect::Save(export) => link.again.ask(Job::Save(export)),
            }
        }
        Ok(false)
    }

    /// Gives the terminal to the shell, and takes it again when the shell goes on with the program.
    fn suspend(&mut self) -> io::Result<()> {
        give_back();
        low_level::emulate_default_handler(SIGTSTP)?;
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture)?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whoever closed the terminal does not care that it cannot be written to.
fn give_back() {
    let _ = execute!(io::stdout(), DisableMouseCapture);
    let _ = ratatui::try_restore();
}

/// What a person wants by a key, the mouse or the size of the window.
fn action(app: &App, event: &Event) -> Option<Action> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => tui::action(app.place(), *key),
        Event::Resize(columns, rows) => Some(Action::Resize(*columns, *rows)),
        Event::Mouse(mouse) => match mouse.kind {
            MouseEventKind::ScrollUp => Some(Action::Move(Motion::WheelUp)),
            MouseEventKind::ScrollDown => Some(Action::Move(Motion::WheelDown)),
            MouseEventKind::Down(MouseButton::Left) => Some(Action::Click(mouse.column, mouse.row)),
            _ => None,
        },
        _ => None,
    }
}

/// What a person is told of a panic.
fn broken(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    format!("wsinspect itself is broken, please report it: {}", words.unwrap_or("a panic"))
}

/// The threads behind the screen, by name.
const BEHIND: [&str; 5] = ["reader", "again", "listing", "judge", "failures"];

#[expect(
    clippy::disallowed_methods,
    reason = "how often the screen changes is a matter of this machine's time"
)]
fn now() -> Instant {
    Instant::now()
}

/// How long the screen may take to go when a signal says so.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How often the reader is asked for what is new.
const HAND_OVER: Duration = Duration::from_millis(100);

const MANY_ROWS: usize = 20_000;

/// How long a key is waited for before news are looked for.
const WHILE_READING: Duration = Duration::from_millis(20);

/// How long when no news will come; a signal is obeyed after that.
const AT_REST: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_says_so() {
        let (news, told) = channel();
        let (_asks, asked) = channel();
        let reader = Reader { news, wanted: Arc::default(), asked };
        reader.tell_panic(|| panic!("packet {}", 7));
        let Ok(News::Failed(reason)) = told.recv() else { panic!("nothing is told") };
        assert_eq!(reason, "wsinspect itself is broken, please report it: packet 7");
    }
}
