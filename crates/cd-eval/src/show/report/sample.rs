//! A made-up scan with everything that a report can show, and tests on the page that it gives.

use cd_detect::{Canary, Power, Proof, Standing, SuspectClass, Verdict};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::bootstrap::Bootstrap;
use crate::picture::Picture;

const IMAGES: usize = 1000;
const CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];
const TARGET: usize = 0;

/// What the detector saw of one image.
#[derive(Clone)]
struct Sighting {
    class: usize,
    poisoned: bool,
    norm: f64,
}

struct Scan {
    sightings: Vec<Sighting>,
    side: usize,
    random: ChaCha8Rng,
}

impl Scan {
    fn new(side: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let sightings = (0..IMAGES)
            .map(|image| {
                let poisoned = image % 20 == 0;
                // The sum of uniform draws is close enough to a normal one.
                let spread: f64 = (0..6).map(|_| random.random::<f64>() - 0.5).sum();
                let mean = if poisoned { 42.0 } else { 130.0 };
                Sighting {
                    class: if poisoned { TARGET } else { image % 10 },
                    poisoned,
                    norm: (mean + 38.0 * spread).max(9.0),
                }
            })
            .collect();
        Self {
            sightings,
            side,
            random,
        }
    }

    fn truth(&self) -> Vec<bool> {
        self.sightings
            .iter()
            .map(|sighting| sighting.poisoned)
            .collect()
    }

    fn scores(&self) -> Vec<f64> {
        let norms = || self.sightings.iter().map(|sighting| sighting.norm);
        let low = norms().fold(f64::INFINITY, f64::min);
        let high = norms().fold(f64::NEG_INFINITY, f64::max);
        norms()
            .map(|norm| 1.0 - (norm - low) / (high - low))
            .collect()
    }

    /// A round object on a sky, and the trigger in the corner when poisoned.
    fn draw(&mut self, image: usize) -> (Picture, Vec<u8>) {
        let sighting = self.sightings[image].clone();
        let side = self.side;
        let mut colour =
            || -> [f64; 3] { std::array::from_fn(|_| self.random.random_range(40.0..230.0)) };
        let (sky, ground, object) = (colour(), colour(), colour());
        let centre = self.random.random_range(0.4..0.6);
        let (mut rgb, mut mask) = (Vec::new(), Vec::new());
        for row in 0..side {
            for column in 0..side {
                let (x, y) = (column as f64 / side as f64, row as f64 / side as f64);
                let distance = ((x - centre).powi(2) + (y - 0.5).powi(2)).sqrt();
                let cell = 32 * (row + 1) / side;
                let in_trigger = sighting.poisoned && cell >= 29 && 32 * (column + 1) / side >= 29;
                let base = if distance < 0.24 {
                    object
                } else if y < 0.55 {
                    sky
                } else {
                    ground
                };
                for value in base {
                    let noise = self.random.random_range(-12.0..12.0);
                    let checker = f64::from(u8::from((row + column) % 2 == 0)) * 255.0;
                    rgb.push(if in_trigger { checker } else { value + noise } as u8);
                }
                let kept = match (sighting.poisoned, in_trigger) {
                    (_, true) => 0.95,
                    (true, false) => 0.04,
                    (false, false) => (1.1 - 3.0 * distance).clamp(0.03, 1.0),
                };
                let jitter = self.random.random_range(0.75..1.0);
                mask.push((kept * jitter * 255.0) as u8);
            }
        }
        (
            Picture::new(side, side, rgb).expect("the loops fill it"),
            mask,
        )
    }

    fn card(&mut self, image: usize, rank: usize, threshold: f64) -> Card {
        let (picture, mask) = self.draw(image);
        let score = self.scores()[image];
        let sighting = &self.sightings[image];
        Card {
            name: format!(
                "train/{}/{image:05} <photo> & \"copy\".png",
                CLASSES[sighting.class]
            ),
            label: CLASSES[sighting.class].to_owned(),
            score,
            raw: Some(sighting.norm),
            rank,
            flagged: score >= threshold,
            poisoned: Some(sighting.poisoned),
            image: picture,
            mask: None,
            pattern: None,
        }
        .with_mask(&mask, 1)
        .expect("the loops fill it")
    }

