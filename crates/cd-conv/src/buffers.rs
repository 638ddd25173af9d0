//! Results that are made in buffers of results that nobody needs any more.
//!
//! A search and an epoch ask for the same sizes at every step. Fresh memory would be filled with zeros first, and with
//! results then.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values of all free buffers at most: 512 MiB.
const MOST: usize = 1 << 27;
/// Below, a buffer is not worth the search.
const LEAST: usize = 1 << 12;
/// A buffer that so many came and went without is freed: it belongs to work that is over.
const FORGOTTEN: u64 = 2000;

/// Bytes of a line of the caches, and of the widest vectors.
pub(crate) const LINE: usize = 64;
/// Bytes that the system keeps beside a block (glibc).
const BESIDE: usize = 8;
/// Blocks that may begin elsewhere before one is taken as it is.
const TRIALS: usize = 4;

struct Free {
    /// The last to come back last, each with the time when it did.
    buffers: VecDeque<(u64, Vec<f32>)>,
    /// Values that all of them have room for.
    values: usize,
    /// Values that were taken and have not come back. What comes back beyond them was made elsewhere: to keep that, too,
    /// would let the free buffers grow without end.
    taken: usize,
    /// Buffers that were taken or came back.
    time: u64,
}

static FREE: Mutex<Free> = Mutex::new(Free {
    buffers: VecDeque::new(),
    values: 0,
    taken: 0,
    time: 0,
});

fn free() -> MutexGuard<'static, Free> {
    // Nothing that holds the lock can panic half way.
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of `len` values, which may be anything, for a result that writes all of them.
pub fn taken(len: usize) -> Vec<f32> {
    if len < LEAST {
        return vec![0.0; len];
    }
    // In a statement of its own, so that nobody waits for the lock meanwhile.
    let found = free().of_like_size(len);
    if let Some(mut buffer) = found {
        buffer.resize(len, 0.0);
        return buffer;
    }
    let buffer = on_a_line(len);
    free().taken += buffer.capacity();
    buffer
}

impl Free {
    /// The last buffer that has room for `len` values and not for many more.
    fn of_like_size(&mut self, len: usize) -> Option<Vec<f32>> {
        self.time += 1;
        let suits =
            |(_, buffer): &(u64, Vec<f32>)| (len..=len + len / 4).contains(&buffer.capacity());
        let found = self.buffers.iter().rposition(suits)?;
        let (_, buffer) = self.buffers.remove(found)?;
        self.values -= buffer.capacity();
        self.taken += buffer.capacity();
        Some(buffer)
    }
}

/// Zeros that begin with a line of the caches, if the system hands such memory out within a few trials: of a vector that begins
/// elsewhere every part lies in two lines.
fn on_a_line(len: usize) -> Vec<f32> {
    let mut gaps = Vec::new();
    loop {
        let mut buffer = vec![0.0; len];
        let missing = buffer.as_ptr().align_offset(LINE);
        if missing == 0 || gaps.len() == TRIALS {
            return buffer;
        }
        // What is left of it ends where a line does, so that the next block, if it lies behind, begins with one.
        buffer.truncate(missing + (LINE - BESIDE) / size_of::<f32>());
        buffer.shrink_to_fit();
        gaps.push(buffer);
    }
}

