//! Channels times a weight of each image, and the gradients.

use crate::buffers::taken;
use crate::geometry::Map;
use crate::level::level;
use crate::parallel::each;

/// Every value times the weight of its image and channel; `weights` are `[images, channels]`.
///
/// # Panics
///
/// When `source` holds no whole number of maps, or `weights` are of another number of them.
pub fn weigh(source: &[f32], weights: &[f32], map: Map) -> Vec<f32> {
    check(source, weights, map);
    let mut result = taken(source.len());
    let (len, channels) = (map.len().max(1), map.channels.max(1));
    let level = level();
    let inputs = source.chunks(len).zip(weights.chunks(channels));
    each(
        result.chunks_mut(len).zip(inputs),
        |(result, (source, weights))| {
            level.run(|| {
                let pixels = source.chunks_exact(channels);
                for (result, source) in result.chunks_exact_mut(channels).zip(pixels) {
                    for c in 0..channels {
                        result[c] = source[c] * weights[c];
                    }
                }
            });
        },
    );
    result
}

/// The gradients of the values and of the weights that [`weigh`] was given, from that of its result.
///
/// # Panics
///
/// As [`weigh`], and when `gradient` and `source` differ in length.
pub fn weigh_backward(
    gradient: &[f32],
    source: &[f32],
    weights: &[f32],
    map: Map,
) -> (Vec<f32>, Vec<f32>) {
    assert_eq!(gradient.len(), source.len(), "one gradient per value");
    check(source, weights, map);
    let (len, channels) = (map.len().max(1), map.channels.max(1));
    let of_source = weigh(gradient, weights, map);
    let mut of_weights = vec![0.0; weights.len()];
    let level = level();
    let inputs = gradient.chunks(len).zip(source.chunks(len));
    each(
        of_weights.chunks_mut(channels).zip(inputs),
        |(sums, (gradient, source))| {
            level.run(|| {
                let pixels = source.chunks_exact(channels);
                for (gradient, source) in gradient.chunks_exact(channels).zip(pixels) {
                    for c in 0..channels {
                        sums[c] += gradient[c] * source[c];
                    }
                }
            });
        },
    );
    (of_source, of_weights)
}

fn check(source: &[f32], weights: &[f32], map: Map) {
    let images = source.len() / map.len().max(1);
    assert_eq!(source.len(), images * map.len(), "whole images");
    assert_eq!(
        weights.len(),
        images * map.channels,
        "a weight of each channel"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;

    #[test]
    fn every_channel_of_every_image_has_its_weight() {
        at_every_level(|_| {
            let map = Map {
                height: 2,
                width: 3,
                channels: 19,
            };
            let wave = |count: usize, step: f32| -> Vec<f32> {
                (0..count).map(|k| (k as f32 * step).sin()).collect()
            };
            let (source, weights) = (wave(2 * map.len(), 0.7), wave(2 * 19, 0.3));
            let gradient = wave(2 * map.len(), 1.3);
            let found = weigh(&source, &weights, map);
            let (of_source, of_weights) = weigh_backward(&gradient, &source, &weights, map);
            let mut sums = vec![0.0; weights.len()];
            for at in 0..source.len() {
                let own = at / map.len() * 19 + at % 19;
                assert_eq!(found[at], source[at] * weights[own]);
                assert_eq!(of_source[at], gradient[at] * weights[own]);
                sums[own] += gradient[at] * source[at];
            }
            assert_eq!(of_weights, sums);
        });
    }

    #[test]
    fn nothing_gives_nothing() {
        let map = Map {
            height: 4,
            width: 4,
            channels: 3,
        };
        assert!(weigh(&[], &[], map).is_empty());
    }
}
