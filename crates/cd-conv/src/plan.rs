//! Which source pixels each target pixel gathers from.
//!
//! Target pixels that see the same taps form a [`Pass`]: inside a pass the source pixel is a base, which
//! belongs to the target pixel, plus an offset, which belongs to the tap. Borders and strides thus cost
//! nothing: a corner has a pass with fewer taps, and in the gradient of a strided convolution every
//! phase of the stride has its own.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::Epilogue;
use crate::geometry::{Geometry, Map};

/// Target pixels that see the same taps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pass {
    /// Target pixels, ascending.
    pub(crate) targets: Vec<usize>,
    /// For each target pixel, the source pixel that offset 0 leads to (it may lie outside the map).
    pub(crate) bases: Vec<isize>,
    /// For each tap its number and its offset in source pixels.
    pub(crate) taps: Vec<(usize, isize)>,
    /// The same taps, in the same order.
    pub(crate) runs: Vec<Run>,
}

/// Taps that follow each other in the window and whose source pixels follow each other too, so that their weights
/// and their values lie in one line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Number of the first tap.
    pub(crate) tap: usize,
    /// Its offset in source pixels.
    pub(crate) offset: isize,
    /// Number of taps.
    pub(crate) count: usize,
}

fn runs(taps: &[(usize, isize)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &(tap, offset) in taps {
        match runs.last_mut() {
            Some(run)
                if (run.tap + run.count, run.offset + run.count as isize) == (tap, offset) =>
            {
                run.count += 1;
            }
            _ => runs.push(Run {
                tap,
                offset,
                count: 1,
            }),
        }
    }
    runs
}

/// All passes of one direction of a convolution over maps of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) passes: Vec<Pass>,
    pub(crate) source: Map,
    pub(crate) target: Map,
}

/// Which way a plan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// From input to output.
    Forward,
    /// From the gradient of the output to the gradient of the input.
    Backward,
}

type Key = (Geometry, Map, Map, Direction);

/// Plans of this process: a network has a few dozen, and making one costs as much as using it.
static PLANS: LazyLock<Mutex<HashMap<Key, Arc<Plan>>>> = LazyLock::new(Mutex::default);

/// For one axis and one target position: the base, and the taps with their offsets.
type Axis = (isize, Vec<(usize, isize)>);