/// Takes a result of a kernel back whose values nobody needs any more; the next results may be made in it.
pub fn give_back(buffer: Vec<f32>) {
    if buffer.capacity() < LEAST {
        return;
    }
    let mut free = free();
    free.time += 1;
    let Some(taken) = free.taken.checked_sub(buffer.capacity()) else {
        return;
    };
    free.taken = taken;
    free.values += buffer.capacity();
    let time = free.time;
    free.buffers.push_back((time, buffer));
    let mut old = Vec::new();
    while let Some((returned, buffer)) = free.buffers.front() {
        if free.values <= MOST && returned + FORGOTTEN >= time {
            break;
        }
        free.values -= buffer.capacity();
        old.extend(free.buffers.pop_front());
    }
    drop(free);
    drop(old);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;
    use crate::reference::cases;
    use crate::{
        Activation, Dense, Depthwise, Epilogue, Map, Moments, masked, max_pool, max_pool_backward,
        normalize, normalize_backward,
    };

    #[test]
    fn a_buffer_comes_back_for_a_like_size_until_it_is_forgotten() {
        let len = 1_234_567;
        let mut buffer = taken(len);
        assert_eq!(buffer.len(), len);
        buffer[7] = 3.0;
        give_back(buffer);
        let other = taken(len / 2);
        assert_eq!((other.len(), other[7]), (len / 2, 0.0));
        let again = taken(len - 5);
        assert_eq!((again.len(), again[7]), (len - 5, 3.0));
        give_back(again);
        for _ in 0..=FORGOTTEN {
            give_back(taken(LEAST));
        }
        assert_eq!(taken(len)[7], 0.0);
    }

    #[test]
    fn zeros_on_a_line_are_as_many_as_were_asked_for() {
        for len in [1, 16, 4096, 100_003] {
            let buffer = on_a_line(len);
            assert_eq!(buffer, vec![0.0; len]);
            assert_eq!(buffer.capacity(), len);
        }
    }

    /// What is left in a buffer must not show.
    fn soil(len: usize) {
        let soiled = [(); 4].map(|()| {
            let mut buffer = taken(len.max(LEAST));
            buffer.fill(f32::NAN);
            buffer
        });
        soiled.into_iter().for_each(give_back);
    }

    fn finite(values: &[f32], what: &str) {
        assert!(values.iter().all(|value| value.is_finite()), "{what}");
    }

    #[test]
    fn kernels_write_every_value() {
        at_every_level(|_| {
            for mut case in cases() {
                let least = case.output.len().min(case.input.len());
                case.batch = LEAST.div_ceil(least);
                let (input, output, geometry) = (case.input, case.output, case.geometry);
                let channels = [output.channels, input.channels];
                let (weights, images) = (case.weights(), case.images());
                let gradient = case.output_like(3);
                let (none, what) = (Epilogue::default(), format!("{case:?}"));
                soil(gradient.len());
                let forward = Dense::forward(&weights, channels, geometry);
                finite(&forward.apply(&images, input, output, &none), &what);
                soil(images.len());
                let backward = Dense::backward(&weights, channels, geometry);
                finite(&backward.apply(&gradient, input, output, &none), &what);
                if input.channels == 3 {
                    let output = Map {
                        channels: 3,
                        ..output
                    };
                    let weights = &weights[..3 * geometry.taps()];
                    let each = Depthwise::forward(weights, 3, geometry);
                    soil(case.batch * output.len());
                    let y = each.apply(&images, input, output, &none);
                    finite(&y, &what);
                    soil(images.len());
                    let each = Depthwise::backward(weights, 3, geometry);
                    finite(&each.apply(&y, input, output, &none), &what);
                    soil(y.len());
                    let largest = max_pool(&images, geometry, input, output);
                    finite(&largest, &what);
                    soil(images.len());
                    let maps = [input, output];
                    let back = max_pool_backward(&y, &images, &largest, geometry, maps);
                    finite(&back, &what);
                }
            }
        });
    }

    #[test]
    fn normalisation_writes_every_value() {
        let (x, gamma) = (vec![0.5; 3 * LEAST], [1.0, 2.0, 3.0]);
        let moments = Moments::of(&x, 3);
        soil(x.len());
        let y = normalize(&x, &moments, &gamma, 1e-5, &Epilogue::default());
        finite(&y, "normalize");
        soil(x.len());
        let back = normalize_backward(&x, &x, &moments, &gamma, 1e-5);
        finite(&back.x, "normalize_backward");
        soil(x.len());
        finite(&masked(&x, &x, Activation::Relu), "masked");
    }
}
