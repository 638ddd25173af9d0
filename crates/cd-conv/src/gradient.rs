//! The gradient of a dense convolution with respect to its weights.
//!
//! A task owns the weights of two blocks of output channels, and the batch goes by in strips of pixels that stay close
//! to the processor. The gradients of a strip are packed, and its inputs by slices: eight channels of the padded
//! rows, over which the window then walks without meeting a border; or, where there are fewer channels than
//! that, the whole window of each target pixel in a line.

use std::borrow::Cow;

use pulp::{Simd, WithSimd};

use crate::geometry::{Geometry, Map};
use crate::level::{level, multiply_add};
use crate::panel::BLOCK;
use crate::parallel::{each, mapped};
use crate::parts::total;
use crate::winograd::{self, Winograd};

/// Input values that are packed together.
const PACK: usize = 8;
/// Blocks of output channels that one task owns.
const GROUP: usize = 2;
/// Output channels that one task owns.
const OWNED: usize = GROUP * BLOCK;
/// Sums of one tile: `[PACK][OWNED]`.
const TILE: usize = PACK * OWNED;
/// Target pixels of a strip: packed inputs and gradients should stay in the first cache.
const STRIP: usize = 128;
/// Where there are fewer tasks, the batch is cut into parts. Does not depend on the number of threads, so that the order
/// of the sum is always the same.
const TASKS: usize = 16;

/// The gradient `[outputs, inputs, kernel height, kernel width]` from a batch of inputs and the gradient
/// of the batch of outputs.
///
/// # Panics
///
/// When lengths and maps contradict each other.
pub fn weight_gradient(
    images: &[f32],
    gradient: &[f32],
    geometry: Geometry,
    input: Map,
    output: Map,
) -> Vec<f32> {
    let batch = images.len() / input.len().max(1);
    assert_eq!(images.len(), batch * input.len(), "whole images");
    assert_eq!(
        gradient.len(),
        batch * output.len(),
        "one gradient per output"
    );
    if Winograd::suits(geometry, input.channels, output.channels)
        && let Some(weights) = winograd::gradient(images, gradient, input, output.channels)
    {
        return weights;
    }
    let padded = output.channels.next_multiple_of(BLOCK);
    let layer = Layer {
        geometry,
        input,
        output,
        padded,
        images,
        gradient: &pad_channels(gradient, output.channels, padded),
    };
    let groups = padded.div_ceil(OWNED);
    let parts = TASKS.div_ceil(groups).min(batch.max(1));
    let images_of_part = batch.div_ceil(parts).max(1);
    let level = level();
    let sums = mapped(groups * parts, |task| {
        let first = (task % parts * images_of_part).min(batch);
        level.run(Task {
            layer: &layer,
            group: task / parts,
            first,
            count: images_of_part.min(batch - first),
        })
    });
    let mut sums = sums.into_iter();
    let owned: Vec<Vec<f32>> = (0..groups)
        .map(|_| total(sums.by_ref().take(parts).collect(), layer.tiles() * TILE))
        .collect();
    let (inputs, taps) = (input.channels, geometry.taps());
    let mut weights = vec![0.0; output.channels * inputs * taps];
    let targets = weights.chunks_mut((inputs * taps).max(1));
    each(targets.enumerate(), |(target, weights)| {
        let (group, target) = (target / OWNED, target % OWNED);
        for (source, weights) in weights.chunks_exact_mut(taps).enumerate() {
            for (tap, weight) in weights.iter_mut().enumerate() {
                let (tile, lane) = layer.place(source, tap);
                *weight = owned[group][tile * TILE + lane * OWNED + target];
            }
        }
    });
    weights
}

fn pad_channels(values: &[f32], channels: usize, padded: usize) -> Cow<'_, [f32]> {
    if channels == padded {
        return Cow::Borrowed(values);
    }
    let mut wide = vec![0.0; values.len() / channels * padded];
    for (wide, values) in wide.chunks_mut(padded).zip(values.chunks(channels)) {
        wide[..channels].copy_from_slice(values);
    }
    Cow::Owned(wide)
}

