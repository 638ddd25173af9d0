//! Random changes of training images.

use std::borrow::Cow;
use std::fmt;

use cd_core::random;
use rand::Rng;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::setting::SettingError;

mod pixels;
pub(crate) mod step;
mod window;

use pixels::{erased, shifted};
use step::Step;

/// How training images are changed before each epoch.
///
/// In a configuration: a name, or a list of [`Step`]s that an image goes through in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
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
    /// Changed by each of these in order.
    #[serde(untagged)]
    Steps(Vec<Step>),
}

/// What stands for one of the named variants.
const NAMES: [(&str, Augmentation); 4] = [
    ("none", Augmentation::None),
    ("crop-flip", Augmentation::CropFlip),
    ("crop", Augmentation::Crop),
    ("erase", Augmentation::Erase),
];

impl<'de> Deserialize<'de> for Augmentation {
    /// By hand, for a slip in a step's name or key is to be named as such.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrSteps;
        impl<'de> Visitor<'de> for NameOrSteps {
            type Value = Augmentation;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(
                    "the name of an augmentation, or a list of steps such as { name = \"flip\" }",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Augmentation, E> {
                const KNOWN: &[&str] = &[NAMES[0].0, NAMES[1].0, NAMES[2].0, NAMES[3].0];
                let found = NAMES.into_iter().find(|(name, _)| *name == text);
                let found = found.map(|(_, augmentation)| augmentation);
                found.ok_or_else(|| E::unknown_variant(text, KNOWN))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Augmentation, A::Error> {
                let steps = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(Augmentation::Steps(steps))
            }
        }
        deserializer.deserialize_any(NameOrSteps)
    }
}

impl Augmentation {
    pub(super) fn check(&self) -> Result<(), SettingError> {
        match self {
            Self::Steps(steps) => steps.iter().try_for_each(Step::check),
            _ => Ok(()),
        }
    }

    /// Image `index` of a set as training with this seed sees it in `epoch`, from 0; `source` and the result are `[H, W, 3]`.
    ///
    /// What is drawn depends on seed, epoch and index alone, so two images of the same index are changed in the same way.
    pub fn changed<'a>(
        &self,
        source: &'a [u8],
        [height, width]: [usize; 2],
        seed: u64,
        epoch: usize,
        index: usize,
    ) -> Cow<'a, [u8]> {
        let at = Place {
            height,
            width,
            seed,
            epoch,
            index,
        };
        self.apply(source, at)
    }

    /// The changed pixels of an image, `[H, W, 3]`; a function of the arguments only.
    pub(super) fn apply<'a>(&self, source: &'a [u8], at: Place) -> Cow<'a, [u8]> {
        let Place { height, width, .. } = at;
        let mut random = random::stream(at.seed, at.index as u64);
        random.set_word_pos(at.epoch as u128 * 16);
        Cow::Owned(match self {
            Self::None => return Cow::Borrowed(source),
            Self::Steps(steps) => step::through(
                steps,
                source,
                (height, width),
                (at.seed, at.epoch, at.index),
            ),
            Self::Erase => erased(source, height, width, &mut random),
            Self::Crop | Self::CropFlip => {
                let reach_y = (height / 8) as i64;
                let reach_x = (width / 8) as i64;
                let shift_y = random.random_range(-reach_y..=reach_y);
                let shift_x = random.random_range(-reach_x..=reach_x);
                let mirror = *self == Self::CropFlip && random.random::<bool>();
                shifted(source, height, width, shift_y, shift_x, mirror)
            }
        })
    }
}

/// What the change of an image depends on besides the augmentation and its pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) seed: u64,
    /// Counted from 0.
    pub(super) epoch: usize,
    /// Of the image in its set.
    pub(super) index: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depends_on_seed_epoch_and_index_only() {
        let pixels: Vec<u8> = (0..16 * 16 * 3).map(|p| p as u8).collect();
        let change = |index, epoch| {
            let place = Place {
                height: 16,
                width: 16,
                seed: 7,
                epoch,
                index,
            };
            Augmentation::CropFlip.apply(&pixels, place).into_owned()
        };
        assert_eq!(change(2, 5), change(2, 5));
        let differing = (0..8).filter(|&epoch| change(2, epoch) != change(2, epoch + 8));
        assert!(differing.count() > 0);
    }

    #[test]
    fn configurations_give_a_name_or_a_list() {
        let parse = |text: &str| serde_json::from_str::<Augmentation>(text);
        for (name, augmentation) in NAMES {
            let text = format!("\"{name}\"");
            assert_eq!(parse(&text).expect("a name"), augmentation);
            assert_eq!(serde_json::to_string(&augmentation).expect("plain"), text);
        }
        let list =
            r#"[{"name":"crop","reach":0.125},{"name":"flip"},{"name":"cutout","pixels":3}]"#;
        let steps = vec![
            Step::Crop { reach: 0.125 },
            Step::Flip {},
            Step::Cutout { pixels: 3 },
        ];
        let parsed = parse(list).expect("a list");
        assert_eq!(parsed, Augmentation::Steps(steps));
        assert_eq!(serde_json::to_string(&parsed).expect("plain"), list);
        let message = |text: &str| parse(text).expect_err("a slip").to_string();
        assert!(message("\"crop-flop\"").contains("unknown variant `crop-flop`"));
        assert!(message(r#"[{"name":"flop"}]"#).contains("unknown variant `flop`"));
        assert!(message(r#"[{"name":"flip","often":1}]"#).contains("unknown field `often`"));
        assert!(message(r#"[{"name":"cutout"}]"#).contains("missing field `pixels`"));
        assert!(message("3").contains("a list of steps"));
    }
}
