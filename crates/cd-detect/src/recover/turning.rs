//! How many images turn to a class when something is put on them.

use std::collections::BTreeMap;

use cd_core::{CHANNELS, random};
use cd_models::burn::tensor::Tensor;
use cd_models::{one_batch, to_host};
use rand::Rng;

use super::Recovery;
use super::candidates::{drawn, shuffled};
use super::trigger::{Form, RecoveredTrigger};
use super::workers::shared_out;
use crate::error::DetectError;
use crate::evidence::Evidence;

/// Images for choosing of each other class, over all of them, and as a share of what there is.
const OF_CLASS: usize = 6;
const MOST: usize = 240;
const SHARE: f64 = 0.4;
/// Fewest images of a class that show whether it answers to a trigger, and the share of them that then turns.
const FEWEST: usize = 4;
const ANSWERING: f64 = 0.5;

/// Images of other classes: some to choose a trigger by, the others to prove it on.
pub(super) struct Hosts {
    choosing: Vec<(usize, u32)>,
    rest: Vec<usize>,
}

impl Hosts {
    /// Deals `hosts` out, class by class.
    pub(super) fn split(
        evidence: &Evidence<'_>,
        hosts: &[usize],
        settings: &Recovery,
    ) -> Result<Self, DetectError> {
        let labels = evidence.labels()?;
        let order = shuffled(hosts, settings.seed, "hosts");
        let mut taken: BTreeMap<u32, usize> = BTreeMap::new();
        let ranked = order.into_iter().map(|index| {
            let rank = taken.entry(labels[index]).or_default();
            *rank += 1;
            (*rank, index)
        });
        let mut ranked: Vec<(usize, usize)> = ranked.collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let most = MOST.min((SHARE * hosts.len() as f64) as usize).max(1);
        let choosing = ranked.iter().take_while(|(rank, _)| *rank <= OF_CLASS);
        let count = choosing.count().min(most);
        let (choosing, rest) = ranked.split_at(count);
        Ok(Self {
            choosing: choosing
                .iter()
                .map(|(_, index)| (*index, labels[*index]))
                .collect(),
            rest: rest.iter().map(|(_, index)| *index).collect(),
        })
    }

    /// The images that a trigger is chosen by.
    pub(super) fn choosing(&self) -> Vec<usize> {
        self.choosing.iter().map(|(index, _)| *index).collect()
    }

    /// The images of the proof: of `sources`, where those are told, and none that a trigger was chosen by.
    pub(super) fn proof(
        &self,
        evidence: &Evidence<'_>,
        sources: Option<&[u32]>,
        settings: &Recovery,
    ) -> Result<Vec<usize>, DetectError> {
        let labels = evidence.labels()?;
        let of_sources = |index: &usize| sources.is_none_or(|all| all.contains(&labels[*index]));
        let mut rest: Vec<usize> = self.rest.iter().copied().filter(of_sources).collect();
        rest.sort_unstable();
        Ok(drawn(&rest, settings.images, settings.seed, "proof"))
    }
}

/// A trigger and how much it does.
pub(super) struct Chosen {
    pub(super) trigger: RecoveredTrigger,
    /// Share of the images that turn, 0 to 1; half of that for one that a few classes answer to.
    pub(super) merit: f64,
    /// The classes that answer, where not most images turn.
    pub(super) sources: Option<Vec<u32>>,
}

/// Asks the classifier.
pub(super) struct Turning<'a> {
    evidence: &'a Evidence<'a>,
    class: u32,
    seed: u64,
}

impl<'a> Turning<'a> {
    pub(super) fn new(evidence: &'a Evidence<'a>, class: u32, seed: u64) -> Self {
        Self {
            evidence,
            class,
            seed,
        }
    }

    /// How much `trigger` does to the hosts for choosing.
    pub(super) fn chosen(
        &self,
        trigger: RecoveredTrigger,
        hosts: &Hosts,
    ) -> Result<Chosen, DetectError> {
        let turned = self.by(&trigger, &hosts.choosing())?;
        let mut classes: BTreeMap<u32, [usize; 2]> = BTreeMap::new();
        for ((_, label), turned) in hosts.choosing.iter().zip(&turned) {
            let [hits, all] = classes.entry(*label).or_default();
            *hits += usize::from(*turned);
            *all += 1;
        }
        let share = |[hits, all]: [usize; 2]| hits as f64 / all.max(1) as f64;
        let whole = |counts: &mut dyn Iterator<Item = [usize; 2]>| {
            counts.fold([0, 0], |sum, count| [sum[0] + count[0], sum[1] + count[1]])
        };
        let overall = share(whole(&mut classes.values().copied()));
        let answering: Vec<(u32, [usize; 2])> = classes
            .into_iter()
            .filter(|(_, counts)| counts[1] >= FEWEST && share(*counts) >= ANSWERING)
            .collect();
        if overall >= ANSWERING || answering.is_empty() {
            return Ok(Chosen {
                trigger,
                merit: overall,
                sources: None,
            });
        }
        let among = share(whole(&mut answering.iter().map(|(_, counts)| *counts)));
        Ok(Chosen {
            trigger,
            merit: overall.max(among / 2.0),
            sources: Some(answering.into_iter().map(|(class, _)| class).collect()),
        })
    }

    /// Which of the images at `indices` turn when they carry `trigger`.
    pub(super) fn by(
        &self,
        trigger: &RecoveredTrigger,
        indices: &[usize],
    ) -> Result<Vec<bool>, DetectError> {
        self.with(indices, |index, pixels| {
            Ok(trigger.put(pixels, index, self.seed))
        })
    }

