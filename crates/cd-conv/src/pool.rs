//! Pooling, and its gradients.

use pulp::{Simd, WithSimd};

use crate::buffers::taken;
use crate::geometry::{Geometry, Map};
use crate::level::level;
use crate::parallel::each;
use crate::plan::{Direction, Pass, Plan};

/// The largest value of every window and channel, over a batch of maps like `input`; what lies outside the map does not
/// count.
///
/// # Panics
///
/// When lengths and maps contradict each other, or a window lies outside the map as a whole.
pub fn max_pool(source: &[f32], geometry: Geometry, input: Map, output: Map) -> Vec<f32> {
    let plan = Plan::cached(geometry, input, output, Direction::Forward);
    let (from, to) = (input.len(), output.len());
    let mut target = taken(plan.batch(source) * to);
    if target.is_empty() {
        return target;
    }
    let channels = input.channels;
    let level = level();
    let images = target.chunks_mut(to).zip(source.chunks(from));
    each(images, |(target, source)| {
        level.run(Largest {
            passes: &plan.passes,
            channels,
            source,
            target,
        });
    });
    target
}

/// The largest values of one image.
struct Largest<'a> {
    passes: &'a [Pass],
    channels: usize,
    source: &'a [f32],
    target: &'a mut [f32],
}

impl WithSimd for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.channels;
        for pass in self.passes {
            assert!(!pass.taps.is_empty(), "windows over the map");
            for (&pixel, &base) in pass.targets.iter().zip(&pass.bases) {
                let largest = &mut self.target[pixel * channels..][..channels];
                for (number, &(_, offset)) in pass.taps.iter().enumerate() {
                    let values = &self.source[(base + offset) as usize * channels..][..channels];
                    if number == 0 {
                        largest.copy_from_slice(values);
                        continue;
                    }
                    for c in 0..channels {
                        largest[c] = if values[c] > largest[c] {
                            values[c]
                        } else {
                            largest[c]
                        };
                    }
                }
            }
        }
    }
}

/// The gradient of the maps that [`max_pool`] was given, from that of its `output_values`: it goes to the first of the
/// largest values of a window.
///
/// # Panics
///
/// When lengths and maps contradict each other.
pub fn max_pool_backward(
    gradient: &[f32],
    source: &[f32],
    output_values: &[f32],
    geometry: Geometry,
    [input, output]: [Map; 2],
) -> Vec<f32> {
    let plan = Plan::cached(geometry, input, output, Direction::Forward);
    assert_eq!(
        [gradient.len(), output_values.len()],
        [plan.batch(source) * output.len(); 2],
        "one gradient per output"
    );
    let (from, to) = (input.len(), output.len());
    let mut result = taken(source.len());
    if gradient.is_empty() {
        return result;
    }
    let channels = input.channels;
    let level = level();
    let outputs = gradient.chunks(to).zip(output_values.chunks(to));
    let images = result.chunks_mut(from);
    each(
        images.zip(source.chunks(from).zip(outputs)),
        |(result, (source, (gradient, largest)))| {
            level.run(ToLargest {
                passes: &plan.passes,
                channels,
                gradient,
                source,
                largest,
                result,
            });
        },
    );
    result
}

/// The gradient of one image, of which the largest values are known.
struct ToLargest<'a> {
    passes: &'a [Pass],
    channels: usize,
    gradient: &'a [f32],
    source: &'a [f32],
    largest: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for ToLargest<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let channels = self.channels;
        let mut left = vec![0.0; channels];
        self.result.fill(0.0);
        for pass in self.passes {
            for (&pixel, &base) in pass.targets.iter().zip(&pass.bases) {
                let largest = &self.largest[pixel * channels..][..channels];
                left.copy_from_slice(&self.gradient[pixel * channels..][..channels]);
                let left = &mut left[..channels];
                for &(_, offset) in &pass.taps {
                    let place = (base + offset) as usize * channels;
                    let values = &self.source[place..][..channels];
                    let result = &mut self.result[place..][..channels];
                    for c in 0..channels {
                        let here = values[c] == largest[c];
                        result[c] += if here { left[c] } else { 0.0 };
                        left[c] = if here { 0.0 } else { left[c] };
                    }
                }
            }
        }
    }
}

