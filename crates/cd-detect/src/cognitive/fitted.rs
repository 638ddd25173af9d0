//! A weight of the norm that fits the pictures and the classifier.
//!
//! The distance is a mean and the norm a sum over pixels, so the published weights suit images of 32 pixels and logits of a certain
//! scale: at 224 pixels the same weight presses 49 times as hard.

use cd_core::{Pixels, random};
use cd_models::Classifier;
use rand::seq::index;

use super::CognitiveDistillation;
use crate::compute::{Compute, Shard};
use crate::error::DetectError;
use crate::statistics::median;
use crate::sweep::{Batch, Column, Kind, Sweep};

/// Images of the sample at most, and at least where there are so many.
const SAMPLE: [usize; 2] = [16, 32];
/// Of so many images one is in the sample.
const ONE_IN: usize = 50;
/// Weights that are tried at most.
const TRIES: usize = 12;
/// The share is met when it is within a factor of `1 + CLOSE`.
const CLOSE: f64 = 0.1;
/// Pixels of the images that the published weights are for.
const PUBLISHED: f64 = 32.0 * 32.0;
/// Up to so many pixels a side the published settings stand.
const LARGEST_SIDE: usize = 64;
/// Cells along a side of the mask of larger images: those of the presets at 32 pixels.
const CELLS: f64 = 30.0;
/// Share that the median image keeps where nobody says one: about what the published weight gives at 32 pixels.
const USUAL: f64 = 0.25;
/// As long as all tries lie on one side, the weight changes by a factor between these.
const STRIDE: [f64; 2] = [3.0, 20.0];

impl CognitiveDistillation {
    /// The same for images of `height` x `width` pixels. Where a side has more than 64, `alpha` weighs the norm, a sum over pixels, as it
    /// does at 32 x 32, and the mask is searched on some 30 cells a side: on single pixels it stays dust after so few steps.
    #[must_use]
    pub fn scaled_to(self, height: usize, width: usize) -> Self {
        let Some(scale) = mask_scale_for(height, width) else {
            return self;
        };
        let alpha = self.alpha() * PUBLISHED / (height * width) as f64;
        self.with_alpha(alpha).with_mask_scale(scale)
    }

    /// The method with the weight of the norm with which the median image keeps the share of its pixels that `median_mask` asks
    /// for: found by searches of a sample of `images`, at most twelve times 32. Unchanged where `median_mask` is 0.
    ///
    /// The sample is a function of the seed and the number of images.
    ///
    /// # Errors
    ///
    /// As [`distill`](Self::distill), and when images cannot be read.
    pub fn fitted(
        &self,
        model: &dyn Classifier,
        images: Pixels<'_>,
        compute: &Compute<'_>,
    ) -> Result<Self, DetectError> {
        self.check()?;
        let wanted = self.settings.median_mask;
        if wanted == 0.0 || images.is_empty() {
            return Ok(self.clone());
        }
        let pixels = (images.height() * images.width()) as f64;
        let sample = self.sample(images.len());
        let mut tried: Vec<[f64; 2]> = Vec::new();
        let mut next = (self.settings.alpha.max(f64::MIN_POSITIVE) * PUBLISHED / pixels).ln();
        while tried.len() < TRIES {
            let method = self.clone().with_alpha(next.exp());
            let share = method.median_share(model, images, &sample, compute)?;
            tried.push([next, share.ln()]);
            if off(share.ln(), wanted) <= CLOSE.ln_1p() {
                break;
            }
            next = closer(&tried, wanted.ln());
        }
        let best = tried
            .iter()
            .min_by(|a, b| off(a[1], wanted).total_cmp(&off(b[1], wanted)));
        let [weight, _] = best.expect("at least one is tried");
        Ok(self.clone().with_alpha(weight.exp()))
    }

    fn sample(&self, count: usize) -> Vec<usize> {
        let [least, most] = SAMPLE;
        let size = (count / ONE_IN).clamp(least, most).min(count);
        let mut drawn = random::stream(self.settings.seed, random::named("sample for the weight"));
        let mut sample = index::sample(&mut drawn, count, size).into_vec();
        sample.sort_unstable();
        sample
    }

