//! Trusted pictures from a place of their own, which are never split off what is under suspicion.

use std::collections::{BTreeMap, HashSet};

use cd_core::Progress;
use cd_data::{DatasetConfig, LoadContext};
use cd_models::ImageSet;

use crate::pipeline::PipelineError;

/// Classes that are named in a doubt.
const NAMED: usize = 8;

/// The trusted pictures that `config` names, with the classes of the `suspects` by their names; all of them, those of a test set included.
pub(super) fn load(
    config: &DatasetConfig,
    suspects: &ImageSet,
    progress: &dyn Progress,
) -> Result<ImageSet, PipelineError> {
    let mut config = config.clone();
    if let Some(size) = config.dataset_mut().size() {
        *size = Some(suspects.width());
    }
    config.settle()?;
    let split = config.load_with(&LoadContext {
        progress,
        index: None,
        bad_list: None,
    })?;
    let own = [suspects.height(), suspects.width()];
    let mut trusted = split.train.subset(&[]);
    trusted = trusted.relabelled(suspects.class_names().to_vec(), |_| 0)?;
    for set in [Some(&split.train), split.test.as_ref()]
        .into_iter()
        .flatten()
    {
        if [set.height(), set.width()] != own {
            return Err(PipelineError::Missing(format!(
                "the trusted pictures are {} x {} pixels, those to scan {} x {}",
                set.height(),
                set.width(),
                own[0],
                own[1]
            )));
        }
        let classes = matched(set.class_names(), suspects.class_names())?;
        for (index, &label) in set.labels().iter().enumerate() {
            let pixels = set.pixels(index)?;
            trusted.push(set.name(index).to_owned(), &pixels, classes[&label])?;
        }
    }
    Ok(trusted)
}

/// What is wrong with trusted pictures: some of them are under suspicion themselves, or classes have none.
pub(super) fn doubts(
    trusted: &ImageSet,
    suspects: &ImageSet,
) -> Result<Vec<String>, PipelineError> {
    let mut doubts = Vec::new();
    let under_suspicion = (0..suspects.len())
        .map(|index| suspects.digest(index))
        .collect::<Result<HashSet<_>, _>>()?;
    let mut both = 0;
    for index in 0..trusted.len() {
        both += usize::from(under_suspicion.contains(&trusted.digest(index)?));
    }
    if both > 0 {
        doubts.push(format!(
            "{both} of {} trusted pictures are among those under suspicion, too: if these are poisoned, poison is taken for clean.",
            trusted.len()
        ));
    }
    let without: Vec<String> = (0..)
        .zip(suspects.class_names())
        .filter(|(class, _)| suspects.labels().contains(class) && !trusted.labels().contains(class))
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    if !without.is_empty() {
        let first = without.iter().take(NAMED).cloned().collect::<Vec<_>>();
        let rest = match without.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} others"),
        };
        doubts.push(format!(
            "There are no trusted pictures of {}{rest}: they say nothing about these classes.",
            first.join(", ")
        ));
    }
    Ok(doubts)
}

/// The class under suspicion of each trusted one.
fn matched(trusted: &[String], suspects: &[String]) -> Result<BTreeMap<u32, u32>, PipelineError> {
    let mut classes = BTreeMap::new();
    for (label, name) in (0..).zip(trusted) {
        let Some(class) = suspects.iter().position(|other| other == name) else {
            return Err(PipelineError::Missing(format!(
                "the trusted pictures have a class `{name}`, which those to scan do not have; theirs are {}",
                suspects.join(", ")
            )));
        };
        classes.insert(label, class as u32);
    }
    if classes.is_empty() {
        return Err(PipelineError::Missing(
            "the trusted pictures have no classes; give them in one folder per class, as those to scan"
                .to_owned(),
        ));
    }
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn trusted_pictures_under_suspicion_and_classes_without_any_are_named() {
        let set = |pictures: &[(u8, u32)]| {
            let mut set = ImageSet::new(1, 1, names(&["a", "b"]));
            for &(value, label) in pictures {
                set.push(format!("{value}.png"), &[value; 3], label)
                    .expect("it fits");
            }
            set
        };
        let suspects = set(&[(1, 0), (2, 0), (3, 1)]);
        let doubts_of = |trusted| doubts(&trusted, &suspects).expect("in memory");
        assert!(doubts_of(set(&[(8, 0), (9, 1)])).is_empty());
        let found = doubts_of(set(&[(1, 0), (9, 0)]));
        assert!(found[0].starts_with("1 of 2 trusted pictures"), "{found:?}");
        assert!(found[1].contains("pictures of `b`:"), "{found:?}");
    }

    #[test]
    fn classes_are_matched_by_name_and_may_be_fewer() {
        let suspects = names(&["a", "b", "c"]);
        let classes = matched(&names(&["c", "a"]), &suspects).expect("known");
        assert_eq!(classes, BTreeMap::from([(0, 2), (1, 0)]));
        let error = matched(&names(&["d"]), &suspects)
            .expect_err("unknown")
            .to_string();
        assert!(
            error.contains("`d`") && error.contains("a, b, c"),
            "{error}"
        );
        assert!(matched(&[], &suspects).is_err());
    }
}
