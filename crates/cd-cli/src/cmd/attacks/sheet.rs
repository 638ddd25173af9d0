//! What an attack does to some pictures: clean ones, the same with the trigger, and ten times the difference.

use anyhow::{Context, Result};
use cd_data::poison::{CraftTools, craft_split, stamp};
use cd_data::{AttackConfig, PoisonConfig, Role, Split};
use cd_eval::picture::Picture;
use cd_models::ImageSet;

use super::super::Session;

/// Pictures on a sheet.
const COLUMNS: usize = 6;
/// White pixels between pictures.
const GAP: usize = 2;
/// Enlargement of the difference.
const GAIN: i32 = 10;
/// Images that a network sees at once.
const BATCH_SIZE: usize = 64;

/// Clean pictures, the same with the trigger, and ten times the difference on grey.
pub(crate) struct Sheet {
    side: [usize; 2],
    /// Three rows of pictures, `[height, width, 3]` each.
    rows: [Vec<Vec<u8>>; 3],
}

impl Sheet {
    /// The first training pictures of `split` with the trigger in its form for training.
    pub(crate) fn of(attack: &AttackConfig, split: &Split, session: &Session) -> Result<Self> {
        let set = &split.train;
        let config = PoisonConfig::of(attack.clone());
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let tools = CraftTools {
            device: &session.device,
            batch_size: BATCH_SIZE,
            folder: folder.path(),
            progress: &session.bars,
        };
        let trigger = craft_split(split, &config, &tools)?;
        let shown: Vec<usize> = (0..set.len().min(COLUMNS)).collect();
        let clean = set.subset(&shown);
        let stamped = stamp(
            &clean,
            &shown,
            Role::Train,
            &config,
            trigger.as_ref(),
            &session.bars,
        )?;
        let pixels = |set: &ImageSet| -> Result<Vec<Vec<u8>>> {
            let pixels = shown.iter().map(|&index| Ok(set.pixels(index)?.to_vec()));
            pixels.collect()
        };
        let (clean, stamped) = (pixels(&clean)?, pixels(&stamped)?);
        let pairs = clean.iter().zip(&stamped);
        let difference = pairs.map(|(clean, stamped)| difference(clean, stamped));
        Ok(Self {
            side: [set.height(), set.width()],
            rows: [clean.clone(), stamped.clone(), difference.collect()],
        })
    }

    /// The sheet as a PNG file.
    pub(crate) fn png(&self) -> Result<Vec<u8>> {
        let [height, width] = self.side;
        let columns = self.rows[0].len();
        let total_width = columns * (width + GAP) + GAP;
        let total_height = self.rows.len() * (height + GAP) + GAP;
        let mut sheet = vec![255; total_width * total_height * 3];
        for (row, pictures) in self.rows.iter().enumerate() {
            for (column, picture) in pictures.iter().enumerate() {
                let (top, left) = (GAP + row * (height + GAP), GAP + column * (width + GAP));
                for (line, pixels) in picture.chunks_exact(width * 3).enumerate() {
                    let at = ((top + line) * total_width + left) * 3;
                    sheet[at..at + pixels.len()].copy_from_slice(pixels);
                }
            }
        }
        Ok(Picture::new(total_width, total_height, sheet)?.to_png()?)
    }
}

/// Ten times the difference, around a middle grey.
fn difference(clean: &[u8], stamped: &[u8]) -> Vec<u8> {
    let pairs = clean.iter().zip(stamped);
    let level = |(&clean, &stamped): (&u8, &u8)| {
        (128 + GAIN * (i32::from(stamped) - i32::from(clean))).clamp(0, 255) as u8
    };
    pairs.map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_enlarged_around_grey() {
        assert_eq!(
            difference(&[10, 10, 10, 0], &[10, 12, 9, 255]),
            [128, 148, 118, 255]
        );
    }

    #[test]
    fn a_sheet_has_three_rows_with_gaps() {
        let row = || vec![vec![0; 12], vec![9; 12]];
        let sheet = Sheet {
            side: [2, 2],
            rows: [row(), row(), row()],
        };
        let png = image::load_from_memory(&sheet.png().expect("encodes")).expect("a picture");
        assert_eq!((png.width(), png.height()), (2 * 4 + 2, 3 * 4 + 2));
    }
}
