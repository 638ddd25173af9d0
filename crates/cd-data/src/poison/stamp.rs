//! Puts the trigger into the images of a plan, so many at a time.

use cd_core::random::stream;
use cd_core::{ImageSet, Progress, Task};
use rayon::prelude::*;

use super::PoisonError;
use super::overlay::Which;
use super::plan::{PlanEntry, PoisonPlan};
use super::select::Purpose;
use crate::IMAGES_AT_ONCE;
use crate::attack::{Batch, Role, Trigger};

/// The images of one split that get the trigger, in the order in which they are stored.
#[derive(Debug)]
pub(super) struct Stamping<'a> {
    pub(super) split: Which,
    clean: &'a ImageSet,
    /// With the number of the random stream of each.
    entries: Vec<(PlanEntry, u64)>,
    seed: u64,
}

impl<'a> Stamping<'a> {
    /// Images that are replaced, ascending, then those that are appended.
    pub(super) fn train(clean: &'a ImageSet, plan: &PoisonPlan, seed: u64) -> Self {
        let stream = |index| Purpose::StampTrain.stream(index);
        let replaced = plan
            .train
            .iter()
            .map(|entry| (*entry, stream(entry.source)));
        let appended = plan.appended.iter().zip(clean.len()..);
        let appended = appended.map(|(entry, place)| (*entry, stream(place)));
        Self {
            split: Which::Train,
            clean,
            entries: replaced.chain(appended).collect(),
            seed,
        }
    }

    /// Triggered images, ascending.
    pub(super) fn test(clean: &'a ImageSet, plan: &PoisonPlan, seed: u64) -> Self {
        let stream = |entry: &PlanEntry| Purpose::StampTest.stream(entry.source);
        let triggered = plan.triggered.iter();
        Self {
            split: Which::Test,
            clean,
            entries: triggered.map(|entry| (*entry, stream(entry))).collect(),
            seed,
        }
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of an image.
    pub(super) fn image_len(&self) -> usize {
        self.clean.image_len()
    }

    /// Gives every stamped image with its number to `take`, in order.
    pub(super) fn run(
        &self,
        trigger: &dyn Trigger,
        progress: &dyn Progress,
        mut take: impl FnMut(usize, &[u8]) -> Result<(), PoisonError>,
    ) -> Result<(), PoisonError> {
        let task = Task::start(progress, "stamping images", Some(self.len() as u64));
        for (part, entries) in self.entries.chunks(IMAGES_AT_ONCE).enumerate() {
            let mut images: Vec<Vec<u8>> = vec![Vec::new(); entries.len()];
            for role in [Role::Train, Role::Cover, Role::Test] {
                self.stamp(trigger, entries, role, &mut images)?;
            }
            for (pixels, number) in images.iter().zip(part * IMAGES_AT_ONCE..) {
                take(number, pixels)?;
            }
            task.advance(entries.len() as u64);
        }
        Ok(())
    }

    /// Fills in the images of one role.
    fn stamp(
        &self,
        trigger: &dyn Trigger,
        entries: &[(PlanEntry, u64)],
        role: Role,
        images: &mut [Vec<u8>],
    ) -> Result<(), PoisonError> {
        let of_role: Vec<usize> = (0..entries.len())
            .filter(|&at| entries[at].0.role == role)
            .collect();
        if of_role.is_empty() {
            return Ok(());
        }
        let clean: Vec<_> = of_role
            .par_iter()
            .map(|&at| self.clean.pixels(entries[at].0.source))
            .collect();
        let mut batch = Batch::new(self.clean.height(), self.clean.width());
        for (&at, pixels) in of_role.iter().zip(clean) {
            let (entry, number) = entries[at];
            let random = stream(self.seed, number);
            batch.push(&pixels?, entry.source, entry.label, random)?;
        }
        trigger.apply(&mut batch, role)?;
        let stamped = batch.pixels().chunks_exact(batch.image_len());
        for (&at, pixels) in of_role.iter().zip(stamped) {
            images[at] = pixels.to_vec();
        }
        Ok(())
    }
}
