//! What each member says of every image, on one scale.

use crate::compute::Store;
use crate::detection::{Detection, Direction};
use crate::detector::DetectorConfig;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::statistics::ranks;

/// The members that took part.
#[derive(Debug, Default)]
pub(crate) struct Witnesses {
    /// Names of the members that do not fit this classifier.
    pub(crate) unfit: Vec<&'static str>,
    /// Of each member the place of every image, from 0 to 1, the most suspicious last.
    pub(crate) places: Vec<Vec<f64>>,
}

impl Witnesses {
    /// Runs `members`; `None` when parts of other shards are missing.
    pub(super) fn of(
        members: &[DetectorConfig],
        evidence: &Evidence<'_>,
    ) -> Result<Option<Self>, DetectError> {
        let mut witnesses = Self::default();
        let mut complete = true;
        for (number, member) in members.iter().enumerate() {
            // Members may sweep under the same name.
            let folder = evidence
                .compute
                .store
                .map(|store| store.folder.join(format!("member-{number}")));
            let mut own = *evidence;
            own.compute.store = evidence
                .compute
                .store
                .zip(folder.as_deref())
                .map(|(store, folder)| Store { folder, ..store });
            match member.detector().detect(&own) {
                Ok(Some(found)) => witnesses.places.push(places(&found)),
                Ok(None) => complete = false,
                Err(DetectError::Unfit { detector, .. }) => witnesses.unfit.push(detector),
                Err(error) => return Err(error),
            }
        }
        Ok(complete.then_some(witnesses))
    }

    /// The more suspicious of what the members say of each of `count` images: the largest of its places.
    pub(super) fn most_suspicious(&self, count: usize) -> Vec<f64> {
        let largest = |image: usize| {
            self.places
                .iter()
                .map(|places| places[image])
                .fold(0.0, f64::max)
        };
        (0..count).map(largest).collect()
    }
}

fn places(found: &Detection) -> Vec<f64> {
    let suspicion: Vec<f64> = match found.measure.direction {
        Direction::High => found.raw.clone(),
        Direction::Low => found.raw.iter().map(|raw| -raw).collect(),
    };
    ranks(&suspicion)
}
