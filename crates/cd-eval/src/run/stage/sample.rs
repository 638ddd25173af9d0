//! Which images are searched, and which are set aside as trusted.

use cd_core::random::{named, stream};
use cd_data::Split;
use cd_models::ImageSet;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::experiment::DetectStage;
use crate::pipeline::PipelineError;

/// Moves the trusted images out of the test split.
pub(super) fn hold_out(
    split: Split,
    detect: &DetectStage,
) -> Result<(Split, ImageSet), PipelineError> {
    let wanted = detect.trusted;
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
    order.shuffle(&mut stream(detect.seed, named("trusted")));
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
pub(super) fn positions(
    count: usize,
    is_poisoned: &[bool],
    detect: &DetectStage,
) -> Result<Vec<usize>, PipelineError> {
    let all: Vec<usize> = (0..count).collect();
    let Some(wanted) = detect.sample else {
        return Ok(all);
    };
    let mut random = stream(detect.seed, named("sample"));
    let mut chosen = match detect.sample_poisoned {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_ascending_and_as_large_as_wanted() {
        let is_poisoned: Vec<bool> = (0..50).map(|at| at % 10 == 3).collect();
        let drawn = |sample, sample_poisoned| {
            let detect = DetectStage {
                sample,
                sample_poisoned,
                ..DetectStage::default()
            };
            positions(50, &is_poisoned, &detect)
        };
        assert_eq!(drawn(None, None).expect("all"), (0..50).collect::<Vec<_>>());
        assert_eq!(drawn(Some(90), None).expect("all").len(), 50);
        let twenty = drawn(Some(20), None).expect("enough");
        assert_eq!(twenty.len(), 20);
        assert!(twenty.is_sorted_by(|a, b| a < b), "{twenty:?}");
        let with_four = drawn(Some(20), Some(4)).expect("enough");
        assert!(with_four.is_sorted_by(|a, b| a < b), "{with_four:?}");
        let poisoned = with_four.iter().filter(|&&at| is_poisoned[at]).count();
        assert_eq!((with_four.len(), poisoned), (20, 4));
        let too_many = drawn(Some(20), Some(6)).expect_err("only five");
        assert!(too_many.to_string().contains("5 and 45"), "{too_many}");
    }
}
