//! A network namespace of one test, with real programs in it. It needs root; where something is missing, what needs it
//! says so and is passed over.

#![allow(dead_code, reason = "not every test needs everything")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that fails may panic")]

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A namespace; it goes with the value.
pub(crate) struct Namespace {
    name: String,
}

/// A program that runs until it is stopped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    what: String,
}

impl Namespace {
    /// A namespace in which only the loopback is up; none where that cannot be.
    pub(crate) fn new(test: &str, programs: &[&str]) -> Option<Self> {
        let missing: Vec<&&str> = programs.iter().filter(|program| !is_there(program)).collect();
        if !nix::unistd::geteuid().is_root() {
            return not_tested(test, "it needs root");
        }
        if !missing.is_empty() {
            return not_tested(test, &format!("missing: {missing:?}"));
        }
        let name = format!("wsinspect-{test}-{}", std::process::id());
        if !ran(Command::new("ip").args(["netns", "add", &name])) {
            return not_tested(test, "no network namespace can be made");
        }
        let namespace = Self { name };
        namespace.run("ip", &["link", "set", "lo", "up"]);
        Some(namespace)
    }

    /// A command in the namespace, as words.
    pub(crate) fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [&["netns", "exec", self.name.as_str()], words].concat()
    }

    /// A command in the namespace.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Runs a command to its end, which must be a good one; what it wrote.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a program; its lines come from where it says that it is ready.
    #[allow(clippy::unused_self, reason = "the command is one of this namespace")]
    pub(crate) fn start(&self, command: &mut Command) -> Running {
        let what = format!("{command:?}");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines(child.stdout.take().unwrap());
        Running { child, lines, what }
    }

    /// The program under test, capturing.
    pub(crate) fn live(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_wsinspect"));
        self.start(command.arg("live").args(arguments))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ran(Command::new("ip").args(["netns", "del", &self.name]));
    }
}

impl Running {
    /// The next line; none at the end. What takes longer than this never comes.
    pub(crate) fn line(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => None,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("{} says nothing", self.what),
        }
    }

    /// Lines until there were so many that contain this.
    pub(crate) fn until(&mut self, count: usize, part: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while lines.iter().filter(|line| line.contains(part)).count() < count {
            let line = self.line();
            lines.push(line.unwrap_or_else(|| panic!("{} ended; it said {lines:#?}", self.what)));
        }
        lines
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let child = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        // One that has ended needs none.
        let _ = nix::sys::signal::kill(child, signal);
    }

    /// Lets one of its threads run only where nobody else wants the processor.
    pub(crate) fn hold_back(&self, thread: &str) {
        // A thread has its name a moment after it was started.
        for _ in 0..500 {
            if let Some(task) = self.task(thread) {
                let is_held_back = ran(Command::new("chrt").args(["--idle", "-p", "0", &task]));
                assert!(is_held_back, "{thread} runs as it did");
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("there is no thread {thread}");
    }

    /// The number of one of its threads.
    fn task(&self, thread: &str) -> Option<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let mut tasks = tasks.map(|task| task.unwrap().path());
        let is_it = |task: &std::path::PathBuf| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == thread)
        };
        tasks.find(is_it)?.file_name()?.to_str().map(str::to_owned)
    }

    /// The rest of its lines and its exit status; it must end by itself.
    pub(crate) fn end(mut self) -> (Vec<String>, i32) {
        let lines = std::iter::from_fn(|| self.line()).collect();
        let status = self.child.wait().unwrap();
        (lines, status.code().unwrap_or(-1))
    }

    /// Asks it to end.
    pub(crate) fn interrupt(self) -> (Vec<String>, i32) {
        self.signal(nix::sys::signal::Signal::SIGINT);
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A killed nginx would leave its workers behind.
        self.signal(nix::sys::signal::Signal::SIGTERM);
        for _ in 0..50 {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says what was not tested, past the capturing of output: a test that passes is not shown what it prints.
pub(crate) fn not_tested<T>(test: &str, reason: &str) -> Option<T> {
    let _ = io::stderr().write_all(format!("\nNOT TESTED: {test}: {reason}\n").as_bytes());
    None
}

fn is_there(program: &str) -> bool {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"];
    folders.iter().any(|folder| Path::new(folder).join(program).exists())
}

fn ran(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn lines(out: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    let read = move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("lines".to_owned()).spawn(read).unwrap();
    receiver
}

const PATIENCE: Duration = Duration::from_secs(60);
