//! Triggers at a fixed place, from where flagged images agree and where their mean lies apart.

use cd_core::{CHANNELS, Pixels, StorageError};

use super::trigger::{Form, RecoveredTrigger};

/// Spread of the flagged images at a pixel, as a share of that of others, below which they agree there.
const AGREEING: f32 = 0.3;
/// Least spread of the others at a pixel, in grey levels over all channels, for an agreement to mean anything.
const VARIED: f32 = 48.0;
/// Least spread of a value, in grey levels, for the strength of a blend to be read off it.
const USABLE: f32 = 8.0;
/// Shares that the strength of a blend may have.
const STRENGTHS: std::ops::RangeInclusive<f32> = 0.03..=0.9;
/// A mean difference falls short by the flagged images that carry no trigger: it is also tried enlarged.
const GAINS: [f32; 3] = [1.0, 1.5, 2.0];

/// Mean and standard deviation of every value of an image over many images.
pub(super) struct Moments {
    count: usize,
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Moments {
    /// Of the images at `indices`, one after the other.
    pub(super) fn of(images: Pixels<'_>, indices: &[usize]) -> Result<Self, StorageError> {
        let mut sums = vec![[0_u64; 2]; images.image_len()];
        for &index in indices {
            for (sum, &value) in sums.iter_mut().zip(images.get(index)?.iter()) {
                let value = u64::from(value);
                *sum = [sum[0] + value, sum[1] + value * value];
            }
        }
        let count = indices.len().max(1) as f64;
        let mean = |sum: u64| sum as f64 / count;
        Ok(Self {
            count: indices.len(),
            mean: sums.iter().map(|sum| mean(sum[0]) as f32).collect(),
            deviation: sums
                .iter()
                .map(|sum| (mean(sum[1]) - mean(sum[0]).powi(2)).max(0.0).sqrt() as f32)
                .collect(),
        })
    }

    /// Mean distance of the means, in grey levels.
    pub(super) fn distance(&self, other: &Self) -> f64 {
        let away = self.mean.iter().zip(&other.mean);
        let sum: f64 = away.map(|(one, two)| f64::from((one - two).abs())).sum();
        sum / self.mean.len().max(1) as f64
    }

    /// Share of the values in which the mean lies more than `errors` of its standard errors from the other mean.
    pub(super) fn share_apart(&self, other: &Self, errors: f32) -> f64 {
        let root = (self.count.max(1) as f32).sqrt();
        let apart = self.mean.iter().zip(&other.mean).zip(&other.deviation);
        let apart = apart.filter(|((one, two), deviation)| {
            (*one - *two).abs() * root > errors * deviation.max(1.0)
        });
        apart.count() as f64 / self.mean.len().max(1) as f64
    }
}

/// A patch: the pixels at which the images `inside` agree with each other and the images `others` do not. `None` where there are
/// no such pixels, or they are most of the image.
pub(super) fn patch(
    images: Pixels<'_>,
    inside: &[usize],
    others: &[usize],
) -> Result<Option<RecoveredTrigger>, StorageError> {
    let read = |indices: &[usize]| -> Result<Vec<_>, StorageError> {
        indices.iter().map(|&index| images.get(index)).collect()
    };
    let (inside, others) = (read(inside)?, read(others)?);
    let pixels = images.height() * images.width();
    let mut pattern = vec![0.0; images.image_len()];
    let mut mask = vec![0.0; pixels];
    let mut values = Vec::new();
    for (pixel, share) in mask.iter_mut().enumerate() {
        let mut spreads = [0.0; 2];
        for at in pixel * CHANNELS..(pixel + 1) * CHANNELS {
            for (spread, stack) in spreads.iter_mut().zip([&others, &inside]) {
                values.clear();
                values.extend(stack.iter().map(|image| image[at]));
                let (centre, length) = shortest_half(&mut values);
                *spread += length;
                pattern[at] = centre;
            }
        }
        if spreads[0] >= VARIED && spreads[1] < AGREEING * spreads[0] {
            *share = 1.0;
        }
    }
    let covered = mask.iter().filter(|share| **share > 0.0).count();
    if covered == 0 || 2 * covered > pixels {
        return Ok(None);
    }
    Ok(Some(RecoveredTrigger {
        height: images.height(),
        width: images.width(),
        form: Form::Laid { pattern, mask },
    }))
}

/// Blends: with a trigger of strength `m`, values spread by `1 - m` of what they did, and their mean moves by `m` towards it. A trigger
/// that is added moves the mean alone.
pub(super) fn blends(
    images: Pixels<'_>,
    inside: &Moments,
    others: &Moments,
) -> Vec<RecoveredTrigger> {
    let trigger = |form| RecoveredTrigger {
        height: images.height(),
        width: images.width(),
        form,
    };
    let means = || inside.mean.iter().zip(&others.mean);
    let mut found = Vec::new();
    let strength = strength(inside, others);
    if STRENGTHS.contains(&strength) {
        found.push(trigger(Form::Laid {
            pattern: means()
                .map(|(inside, other)| (other + (inside - other) / strength).clamp(0.0, 255.0))
                .collect(),
            mask: vec![strength; images.height() * images.width()],
        }));
    }
    for gain in GAINS {
        let change = means().map(|(inside, other)| gain * (inside - other));
        found.push(trigger(Form::Added {
            change: change.collect(),
        }));
    }
    found
}

fn strength(inside: &Moments, others: &Moments) -> f32 {
    let pairs = inside.deviation.iter().zip(&others.deviation);
    let usable = pairs.filter(|(_, other)| **other >= USABLE);
    let mut ratios: Vec<f32> = usable.map(|(inside, other)| inside / other).collect();
    if ratios.is_empty() {
        return 0.0;
    }
    let middle = ratios.len() / 2;
    1.0 - *ratios.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// Middle and length of the shortest interval that holds more than half of `values`: what most of them say, whatever the others do.
pub(super) fn shortest_half(values: &mut [u8]) -> (f32, f32) {
    values.sort_unstable();
    let reach = values.len() / 2;
    let intervals = (0..values.len() - reach).map(|low| (values[low], values[low + reach]));
    let shortest = intervals.min_by_key(|(low, high)| high - low);
    let (low, high) = shortest.unwrap_or((0, u8::MAX));
    (
        f32::midpoint(f32::from(low), f32::from(high)),
        f32::from(high - low),
    )
}

#[cfg(test)]
mod tests {
    use cd_core::ImageSet;
    use cd_core::random;
    use rand::Rng;

    use super::*;

    /// Noise of 6 x 6 pixels, every one changed by `change`, which gets the position of the value.
    fn noise(count: usize, change: impl Fn(usize, f32) -> f32) -> ImageSet {
        let mut set = ImageSet::new(6, 6, vec!["only".into()]);
        let mut draw = random::stream(1, 2);
        for number in 0..count {
            let values = (0..108).map(|at| {
                let value: f32 = draw.random_range(40.0..216.0);
                change(at, value).round() as u8
            });
            let pixels: Vec<u8> = values.collect();
            set.push(number.to_string(), &pixels, 0).expect("fits");
        }
        set
    }

    #[test]
    fn most_of_the_values_decide() {
        assert_eq!(shortest_half(&mut [9, 200, 7, 8, 100]), (8.0, 2.0));
        assert_eq!(shortest_half(&mut [5]), (5.0, 0.0));
    }

    #[test]
    fn a_patch_is_found_at_its_pixels_although_some_images_lack_it() {
        let corner = |at: usize| at / 3 % 6 >= 4 && at / 18 >= 4;
        let mut set = noise(60, |at, value| if corner(at) { 250.0 } else { value });
        let clean = noise(40, |_, value| value);
        for index in 0..40 {
            let pixels = clean.pixels(index).expect("in memory");
            set.push(format!("clean{index}"), &pixels, 0).expect("fits");
        }
        // 20 of 60 flagged images carry no patch.
        let inside: Vec<usize> = (20..80).collect();
        let others: Vec<usize> = (80..100).collect();
        let found = patch((&set).into(), &inside, &others).expect("in memory");
        let found = found.expect("a patch");
        let expected: Vec<u8> = (0..36)
            .map(|pixel| if corner(pixel * 3) { 255 } else { 0 })
            .collect();
        assert_eq!(found.mask(), expected);
        assert_eq!(found.pattern()[107], 250);
        let none = patch((&set).into(), &others, &inside).expect("in memory");
        assert!(none.is_none());
    }

    #[test]
    fn a_blend_shows_its_strength_and_its_picture() {
        let picture = |at: usize| if at.is_multiple_of(2) { 230.0 } else { 20.0 };
        let carrying = noise(400, |at, value| 0.75 * value + 0.25 * picture(at));
        let clean = noise(400, |_, value| value);
        let indices: Vec<usize> = (0..400).collect();
        let moments = |set: &ImageSet| Moments::of(set.into(), &indices).expect("in memory");
        let found = blends((&clean).into(), &moments(&carrying), &moments(&clean));
        assert_eq!(found.len(), 1 + GAINS.len());
        let Form::Laid { pattern, mask } = &found[0].form else {
            panic!("the blend comes first");
        };
        assert!((mask[0] - 0.25).abs() < 0.02, "{}", mask[0]);
        let off = pattern.iter().enumerate();
        let off = off.map(|(at, value)| (value - picture(at)).abs());
        assert!(off.fold(0.0, f32::max) < 30.0);
    }
}
