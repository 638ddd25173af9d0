//! Images held out of training.

use cd_core::{ImageSet, random};
use rand::seq::SliceRandom;

use super::config::TrainConfig;
use super::setting::{SettingError, require};

/// Stream of the choice, apart from those of images and epochs.
const STREAM: u64 = u64::MAX / 2;

/// Which images of a set are trained on and which are held out.
pub(super) struct Split {
    /// Indices into the set, ascending.
    pub(super) training: Vec<usize>,
    pub(super) held_out: Option<ImageSet>,
}

impl Split {
    /// A function of the set's size, the share and the seed; all images are trained on at share 0.
    pub(super) fn of(set: &ImageSet, config: &TrainConfig) -> Result<Self, SettingError> {
        let mut indices: Vec<usize> = (0..set.len()).collect();
        if config.validation == 0.0 {
            return Ok(Self {
                training: indices,
                held_out: None,
            });
        }
        let count = ((set.len() as f64 * config.validation).round() as usize).max(1);
        let expected = "a share that leaves at least 2 images to train on";
        let enough = count + 2 <= set.len();
        require(enough, "validation", config.validation, expected)?;
        indices.shuffle(&mut random::stream(config.seed, STREAM));
        let mut training = indices.split_off(count);
        training.sort_unstable();
        indices.sort_unstable();
        Ok(Self {
            training,
            held_out: Some(set.subset(&indices)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_images_are_chosen_by_the_seed_and_not_trained_on() {
        let mut set = ImageSet::new(1, 1, vec!["a".into(), "b".into()]);
        for number in 0..20_u8 {
            let pixels = [number; 3];
            set.push(number.to_string(), &pixels, 0).expect("fits");
        }
        let split = |validation, seed| {
            let config = TrainConfig {
                seed,
                validation,
                ..TrainConfig::default()
            };
            Split::of(&set, &config)
        };
        let first = split(0.25, 1).expect("enough");
        let held_out = first.held_out.expect("asked for");
        assert_eq!((first.training.len(), held_out.len()), (15, 5));
        for &index in &first.training {
            assert!(!held_out.names().contains(&index.to_string()));
        }
        assert_eq!(split(0.25, 1).expect("enough").training, first.training);
        assert_ne!(split(0.25, 2).expect("enough").training, first.training);
        let whole = split(0.0, 1).expect("off");
        assert!(whole.held_out.is_none() && whole.training.len() == 20);
        assert!(split(0.99, 1).is_err());
    }
}
