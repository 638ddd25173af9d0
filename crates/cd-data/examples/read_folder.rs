//! How fast a folder of pictures is read, and in how much memory.
//!
//!     cargo run --release --example read_folder -- FOLDER SIZE [INDEX]
//!
//! `INDEX` is a folder that remembers which pictures were checked.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use cd_data::{DatasetConfig, FolderConfig, LoadContext, NoProgress};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "expected FOLDER SIZE [INDEX]";
    let mut config = FolderConfig::new(arguments.next().ok_or(usage)?);
    config.size = Some(arguments.next().ok_or(usage)?.parse()?);
    let index = arguments.next();
    let start = Instant::now();
    let split = DatasetConfig::Folder(config).load_with(&LoadContext {
        progress: &NoProgress,
        index: index.as_deref().map(Path::new),
        bad_list: None,
    })?;
    let count = split.train.len();
    print(&format!("{count} training pictures"), count, start)?;
    for pass in ["first pass", "second pass"] {
        let start = Instant::now();
        (0..count)
            .into_par_iter()
            .try_for_each(|index| split.train.pixels(index).map(drop))?;
        print(pass, count, start)?;
    }
    Ok(())
}

/// What was done, how fast, and the most memory that the program has had so far, where the system tells it.
fn print(what: &str, pictures: usize, start: Instant) -> Result<(), Box<dyn Error>> {
    let seconds = start.elapsed().as_secs_f64();
    let rate = pictures as f64 / seconds;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    let peak = peak.unwrap_or("peak of memory unknown");
    writeln!(
        std::io::stdout(),
        "{what}: {seconds:.1} s, {rate:.0} pictures/s, {peak}"
    )?;
    Ok(())
}
