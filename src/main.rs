//! The `wsinspect` program: the thin edge over the library.

use wsinspect::capture::CaptureFile;
use wsinspect::pipeline::{Options, analyse};

fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let mut file = CaptureFile::open(std::path::Path::new(&path))?;
    let capture = analyse(
        &mut file,
        None,
        Options { keeps: wsinspect::model::Keeps::Totals, ..Options::default() },
        |_| {},
    )?;
    println!("{:#?}", capture.totals);
    std::mem::forget(capture);
    Ok(())
}
