//! Fields of displacements, and images taken from displaced places.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use cd_core::CHANNELS;
use cd_core::random::{named, stream};
use rand::Rng;

use super::super::AttackError;
use super::super::artefact::{Numbers, unusable};
use super::super::option::Rounding;
use super::INFO;

/// Where the field comes from.
#[derive(Debug)]
pub(super) enum Control {
    Seed(u64),
    Field(PathBuf, Numbers),
    Grid(PathBuf, Numbers),
}

/// For every pixel the column and the row that it is taken from, -1 for the first and 1 for the last.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    height: usize,
    width: usize,
    /// `[height, width, 2]`.
    pub(super) values: Vec<f64>,
}

impl Control {
    /// Where pixels are taken from.
    pub(super) fn grid(
        &self,
        height: usize,
        width: usize,
        points: usize,
        strength: f64,
    ) -> Result<Grid, AttackError> {
        let field = match self {
            Self::Grid(path, numbers) => {
                within(path, numbers, -1.0..=1.0)?;
                return Grid::of(path, numbers, height, width);
            }
            Self::Field(path, numbers) => match *numbers.shape {
                [1, 2, rows, columns] if rows > 1 && columns > 1 => {
                    within(path, numbers, 0.0..=1.0)?;
                    interpolated(&numbers.values, [rows, columns], height, width)
                }
                _ => Grid::of(path, numbers, height, width)?.values,
            },
            Self::Seed(seed) => {
                let mut random = stream(*seed, named("warping field"));
                let values: Vec<f64> = (0..2 * points * points).map(|_| random.random()).collect();
                interpolated(&values, [points, points], height, width)
            }
        };
        let step = strength / height as f64;
        let place = |at: usize, side: usize| -1.0 + 2.0 * at as f64 / (side - 1) as f64;
        let values = field.iter().enumerate().map(|(at, displacement)| {
            let (row, column) = (at / 2 / width, at / 2 % width);
            let own = if at % 2 == 0 {
                place(column, width)
            } else {
                place(row, height)
            };
            (own + step * displacement).clamp(-1.0, 1.0)
        });
        Ok(Grid {
            height,
            width,
            values: values.collect(),
        })
    }
}

/// Fails where a number lies outside `range`, but for rounding.
pub(super) fn within(
    path: &Path,
    numbers: &Numbers,
    range: RangeInclusive<f64>,
) -> Result<(), AttackError> {
    const ROUNDING: f64 = 1e-5;
    let (least, most) = (*range.start(), *range.end());
    let inside = least - ROUNDING..=most + ROUNDING;
    let Some(value) = numbers.values.iter().find(|value| !inside.contains(value)) else {
        return Ok(());
    };
    let problem = format!("it holds {value}, expected numbers from {least} to {most}");
    Err(unusable(INFO.name, path, problem))
}

impl Grid {
    /// The grid in a file of the shape `[1, height, width, 2]`.
    pub(super) fn of(
        path: &Path,
        numbers: &Numbers,
        height: usize,
        width: usize,
    ) -> Result<Self, AttackError> {
        let shape = numbers.shape.strip_prefix(&[1]).unwrap_or(&numbers.shape);
        if shape != [height, width, 2] {
            let problem = format!(
                "its shape is {:?}, expected [1, {height}, {width}, 2] for images of {height} x {width} pixels",
                numbers.shape
            );
            return Err(unusable(INFO.name, path, problem));
        }
        Ok(Self {
            height,
            width,
            values: numbers.values.clone(),
        })
    }

    /// This grid with noise of at most half a pixel on it.
    pub(super) fn noisy(&self, mut noise: impl FnMut(usize) -> f64) -> Self {
        let height = self.height as f64;
        let values = self.values.iter().enumerate();
        let values = values.map(|(at, place)| (place + noise(at) / height).clamp(-1.0, 1.0));
        Self {
            values: values.collect(),
            ..*self
        }
    }
}

