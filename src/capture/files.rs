//! What was named on the command line: one capture, or several files that are read as one.

use std::path::{Path, PathBuf};

use super::file::CaptureFile;
use super::merge::Merge;
use crate::capture::{Block, CaptureError, Damage, FileFacts, Source, Standpoint};
use crate::numbering::Numbering;

/// One capture file, or several that are merged by time.
#[derive(Debug)]
pub struct CaptureFiles(Files);

#[derive(Debug)]
enum Files {
    One(Box<CaptureFile>),
    Several(Box<Merge>),
}

impl CaptureFiles {
    /// Opens them; `-` is standard input.
    ///
    /// A path that leads to a file named before is passed over with a warning, and so is an empty file among others: a
    /// ring of files has one when tcpdump has just begun it.
    ///
    /// # Errors
    /// If one of the others cannot be opened or read, or is no capture; if there are more than
    /// [`crate::limits::FILES`].
    pub fn open(paths: &[PathBuf]) -> Result<Self, CaptureError> {
        match paths {
            [path] => CaptureFile::open(path).map(Self::one),
            _ => Merge::open(paths).map(|merge| Self(Files::Several(Box::new(merge)))),
        }
    }

    /// One that is open.
    #[must_use]
    pub fn one(file: CaptureFile) -> Self {
        Self(Files::One(Box::new(file)))
    }

    /// Bytes on the disk; `None` if there is a pipe among them.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match &self.0 {
            Files::One(file) => file.size(),
            Files::Several(merge) => merge.size(),
        }
    }

    /// Bytes on the disk that were read so far, before decompression.
    #[must_use]
    pub fn position(&self) -> u64 {
        match &self.0 {
            Files::One(file) => file.position(),
            Files::Several(merge) => merge.position(),
        }
    }
}

impl Source for CaptureFiles {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        match &mut self.0 {
            Files::One(file) => file.next_block(block),
            Files::Several(merge) => merge.next_block(block),
        }
    }

    fn name(&self) -> &str {
        match &self.0 {
            Files::One(file) => file.name(),
            Files::Several(merge) => merge.name(),
        }
    }

    fn take_damage(&mut self) -> Vec<Damage> {
        match &mut self.0 {
            Files::One(file) => file.take_damage(),
            Files::Several(merge) => merge.take_damage(),
        }
    }

    fn take_warnings(&mut self) -> Vec<String> {
        match &mut self.0 {
            Files::One(file) => file.take_warnings(),
            Files::Several(merge) => merge.take_warnings(),
        }
    }

    fn files(&self) -> Vec<FileFacts> {
        match &self.0 {
            Files::One(file) => file.files(),
            Files::Several(merge) => merge.files(),
        }
    }

    fn previewed(&self) -> usize {
        match &self.0 {
            Files::One(_) => 0,
            Files::Several(merge) => merge.previewed(),
        }
    }

    fn preview(&mut self, see: &mut dyn FnMut(usize, &Block) -> bool) -> Result<(), CaptureError> {
        match &mut self.0 {
            Files::One(_) => Ok(()),
            Files::Several(merge) => merge.preview(see),
        }
    }

    fn place(&mut self, standpoints: Vec<Standpoint>) {
        if let Files::Several(merge) = &mut self.0 {
            merge.place(standpoints);
        }
    }

    fn take_numbering(&mut self) -> Numbering {
        match &mut self.0 {
            Files::One(file) => file.take_numbering(),
            Files::Several(merge) => merge.take_numbering(),
        }
    }
}

/// What a screen calls them all: `a.pcap`, `a.pcap and 2 more`.
#[must_use]
pub fn title(paths: &[PathBuf]) -> String {
    let name = |path: &Path| {
        if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
    };
    match paths {
        [] => String::new(),
        [path] => name(path),
        [path, more @ ..] => format!("{} and {} more", name(path), more.len()),
    }
}