/// A batch on its way through a convolution.
struct Layer<'a> {
    geometry: Geometry,
    input: Map,
    output: Map,
    /// Output channels of `gradient`, a multiple of [`BLOCK`].
    padded: usize,
    images: &'a [f32],
    gradient: &'a [f32],
}

impl Layer<'_> {
    /// Whether whole windows are packed.
    fn packs_windows(&self) -> bool {
        self.input.channels < PACK
    }

    /// Slices of input channels that are packed in turns.
    fn slices(&self) -> usize {
        if self.packs_windows() {
            return 1;
        }
        self.input.channels.div_ceil(PACK)
    }

    /// Tiles of [`PACK`] weights per output channel.
    fn tiles(&self) -> usize {
        if self.packs_windows() {
            return (self.geometry.taps() * self.input.channels).div_ceil(PACK);
        }
        self.slices() * self.geometry.taps()
    }

    /// Tile, and place in it, of the weights of input channel `source` at `tap`.
    fn place(&self, source: usize, tap: usize) -> (usize, usize) {
        if self.packs_windows() {
            let value = tap * self.input.channels + source;
            return (value / PACK, value % PACK);
        }
        (source / PACK * self.geometry.taps() + tap, source % PACK)
    }

    /// Packed rows and columns under `rows` target rows of one image.
    fn under(&self, rows: usize) -> [usize; 2] {
        let Geometry { kernel, stride, .. } = self.geometry;
        let side = |axis: usize, targets: usize| (targets - 1) * stride[axis] + kernel[axis];
        [side(0, rows), side(1, self.output.width)]
    }

    /// The row of the input at packed `row` of a strip, unless it lies in the padding.
    fn row(&self, image: usize, row: usize) -> Option<&[f32]> {
        let row = row.checked_sub(self.geometry.padding[0])?;
        let len = self.input.width * self.input.channels;
        let start = (image * self.input.height + row) * len;
        (row < self.input.height).then(|| &self.images[start..start + len])
    }
}

/// Target pixels that are worked on at a time: some rows of one image, or some whole images.
#[derive(Clone, Copy)]
struct Strip {
    image: usize,
    images: usize,
    row: usize,
    rows: usize,
}

/// Where the packed inputs of a strip lie, counted in [`PACK`] values.
#[derive(Clone, Copy)]
struct Steps {
    /// From one image to the next.
    image: usize,
    /// From a target row to the next.
    row: usize,
    /// From a target pixel to the next.
    pixel: usize,
}

/// The weights of a group of output blocks, and images to sum over.
struct Task<'a> {
    layer: &'a Layer<'a>,
    group: usize,
    first: usize,
    count: usize,
}

impl WithSimd for Task<'_> {
    /// The sums of every tile.
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let one = self.group * GROUP + 1 == self.layer.padded / BLOCK;
        // Sums, gradients and an input must fit the registers: 32 vectors of 16 values, 16 of 8, 32 of 4.
        match S::F32_LANES {
            16 if one => self.run::<S, 1, 1, 8>(simd),
            16 => self.run::<S, 1, 2, 8>(simd),
            8 => self.run::<S, 2, 1, 4>(simd),
            4 => self.run::<S, 4, 1, 4>(simd),
            _ => self.run::<S, BLOCK, 1, 1>(simd),
        }
    }
}

