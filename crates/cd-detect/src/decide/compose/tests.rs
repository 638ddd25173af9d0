use super::super::verdict::Canary;
use super::*;
use crate::apart;
use crate::decide::SearchFinding;
use crate::detector::Detector;
use crate::detector::shared_shift::SharedShift;

const CLASSES: usize = 4;
/// Images of each class; the first thirty of class 1 are its suspicious group.
const IMAGES: usize = 100;
const GROUP: usize = 30;

struct Set {
    names: Vec<String>,
    labels: Vec<u32>,
    classes: Vec<ClassFinding>,
    flagged: Vec<bool>,
}

impl Set {
    /// One in which class 1 falls apart by so much, if that makes it a target.
    fn new(gap: f64, is_target: bool) -> Self {
        let found = |class: usize| ClassFinding {
            class: class as u32,
            images: IMAGES,
            group: GROUP,
            gap: if class == 1 { gap } else { 2.0 },
            border: 5.0,
            usual: None,
            learned: Some(GROUP),
            view: "in the features".into(),
            search: None,
            trusted: None,
            is_target: class == 1 && is_target,
        };
        Self {
            names: (0..CLASSES).map(|class| format!("c{class}")).collect(),
            labels: (0..CLASSES * IMAGES)
                .map(|at| (at / IMAGES) as u32)
                .collect(),
            classes: (0..CLASSES).map(found).collect(),
            flagged: (0..CLASSES * IMAGES)
                .map(|at| is_target && (IMAGES..IMAGES + GROUP).contains(&at))
                .collect(),
        }
    }

    fn findings<'a>(&'a self, witnesses: &'a [Witness<'a>]) -> Findings<'a> {
        Findings {
            knows_labels: true,
            class_names: &self.names,
            labels: &self.labels,
            judge: Some("judge"),
            classes: &self.classes,
            flagged: &self.flagged,
            witnesses,
            proofs: BTreeMap::new(),
            power: Power::Unknown {
                reason: "nothing was planted".into(),
            },
            warnings: Vec::new(),
        }
    }

    fn searched(mut self, confirms: bool) -> Self {
        self.classes[1].search = Some(SearchFinding {
            smaller_mask: 0.9,
            carries_further: 0.8,
            confirms,
        });
        self
    }

    fn standing(&self) -> Standing {
        self.findings(&[]).verdict().standing
    }
}

#[test]
fn a_second_kind_of_evidence_makes_the_difference() {
    assert_eq!(Set::new(3.0, false).standing(), Standing::Clean);
    assert_eq!(Set::new(8.0, true).standing(), Standing::Suspicious);
    assert_eq!(
        Set::new(8.0, true).searched(false).standing(),
        Standing::Suspicious
    );
    assert_eq!(
        Set::new(8.0, true).searched(true).standing(),
        Standing::Backdoored
    );
    // Below the border the search is what made it a target.
    assert_eq!(
        Set::new(4.0, true).searched(true).standing(),
        Standing::Suspicious
    );
    let mut trusted = Set::new(8.0, true);
    trusted.classes[1].trusted = Some([20, 0]);
    assert_eq!(trusted.standing(), Standing::Backdoored);
    trusted.classes[1].trusted = Some([5, 0]);
    assert_eq!(trusted.standing(), Standing::Suspicious);
}

#[test]
fn the_class_is_named_with_a_number_and_an_interval() {
    let verdict = Set::new(8.0, true).searched(true).findings(&[]).verdict();
    let [class] = &verdict.classes[..] else {
        panic!("one class: {verdict:?}")
    };
    assert_eq!(
        (class.class, class.name.as_str(), class.images),
        (1, "c1", GROUP)
    );
    assert!(class.interval[0] < GROUP && class.interval[1] > GROUP && class.interval[1] < IMAGES);
    assert_eq!((verdict.images, verdict.flagged), (CLASSES * IMAGES, GROUP));
    assert!(
        verdict
            .summary
            .starts_with("Backdoored: 30 images of `c1` (21 to 40)"),
        "{}",
        verdict.summary
    );
    assert!(
        class.evidence[0].contains("8.0 standard deviations"),
        "{:?}",
        class.evidence
    );
    assert!(
        class.evidence[1].contains("90 % of all pairs"),
        "{:?}",
        class.evidence
    );
}

