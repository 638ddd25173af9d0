//! How well the trained networks do on images that were held out.

use cd_models::{Classifier, Model};

use super::{Networks, covered};
use crate::attack::AttackError;
use crate::attack::generator::{Batches, CraftRecord, Likeness, accuracy};

/// Images at once.
const AT_ONCE: usize = 64;

/// Enters success, what other images' patches do, accuracy and likeness.
pub(super) fn enter(
    batches: &Batches<'_>,
    networks: &Networks,
    classifier: &Model,
    target: u32,
    record: &mut CraftRecord,
) -> Result<(), AttackError> {
    let mut likeness = Likeness::default();
    let [mut right, mut crossed, mut covered_share] = [0.0; 3];
    let (mut sent, mut of_others) = (0.0, 0.0);
    for indices in batches.held_out.chunks(AT_ONCE) {
        let images = batches.tensor(indices)?;
        let labels = batches.labels(indices);
        let count = indices.len() as f64;
        let painted = networks.paint(images.clone());
        covered_share += count * f64::from(painted[1].clone().mean().into_scalar::<f32>());
        let turned = painted.clone().map(|x| x.roll_dim(1, 0));
        let triggered = covered(images.clone(), painted);
        likeness.add(images.clone(), triggered.clone());
        let scores = |images| classifier.logits(images);
        right += count * accuracy(scores(images.clone()), &labels);
        crossed += count * accuracy(scores(covered(images, turned)), &labels);
        let others: Vec<usize> = (0..labels.len())
            .filter(|&at| labels[at] != target)
            .collect();
        if !others.is_empty() {
            let of_target = vec![target; others.len()];
            let chosen = others.iter().map(|&at| triggered.clone().narrow(0, at, 1));
            let chosen = cd_models::burn::tensor::Tensor::cat(chosen.collect(), 0);
            sent += others.len() as f64 * accuracy(scores(chosen), &of_target);
            of_others += others.len() as f64;
        }
    }
    let count = batches.held_out.len() as f64;
    record.share(
        "success on held-out images",
        sent / f64::max(of_others, 1.0),
    );
    record.share("accuracy under other images' patches", crossed / count);
    record.share("accuracy on clean images", right / count);
    record.share("covered by the mask", covered_share / count);
    likeness.enter(record);
    Ok(())
}
