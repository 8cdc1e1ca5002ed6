//! Makes packet captures of a known content, to measure and to check readers with.
//!
//! A profile, a scale and a seed fix every byte of a capture. What it holds is counted while it is
//! made and written beside it, so that a reader's counts can be compared with the truth. Nothing of
//! the reader is used here: the two agree on RFC 6455 and RFC 9293 alone.
//!
//! ```text
//! generate PROFILE OUT.pcap [--megabytes N | --scale X] [--seed N] [--truth OUT.json]
//! ```

mod arguments;
mod burst;
mod checksum;
mod conversation;
mod deflate;
mod frame;
mod handshake;
mod kit;
mod material;
mod packet;
mod profiles;
mod random;
mod scale;
mod schedule;
mod traffic;
mod truth;

use std::fs::{self, File};
use std::io::{self, Write};
use std::process::ExitCode;

use arguments::Arguments;
use kit::Kit;
use packet::CaptureWriter;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)).and_then(|arguments| generate(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            // If standard error is gone, the status still tells.
            writeln!(io::stderr(), "generate: {message}").unwrap_or_default();
            ExitCode::from(2)
        }
    }
}

/// Writes the capture and, if asked for, its truth.
fn generate(arguments: &Arguments) -> Result<(), String> {
    let output = arguments.output.display();
    let file = File::create(&arguments.output).map_err(|error| format!("cannot create {output}: {error}"))?;
    let mut profile = (arguments.profile.make)(arguments.scale);
    let mut kit = Kit::new(arguments.seed, profile.link());
    let mut wire = CaptureWriter::new(file, profile.link());
    schedule::run(profile.as_mut(), &mut kit, &mut wire)
        .and_then(|()| wire.finish())
        .map_err(|error| format!("cannot write {output}: {error}"))?;
    let Some(truth) = &arguments.truth else {
        return Ok(());
    };
    let counts = kit.truth.json(arguments.profile.name, arguments.seed, wire.packets, wire.bytes);
    fs::write(truth, counts).map_err(|error| format!("cannot write {}: {error}", truth.display()))
}
