//! Whether a pipeline stops.

use cd_detect::{Canary, Power, Standing, Verdict};

use super::Findings;

/// What findings mean for a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// Nothing that is as bad as what was named.
    Passed,
    /// There are such findings; what they are.
    Findings(String),
    /// The scan cannot tell; why, and what would help. What cannot be judged never passes.
    Unjudged(String),
}

pub(super) fn rule(findings: &Findings, fail_on: Standing) -> Ruling {
    if findings.images.is_empty() {
        return Ruling::Unjudged("no picture was judged".to_owned());
    }
    let standing = match &findings.since {
        Some(since) => since.standing,
        None => findings.standing(),
    };
    if fail_on > Standing::Clean && standing >= fail_on {
        return Ruling::Findings(sentence(findings));
    }
    match &findings.verdict {
        Some(verdict) => of_verdict(verdict),
        None => without_verdict(findings, fail_on),
    }
}

fn of_verdict(verdict: &Verdict) -> Ruling {
    if verdict.images == 0 {
        return Ruling::Unjudged("no picture was judged".to_owned());
    }
    match (&verdict.power, &verdict.blind) {
        (Power::Measured { canaries }, _) if verdict.power.is_blind() => Ruling::Unjudged(format!(
            "the scan planted backdoors of its own and found none of them, or too little of each ({}), so it cannot see one in these pictures either; \
             more detectors, larger pictures, or a classifier that is trained for more epochs or from given weights may see more",
            planted(canaries)
        )),
        (_, Some(why)) => Ruling::Unjudged(why.clone()),
        _ => Ruling::Passed,
    }
}

fn without_verdict(findings: &Findings, fail_on: Standing) -> Ruling {
    if !findings.is_judged() {
        return Ruling::Unjudged(
            "no detector of this run tells findings from chance: their rules flag a share of clean pictures, too; add one \
             with a rule of its own (`cd-cli detectors`), such as `--detector cascade`"
                .to_owned(),
        );
    }
    if fail_on == Standing::Backdoored {
        return Ruling::Unjudged(
            "this run reached no verdict, and flags alone do not make a set backdoored: use `--fail-on suspicious`"
                .to_owned(),
        );
    }
    Ruling::Passed
}

fn planted(canaries: &[Canary]) -> String {
    let one = |canary: &Canary| format!("{}: {} of {}", canary.kind, canary.found, canary.planted);
    canaries.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn pictures(count: usize) -> String {
    let noun = if count == 1 { "picture" } else { "pictures" };
    format!("{count} {noun}")
}

/// What was found, for people.
fn sentence(findings: &Findings) -> String {
    let summary = match &findings.verdict {
        Some(verdict) => verdict.summary.clone(),
        None => format!(
            "{} of {} pictures are flagged by the rules of their detectors",
            findings.flagged(),
            findings.images.len()
        ),
    };
    match &findings.since {
        None => summary,
        Some(since) if since.classes.is_empty() => {
            format!(
                "{summary}; new since the baseline: {}",
                pictures(since.flagged)
            )
        }
        Some(since) => format!(
            "{summary}; new since the baseline: {}; classes {}",
            pictures(since.flagged),
            since.classes.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, verdict};
    use super::*;

    fn canary(found: usize) -> Canary {
        Canary {
            kind: "patch".into(),
            class: 1,
            rate: 0.01,
            planted: 10,
            found,
        }
    }

    #[test]
    fn standings_are_compared_with_what_was_named() {
        use Standing::{Backdoored, Clean, Suspicious};
        for (standing, fail_on, stops) in [
            (Clean, Suspicious, false),
            (Clean, Backdoored, false),
            (Suspicious, Suspicious, true),
            (Suspicious, Backdoored, false),
            (Backdoored, Suspicious, true),
            (Backdoored, Backdoored, true),
            (Backdoored, Clean, false),
        ] {
            let ruling = findings(verdict(standing)).rule(fail_on);
            assert_eq!(
                matches!(ruling, Ruling::Findings(_)),
                stops,
                "{standing:?} at {fail_on:?}: {ruling:?}"
            );
            assert!(!matches!(ruling, Ruling::Unjudged(_)));
        }
    }

    #[test]
    fn a_blind_scan_never_passes_and_never_hides_findings() {
        let power = |found: &[usize]| Power::Measured {
            canaries: found.iter().map(|&found| canary(found)).collect(),
        };
        let ruling = |standing, found: &[usize]| {
            let mut scan = findings(verdict(standing));
            scan.verdict.as_mut().expect("given").power = power(found);
            scan.rule(Standing::Suspicious)
        };
        let blind = ruling(Standing::Clean, &[0, 7]);
        assert!(matches!(&blind, Ruling::Unjudged(why) if why.contains("patch: 7 of 10")));
        assert_eq!(ruling(Standing::Clean, &[0, 8]), Ruling::Passed);
        assert_eq!(ruling(Standing::Clean, &[]), Ruling::Passed);
        let found = ruling(Standing::Backdoored, &[0, 0]);
        assert!(matches!(found, Ruling::Findings(_)));
    }

    #[test]
    fn weights_that_do_not_know_the_labels_never_pass() {
        let mut scan = findings(verdict(Standing::Clean));
        scan.verdict.as_mut().expect("given").blind = Some("they know nothing".into());
        let ruling = scan.rule(Standing::Suspicious);
        assert_eq!(ruling, Ruling::Unjudged("they know nothing".into()));
    }

    #[test]
    fn what_was_not_judged_never_passes() {
        let mut none = findings(verdict(Standing::Clean));
        none.images.clear();
        assert!(matches!(
            none.rule(Standing::Suspicious),
            Ruling::Unjudged(_)
        ));
        let mut empty = findings(verdict(Standing::Clean));
        empty.verdict.as_mut().expect("given").images = 0;
        assert!(matches!(
            empty.rule(Standing::Suspicious),
            Ruling::Unjudged(_)
        ));

        let mut flags = findings(None);
        assert!(matches!(
            flags.rule(Standing::Suspicious),
            Ruling::Findings(_)
        ));
        assert!(matches!(
            flags.rule(Standing::Backdoored),
            Ruling::Unjudged(_)
        ));
        for image in &mut flags.images {
            image.flagged = false;
        }
        assert_eq!(flags.rule(Standing::Suspicious), Ruling::Passed);
        flags.detectors[0].judges = false;
        let ruling = flags.rule(Standing::Suspicious);
        assert!(matches!(ruling, Ruling::Unjudged(why) if why.contains("cascade")));
    }
}
