//! Progress of long reads, on standard error, if that is a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::CaptureFiles;

/// A line that says how far the reading is. It appears once there is much to read, and leaves nothing behind.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// For a capture that is about to be read; nothing is ever shown if `quiet`.
    #[must_use]
    pub fn new(files: &CaptureFiles, quiet: bool) -> Self {
        let is_short = files.size().is_some_and(|bytes| bytes < LONG_BYTES);
        if quiet || is_short {
            return Self { bar: None };
        }
        // Draws nothing where standard error is no terminal.
        let target = ProgressDrawTarget::stderr_with_hz(FRAMES_PER_SECOND);
        let bar = ProgressBar::with_draw_target(files.size(), target);
        let template = match files.size() {
            Some(_) => "reading {bytes} of {total_bytes}, {percent} %, {binary_bytes_per_sec}, {eta} to go",
            None => "reading, {bytes} so far, {binary_bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar: Some(bar) }
    }

    /// After each block.
    pub fn update(&self, files: &CaptureFiles) {
        if let Some(bar) = &self.bar
            && files.position() >= SHOWN_AFTER_BYTES
        {
            bar.set_position(files.position());
        }
    }

    /// The reading is over.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A file of less is read before anybody could read the line.
const LONG_BYTES: u64 = 256 * 1024 * 1024;

/// So much of a pipe has to come first.
const SHOWN_AFTER_BYTES: u64 = 16 * 1024 * 1024;

const FRAMES_PER_SECOND: u8 = 10;
