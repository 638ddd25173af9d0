//! A picture of what the suspicious images of a class share, where no trigger is proven.

use cd_detect::{Proof, SuspectClass, Suspects, appearance};
use cd_models::ImageSet;

use crate::pipeline::PipelineError;
use crate::run_dir::RunDir;
use crate::store::StoreError;
use crate::trigger;

/// Chooses images where there are very many.
const SEED: u64 = 0;

/// Writes the picture; its name in the folder of the run. `None` where a proof shows the trigger, or no image of the class is `poisoned`.
pub(super) fn picture(
    run: &RunDir,
    set: &ImageSet,
    class: &SuspectClass,
    poisoned: &[bool],
) -> Result<Option<String>, PipelineError> {
    let is_proven = class.proof.as_ref().is_some_and(Proof::holds);
    let labels = set.labels();
    let flagged = (0..set.len()).filter(|&at| poisoned[at] && labels[at] == class.class);
    let flagged: Vec<usize> = flagged.collect();
    if is_proven || flagged.is_empty() {
        return Ok(None);
    }
    let suspects = Suspects {
        class: class.class,
        flagged: &flagged,
        masks: None,
    };
    let shared = appearance(set.into(), labels, &suspects, SEED)?;
    let picture = trigger::shared(shared.as_ref(), set, &flagged)?;
    let folder = run.join("shared");
    std::fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
    let name = format!("shared/class-{}.png", class.class);
    trigger::save(&picture, &run.join(&name))?;
    Ok(Some(name))
}
