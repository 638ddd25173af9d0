//! The page on a mitigation.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::mitigation::{Figures, Measure, Method, Mitigation, PartCounts};
use crate::picture::{Picture, PictureError};
use crate::plot::{Line, LinePlot, Tone};

const STYLE: &str = include_str!("report/style.css");
const CONTENT_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// The page as the text of an HTML file: figures before, after every pass and at the end, and the recovered trigger where there is one.
///
/// # Errors
///
/// When the picture cannot be written.
pub fn page(done: &Mitigation, trigger: Option<&Picture>) -> Result<String, PictureError> {
    let title = match done.method {
        Method::Unlearn => "Mitigation by unlearning",
        Method::Retrain => "Mitigation by training again",
    };
    let picture = trigger.map(Picture::to_data_uri).transpose()?;
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(CONTENT_POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header class="page-head" {
                    h1 { (title) }
                    p class="subtitle" { (done.classifier) "; suspects " (done.suspects) }
                }
                main {
                    @if done.control {
                        p class="panel" { "A control: random images take the place of the suspects." }
                    }
                    @for warning in &done.warnings {
                        p class="panel" { strong { (warning) } }
                    }
                    section class="panel" { (figures(done)) }
                    section class="panel" { h2 { "Images" } (parts(&done.parts)) }
                    section class="panel" { h2 { "After every pass" } (PreEscaped(plot(done).to_svg())) (passes(done)) }
                    @if let Some(picture) = &picture {
                        section class="panel" {
                            h2 { "The recovered trigger" }
                            figure {
                                img src=(picture) alt="pattern, mask and three pictures with the trigger";
                                figcaption { "Pattern, mask, and three pictures with the trigger" }
                            }
                        }
                    }
                }
            }
        }
    }
    .into_string())
}

fn figures(done: &Mitigation) -> Markup {
    html! {
        div class="scroll" { table {
            thead { tr { th { "Share of" } th class="number" { "before" } th class="number" { "after" } } }
            tbody {
                tr {
                    th scope="row" { "right answers, of " (done.accuracy_of) }
                    td class="number" { (percent(done.before.accuracy)) }
                    td class="number" { (percent(done.after.accuracy)) }
                }
                tr {
                    th scope="row" { "images turned by " (done.success_of) }
                    td class="number" { (percent(done.before.success)) }
                    td class="number" { (percent(done.after.success)) }
                }
            }
        } }
    }
}

fn parts(parts: &[PartCounts; 3]) -> Markup {
    let names = ["suspects", "kept", "neither"];
    html! {
        div class="scroll" { table {
            thead { tr { th { "Part" } th class="number" { "images" } th class="number" { "poisoned" } } }
            tbody {
                @for (name, part) in names.iter().zip(parts) {
                    tr {
                        th scope="row" { (name) }
                        td class="number" { (part.images) }
                        td class="number" { @match part.poisoned { Some(count) => (count), None => "unknown" } }
                    }
                }
            }
        } }
    }
}

fn passes(done: &Mitigation) -> Markup {
    html! {
        div class="scroll" { table {
            thead { tr {
                th class="number" { "pass" } th { "for" } th class="number" { "loss, kept" }
                th class="number" { "loss, suspects" } th class="number" { "accuracy" } th class="number" { "turned" }
            } }
            tbody {
                @for (number, pass) in done.passes.iter().enumerate() {
                    tr {
                        td class="number" { (number + 1) }
                        td { (format!("{:?}", pass.report.kind).to_lowercase()) }
                        td class="number" { (format!("{:.3}", pass.report.safe_loss)) }
                        td class="number" { (pass.report.suspect_loss.map_or(String::new(), |loss| format!("{loss:.3}"))) }
                        td class="number" { (percent(pass.figures.accuracy)) }
                        td class="number" { (percent(pass.figures.success)) }
                    }
                }
            }
        } }
    }
}

fn plot(done: &Mitigation) -> LinePlot {
    let curve = |name: &str, tone, of: &dyn Fn(&Figures) -> Option<Measure>| {
        let all = [done.before].into_iter();
        let all = all.chain(done.passes.iter().map(|pass| pass.figures));
        let points = all
            .enumerate()
            .filter_map(|(number, figures)| Some((number as f64, of(&figures)?.share * 100.0)));
        Line {
            name: name.to_owned(),
            tone,
            points: points.collect(),
        }
    };
    LinePlot {
        title: "Accuracy and success of the trigger after every pass".into(),
        x_label: "pass".into(),
        y_label: "%".into(),
        x_range: None,
        y_range: Some((0.0, 100.0)),
        size: (800.0, 290.0),
        lines: vec![
            curve("accuracy", Tone::Clean, &|figures| figures.accuracy),
            curve("turned by the trigger", Tone::Poisoned, &|figures| {
                figures.success
            }),
        ],
    }
}

fn percent(measure: Option<Measure>) -> String {
    measure.map_or("not measured".to_owned(), |one| {
        format!("{:.1} %", one.share * 100.0)
    })
}
