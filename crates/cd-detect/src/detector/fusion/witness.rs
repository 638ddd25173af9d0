//! What each member says of every image, on one scale.

use super::views::in_folder;
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
            let run = |evidence: &Evidence<'_>| member.detector().detect(evidence);
            match in_folder(evidence, &format!("member-{number}"), run) {
                Ok(Some(found)) => witnesses.places.push(places(&found)),
                Ok(None) => complete = false,
                Err(DetectError::Unfit { detector, .. }) => witnesses.unfit.push(detector),
                Err(error) => return Err(error),
            }
        }
        Ok(complete.then_some(witnesses))
    }

    /// One more, of which a large number is suspicious.
    pub(super) fn add(&mut self, suspicion: &[f64]) {
        self.places.push(ranks(suspicion));
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

/// The place of every image, from 0 to 1, the most suspicious last.
pub(in crate::detector) fn places(found: &Detection) -> Vec<f64> {
    let suspicion: Vec<f64> = match found.measure.direction {
        Direction::High => found.raw.clone(),
        Direction::Low => found.raw.iter().map(|raw| -raw).collect(),
    };
    ranks(&suspicion)
}
