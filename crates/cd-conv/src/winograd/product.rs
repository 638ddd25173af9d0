//! The products of a group's tiles and the weights at one position.

use pulp::Simd;

use super::{Group, Winograd};
use crate::panel::{BLOCK, Tiled, accumulate, accumulate_neighbours, cover, in_tiles};
use crate::vectors::store_vectors;

/// `gathered[x][tile] = spread[x][tile] * weights[position]` for the first `tiles` tiles of a group.
#[inline(always)]
pub(super) fn products<S: Simd>(
    simd: S,
    winograd: &Winograd,
    group: Group,
    [position, x]: [usize; 2],
    tiles: usize,
    spread: &[f32],
    gathered: &mut [f32],
) {
    let Winograd {
        sources, targets, ..
    } = *winograd;
    let mut product = Product {
        weights: &winograd.weights,
        position,
        positions: winograd.weights.len() / (targets * sources),
        spread: &spread[x * group.stride(sources)..][..tiles * sources],
        gathered: &mut gathered[x * group.stride(targets)..][..tiles * targets],
        tiles,
        sources,
        targets,
    };
    cover(simd, &mut product);
}

struct Product<'a> {
    /// `[block of targets][position][source][BLOCK]`.
    weights: &'a [f32],
    position: usize,
    positions: usize,
    /// `[tile][source]`.
    spread: &'a [f32],
    /// `[tile][target]`.
    gathered: &'a mut [f32],
    tiles: usize,
    sources: usize,
    targets: usize,
}

impl Tiled for Product<'_> {
    fn blocks(&self) -> usize {
        self.targets / BLOCK
    }

    #[inline(always)]
    fn compute<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
    ) {
        let tiles = self.tiles;
        if tiles < P {
            for first in 0..tiles {
                self.tile::<S, V, B, 1, T>(simd, block, first);
            }
        } else {
            for first in in_tiles(tiles, P) {
                self.tile::<S, V, B, P, T>(simd, block, first);
            }
        }
    }
}

impl Product<'_> {
    /// `P` tiles times `B` blocks.
    #[inline(always)]
    fn tile<S: Simd, const V: usize, const B: usize, const P: usize, const T: usize>(
        &mut self,
        simd: S,
        block: usize,
        first: usize,
    ) {
        let (sources, targets) = (self.sources, self.targets);
        let mut vectors: [&[[S::f32s; V]]; B] = [&[]; B];
        for b in 0..B {
            let start = ((block + b) * self.positions + self.position) * sources * BLOCK;
            let weights = &self.weights[start..][..sources * BLOCK];
            vectors[b] = &S::as_simd_f32s(weights).0.as_chunks().0[..sources];
        }
        let mut sums = [[[simd.splat_f32s(0.0); V]; B]; P];
        let spread = &self.spread[first * sources..];
        if sources == BLOCK {
            accumulate_neighbours::<S, V, B, P>(simd, sources, spread, &vectors, &mut sums);
        } else {
            let mut rows: [&[f32]; P] = [&[]; P];
            for p in 0..P {
                rows[p] = &spread[p * sources..][..sources];
            }
            accumulate::<S, V, B, P, T>(simd, sources, &rows, &vectors, &mut sums);
        }
        for p in 0..P {
            for b in 0..B {
                let place = (first + p) * targets + (block + b) * BLOCK;
                store_vectors::<S, V>(&mut self.gathered[place..], sums[p][b]);
            }
        }
    }
}
