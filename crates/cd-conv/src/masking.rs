//! What a search for masks computes around the network, each in one pass: images filled under their masks, the gradient
//! of the masks' parameters, and Adam.
//!
//! A mask is `m = (tanh(theta) + 1) / 2`, on a grid of cells that may be coarser than the pixels; the network sees
//! `x m + (1 - m) c` for a colour `c` of each image.

mod adam;
mod grid;
mod terms;

use pulp::{Simd, WithSimd};

use crate::buffers::taken;
use crate::level::level;
use crate::parallel::each;

pub use adam::Adam;
use grid::Axis;
pub use terms::Penalties;
use terms::{Plane, penalized};

/// Colours of an image.
const COLOURS: usize = 3;

/// Sizes of a batch of masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Masks {
    /// Masks per image: 1 for all colours, or one for each of the 3.
    pub channels: usize,
    /// Rows and columns of cells.
    pub cells: [usize; 2],
    /// Rows and columns of pixels.
    pub pixels: [usize; 2],
}

/// Masks and what their gradient needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Squashed {
    /// `tanh(theta)`, `[images, channels, cells]`.
    tanh: Vec<f32>,
    /// The masks, `[images, channels, pixels]`.
    pub masks: Vec<f32>,
}

/// The gradient of theta, and the penalties themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskGradient {
    /// `[images, channels, cells]`.
    pub theta: Vec<f32>,
    /// For each image the weighted norm and the weighted variation of its mask.
    pub penalties: Vec<[f32; 2]>,
}

impl Masks {
    fn area(&self) -> usize {
        self.pixels[0] * self.pixels[1]
    }

    /// Values of one image's theta.
    fn parameters(&self) -> usize {
        self.channels * self.cells[0] * self.cells[1]
    }

    fn axes(&self) -> Option<[Axis; 2]> {
        let axis = |axis: usize| Axis::new(self.cells[axis], self.pixels[axis]);
        (self.cells != self.pixels).then(|| [axis(0), axis(1)])
    }

    /// Masks `(tanh(theta) + 1) / 2`, between the centres of the cells linear along each axis.
    ///
    /// # Panics
    ///
    /// When `theta` is not `[images, channels, cells]`.
    pub fn squashed(&self, theta: &[f32]) -> Squashed {
        let count = self.parameters();
        assert!(theta.len().is_multiple_of(count), "whole images");
        let area = self.channels * self.area();
        let axes = self.axes();
        let mut tanh = vec![0.0; theta.len()];
        let mut masks = vec![0.0; theta.len() / count * area];
        let images = tanh.chunks_mut(count).zip(masks.chunks_mut(area));
        each(images.zip(theta.chunks(count)), |((tanh, mask), theta)| {
            for (tanh, theta) in tanh.iter_mut().zip(theta) {
                *tanh = theta.tanh();
            }
            let squash = |tanh: f32| tanh * 0.5 + 0.5;
            match &axes {
                None => {
                    for (mask, tanh) in mask.iter_mut().zip(&*tanh) {
                        *mask = squash(*tanh);
                    }
                }
                Some([rows, columns]) => {
                    let cells: Vec<f32> = tanh.iter().map(|&tanh| squash(tanh)).collect();
                    let planes = mask.chunks_exact_mut(self.area());
                    for (plane, cells) in planes.zip(cells.chunks_exact(count / self.channels)) {
                        grid::spread(rows, columns, cells, plane);
                    }
                }
            }
        });
        Squashed { tanh, masks }
    }

    /// `x m + (1 - m) c`, channels last: `[images, pixels, 3]` from images `[images, 3, pixels]` and a colour each.
    ///
    /// # Panics
    ///
    /// When lengths contradict each other.
    pub fn filled(&self, images: &[f32], squashed: &Squashed, colours: &[f32]) -> Vec<f32> {
        let area = self.area();
        assert_eq!(
            images.len(),
            colours.len() * area,
            "a colour for each image"
        );
        let mut filled = taken(images.len());
        let level = level();
        let sources = images
            .chunks(COLOURS * area)
            .zip(squashed.masks.chunks(self.channels * area))
            .zip(colours.chunks(COLOURS));
        each(
            filled.chunks_mut(COLOURS * area).zip(sources),
            |(filled, ((image, mask), colour))| {
                level.run(Fill {
                    image,
                    mask,
                    colour,
                    filled,
                });
            },
        );
        filled
    }

