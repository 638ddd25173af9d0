//! Cost of the detectors that look at features alone.
//!
//! ```text
//! cargo bench --workspace --bench features -- DETECTOR [ROWS [COLUMNS [DIRECTIONS]]]
//! ```
//!
//! DIRECTIONS is in how many directions the rows of a cloud differ; usually in all. Distances of `knn` are compared with those of a full
//! search of every row for a few of them.
//!
//! One detector a process: the peak of memory, shown where the system tells, is its own. Features are ten clouds of random numbers,
//! written to the file that `CD_BENCH_FEATURES` names (rows of f32, little-endian), so that `benches/peer/features.py` takes the same.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::time::Instant;

use cd_core::{Matrix, random};
use cd_detect::{Clean, Compute, DetectorConfig, Evidence};
use cd_models::burn::tensor::Tensor;
use cd_models::{Device, ImageSet, Tap};
use rand::Rng;

const CLASSES: usize = 10;
/// Clean images of each class.
const CLEAN: usize = 50;
/// Neighbours that `knn` looks at.
const NEIGHBOURS: usize = 16;
/// Rows whose distance is compared with a full search.
const CHECKED: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    // Cargo runs it without a name when it runs tests.
    let Some(name) = words.first() else {
        return Ok(());
    };
    let number = |at: usize, usual: usize| words.get(at).map_or(Ok(usual), |word| word.parse());
    let (rows, columns) = (number(1, 50_000)?, number(2, 512)?);
    let directions = number(3, columns)?;
    let features = clouds(rows, columns, directions, 0);
    if let Some(path) = std::env::var_os("CD_BENCH_FEATURES") {
        let bytes: Vec<u8> = features
            .values()
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        fs::write(path, bytes)?;
    }
    let labels: Vec<u32> = (0..rows).map(|row| (row % CLASSES) as u32).collect();
    let features = BTreeMap::from([(Tap::Penultimate, features)]);
    let of_clean = BTreeMap::from([(
        Tap::Penultimate,
        clouds(CLEAN * CLASSES, columns, directions, 1),
    )]);
    let (images, trusted) = (blank(rows)?, blank(CLEAN * CLASSES)?);
    let device = Device::flex();
    let evidence = Evidence {
        labels: Some(&labels),
        class_count: CLASSES,
        features: &features,
        reference: features.get(&Tap::Penultimate),
        clean: Some(Clean {
            labels: Some(&labels[..CLEAN * CLASSES]),
            features: &of_clean,
            ..Clean::new(&trusted)
        }),
        ..Evidence::new(&black, &images, Compute::new(&device))
    };
    let detector = DetectorConfig::from_name(name)?;
    let start = Instant::now();
    let found = detector
        .detector()
        .detect(&evidence)?
        .ok_or("there are no shards")?;
    let seconds = start.elapsed().as_secs_f64();
    let sum: f64 = found.raw.iter().sum();
    let peak = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    writeln!(
        io::stdout(),
        "{name}, {rows} x {columns}: {seconds:.1} s, peak {}, sum of scores {sum:.6}",
        peak.map_or("unknown", str::trim),
    )?;
    if name == "knn" && rows > NEIGHBOURS {
        let features = &features[&Tap::Penultimate];
        let checked = (0..rows).step_by((rows / CHECKED).max(1));
        let ratios = checked.map(|row| found.raw[row] / full_search(features, row, NEIGHBOURS));
        let ratios: Vec<f64> = ratios.collect();
        let equal = ratios.iter().filter(|ratio| **ratio < 1.0 + 1e-9).count();
        writeln!(
            io::stdout(),
            "of {} rows {equal} have their exact distance; ratio {:.4} in the mean, {:.4} at most",
            ratios.len(),
            ratios.iter().sum::<f64>() / ratios.len() as f64,
            ratios.iter().copied().fold(0.0, f64::max),
        )?;
    }
    Ok(())
}

/// Distance of the last of the nearest rows of `row`.
fn full_search(matrix: &Matrix, row: usize, neighbours: usize) -> f64 {
    let others = (0..matrix.rows()).filter(|&other| other != row);
    let distances = others.map(|other| {
        let pairs = matrix.row(row).iter().zip(matrix.row(other));
        let squares = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        squares.sum::<f64>().sqrt()
    });
    let mut distances: Vec<f64> = distances.collect();
    *distances
        .select_nth_unstable_by(neighbours - 1, f64::total_cmp)
        .1
}

/// Ten clouds in turn.
fn clouds(rows: usize, columns: usize, directions: usize, seed: u64) -> Matrix {
    let mut drawn = random::stream(seed, random::named("clouds"));
    let mut fixed = random::stream(0, random::named("middles of clouds"));
    let middles: Vec<f32> = (0..CLASSES * columns).map(|_| fixed.random()).collect();
    let turned: Vec<f32> = (0..directions * columns)
        .map(|_| fixed.random::<f32>() - 0.5)
        .collect();
    let mut values = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        let middle = &middles[(row % CLASSES) * columns..][..columns];
        if directions == columns {
            values.extend(middle.iter().map(|middle| middle + drawn.random::<f32>()));
            continue;
        }
        let mut place = middle.to_vec();
        for along in turned.chunks_exact(columns) {
            let far = drawn.random::<f32>() - 0.5;
            let pairs = place.iter_mut().zip(along);
            pairs.for_each(|(value, along)| *value += far * along);
        }
        values.extend(place);
    }
    Matrix::new(columns, values)
}

fn blank(count: usize) -> Result<ImageSet, Box<dyn Error>> {
    let mut set = ImageSet::new(1, 1, vec!["any".into()]);
    for image in 0..count {
        set.push(image.to_string(), &[0; 3], 0)?;
    }
    Ok(set)
}

fn black(images: Tensor<4>) -> Tensor<2> {
    images.mean_dims(&[2, 3]).flatten(1, 3)
}
