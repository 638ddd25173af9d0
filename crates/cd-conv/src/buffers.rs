//! Results that are made in buffers of results that nobody needs any more.
//!
//! A search and an epoch ask for the same sizes at every step. Fresh memory would be filled with zeros first, and with
//! results then.

use std::sync::{Mutex, PoisonError};

/// Values of all free buffers at most: 256 MiB.
const MOST: usize = 1 << 26;
/// Below, a buffer is not worth the search.
const LEAST: usize = 1 << 12;

#[derive(Default)]
struct Free {
    /// The last to come back last.
    buffers: Vec<Vec<f32>>,
    /// Values that all of them have room for.
    values: usize,
}

static FREE: Mutex<Free> = Mutex::new(Free {
    buffers: Vec::new(),
    values: 0,
});

/// A buffer of `len` values, which may be anything.
pub(crate) fn taken(len: usize) -> Vec<f32> {
    if len >= LEAST {
        // Nothing that holds the lock can panic half way.
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let suits = |buffer: &Vec<f32>| (len..=len + len / 4).contains(&buffer.capacity());
        if let Some(at) = free.buffers.iter().rposition(suits) {
            let mut buffer = free.buffers.remove(at);
            free.values -= buffer.capacity();
            drop(free);
            buffer.resize(len, 0.0);
            return buffer;
        }
    }
    vec![0.0; len]
}

/// Takes a result of a kernel back whose values nobody needs any more; the next results may be made in it.
pub fn give_back(buffer: Vec<f32>) {
    if buffer.capacity() < LEAST {
        return;
    }
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    free.values += buffer.capacity();
    free.buffers.push(buffer);
    let mut old = Vec::new();
    while free.values > MOST {
        let buffer = free.buffers.remove(0);
        free.values -= buffer.capacity();
        old.push(buffer);
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
    fn a_buffer_comes_back_for_a_like_size() {
        let len = 1_234_567;
        let mut buffer = taken(len);
        assert_eq!(buffer.len(), len);
        buffer[7] = 3.0;
        let place = buffer.as_ptr();
        give_back(buffer);
        let other = taken(len / 2);
        assert_ne!(other.as_ptr(), place);
        let again = taken(len - 5);
        assert_eq!(
            (again.as_ptr(), again.len(), again[7]),
            (place, len - 5, 3.0)
        );
    }

    /// What is left in a buffer must not show.
    fn soil(len: usize) {
        for _ in 0..4 {
            give_back(vec![f32::NAN; len.max(LEAST)]);
        }
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
