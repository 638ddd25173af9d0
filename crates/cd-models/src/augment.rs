//! Random changes of training images.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::images::{CHANNELS, ImageSet};

/// How training images are changed before each epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmentation {
    /// As they are, like the paper's grid.
    #[default]
    None,
    /// Shifted by up to an eighth of the side (black border) and mirrored half of the time.
    CropFlip,
    /// Shifted by up to an eighth of the side (black border), never mirrored: for signs and digits.
    Crop,
    /// Half of the time, a rectangle of 20 to 80 % of the sides is filled with one random colour
    /// (Zhong et al., *Random Erasing Data Augmentation*, AAAI 2020): the classifier learns to decide
    /// by whatever part is left.
    Erase,
}

impl Augmentation {
    /// The changed pixels of image `index`, `[H, W, 3]`; a function of the arguments only.
    pub(crate) fn apply(self, set: &ImageSet, index: usize, seed: u64, epoch: usize) -> Vec<u8> {
        let source = set.pixels(index);
        if self == Self::None {
            return source.to_vec();
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index as u64);
        random.set_word_pos(epoch as u128 * 16);
        if self == Self::Erase {
            return erased(source, set.height(), set.width(), &mut random);
        }
        let reach_y = (set.height() / 8) as i64;
        let reach_x = (set.width() / 8) as i64;
        let shift_y = random.random_range(-reach_y..=reach_y);
        let shift_x = random.random_range(-reach_x..=reach_x);
        let mirror = self == Self::CropFlip && random.random::<bool>();
        shifted(source, set.height(), set.width(), shift_y, shift_x, mirror)
    }
}

fn erased(source: &[u8], height: usize, width: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut target = source.to_vec();
    if random.random::<bool>() {
        return target;
    }
    let mut span = |side: usize| {
        let length = ((side as f32 * random.random_range(0.2..0.8)) as usize).max(1);
        let start = random.random_range(0..=side - length);
        start..start + length
    };
    let (rows, columns) = (span(height), span(width));
    let colour: [u8; CHANNELS] = random.random();
    for y in rows {
        for x in columns.clone() {
            let at = (y * width + x) * CHANNELS;
            target[at..at + CHANNELS].copy_from_slice(&colour);
        }
    }
    target
}

fn shifted(
    source: &[u8],
    height: usize,
    width: usize,
    shift_y: i64,
    shift_x: i64,
    mirror: bool,
) -> Vec<u8> {
    let mut target = vec![0; source.len()];
    for y in 0..height {
        for x in 0..width {
            let column = if mirror { width - 1 - x } else { x };
            let from_y = y as i64 + shift_y;
            let from_x = column as i64 + shift_x;
            let inside =
                (0..height as i64).contains(&from_y) && (0..width as i64).contains(&from_x);
            if inside {
                let from = (from_y as usize * width + from_x as usize) * CHANNELS;
                let to = (y * width + x) * CHANNELS;
                target[to..to + CHANNELS].copy_from_slice(&source[from..from + CHANNELS]);
            }
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_and_mirror_move_pixels_as_documented() {
        let source: Vec<u8> = (0..2 * 2 * 3).collect();
        let moved = shifted(&source, 2, 2, 0, 1, false);
        assert_eq!(moved, [3, 4, 5, 0, 0, 0, 9, 10, 11, 0, 0, 0]);
        let mirrored = shifted(&source, 2, 2, 0, 0, true);
        assert_eq!(mirrored, [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]);
    }

    #[test]
    fn erasing_fills_one_rectangle_with_one_colour_half_of_the_time() {
        let source: Vec<u8> = (0..8 * 8 * 3).map(|at| at as u8).collect();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut untouched = 0;
        for _ in 0..200 {
            let target = erased(&source, 8, 8, &mut random);
            let pixels = source.chunks(3).zip(target.chunks(3));
            let changed: Vec<&[u8]> = pixels.filter(|(a, b)| a != b).map(|(_, b)| b).collect();
            untouched += usize::from(changed.is_empty());
            assert!(changed.windows(2).all(|pair| pair[0] == pair[1]));
            assert!(changed.len() <= 6 * 6);
        }
        assert!((60..140).contains(&untouched), "{untouched} of 200");
    }

    #[test]
    fn depends_on_seed_epoch_and_index_only() {
        let mut set = ImageSet::new(16, 16, vec!["only".into()]);
        for i in 0..4_u8 {
            let pixels: Vec<u8> = (0..16 * 16 * 3)
                .map(|p| (p as u8).wrapping_mul(i + 1))
                .collect();
            set.push(format!("{i}"), &pixels, 0).expect("fits");
        }
        let change = |index, epoch| Augmentation::CropFlip.apply(&set, index, 7, epoch);
        assert_eq!(change(2, 5), change(2, 5));
        let differing = (0..8).filter(|&epoch| change(2, epoch) != change(2, epoch + 8));
        assert!(differing.count() > 0);
    }
}
