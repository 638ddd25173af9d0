//! A trigger that was recovered, and how it is put on an image.

use cd_core::{CHANNELS, random};
use rand::Rng;

/// A trigger as it was recovered from images that carry it.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveredTrigger {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) form: Form,
}

/// How a trigger changes an image; values are grey levels from 0 to 255, masks shares from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// Covers the image to the share of the mask.
    Laid {
        /// `[H, W, 3]`.
        pattern: Vec<f32>,
        /// `[H, W]`.
        mask: Vec<f32>,
    },
    /// Is added to the image.
    Added {
        /// `[H, W, 3]`.
        change: Vec<f32>,
    },
    /// Covers a part of the image that is another one in every image.
    Moving {
        /// `[h, w, 3]`.
        pattern: Vec<f32>,
        /// `[h, w]`.
        mask: Vec<f32>,
        /// `h` and `w`, at most those of the image.
        sides: [usize; 2],
    },
}

/// What stands for no change in the picture of a trigger that is added.
const GREY: f32 = 128.0;

impl RecoveredTrigger {
    /// How it was put on: `patch` for one that covers a part of the image, `blend` for one that changes all of it.
    pub fn kind(&self) -> &'static str {
        match &self.form {
            Form::Moving { .. } => "patch",
            Form::Laid { mask, .. } if mask.contains(&0.0) => "patch",
            Form::Laid { .. } | Form::Added { .. } => "blend",
        }
    }

    /// Whether it lies at another place in every image.
    pub fn moves(&self) -> bool {
        matches!(self.form, Form::Moving { .. })
    }

    /// The same trigger with a share of its strength, from 0 to 1.
    pub(super) fn weakened(&self, strength: f32) -> Self {
        let mut weaker = self.clone();
        let values = match &mut weaker.form {
            Form::Added { change } => change,
            Form::Laid { mask, .. } | Form::Moving { mask, .. } => mask,
        };
        for value in values {
            *value *= strength;
        }
        weaker
    }

    /// The image `pixels`, `[H, W, 3]`, with the trigger; `number` and `seed` choose the place of one that moves.
    ///
    /// # Panics
    ///
    /// When the image is not of the size of those that the trigger was recovered from.
    pub fn put(&self, pixels: &[u8], number: usize, seed: u64) -> Vec<u8> {
        assert_eq!(
            pixels.len(),
            self.height * self.width * CHANNELS,
            "the trigger is of other images"
        );
        let mut out = pixels.to_vec();
        match &self.form {
            Form::Added { change } => {
                for (value, change) in out.iter_mut().zip(change) {
                    *value = byte(f32::from(*value) + change);
                }
            }
            Form::Laid { pattern, mask } => {
                let sides = [self.height, self.width];
                lay(&mut out, self.width, pattern, mask, sides, [0, 0]);
            }
            Form::Moving {
                pattern,
                mask,
                sides,
            } => {
                let mut draw = random::stream(seed ^ random::named("place"), number as u64);
                let top = draw.random_range(0..=self.height - sides[0]);
                let left = draw.random_range(0..=self.width - sides[1]);
                lay(&mut out, self.width, pattern, mask, *sides, [top, left]);
            }
        }
        out
    }

    /// The picture of the trigger, `[H, W, 3]`: what is laid onto images, black elsewhere. One that is added is twice its change around
    /// middle grey; one that moves lies in the middle.
    pub fn pattern(&self) -> Vec<u8> {
        match &self.form {
            Form::Added { change } => change.iter().map(|c| byte(GREY + 2.0 * c)).collect(),
            Form::Laid { pattern, mask } => {
                let shown = pattern.chunks(CHANNELS).zip(mask);
                shown
                    .flat_map(|(pixel, &mask)| pixel.iter().map(move |v| (v, mask)))
                    .map(|(value, mask)| if mask > 0.0 { byte(*value) } else { 0 })
                    .collect()
            }
            Form::Moving { pattern, mask, .. } => {
                let mut out = vec![0; self.height * self.width * CHANNELS];
                self.middle(mask, |from, to| {
                    for channel in 0..CHANNELS {
                        out[to * CHANNELS + channel] = byte(pattern[from * CHANNELS + channel]);
                    }
                });
                out
            }
        }
    }

    /// Where and how strongly it changes an image, `[H, W]`, 0 (not) to 255 (covers it). Of one that is added, the size of its change,
    /// 255 at the largest.
    pub fn mask(&self) -> Vec<u8> {
        match &self.form {
            Form::Laid { mask, .. } => mask.iter().map(|share| byte(share * 255.0)).collect(),
            Form::Added { change } => {
                let sizes = change.chunks(CHANNELS);
                let sizes: Vec<f32> = sizes.map(|c| c.iter().map(|c| c.abs()).sum()).collect();
                let largest = sizes.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
                sizes.iter().map(|s| byte(s / largest * 255.0)).collect()
            }
            Form::Moving { mask, .. } => {
                let mut out = vec![0; self.height * self.width];
                self.middle(mask, |from, to| out[to] = byte(mask[from] * 255.0));
                out
            }
        }
    }

    /// Calls `set` with the position of each covered pixel of a moving part in the part, and in an image with it in the middle.
    fn middle(&self, mask: &[f32], mut set: impl FnMut(usize, usize)) {
        let Form::Moving { sides, .. } = &self.form else {
            return;
        };
        let [top, left] = [(self.height - sides[0]) / 2, (self.width - sides[1]) / 2];
        for (from, _) in mask.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let [row, column] = [from / sides[1], from % sides[1]];
            set(from, (top + row) * self.width + left + column);
        }
    }

    /// The smallest rectangle around what is covered, as top, left, height and width.
    pub(super) fn extent(&self) -> [usize; 4] {
        let mask = match &self.form {
            Form::Laid { mask, .. } => mask,
            Form::Added { .. } => return [0, 0, self.height, self.width],
            Form::Moving { sides, .. } => return [0, 0, sides[0], sides[1]],
        };
        let covered = mask.iter().enumerate().filter(|(_, share)| **share > 0.0);
        let places = covered.map(|(at, _)| [at / self.width, at % self.width]);
        let none = [usize::MAX, usize::MAX, 0, 0];
        let [top, left, bottom, right] = places.fold(none, |[top, left, bottom, right], [y, x]| {
            [top.min(y), left.min(x), bottom.max(y), right.max(x)]
        });
        if top > bottom {
            return [0, 0, self.height, self.width];
        }
        [top, left, bottom + 1 - top, right + 1 - left]
    }
}