impl Task<'_> {
    /// `V` vectors make a block; `B` blocks and `P` packed values are summed together.
    #[inline(always)]
    fn run<S: Simd, const V: usize, const B: usize, const P: usize>(self, simd: S) -> Vec<f32> {
        let layer = self.layer;
        let mut sums = vec![0.0; layer.tiles() * TILE];
        let (mut inputs, mut gradients) = (Vec::new(), Vec::new());
        let blocks = GROUP.min(layer.padded / BLOCK - self.group * GROUP);
        let tiles = layer.tiles() / layer.slices();
        for strip in self.strips() {
            self.pack_gradients(strip, &mut gradients);
            for (slice, sums) in sums.chunks_exact_mut(tiles * TILE).enumerate() {
                let steps = self.pack(strip, slice, &mut inputs);
                let (inputs, gradients) = (inputs.as_chunks().0, gradients.as_chunks().0);
                for (tile, sums) in sums.chunks_exact_mut(TILE).enumerate() {
                    let inputs = &inputs[self.start(tile)..];
                    for lane in (0..PACK).step_by(P) {
                        for block in (0..blocks).step_by(B) {
                            let place = Place {
                                lane,
                                block,
                                width: layer.output.width,
                            };
                            let sums = &mut sums[lane * OWNED + block * BLOCK..];
                            tile_of::<S, V, B, P>(
                                simd, strip, steps, place, inputs, gradients, sums,
                            );
                        }
                    }
                }
            }
        }
        sums
    }

    fn strips(&self) -> Vec<Strip> {
        let Map { height, width, .. } = self.layer.output;
        let end = self.first + self.count;
        let images = (STRIP / (height * width).max(1)).max(1);
        let rows = if images > 1 {
            height
        } else {
            (STRIP / width.max(1)).clamp(1, height.max(1))
        };
        let starts = (self.first..end).step_by(images);
        starts
            .flat_map(|image| {
                (0..height).step_by(rows.max(1)).map(move |row| Strip {
                    image,
                    images: images.min(end - image),
                    row,
                    rows: rows.min(height - row),
                })
            })
            .collect()
    }

    /// Where the packed inputs of `tile` begin, counted in [`PACK`] values.
    fn start(&self, tile: usize) -> usize {
        if self.layer.packs_windows() {
            return tile;
        }
        let [_, columns] = self.layer.under(1);
        let width = self.layer.geometry.kernel[1];
        tile / width * columns + tile % width
    }

    /// The group's gradients of all target pixels: `[pixel][OWNED]`.
    fn pack_gradients(&self, strip: Strip, packed: &mut Vec<f32>) {
        let layer = self.layer;
        let first = self.group * OWNED;
        let count = OWNED.min(layer.padded - first);
        let of_image = strip.rows * layer.output.width;
        // Lanes without a channel are never written, and stay zero.
        packed.resize(strip.images * of_image * OWNED, 0.0);
        let mut places = packed.chunks_exact_mut(OWNED);
        for image in strip.image..strip.image + strip.images {
            let start = image * layer.output.pixels() + strip.row * layer.output.width;
            let pixels = layer.gradient[start * layer.padded..].chunks_exact(layer.padded);
            for (pixel, place) in pixels.take(of_image).zip(&mut places) {
                copy(&pixel[first..first + count], place);
            }
        }
    }

    fn pack(&self, strip: Strip, slice: usize, packed: &mut Vec<f32>) -> Steps {
        packed.clear();
        if self.layer.packs_windows() {
            self.pack_windows(strip, packed)
        } else {
            self.pack_channels(strip, slice, packed)
        }
    }

    /// The slice's channels of all pixels under the strip.
    fn pack_channels(&self, strip: Strip, slice: usize, packed: &mut Vec<f32>) -> Steps {
        let layer = self.layer;
        let [rows, columns] = layer.under(strip.rows);
        let (stride, left) = (layer.geometry.stride, layer.geometry.padding[1]);
        let channels = layer.input.channels;
        let first = slice * PACK;
        packed.resize(strip.images * rows * columns * PACK, 0.0);
        let mut places = packed.chunks_exact_mut(columns * PACK);
        for image in strip.image..strip.image + strip.images {
            for (row, line) in (0..rows).zip(&mut places) {
                let Some(source) = layer.row(image, strip.row * stride[0] + row) else {
                    continue;
                };
                let pixels = source.chunks_exact(channels);
                let places = line.as_chunks_mut::<PACK>().0.iter_mut().skip(left);
                if first + PACK <= channels {
                    for (place, pixel) in places.zip(pixels) {
                        place.copy_from_slice(&pixel[first..first + PACK]);
                    }
                } else {
                    for (place, pixel) in places.zip(pixels) {
                        place[..channels - first].copy_from_slice(&pixel[first..]);
                    }
                }
            }
        }
        Steps {
            image: rows * columns,
            row: stride[0] * columns,
            pixel: stride[1],
        }
    }

    /// The window of every target pixel, filled up to whole tiles.
    fn pack_windows(&self, strip: Strip, packed: &mut Vec<f32>) -> Steps {
        let layer = self.layer;
        let Geometry {
            kernel,
            stride,
            padding,
            ..
        } = layer.geometry;
        let (width, channels) = (layer.output.width, layer.input.channels);
        let line = layer.tiles() * PACK;
        packed.resize(strip.images * strip.rows * width * line, 0.0);
        let mut rows = packed.chunks_exact_mut(width * line);
        for image in strip.image..strip.image + strip.images {
            for (row, lines) in (strip.row..strip.row + strip.rows).zip(&mut rows) {
                for tap in 0..kernel[0] {
                    let Some(source) = layer.row(image, row * stride[0] + tap) else {
                        continue;
                    };
                    let places = lines[tap * kernel[1] * channels..].chunks_mut(line);
                    for (column, place) in places.take(width).enumerate() {
                        // The part of the window's row that lies inside the map, in the map and in the window.
                        let begin = column * stride[1];
                        let inside = begin.max(padding[1])
                            ..(begin + kernel[1]).min(layer.input.width + padding[1]);
                        let (from, to) = (inside.start - padding[1], inside.start - begin);
                        let values = &source[from * channels..][..inside.len() * channels];
                        copy(values, &mut place[to * channels..]);
                    }
                }
            }
        }
        Steps {
            image: strip.rows * width * layer.tiles(),
            row: width * layer.tiles(),
            pixel: layer.tiles(),
        }
    }
}

