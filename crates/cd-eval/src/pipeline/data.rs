//! The data of a run: loaded, trusted images set aside, poisoned.

use std::path::Path;

use cd_data::{DatasetConfig, Manifest, Poisoned, Split, Truth, poison};
use cd_models::{Classifier, ImageSet, NoProgress, StorageError, load_weights, predict};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::{PipelineError, RunOptions};
use crate::experiment::{Experiment, SearchedImages};
use crate::run_dir::RunDir;

/// Random streams of the choices made here.
const TRUSTED_STREAM: u64 = u64::MAX;
const SAMPLE_STREAM: u64 = u64::MAX - 1;

/// Everything that the later stages look at.
#[derive(Debug)]
pub struct Data {
    /// Images under suspicion, as training sees them.
    pub poisoned: Poisoned,
    /// What is true about them; only evaluation and report look at it.
    pub truth: Option<Truth>,
    /// Known clean images for calibration; empty when none were set aside.
    pub trusted: ImageSet,
    /// The images that are searched.
    pub searched: ImageSet,
    /// Positions of the searched images in their split.
    pub positions: Vec<usize>,
    /// Which split they are from.
    pub searched_images: SearchedImages,
    /// Fingerprint of the searched and trusted images, their names and labels.
    pub fingerprint: String,
}

impl Data {
    /// Whether each searched image is poisoned, where that is known.
    pub fn searched_truth(&self) -> Option<Vec<bool>> {
        let truth = self.truth.as_ref()?;
        let manifest = match self.searched_images {
            SearchedImages::Train => truth.train(),
            SearchedImages::Test => truth.test()?,
        };
        let poisoned = manifest.is_poisoned();
        Some(
            self.positions
                .iter()
                .map(|&index| poisoned[index])
                .collect(),
        )
    }
}

/// A fingerprint of sets of images, their names and labels.
fn fingerprint(sets: [&ImageSet; 2]) -> Result<String, StorageError> {
    let mut digest = Sha256::new();
    for set in sets {
        digest.update((set.len() as u64).to_le_bytes());
        digest.update((set.height() as u64).to_le_bytes());
        for (index, label) in set.labels().iter().enumerate() {
            digest.update(label.to_le_bytes());
            digest.update((set.name(index).len() as u64).to_le_bytes());
            digest.update(set.name(index));
        }
        for index in 0..set.len() {
            digest.update(set.pixels(index)?);
        }
    }
    Ok(format!("{:x}", digest.finalize()))
}

pub(super) fn load(
    experiment: &Experiment,
    options: &RunOptions<'_>,
) -> Result<Data, PipelineError> {
    let split = labelled(
        experiment.dataset.load(options.progress)?,
        experiment,
        options,
    )?;
    let (split, trusted) = hold_out(split, experiment)?;
    let (poisoned, truth) = match &experiment.poison {
        Some(config) => {
            let (poisoned, truth) = poison(&split, config)?;
            (poisoned, Some(truth))
        }
        None => (Poisoned::untrusted(split.train, split.test), None),
    };
    let whole = match experiment.detect.images {
        SearchedImages::Train => poisoned.train(),
        SearchedImages::Test => poisoned.test().ok_or_else(|| {
            PipelineError::Missing(
                "`detect.images = \"test\"`, but the data has no test images".into(),
            )
        })?,
    };
    let manifest = truth
        .as_ref()
        .and_then(|truth| match experiment.detect.images {
            SearchedImages::Train => Some(truth.train()),
            SearchedImages::Test => truth.test(),
        });
    let is_poisoned = manifest.map(Manifest::is_poisoned).unwrap_or_default();
    let positions = sample(whole.len(), &is_poisoned, experiment)?;
    let searched = whole.subset(&positions);
    Ok(Data {
        fingerprint: fingerprint([&searched, &trusted])?,
        searched,
        positions,
        searched_images: experiment.detect.images,
        trusted,
        poisoned,
        truth,
    })
}

/// Pictures of unknown class get the class that the given weights predict.
fn labelled(
    split: Split,
    experiment: &Experiment,
    options: &RunOptions<'_>,
) -> Result<Split, PipelineError> {
    let unlabelled =
        matches!(&experiment.dataset, DatasetConfig::Folder(folder) if folder.unlabelled);
    let weights = experiment.weights.as_deref().filter(|_| unlabelled);
    let Some(weights) = weights else {
        return Ok(split);
    };
    let model = load_weights(weights, options.device)?;
    model.check_size(split.train.height(), split.train.width())?;
    let batch_size = experiment.detect.batch_size;
    let predictions = predict(
        &model,
        &split.train,
        batch_size,
        options.device,
        &NoProgress,
    )?;
    let names = (0..model.classes()).map(|class| format!("predicted {class}"));
    let train = split
        .train
        .relabelled(names.collect(), |index| predictions.class(index))
        .expect("a predicted class is below the number of classes");
    Ok(Split { train, ..split })
}

