//! The sentences of a verdict.

use super::super::verdict::{Canary, Power, Proof, Standing, Verdict};
use super::super::{ClassFinding, SearchFinding, Testimony};
use super::evidence::{Counted, largest_share};
use super::{Findings, Witness};
use crate::detector::DetectorConfig;
use crate::statistics::median;

const REMEDY: &str = "More epochs, more pictures a class, larger pictures (`--size`) or weights that know their kind (`--weights FILE \
                      --finetune`) may change that, and trusted pictures (`--clean DIR`) need no such power.";

/// The verdict in one sentence.
pub(super) fn summary(verdict: &Verdict, images: usize) -> String {
    if verdict.is_none() {
        return format!(
            "No verdict: no class of these {images} images has enough of them, large enough, and enough beside it, to be judged by what has looked"
        );
    }
    let named: Vec<String> = verdict
        .classes
        .iter()
        .map(|class| {
            let [low, high] = class.interval;
            format!(
                "{} images of `{}` ({low} to {high})",
                class.images, class.name
            )
        })
        .collect();
    let named = named.join(", ");
    match verdict.standing {
        Standing::Clean => match &verdict.blind {
            Some(why) => format!("Nothing found in {images} images, which proves little: {why}"),
            None => clean(&verdict.power, images),
        },
        Standing::Suspicious => {
            format!("Suspicious: {named} stand out, and nothing else confirms it")
        }
        Standing::Backdoored => {
            format!("Backdoored: {named} carry something that leads to their class")
        }
    }
}

/// Why a scan could not have seen anything, where that is known.
pub(super) fn blind(power: &Power, knows_labels: bool) -> Option<String> {
    let why = if !knows_labels {
        "the given weights do not know the labels of these pictures"
    } else if power.is_blind() {
        "this scan found none of the backdoors that it planted itself"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// Of a set in which nothing was found, by a scan that is not known to be blind.
fn clean(power: &Power, images: usize) -> String {
    let (seen, missed) = match power {
        Power::Unknown { .. } => {
            return format!(
                "Nothing found in {images} images; what this scan could have seen is unknown"
            );
        }
        Power::Measured { canaries } => {
            let (missed, seen): (Vec<&Canary>, Vec<&Canary>) =
                canaries.iter().partition(|canary| canary.is_missed());
            (kinds(&seen), kinds(&missed))
        }
    };
    if missed.is_empty() {
        return format!("Clean: nothing in {images} images beyond what clean sets show");
    }
    format!(
        "Nothing found in {images} images, by a scan that would have seen a {} trigger, but not a {} trigger",
        seen.join(" or "),
        missed.join(" or ")
    )
}

fn kinds<'a>(canaries: &[&'a Canary]) -> Vec<&'a str> {
    canaries.iter().map(|canary| canary.kind.as_str()).collect()
}

pub(super) fn apart(found: &ClassFinding, classes: &[ClassFinding]) -> String {
    let gaps = || median(classes.iter().map(|class| class.gap).collect());
    let usual = found.usual.unwrap_or_else(gaps);
    format!(
        "Its images fall apart in two groups {}: the gap between them is {:.1} standard deviations, where {:.1} is enough for a group of {} and \
         the median class has {usual:.1}.",
        found.view, found.gap, found.border, found.group
    )
}

pub(super) fn shared(label: &str, found: &ClassFinding) -> String {
    if let Some(usual) = found.usual {
        return format!(
            "`{label}`: {} of its {} images lie apart from the others {}: the gap is {:.1} standard deviations, where {:.1} is enough and the \
             median of the other classes is {usual:.1}.",
            found.group, found.images, found.view, found.gap, found.border
        );
    }
    format!(
        "`{label}`: {} of its {} images {}: the gap between them and other images is {:.1} standard deviations, where {:.1} is \
         enough for a group of {}.",
        found.group, found.images, found.view, found.gap, found.border, found.group
    )
}

pub(super) fn search(search: &SearchFinding) -> String {
    let SearchFinding {
        smaller_mask,
        carries_further,
        confirms,
    } = search;
    let figures = format!(
        "of one image of the group and one of the rest, the first has the smaller mask in {:.0} % of all pairs and carries its class further onto \
         other images in {:.0} % (by chance: 50)",
        smaller_mask * 100.0,
        carries_further * 100.0
    );
    if *confirms {
        format!("A search confirms it: {figures}.")
    } else {
        format!("A search does not confirm it: {figures}.")
    }
}

