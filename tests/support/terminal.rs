//! A program in a terminal of its own: what is typed, and what is on the screen then.

#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, SlavePty, native_pty_system};

/// The program in a terminal.
pub(crate) struct Terminal {
    pub(crate) screen: vt100::Parser,
    pub(crate) output: Receiver<Vec<u8>>,
    pub(crate) keys: Box<dyn Write + Send>,
    pub(crate) child: Box<dyn Child + Send + Sync>,
    pub(crate) master: Box<dyn MasterPty + Send>,
    /// Keeps the terminal open when the program has gone.
    pub(crate) slave: Box<dyn SlavePty + Send>,
    /// As the terminal was before the program came.
    before: String,
}

impl Terminal {
    pub(crate) fn new(program: &str, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let before = settings(&*pair.master);
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.env("TERM", "xterm-256color");
        for variable in ["NO_COLOR", "COLORFGBG", "COLORTERM"] {
            command.env_remove(variable);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (send, output) = channel();
        thread::Builder::new()
            .spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = reader.read(&mut bytes) {
                    if send.send(bytes.get(..read).unwrap().to_vec()).is_err() {
                        return;
                    }
                }
            })
            .unwrap();
        let keys = pair.master.take_writer().unwrap();
        let screen = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        Self { screen, output, keys, child, master: pair.master, slave: pair.slave, before }
    }

    /// Types, and waits until the screen has all of these words.
    pub(crate) fn press(&mut self, keys: &str, expected: &[&str]) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
        self.wait_for(|screen| expected.iter().all(|words| screen.contents().contains(words)));
    }

    pub(crate) fn wait_for(&mut self, is_there: impl Fn(&vt100::Screen) -> bool) {
        let start = now();
        while !is_there(self.screen.screen()) {
            assert!(start.elapsed() < PATIENCE, "not on the screen:\n{}", self.screen.screen().contents());
            if let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(50)) {
                self.screen.process(&bytes);
            }
        }
    }

    /// Waits for the end, and sees to it that the terminal is as it was.
    pub(crate) fn is_left_as_it_was(&mut self) -> portable_pty::ExitStatus {
        let start = now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(10));
        };
        self.wait_for(|screen| {
            let has_mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
            !screen.alternate_screen() && !has_mouse && !screen.hide_cursor()
        });
        assert_eq!(settings(&*self.master), self.before, "echo, line mode and signals");
        status
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.process_id().unwrap().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

/// The terminal's settings.
fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

#[expect(clippy::disallowed_methods, reason = "a test waits in this machine's time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
