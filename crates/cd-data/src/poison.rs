//! Poisoning: a clean data set and an attack become data under suspicion and, apart from it, the
//! truth about it.
//!
//! [`Poisoned`] carries no trace of which images were changed; [`Truth`] does, and the two are
//! separate values, so that training and detection cannot be handed the answer by mistake:
//!
//! ```compile_fail
//! # use cd_data::{Poisoned, Truth};
//! fn detect(data: &Poisoned) {}
//! fn cheat(truth: &Truth) {
//!     detect(truth);
//! }
//! ```
//!
//! There are three stages, each of which can be stored: [`craft`] prepares the trigger, [`write()`] stamps the images that
//! the attack's [`PoisonPlan`] lists, and [`read`] puts them over the clean data. [`poison`] does all of it in memory.
//!
//! Everything is drawn from one seed: the choice of training images, the choice of test images, and
//! what an attack draws for each image, which does not depend on the other images.

mod config;
mod craft;
mod data;
mod error;
mod index_list;
mod label_map;
mod listed;
mod manifest;
mod overlay;
mod plan;
mod request;
mod select;
mod selection;
mod stamp;
mod store;
mod stored;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;

use cd_core::{ImageSet, NoProgress, Progress};
use cd_models::Device;

pub use config::PoisonConfig;
pub use craft::{CraftTools, craft, craft_split};
pub use data::{Poisoned, Truth};
pub use error::PoisonError;
pub use index_list::{IndexListError, index_list, parse_index_list};
pub use label_map::{ClassMap, LabelMap};
pub use listed::stamp;
pub use manifest::{Manifest, ManifestEntry, ManifestError};
pub use plan::{PlanCounts, PlanEntry, PoisonPlan};
pub use request::PlanRequest;
pub use select::MAX_CLEAN_LABEL_FRACTION;
pub(crate) use select::draw;
pub use selection::Selection;
pub use store::{read, write};

use self::overlay::{Overlaid, Pixels};
use self::stamp::Stamping;
use crate::attack::Role;
use crate::dataset::Split;

/// Poisons `split` as `config` says, in memory.
///
/// *Training set*: a dirty-label attack stamps floor(rate x N) images drawn from all classes and
/// relabels them as the label map says; a clean-label attack stamps as many images of the target class, at
/// most 80 % of it, and keeps their label. Other attacks have a plan of their own, and [`Selection`] changes which images are taken.
/// When there are fewer images than the rate asks for, that is an error unless [`Selection::fewer`] takes what there is.
///
/// *Test set*, when there is one: floor(rate x N) images whose label the attack changes are stamped and relabelled,
/// which is the mixed set that detectors are tried on. A test set too small for one
/// such image stays clean, with a warning. For the attack success rate, [`Truth::triggered_test`]
/// has every test image whose label changes stamped.
///
/// The result depends on the data and `config` alone, not on the number of threads. An attack that trains a network does
/// so on the first device of the build; use [`poison_on`] to choose another, [`craft`] to keep the trigger.
///
/// # Errors
///
/// When an option is out of range, no training image would be changed, or the attack cannot be
/// applied to images of this size.
pub fn poison(split: &Split, config: &PoisonConfig) -> Result<(Poisoned, Truth), PoisonError> {
    poison_on(split, config, &Device::default(), &NoProgress)
}

/// [`poison()`] with networks on `device`; `progress` is told how far it is.
///
/// # Errors
///
/// As [`poison()`].
pub fn poison_on(
    split: &Split,
    config: &PoisonConfig,
    device: &Device,
    progress: &dyn Progress,
) -> Result<(Poisoned, Truth), PoisonError> {
    let plan = plan_for(split, config)?;
    tell(&plan, &split.train, config);
    let trigger = craft::in_memory(split, config, device, progress)?;
    let mut data = Overlaid::new(split, &plan);
    for stamping in stampings(split, config, &plan) {
        stamping.run(trigger.as_ref(), progress, |number, pixels| {
            data.put(stamping.split, number, &Pixels::Bytes(pixels))
        })?;
    }
    Ok(data.finish(split, config))
}

/// Whether `split` can be poisoned as `config` says; nothing is prepared or stamped.
///
/// # Errors
///
/// As [`poison()`], but for those of preparing and applying the trigger.
pub fn check(split: &Split, config: &PoisonConfig) -> Result<(), PoisonError> {
    plan_for(split, config).map(drop)
}