/// Lays a part of `sides` with its upper left corner at `place` onto an image of `width`.
fn lay(
    out: &mut [u8],
    width: usize,
    pattern: &[f32],
    mask: &[f32],
    sides: [usize; 2],
    place: [usize; 2],
) {
    for (from, &share) in mask.iter().enumerate().filter(|(_, share)| **share > 0.0) {
        let [row, column] = [from / sides[1], from % sides[1]];
        let to = ((place[0] + row) * width + place[1] + column) * CHANNELS;
        for channel in 0..CHANNELS {
            let value = f32::from(out[to + channel]);
            out[to + channel] = byte(value + share * (pattern[from * CHANNELS + channel] - value));
        }
    }
}

pub(super) fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trigger(form: Form) -> RecoveredTrigger {
        RecoveredTrigger {
            height: 2,
            width: 2,
            form,
        }
    }

    #[test]
    fn a_patch_covers_its_pixels_and_no_other() {
        let patch = trigger(Form::Laid {
            pattern: vec![200.0; 12],
            mask: vec![0.0, 1.0, 0.0, 0.0],
        });
        let put = patch.put(&[10; 12], 0, 0);
        assert_eq!(put[3..6], [200; 3]);
        assert!(put[..3].iter().chain(&put[6..]).all(|&value| value == 10));
        assert_eq!((patch.kind(), patch.extent()), ("patch", [0, 1, 1, 1]));
        assert_eq!(patch.mask(), [0, 255, 0, 0]);
        assert_eq!(patch.pattern()[..6], [0, 0, 0, 200, 200, 200]);
    }

    #[test]
    fn a_blend_takes_its_share_and_an_addition_stops_at_white() {
        let blend = trigger(Form::Laid {
            pattern: vec![110.0; 12],
            mask: vec![0.2; 4],
        });
        assert_eq!(blend.put(&[10; 12], 0, 0), [30; 12]);
        let added = trigger(Form::Added {
            change: vec![30.0; 12],
        });
        assert_eq!(added.put(&[240; 12], 0, 0), [255; 12]);
        assert_eq!(blend.weakened(0.5).put(&[10; 12], 0, 0), [20; 12]);
        assert_eq!(added.weakened(0.5).put(&[200; 12], 0, 0), [215; 12]);
        assert_eq!((blend.kind(), added.kind()), ("blend", "blend"));
        assert_eq!(added.pattern(), [188; 12]);
    }

    #[test]
    fn a_moving_part_lies_at_places_of_seed_and_number() {
        let moving = trigger(Form::Moving {
            pattern: vec![255.0; 3],
            mask: vec![1.0],
            sides: [1, 1],
        });
        let put = |number| moving.put(&[0; 12], number, 3);
        assert_eq!(put(5), put(5));
        let mut places: Vec<_> = (0..40).map(put).collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 4);
        assert!(
            places
                .iter()
                .all(|p| p.iter().filter(|v| **v > 0).count() == 3)
        );
    }
}