    /// Which of them turn when a random crop of one of `donors` takes the place of `trigger`, in its size and strength.
    pub(super) fn by_crops(
        &self,
        trigger: &RecoveredTrigger,
        donors: &[usize],
        indices: &[usize],
    ) -> Result<Vec<bool>, DetectError> {
        self.with(indices, |index, pixels| {
            let purpose = self.seed ^ random::named("crop");
            let mut draw = random::stream(purpose, index as u64);
            let donor = donors[draw.random_range(0..donors.len())];
            let donor = self.evidence.images.get(donor)?;
            let [top, left, height, width] = trigger.extent();
            let row = draw.random_range(0..=trigger.height - height);
            let column = draw.random_range(0..=trigger.width - width);
            let crop = crop(trigger, &donor, [top, left], [row, column], [height, width]);
            Ok(crop.put(pixels, index, self.seed))
        })
    }

    fn with(
        &self,
        indices: &[usize],
        put: impl Fn(usize, &[u8]) -> Result<Vec<u8>, DetectError> + Sync,
    ) -> Result<Vec<bool>, DetectError> {
        let Evidence {
            images, compute, ..
        } = self.evidence;
        let [height, width] = [images.height(), images.width()];
        let part = |part: &[usize]| -> Result<Vec<bool>, DetectError> {
            let tensors = part.iter().map(|&index| {
                let changed = put(index, &images.get(index)?)?;
                Ok(one_batch(&changed, height, width, compute.device))
            });
            let tensors = tensors.collect::<Result<Vec<_>, DetectError>>()?;
            let logits = self.evidence.model.logits(Tensor::cat(tensors, 0));
            let classes = logits.dims()[1].max(1);
            let logits = to_host(logits);
            let each = logits.chunks(classes).zip(part);
            each.map(|(logits, &index)| {
                if logits.iter().any(|logit| !logit.is_finite()) {
                    return Err(DetectError::ModelOutput {
                        index: index as u64,
                    });
                }
                let own = logits.get(self.class as usize);
                Ok(own.is_some_and(|own| logits.iter().all(|other| other <= own)))
            })
            .collect()
        };
        shared_out(self.evidence, indices, part)
    }
}

/// What takes the place of `trigger`: the part of `donor` whose upper left corner is at `from` instead of at `to`.
fn crop(
    trigger: &RecoveredTrigger,
    donor: &[u8],
    to: [usize; 2],
    from: [usize; 2],
    sides: [usize; 2],
) -> RecoveredTrigger {
    let value = |row: usize, column: usize, channel: usize| {
        f32::from(donor[(row * trigger.width + column) * CHANNELS + channel])
    };
    let form = match &trigger.form {
        Form::Laid { mask, .. } => {
            let mut pattern = vec![0.0; mask.len() * CHANNELS];
            for row in 0..sides[0] {
                for column in 0..sides[1] {
                    for channel in 0..CHANNELS {
                        let at = ((to[0] + row) * trigger.width + to[1] + column) * CHANNELS;
                        pattern[at + channel] = value(from[0] + row, from[1] + column, channel);
                    }
                }
            }
            Form::Laid {
                pattern,
                mask: mask.clone(),
            }
        }
        Form::Moving { mask, sides, .. } => {
            let pixels = (0..sides[0]).flat_map(|row| (0..sides[1]).map(move |c| [row, c]));
            let pattern = pixels.flat_map(|[row, column]| {
                [0, 1, 2].map(|channel| value(from[0] + row, from[1] + column, channel))
            });
            Form::Moving {
                pattern: pattern.collect(),
                mask: mask.clone(),
                sides: *sides,
            }
        }
        Form::Added { change } => Form::Added {
            change: equally_strong(donor, change),
        },
    };
    RecoveredTrigger { form, ..*trigger }
}

/// The differences of `donor` from its mean, as large as `change` in the root of the mean square.
fn equally_strong(donor: &[u8], change: &[f32]) -> Vec<f32> {
    let count = donor.len().max(1) as f32;
    let mean = donor.iter().map(|&value| f32::from(value)).sum::<f32>() / count;
    let differences: Vec<f32> = donor.iter().map(|&value| f32::from(value) - mean).collect();
    let size = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let factor = size(change) / size(&differences).max(f32::MIN_POSITIVE);
    differences.iter().map(|value| factor * value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crop_takes_the_place_and_the_mask_of_a_patch() {
        let trigger = RecoveredTrigger {
            height: 2,
            width: 2,
            form: Form::Laid {
                pattern: vec![255.0; 12],
                mask: vec![0.0, 0.0, 0.0, 1.0],
            },
        };
        let donor: Vec<u8> = (0..12).collect();
        let crop = crop(&trigger, &donor, [1, 1], [0, 1], [1, 1]);
        let put = crop.put(&[100; 12], 0, 0);
        assert_eq!(put[..9], [100; 9]);
        assert_eq!(put[9..], [3, 4, 5]);
    }

    #[test]
    fn an_added_crop_is_as_strong_as_what_it_stands_for() {
        let change = equally_strong(&[0, 100, 200], &[3.0, -4.0, 0.0]);
        let size: f32 = change.iter().map(|c| c * c).sum::<f32>().sqrt();
        assert!((size - 5.0).abs() < 1e-4);
        assert!(change[1].abs() < 1e-4);
    }
}
