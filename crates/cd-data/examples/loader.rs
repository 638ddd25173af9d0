//! How fast pictures are decoded, resized and put into batches, from a folder or from shards.
//!
//!     cargo run --release --example loader -- SIZE PATH [PATH ...]
//!
//! Each path may be whatever `scan --images` takes. Reading decodes and resizes every picture once; batches of 64 then come in a shuffled
//! order, from memory as far as pictures are kept there. The last line is of both together, nothing remembered from earlier: what a loader
//! does in its first pass.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use cd_core::ahead;
use cd_core::random::stream;
use cd_data::{DatasetConfig, LoadContext, NoProgress, PictureOptions};
use rand::seq::SliceRandom;
use rayon::prelude::*;

/// Pictures of a batch.
const BATCH: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "expected SIZE PATH [PATH ...]";
    let size = Some(arguments.next().ok_or(usage)?.parse()?);
    for path in arguments {
        let options = PictureOptions {
            size,
            ..PictureOptions::default()
        };
        let config = DatasetConfig::of_images(Path::new(&path), options);
        let first = Instant::now();
        let split = config.load_with(&LoadContext::new(&NoProgress))?;
        let train = split.train;
        let name = config.name();
        print(&format!("{name}: reading"), train.len(), first)?;
        let mut order: Vec<usize> = (0..train.len()).collect();
        order.shuffle(&mut stream(1, 0));
        let batches: Vec<&[usize]> = order.chunks(BATCH).collect();
        let start = Instant::now();
        let mut bytes = 0;
        let batch = |number: usize| {
            let pixels = batches[number].par_iter().map(|&at| train.pixels(at));
            let pixels = pixels.collect::<Result<Vec<_>, _>>()?;
            Ok::<_, cd_core::StorageError>(pixels.concat())
        };
        ahead::each(batches.len(), 2, batch, |_, batch| {
            bytes += batch.len();
            Ok(())
        })?;
        let batched = format!("{name}: batches of {bytes} bytes");
        print(&batched, train.len(), start)?;
        print(&format!("{name}: together"), train.len(), first)?;
    }
    Ok(())
}

fn print(what: &str, pictures: usize, start: Instant) -> Result<(), Box<dyn Error>> {
    let seconds = start.elapsed().as_secs_f64();
    let rate = pictures as f64 / seconds;
    writeln!(
        std::io::stdout(),
        "{what}: {seconds:.2} s, {rate:.0} pictures/s"
    )?;
    Ok(())
}
