//! The page around the sections.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::content::{Report, Tile};
use super::prose::prose;
use super::script::{CONTENT_POLICY, SCRIPT};
use super::thumbnail::Thumbnails;
use super::{ReportError, detector, guide, verdict};

const STYLE: &str = include_str!("style.css");

/// Largest page in bytes, as far as fewer and smaller pictures can help.
const LARGEST: usize = 5_000_000;

/// How much of a report is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How large pictures are embedded.
    pub(super) thumbnails: Thumbnails,
    /// Cards of each gallery.
    pub(super) cards: usize,
    /// Rows of each table of flagged images.
    pub(super) rows: usize,
}

impl Limits {
    /// Everything, at the size at which classifiers see photos.
    const WIDEST: Self = Self {
        thumbnails: Thumbnails { side: 224 },
        cards: 96,
        rows: 5000,
    };

    /// The next smaller page: smaller pictures, then fewer of them; `None` when there are none left.
    fn narrower(self) -> Option<Self> {
        const SMALLER: Thumbnails = Thumbnails { side: 112 };
        if self.thumbnails.side > SMALLER.side {
            return Some(Self {
                thumbnails: SMALLER,
                ..self
            });
        }
        (self.cards + self.rows > 0).then_some(Self {
            cards: self.cards / 2,
            rows: self.rows / 2,
            ..self
        })
    }
}

/// The report as the text of an HTML file of at most 5 MB: where pictures would make it larger, they are embedded smaller, then
/// fewer of them. The same report gives the same text.
///
/// # Errors
/// [`ReportError::LengthMismatch`] when scores and ground truth do not fit, [`ReportError::Picture`]
/// when a card holds a picture without pixels.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let mut limits = Limits::WIDEST;
    loop {
        let page = within(report, limits)?;
        match limits.narrower() {
            Some(narrower) if page.len() > LARGEST => limits = narrower,
            _ => return Ok(page),
        }
    }
}

fn within(report: &Report, limits: Limits) -> Result<String, ReportError> {
    let detectors = report
        .detectors
        .iter()
        .enumerate()
        .map(|(position, section)| detector::section(section, position + 1, limits))
        .collect::<Result<Vec<_>, _>>()?;
    let verdict = report.verdict.as_ref();
    let verdict = verdict.map(verdict::section);
    let verdict = verdict.transpose()?;
    // A verdict says first what limits it; without one the notes do.
    let notes_first = verdict.is_none();
    let notes = html! { @if !report.notes.is_empty() { (notes(&report.notes)) } };
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(*CONTENT_POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report))
                main {
                    @if let Some(verdict) = &verdict { (verdict) }
                    (contents(report))
                    @if !report.summary.is_empty() { (tiles(&report.summary)) }
                    @if notes_first { (notes) }
                    @for detector in &detectors { (detector) }
                    @if !notes_first { (notes) }
                    (guide::section(report))
                    @if !report.settings.is_empty() { (settings(&report.settings)) }
                }
                script { (PreEscaped(&*SCRIPT)) }
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
            @if !report.created.is_empty() { p class="muted" { (prose(&report.created)) } }
        }
    }
}

/// Links to the sections, below the verdict: of many detectors they fill the first screen of a phone.
fn contents(report: &Report) -> Markup {
    html! {
        nav aria-label="Sections" {
            @for (position, detector) in report.detectors.iter().enumerate() {
                a href={ "#detector-" (position + 1) } { (detector.title) }
            }
            a href="#guide" { "How to read this report" }
            @if !report.settings.is_empty() { a href="#settings" { "Settings" } }
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
            ul { @for note in notes { li { (prose(note)) } } }
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