    /// The gradient of theta from that of [`filled`](Self::filled), `[images, pixels, 3]`, plus that of `penalties`.
    ///
    /// # Panics
    ///
    /// When lengths contradict each other.
    pub fn gradient(
        &self,
        gradient: &[f32],
        images: &[f32],
        squashed: &Squashed,
        colours: &[f32],
        penalties: &Penalties,
    ) -> MaskGradient {
        let area = self.area();
        assert_eq!(gradient.len(), images.len(), "a gradient for each value");
        assert_eq!(
            images.len(),
            colours.len() * area,
            "a colour for each image"
        );
        let count = self.parameters();
        let axes = self.axes();
        let mut theta = vec![0.0; squashed.tanh.len()];
        let mut terms = vec![[0.0; 2]; colours.len() / COLOURS];
        let level = level();
        let sources = gradient
            .chunks(COLOURS * area)
            .zip(images.chunks(COLOURS * area))
            .zip(squashed.masks.chunks(self.channels * area))
            .zip(squashed.tanh.chunks(count))
            .zip(colours.chunks(COLOURS));
        let results = theta.chunks_mut(count).zip(&mut terms);
        each(
            results.zip(sources),
            |((theta, terms), ((((gradient, image), mask), tanh), colour))| {
                let mut of_mask = vec![0.0; self.channels * area];
                level.run(Slopes {
                    gradient,
                    image,
                    mask,
                    colour,
                    penalties,
                    pixels: self.pixels,
                    of_mask: &mut of_mask,
                    terms,
                });
                match &axes {
                    None => theta.copy_from_slice(&of_mask),
                    Some([rows, columns]) => {
                        let planes = of_mask.chunks_exact(area);
                        let cells = theta.chunks_exact_mut(count / self.channels);
                        for (plane, cells) in planes.zip(cells) {
                            grid::gathered(rows, columns, plane, cells);
                        }
                    }
                }
                for (theta, tanh) in theta.iter_mut().zip(tanh) {
                    *theta *= (1.0 - tanh * tanh) / 2.0;
                }
            },
        );
        MaskGradient {
            theta,
            penalties: terms,
        }
    }
}

/// One image filled under its mask, `[pixels, 3]`.
struct Fill<'a> {
    image: &'a [f32],
    mask: &'a [f32],
    colour: &'a [f32],
    filled: &'a mut [f32],
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let area = self.image.len() / COLOURS;
        let channels = self.mask.len() / area;
        let filled = &mut self.filled.as_chunks_mut::<COLOURS>().0[..area];
        let plane = |channel: usize| &self.image[channel * area..][..area];
        let mask = |channel: usize| &self.mask[channel % channels * area..][..area];
        let planes = [plane(0), plane(1), plane(2)];
        let masks = [mask(0), mask(1), mask(2)];
        let colour = [self.colour[0], self.colour[1], self.colour[2]];
        for at in 0..area {
            for channel in 0..COLOURS {
                let mask = masks[channel][at];
                filled[at][channel] = planes[channel][at] * mask + (1.0 - mask) * colour[channel];
            }
        }
    }
}

/// The gradient of one image's mask, and its penalties.
struct Slopes<'a> {
    gradient: &'a [f32],
    image: &'a [f32],
    mask: &'a [f32],
    colour: &'a [f32],
    penalties: &'a Penalties,
    pixels: [usize; 2],
    /// Zeros before.
    of_mask: &'a mut [f32],
    terms: &'a mut [f32; 2],
}

impl WithSimd for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let [height, width] = self.pixels;
        let area = height * width;
        let channels = self.mask.len() / area;
        let gradient = &self.gradient.as_chunks::<COLOURS>().0[..area];
        for channel in 0..COLOURS {
            let plane = &self.image[channel * area..][..area];
            let sums = &mut self.of_mask[channel % channels * area..][..area];
            let colour = self.colour[channel];
            for at in 0..area {
                sums[at] += gradient[at][channel] * (plane[at] - colour);
            }
        }
        let plane = Plane { height, width };
        *self.terms = penalized(self.penalties, plane, self.mask, self.of_mask);
    }
}

#[cfg(test)]
mod tests;