/// How many training images of `split` are poisoned as `config` says; nothing is prepared or stamped.
///
/// # Errors
///
/// As [`check`].
pub fn counts(split: &Split, config: &PoisonConfig) -> Result<PlanCounts, PoisonError> {
    let plan = plan_for(split, config)?;
    Ok(plan.counts(split.train.labels(), config.target))
}

/// The checked plan of the configured attack for this data.
fn plan_for(split: &Split, config: &PoisonConfig) -> Result<PoisonPlan, PoisonError> {
    config.check()?;
    let classes = split.train.class_count();
    if config.target as usize >= classes {
        return Err(PoisonError::Target {
            target: config.target,
            classes,
        });
    }
    for set in [Some(&split.train), split.test.as_ref()]
        .into_iter()
        .flatten()
    {
        check_labels(set, classes)?;
    }
    let test: &[u32] = split.test.as_ref().map_or(&[], ImageSet::labels);
    let request = PlanRequest::new(split.train.labels(), test, classes, config);
    let attack = config.attack.attack();
    let mut plan = attack.plan(&request)?;
    if config.select.append {
        plan.append_all();
    }
    let plan = plan.checked(&request, config.attack.name())?;
    if !config.labels.is_default() && plan.map != Some(request.label_map()?) {
        return Err(PoisonError::LabelMap {
            attack: config.attack.name(),
            labels: config.labels,
            reason: "has a label map of its own",
        });
    }
    check_followed(&plan, &request, config)?;
    if let Some(test) = split.test.as_ref().filter(|_| plan.mixed.is_empty()) {
        tracing::warn!(
            images = test.len(),
            rate = config.rate,
            "the test set is too small for this rate: its mixed set has no poisoned image"
        );
    }
    Ok(plan)
}

/// Fails where the plan of an attack that chooses for itself leaves out what was selected.
fn check_followed(
    plan: &PoisonPlan,
    request: &PlanRequest<'_>,
    config: &PoisonConfig,
) -> Result<(), PoisonError> {
    let select = &config.select;
    let unused = |option, value: String, expected| {
        Err(PoisonError::Select {
            option,
            value,
            expected,
        })
    };
    let mut stamped = plan.train.iter().chain(&plan.appended);
    let labels = request.train_labels();
    if let Some(listed) = select
        .cover_indices
        .as_ref()
        .filter(|list| !list.is_empty())
        && !stamped.clone().any(|entry| entry.role == Role::Cover)
    {
        let value = format!("a list of {}", listed.len());
        return unused("cover_indices", value, "absent for attacks without covers");
    }
    if let Some(sources) = &select.sources
        && plan.map != Some(request.label_map()?)
    {
        let expected = "absent for attacks that choose the classes themselves";
        return unused("sources", format!("{sources:?}"), expected);
    }
    let keeps =
        |entry: &PlanEntry| entry.role == Role::Train && entry.label == labels[entry.source];
    if select.exclude_target && select.indices.is_none() && stamped.any(keeps) {
        let expected = "false for attacks that take images of the target class";
        return unused("exclude_target", "true".into(), expected);
    }
    Ok(())
}

/// Says how many images are poisoned, as a share of the set and of the target class.
fn tell(plan: &PoisonPlan, train: &ImageSet, config: &PoisonConfig) {
    let counts = plan.counts(train.labels(), config.target);
    tracing::info!(
        poisoned = counts.poisoned,
        covers = counts.covers,
        share_of_set = counts.share_of_set(),
        share_of_target_class = counts.share_of_class(),
        "training images to stamp"
    );
}

fn check_labels(set: &ImageSet, classes: usize) -> Result<(), PoisonError> {
    if set.labels().len() != set.len() || set.class_count() != classes {
        return Err(PoisonError::NoClasses);
    }
    Ok(())
}

/// The images that get the trigger, split by split.
fn stampings<'a>(
    split: &'a Split,
    config: &PoisonConfig,
    plan: &'a PoisonPlan,
) -> Vec<Stamping<'a>> {
    let train = Stamping::train(&split.train, plan, config.seed);
    let test = split.test.as_ref();
    let test = test.map(|test| Stamping::test(test, plan, config.seed));
    [Some(train), test].into_iter().flatten().collect()
}
