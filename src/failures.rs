//! `--write-failures`: the packets of connections with findings as a file for Wireshark, each finding as a comment on
//! the packets that show it.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::capture::{CaptureFiles, PcapngOutput, Source};
use crate::diagnosis::{Diagnosis, Finding};
use crate::model::Capture;
use crate::pipeline::Export;
use crate::text;
use crate::units::PacketNumber;

/// Where the packets come from and where they go.
#[derive(Debug)]
pub struct Failures {
    captures: CaptureFiles,
    out: PcapngOutput,
}

impl Failures {
    /// Creates the file. The capture is read a second time for it.
    ///
    /// # Errors
    /// If the capture can be read only once, or the file cannot be created.
    pub fn create(capture: &CaptureFiles, paths: &[PathBuf], file: &Path) -> anyhow::Result<Self> {
        if capture.size().is_none() {
            bail!(
                "cannot write {}: the capture comes through a pipe and cannot be read again (save it in a file first)",
                file.display()
            );
        }
        // Opened now: later there may be no right to.
        Ok(Self { captures: CaptureFiles::open(paths)?, out: PcapngOutput::create(file)? })
    }

    /// Copies the packets.
    ///
    /// # Errors
    /// If the capture cannot be read again, or the file cannot be written.
    pub fn write(mut self, capture: &Capture, diagnosis: &Diagnosis) -> anyhow::Result<()> {
        if let Some(surveyed) = &capture.surveyed {
            self.captures.place(surveyed.standpoints.clone());
        }
        failures(capture, diagnosis).copy(&mut self.captures, &mut self.out, |_| {})?;
        Ok(())
    }
}

/// The packets of everything that a finding is about.
#[must_use]
pub fn failures(capture: &Capture, diagnosis: &Diagnosis) -> Export {
    let mut export = Export::default();
    for finding in &diagnosis.findings {
        for connection in diagnosis.connections(&finding.about) {
            if let Some(connection) = capture.connections.get(connection) {
                export.add(connection);
            }
        }
        for packet in &finding.packets {
            export.comment(*packet, comment(finding, capture.numbering.name(*packet)));
        }
    }
    export
}

/// What stands at a packet. The packet has another number in the new file.
#[must_use]
pub fn comment(finding: &Finding, packet: PacketNumber) -> String {
    let (severity, rule) = (finding.severity.name(), finding.rule);
    let number = packet.plain();
    let (name, message) = (rule.name, finding.message());
    let comment = format!(
        "{severity} {} {name}: {message} (packet {number} of the capture; wsinspect explain {name})",
        rule.code
    );
    text::escape(&comment).into_owned()
}
