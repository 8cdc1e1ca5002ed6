//! Any bytes as a capture, through everything: the totals are the sums of what they are the totals of.

#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use wsinspect::capture::CaptureFile;
use wsinspect::limits::Limits;
use wsinspect::model::Keeps;
use wsinspect::pipeline::{Options, analyse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = CaptureFile::from_reader("fuzz", Box::new(Cursor::new(bytes.to_vec()))) else {
        return;
    };
    let limits = Limits { embryos: 64, ..Limits::default() };
    let options = Options { keeps: Keeps::Connections, keeps_frames: true, limits };
    let capture = analyse(&mut file, None, options, |_| {}).expect("a cursor can be read");
    let totals = &capture.totals;
    assert!(totals.skipped.values().sum::<u64>() <= totals.packets);
    let attempts: usize = capture.connections.iter().map(|connection| connection.attempts.len()).sum();
    assert_eq!(totals.attempts_total(), attempts as u64);
    let ids: Vec<_> = capture.connections.iter().map(|connection| connection.id()).collect();
    assert!(ids.is_sorted());
    assert!(ids.iter().all(|id| (1..=totals.packets).contains(&id.0)));
});
