//! What is measured to explain a low success rate.

use cd_models::{Augmentation, ImageSet};

use super::super::train::last_epoch;
use super::backdoor::{Attacked, spread};
use crate::backdoor::Signs;
use crate::pipeline::PipelineError;

/// Most poisoned training images that are classified.
const MOST_CLASSIFIED: usize = 1000;
/// Most images whose change of pixels is measured.
const MOST_COMPARED: usize = 256;
/// Epochs whose augmentation is tried.
const EPOCHS: usize = 4;

/// Signs but those that the four figures and the attack's header give.
pub(super) fn of(
    attacked: &Attacked<'_>,
    clean: &ImageSet,
    triggered: &ImageSet,
) -> Result<Signs, PipelineError> {
    let manifest = attacked.truth.train();
    let entries = manifest.entries();
    let teaching: Vec<usize> = (0..entries.len())
        .filter(|&entry| !entries[entry].cover)
        .collect();
    let mut signs = Signs {
        poisoned: teaching.len(),
        classes: clean.class_count(),
        ..Signs::default()
    };
    [signs.learnt, signs.without_trigger] = learnt(attacked, &teaching)?;
    let (before, after) = pairs(attacked, &spread(&teaching, MOST_COMPARED));
    let in_training = Change::of(&before, &after)?;
    signs.change_in_training = Some(in_training.strength());
    if manifest.config().attack.attack().marks_tests() {
        let in_tests = changed_tests(attacked, clean, triggered)?;
        signs.change_in_tests = Some(in_tests.strength());
        signs.likeness = in_training.likeness(&in_tests);
    }
    let experiment = attacked.work.experiment;
    if experiment.given_weights().is_none() {
        let last = last_epoch(attacked.work.run)?;
        signs.training_accuracy = last.map(|report| report.train_accuracy);
        let augmentation = &experiment.train.augmentation;
        signs.augmented = left(augmentation, experiment.train.seed, &before, &after)?;
    }
    Ok(signs)
}

/// The clean originals of some entries of the manifest and their poisoned images.
fn pairs(attacked: &Attacked<'_>, some: &[usize]) -> (ImageSet, ImageSet) {
    let entries = attacked.truth.train().entries();
    let indices: Vec<usize> = some.iter().map(|&entry| entries[entry].index).collect();
    let before = attacked.truth.train_originals().subset(some);
    (before, attacked.data.poisoned.train().subset(&indices))
}

/// Share of poisoned training images that get their new label, and the same of their clean originals.
fn learnt(attacked: &Attacked<'_>, teaching: &[usize]) -> Result<[Option<f64>; 2], PipelineError> {
    let entries = attacked.truth.train().entries();
    // Images that were of the target class already say nothing of what was learnt.
    let relabelled = teaching.iter().copied();
    let relabelled: Vec<usize> = relabelled
        .filter(|&entry| entries[entry].new_label != entries[entry].original_label)
        .collect();
    let telling = if relabelled.is_empty() {
        teaching
    } else {
        &relabelled
    };
    let some = spread(telling, MOST_CLASSIFIED);
    if some.is_empty() {
        return Ok([None, None]);
    }
    let (before, after) = pairs(attacked, &some);
    let given = |set: &ImageSet| -> Result<Option<f64>, PipelineError> {
        let predictions = attacked.predictions(set)?;
        let places = some.iter().enumerate();
        let hits = places.filter(|&(at, &entry)| predictions.class(at) == entries[entry].new_label);
        Ok(Some(hits.count() as f64 / some.len() as f64))
    };
    Ok([given(&after)?, given(&before)?])
}

/// What the trigger changes in test images.
fn changed_tests(
    attacked: &Attacked<'_>,
    clean: &ImageSet,
    triggered: &ImageSet,
) -> Result<Change, PipelineError> {
    let sources = attacked.truth.triggered_sources().unwrap_or_default();
    let places: Vec<usize> = (0..triggered.len()).collect();
    let places = spread(&places, MOST_COMPARED);
    let own: Vec<usize> = places.iter().map(|&place| sources[place]).collect();
    Change::of(&clean.subset(&own), &triggered.subset(&places))
}

/// The mean change of every value of an image.
struct Change(Vec<f64>);

