//! Measures the screen: how soon it shows something, how long keys and frames take, how much memory it needs.
//!
//! `cargo run --release --example screen -- CAPTURE...`; see README.md in this folder.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and may panic"
)]

use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use wsinspect::capture::CaptureFile;
use wsinspect::diagnosis::{Selection, diagnose};
use wsinspect::pipeline::{Options, analyse};
use wsinspect::tui::{
    Action, App, Column, Finished, Motion, News, Progress, Screen, Shown, Theme, draw, receive, rows_so_far,
    update,
};
use wsinspect::units::Timestamp;

fn main() {
    let captures: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    assert!(!captures.is_empty(), "usage: screen CAPTURE...");
    for capture in captures {
        println!("## {}, {} MB\n", capture.file_name().unwrap().display(), size(&capture) / 1_000_000);
        println!("| what | median ms | worst ms |\n|---|--:|--:|");
        in_a_terminal(&capture);
        in_this_process(&capture);
        println!();
    }
}

fn size(capture: &Path) -> u64 {
    capture.metadata().unwrap().len()
}

/// The program as its user runs it: from the key to what is on the screen for it.
fn in_a_terminal(capture: &Path) {
    let start = Instant::now();
    let mut terminal = Program::start(capture);
    terminal.wait(|screen| screen.contains("wsinspect"));
    row("first frame", &[start.elapsed()]);
    terminal.wait(|screen| rows(screen) > 0 || screen.contains("no upgrade attempt in this capture"));
    row("first rows", &[start.elapsed()]);
    let mut keys = Vec::new();
    while terminal.screen.screen().contents().contains("reading") {
        for (key, has_help) in [("?", true), ("\x1b", false)] {
            keys.push(terminal.press(key, |screen| screen.contains("keys: overview") == has_help));
            terminal.settle(Duration::from_millis(17));
        }
    }
    row("everything read", &[start.elapsed()]);
    if keys.len() > 1 {
        row(&format!("a key while reading goes on ({} keys)", keys.len()), &keys);
    }
    terminal.settle(Duration::from_millis(300));
    let all = rows(&terminal.screen.screen().contents());
    let mut moves = |name: &str, keys: [&str; 2]| {
        let mut taken = Vec::new();
        for key in keys.into_iter().cycle().take(60) {
            let before = terminal.screen.screen().contents_formatted();
            taken.push(terminal.press_until_changed(key, &before));
        }
        row(&format!("key: {name}, {all} rows"), &taken);
    };
    moves("a line down and up", ["j", "k"]);
    moves("to the end and the start", ["G", "g"]);
    moves("sort the other way round", ["S", "S"]);
    moves("failed attempts only, and all", ["x", "x"]);
    moves("open an attempt and close it", ["\r", "\x1b"]);
    let mut taken = Vec::new();
    for key in ["/", "1", "0", ".", "1", "\x7f", "\x7f", "\x7f", "\x7f", "\x1b"] {
        let before = terminal.screen.screen().contents_formatted();
        taken.push(terminal.press_until_changed(key, &before));
    }
    row(&format!("key: a filter as it is typed, {all} rows"), &taken);
    println!("| peak memory, MiB | {} | |", terminal.peak_memory_kib() / 1024);
    terminal.keys.write_all(b"Q").unwrap();
    let start = Instant::now();
    let _ = terminal.child.wait();
    row("quit", &[start.elapsed()]);
}

/// How many attempts the title of the list says there are.
fn rows(screen: &str) -> u64 {
    let title = screen.lines().find_map(|line| line.strip_prefix("attempts "));
    let number = title.and_then(|title| title.split(|one: char| one != ',' && !one.is_ascii_digit()).next());
    number.and_then(|number| number.replace(',', "").parse().ok()).unwrap_or_default()
}

