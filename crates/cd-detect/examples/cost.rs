//! Seconds and memory of detectors that look at features alone, on drawn ones.
//!
//! `cost DETECTOR [IMAGES] [FEATURES] [FILE.npy]`: 50,000 images of 512 features unless other numbers are given; the features also
//! go to the file, for other programs to read.

use std::error::Error;
use std::time::Instant;

use cd_core::{Matrix, npy, random};
use cd_detect::{Compute, DetectorConfig, Evidence};
use cd_models::burn::tensor::Tensor;
use cd_models::{ImageSet, Tap, device};
use rand::Rng;
use rayon::prelude::*;

const CLASSES: usize = 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = arguments.first().ok_or("name a detector")?;
    let number = |at: usize, usual| arguments.get(at).map_or(Ok(usual), |text| text.parse());
    let (images, columns) = (number(1, 50_000)?, number(2, 512)?);
    let features = drawn(images, columns);
    if let Some(path) = arguments.get(3) {
        npy::save(path.as_ref(), &[images, columns], features.values())?;
    }
    let classes = (0..CLASSES).map(|class| class.to_string());
    let mut set = ImageSet::new(1, 1, classes.collect());
    for image in 0..images {
        set.push(image.to_string(), &[0; 3], (image % CLASSES) as u32)?;
    }
    let device = device::parse("cpu")?;
    let model = |images: Tensor<4>| images.flatten::<2>(1, 3);
    let by_tap = [(Tap::Penultimate, features.clone())].into();
    let evidence = Evidence {
        labels: Some(set.labels()),
        class_count: CLASSES,
        features: &by_tap,
        reference: Some(&features),
        ..Evidence::new(&model, &set, Compute::new(&device))
    };
    let config = DetectorConfig::from_name(name)?;
    let started = Instant::now();
    config.detector().detect(&evidence)?;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{name}: {images} x {columns} in {seconds:.1} s");
    Ok(())
}

/// One cloud for each class, which overlap.
fn drawn(images: usize, columns: usize) -> Matrix {
    let row = |image: usize| {
        let mut middle = random::stream(1, (image % CLASSES) as u64);
        let mut noise = random::stream(2, image as u64);
        (0..columns)
            .map(|_| middle.random::<f32>() + 2.0 * noise.random::<f32>())
            .collect::<Vec<f32>>()
    };
    let rows: Vec<Vec<f32>> = (0..images).into_par_iter().map(row).collect();
    Matrix::new(columns, rows.concat())
}
