//! Elementwise work between convolutions.

use crate::parallel::each;
use pulp::Simd;

use crate::Activation;
use crate::buffers::taken;
use crate::level::level;

/// Values that one task handles.
const TASK: usize = 1 << 15;

/// Applies `activation` to every value.
#[inline(always)]
pub(crate) fn activate(values: &mut [f32], activation: Activation) {
    match activation {
        Activation::None => {}
        Activation::Relu => {
            for value in values {
                *value = value.max(0.0);
            }
        }
        Activation::Relu6 => {
            for value in values {
                *value = value.clamp(0.0, 6.0);
            }
        }
    }
}

/// A vector of values after `activation`.
#[inline(always)]
pub(crate) fn activated<S: Simd>(simd: S, value: S::f32s, activation: Activation) -> S::f32s {
    let positive = |value| simd.max_f32s(value, simd.splat_f32s(0.0));
    match activation {
        Activation::None => value,
        Activation::Relu => positive(value),
        Activation::Relu6 => simd.min_f32s(positive(value), simd.splat_f32s(6.0)),
    }
}

/// `sums[k] += values[k]`.
#[inline(always)]
pub(crate) fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// The gradient before an activation, from the gradient after it and the activation's output.
///
/// # Panics
///
/// When the lengths differ.
pub fn masked(gradient: &[f32], output: &[f32], activation: Activation) -> Vec<f32> {
    assert_eq!(gradient.len(), output.len(), "one gradient per output");
    let mut result = taken(gradient.len());
    let level = level();
    let inputs = gradient.chunks(TASK).zip(output.chunks(TASK));
    each(
        result.chunks_mut(TASK).zip(inputs),
        |(result, (gradient, output))| {
            level.run(|| match activation {
                Activation::None => result.copy_from_slice(gradient),
                Activation::Relu => keep(result, gradient, output, |value| value > 0.0),
                Activation::Relu6 => {
                    keep(result, gradient, output, |value| value > 0.0 && value < 6.0);
                }
            });
        },
    );
    result
}

/// As [`masked`], in the place of the gradient after the activation.
///
/// # Panics
///
/// When the lengths differ.
pub fn masked_in_place(gradient: &mut [f32], output: &[f32], activation: Activation) {
    assert_eq!(gradient.len(), output.len(), "one gradient per output");
    let level = level();
    each(
        gradient.chunks_mut(TASK).zip(output.chunks(TASK)),
        |(gradient, output)| {
            level.run(|| match activation {
                Activation::None => {}
                Activation::Relu => drop_others(gradient, output, |value| value > 0.0),
                Activation::Relu6 => {
                    drop_others(gradient, output, |value| value > 0.0 && value < 6.0);
                }
            });
        },
    );
}

#[inline(always)]
fn drop_others(gradient: &mut [f32], output: &[f32], passes: impl Fn(f32) -> bool) {
    for (gradient, output) in gradient.iter_mut().zip(output) {
        *gradient = if passes(*output) { *gradient } else { 0.0 };
    }
}

/// For every output of a ReLU, 1 where it let its input through, and 0 where not.
///
/// # Panics
///
/// When the lengths differ.
pub fn passed(output: &[f32], passed: &mut [u8]) {
    assert_eq!(passed.len(), output.len(), "one byte per output");
    level().run(|| {
        for (passed, output) in passed.iter_mut().zip(output) {
            *passed = u8::from(*output > 0.0);
        }
    });
}

/// Zeros where [`passed`] says 0.
///
/// # Panics
///
/// When the lengths differ.
pub fn stop(gradient: &mut [f32], passed: &[u8]) {
    assert_eq!(passed.len(), gradient.len(), "one byte per value");
    level().run(|| {
        for (gradient, passed) in gradient.iter_mut().zip(passed) {
            *gradient = if *passed == 0 { 0.0 } else { *gradient };
        }
    });
}

/// The gradients of those outputs that pass, and zeros.
#[inline(always)]
fn keep(result: &mut [f32], gradient: &[f32], output: &[f32], passes: impl Fn(f32) -> bool) {
    for ((result, gradient), output) in result.iter_mut().zip(gradient).zip(output) {
        *result = if passes(*output) { *gradient } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;

    #[test]
    fn what_passed_is_remembered_in_a_byte() {
        at_every_level(|_| {
            let output: Vec<f32> = (0..37).map(|k| (k % 3) as f32 - 1.0).collect();
            let mut bytes = vec![7; 37];
            passed(&output, &mut bytes);
            let mut gradient = vec![2.0; 37];
            stop(&mut gradient, &bytes);
            assert_eq!(gradient, masked(&[2.0; 37], &output, Activation::Relu));
        });
    }

    #[test]
    fn only_what_the_activation_let_through_has_a_gradient() {
        at_every_level(|_| {
            let output = [0.0, 1.0, 6.0, 3.0];
            let gradient = [1.0, 2.0, 3.0, 4.0];
            let of = |activation| {
                let mut here = gradient;
                masked_in_place(&mut here, &output, activation);
                assert_eq!(masked(&gradient, &output, activation), here);
                here
            };
            assert_eq!(of(Activation::None), gradient);
            assert_eq!(of(Activation::Relu), [0.0, 2.0, 3.0, 4.0]);
            assert_eq!(of(Activation::Relu6), [0.0, 2.0, 0.0, 4.0]);
        });
    }
}
