//! The verdict on the set: `verdict.json`, composed from what the stages before it keep.

use std::collections::BTreeMap;
use std::path::Path;

use cd_detect::{ClassFinding, Detection, Findings, Power, Proof, Testimony, Verdict, Witness};

use super::data::Data;
use super::decide::Decided;
use super::{Work, agreement, look, train};
use crate::findings::VERDICT;
use crate::pipeline::PipelineError;

/// Every class as it was judged.
const CLASSES: &str = "classes.json";

/// Composes the verdict and writes it to the run; `None` where no detector judges classes.
pub(crate) fn verdict(
    work: &Work<'_>,
    data: &Data,
    decided: &[Decided],
    power: Power,
    proofs: BTreeMap<u32, Proof>,
) -> Result<Option<Verdict>, PipelineError> {
    let detectors = work.experiment.detect.detectors.iter();
    let found: Vec<(&Decided, Testimony, bool, Detection)> = detectors
        .zip(decided)
        .map(|(one, decided)| {
            let detector = one.detector.detector();
            let knows_trusted = detector.needs().clean > 0;
            let detection = decided.detection(data)?;
            Ok((decided, detector.testimony(), knows_trusted, detection))
        })
        .collect::<Result<_, PipelineError>>()?;
    let judge = found.iter().find(|one| one.1 == Testimony::Classes);
    let Some((judge, _, _, judged)) = judge else {
        return Ok(None);
    };
    let flags = |detection: &'_ Detection| detection.own.as_ref().map(|own| own.flagged.clone());
    let others: Vec<(&str, Testimony, bool, Vec<bool>)> = found
        .iter()
        .filter(|one| one.0.label != judge.label)
        .filter_map(|(one, testimony, trusted, detection)| {
            Some((&*one.label, *testimony, *trusted, flags(detection)?))
        })
        .collect();
    let witnesses: Vec<Witness<'_>> = others
        .iter()
        .map(|(label, testimony, knows_trusted, flagged)| Witness {
            label,
            testimony: *testimony,
            knows_trusted: *knows_trusted,
            flagged,
        })
        .collect();
    let set = &data.searched.set;
    let classes: &[ClassFinding] = &judged.classes;
    let flagged = flags(judged).unwrap_or_else(|| vec![false; set.len()]);
    let verdict = Findings {
        class_names: set.class_names(),
        labels: set.labels(),
        classes,
        flagged: &flagged,
        witnesses: &witnesses,
        proofs,
        power,
        warnings: [
            agreement::warning(work.run)?,
            look::warning(work.run)?,
            train::warning(work.run)?,
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
    .verdict();
    work.run.write_json(Path::new(CLASSES), &judged.classes)?;
    work.run.write_json(Path::new(VERDICT), &verdict)?;
    Ok(Some(verdict))
}