#[test]
fn doubted_labels_confirm_a_group_and_raise_a_class() {
    let flags = |from: usize, to: usize| -> Vec<bool> {
        (0..CLASSES * IMAGES)
            .map(|at| (from..to).contains(&at))
            .collect()
    };
    let witness = |flagged| Witness {
        label: "probe-label",
        testimony: Testimony::Labels,
        knows_trusted: false,
        judged: &[true; CLASSES],
        flagged,
        classes: &[],
    };
    let inside = flags(IMAGES, IMAGES + GROUP);
    let set = Set::new(8.0, true);
    let verdict = set.findings(&[witness(&inside)]).verdict();
    assert_eq!(verdict.standing, Standing::Backdoored);
    assert!(
        verdict.classes[0].evidence[1].contains("30 of the 30"),
        "{verdict:?}"
    );
    // Outside of the group they confirm nothing.
    let outside = flags(IMAGES + GROUP, 2 * IMAGES);
    assert_eq!(
        set.findings(&[witness(&outside)]).verdict().standing,
        Standing::Suspicious
    );
    // A detector that orders images by the same features is no second kind.
    let alike = Witness {
        testimony: Testimony::Images,
        ..witness(&inside)
    };
    assert_eq!(
        set.findings(&[alike]).verdict().standing,
        Standing::Suspicious
    );
    let clean = Set::new(2.0, false);
    let verdict = clean.findings(&[witness(&inside)]).verdict();
    assert_eq!(
        (verdict.standing, verdict.classes[0].images),
        (Standing::Suspicious, GROUP)
    );
}

#[test]
fn a_shared_pattern_raises_a_class_and_confirms_one_that_falls_apart() {
    let group: Vec<bool> = (0..CLASSES * IMAGES)
        .map(|at| (IMAGES..IMAGES + GROUP).contains(&at))
        .collect();
    let found = Set::new(9.0, true).classes;
    let witness = Witness {
        label: "shared-pattern",
        testimony: Testimony::Patterns,
        knows_trusted: false,
        judged: &[true; CLASSES],
        flagged: &group,
        classes: &found,
    };
    let witnesses = [witness];
    // Alone it is suspicious, with a proof or doubted labels backdoored.
    let set = Set::new(2.0, false);
    let alone = set.findings(&witnesses).verdict();
    assert_eq!(
        (alone.standing, alone.flagged),
        (Standing::Suspicious, GROUP)
    );
    let class = &alone.classes[0];
    assert_eq!(
        (class.class, class.found_by.as_str()),
        (1, "shared-pattern")
    );
    // What another detector sees in the same pictures is evidence of the same kind.
    let twice = [
        witness,
        Witness {
            label: "shared-levels",
            ..witness
        },
    ];
    let twice = set.findings(&twice).verdict();
    assert_eq!(twice.standing, Standing::Suspicious);
    assert_eq!(twice.classes[0].evidence.len(), 2, "{:?}", twice.classes);
    assert!(
        class.evidence[0].contains("30 of its 100 images"),
        "{class:?}"
    );
    let labels = Witness {
        label: "probe-label",
        testimony: Testimony::Labels,
        classes: &[],
        ..witness
    };
    let both = set.findings(&[witness, labels]).verdict();
    assert_eq!(
        (both.standing, both.classes.len()),
        (Standing::Backdoored, 1)
    );
    let proof = Proof {
        kind: "patch".into(),
        strength: 1.0,
        images: 100,
        turned: 97,
        control: 2,
        picture: None,
    };
    let proven = Findings {
        proofs: BTreeMap::from([(1, proof)]),
        ..set.findings(&witnesses)
    };
    assert_eq!(proven.verdict().standing, Standing::Backdoored);
    // It confirms the same group in the features, and no verdict names a class twice.
    let apart = Set::new(8.0, true).findings(&witnesses).verdict();
    assert_eq!(
        (apart.standing, apart.classes.len()),
        (Standing::Backdoored, 1)
    );
    assert_eq!(apart.classes[0].found_by, "judge");
}