/// Writes `values` to the beginning of `place`. A call of the system's copy takes longer than to copy what one pixel has, so the usual
/// lengths are known to the compiler: whole blocks, and three colours of three pixels.
#[inline(always)]
fn copy(values: &[f32], place: &mut [f32]) {
    fn known<const N: usize>(values: &[f32], place: &mut [f32]) -> Option<()> {
        *place.first_chunk_mut::<N>()? = *values.first_chunk()?;
        Some(())
    }
    let done = match values.len() {
        9 => known::<9>(values, place),
        BLOCK => known::<BLOCK>(values, place),
        OWNED => known::<OWNED>(values, place),
        _ => None,
    };
    if done.is_none() {
        place[..values.len()].copy_from_slice(values);
    }
}

/// Where a tile of sums lies in what was packed: its first value in every [`PACK`], its first block, and the target
/// pixels of a row.
#[derive(Clone, Copy)]
struct Place {
    lane: usize,
    block: usize,
    width: usize,
}

/// Adds the products of `P` packed values and `B` blocks to `stored`.
#[inline(always)]
fn tile_of<S: Simd, const V: usize, const B: usize, const P: usize>(
    simd: S,
    strip: Strip,
    steps: Steps,
    place: Place,
    inputs: &[[f32; PACK]],
    gradients: &[[f32; OWNED]],
    stored: &mut [f32],
) {
    // Arrays of known lengths, so that the only check of the innermost loop is that of the input's place.
    let (lane, block) = (place.lane, place.block * BLOCK);
    assert!(lane + P <= PACK && block + B * BLOCK <= OWNED);
    let mut sums = [[[simd.splat_f32s(0.0); V]; B]; P];
    for (number, gradients) in gradients.chunks(place.width).enumerate() {
        let (image, row) = (number / strip.rows, number % strip.rows);
        let mut at = image * steps.image + row * steps.row;
        for gradient in gradients {
            let x = &inputs[at][lane..lane + P];
            let g = S::as_simd_f32s(&gradient[block..block + B * BLOCK]).0;
            at += steps.pixel;
            for p in 0..P {
                let x = simd.splat_f32s(x[p]);
                for b in 0..B {
                    for v in 0..V {
                        sums[p][b][v] = multiply_add(simd, g[b * V + v], x, sums[p][b][v]);
                    }
                }
            }
        }
    }
    for (p, stored) in stored.chunks_mut(OWNED).take(P).enumerate() {
        let stored = S::as_mut_simd_f32s(&mut stored[..B * BLOCK]).0;
        for b in 0..B {
            for v in 0..V {
                stored[b * V + v] = simd.add_f32s(stored[b * V + v], sums[p][b][v]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
