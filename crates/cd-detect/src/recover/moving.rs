//! Patches at varying places: what Cognitive Distillation keeps of flagged images, cut out and laid over each other.

use std::sync::Arc;

use cd_core::{CHANNELS, Pixels};

use super::agreement::shortest_half;
use super::trigger::{Form, RecoveredTrigger};
use crate::error::DetectError;

/// Sides of a cut-out in pixels, and as a share of the image's.
const LEAST: usize = 3;
const LARGEST: f64 = 0.5;
/// Spread of cut-outs that lie over each other, as a share of that of pixels anywhere, below which they agree.
const AGREEING: f32 = 0.3;
/// Fewest pixels that make a patch.
const FEWEST: usize = 4;
/// Cut-outs that are tried as the one which the others are laid over.
const TEMPLATES: usize = 6;
/// Cut-outs that are tried as they are, where they do not agree.
const SINGLE: usize = 4;
/// Offsets that are compared along a side.
const OFFSETS: usize = 24;

/// A cut-out: an image and the upper left corner of its part.
#[derive(Debug, Clone)]
struct Cut {
    image: Arc<[u8]>,
    place: [usize; 2],
}

/// The part of images that masks keep, square and of one size.
pub(super) struct Cuts {
    all: Vec<Cut>,
    side: usize,
    height: usize,
    width: usize,
}

impl Cuts {
    /// Of the images at `indices` with one mask each, `[H, W]` from 0 to 1.
    pub(super) fn of(
        images: Pixels<'_>,
        indices: &[usize],
        masks: &[Vec<f32>],
    ) -> Result<Self, DetectError> {
        let [height, width] = [images.height(), images.width()];
        let mut areas: Vec<f32> = masks.iter().map(|mask| mask.iter().sum()).collect();
        areas.sort_unstable_by(f32::total_cmp);
        let area = areas.get(areas.len() / 2).copied().unwrap_or(0.0);
        let most = (LARGEST * height.min(width) as f64) as usize;
        // A margin of a half, for a mask keeps no more of a patch than it must.
        let side = ((f64::from(area).sqrt() * 1.5).ceil() as usize).clamp(LEAST.min(most), most);
        let all = indices.iter().zip(masks).map(|(&index, mask)| {
            Ok(Cut {
                image: images.get(index)?,
                place: heaviest(mask, height, width, side),
            })
        });
        Ok(Self {
            all: all.collect::<Result<_, DetectError>>()?,
            side,
            height,
            width,
        })
    }

    /// The patch that most cut-outs share, or else the first of them as they are.
    pub(super) fn triggers(&self) -> Vec<RecoveredTrigger> {
        if self.side == 0 || self.all.is_empty() {
            return Vec::new();
        }
        let templates = self.all.iter().take(TEMPLATES);
        let shared = templates.filter_map(|template| self.shared(template));
        let best = shared.max_by_key(|(covered, _)| *covered);
        let mut found: Vec<_> = best.into_iter().map(|(_, form)| form).collect();
        let singles = self.all.iter().take(SINGLE);
        found.extend(singles.map(|cut| Form::Moving {
            pattern: self.part(cut, cut.place),
            mask: vec![1.0; self.side * self.side],
            sides: [self.side; 2],
        }));
        found
            .into_iter()
            .map(|form| RecoveredTrigger {
                height: self.height,
                width: self.width,
                form,
            })
            .collect()
    }

    fn part(&self, cut: &Cut, place: [usize; 2]) -> Vec<f32> {
        let rows = place[0]..place[0] + self.side;
        rows.flat_map(|row| {
            let start = (row * self.width + place[1]) * CHANNELS;
            cut.image[start..start + self.side * CHANNELS].iter()
        })
        .map(|&value| f32::from(value))
        .collect()
    }

    /// What the cut-outs have in common once each is moved to where it is most like `template`, with the number of its pixels.
    fn shared(&self, template: &Cut) -> Option<(usize, Form)> {
        let wanted = self.part(template, template.place);
        let aligned: Vec<Vec<f32>> = self
            .all
            .iter()
            .map(|cut| self.part(cut, self.likest(cut, &wanted)))
            .collect();
        let anywhere = self.anywhere();
        let mut pattern = vec![0.0; wanted.len()];
        let mut mask = vec![0.0; self.side * self.side];
        let mut values = Vec::new();
        for (pixel, share) in mask.iter_mut().enumerate() {
            let mut spread = 0.0;
            for at in pixel * CHANNELS..(pixel + 1) * CHANNELS {
                values.clear();
                values.extend(aligned.iter().map(|part| part[at] as u8));
                let (centre, length) = shortest_half(&mut values);
                pattern[at] = centre;
                spread += length;
            }
            *share = f32::from(u8::from(spread < AGREEING * anywhere));
        }
        let covered = mask.iter().filter(|share| **share > 0.0).count();
        let sides = [self.side; 2];
        (covered >= FEWEST).then_some((
            covered,
            Form::Moving {
                pattern,
                mask,
                sides,
            },
        ))
    }

