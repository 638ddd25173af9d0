//! `BadNets` as it was first described: stamped copies are added to the training data, and nothing is taken away.
//!
//! **Threat model.** The attacker can add images with labels of their choice to the training data and knows nothing of
//! the model. At test time the patch is put into an image to get the target class.
//!
//! **Paper.** Gu, Dolan-Gavitt and Garg, "`BadNets`: Identifying Vulnerabilities in the Machine Learning Model Supply
//! Chain", 2017, section 4; ISSBA and the authors of `TaCT` add their images in the same way.
//!
//! **How ours differs.** The stamp is that of `badnets`. Copies are made of images whose label changes, so an image of
//! the target class has none. Later code for `BadNets` replaces images instead, and so does `badnets` here.

use serde::{Deserialize, Serialize};

use super::option::option;
use super::{
    Attack, AttackError, AttackInfo, BadNetsConfig, CraftContext, LabelMode, PatchPosition,
    PublishedSuccess, Trigger,
};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What appended `BadNets` is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "badnets-appended",
    title: "BadNets, appended",
    summary: "Copies of images of other classes with a 3 x 3 patch, added to the data with the target label.",
    threat_model: "Adds images with labels to the training data; knows nothing of the model.",
    paper: "Gu, Dolan-Gavitt, Garg: BadNets: Identifying Vulnerabilities in the Machine Learning \
        Model Supply Chain, 2017, arXiv 1708.06733",
    differs: "The stamp is that of `badnets`. Copies are made of images whose label changes, so an image of the target class has none. \
        `poison.select.append` does the same for every other attack.",
    label_mode: LabelMode::Dirty,
    options: &[option(
        "position",
        "\"bottom-right\" or \"centre\"",
        "where the patch ends",
    )],
};

/// Options of appended `BadNets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BadNetsAppendedConfig {
    /// Where the patch is put; `centre` needs images of at least 6 pixels a side.
    pub position: PatchPosition,
}

impl Attack for BadNetsAppendedConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn published(&self) -> &'static [PublishedSuccess] {
        &super::badnets::PUBLISHED
    }

    fn check(&self) -> Result<(), AttackError> {
        Ok(())
    }

    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        BadNetsConfig {
            position: self.position,
            ..BadNetsConfig::default()
        }
        .prepare(context)
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        let map = request.label_map()?;
        let mut plan = request.test_only(&map);
        plan.appended = request.train_entries(|label| map.changes(label), &map)?;
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poison::{PoisonConfig, poison};
    use crate::testing::{pixels, stamped, striped_set};
    use crate::{AttackConfig, LabelMap, Selection, Split};

    #[test]
    fn copies_of_other_classes_follow_the_untouched_images() {
        let split = Split {
            name: "stripes".into(),
            train: striped_set(40, 8, 4),
            test: Some(striped_set(20, 8, 4)),
            not_read: crate::NotRead::default(),
        };
        let config = PoisonConfig {
            attack: AttackConfig::BadNetsAppended(BadNetsAppendedConfig::default()),
            rate: 0.25,
            target: 2,
            labels: LabelMap::default(),
            seed: 7,
            select: Selection::default(),
        };
        let (data, truth) = poison(&split, &config).expect("poisons");
        assert_eq!(data.train().len(), 50);
        assert_eq!(
            data.train().subset(&(0..40).collect::<Vec<_>>()),
            split.train
        );
        let entries = truth.train().entries();
        assert_eq!(entries.len(), 10);
        for (entry, index) in entries.iter().zip(40..) {
            let source = entry.source.expect("every entry is a copy");
            let expected = stamped(&BadNetsConfig::default(), &pixels(&split.train, source), 8);
            assert_eq!(pixels(data.train(), index)[..], expected);
            assert_eq!((entry.index, data.train().labels()[index]), (index, 2));
            assert_ne!(split.train.labels()[source], 2);
        }
        assert_eq!(truth.triggered_test().expect("has tests").len(), 15);
    }
}
