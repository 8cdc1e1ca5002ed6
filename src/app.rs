//! The program: opens what was asked for, has it read, and writes the report.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice, StripStream};
use anyhow::{anyhow, bail};
use clap::CommandFactory;

use crate::capture::live::devices;
use crate::capture::{self, CaptureFiles, Filter};
use crate::cli::{Cli, Color, Command, CompletionsArgs, ExplainArgs, ReadArgs};
use crate::diagnosis::{Diagnosis, Rule, Selection, UnknownRule, diagnose};
use crate::doubts::Doubts;
use crate::failures::Failures;
use crate::live;
use crate::manual;
use crate::model::{Capture, Keeps};
use crate::pipeline::{Options, analyse};
use crate::progress::Progress;
use crate::protocol::MessagesWanted;
use crate::report::{self, Format, MIN_WIDTH, ReportOptions, explain};
use crate::sandbox::{self, Needs};
use crate::screen::{self, Reading, look};
use crate::text;
use crate::tui::Shown;

/// Does what the command line says. Whether nothing was found that `--fail-on` asks for.
///
/// # Errors
/// If the work could not be done. A reader of our output that has seen enough and closes the pipe is no error.
pub fn run(cli: &Cli) -> anyhow::Result<bool> {
    let done = match &cli.command {
        Command::Read(args) => read(args),
        Command::Live(args) => live::run(args),
        Command::Interfaces => interfaces(),
        Command::Explain(args) => explain(args),
        Command::Completions(args) => completions(args),
        Command::Man => manual_page(),
    };
    // One line, whatever is in the name of a file that came from somebody else.
    done.map_err(|error| anyhow!("{}", text::escape(&format!("{error:#}"))))
}

fn read(args: &ReadArgs) -> anyhow::Result<bool> {
    let selection = Selection::new(&args.select, &args.ignore)?;
    if wants_screen(args) {
        return show(args, selection).map(|()| true);
    }
    let format = args.format.unwrap_or(Format::Text);
    if args.frames && format != Format::Json {
        bail!("cannot show frames as text (use --format json)");
    }
    if args.messages && format != Format::Json {
        bail!("cannot show messages as text (use --format json)");
    }
    let filter = args.filter.as_deref().map(Filter::new).transpose()?;
    let mut files = CaptureFiles::open(&args.files)?;
    // The output is opened before the capture is read: minutes of work are not to end in a wrong path.
    let output = Output::open(args.output.as_deref(), &args.files)?;
    let failures = match &args.write_failures {
        Some(path) if args.files.iter().any(|file| is_same_file(path, file)) => {
            bail!("cannot write {}: it is the capture that is to be read", path.display())
        }
        Some(path) => Some(Failures::create(&files, &args.files, path)?),
        None => None,
    };
    // A line of totals says nothing of causes.
    let is_judged = options(args, format).keeps != Keeps::Totals;
    let doubts = if is_judged && !args.messages { Doubts::open(args, &files)? } else { None };
    // Everything is open that will be needed.
    sandbox::confine(args.sandbox, &Needs::default())?;
    let progress = Progress::new(&files, args.quiet);
    let mut capture = analyse(&mut files, filter, options(args, format), |files| progress.update(files))?;
    progress.finish();
    doubts.map_or(Ok(()), |doubts| doubts.settle(&mut capture, args.quiet))?;
    let mut diagnosis =
        if is_judged { diagnose(&capture, &selection, args.show_secrets) } else { Diagnosis::default() };
    let failures = failures.map_or(Ok(()), |failures| failures.write(&capture, &diagnosis));
    // Programs get both numbers.
    if format != Format::Json {
        capture.name_packets();
        diagnosis.name_packets(&capture.numbering);
    }
    let written = output.write(args, format, &capture, &diagnosis);
    failures?;
    let is_fine = args.fail_on.is_none_or(|least| diagnosis.worst().is_none_or(|worst| worst < least));
    // Everything is told; taking it apart piece by piece would cost as much as a part of the reading did.
    std::mem::forget((capture, diagnosis));
    written.map(|()| is_fine)
}

/// Whether the terminal UI is wanted: on a terminal, unless something is asked for that only a report has.
fn wants_screen(args: &ReadArgs) -> bool {
    let wants_file = args.output.is_some() || args.write_failures.is_some();
    let wants_lines = args.frames || args.messages;
    let wants_report =
        args.format.is_some() || wants_file || args.fail_on.is_some() || args.quiet || wants_lines;
    !wants_report && look::is_terminal()
}

fn show(args: &ReadArgs, selection: Selection) -> anyhow::Result<()> {
    let filter = args.filter.as_deref().map(Filter::new).transpose()?;
    let files = CaptureFiles::open(&args.files)?;
    let doubts = Doubts::open(args, &files)?;
    let shown = Shown { secrets: args.show_secrets, time: args.time, is_live: false };
    let options = Options { keeps_frames: true, ..options(args, Format::Json) };
    let is_there_again = args.files.iter().all(|path| path.as_os_str() != "-");
    let paths = if is_there_again { args.files.clone() } else { Vec::new() };
    // The capture is read again for its messages, and exports go where the program was started.
    let folder = env::current_dir().ok().filter(|folder| sandbox::is_writable(folder));
    let needs = Needs {
        readable: args.files.iter().filter(|path| path.as_os_str() != "-").cloned().collect(),
        writable: folder.into_iter().collect(),
        terminal: true,
        as_root: true,
        ..Needs::default()
    };
    sandbox::confine(args.sandbox, &needs)?;
    screen::run(
        Reading { files, paths, filter_text: args.filter.clone(), filter, doubts, options, selection, shown },
        &capture::title(&args.files),
        look::theme(args.theme, args.color, args.ascii),
    )
}

