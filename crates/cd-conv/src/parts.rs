//! Sums over a batch in parts, whose number does not depend on that of the threads.

use std::ops::AddAssign;

use crate::parallel::mapped;

/// A batch is cut into so many partial sums, on any number of threads, so that the order of the sum is
/// always the same.
const PARTS: usize = 4;

/// Sums over a batch: `work(first image, images, sums)` adds to its own `len` sums.
pub(crate) fn in_parts(
    batch: usize,
    len: usize,
    work: impl Fn(usize, usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    let images = batch.div_ceil(PARTS).max(1);
    let parts: Vec<Vec<f32>> = mapped(PARTS, |part| {
        let first = (part * images).min(batch);
        let count = images.min(batch - first);
        let mut sums = vec![0.0; if count == 0 { 0 } else { len }];
        if count > 0 {
            work(first, count, &mut sums);
        }
        sums
    });
    total(parts, len)
}

/// The sum of `parts` in their order, value by value; an empty part counts as zeros.
pub(crate) fn total<T: Copy + Default + AddAssign>(parts: Vec<Vec<T>>, len: usize) -> Vec<T> {
    let mut parts = parts.into_iter().filter(|part| !part.is_empty());
    let mut whole = parts.next().unwrap_or_else(|| vec![T::default(); len]);
    for part in parts {
        for (sum, value) in whole.iter_mut().zip(&part) {
            *sum += *value;
        }
    }
    whole
}
