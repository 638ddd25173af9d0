//! One detector's section.

use maud::{Markup, PreEscaped, html};

use super::ReportError;
use super::classes;
use super::content::{DetectorSection, Threshold};
use super::format::{count, counted, metric, percent};
use super::gallery::{Heading, gallery};
use super::listing::listing;
use super::metrics_table;
use super::page::Limits;
use super::prose::prose;
use crate::metrics::{average_precision, precision_recall_curve, roc_auc, roc_curve};
use crate::plot::{self, Group, Histogram, Marker, Tone};

const BINS: usize = 48;

/// The section with the anchor `detector-<position>`.
pub(super) fn section(
    detector: &DetectorSection,
    position: usize,
    limits: Limits,
) -> Result<Markup, ReportError> {
    check_lengths(detector)?;
    let images = images(detector, limits)?;
    Ok(html! {
        section class="panel" id={ "detector-" (position) } {
            h2 { (detector.title) " " code class="name" { (detector.name) } }
            @if !detector.explanation.is_empty() { p class="lead" { (prose(&detector.explanation)) } }
            @if let Some(threshold) = &detector.threshold {
                (rule(threshold, detector.scores.len()))
            }
            @if !detector.classes.is_empty() { (classes::section(&detector.classes)) }
            (images)
            @if !detector.scores.is_empty() { (histogram(detector)) }
            @if let Some(truth) = &detector.truth { (curves(truth, &detector.scores)) }
            @if !detector.metrics.is_empty() {
                h3 { "Metrics" }
                (metrics_table::table(&detector.metrics, detector.level))
            }
        }
    })
}

fn check_lengths(detector: &DetectorSection) -> Result<(), ReportError> {
    match &detector.truth {
        Some(truth) if truth.len() != detector.scores.len() => Err(ReportError::LengthMismatch {
            detector: detector.name.clone(),
            scores: detector.scores.len(),
            truth: truth.len(),
        }),
        _ => Ok(()),
    }
}

fn rule(threshold: &Threshold, images: usize) -> Markup {
    let share = threshold.flagged as f64 / images.max(1) as f64;
    html! {
        p class="rule" {
            strong { (count(threshold.flagged)) " of " (counted(images, "image", "images")) " flagged" }
            " (" (percent(share)) "). Rule: " (prose(&threshold.rule))
            @if let Some(value) = threshold.value { " (score " (metric(value)) ")" }
            "."
        }
    }
}

fn histogram(detector: &DetectorSection) -> Markup {
    let left_out = detector
        .scores
        .iter()
        .filter(|score| !score.is_finite())
        .count();
    let plot = Histogram {
        title: format!("Histogram of the scores of {}", detector.title),
        x_label: "Score (higher = more suspicious)".to_owned(),
        bins: BINS,
        groups: groups(detector),
        marker: detector.threshold.as_ref().and_then(|threshold| {
            threshold.value.map(|value| Marker {
                value,
                label: "flagged from here".to_owned(),
            })
        }),
    };
    html! {
        h3 { "Scores" }
        figure class="plot wide" {
            div class="scroll" { (PreEscaped(plot.to_svg())) }
            @if left_out > 0 {
                figcaption {
                    (counted(left_out, "score that is not a finite number is", "scores that are not finite numbers are"))
                    " not shown."
                }
            }
        }
    }
}

fn groups(detector: &DetectorSection) -> Vec<Group> {
    let group = |name: &str, tone, values| Group {
        name: name.to_owned(),
        tone,
        values,
    };
    let Some(truth) = &detector.truth else {
        return vec![group("all images", Tone::Clean, detector.scores.clone())];
    };
    let of_kind = |kind: bool| {
        let pairs = detector.scores.iter().zip(truth);
        pairs
            .filter(|&(_, &poisoned)| poisoned == kind)
            .map(|(&score, _)| score)
            .collect()
    };
    vec![
        group("clean", Tone::Clean, of_kind(false)),
        group("poisoned", Tone::Poisoned, of_kind(true)),
    ]
}

fn curves(truth: &[bool], scores: &[f64]) -> Markup {
    match curve_plots(truth, scores) {
        Ok([roc, precision_recall]) => html! {
            h3 { "Detection curves" }
            div class="pair" {
                figure class="plot" {
                    (PreEscaped(roc))
                    figcaption { "ROC: poisoned images found against clean images flagged" }
                }
                figure class="plot" {
                    (PreEscaped(precision_recall))
                    figcaption { "Precision-recall: purity of the flagged images against poison found" }
                }
            }
        },
        Err(reason) => html! {
            h3 { "Detection curves" }
            p class="muted" { "No curves: " (reason) "." }
        },
    }
}

fn curve_plots(truth: &[bool], scores: &[f64]) -> Result<[String; 2], crate::metrics::MetricError> {
    let roc_name = format!("AUROC {}", metric(roc_auc(truth, scores)?));
    let roc_points = roc_curve(truth, scores)?;
    let precision_name = format!("AP {}", metric(average_precision(truth, scores)?));
    let precision_points = precision_recall_curve(truth, scores)?;
    let poisoned = truth.iter().filter(|&&poisoned| poisoned).count();
    let poisoned_share = poisoned as f64 / truth.len() as f64;
    Ok([
        plot::roc(
            &format!("ROC curve, {roc_name}"),
            &[(&roc_name, &roc_points)],
        ),
        plot::precision_recall(
            &format!("Precision-recall curve, {precision_name}"),
            &[(&precision_name, &precision_points)],
            poisoned_share,
        ),
    ])
}

/// The pictures, and all flagged images as a table.
fn images(detector: &DetectorSection, limits: Limits) -> Result<Markup, ReportError> {
    let of_searched = match detector.searched {
        Some(searched) => format!(
            "Of the {} that were searched. ",
            counted(searched, "image", "images")
        ),
        None => String::new(),
    };
    let gallery = |title, lead: &str, end, cards| {
        let lead = format!("{of_searched}{lead}");
        let lead = lead.as_str();
        let raw = &detector.raw_label;
        let heading = Heading {
            title,
            lead,
            end,
            raw,
        };
        gallery(&heading, cards, limits.cards, limits.thumbnails)
    };
    let most = gallery(
        "Most suspicious images",
        "The same small pattern at the same place in many of these is the mark of a trigger.",
        "most",
        &detector.most_suspicious,
    )?;
    let least = gallery(
        "Least suspicious images",
        "For comparison: images at the other end of the ranking.",
        "least",
        &detector.least_suspicious,
    )?;
    let flagged = detector.threshold.as_ref().map_or(0, |rule| rule.flagged);
    Ok(html! {
        (most)
        (listing(&detector.listed, flagged, limits.rows, &detector.name))
        (least)
    })
}
