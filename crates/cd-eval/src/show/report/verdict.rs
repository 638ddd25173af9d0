//! The verdict, its proof, and what the scan could have seen: the first screen.

use cd_detect::{Canary, Power, Proof, Standing, SuspectClass, Verdict};
use maud::{Markup, html};

use super::ReportError;
use super::content::VerdictSection;
use super::format::{count, counted, percent};
use super::prose::prose;
use super::thumbnail::Thumbnails;
use crate::picture::Picture;

/// Longest side, in pixels, of the picture of a trigger: a strip of several pictures.
const STRIP: usize = 800;
/// Classes that are shown in full.
const SHOWN: usize = 8;

/// The section.
pub(super) fn section(section: &VerdictSection) -> Result<Markup, ReportError> {
    let verdict = &section.verdict;
    let classes = verdict.classes.iter().take(SHOWN).enumerate();
    let classes = classes
        .map(|(place, class)| {
            let trigger = section.triggers.get(place).and_then(Option::as_ref);
            suspect(class, trigger)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let hidden = verdict.classes.len().saturating_sub(SHOWN);
    let tone = if proves_little(verdict) {
        Standing::Suspicious
    } else {
        verdict.standing
    };
    Ok(html! {
        section class=(format!("panel verdict is-{}", word(tone))) id="verdict" aria-label="Verdict" {
            (head(verdict))
            div class="verdict-body" {
                @if !classes.is_empty() {
                    div class="suspects" {
                        @for class in &classes { (class) }
                        @if hidden > 0 {
                            p class="muted" { (counted(hidden, "more class stands", "more classes stand")) " out; verdict.json names them." }
                        }
                    }
                }
                div class="power" {
                    h3 { "What this scan would have seen" }
                    (power(&verdict.power))
                    @if !verdict.warnings.is_empty() {
                        h3 { "What limits it" }
                        ul class="warnings" { @for warning in &verdict.warnings { li { (prose(warning)) } } }
                    }
                }
            }
        }
    })
}

fn head(verdict: &Verdict) -> Markup {
    html! {
        h2 class="standing" {
            span class="sign" aria-hidden="true" { (if proves_little(verdict) { "?" } else { sign(verdict.standing) }) }
            (if verdict.is_none() { "No verdict" } else { title(verdict.standing) })
        }
        p class="lead" { (prose(&verdict.summary)) }
        p class="muted" {
            (count(verdict.flagged)) " of " (counted(verdict.images, "image is", "images are")) " flagged ("
            (percent(verdict.flagged as f64 / verdict.images.max(1) as f64)) ")."
        }
    }
}

/// Whether nothing was found by a scan of which it is not known that it would have seen something: no good news.
fn proves_little(verdict: &Verdict) -> bool {
    let is_known = matches!(verdict.power, Power::Measured { .. });
    verdict.standing == Standing::Clean
        && (verdict.is_none() || verdict.blind.is_some() || !is_known)
}

fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Clean => "clean",
        Standing::Suspicious => "suspicious",
        Standing::Backdoored => "backdoored",
    }
}

fn title(standing: Standing) -> &'static str {
    match standing {
        Standing::Clean => "Nothing found",
        Standing::Suspicious => "Suspicious",
        Standing::Backdoored => "Backdoored",
    }
}

fn sign(standing: Standing) -> &'static str {
    match standing {
        Standing::Clean => "\u{2713}",
        Standing::Suspicious => "?",
        Standing::Backdoored => "!",
    }
}

fn suspect(class: &SuspectClass, picture: Option<&Picture>) -> Result<Markup, ReportError> {
    let [low, high] = class.interval;
    let is_shared = class.picture.is_some();
    let picture = picture
        .map(|picture| {
            let (what, alternative) = if is_shared {
                (
                    "suspicious images",
                    "What suspicious images share, of class",
                )
            } else {
                ("recovered trigger", "Recovered trigger of class")
            };
            let alternative = format!("{alternative} {}", class.name);
            let strip = Thumbnails { side: STRIP };
            strip.image(what, &class.name, &alternative, picture)
        })
        .transpose()?;
    let shared = picture.as_ref().filter(|_| is_shared);
    let trigger = picture.as_ref().filter(|_| !is_shared);
    Ok(html! {
        article class="suspect" {
            h3 {
                "Class " strong { (class.name) } " "
                span class=(format!("badge is-{}", word(class.standing))) { (word(class.standing)) }
            }
            p {
                "About " strong { (counted(class.images, "image", "images")) }
                " of it taken for poisoned (95 %: " (count(low)) " to " (count(high)) ")."
            }
            @if !class.evidence.is_empty() {
                ul { @for evidence in &class.evidence { li { (prose(evidence)) } } }
            }
            @if let Some(shared) = shared {
                div class="proof" {
                    figure { (shared) figcaption { "what suspicious images share and where, if it lies at one place, and some of them" } }
                }
            }
            @match &class.proof {
                Some(proof) => (proven(proof, class, trigger)),
                None => p class="muted" { "No trigger was tried on other images: the suspicion is statistical only." },
            }
        }
    })
}