#[test]
fn of_two_groups_of_a_class_the_larger_counts_where_they_agree_and_the_wider_where_not() {
    let all = CLASSES * IMAGES;
    let group =
        |from: usize, to: usize| (0..all).map(move |at| (IMAGES + from..IMAGES + to).contains(&at));
    let judged = |flagged: Vec<bool>, gap: f64, usual: Option<f64>| {
        let mut found = Set::new(9.0, true).classes;
        found[1].usual = usual;
        found[1].group = flagged.iter().filter(|&&flag| flag).count();
        found[1].gap = gap;
        let witness = Witness {
            label: "shared-pattern",
            testimony: Testimony::Patterns,
            knows_trusted: false,
            judged: &[true; CLASSES],
            flagged: &flagged,
            classes: &found,
        };
        let verdict = Set::new(8.0, true).findings(&[witness]).verdict();
        assert_eq!(verdict.classes.len(), 1);
        let class = verdict.classes[0].clone();
        assert_eq!(class.images, verdict.flagged);
        (class.found_by, class.images, verdict.standing)
    };
    let led = |flagged: Vec<bool>, gap: f64| judged(flagged, gap, None);
    // The judge has the first thirty, at 1.6 times its border of 5.
    let pattern = "shared-pattern".to_owned();
    let judge = "judge".to_owned();
    let backdoored = Standing::Backdoored;
    assert_eq!(
        led(group(0, 60).collect(), 6.0),
        (pattern.clone(), 60, backdoored)
    );
    assert_eq!(
        led(group(0, 20).collect(), 99.0),
        (judge.clone(), 30, backdoored)
    );
    for (gap, found) in [(99.0, &pattern), (1.0, &judge)] {
        assert_eq!(led(group(0, 29).collect(), gap).0, *found);
        assert_eq!(led(group(0, 31).collect(), gap).0, *found);
        // A part that only likelihoods tell.
        assert_eq!(judged(group(0, 31).collect(), gap, Some(2.0)).0, judge);
    }
    let suspicious = Standing::Suspicious;
    assert_eq!(led(group(40, 90).collect(), 6.0), (judge, 30, suspicious));
    assert_eq!(
        led(group(40, 90).collect(), 20.0),
        (pattern, 50, suspicious)
    );
}

#[test]
fn a_proof_confirms_where_its_control_does_not_do_the_same() {
    let set = Set::new(8.0, true);
    let verdict = |turned, control| {
        let proof = Proof {
            kind: "patch".into(),
            strength: 1.0,
            images: 100,
            turned,
            control,
            picture: None,
        };
        let proofs = BTreeMap::from([(1, proof)]);
        Findings {
            proofs,
            ..set.findings(&[])
        }
        .verdict()
    };
    let says = |verdict: &Verdict, words: &str| {
        let mut evidence = verdict.classes[0].evidence.iter();
        evidence.any(|one| one.contains(words))
    };
    let proven = verdict(97, 2);
    assert_eq!(proven.standing, Standing::Backdoored);
    assert!(!says(&proven, "proves no trigger"));
    let easily_led = verdict(97, 70);
    assert_eq!(easily_led.standing, Standing::Suspicious);
    assert!(says(&easily_led, "easily led to"));
    let not_followed = verdict(30, 0);
    assert_eq!(not_followed.standing, Standing::Suspicious);
    assert!(says(&not_followed, "one by one"));
}

#[test]
fn what_was_missed_or_not_planted_is_said_whatever_the_verdict() {
    let set = Set::new(2.0, false);
    let canary = |kind: &str, found| Canary {
        kind: kind.into(),
        class: 0,
        rate: 0.01,
        planted: 11,
        found,
    };
    let verdict = Findings {
        power: Power::Measured {
            canaries: vec![canary("patch", 11), canary("blend", 4)],
        },
        ..set.findings(&[])
    }
    .verdict();
    let about: Vec<&String> = verdict
        .warnings
        .iter()
        .filter(|one| one.contains("proves nothing"))
        .collect();
    assert_eq!(about.len(), 1, "{:?}", verdict.warnings);
    assert!(
        about[0].contains("a blend trigger on 1.0 %") && about[0].contains("4 of 11"),
        "{about:?}"
    );
    assert!(verdict.warnings.iter().any(|one| one.contains("warps")));
    let unknown = set.findings(&[]).verdict();
    assert!(
        unknown.warnings[0].contains("unknown: nothing was planted"),
        "{:?}",
        unknown.warnings
    );
}

#[test]
fn a_blind_scan_calls_nothing_clean() {
    let set = Set::new(2.0, false);
    let of = |found: [usize; 2]| {
        let canaries = [("patch", found[0]), ("blend", found[1])].map(|(kind, found)| Canary {
            kind: kind.into(),
            class: 0,
            rate: 0.01,
            planted: 11,
            found,
        });
        let power = Power::Measured {
            canaries: canaries.into(),
        };
        let verdict = Findings {
            power,
            ..set.findings(&[])
        }
        .verdict();
        verdict.summary
    };
    assert!(of([0, 3]).contains("proves little"), "{}", of([0, 3]));
    let half = of([0, 11]);
    assert!(
        half.ends_with("would have seen a blend trigger, but not a patch trigger"),
        "{half}"
    );
    assert!(of([11, 11]).starts_with("Clean"), "{}", of([11, 11]));
}

