//! Confidence intervals by resampling images.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A measured value with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The metric over all images.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Share of the resamples between the ends, for example 0.95.
    pub level: f64,
}

/// Why an interval could not be computed.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BootstrapError {
    /// No resamples were asked for.
    #[error("a bootstrap needs at least one resample, but `resamples` is 0")]
    NoResamples,
    /// The confidence level is not strictly between 0 and 1.
    #[error("the confidence level must lie between 0 and 1, for example 0.95, but it is {0}")]
    Level(f64),
    /// The metric has no value over all images.
    #[error("the metric is not defined for these {images} images, so it has no interval")]
    Undefined {
        /// Number of images.
        images: usize,
    },
    /// The metric has no value for most resamples, so percentiles of the rest would mislead.
    #[error(
        "the metric is defined for only {defined} of {resamples} resamples: too few for an interval"
    )]
    MostlyUndefined {
        /// Resamples with a value.
        defined: usize,
        /// Resamples drawn.
        resamples: usize,
    },
}

/// Percentile bootstrap over images, stratified by ground truth.
///
/// Each resample draws with replacement as many poisoned images as there are, and as many clean
/// ones, so both kinds are always present. Resample `i` uses random stream `i` of the seed: the
/// interval is the same whatever the number of threads.
///
/// ```
/// use cd_eval::bootstrap::Bootstrap;
/// use cd_eval::metrics::Ranking;
///
/// let truth = [true, true, true, false, false, false];
/// let ranking = Ranking::new(&truth, &[0.9, 0.8, 0.3, 0.4, 0.2, 0.1])?;
/// let auroc = Bootstrap::default().interval(&truth, |images| ranking.roc_auc_of(images))?;
/// assert!((auroc.estimate - 8.0 / 9.0).abs() < 1e-12);
/// assert!(auroc.low < auroc.estimate && auroc.estimate <= auroc.high);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bootstrap {
    /// Number of resamples, at least 1.
    pub resamples: usize,
    /// Confidence level, strictly between 0 and 1.
    pub level: f64,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 resamples, 95 %, seed 0.
    fn default() -> Self {
        Self {
            resamples: 1000,
            level: 0.95,
            seed: 0,
        }
    }
}

impl Bootstrap {
    /// Whether the settings are in their ranges.
    ///
    /// # Errors
    ///
    /// Names the setting that is not.
    pub fn check(&self) -> Result<(), BootstrapError> {
        if self.resamples == 0 {
            return Err(BootstrapError::NoResamples);
        }
        if !(self.level > 0.0 && self.level < 1.0) {
            return Err(BootstrapError::Level(self.level));
        }
        Ok(())
    }

    /// The metric over all images and its percentile interval.
    ///
    /// `metric` receives image indices, repeats included, and answers `None` (or a value that is
    /// not finite) where it is not defined; such resamples are left out as long as they are at most
    /// half. When all images are of one kind, `truth` holds one value throughout and the
    /// resampling is the plain bootstrap.
    ///
    /// # Errors
    /// [`BootstrapError`].
    pub fn interval(
        &self,
        truth: &[bool],
        metric: impl Fn(&[usize]) -> Option<f64> + Sync,
    ) -> Result<Interval, BootstrapError> {
        self.check()?;
        let finite = |images: &[usize]| metric(images).filter(|value| value.is_finite());

        let images = truth.len();
        let everything: Vec<usize> = (0..images).collect();
        let estimate = finite(&everything).ok_or(BootstrapError::Undefined { images })?;

        let (poisoned, clean): (Vec<usize>, Vec<usize>) =
            everything.iter().partition(|&&image| truth[image]);
        let mut values: Vec<f64> = (0..self.resamples)
            .into_par_iter()
            .filter_map(|resample| finite(&self.draw(resample, [&poisoned, &clean])))
            .collect();
        if values.len() * 2 < self.resamples {
            return Err(BootstrapError::MostlyUndefined {
                defined: values.len(),
                resamples: self.resamples,
            });
        }
        values.sort_by(f64::total_cmp);
        let tail = (1.0 - self.level) / 2.0;
        Ok(Interval {
            estimate,
            low: quantile(&values, tail),
            high: quantile(&values, 1.0 - tail),
            level: self.level,
        })
    }

