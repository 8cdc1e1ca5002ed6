//! Runs the program as its user does, from the root of the repository, so that captures are named the same
//! on every machine. Terminal, locale and colour settings of whoever runs the tests do not reach it.

#![allow(dead_code, reason = "not every test needs everything")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// What the program wrote, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program, with nothing typed yet. Standard input is empty.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wsinspect"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLORTERM", "LINES"] {
        command.env_remove(variable);
    }
    // Help is wrapped to this where there is no terminal.
    command.env("COLUMNS", "80").env("TZ", "UTC");
    command
}

/// Runs it with these arguments.
pub(crate) fn run(arguments: &[&str]) -> Outcome {
    outcome(program().args(arguments))
}

/// Reads one file with these options.
pub(crate) fn read(path: &Path, options: &[&str]) -> Outcome {
    outcome(program().arg("read").args(options).arg(path))
}

/// Reads what comes through standard input.
pub(crate) fn read_stdin(bytes: &[u8], options: &[&str]) -> Outcome {
    outcome(program().arg("read").args(options).arg("-").write_stdin(bytes))
}

/// Runs a command to its end.
pub(crate) fn outcome(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    Outcome {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every shipped capture, in the order of their names, from the repository's root.
pub(crate) fn captures() -> Vec<PathBuf> {
    let files = |folder: &Path| -> Vec<PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let scenarios = files(&root().join("captures")).into_iter().filter(|path| path.is_dir());
    let mut found: Vec<PathBuf> = scenarios
        .flat_map(|scenario| files(&scenario))
        .filter(|path| path.file_name().unwrap().to_str().unwrap().contains(".pcap"))
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .collect();
    found.sort();
    assert!(found.len() >= 50, "only {} captures were found", found.len());
    found
}

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of captures of one test. The program runs in it, so that messages name files without their folder.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With one file in it.
    pub(crate) fn with(name: &str, bytes: &[u8]) -> Self {
        let folder = Self::new();
        folder.write(name, bytes);
        folder
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn content(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// The program in this folder.
    pub(crate) fn program(&self) -> Command {
        let mut program = program();
        program.current_dir(self.0.path());
        program
    }

    /// Runs it with these arguments.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(self.program().args(arguments))
    }
}

/// The text report of a capture that is in memory, and the lines of its JSON.
pub(crate) fn reports(name: &str, bytes: &[u8], options: &[&str]) -> (String, Vec<serde_json::Value>) {
    let folder = Folder::with(name, bytes);
    let text = folder.run(&[&["read", name], options].concat()).report();
    let json = folder.run(&[&["read", name, "--format", "json"], options].concat()).report();
    (text, json.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A text report as words with single spaces, so that it does not matter where its lines were broken.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Outcome {
    /// What a run that went well wrote.
    pub(crate) fn report(self) -> String {
        assert_eq!((self.status, &*self.stderr), (0, ""));
        self.stdout
    }

    /// The one line of a run that could not do its work.
    pub(crate) fn complaint(self) -> String {
        assert_eq!((self.status, &*self.stdout), (2, ""));
        let line = self.stderr.strip_suffix('\n').unwrap();
        assert!(!line.contains('\n'), "more than one line: {line}");
        line.to_owned()
    }
}
