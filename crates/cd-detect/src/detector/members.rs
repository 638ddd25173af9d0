//! What a detector hears from others that it runs.

use super::DetectorConfig;
use crate::compute::{Compute, Store};
use crate::detection::{Detection, Direction};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::statistics::ranks;

/// What members found.
pub(super) struct Heard {
    /// In the order of the members, with their names.
    pub(super) found: Vec<(&'static str, Detection)>,
    /// Names of the members that do not fit this classifier.
    pub(super) unfit: Vec<&'static str>,
}

impl Heard {
    /// Runs `members`, all of them before anything is said of one: other shards may not have come so far. `None` when parts of those are
    /// missing.
    pub(super) fn of(
        members: &[DetectorConfig],
        evidence: &Evidence<'_>,
    ) -> Result<Option<Self>, DetectError> {
        let (mut found, mut unfit) = (Vec::new(), Vec::new());
        let mut is_complete = true;
        for (number, member) in members.iter().enumerate() {
            let detector = member.detector();
            let run = |evidence: &Evidence<'_>| detector.detect(evidence);
            match in_folder(evidence, &format!("member-{number}"), run) {
                Ok(Some(detection)) => found.push((detector.info().name, detection)),
                Ok(None) => is_complete = false,
                Err(DetectError::Unfit { detector, .. }) => unfit.push(detector),
                Err(error) => return Err(error),
            }
        }
        Ok(is_complete.then_some(Self { found, unfit }))
    }
}

/// The place of every image, from 0 to 1, the most suspicious last.
pub(super) fn places(found: &Detection) -> Vec<f64> {
    let suspicion: Vec<f64> = match found.measure.direction {
        Direction::High => found.raw.clone(),
        Direction::Low => found.raw.iter().map(|raw| -raw).collect(),
    };
    ranks(&suspicion)
}

/// What `run` makes of the evidence when its partial results lie in a folder of their own: several may sweep under the same name.
pub(super) fn in_folder<T>(
    evidence: &Evidence<'_>,
    name: &str,
    run: impl FnOnce(&Evidence<'_>) -> T,
) -> T {
    let Some(store) = evidence.compute.store else {
        return run(evidence);
    };
    let folder = store.folder.join(name);
    let store = Store {
        folder: &folder,
        ..store
    };
    let compute = Compute {
        store: Some(store),
        ..evidence.compute
    };
    run(&Evidence {
        compute,
        ..*evidence
    })
}
