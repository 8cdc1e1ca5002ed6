//! What the tests of all outputs share: the shipped captures.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::capture::CaptureFile;
use crate::diagnosis::{Diagnosis, Selection, diagnose};
use crate::model::{Capture, Keeps};
use crate::pipeline::{Options, analyse};

/// All shipped capture files, by name within `captures/`, each with what `expected.json` says of it.
pub(super) fn captures() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root()).unwrap() {
        let folder = folder.unwrap().path();
        let Ok(expected) = std::fs::read_to_string(folder.join("expected.json")) else { continue };
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let scenario = folder.file_name().unwrap().to_str().unwrap();
        for (file, claims) in expected["files"].as_object().unwrap() {
            found.push((format!("{scenario}/{file}"), claims.clone()));
        }
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(found.len() > 20);
    found
}

/// A shipped capture, with its frames and all connections.
pub(super) fn analysed(name: &str) -> Capture {
    let mut file = CaptureFile::open(&root().join(name)).unwrap();
    let options = Options { keeps: Keeps::Connections, keeps_frames: true, ..Options::default() };
    analyse(&mut file, None, options, |_| {}).unwrap()
}

/// What all rules say of it.
pub(super) fn judged(capture: &Capture) -> Diagnosis {
    diagnose(capture, &Selection::default(), false)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}
