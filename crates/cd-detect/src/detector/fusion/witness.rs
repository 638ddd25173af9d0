//! What each member says of every image, on one scale.

use crate::detector::DetectorConfig;
use crate::detector::members::{Heard, places};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::statistics::ranks;

/// The members that took part.
#[derive(Debug)]
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
        Ok(Heard::of(members, evidence)?.map(|heard| Self {
            places: heard.found.iter().map(|(_, one)| places(one)).collect(),
            unfit: heard.unfit,
        }))
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