    /// The share of its pixels that the median image of the sample keeps.
    fn median_share(
        &self,
        model: &dyn Classifier,
        images: Pixels<'_>,
        sample: &[usize],
        compute: &Compute<'_>,
    ) -> Result<f64, DetectError> {
        let selected = images.select(sample);
        let sweep = Sweep {
            name: "weighed",
            task: "choosing alpha",
            settings: "",
            images: selected.pixels(),
            columns: &[("norms", Kind::Numbers)],
        };
        let here = Compute {
            shard: Shard::WHOLE,
            store: None,
            ..*compute
        };
        let swept = sweep.run(&here, |Batch { numbers, images }| {
            let numbers: Vec<u64> = numbers
                .iter()
                .map(|&number| sample[number as usize] as u64)
                .collect();
            let done = self.distill(model, images, &numbers)?;
            Ok(vec![Column::Numbers(done.norms)])
        })?;
        let norms = swept.expect("the whole shard").numbers("norms");
        let values = self.mask_channels() * images.height() * images.width();
        Ok(median(norms) / values as f64)
    }
}

/// `mask_scale` and `median_mask` for images of that size where nobody says them; `None` where the published settings suit.
pub fn search_of_large(height: usize, width: usize) -> Option<[f64; 2]> {
    mask_scale_for(height, width).map(|scale| [scale, USUAL])
}

fn mask_scale_for(height: usize, width: usize) -> Option<f64> {
    let side = height.max(width);
    (side > LARGEST_SIDE).then(|| CELLS / side as f64)
}

/// How far the logarithm of a share is from that of the wanted one.
fn off(share: f64, wanted: f64) -> f64 {
    (share - wanted.ln()).abs()
}

/// Where to look next, in logarithms: on the line through the two nearest tries on both sides, or a step in the right direction. A
/// larger weight keeps less.
fn closer(tried: &[[f64; 2]], wanted: f64) -> f64 {
    let below = tried.iter().filter(|[_, share]| *share > wanted);
    let above = tried.iter().filter(|[_, share]| *share <= wanted);
    let below = below.max_by(|a, b| a[0].total_cmp(&b[0]));
    let above = above.min_by(|a, b| a[0].total_cmp(&b[0]));
    match (below, above) {
        (Some(&[low, more]), Some(&[high, less])) => {
            // Not at either end, so that the interval shrinks from both sides.
            let part = ((more - wanted) / (more - less)).clamp(0.2, 0.8);
            low + part * (high - low)
        }
        (Some(&[low, more]), None) => low + stride(more - wanted),
        (None, Some(&[high, less])) => high - stride(wanted - less),
        (None, None) => wanted,
    }
}

/// A step of the logarithm of the weight for one of the share.
fn stride(share: f64) -> f64 {
    let [least, most] = STRIDE.map(f64::ln);
    (2.0 * share).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_images_press_as_hard_as_small_ones() {
        let published = CognitiveDistillation::logits();
        assert_eq!(published.clone().scaled_to(64, 32), published);
        let large = published.clone().scaled_to(224, 224);
        assert!((large.alpha() * 49.0 - published.alpha()).abs() < 1e-12);
        assert!((large.settings.mask_scale * 224.0 - 30.0).abs() < 1e-9);
        assert_eq!(search_of_large(32, 32), None);
    }

    /// Where the search ends for a share that falls with the weight as `share` says.
    fn found(share: impl Fn(f64) -> f64, wanted: f64) -> (f64, usize) {
        let mut tried: Vec<[f64; 2]> = vec![[0.0, share(1.0).ln()]];
        while tried.len() < TRIES && off(tried[tried.len() - 1][1], wanted) > CLOSE.ln_1p() {
            let next = closer(&tried, wanted.ln());
            tried.push([next, share(next.exp()).ln()]);
        }
        (tried[tried.len() - 1][1].exp(), tried.len())
    }

    #[test]
    fn a_share_is_met_however_it_falls_with_the_weight() {
        let falls: [fn(f64) -> f64; 3] = [
            |weight| 0.88 / (1.0 + weight),
            |weight| 0.88 / (1.0 + (weight * 3e-4).powi(2)),
            |weight| 0.88 * (-5e3 * weight).exp() + 1e-4,
        ];
        for share in falls {
            for wanted in [0.05, 0.3, 0.7] {
                let (met, tries) = found(share, wanted);
                let factor = (met / wanted).max(wanted / met);
                assert!(
                    factor <= 1.1001 && tries <= TRIES,
                    "{met} for {wanted}, {tries} tries"
                );
            }
        }
    }
}