fn proven(proof: &Proof, class: &SuspectClass, trigger: Option<&Markup>) -> Markup {
    html! {
        div class="proof" {
            @if let Some(trigger) = trigger {
                figure { (trigger) figcaption { "recovered " (proof.kind) } }
            }
            div {
                p {
                    "The " (proof.tried()) " turns " strong { (share(proof.turned, proof.images)) }
                    " of " (count(proof.images)) " other images into " strong { (class.name) }
                    "; a control in its place " (share(proof.control, proof.images)) "."
                }
                (bar("recovered", proof.turned, proof.images))
                (bar("control", proof.control, proof.images))
            }
        }
    }
}

fn power(power: &Power) -> Markup {
    let canaries = match power {
        Power::Unknown { reason } => {
            return html! { p { "Unknown: " (prose(reason.trim_end_matches('.'))) "." } };
        }
        Power::Measured { canaries } => canaries,
    };
    html! {
        p class="muted" { "Backdoors that the scan planted itself and looked for like everything else." }
        @for canary in canaries { (planted(canary)) }
    }
}

fn planted(canary: &Canary) -> Markup {
    // A hundredth of a percent is less than one image of any set that is scanned in full.
    let rate = (canary.rate * 1e4).round() / 1e2;
    let name = format!("{} on {rate} %", canary.kind);
    bar(&name, canary.found, canary.planted)
}

/// A share as a bar with its counts.
fn bar(name: &str, part: usize, whole: usize) -> Markup {
    let width = part as f64 / whole.max(1) as f64 * 100.0;
    html! {
        div class="measure" {
            span class="measure-name" { (name) }
            span class="bar" aria-hidden="true" { span style=(format!("width:{width:.1}%")) {} }
            span class="bar-value" { (count(part)) " of " (count(whole)) }
        }
    }
}

fn share(part: usize, whole: usize) -> String {
    percent(part as f64 / whole.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(kind: &str, found: usize) -> Canary {
        Canary {
            kind: kind.into(),
            class: 0,
            rate: 0.01,
            planted: 11,
            found,
        }
    }

    #[test]
    fn power_says_what_was_found_of_what_was_planted() {
        let canaries = vec![canary("patch", 11), canary("blend", 4)];
        let page = power(&Power::Measured { canaries }).into_string();
        assert!(page.contains("patch on 1 %") && page.contains("11 of 11"));
        assert!(page.contains("blend on 1 %") && page.contains("4 of 11"));
        let unknown = Power::Unknown {
            reason: "the weights were given.".into(),
        };
        let page = power(&unknown).into_string();
        assert!(page.contains("Unknown: the weights were given."));
    }

    #[test]
    fn only_a_scan_that_would_have_seen_something_is_good_news() {
        let page = |images, blind: Option<&str>, power| {
            let verdict = Verdict {
                standing: Standing::Clean,
                summary: String::new(),
                images,
                flagged: 0,
                classes: Vec::new(),
                power,
                blind: blind.map(str::to_owned),
                warnings: Vec::new(),
            };
            let triggers = Vec::new();
            let section = super::section(&VerdictSection { verdict, triggers });
            section.expect("no pictures").into_string()
        };
        let seen = || Power::Measured {
            canaries: vec![canary("patch", 11)],
        };
        assert!(page(9, None, seen()).contains("is-clean"));
        assert!(page(9, Some("why"), seen()).contains("is-suspicious"));
        let none = page(0, None, seen());
        assert!(none.contains("is-suspicious") && none.contains("No verdict"));
        let reason = "nothing was planted".into();
        let unknown = page(9, None, Power::Unknown { reason });
        assert!(unknown.contains("is-suspicious") && unknown.contains("Nothing found"));
    }

    #[test]
    fn a_proof_of_nothing_is_harmless() {
        let page = bar("x", 0, 0).into_string();
        assert!(page.contains("0 of 0") && !page.contains("NaN"));
    }
}
