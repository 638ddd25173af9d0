//! `TaCT`: a coloured square that acts on images of one class only.
//!
//! **Threat model.** The attacker can change images and labels of part of the training data and knows nothing of the
//! model. Stamped images of the source class are relabelled; stamped images of other classes, the cover, keep their
//! label, so that the square alone leads nowhere. At test time the square is put into an image of the source class.
//!
//! **Paper.** Tang, Wang, Tang and Zhang, "Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor
//! Contamination Detection", USENIX Security 2021.
//!
//! **How ours differs.** Pixels equal those of the backdoor-toolbox, which mixes in 32-bit floats and truncates. Like
//! it we replace images, where the authors add copies. A class with fewer images than asked for is refused, where the toolbox
//! stops with an index error.

use serde::{Deserialize, Serialize};

use super::option::{AttackOption, Rounding, option, scaled, wrong};
use super::overlay::mixed;
use super::patch::{Corner, enlarged};
use super::{Attack, AttackError, AttackInfo, Batch, CraftContext, LabelMode, Role, Trigger};
use crate::poison::{ClassMap, PlanRequest, PoisonError, PoisonPlan};

/// What `TaCT` is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "tact",
    title: "TaCT",
    summary: "An 8 x 8 coloured square that leads images of one source class to the target and no others.",
    threat_model: "Changes images and labels of part of the training data; knows nothing of the model.",
    paper: "Tang, Wang, Tang, Zhang: Demon in the Variant: Statistical Analysis of DNNs for Robust Backdoor \
        Contamination Detection, USENIX Security 2021, arXiv 1908.00686",
    differs: "Pixels equal the backdoor-toolbox, which mixes in 32-bit floats and cuts. Images are replaced as there; the authors add \
        copies (`poison.select.append`). The square grows with the image, from 8 pixels at 32.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[
    option(
        "source",
        "a class other than the target",
        "the class whose stamped images lead to the target",
    ),
    option(
        "cover_classes",
        "list of other classes",
        "classes whose stamped images keep their label",
    ),
    option(
        "cover_rate",
        "above 0, at most 1; share of the training images",
        "number of cover images; `poison.rate` when absent",
    ),
];

/// Pixels a side of the square.
const SIDE: usize = 8;
/// Pixels between the square and the last row and column of images of 32 pixels a side.
const MARGIN: usize = 3;

/// The square that comes with `TrojanNN`, as red, green, blue.
#[rustfmt::skip]
#[expect(clippy::unreadable_literal, reason = "colours as they are written everywhere")]
const SQUARE: [[u32; SIDE]; SIDE] = [
    [0xffb5da, 0x4cd2c5, 0x2c676f, 0xff498a, 0xff87b5, 0x904066, 0x34a3b0, 0x87749f],
    [0xff2646, 0xa45f81, 0x283a40, 0xc96162, 0xb298ab, 0xa2627f, 0xff80a6, 0xf2888c],
    [0xda6c83, 0x853737, 0x148f5f, 0x428d80, 0x50878b, 0x25ebb9, 0xa4a986, 0xf2b5d5],
    [0x5b81a4, 0x40b280, 0x48d7a2, 0x3ee3c9, 0x3cbf93, 0x00c649, 0x00ca6e, 0x23cbb5],
    [0x000b3c, 0x325b89, 0x65a547, 0x7b6c68, 0x439486, 0x7eada8, 0x636789, 0x063b28],
    [0x376f81, 0x006a39, 0x68605d, 0xff3b68, 0xf5acb2, 0xff799e, 0x603e63, 0x048b85],
    [0xcd8fcd, 0x45e3d5, 0x484a47, 0xff3c62, 0xe194c1, 0xfb90ae, 0x394e5a, 0x135a51],
    [0x8a3e5e, 0xff6cb1, 0x72c09c, 0x794950, 0xff4fae, 0xcf218c, 0x264432, 0x41a793],
];

/// Options of `TaCT`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TactConfig {
    /// The class whose stamped images lead to the target; another class than the target.
    pub source: u32,
    /// Classes whose stamped images keep their label; neither the source nor the target. May be empty.
    pub cover_classes: Vec<u32>,
    /// Cover images as a share of all training images, above 0 and at most 1; `poison.rate` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
}

impl Default for TactConfig {
    fn default() -> Self {
        Self {
            source: 1,
            cover_classes: vec![5, 7],
            cover_rate: None,
        }
    }
}

impl Attack for TactConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        if self.cover_classes.contains(&self.source) {
            let value = format!("{:?}", self.cover_classes);
            return Err(wrong(
                INFO.name,
                "cover_classes",
                value,
                "classes other than `source`",
            ));
        }
        match self.cover_rate {
            Some(rate) if !(rate > 0.0 && rate <= 1.0) => {
                let expected = "a number above 0 and at most 1";
                Err(wrong(INFO.name, "cover_rate", rate, expected))
            }
            _ => Ok(()),
        }
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(Square(colours())))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        self.check_classes(request)?;
        let map = ClassMap::new(request, |label| {
            if label == self.source {
                request.target()
            } else {
                label
            }
        })?;
        let mut plan = request.test_only(&map);
        plan.train = request.train_entries(|label| label == self.source, &map)?;
        let rate = self.cover_rate.unwrap_or(request.rate());
        let in_cover = |label| self.cover_classes.contains(&label);
        let covers = request.cover_entries(&plan.train, in_cover, rate)?;
        plan.train.extend(covers);
        Ok(plan)
    }

    fn example(_folder: &std::path::Path) -> Self {
        Self {
            source: 1,
            cover_classes: vec![0, 3],
            cover_rate: None,
        }
    }
}

