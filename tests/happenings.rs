//! What happened to a connection, packet by packet, is what its facts count.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::path::{Path, PathBuf};

use wsinspect::capture::CaptureFile;
use wsinspect::decode::Half;
use wsinspect::model::Connection;
use wsinspect::pipeline::{Options, ReadBackWanted, analyse, read_back};
use wsinspect::protocol::Which;
use wsinspect::tcp::{EndedBy, Happened, Happenings};

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|folder| std::fs::read_dir(folder.unwrap().path()).ok())
        .flatten()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    files.sort();
    files
}

fn happenings(path: &Path, connection: &Connection) -> Happenings {
    let wanted = ReadBackWanted::of(connection, 0, Which::From(u64::MAX));
    read_back(path, None, wanted, || true).unwrap().happenings
}

#[test]
fn what_happened_is_what_was_counted() {
    let (mut connections, mut ends) = (0, 0);
    for path in captures() {
        let capture =
            analyse(&mut CaptureFile::open(&path).unwrap(), None, Options::default(), |_| {}).unwrap();
        let with_attempts = capture.connections.iter().filter(|connection| !connection.attempts.is_empty());
        for connection in with_attempts {
            connections += 1;
            let found = happenings(&path, connection);
            let name = format!("{}: {}", path.display(), connection.id());
            for half in [Half::Lo, Half::Hi] {
                let of = |is_it: fn(Happened) -> bool| {
                    found.kept.iter().filter(|one| one.by == half && is_it(one.what)).count() as u64
                };
                let facts = connection.tcp.half(half);
                assert_eq!(
                    of(|what| matches!(what, Happened::Retransmitted(_))),
                    u64::from(facts.retransmitted),
                    "{name}"
                );
                assert_eq!(
                    of(|what| matches!(what, Happened::OutOfOrder(_))),
                    u64::from(facts.out_of_order),
                    "{name}"
                );
                assert_eq!(
                    of(|what| matches!(what, Happened::KeepAlive)),
                    u64::from(facts.keep_alives),
                    "{name}"
                );
            }
            if let Some(ending) = connection.tcp.ending {
                ends += 1;
                let what = if ending.how == EndedBy::Fin { Happened::Fin } else { Happened::Reset };
                let is_it = |one: &wsinspect::tcp::Happening| {
                    (one.origin, one.by, one.what) == (ending.origin, ending.by, what)
                };
                assert!(found.kept.iter().any(is_it), "{name}: {ending:?} {:?}", found.kept);
            }
        }
    }
    assert!(connections > 100 && ends > 50, "{connections} {ends}");
}