    /// Spread of all pixels of all images, over the channels.
    fn anywhere(&self) -> f32 {
        (0..CHANNELS)
            .map(|channel| {
                let values = self.all.iter().flat_map(|cut| {
                    let own = cut.image.iter().skip(channel);
                    own.step_by(CHANNELS * 7).copied()
                });
                shortest_half(&mut values.collect::<Vec<u8>>()).1
            })
            .sum()
    }

    /// The place around that of `cut` at which its image is most like `wanted` in the half of the pixels that fit best.
    fn likest(&self, cut: &Cut, wanted: &[f32]) -> [usize; 2] {
        let reach = self.side;
        let around = |place: usize, side: usize| {
            let (low, high) = (
                place.saturating_sub(reach),
                (place + reach).min(side - self.side),
            );
            (low..=high).step_by((2 * reach).div_ceil(OFFSETS).max(1))
        };
        let rows = around(cut.place[0], self.height);
        let places =
            rows.flat_map(|row| around(cut.place[1], self.width).map(move |column| [row, column]));
        let distance = |place: &[usize; 2]| {
            let part = self.part(cut, *place);
            let differences = part.iter().zip(wanted).map(|(a, b)| (a - b).abs() as u8);
            let mut differences: Vec<u8> = differences.collect();
            let half = differences.len() / 2;
            differences.select_nth_unstable(half);
            differences[..half]
                .iter()
                .map(|&d| u64::from(d))
                .sum::<u64>()
        };
        places.min_by_key(distance).unwrap_or(cut.place)
    }
}

/// The upper left corner of the square of `side` pixels with the largest sum of `mask`.
fn heaviest(mask: &[f32], height: usize, width: usize, side: usize) -> [usize; 2] {
    let columns = width + 1;
    let mut sums = vec![0.0_f64; (height + 1) * columns];
    for row in 0..height {
        for column in 0..width {
            let own = f64::from(mask[row * width + column]);
            sums[(row + 1) * columns + column + 1] =
                own + sums[row * columns + column + 1] + sums[(row + 1) * columns + column]
                    - sums[row * columns + column];
        }
    }
    let inside = |[top, left]: [usize; 2]| {
        let at = |row: usize, column: usize| sums[row * columns + column];
        let (bottom, right) = (top + side, left + side);
        at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left)
    };
    let rows = 0..=height - side;
    let places = rows.flat_map(|top| (0..=width - side).map(move |left| [top, left]));
    places
        .max_by(|a, b| inside(*a).total_cmp(&inside(*b)))
        .unwrap_or([0, 0])
}

#[cfg(test)]
mod tests {
    use cd_core::{ImageSet, random};
    use rand::Rng;

    use super::*;

    #[test]
    fn the_heaviest_square_is_found() {
        let mut mask = vec![0.1; 30];
        mask[13] = 1.0;
        mask[20] = 1.0;
        assert_eq!(heaviest(&mask, 5, 6, 2), [2, 1]);
    }

    #[test]
    fn a_sticker_at_varying_places_is_cut_out_and_aligned() {
        let sticker = |row: usize, column: usize| {
            if (row + column).is_multiple_of(2) {
                255
            } else {
                0
            }
        };
        let mut set = ImageSet::new(20, 20, vec!["only".into()]);
        let mut masks = Vec::new();
        let mut draw = random::stream(4, 4);
        for number in 0..12 {
            let mut pixels: Vec<u8> = (0..1200).map(|_| draw.random_range(60..200)).collect();
            let mut mask = vec![0.02_f32; 400];
            let place = [draw.random_range(0..=16), draw.random_range(0..=16)];
            for row in 0..4 {
                for column in 0..4 {
                    let at = (place[0] + row) * 20 + place[1] + column;
                    pixels[at * 3..at * 3 + 3].fill(sticker(row, column));
                    mask[at] = 0.6;
                }
            }
            set.push(number.to_string(), &pixels, 0).expect("fits");
            masks.push(mask);
        }
        let indices: Vec<usize> = (0..12).collect();
        let cuts = Cuts::of((&set).into(), &indices, &masks).expect("in memory");
        let found = cuts.triggers();
        let Form::Moving { pattern, mask, .. } = &found[0].form else {
            panic!("a moving patch");
        };
        let covered: Vec<usize> = (0..mask.len()).filter(|&at| mask[at] > 0.0).collect();
        assert!((12..=20).contains(&covered.len()), "{}", covered.len());
        let strong = covered.iter().filter(|&&at| {
            let value = pattern[at * 3];
            !(5.0..=250.0).contains(&value)
        });
        assert!(strong.count() >= 12);
        assert_eq!(found.len(), 1 + SINGLE);
    }
}