/// Writes what was poisoned, or compares it with what an earlier start of the run wrote.
pub(super) fn keep_manifests(run: &RunDir, data: &Data) -> Result<(), PipelineError> {
    run.stage::<PipelineError>(Path::new("poison"), |folder| {
        let Some(truth) = &data.truth else {
            return Ok(());
        };
        truth.train().write(&folder.join("train.json"))?;
        if let Some(test) = truth.test() {
            test.write(&folder.join("test.json"))?;
        }
        Ok(())
    })?;
    match &data.truth {
        Some(truth) => check_unchanged(run, truth),
        None => Ok(()),
    }
}

/// The data of a continued run must be what it was, or old and new results would be mixed.
fn check_unchanged(run: &RunDir, truth: &Truth) -> Result<(), PipelineError> {
    let path = run.join("poison/train.json");
    let stored = Manifest::read(&path)?;
    if &stored == truth.train() {
        return Ok(());
    }
    Err(PipelineError::Missing(format!(
        "{}: the data set has changed since this run was begun; delete the run's folder to start again",
        path.display()
    )))
}

/// Moves the trusted images out of the test split.
fn hold_out(split: Split, experiment: &Experiment) -> Result<(Split, ImageSet), PipelineError> {
    let wanted = experiment.detect.trusted;
    if wanted == 0 {
        let none = split.train.subset(&[]);
        return Ok((split, none));
    }
    let test = split.test.as_ref().filter(|test| test.len() > wanted);
    let Some(test) = test else {
        let have = split.test.as_ref().map_or(0, ImageSet::len);
        return Err(PipelineError::Missing(format!(
            "`detect.trusted` is {wanted}, but the data set has {have} test images to take them from"
        )));
    };
    let mut order: Vec<usize> = (0..test.len()).collect();
    order.shuffle(&mut random(experiment.seed, TRUSTED_STREAM));
    let (held, rest) = order.split_at_mut(wanted);
    held.sort_unstable();
    rest.sort_unstable();
    let trusted = test.subset(held);
    let rest = test.subset(rest);
    Ok((
        Split {
            test: Some(rest),
            ..split
        },
        trusted,
    ))
}

/// Positions of the searched images, ascending.
fn sample(
    count: usize,
    is_poisoned: &[bool],
    experiment: &Experiment,
) -> Result<Vec<usize>, PipelineError> {
    let all: Vec<usize> = (0..count).collect();
    let Some(wanted) = experiment.detect.sample else {
        return Ok(all);
    };
    let mut random = random(experiment.seed, SAMPLE_STREAM);
    let mut chosen = match experiment.detect.sample_poisoned {
        None if wanted >= count => all,
        None => draw(all, wanted, &mut random),
        Some(share) => {
            let (poisoned, clean): (Vec<usize>, Vec<usize>) =
                all.into_iter().partition(|&at| is_poisoned[at]);
            let rest = wanted.saturating_sub(share);
            if poisoned.len() < share || clean.len() < rest {
                return Err(PipelineError::Missing(format!(
                    "`detect.sample` wants {share} poisoned and {rest} clean images, but there are {} and {}",
                    poisoned.len(),
                    clean.len()
                )));
            }
            let mut both = draw(poisoned, share, &mut random);
            both.extend(draw(clean, rest, &mut random));
            both
        }
    };
    chosen.sort_unstable();
    Ok(chosen)
}

fn draw(mut from: Vec<usize>, wanted: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    from.shuffle(random);
    from.truncate(wanted);
    from
}

fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(detect: &str) -> Experiment {
        let text = format!(
            "name = \"sampled\"\ndataset = {{ name = \"demo\" }}\nmodel = {{ name = \"resnet10\" }}\n\
             poison = {{ rate = 0.1, attack = {{ name = \"badnets\" }} }}\ndetect = {{ {detect} }}\n"
        );
        Experiment::parse(&text, "test", &[]).expect("valid")
    }

    #[test]
    fn a_sample_is_ascending_and_as_large_as_wanted() {
        let is_poisoned: Vec<bool> = (0..50).map(|at| at % 10 == 3).collect();
        let drawn = |detect| sample(50, &is_poisoned, &experiment(detect));
        assert_eq!(drawn("").expect("all"), (0..50).collect::<Vec<_>>());
        assert_eq!(drawn("sample = 90").expect("all").len(), 50);
        let twenty = drawn("sample = 20").expect("enough");
        assert_eq!(twenty.len(), 20);
        assert!(twenty.is_sorted_by(|a, b| a < b), "{twenty:?}");
        let with_four = drawn("sample = 20, sample_poisoned = 4").expect("enough");
        assert!(with_four.is_sorted_by(|a, b| a < b), "{with_four:?}");
        let poisoned = with_four.iter().filter(|&&at| is_poisoned[at]).count();
        assert_eq!((with_four.len(), poisoned), (20, 4));
        let too_many = drawn("sample = 20, sample_poisoned = 6").expect_err("only five");
        assert!(too_many.to_string().contains("5 and 45"), "{too_many}");
    }
}
