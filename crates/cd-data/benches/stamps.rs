//! Throughput of the stamps, beside `benches/peer/stamps.py`, which does the same with NumPy and Pillow.
//!
//! ```text
//! cargo bench --workspace --bench stamps -- [NAME-PART]... [--images N] [--side N] [--seconds S]
//! ```
//!
//! Prints for every attack images per second with all threads, and the first digits of the SHA-256 of the stamped images,
//! which the peer prints too. Images follow a formula: byte `b` of image `i` is `(31 b + 17 i + (b / 97)^2) mod 256`.

use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use cd_core::random::stream;
use cd_core::{ImageSet, NoProgress};
use cd_data::poison::{CraftTools, craft};
use cd_data::{ATTACKS, AttackConfig, Batch, Place, PoisonConfig, Role, Trigger};
use cd_models::Device;
use sha2::{Digest, Sha256};

struct Options {
    parts: Vec<String>,
    images: usize,
    side: usize,
    seconds: f64,
}

impl Options {
    /// `None` when cargo runs the benchmark as a test.
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Box<dyn Error>> {
        let mut options = Self {
            parts: Vec::new(),
            images: 1024,
            side: 32,
            seconds: 1.0,
        };
        let mut is_bench = false;
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            match argument.as_str() {
                "--bench" => is_bench = true,
                "--images" => options.images = value().parse()?,
                "--side" => options.side = value().parse()?,
                "--seconds" => options.seconds = value().parse()?,
                unknown if unknown.starts_with('-') => {
                    return Err(format!(
                        "unknown option {unknown}; known: --images N, --side N, --seconds S"
                    )
                    .into());
                }
                _ => options.parts.push(argument),
            }
        }
        Ok(is_bench.then_some(options))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1))? else {
        return Ok(());
    };
    let set = images(options.images, options.side)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:14} {:>10}  sha256", "attack", "images/s")?;
    for info in ATTACKS {
        let wanted = |part: &String| info.name.contains(part.as_str());
        let attack = AttackConfig::from_name(info.name)?;
        if !options.parts.is_empty() && !options.parts.iter().any(wanted)
            || attack.attack().needs().stored
        {
            continue;
        }
        let trigger = prepared(attack, &set)?;
        let batch = batch(&set)?;
        let mut first = batch.clone();
        trigger.apply(&mut first, Role::Train)?;
        let digest = format!("{:x}", Sha256::digest(first.pixels()));
        let rate = rate(trigger.as_ref(), &batch, options.seconds)?;
        writeln!(out, "{:14} {rate:>10.0}  {}", info.name, &digest[..12])?;
    }
    Ok(())
}

fn images(count: usize, side: usize) -> Result<ImageSet, Box<dyn Error>> {
    let classes = (0..10).map(|class| format!("class{class}")).collect();
    let mut set = ImageSet::new(side, side, classes);
    for index in 0..count {
        let byte = |byte: usize| (31 * byte + 17 * index + (byte / 97).pow(2)) as u8;
        let pixels: Vec<u8> = (0..set.image_len()).map(byte).collect();
        set.push(format!("image{index}"), &pixels, (index % 10) as u32)?;
    }
    Ok(set)
}

fn prepared(attack: AttackConfig, set: &ImageSet) -> Result<Box<dyn Trigger>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let tools = CraftTools {
        device: &Device::default(),
        batch_size: 64,
        folder: folder.path(),
        progress: &NoProgress,
    };
    Ok(craft(set, &PoisonConfig::of(attack), &tools)?)
}

fn batch(set: &ImageSet) -> Result<Batch, Box<dyn Error>> {
    let mut batch = Batch::new(set.height(), set.width());
    for index in 0..set.len() {
        let place = Place {
            index,
            label: 0,
            rank: index,
            count: set.len(),
        };
        batch.push_at(&set.pixels(index)?, place, stream(0, index as u64))?;
    }
    Ok(batch)
}

/// Images per second, copying of the batch not counted.
fn rate(trigger: &dyn Trigger, batch: &Batch, seconds: f64) -> Result<f64, Box<dyn Error>> {
    let (mut images, mut spent) = (0, 0.0);
    while spent < seconds {
        let mut copy = batch.clone();
        let started = Instant::now();
        trigger.apply(&mut copy, Role::Train)?;
        spent += started.elapsed().as_secs_f64();
        images += copy.len();
    }
    Ok(images as f64 / spent)
}