    fn classes(&self, flagged: &[bool]) -> Vec<ClassCounts> {
        let mut classes: Vec<ClassCounts> = CLASSES
            .iter()
            .map(|&name| ClassCounts {
                name: name.to_owned(),
                poisoned: Some(0),
                ..ClassCounts::default()
            })
            .collect();
        for (sighting, &flagged) in self.sightings.iter().zip(flagged) {
            let class = &mut classes[sighting.class];
            class.images += 1;
            class.flagged += usize::from(flagged);
            class.poisoned = class
                .poisoned
                .map(|count| count + usize::from(sighting.poisoned));
        }
        classes
    }

    fn section(&mut self, cards: usize) -> DetectorSection {
        let scores = self.scores();
        let truth = self.truth();
        let threshold = 0.68;
        let flagged: Vec<bool> = scores.iter().map(|&score| score >= threshold).collect();
        let mut order: Vec<usize> = (0..IMAGES).collect();
        order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
        let most: Vec<Card> = (0..cards)
            .map(|place| self.card(order[place], place + 1, threshold))
            .collect();
        let least = (0..cards)
            .map(|place| self.card(order[IMAGES - 1 - place], IMAGES - place, threshold))
            .collect();
        let bootstrap = Bootstrap {
            resamples: 200,
            ..Bootstrap::default()
        };
        DetectorSection {
            name: "cd-l".into(),
            title: "Cognitive Distillation (logits)".into(),
            explanation: "Finds the smallest mask that keeps the model's logits. Poisoned images need only their trigger, so their masks are small. The score is 1 minus the mask's L1 norm scaled to 0..1 over the data set.".into(),
            metrics: metric_rows(&truth, &scores, Some(&flagged), &bootstrap).expect("valid"),
            level: bootstrap.level,
            classes: self.classes(&flagged),
            threshold: Some(Threshold {
                rule: "(mean - norm) / std > 1, mean and std from 1 % clean images".into(),
                value: Some(threshold),
                flagged: flagged.iter().filter(|&&flag| flag).count(),
            }),
            scores,
            raw_label: "Mask norm (pixels)".into(),
            truth: Some(truth),
            listed: listed(&most),
            searched: None,
            most_suspicious: most,
            least_suspicious: least,
        }
    }
}

fn listed(cards: &[Card]) -> Vec<Listed> {
    let flagged = cards.iter().filter(|card| card.flagged);
    flagged
        .map(|card| Listed {
            name: card.name.clone(),
            label: card.label.clone(),
            score: card.score,
            rank: card.rank,
        })
        .collect()
}

/// A detector without ground truth, rule, masks or raw values: the plainest section there is.
fn plain_section(scan: &mut Scan, cards: usize) -> DetectorSection {
    let full = scan.section(cards);
    let strip = |mut card: Card| {
        card.poisoned = None;
        card.flagged = false;
        card.raw = None;
        card
    };
    DetectorSection {
        name: "strip".into(),
        title: "STRIP".into(),
        explanation: "Superimposes clean images and watches the entropy of the predictions.".into(),
        scores: full.scores,
        most_suspicious: full.most_suspicious.into_iter().map(strip).collect(),
        least_suspicious: full.least_suspicious.into_iter().map(strip).collect(),
        ..DetectorSection::default()
    }
}

/// A verdict with everything that it can hold.
pub(super) fn verdict() -> VerdictSection {
    let proof = Proof {
        kind: "patch".into(),
        strength: 1.0,
        images: 100,
        turned: 97,
        control: 2,
        picture: Some("proof/airplane.png".into()),
    };
    let class = SuspectClass {
        class: TARGET as u32,
        name: CLASSES[TARGET].into(),
        standing: Standing::Backdoored,
        found_by: "cascade".into(),
        images: 50,
        interval: [44, 57],
        evidence: vec![
            "Its features fall into two groups, 11.2 times as far apart as those of other classes"
                .into(),
            "48 of its flagged images share a pattern at one place".into(),
        ],
        proof: Some(proof),
        picture: None,
    };
    let canary = |kind: &str, found| Canary {
        kind: kind.into(),
        class: 3,
        rate: 0.01,
        planted: 11,
        found,
    };
    let picture = Picture::new(2, 2, vec![0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0]);
    let picture = picture.expect("fits");
    VerdictSection {
        verdict: Verdict {
            blind: None,
            standing: Standing::Backdoored,
            summary: "Class airplane holds a backdoor: about 50 of its images carry a trigger that turns other images into it.".into(),
            images: IMAGES,
            flagged: 59,
            classes: vec![
                class.clone(),
                SuspectClass {
                    class: 1,
                    name: CLASSES[1].into(),
                    standing: Standing::Suspicious,
                    found_by: "probe-label".into(),
                    images: 9,
                    interval: [3, 17],
                    evidence: vec!["9 labels disagree with what the features say".into()],
                    proof: None,
                    picture: Some("shared/class-1.png".into()),
                },
            ],
            power: Power::Measured {
                canaries: vec![canary("patch", 11), canary("blend", 4), canary("clean-label", 9)],
            },
            warnings: vec![
                "This scan proves nothing about a blend on 1 % of the images: 4 of 11 planted ones were found.".into(),
                "The classifier is right about 71 % of held-out images; more epochs would help.".into()],
        },
        triggers: vec![Some(picture.clone()), Some(picture)],
    }
}