fn interfaces() -> anyhow::Result<bool> {
    let mut list = Vec::new();
    report::interfaces::list(&devices()?, &mut list)?;
    print(&list)
}

fn explain(args: &ExplainArgs) -> anyhow::Result<bool> {
    let mut page = Vec::new();
    match &args.rule {
        Some(name) => explain::page(Rule::find(name).ok_or_else(|| UnknownRule(name.clone()))?, &mut page)?,
        None => explain::list(&mut page)?,
    }
    print(&page)
}

fn completions(args: &CompletionsArgs) -> anyhow::Result<bool> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wsinspect", &mut script);
    print(&script)
}

fn manual_page() -> anyhow::Result<bool> {
    let mut page = Vec::new();
    manual::write(Cli::command(), &mut page)?;
    print(&page)
}

/// Writes what is not a report to standard output.
fn print(text: &[u8]) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow!("cannot write standard output: {}", reason(&error)))
        }
        _ => Ok(true),
    }
}

/// Only what will be shown is kept.
fn options(args: &ReadArgs, format: Format) -> Options {
    let wants_findings = args.fail_on.is_some() || args.write_failures.is_some();
    let keeps = match format {
        Format::Text if args.quiet && !wants_findings => Keeps::Totals,
        _ if args.all => Keeps::Connections,
        _ => Keeps::Attempts,
    };
    let messages = args.messages.then(MessagesWanted::default);
    Options { keeps, keeps_frames: args.frames, messages, ..Options::default() }
}

/// Where the report goes.
enum Output<'a> {
    Standard,
    File(&'a Path, File),
}

impl<'a> Output<'a> {
    fn open(path: Option<&'a Path>, captures: &[PathBuf]) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Standard) };
        if captures.iter().any(|capture| is_same_file(path, capture)) {
            bail!("cannot write {}: it is the capture that is to be read", path.display());
        }
        let file = File::create(path)
            .map_err(|error| anyhow!("cannot write {}: {}", path.display(), reason(&error)))?;
        Ok(Self::File(path, file))
    }

    fn write(
        self,
        args: &ReadArgs,
        format: Format,
        capture: &Capture,
        diagnosis: &Diagnosis,
    ) -> anyhow::Result<()> {
        let options = ReportOptions {
            keeps_all: args.all,
            frames: args.frames,
            messages: args.messages,
            shows_secrets: args.show_secrets,
            time: args.time,
            quiet: args.quiet,
            verbose: args.verbose,
            width: self.width(),
        };
        // Only text has styles; looking for some would cost more than writing the others.
        let color = if format == Format::Text { self.color(args.color) } else { ColorChoice::Always };
        let (name, result) = match self {
            Self::Standard => {
                let out = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
                (
                    "standard output".to_owned(),
                    write_report(out, color, format, (capture, diagnosis), &options),
                )
            }
            Self::File(path, file) => {
                let out = BufWriter::with_capacity(OUTPUT_BYTES, file);
                (path.display().to_string(), write_report(out, color, format, (capture, diagnosis), &options))
            }
        };
        match result {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(|error| anyhow!("cannot write {name}: {}", reason(&error))),
        }
    }

    /// As wide as the terminal; 80 columns elsewhere, so that what is sent to others fits.
    fn width(&self) -> usize {
        let terminal = match self {
            Self::Standard if io::stdout().is_terminal() => terminal_size::terminal_size(),
            _ => None,
        };
        terminal.map_or(80, |(terminal_size::Width(columns), _)| usize::from(columns).max(MIN_WIDTH))
    }

    fn color(&self, wanted: Color) -> ColorChoice {
        match (wanted, self) {
            (Color::Always, _) => ColorChoice::Always,
            (Color::Never, _) | (Color::Auto, Self::File(..)) => ColorChoice::Never,
            (Color::Auto, Self::Standard) => AutoStream::choice(&io::stdout()),
        }
    }
}

fn write_report<W: Write + 'static>(
    mut out: W,
    color: ColorChoice,
    format: Format,
    (capture, diagnosis): (&Capture, &Diagnosis),
    options: &ReportOptions,
) -> io::Result<()> {
    if color == ColorChoice::Never {
        let mut plain = StripStream::new(&mut out as &mut dyn Write);
        report::write(format, capture, diagnosis, options, &mut plain)?;
    } else {
        report::write(format, capture, diagnosis, options, &mut out)?;
    }
    out.flush()
}

/// Whether two paths lead to one file. What does not exist yet is no other.
fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// What the system says, without its number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::StorageFull => "no space left on the device".to_owned(),
        _ => error.to_string(),
    }
}

/// A buffer is large enough that a report of a million lines does not spend its time in system calls.
const OUTPUT_BYTES: usize = 64 * 1024;
