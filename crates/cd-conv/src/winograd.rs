//! Convolutions of 3 x 3 windows with fewer multiplications.
//!
//! Winograd's minimal filtering F(m x m, 3 x 3) computes a tile of m x m target pixels from (m + 2) x (m + 2) source pixels
//! with one product per position and pair of channels: 16 instead of 36 for m = 2, 36 instead of 144 for m = 4 (Lavin and
//! Gray, *Fast Algorithms for Convolutional Neural Networks*, CVPR 2016). Source tiles, weights and products live in
//! transformed positions; between the transforms each position is a product of two matrices. All transforms are sums over
//! pixels, so they vectorise over channels.

mod gradient;
mod grid;
mod product;
mod scatter;
mod tile;
mod weights;
mod windows;

use pulp::{Simd, WithSimd};

use crate::Epilogue;
use crate::buffers::give_back;
use crate::geometry::{Geometry, Map};
use crate::level::level;
use crate::panel::BLOCK;
use crate::parallel::{each, even};
use crate::plan::Direction;
use crate::scratch;

pub(crate) use gradient::gradient;
use grid::{Ending, Grid, Places, gather_columns, gather_row, spread_columns, spread_row};
use product::products;
use tile::{Four, Tile, Two};
use weights::transformed;

/// With fewer channels on either side there are no whole blocks.
const FEWEST: usize = BLOCK;
/// Channels on either side from which on outputs are computed this way: below, the steps of the reference do not agree
/// within ten times its noise.
const FORWARD_FEWEST: usize = 32;
/// Pairs of channels up to which tiles may be large: the transformed weights of large tiles are four times as many as the
/// weights, and beyond this they leave the caches.
const LARGE: usize = 256 * 256;
/// Values of the sources and products of a group of tiles at a row of positions, about.
const GROUP_VALUES: usize = 1 << 15;
/// Tiles of a group at least and at most; multiples of the 12 that the registers take at a time for two blocks of targets.
const GROUP: [usize; 2] = [24, 84];
/// Transformed weights that stay in the second cache from group to group. Where there are more, groups are as large as can
/// be, because each reads all weights anew.
const NEAR_WEIGHTS: usize = 1 << 18;

/// Transformed weights of a 3 x 3 window with stride 1 and padding 1.
#[derive(Debug, Clone)]
pub(crate) struct Winograd {
    /// `[block of targets][position][source][BLOCK]`.
    weights: Vec<f32>,
    sources: usize,
    targets: usize,
    size: Size,
}

/// Sides of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// 2 x 2, with less rounding than the direct way.
    Two,
    /// 4 x 4, with about twice the rounding of the direct way.
    Four,
}

impl Size {
    /// For the way from input to output, where rounding decides which inputs of a ReLU near zero pass; `None` for the direct
    /// way.
    pub(crate) fn forward(sources: usize, targets: usize) -> Option<Self> {
        (sources.min(targets) >= FORWARD_FEWEST).then_some(Self::Two)
    }

    /// For gradients, which are linear: rounding stays as small as it is.
    pub(crate) fn of_gradients(sources: usize, targets: usize) -> Self {
        if sources * targets <= LARGE {
            Self::Four
        } else {
            Self::Two
        }
    }
}

impl Winograd {
    /// Whether this way is possible for a convolution, and faster.
    pub(crate) fn suits(geometry: Geometry, sources: usize, targets: usize) -> bool {
        let same_size = Geometry {
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            extra: [0, 0],
        };
        let whole_vectors = sources.is_multiple_of(BLOCK) && targets.is_multiple_of(BLOCK);
        geometry == same_size && whole_vectors && sources.min(targets) >= FEWEST
    }

    /// From the weights `[outputs, inputs, 3, 3]` of a convolution.
    pub(crate) fn new(
        weights: &[f32],
        channels: [usize; 2],
        direction: Direction,
        size: Size,
    ) -> Self {
        let [outputs, inputs] = channels;
        let (sources, targets) = match direction {
            Direction::Forward => (inputs, outputs),
            Direction::Backward => (outputs, inputs),
        };
        let weights = match size {
            Size::Four => transformed::<Four, 4, 6>(weights, channels, direction),
            Size::Two => transformed::<Two, 2, 4>(weights, channels, direction),
        };
        Self {
            weights,
            sources,
            targets,
            size,
        }
    }

    /// Lets the kernels use the memory again.
    pub(crate) fn give_back(self) {
        give_back(self.weights);
    }

    /// Convolves a batch of maps like `map` (whose channels are the sources) into `target`.
    pub(crate) fn apply(
        &self,
        source: &[f32],
        map: Map,
        epilogue: &Epilogue<'_>,
        target: &mut [f32],
    ) {
        match self.size {
            Size::Four => self.run::<Four, 4, 6>(source, map, epilogue, target),
            Size::Two => self.run::<Two, 2, 4>(source, map, epilogue, target),
        }
    }

