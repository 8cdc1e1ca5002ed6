//! What somebody said that he could not read: payload that is looked into after all.

use crate::capture::{CaptureFiles, Filter};
use crate::cli::ReadArgs;
use crate::model::Capture;
use crate::pipeline::SecondLook;
use crate::progress::Progress;

/// A capture that can be read once more.
#[derive(Debug)]
pub struct Doubts {
    /// Opened beforehand: later there may be no right to.
    files: CaptureFiles,
    filter: Option<Filter>,
}

impl Doubts {
    /// None if it comes through a pipe, and is gone then.
    ///
    /// # Errors
    /// If it cannot be opened, or the filter is none.
    pub fn open(args: &ReadArgs, files: &CaptureFiles) -> anyhow::Result<Option<Self>> {
        if files.size().is_none() {
            return Ok(None);
        }
        let filter = args.filter.as_deref().map(Filter::new).transpose()?;
        Ok(Some(Self { files: CaptureFiles::open(&args.files)?, filter }))
    }

    /// Reads it once more if there is something to look into; see [`SecondLook`].
    ///
    /// # Errors
    /// If it cannot be read again.
    pub fn settle(mut self, capture: &mut Capture, quiet: bool) -> anyhow::Result<()> {
        let Some(look) = SecondLook::of(capture) else { return Ok(()) };
        let progress = Progress::new(&self.files, quiet);
        look.take(&mut self.files, self.filter, capture, |files| progress.update(files))?;
        progress.finish();
        Ok(())
    }
}