impl Plan {
    /// The plan for these sizes, made once per process.
    pub(crate) fn cached(
        geometry: Geometry,
        input: Map,
        output: Map,
        direction: Direction,
    ) -> Arc<Self> {
        // A plan is inserted whole, so a panic elsewhere cannot have left half of one.
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            Arc::new(match direction {
                Direction::Forward => Self::forward(geometry, input, output),
                Direction::Backward => Self::backward(geometry, input, output),
            })
        };
        let plan = plans.entry((geometry, input, output, direction));
        Arc::clone(plan.or_insert_with(make))
    }

    /// Images in `source`.
    ///
    /// # Panics
    ///
    /// When it holds no whole number of them.
    pub(crate) fn batch(&self, source: &[f32]) -> usize {
        let batch = source.len() / self.source.len().max(1);
        assert_eq!(source.len(), batch * self.source.len(), "whole images");
        batch
    }

    /// Images in `source`, to which `epilogue` must fit.
    ///
    /// # Panics
    ///
    /// When lengths contradict each other.
    pub(crate) fn checked_batch(&self, source: &[f32], epilogue: &Epilogue<'_>) -> usize {
        let batch = self.batch(source);
        if let Some(bias) = epilogue.bias {
            assert_eq!(bias.len(), self.target.channels, "bias");
        }
        if let Some(residual) = epilogue.residual {
            assert_eq!(residual.len(), batch * self.target.len(), "residual");
        }
        batch
    }

    /// From input (the source) to output (the target).
    fn forward(geometry: Geometry, input: Map, output: Map) -> Self {
        let axis = |axis: usize, length: usize| {
            move |position: usize| -> Axis {
                let base =
                    (position * geometry.stride[axis]) as isize - geometry.padding[axis] as isize;
                let seen = |&tap: &usize| (0..length as isize).contains(&(base + tap as isize));
                let taps = (0..geometry.kernel[axis]).filter(seen);
                (base, taps.map(|tap| (tap, tap as isize)).collect())
            }
        };
        Self::new(
            geometry,
            input,
            output,
            axis(0, input.height),
            axis(1, input.width),
        )
    }

    /// From the gradient of the output (the source) to the gradient of the input (the target).
    fn backward(geometry: Geometry, input: Map, output: Map) -> Self {
        let axis = |axis: usize, length: usize| {
            move |position: usize| -> Axis {
                let stride = geometry.stride[axis];
                let shifted = position + geometry.padding[axis];
                let phase = shifted % stride;
                let base = (shifted / stride) as isize;
                // Output position o reads input position o * stride - padding + tap.
                let taps = (phase..geometry.kernel[axis])
                    .step_by(stride)
                    .map(|tap| (tap, -((tap / stride) as isize)));
                let seen =
                    |(_, offset): &(usize, isize)| (0..length as isize).contains(&(base + offset));
                (base, taps.filter(seen).collect())
            }
        };
        Self::new(
            geometry,
            output,
            input,
            axis(0, output.height),
            axis(1, output.width),
        )
    }

    fn new(
        geometry: Geometry,
        source: Map,
        target: Map,
        row: impl Fn(usize) -> Axis,
        column: impl Fn(usize) -> Axis,
    ) -> Self {
        let columns: Vec<Axis> = (0..target.width).map(column).collect();
        let mut passes: BTreeMap<Vec<(usize, isize)>, Pass> = BTreeMap::new();
        for y in 0..target.height {
            let (row_base, rows) = row(y);
            for (x, (column_base, columns)) in columns.iter().enumerate() {
                let width = source.width as isize;
                let mut taps: Vec<(usize, isize)> = rows
                    .iter()
                    .flat_map(|&(ky, dy)| {
                        columns
                            .iter()
                            .map(move |&(kx, dx)| (ky * geometry.kernel[1] + kx, dy * width + dx))
                    })
                    .collect();
                // In the order in which the source lies in memory: what was read last time comes before what is new.
                taps.sort_by_key(|&(_, offset)| offset);
                let pass = passes.entry(taps.clone()).or_insert_with(|| Pass {
                    targets: Vec::new(),
                    bases: Vec::new(),
                    runs: runs(&taps),
                    taps,
                });
                pass.targets.push(y * target.width + x);
                pass.bases.push(row_base * width + column_base);
            }
        }
        Self {
            passes: passes.into_values().collect(),
            source,
            target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_and_every_pair_appears_once_in_both_directions() {
        for (stride, padding, extra, kernel, side) in [
            (1, 1, 0, 3, 4),
            (2, 1, 0, 3, 4),
            (2, 0, 0, 1, 4),
            (2, 3, 0, 7, 9),
            (3, 1, 0, 3, 5),
            (2, 0, 1, 3, 4),
            (2, 1, 1, 5, 6),
        ] {
            let geometry = Geometry {
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
                extra: [extra; 2],
            };
            let input = Map {
                height: side,
                width: side,
                channels: 1,
            };
            let output = geometry.output(input, 1).expect("fits");
            let pairs = |plan: &Plan, swap: bool| {
                let mut pairs = Vec::new();
                for pass in &plan.passes {
                    for (&target, &base) in pass.targets.iter().zip(&pass.bases) {
                        for &(tap, offset) in &pass.taps {
                            let source = (base + offset) as usize;
                            pairs.push(if swap {
                                (source, target, tap)
                            } else {
                                (target, source, tap)
                            });
                        }
                    }
                }
                pairs.sort_unstable();
                pairs
            };
            let forward = Plan::forward(geometry, input, output);
            let backward = Plan::backward(geometry, input, output);
            assert_eq!(pairs(&forward, false), pairs(&backward, true));
            let mut targets: Vec<usize> = backward
                .passes
                .iter()
                .flat_map(|pass| pass.targets.clone())
                .collect();
            targets.sort_unstable();
            assert_eq!(targets, (0..input.pixels()).collect::<Vec<_>>());
        }
    }
}