/// The functions that the program calls for each key and each frame.
fn in_this_process(capture: &Path) {
    let mut file = CaptureFile::open(capture).unwrap();
    let options = Options { keeps_frames: true, ..Options::default() };
    let capture = analyse(&mut file, None, options, |_| {}).unwrap();
    let diagnosis = diagnose(&capture, &Selection::default(), false);
    let (columns, rows) = SIZE;
    let mut app = App::new("capture", Shown::default(), Theme::default(), Size::new(columns, rows));
    let first_and_last = capture.totals.first_and_last;
    let _ = receive(&mut app, News::Progress(Progress { first_and_last, ..Progress::default() }));
    let end = first_and_last.map_or(Timestamp::MIN, |(_, last)| last);
    let mut taken = Vec::new();
    for connections in capture.connections.chunks(HAND_OVER) {
        let rows = connections.iter().flat_map(|connection| rows_so_far(connection, end, app.shown));
        let news = News::Rows(rows.collect());
        taken.push(time(|| drop(receive(&mut app, news))));
    }
    row("update: new rows", &taken);
    let start = Instant::now();
    let finished = Box::new(Finished::new(capture, diagnosis, app.shown));
    row("put together at the end, by the reader", &[start.elapsed()]);
    row("update: everything is read", &[time(|| drop(receive(&mut app, News::Finished(finished))))]);
    let mut act = |action| time(|| drop(update(&mut app, action)));
    row("update: sort by each column", &Column::ALL.map(|_| act(Action::Sort)));
    row("update: sort backwards", &[(); 20].map(|()| act(Action::SortBackwards)));
    row("update: failures, and all", &[(); 20].map(|()| act(Action::Failures)));
    let _ = act(Action::Filter);
    let typed = "rule:upgrade -10.1 chat path:/x".chars().map(|key| act(Action::Type(key)));
    row("update: a filter as it is typed", &typed.collect::<Vec<Duration>>());
    let _ = act(Action::Close);
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    for screen in [Screen::Overview, Screen::Attempt, Screen::Flow, Screen::Messages, Screen::Findings] {
        let _ = update(&mut app, Action::Show(screen));
        let mut frames = Vec::new();
        let mut keys = Vec::new();
        for number in 0..200 {
            let motion = if number % 2 == 0 { Motion::Down } else { Motion::PageDown };
            let start = Instant::now();
            let _ = update(&mut app, Action::Move(motion));
            keys.push(start.elapsed());
            let start = Instant::now();
            terminal.draw(|frame| draw(&app, frame)).unwrap();
            frames.push(start.elapsed());
        }
        row(&format!("update: {}", screen.name()), &keys);
        row(&format!("frame: {}", screen.name()), &frames);
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// A row of the table: the median and the worst.
fn row(name: &str, taken: &[Duration]) {
    let mut sorted = taken.to_vec();
    sorted.sort_unstable();
    let millis = |at: usize| sorted.get(at).map_or(0.0, |taken| taken.as_secs_f64() * 1e3);
    let (median, worst) = (millis(sorted.len() / 2), millis(sorted.len() - 1));
    println!("| {name} | {median:.2} | {worst:.2} |");
}

/// The program in a terminal.
struct Program {
    screen: vt100::Parser,
    output: Receiver<Vec<u8>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
}

impl Program {
    fn start(capture: &Path) -> Self {
        let (cols, rows) = SIZE;
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        // Examples lie in a folder beside the program.
        let program = env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("wsinspect");
        let mut command = CommandBuilder::new(program);
        command.arg("read");
        command.arg(capture.canonicalize().unwrap());
        command.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, output) = channel();
        thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if send.send(bytes.get(..read).unwrap().to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(rows.try_into().unwrap(), cols.try_into().unwrap(), 0);
        Self { screen, output, keys, child, _master: pair.master }
    }

    fn wait(&mut self, is_there: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_there(&self.screen.screen().contents()) {
            self.take(Duration::from_secs(1));
            assert!(start.elapsed() < PATIENCE, "not on the screen:\n{}", self.screen.screen().contents());
        }
    }

    fn press(&mut self, key: &str, is_there: impl Fn(&str) -> bool) -> Duration {
        let start = Instant::now();
        self.keys.write_all(key.as_bytes()).unwrap();
        self.wait(is_there);
        start.elapsed()
    }

    /// From a key to the first change; none comes of a key that changes nothing.
    fn press_until_changed(&mut self, key: &str, before: &str) -> Duration {
        self.keys.write_all(key.as_bytes()).unwrap();
        let start = Instant::now();
        while self.screen.screen().contents_formatted() == before {
            self.take(Duration::from_millis(500));
            assert!(start.elapsed() < PATIENCE, "{key:?} does nothing");
        }
        let taken = start.elapsed();
        self.settle(Duration::from_millis(10));
        taken
    }

    /// Takes what comes until nothing has come for so long.
    fn settle(&mut self, quiet: Duration) {
        let start = Instant::now();
        while start.elapsed() < quiet.saturating_mul(4) && self.take(quiet) {}
    }

    fn take(&mut self, patience: Duration) -> bool {
        match self.output.recv_timeout(patience) {
            Ok(bytes) => {
                self.screen.process(&bytes);
                true
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                panic!("the program ended:\n{}", self.screen.screen().contents())
            }
        }
    }

    fn peak_memory_kib(&self) -> u64 {
        let id = self.child.process_id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

const SIZE: (u16, u16) = (140, 40);

/// Connections of which the reader tells at once.
const HAND_OVER: usize = 2_000;

const PATIENCE: Duration = Duration::from_secs(120);
