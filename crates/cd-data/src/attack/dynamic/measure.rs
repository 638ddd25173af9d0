//! How well the trained networks do on images that were held out.

use cd_models::{Classifier, Model};

use super::{Networks, covered};
use crate::attack::AttackError;
use crate::attack::generator::{Batches, CraftRecord, Likeness, Share};

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
    let [mut sent, mut crossed, mut right] = [Share::default(); 3];
    let mut open = 0.0;
    for indices in batches.held_out.chunks(AT_ONCE) {
        let images = batches.tensor(indices)?;
        let labels = batches.labels(indices);
        let painted = networks.paint(images.clone());
        let mean = painted[1].clone().mean().into_scalar::<f32>();
        open += indices.len() as f64 * f64::from(mean);
        let turned = painted.clone().map(|x| x.roll_dim(1, 0));
        let triggered = covered(images.clone(), painted);
        likeness.add(images.clone(), triggered.clone());
        sent.sent(classifier.logits(triggered), &labels, target);
        let others = covered(images.clone(), turned);
        crossed.right(classifier.logits(others), &labels);
        right.right(classifier.logits(images), &labels);
    }
    record.share("success on held-out images", sent.value());
    record.share("accuracy under other images' patches", crossed.value());
    record.share("accuracy on clean images", right.value());
    record.share("covered by the mask", open / batches.held_out.len() as f64);
    likeness.enter(record);
    Ok(())
}