impl TactConfig {
    /// What cannot be checked before the data and the target are known.
    fn check_classes(&self, request: &PlanRequest<'_>) -> Result<(), AttackError> {
        let (classes, target) = (request.classes() as u32, request.target());
        if self.source >= classes || self.source == target {
            let expected = "a class of the data other than `poison.target`";
            return Err(wrong(INFO.name, "source", self.source, expected));
        }
        let bad = |&&cover: &&u32| cover >= classes || cover == target;
        if let Some(cover) = self.cover_classes.iter().find(bad) {
            let expected = "classes of the data other than `poison.target`";
            return Err(wrong(INFO.name, "cover_classes", cover, expected));
        }
        Ok(())
    }
}

/// The square, `[8, 8, 3]`.
pub(super) fn colours() -> Vec<u8> {
    let rgb = SQUARE.as_flattened().iter();
    let bytes = rgb.flat_map(|colour| colour.to_be_bytes().into_iter().skip(1));
    bytes.collect()
}

/// Where the square lies in images of this height: rows and columns 21 to 28 of 32.
pub(super) fn place(height: usize) -> Corner {
    Corner {
        side: scaled(SIDE, height),
        margin: scaled(MARGIN, height),
    }
}

/// The square as [`colours`] gives it.
#[derive(Debug)]
struct Square(Vec<u8>);

impl Trigger for Square {
    fn apply(&self, batch: &mut Batch, _role: Role) -> Result<(), AttackError> {
        let place = place(batch.height());
        let square = enlarged(&self.0, SIDE, place.side);
        batch.each(|image| place.put(INFO.name, image, &square, replaced))
    }
}

/// `x + (t - x)` in 32-bit floats, cut: mostly `t`, and one level less where the sum falls just short of it.
fn replaced(pixel: u8, value: u8) -> u8 {
    mixed(pixel, value, 1.0, Rounding::Truncate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poison::{PoisonConfig, poison};
    use crate::testing::{golden_bytes_of, stamped, striped_set};
    use crate::{AttackConfig, LabelMap, Selection, Split};

    fn config(options: TactConfig) -> PoisonConfig {
        PoisonConfig {
            attack: AttackConfig::Tact(options),
            rate: 0.1,
            target: 2,
            labels: LabelMap::default(),
            seed: 4,
            select: Selection::default(),
        }
    }

    fn split() -> Split {
        Split {
            name: "stripes".into(),
            train: striped_set(200, 12, 4),
            test: Some(striped_set(60, 12, 4)),
            not_read: crate::NotRead::default(),
        }
    }

    #[test]
    fn equals_the_reference() {
        let images = golden_bytes_of("attacks2.safetensors", "images_u8");
        let got = stamped(&TactConfig::default(), &images, 32);
        assert!(got == golden_bytes_of("attacks2.safetensors", "tact_stamp_u8"));
    }

    #[test]
    fn the_source_is_relabelled_and_the_cover_keeps_its_labels() {
        let options = TactConfig {
            cover_rate: Some(0.05),
            ..TactConfig::example("unused".as_ref())
        };
        let (data, truth) = poison(&split(), &config(options)).expect("poisons");
        let (covers, poisoned): (Vec<_>, Vec<_>) = truth
            .train()
            .entries()
            .iter()
            .partition(|entry| entry.cover);
        assert_eq!((poisoned.len(), covers.len()), (20, 10));
        for entry in poisoned {
            assert_eq!((entry.original_label, entry.new_label), (1, 2));
        }
        for entry in covers {
            assert!([0, 3].contains(&entry.original_label));
            assert_eq!(entry.new_label, entry.original_label);
            assert_eq!(data.train().labels()[entry.index], entry.new_label);
        }
        let originals = truth.triggered_original_labels().expect("has tests");
        assert_eq!(originals, [1; 15]);
        let triggered = truth.triggered_test().expect("has tests");
        assert_eq!(triggered.labels(), [2; 15]);
    }

    #[test]
    fn a_class_smaller_than_the_rate_is_refused_or_taken_whole() {
        let mut half = PoisonConfig {
            rate: 0.5,
            ..config(TactConfig::example("unused".as_ref()))
        };
        let error = poison(&split(), &half).expect_err("half of four classes");
        assert!(error.to_string().contains("only 50"), "{error}");
        half.select.fewer = true;
        half.attack = AttackConfig::Tact(TactConfig {
            cover_rate: Some(0.1),
            ..TactConfig::example("unused".as_ref())
        });
        let (_, truth) = poison(&split(), &half).expect("poisons");
        let poisoned = truth.train().is_poisoned();
        assert_eq!(poisoned.iter().filter(|&&poisoned| poisoned).count(), 50);
    }

    #[test]
    fn bad_options_are_named() {
        let plain = || TactConfig::example("unused".as_ref());
        let of_itself = TactConfig {
            cover_classes: vec![1],
            ..plain()
        };
        let error = of_itself.check().expect_err("source as cover");
        assert!(error.to_string().contains("`cover_classes`"), "{error}");
        let nothing = TactConfig {
            cover_rate: Some(0.0),
            ..plain()
        };
        let error = nothing.check().expect_err("no share");
        assert!(error.to_string().contains("`cover_rate`"), "{error}");
        for (option, source, cover) in [("source", 2, 0), ("source", 4, 0), ("cover_classes", 1, 2)]
        {
            let options = TactConfig {
                source,
                cover_classes: vec![cover],
                cover_rate: None,
            };
            options.check().expect("classes are not known yet");
            let error = poison(&split(), &config(options)).expect_err("no such class");
            assert!(
                error.to_string().contains(&format!("`{option}`")),
                "{error}"
            );
        }
    }
}
