//! The verdict on the set: `verdict.json`, composed from what the stages before it keep, and the images it takes for poisoned: `drop.txt`
//! and `keep.txt`.

use std::collections::BTreeMap;
use std::path::Path;

use cd_detect::{
    ClassFinding, Detection, Detector, Findings, Power, Proof, Testimony, Verdict, Witness,
};

use super::data::Data;
use super::decide::Decided;
use super::{Work, agreement, look, shared, train, trusted};
use crate::findings::VERDICT;
use crate::pipeline::PipelineError;
use crate::scores;

/// Every class as it was judged.
const CLASSES: &str = "classes.json";
/// Every class in which images share something, by detector.
const PATTERNS: &str = "patterns.json";

/// A detector and what it found.
struct Found<'a> {
    label: &'a str,
    detector: &'a dyn Detector,
    detection: Detection,
    /// Of each class whether it can find patterns in it.
    judged: Vec<bool>,
}

impl Found<'_> {
    /// What it says beside the one that judges classes; `None` without a rule of its own.
    fn witness(&self) -> Option<Witness<'_>> {
        let testimony = self.detector.testimony();
        Some(Witness {
            label: self.label,
            testimony,
            knows_trusted: self.detector.needs().clean > 0,
            judged: &self.judged,
            flagged: &self.detection.own.as_ref()?.flagged,
            classes: match testimony {
                Testimony::Patterns => &self.detection.classes,
                _ => &[],
            },
        })
    }
}

/// Composes the verdict and writes it to the run; `None` where no detector judges classes or labels.
pub(crate) fn verdict(
    work: &Work<'_>,
    data: &Data,
    decided: &[Decided],
    power: Power,
    proofs: BTreeMap<u32, Proof>,
) -> Result<Option<Verdict>, PipelineError> {
    let detectors = work.experiment.detect.detectors.iter();
    let set = &data.searched.set;
    let (sizes, side) = (set.class_counts(), set.height().min(set.width()));
    let found: Vec<Found<'_>> = detectors
        .zip(decided)
        .map(|(one, decided)| {
            let detector = one.detector.detector();
            let classes = 0..sizes.len();
            Ok(Found {
                label: &decided.label,
                detector,
                detection: decided.detection(data)?,
                judged: classes
                    .map(|class| detector.judges(class, &sizes, side))
                    .collect(),
            })
        })
        .collect::<Result<_, PipelineError>>()?;
    let judge = found
        .iter()
        .find(|one| one.detector.testimony() == Testimony::Classes);
    let judge_label = judge.map(|judge| judge.label);
    let others = found.iter().filter(|one| Some(one.label) != judge_label);
    let witnesses: Vec<Witness<'_>> = others.filter_map(Found::witness).collect();
    let raises_classes =
        |one: &Witness<'_>| matches!(one.testimony, Testimony::Labels | Testimony::Patterns);
    if judge.is_none() && !witnesses.iter().any(raises_classes) {
        return Ok(None);
    }
    let judged = judge.map(|judge| &judge.detection);
    let classes: &[ClassFinding] = judged.map_or(&[], |judged| &judged.classes);
    let flagged = judged.and_then(|judged| judged.own.as_ref());
    let flagged = flagged.map_or_else(|| vec![false; set.len()], |own| own.flagged.clone());
    let doubts = match &work.experiment.detect.clean {
        Some(_) => trusted::doubts(&data.trusted.set, data.poisoned.train())?,
        None => Vec::new(),
    };
    let findings = Findings {
        class_names: set.class_names(),
        labels: set.labels(),
        judge: judge_label,
        classes,
        flagged: &flagged,
        witnesses: &witnesses,
        proofs,
        power,
        knows_labels: agreement::warning(work.run)?.is_none(),
        warnings: [
            agreement::warning(work.run)?,
            look::warning(work.run)?,
            train::warning(work.run)?,
        ]
        .into_iter()
        .flatten()
        .chain(doubts)
        .collect(),
    };
    let mut verdict = findings.verdict();
    let poisoned = findings.poisoned(&verdict);
    for class in &mut verdict.classes {
        class.picture = shared::picture(work.run, set, class, &poisoned)?;
    }
    let names = set.names().iter().map(String::as_str);
    let lists = names.zip(poisoned);
    scores::write_lists(work.run.path(), lists)?;
    work.run.write_json(Path::new(CLASSES), &classes)?;
    let patterns = witnesses.iter().filter(|one| !one.classes.is_empty());
    let patterns: BTreeMap<&str, &[ClassFinding]> =
        patterns.map(|one| (one.label, one.classes)).collect();
    work.run.write_json(Path::new(PATTERNS), &patterns)?;
    work.run.write_json(Path::new(VERDICT), &verdict)?;
    Ok(Some(verdict))
}
