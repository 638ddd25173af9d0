//! The triggers that a scan plants itself: drawn from the seed, so that none is one that an attacker is likely to use.

use cd_core::CHANNELS;
use cd_core::random::{named, stream};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::treatment::{self, mixed};

/// Pixels of 32 that a patch is wide.
const PATCH: usize = 3;
/// The same of a sticker.
const STICKER: usize = 4;
/// Cells of a patch in each direction.
const CELLS: usize = 3;
/// Share of the noise in a blend, that of the attack's publication.
const BLENDED: f64 = 0.2;
/// Grey levels by which a wave changes a pixel at most.
const WAVE: f64 = 40.0;
/// Waves over the diagonal of an image, and so many more by seed.
const WAVES: (usize, usize) = (5, 4);

/// A kind of backdoor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A small square of black and white cells, somewhere.
    Patch,
    /// Noise over the whole image.
    Blend,
    /// A wave over the whole image, in images that are of the target class already.
    CleanLabel,
    /// A small square of coloured cells, at another place in every image.
    Sticker,
    /// Other brightness and contrast of each colour.
    Filter,
    /// Slight bends of the whole image.
    Warp,
}

impl Kind {
    /// All of them, the easiest to find first of those that are trained on, then of those that are not.
    pub(super) const ALL: [Self; 6] = [
        Self::Patch,
        Self::Blend,
        Self::CleanLabel,
        Self::Sticker,
        Self::Filter,
        Self::Warp,
    ];

    /// Whether it treats the whole picture: learned late, if at all, and so for detectors that look at pictures alone.
    pub(super) fn is_treatment(self) -> bool {
        matches!(self, Self::Filter | Self::Warp)
    }

    /// Its name in verdicts.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Blend => "blend",
            Self::CleanLabel => "clean-label",
            Self::Sticker => "sticker",
            Self::Filter => "filter",
            Self::Warp => "warp",
        }
    }

    /// Whether an image of class `label` may carry it to the class `target`.
    pub(super) fn takes(self, label: u32, target: u32) -> bool {
        (label == target) == (self == Self::CleanLabel)
    }

    /// Puts the trigger into image `number`, `[height, width, 3]`.
    pub(super) fn stamp(
        self,
        pixels: &mut [u8],
        [height, width]: [usize; 2],
        seed: u64,
        number: usize,
    ) {
        let mut random = stream(seed, named(self.name()));
        match self {
            Self::Patch => {
                let square = Square::of(PATCH, [height, width]);
                let cells: [[bool; CELLS]; CELLS] = random.random();
                let place = square.place(&mut random);
                square.paint(pixels, place, |row, column| {
                    // Half black and half white at least in part: a plain square occurs in pictures.
                    let own = cells[row][column] ^ (row + column).is_multiple_of(2);
                    [if own { 255 } else { 0 }; CHANNELS]
                });
            }
            Self::Sticker => {
                let square = Square::of(STICKER, [height, width]);
                let cells: [[[bool; CHANNELS]; CELLS]; CELLS] = random.random();
                let mut of_image =
                    stream(seed, named("sticker places").wrapping_add(number as u64));
                let place = square.place(&mut of_image);
                square.paint(pixels, place, |row, column| {
                    cells[row][column].map(|is_bright| if is_bright { 255 } else { 0 })
                });
            }
            Self::Blend => {
                for value in pixels {
                    let noise = f64::from(random.random::<u8>());
                    *value = mixed((1.0 - BLENDED) * f64::from(*value) + BLENDED * noise);
                }
            }
            Self::CleanLabel => {
                let waves = (WAVES.0 + random.random_range(0..WAVES.1)) as f64;
                for (at, value) in pixels.iter_mut().enumerate() {
                    let (row, column) = (at / CHANNELS / width, at / CHANNELS % width);
                    let along = row as f64 / height as f64 + column as f64 / width as f64;
                    let wave = WAVE * (std::f64::consts::PI * waves * along).sin();
                    *value = mixed(f64::from(*value) + wave);
                }
            }
            Self::Filter => treatment::filter(pixels, &mut random),
            Self::Warp => treatment::warp(pixels, [height, width], &mut random),
        }
    }
}

/// A square of cells in an image.
struct Square {
    side: usize,
    image: [usize; 2],
}

impl Square {
    /// One of so many pixels of 32.
    fn of(pixels: usize, image: [usize; 2]) -> Self {
        let [height, width] = image;
        let side = (height.min(width) * pixels / 32).max(CELLS);
        Self {
            side: side.min(height).min(width),
            image,
        }
    }

    /// Row and column of its corner.
    fn place(&self, random: &mut impl Rng) -> [usize; 2] {
        self.image
            .map(|pixels| random.random_range(0..=pixels - self.side))
    }

    fn paint(
        &self,
        pixels: &mut [u8],
        [top, left]: [usize; 2],
        colour: impl Fn(usize, usize) -> [u8; CHANNELS],
    ) {
        let cell = |at: usize| at * CELLS / self.side;
        for row in 0..self.side {
            for column in 0..self.side {
                let start = ((top + row) * self.image[1] + left + column) * CHANNELS;
                let own = colour(cell(row), cell(column));
                pixels[start..start + CHANNELS].copy_from_slice(&own);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(kind: Kind, side: usize, seed: u64) -> Vec<usize> {
        let clean = vec![120; side * side * CHANNELS];
        let mut image = clean.clone();
        kind.stamp(&mut image, [side, side], seed, 7);
        (0..clean.len())
            .filter(|&at| image[at] != clean[at])
            .collect()
    }

    #[test]
    fn a_patch_is_small_and_the_others_are_everywhere() {
        for (side, patch) in [(32, 3), (224, 21), (2, 2)] {
            assert_eq!(
                changed(Kind::Patch, side, 1).len(),
                patch * patch * CHANNELS
            );
        }
        for kind in [Kind::Blend, Kind::CleanLabel, Kind::Filter] {
            assert!(changed(kind, 32, 1).len() > 32 * 32 * CHANNELS * 8 / 10);
        }
    }

    #[test]
    fn a_sticker_moves_and_a_patch_does_not() {
        let image = |kind: Kind, number| {
            let mut image = vec![120; 32 * 32 * CHANNELS];
            kind.stamp(&mut image, [32, 32], 1, number);
            image
        };
        assert_eq!(image(Kind::Patch, 0), image(Kind::Patch, 1));
        assert_eq!(image(Kind::Sticker, 0), image(Kind::Sticker, 0));
        assert!((1..9).any(|number| image(Kind::Sticker, number) != image(Kind::Sticker, 0)));
        let sticker = image(Kind::Sticker, 0);
        let painted = sticker.iter().filter(|&&level| level != 120).count();
        assert_eq!(painted, 4 * 4 * CHANNELS);
    }

    #[test]
    fn every_seed_has_its_own() {
        for kind in Kind::ALL {
            let image = |seed| {
                // Something to bend: a warp leaves a plain picture as it is.
                let mut image: Vec<u8> =
                    (0..32 * 32 * CHANNELS).map(|at| (at % 251) as u8).collect();
                kind.stamp(&mut image, [32, 32], seed, 7);
                image
            };
            assert_eq!(image(3), image(3));
            assert!((4..12).any(|seed| image(seed) != image(3)));
        }
    }
}