/// Control points of 0 to 1, `[2, rows, columns]`, as displacements of a mean magnitude of 1 for every pixel,
/// `[height, width, 2]`: bicubic, corners on corners.
fn interpolated(control: &[f64], size: [usize; 2], height: usize, width: usize) -> Vec<f64> {
    let [rows, columns] = size;
    let signed: Vec<f64> = control.iter().map(|value| 2.0 * value - 1.0).collect();
    let mean = signed.iter().map(|value| value.abs()).sum::<f64>() / signed.len() as f64;
    // A field that moves nothing has no magnitude to divide by.
    let mean = mean.max(f64::MIN_POSITIVE);
    let (along, across) = (weights(rows, height), weights(columns, width));
    let mut field = vec![0.0; height * width * 2];
    for (axis, points) in signed.chunks_exact(rows * columns).enumerate() {
        for (row, from_rows) in along.iter().enumerate() {
            // Each row of control points, blended for this row of pixels.
            let mut line = vec![0.0; columns];
            for &(from, weight) in from_rows {
                for (value, point) in line.iter_mut().zip(&points[from * columns..]) {
                    *value += weight * point / mean;
                }
            }
            for (column, from_columns) in across.iter().enumerate() {
                let sum = from_columns
                    .iter()
                    .map(|&(from, weight)| weight * line[from]);
                field[(row * width + column) * 2 + axis] = sum.sum::<f64>();
            }
        }
    }
    field
}

/// For each of `many` places the control points, out of `few`, that it is made from.
fn weights(few: usize, many: usize) -> Vec<[(usize, f64); 4]> {
    let place = |at: usize| {
        let exact = (at * (few - 1)) as f64 / (many - 1) as f64;
        let (whole, rest) = (exact.floor() as usize, exact.fract());
        let weights = [1.0 + rest, rest, 1.0 - rest, 2.0 - rest].map(cubic);
        let point = |offset: usize| (whole + offset).saturating_sub(1).min(few - 1);
        [0, 1, 2, 3].map(|offset| (point(offset), weights[offset]))
    };
    (0..many).map(place).collect()
}

/// Keys' kernel with a slope of -0.75 at 1, as `PyTorch` has it.
fn cubic(distance: f64) -> f64 {
    const SLOPE: f64 = -0.75;
    if distance <= 1.0 {
        ((SLOPE + 2.0) * distance - (SLOPE + 3.0)) * distance * distance + 1.0
    } else {
        ((SLOPE * distance - 5.0 * SLOPE) * distance + 8.0 * SLOPE) * distance - 4.0 * SLOPE
    }
}

/// For every pixel the four pixels that it is mixed from: offsets of their first values, and weights.
#[derive(Debug)]
pub(super) struct Warp(Vec<([usize; 4], [f32; 4])>);

impl Warp {
    pub(super) fn new(grid: &Grid) -> Self {
        let (height, width) = (grid.height, grid.width);
        let exact = |place: f64, side: usize| f32::midpoint(place as f32, 1.0) * (side - 1) as f32;
        let from = |pair: &[f64]| {
            let (x, y) = (exact(pair[0], width), exact(pair[1], height));
            let (left, top) = (x.floor(), y.floor());
            let (right, bottom) = (left + 1.0, top + 1.0);
            let columns = [left, right].map(|column| (column as usize).min(width - 1));
            let rows = [top, bottom].map(|row| (row as usize).min(height - 1));
            let at = |row: usize, column: usize| (rows[row] * width + columns[column]) * CHANNELS;
            let weights = [
                (right - x) * (bottom - y),
                (x - left) * (bottom - y),
                (right - x) * (y - top),
                (x - left) * (y - top),
            ];
            ([at(0, 0), at(0, 1), at(1, 0), at(1, 1)], weights)
        };
        Self(grid.values.chunks_exact(2).map(from).collect())
    }

    /// Mixes every pixel from those of `before`, which are on the scale 0 to 1.
    pub(super) fn apply<'a>(
        &self,
        before: &[f32],
        pixels: impl Iterator<Item = (usize, &'a mut [u8])>,
        rounding: Rounding,
    ) {
        for (number, pixel) in pixels {
            let (from, weights) = &self.0[number];
            for (channel, value) in pixel.iter_mut().enumerate() {
                let mut sum = 0.0_f32;
                for (at, weight) in from.iter().zip(weights) {
                    sum += before[at + channel] * weight;
                }
                *value = rounding.byte_of_single(sum * 255.0);
            }
        }
    }
}
