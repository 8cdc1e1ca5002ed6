//! The program: opens what was asked for, has it read, and writes the report.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice, StripStream};
use anyhow::{anyhow, bail};

use crate::capture::{CaptureFile, Filter};
use crate::cli::{Cli, Color, Command, ReadArgs};
use crate::model::{Capture, Keeps};
use crate::pipeline::{Options, analyse};
use crate::progress::Progress;
use crate::report::{self, Format, MIN_WIDTH, ReportOptions};
use crate::text;

/// Does what the command line says.
///
/// # Errors
/// If the work could not be done. A reader of our output that has seen enough and closes the pipe is no error.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let done = match &cli.command {
        Command::Read(args) => read(args),
    };
    // One line, whatever is in the name of a file that came from somebody else.
    done.map_err(|error| anyhow!("{}", text::escape(&format!("{error:#}"))))
}

fn read(args: &ReadArgs) -> anyhow::Result<()> {
    let format = args.format.unwrap_or(Format::Text);
    if args.frames && format != Format::Json {
        bail!("cannot show frames as text (use --format json)");
    }
    let filter = args.filter.as_deref().map(Filter::new).transpose()?;
    let mut file = CaptureFile::open(&args.file)?;
    // The output is opened before the capture is read: minutes of work are not to end in a wrong path.
    let output = Output::open(args.output.as_deref(), &args.file)?;
    let progress = Progress::new(&file, args.quiet);
    let capture = analyse(&mut file, filter, options(args, format), |file| progress.update(file))?;
    progress.finish();
    let written = output.write(args, format, &capture);
    // Everything is told; taking it apart piece by piece would cost as much as a part of the reading did.
    std::mem::forget(capture);
    written
}

/// Only what will be shown is kept.
fn options(args: &ReadArgs, format: Format) -> Options {
    let keeps = match format {
        Format::Text if args.quiet => Keeps::Totals,
        _ if args.all => Keeps::Connections,
        _ => Keeps::Attempts,
    };
    Options { keeps, keeps_frames: args.frames, ..Options::default() }
}

/// Where the report goes.
enum Output<'a> {
    Standard,
    File(&'a Path, File),
}

impl<'a> Output<'a> {
    fn open(path: Option<&'a Path>, capture: &Path) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Standard) };
        if is_same_file(path, capture) {
            bail!("cannot write {}: it is the capture that is to be read", path.display());
        }
        let file = File::create(path)
            .map_err(|error| anyhow!("cannot write {}: {}", path.display(), reason(&error)))?;
        Ok(Self::File(path, file))
    }

    fn write(self, args: &ReadArgs, format: Format, capture: &Capture) -> anyhow::Result<()> {
        let options = ReportOptions {
            keeps_all: args.all,
            frames: args.frames,
            shows_secrets: args.show_secrets,
            time: args.time,
            quiet: args.quiet,
            width: self.width(),
        };
        // JSON has no styles; looking for some would cost more than writing it.
        let color = if format == Format::Text { self.color(args.color) } else { ColorChoice::Always };
        let (name, result) = match self {
            Self::Standard => {
                let out = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
                ("standard output".to_owned(), write_report(out, color, format, capture, &options))
            }
            Self::File(path, file) => {
                let out = BufWriter::with_capacity(OUTPUT_BYTES, file);
                (path.display().to_string(), write_report(out, color, format, capture, &options))
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
    capture: &Capture,
    options: &ReportOptions,
) -> io::Result<()> {
    if color == ColorChoice::Never {
        let mut plain = StripStream::new(&mut out as &mut dyn Write);
        report::write(format, capture, options, &mut plain)?;
    } else {
        report::write(format, capture, options, &mut out)?;
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
