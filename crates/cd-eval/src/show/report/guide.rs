//! How to read the report, and what the methods cannot do.

use maud::{Markup, html};

use super::content::Report;

/// Which explanations a report needs.
struct Contents {
    masks: bool,
    truth: bool,
    classes: bool,
}

impl Contents {
    fn of(report: &Report) -> Self {
        let cards = |mut test: fn(&super::Card) -> bool| {
            report.detectors.iter().any(|detector| {
                let most = detector.most_suspicious.iter();
                most.chain(&detector.least_suspicious).any(&mut test)
            })
        };
        Self {
            masks: cards(|card| card.mask.is_some()),
            truth: report
                .detectors
                .iter()
                .any(|detector| detector.truth.is_some()),
            classes: report
                .detectors
                .iter()
                .any(|detector| !detector.classes.is_empty()),
        }
    }
}

pub(super) fn section(report: &Report) -> Markup {
    let contents = Contents::of(report);
    html! {
        section class="panel prose" id="guide" {
            h2 { "How to read this report" }
            (reading(&contents))
            h2 { "Limits" }
            (limits(&contents))
        }
    }
}

fn reading(contents: &Contents) -> Markup {
    html! {
        ul {
            li {
                strong { "Score. " }
                "Every image gets one number per detector; a higher score is more suspicious. Scores rank the images of one data set. Most detectors stretch them to the range 0 to 1, so the most suspicious image of a perfectly clean data set scores 1 too: look at the shape of the histogram and at the pictures before deciding."
            }
            @if contents.masks {
                li {
                    strong { "Mask. " }
                    "Bright pixels are the ones that the model needs to keep its answer; dark pixels can be replaced by a random colour without changing it. The pattern is the image seen through its mask."
                }
                li {
                    strong { "Small mask norm = suspicious. " }
                    "A backdoor is a shortcut: a few pixels settle the answer, and the mask shrinks to them. Clean images usually need a good part of the object, and their masks are larger."
                }
            }
            li {
                strong { "Flagged. " }
                "An image is flagged by the rule stated with the detector. No rule looks at which images are really poisoned."
            }
            @if contents.classes {
                li {
                    strong { "Classes. " }
                    "Poisoned images carry the label of the class that the attacker targets. A class with far more than its share of flagged images is the first place to look."
                }
            }
            @if contents.truth {
                li {
                    strong { "Poisoned and clean. " }
                    "In this run it is known which images are poisoned. AUROC 1 is perfect and 0.5 is guessing; a value below 0.5 means that the detector ranks the wrong way round here. Intervals come from resampling images and do not cover what another training run would change."
                }
            }
            li {
                strong { "What to do. " }
                "Look at the flagged images of a suspect class. If they share a pattern, remove them, train again without them, and scan again. If they share nothing, they are more likely hard or unusual clean images."
            }
        }
    }
}

fn limits(contents: &Contents) -> Markup {
    html! {
        ul {
            li {
                "A report without findings does not prove that the data are clean: attacks exist that each method misses."
            }
            li {
                "Every detector needs a model that has learnt the data. When training went badly, logits saturate and scores say little."
            }
            @if contents.masks {
                li {
                    "Blended triggers of less than about 2 % opacity evade mask distillation."
                }
                li {
                    "Clean images whose object is very small, or which the model knows by a natural shortcut, have small masks as well: expect some false alarms."
                }
                li {
                    "A model that ignores its input gives every image the same mask, and the ranking means nothing."
                }
                li {
                    "Single pixels of a mask are not reproducible. Another noise seed moves the norm by 9 to 10 % when logits are matched and by 3 to 4 % when features are matched; images close to the threshold can change sides."
                }
            }
        }
    }
}