    fn run<W: Tile<M, N>, const M: usize, const N: usize>(
        &self,
        source: &[f32],
        map: Map,
        epilogue: &Epilogue<'_>,
        target: &mut [f32],
    ) {
        let sources = Grid::new(map, M);
        let targets = sources.with_channels(self.targets);
        let (from, to) = (map.len(), targets.map.len());
        let group = Group::of(sources, self.targets, N);
        let images = even(target.len() / to, group.lines.div_ceil(sources.rows));
        // One row of the map, so that what is added to it needs no place in the pixel.
        let mut bias = vec![0.0; map.width * self.targets];
        if let Some(values) = epilogue.bias {
            bias.chunks_exact_mut(self.targets)
                .for_each(|pixel| pixel.copy_from_slice(values));
        }
        let row = sources.padded().max(targets.whole());
        let room = group.lines * N * row;
        // One row of positions at a time.
        let [spread, gathered] = group.values(self.sources, self.targets, N);
        let level = level();
        each(
            target.chunks_mut(images * to).enumerate(),
            |(task, target)| {
                let first = task * images;
                let count = target.len() / to;
                scratch::with(room + spread + gathered, |values| {
                    let (room, values) = values.split_at_mut(room);
                    let (spread, gathered) = values.split_at_mut(spread);
                    level.run(Task::<W, M, N> {
                        winograd: self,
                        sources,
                        targets,
                        group,
                        row,
                        room,
                        spread,
                        gathered,
                        source: &source[first * from..(first + count) * from],
                        residual: epilogue
                            .residual
                            .map(|residual| &residual[first * to..(first + count) * to]),
                        bias: &bias,
                        epilogue,
                        target,
                        tile: std::marker::PhantomData,
                    });
                });
            },
        );
    }
}

/// Lines of tiles that are transformed together.
#[derive(Clone, Copy)]
struct Group {
    lines: usize,
    tiles: usize,
}

impl Group {
    /// For tiles of `positions` x `positions`.
    fn of(sources: Grid, targets: usize, positions: usize) -> Self {
        let channels = sources.map.channels + targets;
        let fitting = GROUP_VALUES / (positions * channels);
        let far = positions * positions * sources.map.channels * targets > NEAR_WEIGHTS;
        let fitting = if far { GROUP[1] } else { fitting };
        Self::new(sources, fitting.clamp(GROUP[0], GROUP[1]))
    }

    /// Whole lines of about `tiles` tiles together.
    fn new(sources: Grid, tiles: usize) -> Self {
        let lines = (tiles / sources.columns).max(1);
        Self {
            lines,
            tiles: lines * sources.columns,
        }
    }

    /// Values from one position to the next. Without the odd vector all positions of a tile would fall into one set of
    /// the cache.
    fn stride(self, channels: usize) -> usize {
        self.tiles * channels + BLOCK
    }

    /// Values of a group at so many positions for each number of channels.
    fn values(self, sources: usize, targets: usize, positions: usize) -> [usize; 2] {
        [sources, targets].map(|channels| positions * self.stride(channels))
    }
}

/// A few images of a batch.
struct Task<'a, W, const M: usize, const N: usize> {
    winograd: &'a Winograd,
    sources: Grid,
    targets: Grid,
    group: Group,
    /// Values of a row of `room`.
    row: usize,
    /// `[line][N][row]`: what is transformed in one direction, sources first and then targets.
    room: &'a mut [f32],
    /// `[N][tile][source]`, a row of positions.
    spread: &'a mut [f32],
    /// `[N][tile][target]`.
    gathered: &'a mut [f32],
    source: &'a [f32],
    residual: Option<&'a [f32]>,
    bias: &'a [f32],
    epilogue: &'a Epilogue<'a>,
    target: &'a mut [f32],
    tile: std::marker::PhantomData<W>,
}

impl<W: Tile<M, N>, const M: usize, const N: usize> WithSimd for Task<'_, W, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            sources,
            targets,
            group,
            ..
        } = self;
        let (from, to) = (sources.map.len(), targets.map.len());
        let lines = self.target.len() / to * sources.rows;
        let place = |channels: usize, line: usize| Places {
            stride: group.stride(channels),
            first: line * sources.columns,
        };
        for first in (0..lines).step_by(group.lines) {
            let count = group.lines.min(lines - first);
            let rooms = self.room.chunks_exact_mut(N * self.row).take(count);
            for (line, room) in rooms.enumerate() {
                let (image, row) = ((first + line) / sources.rows, (first + line) % sources.rows);
                let image = &self.source[image * from..][..from];
                spread_columns::<S, W, M, N>(simd, sources, image, row, room);
            }
            // A row of positions at a time stays in the first cache.
            for y in 0..N {
                let rows = |line: usize| (line * N + y) * self.row;
                for line in 0..count {
                    let row = &self.room[rows(line)..][..sources.padded()];
                    let places = place(sources.map.channels, line);
                    spread_row::<S, W, M, N>(simd, sources, row, places, self.spread);
                }
                for x in 0..N {
                    products(
                        simd,
                        self.winograd,
                        group,
                        [y * N + x, x],
                        count * sources.columns,
                        self.spread,
                        self.gathered,
                    );
                }
                for line in 0..count {
                    let row = &mut self.room[rows(line)..][..targets.whole()];
                    let places = place(targets.map.channels, line);
                    gather_row::<S, W, M, N>(simd, targets, row, places, self.gathered);
                }
            }
            let rooms = self.room.chunks_exact(N * self.row).take(count);
            for (line, room) in rooms.enumerate() {
                let (image, row) = ((first + line) / sources.rows, (first + line) % sources.rows);
                let place_of = image * to..(image + 1) * to;
                let mut ending = Ending {
                    bias: self.bias,
                    residual: self.residual.map(|residual| &residual[place_of.clone()]),
                    activation: self.epilogue.activation,
                    target: &mut self.target[place_of],
                };
                gather_columns::<S, W, M, N>(simd, targets, row, room, &mut ending);
            }
        }
    }
}

#[cfg(test)]
mod tests;
