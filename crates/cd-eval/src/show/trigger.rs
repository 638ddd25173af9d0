//! The picture of a recovered trigger.

use std::path::Path;

use cd_detect::{Recovered, RecoveredTrigger};
use cd_models::{ImageSet, atomic};

use crate::picture::{Picture, mask_to_rgb, strip};
use crate::pipeline::PipelineError;
use crate::store::StoreError;

/// Images shown with the trigger.
const EXAMPLES: usize = 3;
/// Pictures in a strip.
const PICTURES: usize = 2 + EXAMPLES;
/// Side that small pictures are enlarged to, at least.
const SIDE: usize = 128;
/// White columns between pictures.
const GAP: usize = 6;

/// Pattern, mask and three images of `set` with the trigger, side by side; those that turned come first. `seed` is that of the recovery.
///
/// # Errors
///
/// When an image cannot be read.
pub fn picture(recovered: &Recovered, set: &ImageSet, seed: u64) -> Result<Picture, PipelineError> {
    let trigger = &recovered.trigger;
    let mut pictures = trigger_and_mask(trigger, set)?;
    let mut order: Vec<usize> = (0..recovered.images.len()).collect();
    order.sort_by_key(|&at| !recovered.turned[at]);
    for &at in order.iter().take(EXAMPLES) {
        let index = recovered.images[at];
        let changed = trigger.put(&set.pixels(index)?, index, seed);
        pictures.push(Picture::new(set.width(), set.height(), changed)?);
    }
    Ok(enlarged(&pictures))
}

/// What flagged images share, where it lies at one place, and some of the images at `flagged` as they are.
///
/// # Errors
///
/// When an image cannot be read.
pub fn shared(
    trigger: Option<&RecoveredTrigger>,
    set: &ImageSet,
    flagged: &[usize],
) -> Result<Picture, PipelineError> {
    let mut pictures = match trigger {
        Some(trigger) => trigger_and_mask(trigger, set)?,
        None => Vec::new(),
    };
    let count = PICTURES - pictures.len();
    let step = flagged.len().div_ceil(count).max(1);
    for &index in flagged.iter().step_by(step) {
        let pixels = set.pixels(index)?.to_vec();
        pictures.push(Picture::new(set.width(), set.height(), pixels)?);
    }
    Ok(enlarged(&pictures))
}

fn trigger_and_mask(
    trigger: &RecoveredTrigger,
    set: &ImageSet,
) -> Result<Vec<Picture>, PipelineError> {
    let (height, width) = (set.height(), set.width());
    Ok(vec![
        Picture::new(width, height, trigger.pattern())?,
        mask_to_rgb(&trigger.mask(), width, height, 1)?,
    ])
}

/// Small pictures large enough to be seen, side by side.
fn enlarged(pictures: &[Picture]) -> Picture {
    let side = pictures.iter().map(|one| one.height().max(one.width()));
    let factor = SIDE.div_ceil(side.max().unwrap_or(1).max(1));
    let enlarged: Vec<Picture> = pictures.iter().map(|one| one.enlarged(factor)).collect();
    strip(&enlarged, GAP)
}

/// Writes a picture as PNG.
pub(crate) fn save(picture: &Picture, path: &Path) -> Result<(), PipelineError> {
    Ok(atomic::write(path, &picture.to_png()?).map_err(StoreError::io(path))?)
}
