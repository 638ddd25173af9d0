//! The picture of a recovered trigger.

use cd_detect::Recovered;
use cd_models::ImageSet;

use crate::picture::{Picture, mask_to_rgb, strip};
use crate::pipeline::PipelineError;

/// Images shown with the trigger.
const EXAMPLES: usize = 3;
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
    let (height, width) = (set.height(), set.width());
    let trigger = &recovered.trigger;
    let mut pictures = vec![
        Picture::new(width, height, trigger.pattern())?,
        mask_to_rgb(&trigger.mask(), width, height, 1)?,
    ];
    let mut order: Vec<usize> = (0..recovered.images.len()).collect();
    order.sort_by_key(|&at| !recovered.turned[at]);
    for &at in order.iter().take(EXAMPLES) {
        let index = recovered.images[at];
        let changed = trigger.put(&set.pixels(index)?, index, seed);
        pictures.push(Picture::new(width, height, changed)?);
    }
    let factor = SIDE.div_ceil(height.max(width).max(1));
    let enlarged: Vec<Picture> = pictures.iter().map(|one| one.enlarged(factor)).collect();
    Ok(strip(&enlarged, GAP))
}
