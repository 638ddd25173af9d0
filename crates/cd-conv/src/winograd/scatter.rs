//! The transform of gradients.

use pulp::Simd;

use super::grid::{Grid, Places, vectors_of, vectors_of_mut};
use super::tile::Tile;

/// The channels of a gradient that a task works on.
#[derive(Clone, Copy)]
pub(super) struct Share {
    /// The tiles, with the task's channels.
    pub(super) grid: Grid,
    /// Channels that there are.
    pub(super) all: usize,
    /// The first of the task's.
    pub(super) first: usize,
}

/// `A g A^T` of line `row` of one image's gradients; what lies beyond the map in `room` must be zero.
#[inline(always)]
pub(super) fn scatter_line<S: Simd, W: Tile<M, N>, const M: usize, const N: usize>(
    simd: S,
    share: Share,
    image: &[f32],
    row: usize,
    room: &mut [f32],
    places: Places,
    positions: &mut [f32],
) {
    let grid = share.grid;
    let channels = grid.map.channels;
    let vectors = channels / S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    let width = grid.map.width * share.all;
    let rows = image[row * M * width..].chunks_exact(width);
    let present = M.min(rows.len());
    for x in 0..grid.map.width {
        let mut gradients: [&[S::f32s]; M] = [&[]; M];
        for (gradient, row) in gradients.iter_mut().zip(rows.clone()) {
            let values = &row[x * share.all + share.first..][..channels];
            *gradient = vectors_of::<S>(values, vectors);
        }
        for v in 0..vectors {
            let mut values = [zero; M];
            for y in 0..present {
                values[y] = gradients[y][v];
            }
            let values = W::scattered(simd, values);
            for y in 0..N {
                let place = &mut room[y * grid.whole() + x * channels..][..channels];
                vectors_of_mut::<S>(place, vectors)[v] = values[y];
            }
        }
    }
    let stride = places.stride / S::F32_LANES;
    for (y, line) in room.chunks_exact(grid.whole()).take(N).enumerate() {
        for (tile, values) in line.chunks_exact(M * channels).enumerate() {
            let values = vectors_of::<S>(values, M * vectors);
            let start = y * N * places.stride + (places.first + tile) * channels;
            let place = &mut positions[start..][..(N - 1) * places.stride + channels];
            let place = vectors_of_mut::<S>(place, (N - 1) * stride + vectors);
            for v in 0..vectors {
                let mut g = [zero; M];
                for x in 0..M {
                    g[x] = values[x * vectors + v];
                }
                let g = W::scattered(simd, g);
                for x in 0..N {
                    place[x * stride + v] = g[x];
                }
            }
        }
    }
}
