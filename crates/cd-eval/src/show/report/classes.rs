//! Which class the flagged images are labelled as: where a practitioner looks first, because a
//! backdoor sends its images to a target class.

use maud::{Markup, html};

use super::format::{count, counted, percent};

/// Rows shown before the rest is summed up.
const SHOWN: usize = 15;
/// Fewer flagged images than this point at nothing.
const ENOUGH_FLAGGED: usize = 5;
/// A class stands out when images labelled as it are flagged this many times as often as all images.
const STANDS_OUT: f64 = 2.0;

/// Counts for one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassCounts {
    /// Name of the class.
    pub name: String,
    /// Images labelled as it.
    pub images: usize,
    /// Flagged images among them.
    pub flagged: usize,
    /// Poisoned images among them, where known.
    pub poisoned: Option<usize>,
}

impl ClassCounts {
    /// Flagged share of the class, 0 to 1; 0 for an empty class.
    fn rate(&self) -> f64 {
        self.flagged as f64 / self.images.max(1) as f64
    }

    /// Flagged images beyond the `share` expected of any class, in standard deviations of such a count. It weighs
    /// 25 of 44 above 10 of 15, as the share alone does not.
    fn excess(&self, share: f64) -> f64 {
        let images = self.images as f64;
        let deviation = (images * share * (1.0 - share)).sqrt();
        (self.flagged as f64 - images * share) / deviation
    }
}

/// Whether flagged images gather in one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Concentration {
    /// Fewer than 5 images are flagged: nothing can be said.
    TooFew,
    /// No class has at least 5 flagged images, flagged at least twice as often as all images are.
    Spread,
    /// One class stands out.
    Class {
        /// Its position in the list of classes.
        class: usize,
        /// How many times as often its images are flagged as all images are.
        factor: f64,
    },
}

/// Finds the class in which flagged images gather: among the classes with at least 5 flagged images
/// that are flagged at least twice as often as all images, the one whose count is least likely by chance.
///
/// A hint where to look first, not a test: natural shortcuts make classes differ too.
///
/// ```
/// use cd_eval::report::{ClassCounts, Concentration, concentration};
///
/// let class = |name: &str, flagged| ClassCounts {
///     name: name.into(),
///     images: 100,
///     flagged,
///     poisoned: None,
/// };
/// let found = concentration(&[class("cat", 1), class("dog", 30), class("horse", 2)]);
/// assert!(matches!(found, Concentration::Class { class: 1, .. }));
/// ```
pub fn concentration(classes: &[ClassCounts]) -> Concentration {
    let flagged: usize = classes.iter().map(|class| class.flagged).sum();
    let images: usize = classes.iter().map(|class| class.images).sum();
    if flagged < ENOUGH_FLAGGED {
        return Concentration::TooFew;
    }
    let overall = flagged as f64 / images.max(1) as f64;
    classes
        .iter()
        .enumerate()
        .filter(|(_, counts)| counts.flagged >= ENOUGH_FLAGGED)
        .map(|(class, counts)| (class, counts.rate() / overall))
        .filter(|&(_, factor)| factor >= STANDS_OUT)
        .max_by(|&(left, _), &(right, _)| {
            let excess = |class: usize| classes[class].excess(overall);
            excess(left).total_cmp(&excess(right))
        })
        .map_or(Concentration::Spread, |(class, factor)| {
            Concentration::Class { class, factor }
        })
}

/// The sentence and the table.
pub(super) fn section(classes: &[ClassCounts]) -> Markup {
    let found = concentration(classes);
    let highlighted = match found {
        Concentration::Class { class, .. } => Some(class),
        _ => None,
    };
    let mut order: Vec<usize> = (0..classes.len()).collect();
    order.sort_by(|&left, &right| {
        let stands_out = |class: usize| highlighted == Some(class);
        let (first, second) = (&classes[left], &classes[right]);
        stands_out(right)
            .cmp(&stands_out(left))
            .then(second.rate().total_cmp(&first.rate()))
            .then(second.flagged.cmp(&first.flagged))
    });
    let shown = &order[..order.len().min(SHOWN)];
    let rest = rest(classes, &order[shown.len()..]);
    let with_truth = classes.iter().any(|class| class.poisoned.is_some());
    let highest = classes.iter().map(ClassCounts::rate).fold(0.0, f64::max);
    html! {
        h3 { "Flagged images by class" }
        p { (sentence(classes, found)) }
        div class="scroll" {
            table class="classes" {
                thead {
                    tr {
                        th scope="col" { "Labelled as" }
                        th scope="col" class="number" { "Images" }
                        th scope="col" class="number" { "Flagged" }
                        th scope="col" { "Share flagged" }
                        @if with_truth { th scope="col" class="number" { "Poisoned" } }
                    }
                }
                tbody {
                    @for &class in shown {
                        (row(&classes[class], highlighted == Some(class), highest, with_truth))
                    }
                    @if let Some(rest) = &rest { (row(rest, false, highest, with_truth)) }
                }
            }
        }
    }
}