    fn draw(&self, resample: usize, strata: [&[usize]; 2]) -> Vec<usize> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(resample as u64);
        let mut drawn = Vec::with_capacity(strata.iter().map(|stratum| stratum.len()).sum());
        for stratum in strata {
            for _ in stratum {
                drawn.push(stratum[random.random_range(0..stratum.len())]);
            }
        }
        drawn
    }
}

/// Quantile of sorted values at `share` in 0..=1, linear between neighbours. Needs one value.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let weight = position - below as f64;
    sorted[below] + weight * (sorted[above] - sorted[below])
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the same seed must give the same bits")]
mod tests {
    use super::*;
    use crate::metrics::Ranking;

    fn truth() -> Vec<bool> {
        (0..200).map(|image| image % 10 == 0).collect()
    }

    fn scores() -> Vec<f64> {
        (0..200)
            .map(|image| {
                f64::from(image * 37 % 101) / 101.0 + f64::from(u8::from(image % 10 == 0)) * 0.4
            })
            .collect()
    }

    fn with_threads(threads: usize) -> Interval {
        let ranking = Ranking::new(&truth(), &scores()).expect("valid");
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads start")
            .install(|| {
                Bootstrap::default().interval(&truth(), |images| ranking.roc_auc_of(images))
            })
            .expect("both kinds")
    }

    #[test]
    fn the_thread_count_does_not_matter() {
        assert_eq!(with_threads(1), with_threads(3));
    }

    #[test]
    fn the_interval_surrounds_the_estimate_and_the_seed_moves_it() {
        let ranking = Ranking::new(&truth(), &scores()).expect("valid");
        let first = with_threads(1);
        assert!(first.low < first.estimate && first.estimate < first.high);
        let other_seed = Bootstrap {
            seed: 1,
            ..Bootstrap::default()
        };
        let second = other_seed
            .interval(&truth(), |images| ranking.roc_auc_of(images))
            .expect("both kinds");
        assert_eq!(first.estimate, second.estimate);
        assert_ne!((first.low, first.high), (second.low, second.high));
        assert!((first.low - second.low).abs() < 0.02);
    }

    #[test]
    fn every_resample_keeps_both_kinds() {
        let truth = truth();
        let poisoned = truth.iter().filter(|&&poisoned| poisoned).count();
        let interval = Bootstrap::default()
            .interval(&truth, |images| {
                Some(images.iter().filter(|&&image| truth[image]).count() as f64)
            })
            .expect("defined");
        assert_eq!(interval.low, poisoned as f64);
        assert_eq!(interval.high, poisoned as f64);
    }

    #[test]
    fn the_width_matches_the_theory_of_a_mean() {
        let interval = Bootstrap::default()
            .interval(&[true; 400], |images| {
                let hits = images.iter().filter(|&&image| image % 4 == 0).count();
                Some(hits as f64 / images.len() as f64)
            })
            .expect("defined");
        let standard_error = (0.25_f64 * 0.75 / 400.0).sqrt();
        let expected = 2.0 * 1.96 * standard_error;
        assert!((interval.high - interval.low - expected).abs() < 0.15 * expected);
    }

    #[test]
    fn impossible_requests_are_errors() {
        let none = Bootstrap {
            resamples: 0,
            ..Bootstrap::default()
        };
        assert_eq!(
            none.interval(&[true], |_| Some(1.0)),
            Err(BootstrapError::NoResamples)
        );
        for level in [0.0, 1.0, 95.0] {
            let bootstrap = Bootstrap {
                level,
                ..Bootstrap::default()
            };
            assert_eq!(
                bootstrap.interval(&[true], |_| Some(1.0)),
                Err(BootstrapError::Level(level))
            );
        }
        let undefined = Bootstrap::default().interval(&[true, false], |_| None);
        assert_eq!(undefined, Err(BootstrapError::Undefined { images: 2 }));
        let nan = Bootstrap::default().interval(&[true, false], |_| Some(f64::NAN));
        assert_eq!(nan, Err(BootstrapError::Undefined { images: 2 }));
        let rarely = Bootstrap::default().interval(&truth(), |images| {
            (images.is_sorted_by(|a, b| a < b)).then_some(1.0)
        });
        assert!(matches!(
            rarely,
            Err(BootstrapError::MostlyUndefined { defined: 0, .. })
        ));
    }

    #[test]
    fn quantiles_interpolate() {
        let values = [1.0, 2.0, 4.0];
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 0.25), 1.5);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.3), 7.0);
    }
}
