//! The triggers that images may carry, and which of them does most.

use cd_core::{Pixels, random};
use cd_models::{batch, to_host};
use rand::seq::SliceRandom;

use super::agreement::{Moments, blends, patch};
use super::moving::Cuts;
use super::turning::{Chosen, Hosts, Turning};
use super::workers::shared_out;
use super::{Groups, RecoveredTrigger, Recovery, Sides};
use crate::cognitive::{CognitiveDistillation, Preset};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::masks::Masks;

/// Most images whose agreement is looked at: they are in memory together.
const STACKED: usize = 64;
/// Most images whose mean is taken.
const AVERAGED: usize = 1000;
/// Fewest images that a mean is compared with.
pub(super) const FEWEST_COMPARED: usize = 8;
/// A candidate that does so much needs no other beside it.
const ENOUGH: f64 = 0.9;

/// A kind of trigger.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Patch,
    Blend,
    Moving,
}

impl Kind {
    /// All of them, in the order in which they are looked at.
    pub(super) const ALL: [Self; 3] = [Self::Patch, Self::Blend, Self::Moving];
}

/// What candidates are made from.
pub(super) struct Candidates<'a> {
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) masks: Option<&'a Masks>,
    pub(super) groups: &'a Groups,
    pub(super) settings: &'a Recovery,
}

impl Candidates<'_> {
    /// The trigger of the images `inside`, of one of these `kinds`, that turns most of the hosts for choosing, and how many kinds were
    /// looked at: patches at varying places cost a search and are left alone where another is enough. `None` where no pixel stands out.
    pub(super) fn best(
        &self,
        inside: &[usize],
        kinds: &[Kind],
        turning: &Turning<'_>,
        hosts: &Hosts,
    ) -> Result<Option<(Chosen, usize)>, DetectError> {
        let mut best: Option<Chosen> = None;
        let enough = |best: &Option<Chosen>| best.as_ref().is_some_and(|best| best.merit >= ENOUGH);
        let mut looked_at = 0;
        for &kind in kinds {
            if enough(&best) {
                break;
            }
            looked_at += 1;
            for trigger in self.of(kind, inside)? {
                let found = turning.chosen(trigger, hosts)?;
                if best.as_ref().is_none_or(|best| found.merit > best.merit) {
                    best = Some(found);
                }
            }
        }
        Ok(best.map(|best| (best, looked_at)))
    }

    fn of(&self, kind: Kind, inside: &[usize]) -> Result<Vec<RecoveredTrigger>, DetectError> {
        match kind {
            Kind::Patch => self.patches(inside),
            Kind::Blend => self.blends(inside),
            Kind::Moving => self.moving(inside),
        }
    }

    fn patches(&self, inside: &[usize]) -> Result<Vec<RecoveredTrigger>, DetectError> {
        let others = &self.groups.sides.others;
        let found = drawn_patch(self.evidence.images, inside, others, self.settings.seed)?;
        Ok(found.into_iter().collect())
    }

    fn blends(&self, inside: &[usize]) -> Result<Vec<RecoveredTrigger>, DetectError> {
        let images = self.evidence.images;
        let (inside, usual) =
            drawn_moments(images, inside, &self.groups.sides, self.settings.seed)?;
        let found = usual.iter().map(|usual| blends(images, &inside, usual));
        Ok(found.flatten().collect())
    }

    fn moving(&self, inside: &[usize]) -> Result<Vec<RecoveredTrigger>, DetectError> {
        if self.settings.masks == 0 {
            return Ok(Vec::new());
        }
        let inside = drawn(inside, self.settings.masks, self.settings.seed, "masks");
        let known = self.masks.map(|masks| known(masks, &inside)).transpose()?;
        let masks = match known.flatten() {
            Some(masks) => masks,
            None => self.searched(&inside)?,
        };
        Ok(Cuts::of(self.evidence.images, &inside, &masks)?.triggers())
    }

    fn searched(&self, indices: &[usize]) -> Result<Vec<Vec<f32>>, DetectError> {
        let method = CognitiveDistillation::logits().with_preset(Preset::Fast);
        let pixels = self.evidence.images;
        let method = method
            .with_seed(self.settings.seed)
            .scaled_to(pixels.height(), pixels.width());
        shared_out(self.evidence, indices, |part| {
            let images = batch(pixels, part, self.evidence.compute.device)?;
            let numbers: Vec<u64> = part.iter().map(|&index| index as u64).collect();
            let found = method.distill(self.evidence.model, images, &numbers)?.masks;
            let [_, channels, height, width] = found.dims();
            let values = to_host(found);
            let each = values.chunks(channels * height * width);
            Ok(each.map(|mask| averaged(channels, mask)).collect())
        })
    }
}

/// The patch of the images `inside` beside those of other classes; of either some stand for all.
pub(super) fn drawn_patch(
    images: Pixels<'_>,
    inside: &[usize],
    others: &[usize],
    seed: u64,
) -> Result<Option<RecoveredTrigger>, DetectError> {
    let inside = drawn(inside, STACKED, seed, "patch");
    let others = drawn(others, STACKED, seed, "patch, others");
    Ok(patch(images, &inside, &others)?)
}

/// The moments of the images `inside`, and what they are compared with where there are enough: the images of other classes, which is what
/// relabelled images are, and the others of the class, which is what images that keep their label are.
pub(super) fn drawn_moments(
    images: Pixels<'_>,
    inside: &[usize],
    sides: &Sides,
    seed: u64,
) -> Result<(Moments, Vec<Moments>), DetectError> {
    let of =
        |all: &[usize], purpose: &str| Moments::of(images, &drawn(all, AVERAGED, seed, purpose));
    let compared = [&sides.others, &sides.own].into_iter();
    let compared = compared.filter(|all| all.len() >= FEWEST_COMPARED);
    let usual = compared.map(|all| of(all, "blend, others"));
    let usual = usual.collect::<Result<_, _>>()?;
    Ok((of(inside, "blend")?, usual))
}

fn to_shares(mask: &[u8]) -> Vec<f32> {
    mask.iter().map(|&value| f32::from(value) / 255.0).collect()
}

/// The masks of `images`, averaged over their channels; `None` where one of them has none.
fn known(masks: &Masks, images: &[usize]) -> Result<Option<Vec<Vec<f32>>>, DetectError> {
    let mut found = Vec::with_capacity(images.len());
    for &image in images {
        let Some(mask) = masks.of_image(image)? else {
            return Ok(None);
        };
        found.push(averaged(masks.shape()[0], &to_shares(&mask)));
    }
    Ok(Some(found))
}

/// The mean of the channels of a mask, `[channels, H, W]` to `[H, W]`.
fn averaged(channels: usize, mask: &[f32]) -> Vec<f32> {
    let plane = mask.len() / channels.max(1);
    (0..plane)
        .map(|at| {
            let values = (0..channels).map(|channel| mask[channel * plane + at]);
            values.sum::<f32>() / channels as f32
        })
        .collect()
}

/// At most `count` of `all`, drawn for a purpose; in ascending order where some are left out.
pub(super) fn drawn(all: &[usize], count: usize, seed: u64, purpose: &str) -> Vec<usize> {
    if count >= all.len() {
        return all.to_vec();
    }
    let mut some = shuffled(all, seed, purpose);
    some.truncate(count);
    some.sort_unstable();
    some
}

/// All of them in an order for a purpose.
pub(super) fn shuffled(all: &[usize], seed: u64, purpose: &str) -> Vec<usize> {
    let mut order = all.to_vec();
    order.shuffle(&mut random::stream(seed, random::named(purpose)));
    order
}
