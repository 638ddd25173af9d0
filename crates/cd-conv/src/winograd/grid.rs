//! How maps are cut into tiles, and the transforms of a line of tiles.

use pulp::Simd;

use super::tile::Tile;
use crate::Activation;
use crate::elementwise::activated;
use crate::geometry::Map;

/// Tiles of `size` x `size` target pixels over a map.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// The map; its channels are those of what is transformed.
    pub(super) map: Map,
    size: usize,
    /// Lines of tiles of one image.
    pub(super) rows: usize,
    /// Tiles of a line.
    pub(super) columns: usize,
}

impl Grid {
    pub(super) fn new(map: Map, size: usize) -> Self {
        Self {
            map,
            size,
            rows: map.height.div_ceil(size),
            columns: map.width.div_ceil(size),
        }
    }

    /// The same tiles of a map with other channels.
    pub(super) fn with_channels(mut self, channels: usize) -> Self {
        self.map.channels = channels;
        self
    }

    /// Values of a row of sources, the padding on both sides included.
    pub(super) fn padded(self) -> usize {
        (self.columns * self.size + 2) * self.map.channels
    }

    /// Values of a row of targets up to the end of the last tile.
    pub(super) fn whole(self) -> usize {
        self.columns * self.size * self.map.channels
    }
}

/// Transformed values of several tiles: `[position][tile][channel]`.
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// Values from one position to the next.
    pub(super) stride: usize,
    /// The tile with which a line begins.
    pub(super) first: usize,
}

/// The first `count` vectors of `values`.
#[inline(always)]
pub(super) fn vectors_of<S: Simd>(values: &[f32], count: usize) -> &[S::f32s] {
    &S::as_simd_f32s(values).0[..count]
}

#[inline(always)]
pub(super) fn vectors_of_mut<S: Simd>(values: &mut [f32], count: usize) -> &mut [S::f32s] {
    &mut S::as_mut_simd_f32s(values).0[..count]
}

/// `B^T d` of line `row` of one image's sources, into the `N` rows of `room`, with the padding on both sides.
#[inline(always)]
pub(super) fn spread_columns<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    grid: Grid,
    image: &[f32],
    row: usize,
    room: &mut [f32],
) {
    let channels = grid.map.channels;
    let width = grid.map.width * channels;
    let count = width / S::F32_LANES;
    let mut sources: [&[S::f32s]; N] = [&[]; N];
    // Padding of 1: the tile's sources begin one row before its targets.
    for (y, source) in sources.iter_mut().enumerate() {
        let inside = (row * M + y)
            .checked_sub(1)
            .filter(|&y| y < grid.map.height);
        *source = match inside {
            Some(y) => vectors_of::<S>(&image[y * width..][..width], count),
            None => &[],
        };
    }
    let stride = room.len() / N;
    for row in room.chunks_exact_mut(stride) {
        row[..channels].fill(0.0);
        row[channels + width..grid.padded()].fill(0.0);
    }
    let stride = stride / S::F32_LANES;
    let place = vectors_of_mut::<S>(&mut room[channels..], (N - 1) * stride + count);
    let zero = simd.splat_f32s(0.0);
    for at in 0..count {
        let mut values = [zero; N];
        for y in 0..N {
            if let Some(value) = sources[y].get(at) {
                values[y] = *value;
            }
        }
        let values = W::spread(simd, values);
        for y in 0..N {
            place[y * stride + at] = values[y];
        }
    }
}

/// `(B^T d) B` of one row of [`spread_columns`], into `N` positions.
#[inline(always)]
pub(super) fn spread_row<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    grid: Grid,
    row: &[f32],
    places: Places,
    positions: &mut [f32],
) {
    let channels = grid.map.channels;
    let vectors = channels / S::F32_LANES;
    let stride = places.stride / S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    for tile in 0..grid.columns {
        let values = &row[tile * M * channels..][..N * channels];
        let values = vectors_of::<S>(values, N * vectors);
        let start = (places.first + tile) * channels;
        let place = &mut positions[start..][..(N - 1) * places.stride + channels];
        let place = vectors_of_mut::<S>(place, (N - 1) * stride + vectors);
        for v in 0..vectors {
            let mut d = [zero; N];
            for x in 0..N {
                d[x] = values[x * vectors + v];
            }
            let d = W::spread(simd, d);
            for x in 0..N {
                place[x * stride + v] = d[x];
            }
        }
    }
}

/// What happens to the targets of a line, and where they go.
pub(super) struct Ending<'a> {
    /// The bias of every value of a row of the map.
    pub(super) bias: &'a [f32],
    /// Of one image.
    pub(super) residual: Option<&'a [f32]>,
    pub(super) activation: Activation,
    /// One image.
    pub(super) target: &'a mut [f32],
}

/// `m A` of the products at `N` positions of a line of tiles, into one row of [`gather_columns`].
#[inline(always)]
pub(super) fn gather_row<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    grid: Grid,
    row: &mut [f32],
    places: Places,
    positions: &[f32],
) {
    let channels = grid.map.channels;
    let vectors = channels / S::F32_LANES;
    let stride = places.stride / S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    let tiles = row.chunks_exact_mut(M * channels).take(grid.columns);
    for (tile, place) in tiles.enumerate() {
        let place = vectors_of_mut::<S>(place, M * vectors);
        let start = (places.first + tile) * channels;
        let values = &positions[start..][..(N - 1) * places.stride + channels];
        let values = vectors_of::<S>(values, (N - 1) * stride + vectors);
        for v in 0..vectors {
            let mut m = [zero; N];
            for x in 0..N {
                m[x] = values[x * stride + v];
            }
            let m = W::gathered(simd, m);
            for x in 0..M {
                place[x * vectors + v] = m[x];
            }
        }
    }
}

/// `A^T (m A)` of the `N` rows of `room`, into line `row` of one image's targets.
#[inline(always)]
pub(super) fn gather_columns<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    grid: Grid,
    row: usize,
    room: &[f32],
    ending: &mut Ending<'_>,
) {
    let zero = simd.splat_f32s(0.0);
    let width = grid.map.width * grid.map.channels;
    let count = width / S::F32_LANES;
    let stride = room.len() / N / S::F32_LANES;
    let products = vectors_of::<S>(room, (N - 1) * stride + count);
    let bias = vectors_of::<S>(ending.bias, count);
    // The last line of tiles may reach beyond the map: rows that are not there stay empty.
    let start = row * M * width;
    let mut residuals: [&[S::f32s]; M] = [&[]; M];
    if let Some(residual) = ending.residual {
        for (row, values) in residuals
            .iter_mut()
            .zip(residual[start..].chunks_exact(width))
        {
            *row = vectors_of::<S>(values, count);
        }
    }
    let mut rows = ending.target[start..].chunks_exact_mut(width);
    let targets: [&mut [S::f32s]; M] = std::array::from_fn(|_| match rows.next() {
        Some(values) => vectors_of_mut::<S>(values, count),
        None => &mut [],
    });
    for at in 0..count {
        let mut m = [zero; N];
        for y in 0..N {
            m[y] = products[y * stride + at];
        }
        let values = W::gathered(simd, m);
        for y in 0..M {
            if let Some(place) = targets[y].get_mut(at) {
                let mut value = simd.add_f32s(values[y], bias[at]);
                if let Some(residual) = residuals[y].get(at) {
                    value = simd.add_f32s(value, *residual);
                }
                *place = activated(simd, value, ending.activation);
            }
        }
    }
}