impl Change {
    fn of(before: &ImageSet, after: &ImageSet) -> Result<Self, PipelineError> {
        let mut change = vec![0.0; before.image_len()];
        for index in 0..before.len() {
            let (before, after) = (before.pixels(index)?, after.pixels(index)?);
            for (sum, (&one, &other)) in change.iter_mut().zip(before.iter().zip(&*after)) {
                *sum += f64::from(one.abs_diff(other));
            }
        }
        let count = before.len().max(1) as f64;
        Ok(Self(change.into_iter().map(|sum| sum / count).collect()))
    }

    /// Root of the mean square.
    fn strength(&self) -> f64 {
        (self.product(self) / self.0.len().max(1) as f64).sqrt()
    }

    /// The cosine of the angle between the two; `None` where neither changes anything.
    fn likeness(&self, other: &Self) -> Option<f64> {
        let (own, others) = (self.product(self), other.product(other));
        if own == 0.0 && others == 0.0 {
            return None;
        }
        Some(self.product(other) / (own * others).sqrt().max(f64::MIN_POSITIVE))
    }

    fn product(&self, other: &Self) -> f64 {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(one, other)| one * other).sum()
    }
}

/// Share of the difference between images that is left when both go through the same augmentation; `None` without any of either.
fn left(
    augmentation: &Augmentation,
    seed: u64,
    before: &ImageSet,
    after: &ImageSet,
) -> Result<Option<f64>, PipelineError> {
    if *augmentation == Augmentation::None {
        return Ok(None);
    }
    let size = [before.height(), before.width()];
    let difference = |one: &[u8], other: &[u8]| -> u64 {
        let pairs = one.iter().zip(other);
        pairs
            .map(|(&one, &other)| u64::from(one.abs_diff(other)))
            .sum()
    };
    let (mut whole, mut rest) = (0, 0);
    for index in 0..before.len() {
        let (one, other) = (before.pixels(index)?, after.pixels(index)?);
        for epoch in 0..EPOCHS {
            let seen = |image| augmentation.changed(image, size, seed, epoch, index);
            whole += difference(&one, &other);
            rest += difference(&seen(&one), &seen(&other));
        }
    }
    Ok((whole > 0).then(|| rest as f64 / whole as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(images: &[Vec<u8>], side: usize) -> ImageSet {
        let mut set = ImageSet::new(side, side, vec!["a".into()]);
        for (index, image) in images.iter().enumerate() {
            set.push(index.to_string(), image, 0).expect("fits");
        }
        set
    }

    #[test]
    fn changes_are_compared_in_strength_and_place() {
        let black = set(&[vec![0; 3], vec![0; 3]], 1);
        let change = |pixels: [u8; 3]| {
            Change::of(&black, &set(&[pixels.to_vec(), pixels.to_vec()], 1)).expect("in memory")
        };
        let red = change([30, 0, 0]);
        assert!((red.strength() - 300.0_f64.sqrt()).abs() < 1e-9);
        let likeness = |pixels| red.likeness(&change(pixels)).expect("there is a change");
        assert!((likeness([10, 0, 0]) - 1.0).abs() < 1e-9);
        assert!(likeness([0, 10, 0]).abs() < 1e-9 && likeness([0, 0, 0]).abs() < 1e-9);
        assert!(change([0; 3]).likeness(&change([0; 3])).is_none());
    }

    #[test]
    fn shifts_take_part_of_a_patch_at_the_border_and_none_of_one_in_the_middle() {
        let side = 16;
        let dot_at = |row: usize| {
            let mut image = vec![0; side * side * 3];
            image[(row * side + row) * 3] = 255;
            image
        };
        let left_of = |row, augmentation: &Augmentation| {
            let before = set(&vec![vec![0; side * side * 3]; 50], side);
            let after = set(&vec![dot_at(row); 50], side);
            left(augmentation, 1, &before, &after).expect("in memory")
        };
        let middle = left_of(8, &Augmentation::Crop).expect("changes");
        let corner = left_of(15, &Augmentation::Crop).expect("changes");
        assert!(
            (middle - 1.0).abs() < 1e-9 && corner > 0.2 && corner < 0.6,
            "{corner}"
        );
        assert_eq!(left_of(15, &Augmentation::None), None);
    }
}
