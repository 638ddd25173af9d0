//! The page around the sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::content::{Report, Tile};
use super::{ReportError, detector, guide};

const STYLE: &str = include_str!("style.css");

/// Forbids scripts and every request: what the file shows is in the file.
const CONTENT_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The report as the text of an HTML file. The same report gives the same text.
///
/// # Errors
/// [`ReportError::LengthMismatch`] when scores and ground truth do not fit, [`ReportError::Picture`]
/// when a card holds a picture without pixels.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let detectors = report
        .detectors
        .iter()
        .enumerate()
        .map(|(position, section)| detector::section(section, position + 1))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(CONTENT_POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report))
                main {
                    @if !report.summary.is_empty() { (tiles(&report.summary)) }
                    @if !report.notes.is_empty() { (notes(&report.notes)) }
                    @for detector in &detectors { (detector) }
                    (guide::section(report))
                    @if !report.settings.is_empty() { (settings(&report.settings)) }
                }
            }
        }
    }
    .into_string())
}

fn header(report: &Report) -> Markup {
    html! {
        header class="page-head" {
            h1 { (report.title) }
            @if !report.subtitle.is_empty() { p class="subtitle" { (report.subtitle) } }
            @if !report.created.is_empty() { p class="muted" { (report.created) } }
            nav aria-label="Sections" {
                @for (position, detector) in report.detectors.iter().enumerate() {
                    a href={ "#detector-" (position + 1) } { (detector.title) }
                }
                a href="#guide" { "How to read this report" }
                @if !report.settings.is_empty() { a href="#settings" { "Settings" } }
            }
        }
    }
}

fn tiles(summary: &[Tile]) -> Markup {
    html! {
        section aria-label="Summary" {
            dl class="tiles" {
                @for tile in summary {
                    div class="tile" {
                        dt { (tile.label) }
                        dd class="value" { (tile.value) }
                        @if !tile.hint.is_empty() { dd class="muted" { (tile.hint) } }
                    }
                }
            }
        }
    }
}

fn notes(notes: &[String]) -> Markup {
    html! {
        section class="panel notes" aria-label="Notes" {
            h2 { "Notes" }
            ul { @for note in notes { li { (note) } } }
        }
    }
}

fn settings(settings: &str) -> Markup {
    html! {
        section class="panel" id="settings" {
            h2 { "Settings" }
            pre tabindex="0" { code { (settings) } }
        }
    }
}