#[test]
fn labels_alone_give_a_verdict_whose_images_are_those_of_the_doubted_class() {
    let mut set = Set::new(2.0, false);
    set.classes.clear();
    // Half of class 2 is doubted, and three images of each other class.
    let doubted: Vec<bool> = (0..CLASSES * IMAGES)
        .map(|at| at % IMAGES < if at / IMAGES == 2 { 50 } else { 3 })
        .collect();
    let witness = Witness {
        label: "probe-label",
        testimony: Testimony::Labels,
        knows_trusted: false,
        judged: &[true; CLASSES],
        flagged: &doubted,
        classes: &[],
    };
    let witnesses = [witness];
    let verdict = Findings {
        judge: None,
        ..set.findings(&witnesses)
    }
    .verdict();
    assert_eq!(verdict.standing, Standing::Suspicious);
    assert_eq!((verdict.images, verdict.flagged), (CLASSES * IMAGES, 50));
    assert!(verdict.takes_for_poisoned("c2", |label| label == "probe-label"));
    assert!(!verdict.takes_for_poisoned("c2", |label| label == "ss"));
    assert!(!verdict.takes_for_poisoned("c1", |_| true));
    assert!(
        verdict.warnings[0].contains("pictures of their own class"),
        "{:?}",
        verdict.warnings
    );
}

#[test]
fn a_set_without_classes_to_judge_has_no_verdict() {
    let mut set = Set::new(2.0, false);
    set.classes.clear();
    let verdict = set.findings(&[]).verdict();
    assert_eq!(verdict.images, 0);
    assert!(
        verdict.summary.starts_with("No verdict"),
        "{}",
        verdict.summary
    );
    assert!(
        verdict.warnings[0].contains("4 of 4 classes"),
        "{:?}",
        verdict.warnings
    );
}

/// What patterns alone say of classes of these sizes, which can be found where `judges` says so.
fn by_patterns(sizes: &[usize], judges: impl Fn(usize, &[usize]) -> bool) -> Verdict {
    let mut set = Set::new(2.0, false);
    let mut judged: Vec<bool> = (0..sizes.len()).map(|class| judges(class, sizes)).collect();
    judged.resize(CLASSES, false);
    let sizes = sizes.iter().enumerate();
    set.labels = sizes
        .flat_map(|(class, &size)| vec![class as u32; size])
        .collect();
    set.flagged = vec![false; set.labels.len()];
    set.classes.clear();
    let witnesses = [Witness {
        label: "shared-pattern",
        testimony: Testimony::Patterns,
        knows_trusted: false,
        judged: &judged,
        flagged: &set.flagged,
        classes: &[],
    }];
    let findings = Findings {
        judge: None,
        ..set.findings(&witnesses)
    };
    findings.verdict()
}

#[test]
fn patterns_are_looked_for_in_classes_that_are_large_enough_and_beside_others() {
    for sizes in [&[1, 1][..], &[60], &[14, 7, 7, 7], &[16, 19]] {
        let verdict = by_patterns(sizes, apart::is_judged);
        assert_eq!(verdict.images, 0, "{sizes:?}");
        assert!(verdict.summary.starts_with("No verdict"), "{verdict:?}");
    }
    let verdict = by_patterns(&[40, 16, 15], apart::is_judged);
    assert_eq!(verdict.images, 56);
    assert!(verdict.warnings[1].starts_with("1 of 3 classes are too small"));
    assert!(
        verdict
            .summary
            .starts_with("Nothing found in 71 images; what")
    );
}

#[test]
fn a_class_that_is_too_small_for_every_detector_is_not_judged() {
    let shift = SharedShift::default();
    let by_shift = |sizes: &[usize], side| {
        by_patterns(sizes, |class, sizes| shift.judges(class, sizes, side)).images
    };
    assert_eq!(by_shift(&[400, 299, 100, 100], 32), 400);
    assert_eq!(by_shift(&[400, 400, 400], 32), 0, "too few others");
    let small_pictures = by_patterns(&[400, 400, 400, 400], |class, sizes| {
        shift.judges(class, sizes, 8)
    });
    assert_eq!(small_pictures.images, 0);
    assert!(small_pictures.summary.starts_with("No verdict"));
}

#[test]
fn weights_that_do_not_know_the_labels_prove_little_where_nothing_is_found() {
    let clean = Set::new(2.0, false);
    let verdict = Findings {
        knows_labels: false,
        ..clean.findings(&[])
    }
    .verdict();
    assert!(verdict.summary.contains("which proves little: the given"));
    assert!(verdict.blind.is_some());
    let target = Set::new(8.0, true);
    let verdict = Findings {
        knows_labels: false,
        ..target.findings(&[])
    }
    .verdict();
    assert_eq!(verdict.blind, None);
    assert!(verdict.summary.starts_with("Suspicious"));
}