pub(super) fn trusted(count: usize, inside: usize, share: f64) -> String {
    format!(
        "Of {count} trusted images of the class {inside} lie in the suspicious group, which holds {:.0} % of the class.",
        share * 100.0
    )
}

pub(super) fn witness(witness: &Witness<'_>, counted: &Counted) -> String {
    let Counted { inside, outside } = counted;
    format!(
        "`{}` flags {} of the {} images of the group, and {} of the {} others of the class.",
        witness.label, inside[1], inside[0], outside[1], outside[0]
    )
}

pub(super) fn doubted(label: &str, [images, doubted]: [usize; 2], others: &[[usize; 2]]) -> String {
    format!(
        "`{label}` doubts the labels of {doubted} of its {images} images, and of at most {:.0} % in any other class.",
        largest_share(others) * 100.0
    )
}

pub(super) fn proof(proof: &Proof, name: &str) -> String {
    let figures = format!(
        "The {} turns {} of {} other images into `{name}`, what carries no trigger at most {}.",
        proof.tried(),
        proof.turned,
        proof.images,
        proof.control
    );
    if proof.holds() {
        figures
    } else if proof.turns_most() {
        format!(
            "{figures} What does not carry it does more than half as much, so that proves no trigger: this classifier is easily led to `{name}`."
        )
    } else {
        format!(
            "{figures} That proves no trigger: the classifier does not follow it, or has learned its images one by one."
        )
    }
}

/// What the verdict does not cover.
pub(super) fn limits(verdict: &Verdict, findings: &Findings<'_>) -> Vec<String> {
    let mut limits = Vec::new();
    let with_images = |sizes: Vec<usize>| sizes.into_iter().filter(|&size| size > 0).count();
    let all = with_images(findings.sizes());
    let small = all - with_images(findings.judged());
    if findings.judge.is_none() {
        let looks_for_patterns = |one: &Witness<'_>| one.testimony == Testimony::Patterns;
        let unseen = if findings.witnesses.iter().any(looks_for_patterns) {
            "triggers that differ from image to image go unseen"
        } else {
            "a trigger in pictures of their own class goes unseen"
        };
        limits.push(format!(
            "Nothing has looked at how the classes of a classifier fall apart (`--detector cascade`), so that {unseen}."
        ));
    }
    if small > 0 {
        limits.push(format!(
            "{small} of {all} classes are too small, or have too little beside them, to be judged by what has looked; this scan proves nothing about them."
        ));
    }
    match &verdict.power {
        Power::Unknown { reason } => {
            limits.push(format!(
                "What this scan could have seen is unknown: {reason}."
            ));
        }
        Power::Measured { canaries } => {
            let remedy = match findings.judge {
                Some(_) => REMEDY.to_owned(),
                None => remedy_without_judge(findings.witnesses),
            };
            limits.extend(missed(canaries, &remedy));
            limits.push(not_planted(canaries));
        }
    }
    limits
}

fn remedy_without_judge(witnesses: &[Witness<'_>]) -> String {
    let of_pictures = DetectorConfig::of_pictures();
    let names = of_pictures.iter().map(|one| one.detector().info().name);
    let more = names.filter(|name| witnesses.iter().all(|one| one.label != *name));
    let more: Vec<String> = more.map(|name| format!("`{name}`")).collect();
    if more.is_empty() {
        return "A classifier may see more (`--detector cascade`).".to_owned();
    }
    format!(
        "A classifier may see more (`--detector cascade`), and so may other detectors of pictures alone ({}).",
        more.join(", ")
    )
}

/// What the scan did not try itself on.
fn not_planted(canaries: &[Canary]) -> String {
    let absent: String = [("warp", "warps, "), ("filter", "filters, ")]
        .into_iter()
        .filter(|(kind, _)| canaries.iter().all(|canary| canary.kind != *kind))
        .map(|(_, words)| words)
        .collect();
    format!(
        "What was not planted may go unseen: {absent}triggers that differ from image to image, and triggers in fewer images than were planted \
         of their kind."
    )
}

/// What was planted and not found, and what would help.
fn missed(canaries: &[Canary], remedy: &str) -> Option<String> {
    let missed = canaries.iter().filter(|canary| canary.is_missed());
    let named: Vec<String> = missed
        .map(|canary| {
            format!(
                "a {} trigger on {:.1} % of the images ({} of {} planted ones were found)",
                canary.kind,
                canary.rate * 100.0,
                canary.found,
                canary.planted
            )
        })
        .collect();
    let named = named.join(", or ");
    (!named.is_empty()).then(|| format!("This scan proves nothing about {named}. {remedy}"))
}
