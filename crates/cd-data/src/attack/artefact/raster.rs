//! Patterns of the size of an image.

use std::borrow::Cow;
use std::fmt::Debug;
use std::path::Path;
use std::sync::OnceLock;

use cd_core::CHANNELS;
use image::RgbImage;

use super::super::AttackError;
use super::bilinear::resized;
use super::{Artefact, Numbers, Precision, read, unusable};

/// Values for every pixel of an image.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::attack) struct Raster {
    pub(in crate::attack) height: usize,
    pub(in crate::attack) width: usize,
    /// `[height, width, 3]`.
    pub(in crate::attack) values: Vec<f64>,
    pub(in crate::attack) precision: Precision,
}

impl Raster {
    /// A raster of bytes, `[height, width, 3]`.
    pub(in crate::attack) fn of_bytes(height: usize, width: usize, bytes: &[u8]) -> Self {
        Self {
            height,
            width,
            values: bytes.iter().map(|&byte| f64::from(byte)).collect(),
            precision: Precision::Whole,
        }
    }

    fn of_picture(picture: &RgbImage, height: usize, width: usize) -> Self {
        Self::of_bytes(height, width, &resized(picture, height, width))
    }

    /// A copy in grey levels: fractions of 1 become levels of 255, other values stay.
    #[must_use]
    pub(in crate::attack) fn in_levels(mut self) -> Self {
        let largest = self
            .values
            .iter()
            .fold(0.0, |most: f64, v| most.max(v.abs()));
        match self.precision {
            Precision::Single if largest <= 1.0 => {
                for value in &mut self.values {
                    *value = f64::from(*value as f32 * 255.0);
                }
            }
            Precision::Double if largest <= 1.0 => {
                for value in &mut self.values {
                    *value *= 255.0;
                }
            }
            _ => {}
        }
        self
    }

    /// As bytes, where every value is one and its arithmetic is that of double precision.
    pub(in crate::attack) fn whole_bytes(&self) -> Option<Vec<u8>> {
        let byte = |&value: &f64| Some(value as u8).filter(|&byte| f64::from(byte) == value);
        let is_double = self.precision != Precision::Single;
        let bytes = is_double.then(|| self.values.iter().map(byte).collect());
        bytes.flatten()
    }

    /// As bytes, cut to whole levels.
    pub(in crate::attack) fn bytes(&self) -> Vec<u8> {
        self.values.iter().map(|&value| value as u8).collect()
    }
}

impl Numbers {
    /// The array as `[height, width, 3]`; accepts grey and colour, channels first or last, and axes of one before them.
    fn raster(&self) -> Result<Raster, String> {
        let leading = self.shape.iter().take_while(|&&length| length == 1).count();
        let spare = self.shape.len().saturating_sub(CHANNELS);
        let shape = &self.shape[leading.min(spare)..];
        let (height, width, at): (_, _, Box<dyn Fn(usize, usize) -> usize>) = match *shape {
            [height, width, CHANNELS] => {
                let at = |pixel, channel| pixel * CHANNELS + channel;
                (height, width, Box::new(at))
            }
            [height, width] | [height, width, 1] | [1, height, width] => {
                (height, width, Box::new(|pixel, _| pixel))
            }
            [CHANNELS, height, width] => {
                let at = move |pixel, channel| channel * height * width + pixel;
                (height, width, Box::new(at))
            }
            _ => {
                return Err(format!(
                    "its shape is {:?}, expected [height, width], [height, width, 3] or [3, height, width]",
                    self.shape
                ));
            }
        };
        let pixels = (0..height * width).flat_map(|pixel| {
            let at = &at;
            (0..CHANNELS).map(move |channel| at(pixel, channel))
        });
        Ok(Raster {
            height,
            width,
            values: pixels.map(|at| self.values[at]).collect(),
            precision: self.precision,
        })
    }
}

impl Artefact {
    /// The pattern for images of this size: pictures are resized without keeping their aspect, arrays must have the size.
    fn fitted(
        &self,
        attack: &'static str,
        path: &Path,
        height: usize,
        width: usize,
    ) -> Result<Raster, AttackError> {
        let numbers = match self {
            Self::Picture(picture) => return Ok(Raster::of_picture(picture, height, width)),
            Self::Numbers(numbers) => numbers,
        };
        let raster = numbers.raster();
        let raster = raster.map_err(|problem| unusable(attack, path, problem))?;
        if (raster.height, raster.width) == (height, width) {
            return Ok(raster);
        }
        let problem = format!(
            "it has {} x {} pixels, the images {height} x {width}; give an array of that size, or a picture, which is resized",
            raster.height, raster.width
        );
        Err(unusable(attack, path, problem))
    }
}

type Make = Box<dyn Fn(usize, usize) -> Result<Raster, AttackError> + Send + Sync>;

/// A pattern made for the size of the images, once for the size of the first ones.
pub(in crate::attack) struct Cached {
    make: Make,
    /// At the size of the first image; in practice all images have that size.
    ready: OnceLock<Raster>,
}

impl Debug for Cached {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Cached").finish_non_exhaustive()
    }
}

impl Cached {
    /// A pattern that `make(height, width)` makes.
    pub(in crate::attack) fn new(
        make: impl Fn(usize, usize) -> Result<Raster, AttackError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
            ready: OnceLock::new(),
        }
    }

    /// The pattern in a file, changed by `then`.
    pub(in crate::attack) fn from_file(
        attack: &'static str,
        path: &Path,
        then: impl Fn(Raster) -> Raster + Send + Sync + 'static,
    ) -> Result<Self, AttackError> {
        let artefact = read(attack, path)?;
        let path = path.to_owned();
        Ok(Self::new(move |height, width| {
            artefact.fitted(attack, &path, height, width).map(&then)
        }))
    }

    /// The pattern for images of this size.
    pub(in crate::attack) fn get(
        &self,
        height: usize,
        width: usize,
    ) -> Result<Cow<'_, Raster>, AttackError> {
        let fits = |raster: &&Raster| (raster.height, raster.width) == (height, width);
        if let Some(ready) = self.ready.get().filter(fits) {
            return Ok(Cow::Borrowed(ready));
        }
        let made = (self.make)(height, width)?;
        Ok(match self.ready.set(made.clone()) {
            Ok(()) => self.ready.get().map_or(Cow::Owned(made), Cow::Borrowed),
            Err(made) => Cow::Owned(made),
        })
    }
}
