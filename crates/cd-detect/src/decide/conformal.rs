//! How surprising each number would be of a clean image, and which images are flagged so that few flags are false.
//!
//! Conformal p-values after Vovk, Gammerman, Shafer: *Algorithmic Learning in a Random World*, 2005; the procedure is that of Benjamini
//! and Hochberg: *Controlling the False Discovery Rate*, Journal of the Royal Statistical Society B, 1995.
//!
//! Against trusted clean images a p-value is the share of them that look as suspicious. Without any, the clean ones are taken to be as
//! often far above the median as below it: the unsuspicious half, mirrored at the median, takes the place of trusted images. Suspicious
//! images move the median towards them, which only makes the values larger. No p-value is smaller than one part of the numbers that it
//! is compared with, so at a rate of 0.05 fewer than some twenty suspicious images among as many numbers as images are not flagged.

use crate::detection::Detection;
use crate::statistics::median;

/// The p-value of each image, above 0 and at most 1; of both ends of the measure where `two_sided` says so, else of the suspicious one.
pub(crate) fn p_values(detection: &Detection, two_sided: bool) -> Vec<f64> {
    let suspicion = detection.on_even_scale(&detection.raw);
    let trusted = detection.clean.as_ref();
    let trusted = trusted.filter(|clean| !clean.is_empty());
    let trusted = trusted.map(|clean| detection.on_even_scale(clean));
    let upper = one_sided(&suspicion, trusted.as_deref());
    if !two_sided {
        return upper;
    }
    let turned = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<f64>>();
    let trusted = trusted.map(|values| turned(&values));
    let lower = one_sided(&turned(&suspicion), trusted.as_deref());
    let pairs = upper.into_iter().zip(lower);
    pairs.map(|(a, b)| (2.0 * a.min(b)).min(1.0)).collect()
}

/// One p-value for each image from those of several detectors, whatever they have to do with each other: the smallest, times their
/// number.
///
/// # Panics
///
/// When a detector has p-values of fewer images than the first.
pub fn joint_p_values(of_detectors: &[Vec<f64>]) -> Vec<f64> {
    let images = of_detectors.first().map_or(0, Vec::len);
    let count = of_detectors.len() as f64;
    let smallest = |image: usize| {
        let values = of_detectors.iter().map(|values| values[image]);
        values.fold(f64::INFINITY, f64::min)
    };
    (0..images)
        .map(|image| (count * smallest(image)).min(1.0))
        .collect()
}

/// Which images are flagged so that on average no more than a share of `rate` of the flags is false.
pub fn discoveries(p_values: &[f64], rate: f64) -> Vec<bool> {
    let mut sorted = p_values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let passed = sorted.iter().enumerate().rev();
    let border = passed
        .map(|(place, &value)| (value, rate * (place + 1) as f64 / count))
        .find(|(value, allowed)| value <= allowed)
        .map(|(value, _)| value);
    p_values
        .iter()
        .map(|&value| border.is_some_and(|border| value <= border))
        .collect()
}

fn one_sided(suspicion: &[f64], trusted: Option<&[f64]>) -> Vec<f64> {
    let mut clean = trusted.map_or_else(|| mirrored(suspicion), <[f64]>::to_vec);
    clean.sort_by(f64::total_cmp);
    let above = |value: f64| clean.len() - clean.partition_point(|&other| other < value);
    suspicion
        .iter()
        .map(|&value| (1 + above(value)) as f64 / (1 + clean.len()) as f64)
        .collect()
}

/// The lower half of the values, and the same as far above the median.
fn mirrored(values: &[f64]) -> Vec<f64> {
    let middle = median(values.to_vec());
    let lower = values.iter().filter(|&&value| value <= middle);
    lower
        .flat_map(|&value| [value, 2.0 * middle - value])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detection::Measure;

    /// Evenly spread numbers, `count` of them from 0 to 1, and some that lie apart.
    fn spread(count: u32, apart: &[f64]) -> Detection {
        let even = (0..count).map(|at| f64::from(at) / f64::from(count));
        let raw = even.chain(apart.iter().copied()).collect();
        Detection::new(Measure::high("m"), raw)
    }

    #[test]
    fn what_lies_apart_is_flagged_and_an_even_set_is_not() {
        let flagged = |detection: &Detection, two_sided| -> Vec<usize> {
            let flags = discoveries(&p_values(detection, two_sided), 0.05);
            (0..flags.len()).filter(|&image| flags[image]).collect()
        };
        assert!(flagged(&spread(400, &[]), false).is_empty());
        assert!(flagged(&spread(400, &[]), true).is_empty());
        let apart = spread(400, &[3.0; 40]);
        assert_eq!(flagged(&apart, false), (400..440).collect::<Vec<_>>());
        // Too few to be told from the largest of as many clean ones.
        assert!(flagged(&spread(400, &[3.0; 10]), false).is_empty());
        let low = spread(400, &[-3.0; 60]);
        assert!(flagged(&low, false).is_empty());
        assert_eq!(flagged(&low, true), (400..460).collect::<Vec<_>>());
    }

    #[test]
    fn trusted_images_tell_how_rare_a_number_is() {
        let detection = Detection {
            clean: Some((0..99).map(f64::from).collect()),
            ..Detection::new(Measure::low("m"), vec![-1.0, 98.0, 49.0])
        };
        assert_eq!(p_values(&detection, false), [0.01, 1.0, 0.51]);
        let norms = Detection {
            clean: Some(vec![0.0; 3]),
            ..Detection::new(Measure::high("m"), vec![0.0])
        };
        assert_eq!(p_values(&norms, true), [1.0]);
    }

    #[test]
    fn p_values_of_clean_images_are_even() {
        let p = p_values(&spread(1000, &[]), false);
        for level in [0.05, 0.2, 0.5] {
            let share = p.iter().filter(|&&value| value <= level).count() as f64 / 1000.0;
            assert!((share - level).abs() < 0.01, "{share} of {level}");
        }
    }

    #[test]
    fn several_detectors_have_one_value() {
        let joint = joint_p_values(&[vec![0.01, 0.9], vec![0.3, 0.8]]);
        assert_eq!(joint, [0.02, 1.0]);
        assert!(joint_p_values(&[]).is_empty() && discoveries(&[], 0.1).is_empty());
    }
}
