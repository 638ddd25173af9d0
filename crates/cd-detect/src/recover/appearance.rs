//! What flagged images share, by the pictures alone: no classifier is asked, so nothing is proven.

use cd_core::Pixels;

use super::agreement::{Moments, blends};
use super::candidates::{FEWEST_COMPARED, drawn_moments, drawn_patch};
use super::{FEWEST_FLAGGED, RecoveredTrigger, Sides, Suspects};
use crate::error::DetectError;

/// A mean differs from another one where it lies so many standard errors from it.
const SIGNIFICANT: f32 = 5.0;
/// Share of an image's values in which the means differ at least.
const LEAST: f64 = 0.01;

/// The pixels at which the flagged images of a class agree, or how their mean differs from that of others. `None` where they share nothing
/// at one place, or are too few.
///
/// `labels` holds the class of each of `images`; `seed` chooses images where there are very many.
///
/// # Errors
///
/// When images cannot be read.
pub fn appearance(
    images: Pixels<'_>,
    labels: &[u32],
    suspects: &Suspects<'_>,
    seed: u64,
) -> Result<Option<RecoveredTrigger>, DetectError> {
    let sides = Sides::of(labels, suspects);
    let Sides { inside, others, .. } = &sides;
    if inside.len() < FEWEST_FLAGGED || others.len() < FEWEST_COMPARED {
        return Ok(None);
    }
    if let Some(found) = drawn_patch(images, inside, others, seed)? {
        return Ok(Some(found));
    }
    let (mean, compared) = drawn_moments(images, inside, &sides, seed)?;
    // Beside the images that they were made from, the flagged ones differ by the trigger alone; beside the others the classes differ, too, and
    // by more.
    let nearest = compared
        .iter()
        .min_by(|one, other| mean.distance(one).total_cmp(&mean.distance(other)));
    let apart = |usual: &&Moments| mean.share_apart(usual, SIGNIFICANT) >= LEAST;
    let usual = nearest.filter(apart);
    Ok(usual.and_then(|usual| blends(images, &mean, usual).into_iter().next()))
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;
    use cd_core::{CHANNELS, ImageSet};
    use rand::Rng;

    use super::*;

    const SIDE: usize = 16;

    /// Noise in two classes; the first twenty images of class 0 are changed.
    fn set(change: impl Fn(usize, usize, f32) -> f32) -> (ImageSet, Vec<usize>) {
        let mut set = ImageSet::new(SIDE, SIDE, vec!["a".into(), "b".into()]);
        let mut random = stream(3, 1);
        for image in 0..120_usize {
            let pixels: Vec<u8> = (0..SIDE * SIDE * CHANNELS)
                .map(|at| {
                    let value: f32 = random.random_range(30.0..220.0);
                    let value = if image < 20 {
                        change(image, at, value)
                    } else {
                        value
                    };
                    value.round() as u8
                })
                .collect();
            set.push(image.to_string(), &pixels, u32::from(image >= 60))
                .expect("fits");
        }
        (set, (0..20).collect())
    }

    fn shown(set: &ImageSet, flagged: &[usize]) -> Option<RecoveredTrigger> {
        let suspects = Suspects {
            class: 0,
            flagged,
            masks: None,
        };
        appearance(set.into(), set.labels(), &suspects, 0).expect("in memory")
    }

    fn is_corner(at: usize) -> bool {
        at / CHANNELS % SIDE < 4 && at / CHANNELS / SIDE < 4
    }

    #[test]
    fn a_patch_is_shown_where_it_lies_and_a_blend_all_over() {
        let (patched, flagged) = set(|_, at, value| if is_corner(at) { 250.0 } else { value });
        let found = shown(&patched, &flagged).expect("a patch");
        assert_eq!(found.kind(), "patch");
        let mask = found.mask();
        assert!((0..SIDE * SIDE).all(|pixel| (mask[pixel] > 0) == is_corner(pixel * CHANNELS)));
        let (blended, flagged) = set(|_, at, value| {
            let pattern = if at / 6 % 2 == 0 { 240.0 } else { 10.0 };
            0.6 * value + 0.4 * pattern
        });
        let found = shown(&blended, &flagged).expect("a blend");
        assert_eq!(found.kind(), "blend");
        let pattern = found.pattern();
        let right = (0..pattern.len()).filter(|at| (pattern[*at] > 128) == (at / 6 % 2 == 0));
        assert!(right.count() > pattern.len() * 9 / 10);
    }

    #[test]
    fn images_that_share_nothing_at_one_place_show_nothing() {
        let (plain, flagged) = set(|_, _, value| value);
        assert!(shown(&plain, &flagged).is_none());
        assert!(shown(&plain, &flagged[..3]).is_none());
        let (moving, flagged) = set(|image, at, value| {
            let [x, y] = [at / CHANNELS % SIDE, at / CHANNELS / SIDE];
            let [left, top] = [image * 5 % 14, image * 3 % 14];
            let is_inside = (left..left + 2).contains(&x) && (top..top + 2).contains(&y);
            if is_inside { 250.0 } else { value }
        });
        assert!(shown(&moving, &flagged).is_none());
    }
}
