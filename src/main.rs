//! The `wsinspect` program: the thin edge over the library.

use wsinspect::capture::CaptureFile;
use wsinspect::pipeline::{Options, analyse};

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let mut file = CaptureFile::open(std::path::Path::new(&path))?;
    let capture = analyse(&mut file, None, Options::default(), |_| {})?;
    println!("{:#?}", capture.totals);
    for connection in &capture.connections {
        println!(
            "{} {} -> {}",
            connection.id(),
            connection.endpoint(wsinspect::protocol::Role::Client),
            connection.endpoint(wsinspect::protocol::Role::Server)
        );
        for attempt in &connection.attempts {
            println!(
                "  {:?} {:?} {:?}",
                attempt.request.as_ref().map(|r| (r.head().target.to_owned(), r.problems.clone())),
                attempt.response.as_ref().map(|r| (r.status, r.accept, &r.problems)),
                wsinspect::model::Outcome::of(attempt, connection, capture.totals.first_and_last.unwrap().1)
            );
            if let Some(s) = &attempt.session {
                println!(
                    "    {:?}\n    {:?} {:?} {:?} {:?}",
                    s.client, s.server, s.close, s.pings, s.anomalies
                );
            }
        }
    }
    Ok(())
}
