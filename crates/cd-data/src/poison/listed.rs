//! Stamping without a plan: the images that somebody lists get the trigger, and labels stay.

use cd_core::{ImageSet, Progress};

use super::plan::PlanEntry;
use super::stamp::Stamping;
use super::{PoisonConfig, PoisonError};
use crate::attack::{Role, Trigger};

/// `set` with the trigger in the images at `indices`, for the purpose `role`; labels stay, and a set without labels will do.
///
/// What an image gets is what it gets in [`poison`](super::poison()) with the same seed and role, as long as it has the same place among
/// those of its role. Triggers that depend on the new label are given the target.
///
/// # Errors
///
/// When an index is out of range or listed twice, or the trigger cannot be applied to images of this size.
pub fn stamp(
    set: &ImageSet,
    indices: &[usize],
    role: Role,
    config: &PoisonConfig,
    trigger: &dyn Trigger,
    progress: &dyn Progress,
) -> Result<ImageSet, PoisonError> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    let wrong = |index, problem: String| PoisonError::Index {
        option: "indices",
        index,
        problem,
    };
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong(pair[0], "twice".into()));
    }
    if let Some(&index) = sorted.iter().find(|&&index| index >= set.len()) {
        let problem = format!("but there are only {} images, counted from 0", set.len());
        return Err(wrong(index, problem));
    }
    let own = |index: usize| set.labels().get(index).copied();
    let entry = |&source: &usize| PlanEntry {
        source,
        role,
        label: match role {
            Role::Cover => own(source).unwrap_or(config.target),
            Role::Train | Role::Test => config.target,
        },
    };
    let entries = sorted.iter().map(entry).collect();
    let mut stamped = set.clone();
    let stamping = Stamping::listed(set, entries, config.seed);
    stamping.run(trigger, progress, |number, pixels| {
        Ok(stamped.set_pixels(sorted[number], pixels)?)
    })?;
    Ok(stamped)
}

#[cfg(test)]
mod tests {
    use cd_core::NoProgress;

    use super::*;
    use crate::AttackConfig;
    use crate::testing::{pixels, prepared, stamped_as, striped_set};

    #[test]
    fn listed_images_change_and_no_others() {
        let set = striped_set(6, 12, 3);
        let config = PoisonConfig::of(AttackConfig::from_name("k-way").expect("registered"));
        let trigger = prepared(config.attack.attack());
        let stamped = |indices: &[usize]| {
            let trigger = trigger.as_ref();
            stamp(&set, indices, Role::Test, &config, trigger, &NoProgress)
        };
        let changed = stamped(&[4, 1]).expect("in range");
        for index in 0..6 {
            let clean = pixels(&set, index);
            let expected = match index {
                1 | 4 => stamped_as(trigger.as_ref(), &clean, 12, Role::Test),
                _ => clean.to_vec(),
            };
            assert_eq!(pixels(&changed, index)[..], expected);
        }
        assert_eq!(changed.labels(), set.labels());
        let error = stamped(&[6]).expect_err("out of range").to_string();
        assert!(error.contains("only 6 images"), "{error}");
        let error = stamped(&[2, 2]).expect_err("twice").to_string();
        assert!(error.contains("image 2, twice"), "{error}");
    }
}
