//! What is reflected: pictures of the user's, or drawn scenes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cd_core::CHANNELS;
use cd_core::random::{named, stream};
use image::RgbImage;
use rand::Rng;

use super::super::AttackError;
use super::super::artefact::{unreadable, unusable};
use super::super::overlay::paint;
use super::INFO;
use crate::picture::{Orientation, decode_rgb, resize_rgb};

/// Number of drawn scenes.
const DRAWN: usize = 16;
/// Most pictures of a folder, and the longest side at which they are kept.
const MOST: usize = 1000;
const KEPT_SIDE: u32 = 512;

/// All reflections, each made at the size of the images when it is first asked for.
#[derive(Debug)]
pub(super) struct Mirrored {
    source: Source,
    ready: Vec<Mutex<Option<Sized>>>,
}

#[derive(Debug)]
enum Source {
    Drawn(u64),
    Pictures(Vec<RgbImage>),
}

#[derive(Debug, Clone)]
struct Sized {
    size: [usize; 2],
    values: Arc<[u8]>,
}

impl Mirrored {
    /// The pictures at `path`, or scenes drawn from a seed.
    pub(super) fn new(path: Option<&Path>, seed: u64) -> Result<Self, AttackError> {
        let source = match path {
            None => Source::Drawn(seed),
            Some(path) => Source::Pictures(decoded(path)?),
        };
        let count = match &source {
            Source::Drawn(_) => DRAWN,
            Source::Pictures(pictures) => pictures.len(),
        };
        Ok(Self {
            source,
            ready: (0..count).map(|_| Mutex::new(None)).collect(),
        })
    }

    /// Number of reflections, at least 1.
    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// Reflection `number` as `[height, width, 3]`.
    pub(super) fn get(&self, number: usize, height: usize, width: usize) -> Arc<[u8]> {
        let size = [height, width];
        let mut ready = self.ready[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = ready.as_ref().filter(|ready| ready.size == size) {
            return Arc::clone(&ready.values);
        }
        let values: Arc<[u8]> = match &self.source {
            Source::Drawn(seed) => scene(*seed, number, height, width).into(),
            Source::Pictures(pictures) => {
                resize_rgb(pictures[number].clone(), height, width).into()
            }
        };
        *ready = Some(Sized {
            size,
            values: Arc::clone(&values),
        });
        values
    }
}

/// The pictures of a folder in the order of their names, or the file itself.
pub(super) fn pictures(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_file() && !hidden {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn decoded(path: &Path) -> Result<Vec<RgbImage>, AttackError> {
    let files = pictures(path).map_err(|source| unreadable(INFO.name, path, source))?;
    if files.is_empty() {
        let problem = "there is no picture in it; name a picture or a folder of pictures";
        return Err(unusable(INFO.name, path, problem.into()));
    }
    if files.len() > MOST {
        let problem = format!("it has {} files, at most {MOST} are read", files.len());
        return Err(unusable(INFO.name, path, problem));
    }
    let decode = |file: &PathBuf| {
        let picture = decode_rgb(file, Orientation::Ignore);
        let picture = picture.map_err(|source| AttackError::Picture {
            attack: INFO.name,
            path: file.clone(),
            source,
        })?;
        Ok(small(picture))
    };
    files.iter().map(decode).collect()
}

/// A picture that is no larger than what is worth keeping.
fn small(picture: RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= KEPT_SIDE {
        return picture;
    }
    let side = |side: u32| (side * KEPT_SIDE / longest).max(1);
    let (width, height) = (side(width), side(height));
    let bytes = resize_rgb(picture, height as usize, width as usize);
    RgbImage::from_raw(width, height, bytes).unwrap_or_default()
}

/// A dark room with lit panes and a lamp.
fn scene(seed: u64, number: usize, height: usize, width: usize) -> Vec<u8> {
    let mut random = stream(seed, named("reflected scene").wrapping_add(number as u64));
    let shade: [f64; CHANNELS] = [(); CHANNELS].map(|()| random.random_range(0.0..60.0));
    let mut scene: Vec<u8> = (0..height * width * CHANNELS)
        .map(|at| {
            let row = at / CHANNELS / width;
            (shade[at % CHANNELS] * (1.0 - row as f64 / (2 * height) as f64)) as u8
        })
        .collect();
    for _ in 0..6 {
        let mut span = |side: usize| {
            let start = random.random_range(0.0..0.85) * side as f64;
            let length = random.random_range(0.08..0.4) * side as f64;
            start as usize..((start + length).ceil() as usize).min(side)
        };
        let (rows, columns) = (span(height), span(width));
        let warm: f64 = random.random_range(90.0..255.0);
        let tint = [
            1.0,
            random.random_range(0.6..1.0),
            random.random_range(0.3..1.0),
        ];
        paint(
            &mut scene,
            width,
            rows,
            columns,
            tint.map(|share| (warm * share) as u8),
        );
    }
    let [middle, across] = [(); 2].map(|()| random.random_range(0.1..0.9));
    let radius = random.random_range(0.08..0.2);
    for (pixel, values) in scene.chunks_exact_mut(CHANNELS).enumerate() {
        let down = (pixel / width) as f64 / height as f64 - middle;
        let right = (pixel % width) as f64 / width as f64 - across;
        if down * down + right * right < radius * radius {
            values.fill(250);
        }
    }
    scene
}
