//! Smooth activations, and their gradients.

use crate::buffers::taken;
use crate::level::level;
use crate::parallel::each;

/// Values that one task handles.
const TASK: usize = 1 << 14;

/// A function of every value by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x` times its sigmoid.
    Silu,
    /// `min(max(x + 3, 0), 6) / 6`.
    HardSigmoid,
    /// `x` times its hard sigmoid.
    HardSwish,
    /// `x` times the share of a standard normal distribution below `x`.
    Gelu,
}

impl Curve {
    /// The curve at every value.
    pub fn at(self, values: &[f32]) -> Vec<f32> {
        let mut result = taken(values.len());
        let level = level();
        each(
            result.chunks_mut(TASK).zip(values.chunks(TASK)),
            |(result, values)| {
                level.run(|| match self {
                    Self::Sigmoid => map(result, values, sigmoid),
                    Self::Silu => map(result, values, |x| floored(x) * sigmoid(x)),
                    Self::HardSigmoid => map(result, values, hard_sigmoid),
                    Self::HardSwish => map(result, values, |x| x * hard_sigmoid(x)),
                    Self::Gelu => map(result, values, |x| x * below(x)[0]),
                });
            },
        );
        result
    }

    /// The gradient before the curve, from the one after it and the values before it.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn backward(self, gradient: &[f32], values: &[f32]) -> Vec<f32> {
        assert_eq!(gradient.len(), values.len(), "one gradient per value");
        let mut result = taken(values.len());
        let level = level();
        let inputs = gradient.chunks(TASK).zip(values.chunks(TASK));
        each(
            result.chunks_mut(TASK).zip(inputs),
            |(result, (gradient, values))| {
                level.run(|| {
                    match self {
                        Self::Sigmoid => map(result, values, |x| {
                            let share = sigmoid(x);
                            share * (1.0 - share)
                        }),
                        Self::Silu => map(result, values, |x| {
                            let share = sigmoid(x);
                            share * (1.0 + floored(x) * (1.0 - share))
                        }),
                        Self::HardSigmoid => map(result, values, |x| inside(x) / 6.0),
                        Self::HardSwish => {
                            map(result, values, |x| hard_sigmoid(x) + x * inside(x) / 6.0);
                        }
                        Self::Gelu => map(result, values, |x| {
                            let [below, density] = below(x);
                            below + x.clamp(-FAR, FAR) * density
                        }),
                    }
                    for (slope, gradient) in result.iter_mut().zip(gradient) {
                        *slope *= gradient;
                    }
                });
            },
        );
        result
    }
}

#[inline(always)]
fn map(result: &mut [f32], values: &[f32], curve: impl Fn(f32) -> f32) {
    for (result, value) in result.iter_mut().zip(values) {
        *result = curve(*value);
    }
}

/// Least and largest exponents whose powers are ordinary numbers.
const EXPONENTS: [f32; 2] = [-87.0, 88.0];

/// From here on a normal distribution has nothing left.
const FAR: f32 = 20.0;

/// `x`, or the least exponent where that is more: below, the sigmoid stays above 0.
#[inline(always)]
fn floored(x: f32) -> f32 {
    x.clamp(-EXPONENTS[1], f32::MAX)
}

/// `exp(x)` to about one part in ten million: a power of two times a polynomial over half a doubling to either side, whose largest relative error
/// was made least. Beyond [`EXPONENTS`] that of their ends.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest whole number in the last bits.
    const WHOLE: f32 = 12_582_912.0;
    /// The logarithm of 2 in two parts, the first with few digits: whole multiples of it are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const COEFFICIENTS: [f32; 7] = [
        1.0,
        1.0,
        0.499_999_9,
        0.166_664_2,
        0.041_668_226,
        0.008_374_816,
        0.001_383_684_5,
    ];
    let x = x.clamp(EXPONENTS[0], EXPONENTS[1]);
    let shifted = x * std::f32::consts::LOG2_E + WHOLE;
    let whole = shifted - WHOLE;
    let rest = (x - whole * LN_2[0]) - whole * LN_2[1];
    let power = shifted.to_bits().wrapping_sub(WHOLE.to_bits());
    let power = f32::from_bits(power.wrapping_add(127) << 23);
    polynomial(&COEFFICIENTS, rest) * power
}

