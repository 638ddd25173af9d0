//! Which images are unlearned, which are kept, and which are neither.

use std::collections::BTreeSet;

use cd_core::random;
use cd_data::Manifest;
use rand::seq::SliceRandom;

use super::record::PartCounts;
use super::{Method, MitigationRequest, wrong};
use crate::pipeline::PipelineError;
use crate::run::stage::data::Data;
use crate::run::suspects::Suspected;

/// Parts of the images by their scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// The share of the images, the most suspicious, that is unlearned instead of the flagged ones; above 0 and below 1.
    pub unlearn: Option<f64>,
    /// The share of the images, the least suspicious, that is kept for unlearning; above 0, at most 1. A list has no order: with one,
    /// all others are kept.
    pub safe: f64,
}

impl Default for Shares {
    /// The flagged images, and the 70 % of the Cognitive Distillation paper.
    fn default() -> Self {
        Self {
            unlearn: None,
            safe: 0.7,
        }
    }
}

/// Positions of images, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dealt {
    pub(super) suspects: Vec<usize>,
    pub(super) safe: Vec<usize>,
    rest: Vec<usize>,
}

/// Deals `count` images out; those in `aside` are measured on and in no part that is trained on.
pub(super) fn dealt(
    request: &MitigationRequest,
    suspected: &Suspected,
    count: usize,
    aside: &[usize],
) -> Result<Dealt, PipelineError> {
    let shares = request.shares;
    if let Some(share) = shares
        .unlearn
        .filter(|share| !(*share > 0.0 && *share < 1.0))
    {
        return Err(wrong(
            "unlearn share",
            share,
            "a number above 0 and below 1",
        ));
    }
    if !(shares.safe > 0.0 && shares.safe <= 1.0) {
        return Err(wrong(
            "safe share",
            shares.safe,
            "a number above 0, at most 1",
        ));
    }
    let ranking = &suspected.ranking;
    let suspects = match shares.unlearn {
        None => suspected.flagged.clone(),
        Some(_) if ranking.is_empty() => {
            return Err(wrong(
                "unlearn share",
                "given",
                "to be left out beside a list, which has no order",
            ));
        }
        Some(share) => {
            let most = (share * ranking.len() as f64).round() as usize;
            ranking[..most.min(ranking.len())].to_vec()
        }
    };
    if suspects.is_empty() {
        return Err(PipelineError::Missing(format!(
            "no image is {}, so there is nothing to unlearn; `--unlearn-share 0.025` takes the most suspicious ones",
            suspected.source
        )));
    }
    let kept = kept(request, ranking, count);
    let taken: BTreeSet<usize> = suspects.iter().chain(aside).copied().collect();
    let safe = kept.into_iter().filter(|at| !taken.contains(at)).collect();
    let dealt = Dealt::new(suspects, safe, count);
    if request.control {
        return Ok(dealt.drawn(count, aside, request.unlearning.seed));
    }
    Ok(dealt)
}

/// The images that are not taken for suspicious, before the suspects are taken out.
fn kept(request: &MitigationRequest, ranking: &[usize], count: usize) -> Vec<usize> {
    // Training again needs all that it can get; what was not scored is not suspected.
    if ranking.is_empty() || request.method == Method::Retrain {
        return (0..count).collect();
    }
    let least = (request.shares.safe * ranking.len() as f64).round() as usize;
    ranking[ranking.len() - least.min(ranking.len())..].to_vec()
}

impl Dealt {
    fn new(mut suspects: Vec<usize>, mut safe: Vec<usize>, count: usize) -> Self {
        suspects.sort_unstable();
        safe.sort_unstable();
        let taken: BTreeSet<usize> = suspects.iter().chain(&safe).copied().collect();
        Self {
            rest: (0..count).filter(|at| !taken.contains(at)).collect(),
            suspects,
            safe,
        }
    }

    /// Parts of the same sizes, of images drawn at random.
    fn drawn(&self, count: usize, aside: &[usize], seed: u64) -> Self {
        let aside: BTreeSet<usize> = aside.iter().copied().collect();
        let mut order: Vec<usize> = (0..count).filter(|at| !aside.contains(at)).collect();
        order.shuffle(&mut random::stream(
            seed,
            random::named("mitigation control"),
        ));
        let suspects = self.suspects.len().min(order.len());
        let safe = order.split_off(suspects).into_iter();
        Self::new(order, safe.take(self.safe.len()).collect(), count)
    }

    /// How large the parts are, and how much poison is in each where that is known.
    pub(super) fn counts(&self, data: &Data) -> [PartCounts; 3] {
        let truth = data.truth.as_ref().map(cd_data::Truth::train);
        let poisoned = truth.map(Manifest::is_poisoned);
        [&self.suspects, &self.safe, &self.rest].map(|part| PartCounts {
            images: part.len(),
            poisoned: poisoned
                .as_ref()
                .map(|poisoned| part.iter().filter(|&&at| poisoned[at]).count()),
        })
    }
}

#[cfg(test)]
mod tests {
    use cd_detect::Unlearning;

    use super::*;
    use crate::run::suspects::SuspectSource;

    fn request(method: Method, control: bool) -> MitigationRequest {
        MitigationRequest {
            method,
            suspects: SuspectSource::Detector(None),
            control,
            shares: Shares::default(),
            unlearning: Unlearning::default(),
        }
    }

    fn suspected() -> Suspected {
        Suspected {
            flagged: vec![3, 7],
            ranking: vec![7, 3, 1, 0, 2, 4, 5, 6, 8, 9],
            source: "flagged by cascade".into(),
        }
    }

    #[test]
    fn suspects_are_unlearned_and_the_least_suspicious_kept() {
        let found = dealt(&request(Method::Unlearn, false), &suspected(), 10, &[9]);
        let found = found.expect("dealt");
        assert_eq!(found.suspects, [3, 7]);
        assert_eq!(found.safe, [0, 2, 4, 5, 6, 8]);
        assert_eq!(found.rest, [1, 9]);
        let all = dealt(&request(Method::Retrain, false), &suspected(), 10, &[]);
        assert_eq!(all.expect("dealt").safe, [0, 1, 2, 4, 5, 6, 8, 9]);
    }

    #[test]
    fn the_control_has_parts_of_the_same_sizes() {
        let found = dealt(&request(Method::Unlearn, true), &suspected(), 10, &[9]);
        let found = found.expect("dealt");
        assert_eq!(
            (found.suspects.len(), found.safe.len(), found.rest.len()),
            (2, 6, 2)
        );
        assert!(found.rest.contains(&9));
        assert!(found.suspects.iter().all(|at| !found.safe.contains(at)));
    }

    #[test]
    fn nothing_to_unlearn_and_wrong_shares_are_named() {
        let message = |request: &MitigationRequest, suspected: &Suspected| {
            dealt(request, suspected, 10, &[])
                .expect_err("does not fit")
                .to_string()
        };
        let nobody = Suspected {
            flagged: Vec::new(),
            ..suspected()
        };
        let request = request(Method::Unlearn, false);
        assert!(message(&request, &nobody).contains("no image is flagged by cascade"));
        let shares = |unlearn, safe| MitigationRequest {
            shares: Shares { unlearn, safe },
            ..request.clone()
        };
        assert!(message(&shares(Some(1.5), 0.7), &suspected()).contains("`unlearn share` is 1.5"));
        assert!(message(&shares(None, 0.0), &suspected()).contains("`safe share` is 0"));
        let top = dealt(&shares(Some(0.3), 0.7), &nobody, 10, &[]).expect("dealt");
        assert_eq!(top.suspects, [1, 3, 7]);
    }
}
