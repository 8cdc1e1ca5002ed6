//! Any bytes as a capture, through everything: the totals are the sums of what they are the totals of, every attempt is a
//! leg of one route, and every report can be written.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wsinspect::capture::CaptureFile;
use wsinspect::diagnosis::{Selection, diagnose};
use wsinspect::limits::Limits;
use wsinspect::model::Keeps;
use wsinspect::pipeline::{Options, analyse};
use wsinspect::report::{Format, ReportOptions, write};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = CaptureFile::from_reader("fuzz", Box::new(Cursor::new(bytes.to_vec()))) else {
        return;
    };
    let limits = Limits { embryos: 64, ..Limits::default() };
    let options = Options { keeps: Keeps::Connections, keeps_frames: true, limits, ..Options::default() };
    let capture = analyse(&mut file, None, options, |_| {}).expect("a cursor can be read");
    let totals = &capture.totals;
    assert!(totals.skipped.values().sum::<u64>() <= totals.packets);
    let attempts: usize = capture.connections.iter().map(|connection| connection.attempts.len()).sum();
    assert_eq!(totals.attempts_total(), attempts as u64);
    let ids: Vec<_> = capture.connections.iter().map(|connection| connection.id()).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| (1..=totals.packets).contains(&id.0)));
    let diagnosis = diagnose(&capture, &Selection::default(), false);
    let mut legs: Vec<_> = diagnosis
        .routes
        .iter()
        .flat_map(|route| &route.legs)
        .map(|leg| (leg.connection, leg.attempt))
        .collect();
    legs.sort_unstable();
    legs.dedup();
    assert_eq!(legs.len(), attempts);
    for format in [Format::Text, Format::Json, Format::Markdown] {
        write(format, &capture, &diagnosis, &ReportOptions::default(), &mut std::io::sink())
            .expect("a sink takes all");
    }
});