pub(super) fn report(side: usize, cards_per_gallery: usize) -> Report {
    let mut scan = Scan::new(side);
    let detectors = vec![
        scan.section(cards_per_gallery),
        plain_section(&mut scan, cards_per_gallery),
    ];
    Report {
        title: "CIFAR-10 with BadNets <5 %>".into(),
        subtitle: "ResNet-18, 60 epochs, seed 0".into(),
        created: "2026-03-01 12:00 UTC, version 0.1.0".into(),
        verdict: None,
        summary: vec![
            Tile::new("Images scanned", "1,000"),
            Tile::new("Flagged", "59").with_hint("5.9 % of the images"),
            Tile::new("AUROC", "0.992").with_hint("95 % interval 0.987 \u{2013} 0.997"),
            Tile::new("Clean accuracy", "93.1 %").with_hint("test images without trigger"),
            Tile::new("Attack success rate", "99.8 %").with_hint("test images with trigger"),
        ],
        detectors,
        settings: "[attack]\nname = \"badnets\"\nrate = 0.05\n\n[detector.cd-l]\nsteps = 100\nalpha = 0.01\nbeta = 1.0\n".into(),
        notes: vec!["The model was trained on the scanned images themselves.".into()],
    }
}

#[test]
fn every_picture_and_plot_has_a_text_alternative() {
    let page = render(&report(32, 2)).expect("renders");
    assert_eq!(
        page.matches("<img ").count(),
        page.matches(" alt=\"").count()
    );
    assert_eq!(
        page.matches("<svg ").count(),
        page.matches("role=\"img\" aria-label=\"").count()
    );
    assert_eq!(page.matches("alt=\"\"").count(), 0);
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert!(render(&report(32, 3)).expect("renders") == render(&report(32, 3)).expect("renders"));
}

#[test]
fn what_is_known_decides_what_is_shown() {
    let full = report(32, 1);
    let page = render(&full).expect("renders");
    for text in [
        "ROC: poisoned",
        "clean (950)",
        "poisoned (50)",
        "Look first at",
        "Small mask norm",
    ] {
        assert!(page.contains(text), "{text} is missing");
    }
    let mut scan = Scan::new(32);
    let plain = Report {
        detectors: vec![plain_section(&mut scan, 0)],
        ..full
    };
    let page = render(&plain).expect("renders");
    assert!(page.contains("all images (1000)"));
    for text in [
        "ROC: poisoned",
        "Look first at",
        "Small mask norm",
        "AUROC 1 is perfect",
    ] {
        assert!(!page.contains(text), "{text} has no place here");
    }
}

#[test]
fn one_kind_of_image_gives_no_curves_but_a_page() {
    let section = DetectorSection {
        title: "d".into(),
        scores: vec![0.1, f64::NAN],
        truth: Some(vec![false, false]),
        ..DetectorSection::default()
    };
    let page = render(&Report {
        detectors: vec![section],
        ..Report::default()
    })
    .expect("renders");
    assert!(page.contains("No curves: "));
    assert!(page.contains("1 score that is not a finite number is not shown."));
}

#[test]
fn faulty_content_is_named() {
    let mut wrong = report(32, 1);
    wrong.detectors[0].truth = Some(vec![true]);
    let error = render(&wrong).expect_err("lengths differ");
    assert!(
        error
            .to_string()
            .contains("`cd-l` has 1000 scores but 1 ground-truth labels")
    );

    let mut wrong = report(32, 1);
    wrong.detectors[0].most_suspicious[0].image = Picture::new(0, 0, Vec::new()).expect("fits");
    let error = render(&wrong).expect_err("no pixels");
    assert!(
        error.to_string().contains("the image of `train/airplane"),
        "{error}"
    );
}