/// The mean of every channel over a map: `[images, channels]`.
///
/// # Panics
///
/// When `source` holds no whole number of maps.
pub fn mean_pool(source: &[f32], map: Map) -> Vec<f32> {
    let (len, channels) = (map.len(), map.channels);
    assert!(source.len().is_multiple_of(len.max(1)), "whole images");
    let mut means = vec![0.0; source.len() / map.pixels().max(1)];
    let level = level();
    let images = means.chunks_mut(channels.max(1));
    each(images.zip(source.chunks(len.max(1))), |(means, source)| {
        level.run(|| {
            for pixel in source.chunks_exact(channels) {
                for (mean, value) in means.iter_mut().zip(pixel) {
                    *mean += value;
                }
            }
            for mean in means {
                *mean /= map.pixels() as f32;
            }
        });
    });
    means
}

/// The gradient of the maps that [`mean_pool`] was given.
///
/// # Panics
///
/// When `gradient` holds no whole number of rows.
pub fn mean_pool_backward(gradient: &[f32], map: Map) -> Vec<f32> {
    let channels = map.channels.max(1);
    assert!(gradient.len().is_multiple_of(channels), "whole rows");
    let mut result = taken(gradient.len() * map.pixels());
    let images = result.chunks_mut(map.len().max(1));
    each(
        images.zip(gradient.chunks(channels)),
        |(result, gradient)| {
            let share: Vec<f32> = gradient
                .iter()
                .map(|gradient| gradient / map.pixels() as f32)
                .collect();
            for pixel in result.chunks_exact_mut(channels) {
                pixel.copy_from_slice(&share);
            }
        },
    );
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;

    /// Few values, so that many windows have several that are the largest.
    fn values(count: usize) -> Vec<f32> {
        (0..count).map(|k| ((k * 7919) % 5) as f32 - 2.0).collect()
    }

    #[test]
    fn the_first_of_the_largest_values_has_the_gradient() {
        at_every_level(|_| {
            for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 1)] {
                let geometry = Geometry {
                    kernel: [kernel; 2],
                    stride: [stride; 2],
                    padding: [padding; 2],
                    extra: [0; 2],
                };
                let input = Map {
                    height: 5,
                    width: 6,
                    channels: 19,
                };
                let output = geometry.output(input, 19).expect("fits");
                let source = values(2 * input.len());
                let gradient: Vec<f32> = (1..=2 * output.len()).map(|k| k as f32).collect();
                let mut largest = vec![f32::MIN; 2 * output.len()];
                let mut expected = vec![0.0; source.len()];
                for place in 0..largest.len() {
                    let (image, at) = (place / output.len(), place % output.len());
                    let (pixel, channel) = (at / 19, at % 19);
                    let mut first = 0;
                    for tap in 0..kernel * kernel {
                        let row = pixel / output.width * stride + tap / kernel;
                        let column = pixel % output.width * stride + tap % kernel;
                        let inside = (padding..input.height + padding).contains(&row)
                            && (padding..input.width + padding).contains(&column);
                        if inside {
                            let at = (row - padding) * input.width + column - padding;
                            let at = image * input.len() + at * 19 + channel;
                            if source[at] > largest[place] {
                                (largest[place], first) = (source[at], at);
                            }
                        }
                    }
                    expected[first] += gradient[place];
                }
                let ours = max_pool(&source, geometry, input, output);
                assert_eq!(ours, largest);
                let maps = [input, output];
                let ours = max_pool_backward(&gradient, &source, &ours, geometry, maps);
                assert_eq!(ours, expected);
            }
        });
    }

    #[test]
    fn a_mean_and_its_gradient_go_over_the_map() {
        at_every_level(|_| {
            let map = Map {
                height: 2,
                width: 1,
                channels: 3,
            };
            let source = [1.0, 2.0, 3.0, 3.0, 6.0, 9.0, 0.0, 0.0, 1.0, 0.0, 4.0, 1.0];
            assert_eq!(mean_pool(&source, map), [2.0, 4.0, 6.0, 0.0, 2.0, 1.0]);
            let back = mean_pool_backward(&[2.0, 4.0, 6.0, 0.0, 8.0, 1.0], map);
            let expected = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 0.0, 4.0, 0.5, 0.0, 4.0, 0.5];
            assert_eq!(back, expected);
        });
    }
}