fn row(class: &ClassCounts, highlighted: bool, highest: f64, with_truth: bool) -> Markup {
    let width = if highest > 0.0 {
        class.rate() / highest * 100.0
    } else {
        0.0
    };
    html! {
        tr class=[highlighted.then_some("stands-out")] {
            th scope="row" { (class.name) }
            td class="number" { (count(class.images)) }
            td class="number" { (count(class.flagged)) }
            td {
                div class="bar-cell" {
                    span class="bar" aria-hidden="true" {
                        span style=(format!("width:{width:.1}%")) {}
                    }
                    span class="bar-value" { (percent(class.rate())) }
                }
            }
            @if with_truth {
                td class="number" {
                    @match class.poisoned {
                        Some(poisoned) => (count(poisoned)),
                        None => "not known",
                    }
                }
            }
        }
    }
}

/// All classes that are not shown, as one row.
fn rest(classes: &[ClassCounts], hidden: &[usize]) -> Option<ClassCounts> {
    if hidden.is_empty() {
        return None;
    }
    let sum =
        |field: fn(&ClassCounts) -> usize| hidden.iter().map(|&class| field(&classes[class])).sum();
    Some(ClassCounts {
        name: counted(hidden.len(), "other class", "other classes"),
        images: sum(|class| class.images),
        flagged: sum(|class| class.flagged),
        poisoned: hidden.iter().map(|&class| classes[class].poisoned).sum(),
    })
}

fn sentence(classes: &[ClassCounts], found: Concentration) -> Markup {
    match found {
        Concentration::TooFew => html! {
            "Too few images are flagged to point at a class."
        },
        Concentration::Spread => html! {
            "The flagged images are spread over the classes; none stands out as the target of an attack."
        },
        Concentration::Class { class, factor } => html! {
            @let class = &classes[class];
            "Look first at " strong { (class.name) } ": "
            (count(class.flagged)) " of " (counted(class.images, "image", "images"))
            " labelled as it are flagged, " (format!("{factor:.1}"))
            " times the share of the whole data set. A backdoor gathers its images in the class that it targets."
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, images: usize, flagged: usize) -> ClassCounts {
        ClassCounts {
            name: name.to_owned(),
            images,
            flagged,
            poisoned: None,
        }
    }

    #[test]
    fn many_flagged_images_weigh_more_than_a_higher_share_of_few() {
        let classes = [
            class("small", 15, 10),
            class("target", 44, 25),
            class("rest", 141, 0),
        ];
        assert!(matches!(
            concentration(&classes),
            Concentration::Class { class: 1, .. }
        ));
        let page = section(&classes).into_string();
        let place = |name| page.find(&format!("row\">{name}")).expect("a row");
        assert!(place("target") < place("small"));
    }

    #[test]
    fn the_class_that_is_flagged_beyond_chance_stands_out() {
        let classes = [
            class("a", 1000, 40),
            class("b", 50, 25),
            class("c", 1000, 5),
        ];
        let Concentration::Class { class, factor } = concentration(&classes) else {
            panic!("a class stands out");
        };
        assert_eq!(class, 1);
        assert!((factor - 0.5 / (70.0 / 2050.0)).abs() < 1e-12);
    }

    #[test]
    fn few_flags_point_nowhere() {
        assert_eq!(concentration(&[]), Concentration::TooFew);
        assert_eq!(
            concentration(&[class("a", 4, 4), class("b", 900, 0)]),
            Concentration::TooFew
        );
        let tiny_class = [class("a", 2, 2), class("b", 900, 30), class("c", 900, 30)];
        assert_eq!(concentration(&tiny_class), Concentration::Spread);
    }

    #[test]
    fn many_classes_are_summed_up() {
        let classes: Vec<ClassCounts> = (0..20)
            .map(|n| class(&format!("class {n}"), 10, n))
            .collect();
        let page = section(&classes).into_string();
        assert!(page.contains("class 19") && page.contains("5 other classes"));
        assert!(!page.contains("class 4<"));
        let last = rest(&classes, &[0, 1, 2]).expect("three hidden");
        assert_eq!((last.images, last.flagged, last.poisoned), (30, 3, None));
    }

    #[test]
    fn empty_classes_are_harmless() {
        let page = section(&[class("empty", 0, 0)]).into_string();
        assert!(page.contains("0.0 %") && !page.contains("NaN"));
    }
}
