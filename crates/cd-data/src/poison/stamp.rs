//! Puts the trigger into the images of a plan, so many at a time.

use cd_core::random::stream;
use cd_core::{ImageSet, Progress, Task};
use rayon::prelude::*;

use super::PoisonError;
use super::overlay::Which;
use super::plan::{PlanEntry, PoisonPlan};
use super::select::Purpose;
use crate::attack::{Batch, Place, Role, Trigger};
use crate::images_at_once;

/// The roles in the order in which they are declared.
const ROLES: [Role; 3] = [Role::Train, Role::Cover, Role::Test];

/// The images of one split that get the trigger, in the order in which they are stored.
#[derive(Debug)]
pub(super) struct Stamping<'a> {
    pub(super) split: Which,
    clean: &'a ImageSet,
    images: Vec<Stamped>,
    seed: u64,
}

/// One image that gets the trigger.
#[derive(Debug, Clone, Copy)]
struct Stamped {
    entry: PlanEntry,
    /// Number of its random stream.
    stream: u64,
    /// Position among the images of its role.
    rank: usize,
}

/// The images with their positions among those of their role.
fn ranked(entries: impl Iterator<Item = (PlanEntry, u64)>) -> Vec<Stamped> {
    let mut seen = [0; ROLES.len()];
    let ranked = entries.map(|(entry, stream)| {
        let of_role = &mut seen[entry.role as usize];
        *of_role += 1;
        Stamped {
            entry,
            stream,
            rank: *of_role - 1,
        }
    });
    ranked.collect()
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
            images: ranked(replaced.chain(appended)),
            seed,
        }
    }

    /// Images of a set for which there is no plan.
    pub(super) fn listed(clean: &'a ImageSet, entries: Vec<PlanEntry>, seed: u64) -> Self {
        let stream = |entry: &PlanEntry| match entry.role {
            Role::Test => Purpose::StampTest.stream(entry.source),
            Role::Train | Role::Cover => Purpose::StampTrain.stream(entry.source),
        };
        Self {
            split: Which::Train,
            clean,
            images: ranked(entries.iter().map(|entry| (*entry, stream(entry)))),
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
            images: ranked(triggered.map(|entry| (*entry, stream(entry)))),
            seed,
        }
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.images.len()
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
        let of_role = |role| {
            self.images
                .iter()
                .filter(move |image| image.entry.role == role)
        };
        let counts = ROLES.map(|role| of_role(role).count());
        let at_once = images_at_once(self.image_len());
        for (part, entries) in self.images.chunks(at_once).enumerate() {
            let mut images: Vec<Vec<u8>> = vec![Vec::new(); entries.len()];
            for (role, count) in ROLES.into_iter().zip(counts) {
                self.stamp(trigger, entries, (role, count), &mut images)?;
            }
            for (pixels, number) in images.iter().zip(part * at_once..) {
                take(number, pixels)?;
            }
            task.advance(entries.len() as u64);
        }
        Ok(())
    }

    /// Fills in the images of one role, of which there are so many in all.
    fn stamp(
        &self,
        trigger: &dyn Trigger,
        entries: &[Stamped],
        (role, count): (Role, usize),
        images: &mut [Vec<u8>],
    ) -> Result<(), PoisonError> {
        let of_role: Vec<usize> = (0..entries.len())
            .filter(|&at| entries[at].entry.role == role)
            .collect();
        if of_role.is_empty() {
            return Ok(());
        }
        let clean: Vec<_> = of_role
            .par_iter()
            .map(|&at| self.clean.pixels(entries[at].entry.source))
            .collect();
        let mut batch = Batch::new(self.clean.height(), self.clean.width());
        for (&at, pixels) in of_role.iter().zip(clean) {
            let image = entries[at];
            let place = Place {
                index: image.entry.source,
                label: image.entry.label,
                rank: image.rank,
                count,
            };
            batch.push_at(&pixels?, place, stream(self.seed, image.stream))?;
        }
        trigger.apply(&mut batch, role)?;
        let stamped = batch.pixels().chunks_exact(batch.image_len());
        for (&at, pixels) in of_role.iter().zip(stamped) {
            images[at] = pixels.to_vec();
        }
        Ok(())
    }
}