/// The first coefficient is the constant.
#[inline(always)]
fn polynomial<const N: usize>(coefficients: &[f32; N], x: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for k in (0..N - 1).rev() {
        sum = sum * x + coefficients[k];
    }
    sum
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn hard_sigmoid(x: f32) -> f32 {
    (x + 3.0).clamp(0.0, 6.0) / 6.0
}

/// 1 where the hard sigmoid rises.
#[inline(always)]
fn inside(x: f32) -> f32 {
    if x > -3.0 && x < 3.0 { 1.0 } else { 0.0 }
}

/// The share of a standard normal distribution below `x`, to about one part in a million on either side, and its density there.
///
/// The tail is the density times a polynomial of `1 / (1 + BEND |x|)`, of the form of Abramowitz and Stegun, 26.2.17, with coefficients whose largest
/// relative error was made least.
#[inline(always)]
fn below(x: f32) -> [f32; 2] {
    const BEND: f32 = 0.26;
    const COEFFICIENTS: [f32; 9] = [
        0.103_761_26,
        0.102_980_22,
        0.103_285_41,
        0.050_046_977,
        0.163_220_45,
        -0.154_206_53,
        0.254_317_98,
        -0.154_189_38,
        0.030_783_605,
    ];
    /// One over the root of two pi.
    const PEAK: f32 = 0.398_942_3;
    let bell = exp(-0.5 * x * x);
    let bent = 1.0 / (1.0 + BEND * x.abs());
    let tail = bell * bent * polynomial(&COEFFICIENTS, bent);
    let below = if x > 0.0 { 1.0 - tail } else { tail };
    [below, bell * PEAK]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;

    const ALL: [Curve; 5] = [
        Curve::Sigmoid,
        Curve::Silu,
        Curve::HardSigmoid,
        Curve::HardSwish,
        Curve::Gelu,
    ];

    /// The integral of the normal density by Simpson's rule.
    fn normal_below(x: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let (from, steps) = (-12.0, 4000);
        let width = (x - from) / f64::from(steps);
        let inner = (1..steps).map(|k| {
            let weight = if k % 2 == 1 { 4.0 } else { 2.0 };
            weight * density(from + f64::from(k) * width)
        });
        (density(from) + inner.sum::<f64>() + density(x)) * width / 3.0
    }

    fn expected(curve: Curve, x: f64) -> f64 {
        let sigmoid = 1.0 / (1.0 + (-x).exp());
        let hard = (x + 3.0).clamp(0.0, 6.0) / 6.0;
        match curve {
            Curve::Sigmoid => sigmoid,
            Curve::Silu => x * sigmoid,
            Curve::HardSigmoid => hard,
            Curve::HardSwish => x * hard,
            Curve::Gelu => x * normal_below(x),
        }
    }

    fn inputs() -> Vec<f32> {
        (-430..=430).map(|k| k as f32 * 0.023).collect()
    }

    #[test]
    fn every_level_has_the_curves() {
        at_every_level(|_| {
            let inputs = inputs();
            for curve in ALL {
                let found = curve.at(&inputs);
                for (x, y) in inputs.iter().zip(found) {
                    let expected = expected(curve, f64::from(*x));
                    let off = (f64::from(y) - expected).abs();
                    assert!(
                        off < 1e-6 * expected.abs().max(1e-4),
                        "{curve:?} {x}: {y}, {expected}"
                    );
                }
            }
        });
    }

    #[test]
    fn gradients_are_slopes() {
        at_every_level(|_| {
            // Corners of the hard curves have two slopes.
            let inputs = inputs()
                .into_iter()
                .filter(|x| (x.abs() - 3.0).abs() > 1e-3);
            let inputs: Vec<f32> = inputs.collect();
            let gradient: Vec<f32> = (0..inputs.len()).map(|k| (k as f32).sin()).collect();
            for curve in ALL {
                let found = curve.backward(&gradient, &inputs);
                for ((x, above), found) in inputs.iter().zip(&gradient).zip(found) {
                    let at = |step: f64| expected(curve, f64::from(*x) + step);
                    let slope = (at(1e-4) - at(-1e-4)) / 2e-4;
                    let off = (f64::from(found) - f64::from(*above) * slope).abs();
                    assert!(off < 1e-6, "{curve:?} {x}: {found}");
                }
            }
        });
    }

    #[test]
    fn far_out_nothing_overflows_and_nan_stays() {
        at_every_level(|_| {
            let ends = [f32::MIN, -1e30, -200.0, 200.0, 1e30, f32::MAX];
            for curve in ALL {
                let found = curve.at(&ends);
                let slopes = curve.backward(&[1.0; 6], &ends);
                assert!(
                    found.iter().chain(&slopes).all(|y| y.is_finite()),
                    "{curve:?}"
                );
                let last = expected(curve, 200.0);
                assert!((f64::from(found[3]) - last).abs() < 1e-4);
                assert!(f64::from(found[2]).abs() < 1e-30, "{curve:?}");
                assert!(curve.at(&[f32::NAN])[0].is_nan(), "{curve:?}");
            }
        });
    }
}
