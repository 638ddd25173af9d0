//! When a count is evidence.

/// Chance of a count by accident from which it is evidence.
const ACCIDENT: f64 = 1e-4;
/// The same for the place of trusted images, of which there are few.
const TRUSTED_ACCIDENT: f64 = 0.01;
/// Doubted labels of a class, at least, before their share says something.
const FEWEST_DOUBTED: usize = 10;
/// How many times the share of any other class it has to be.
const TIMES: f64 = 2.0;
/// The 97.5 % point of the normal distribution.
const TWO_SIDED_95: f64 = 1.959_963_984_540_054;

/// Images and flags of a witness, inside and outside of a suspicious group: `[images, flagged]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) inside: [usize; 2],
    pub(super) outside: [usize; 2],
}

/// Whether a witness flags at least half of a group, and far more often than the rest of the class.
pub(super) fn confirms(counted: &Counted) -> bool {
    let [images, flagged] = counted.inside;
    let usual = smoothed(counted.outside);
    2 * flagged >= images && images > 0 && at_least(flagged, images, usual) < ACCIDENT
}

/// Whether trusted images stay out of a group that has this share of the class.
pub(crate) fn is_separate(count: usize, inside: usize, share: f64) -> bool {
    at_most(inside, count, share) < TRUSTED_ACCIDENT
}

/// Whether the labels of a class are doubted far more often than those of any other: `[images, doubted]` each.
pub(super) fn contradicts_class([images, doubted]: [usize; 2], others: &[[usize; 2]]) -> bool {
    let usual = largest_share(others);
    let share = doubted as f64 / images.max(1) as f64;
    doubted >= FEWEST_DOUBTED
        && !others.is_empty()
        && share >= TIMES * usual
        && at_least(doubted, images, usual) < ACCIDENT
}

/// The largest share among `[images, flagged]` of several classes, a little above what was counted.
pub(super) fn largest_share(counts: &[[usize; 2]]) -> f64 {
    counts
        .iter()
        .map(|&count| smoothed(count))
        .fold(0.0, f64::max)
}
/// Between how many and how many of `images` belong to what `count` of them were counted for, at 95 %: Wilson's interval.
pub(super) fn interval(count: usize, images: usize) -> [usize; 2] {
    if images == 0 {
        return [0, 0];
    }
    let (total, z) = (images as f64, TWO_SIDED_95);
    let share = count as f64 / total;
    let middle = share + z * z / (2.0 * total);
    let reach = z * (share * (1.0 - share) / total + z * z / (4.0 * total * total)).sqrt();
    let scale = total / (1.0 + z * z / total);
    let low = ((middle - reach) * scale).floor().max(0.0) as usize;
    let high = ((middle + reach) * scale).ceil().min(total) as usize;
    [low.min(count), high.max(count)]
}

fn smoothed([images, flagged]: [usize; 2]) -> f64 {
    (flagged + 1) as f64 / (images + 2) as f64
}

/// The chance of `count` or more of `images` where each has the chance `share`.
fn at_least(count: usize, images: usize, share: f64) -> f64 {
    (count..=images)
        .map(|count| chance(count, images, share))
        .sum::<f64>()
        .min(1.0)
}

/// The chance of `count` or fewer.
fn at_most(count: usize, images: usize, share: f64) -> f64 {
    (0..=count)
        .map(|count| chance(count, images, share))
        .sum::<f64>()
        .min(1.0)
}

/// The chance of exactly `count`.
fn chance(count: usize, images: usize, share: f64) -> f64 {
    let share = share.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON);
    let ways: f64 = (0..count)
        .map(|at| ((images - at) as f64 / (count - at) as f64).ln())
        .sum();
    let rest = (images - count) as f64;
    (ways + count as f64 * share.ln() + rest * (1.0 - share).ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_those_of_coins() {
        assert!((at_least(4, 4, 0.5) - 1.0 / 16.0).abs() < 1e-12);
        assert!((at_most(1, 4, 0.5) - 5.0 / 16.0).abs() < 1e-12);
        assert!((at_least(0, 9, 0.3) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_hold_the_count_and_stay_in_the_class() {
        // Wilson's interval of 10 of 100: 5.5 to 17.4 %.
        assert_eq!(interval(10, 100), [5, 18]);
        assert_eq!(interval(0, 0), [0, 0]);
        assert_eq!(interval(0, 30), [0, 4]);
        assert_eq!(interval(30, 30), [26, 30]);
    }

    #[test]
    fn trusted_images_speak_once_they_are_enough() {
        assert!(is_separate(20, 0, 0.3) && !is_separate(8, 0, 0.1) && !is_separate(20, 6, 0.3));
    }

    #[test]
    fn a_class_stands_out_beyond_every_other() {
        let others = [[100, 5], [100, 12], [100, 3]];
        assert!(contradicts_class([100, 40], &others));
        assert!(!contradicts_class([100, 20], &others));
        assert!(!contradicts_class([12, 9], &others) && !contradicts_class([100, 40], &[]));
    }
}
