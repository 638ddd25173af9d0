//! Random changes of training images.

use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::train::TrainError;
use cd_core::StorageError;
use cd_core::{CHANNELS, ImageSet};

mod step;

pub use step::Step;

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
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        match self {
            Self::Steps(steps) => steps.iter().try_for_each(Step::check),
            _ => Ok(()),
        }
    }

    /// The changed pixels of image `index`, `[H, W, 3]`; a function of the arguments only.
    pub(crate) fn apply(
        &self,
        set: &ImageSet,
        index: usize,
        seed: u64,
        epoch: usize,
    ) -> Result<Vec<u8>, StorageError> {
        let source = &*set.pixels(index)?;
        let (height, width) = (set.height(), set.width());
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index as u64);
        random.set_word_pos(epoch as u128 * 16);
        Ok(match self {
            Self::None => source.to_vec(),
            Self::Steps(steps) => {
                step::through(steps, source, (height, width), (seed, epoch, index))
            }
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

fn erased(source: &[u8], height: usize, width: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut target = source.to_vec();
    if random.random::<bool>() {
        return target;
    }
    let mut span = |side: usize| {
        let length = ((side as f32 * random.random_range(0.2..0.8)) as usize).max(1);
        let start = random.random_range(0..=side - length);
        start..start + length
    };
    let (rows, columns) = (span(height), span(width));
    let colour: [u8; CHANNELS] = random.random();
    for y in rows {
        for x in columns.clone() {
            let at = (y * width + x) * CHANNELS;
            target[at..at + CHANNELS].copy_from_slice(&colour);
        }
    }
    target
}

fn shifted(
    source: &[u8],
    height: usize,
    width: usize,
    shift_y: i64,
    shift_x: i64,
    mirror: bool,
) -> Vec<u8> {
    let mut target = vec![0; source.len()];
    for y in 0..height {
        for x in 0..width {
            let column = if mirror { width - 1 - x } else { x };
            let from_y = y as i64 + shift_y;
            let from_x = column as i64 + shift_x;
            let inside =
                (0..height as i64).contains(&from_y) && (0..width as i64).contains(&from_x);
            if inside {
                let from = (from_y as usize * width + from_x as usize) * CHANNELS;
                let to = (y * width + x) * CHANNELS;
                target[to..to + CHANNELS].copy_from_slice(&source[from..from + CHANNELS]);
            }
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_and_mirror_move_pixels_as_documented() {
        let source: Vec<u8> = (0..2 * 2 * 3).collect();
        let moved = shifted(&source, 2, 2, 0, 1, false);
        assert_eq!(moved, [3, 4, 5, 0, 0, 0, 9, 10, 11, 0, 0, 0]);
        let mirrored = shifted(&source, 2, 2, 0, 0, true);
        assert_eq!(mirrored, [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]);
    }

    #[test]
    fn erasing_fills_one_rectangle_with_one_colour_half_of_the_time() {
        let source: Vec<u8> = (0..8 * 8 * 3).map(|at| at as u8).collect();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut untouched = 0;
        for _ in 0..200 {
            let target = erased(&source, 8, 8, &mut random);
            let pixels = source.chunks(3).zip(target.chunks(3));
            let changed: Vec<&[u8]> = pixels.filter(|(a, b)| a != b).map(|(_, b)| b).collect();
            untouched += usize::from(changed.is_empty());
            assert!(changed.windows(2).all(|pair| pair[0] == pair[1]));
            assert!(changed.len() <= 6 * 6);
        }
        assert!((60..140).contains(&untouched), "{untouched} of 200");
    }

    #[test]
    fn depends_on_seed_epoch_and_index_only() {
        let mut set = ImageSet::new(16, 16, vec!["only".into()]);
        for i in 0..4_u8 {
            let pixels: Vec<u8> = (0..16 * 16 * 3)
                .map(|p| (p as u8).wrapping_mul(i + 1))
                .collect();
            set.push(format!("{i}"), &pixels, 0).expect("fits");
        }
        let change = |index, epoch| {
            let changed = Augmentation::CropFlip.apply(&set, index, 7, epoch);
            changed.expect("in memory")
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
