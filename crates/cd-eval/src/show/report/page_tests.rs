//! The page as a whole: its order, its size, and what it lets run.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::sample::{report, verdict};
use super::*;

#[test]
fn the_page_stays_below_five_megabytes_whatever_it_shows() {
    let mut many = report(224, 96);
    let row = many.detectors[0].listed[0].clone();
    for detector in &mut many.detectors {
        detector.listed = vec![row.clone(); 9000];
    }
    let page = render(&many).expect("renders");
    assert!(page.len() <= 5_000_000, "{} bytes", page.len());
    assert!(page.contains("left out to keep this file small"));
    assert!(page.contains("<img "), "some pictures are left");

    let few = render(&report(224, 12)).expect("renders");
    assert_eq!(few.matches("<img ").count(), 2 * 24 * 3);
    assert!(!few.contains("left out to keep"));
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = render(&report(32, 2)).expect("renders");
    let without_namespace = page.replace("http://www.w3.org/2000/svg", "");
    for forbidden in [
        "http:", "https:", "<link", "@import", "url(", " onload", " onclick",
    ] {
        assert!(!without_namespace.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_policy_lets_the_one_script_run_and_nothing_else() {
    let page = render(&report(32, 2)).expect("renders");
    assert_eq!(page.matches("<script").count(), 1);
    let (_, rest) = page.split_once("<script>").expect("a script");
    let (script, _) = rest.split_once("</script>").expect("its end");
    let hash = STANDARD.encode(Sha256::digest(script));
    let (_, policy) = page
        .split_once("Content-Security-Policy\" content=\"")
        .expect("a policy");
    let (policy, _) = policy.split_once('"').expect("its end");
    let policy = policy.replace("&#39;", "'");
    assert!(
        policy.contains(&format!("script-src 'sha256-{hash}';")),
        "{policy}"
    );
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe-eval"));
}

#[test]
fn the_verdict_comes_first_then_classes_then_images() {
    let judged = Report {
        verdict: Some(verdict()),
        ..report(32, 12)
    };
    let page = render(&judged).expect("renders");
    let places = [
        "id=\"verdict\"",
        "class=\"tiles\"",
        "Flagged images by class",
        "Most suspicious images",
        "Least suspicious images",
        "<h3>Scores",
        "<h3>Metrics",
        "aria-label=\"Notes\"",
        "id=\"settings\"",
    ];
    let places = places.map(|part| {
        page.find(part)
            .unwrap_or_else(|| panic!("{part} is missing"))
    });
    assert!(places.is_sorted(), "{places:?}");
    for part in [
        "About <strong>50 images</strong>",
        "44 to 57",
        "<strong>97 %</strong> of 100 other images",
        "a control in its place 2.0 %",
        "proves nothing about a blend",
        "statistical only",
        "71 % of held-out images",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("alt=\"Recovered trigger").count(), 1);
    let before = render(&report(32, 12)).expect("renders");
    let place = |part| before.find(part).expect("is there");
    assert!(place("aria-label=\"Notes\"") < place("Flagged images by class"));
}

#[test]
fn tmp_pages() {
    let out = std::path::Path::new("/tmp/ic/pages");
    let truth = Report {
        verdict: Some(verdict()),
        ..report(32, 48)
    };
    write_report(&out.join("truth.html"), &truth).expect("x");
    let mut none = Report {
        verdict: Some(verdict()),
        ..report(224, 24)
    };
    none.detectors.remove(0);
    let section = none.verdict.as_mut().expect("x");
    section.verdict.standing = cd_detect::Standing::Clean;
    section.verdict.classes.clear();
    section.verdict.flagged = 0;
    section.verdict.summary = "Nothing beyond what clean sets show.".into();
    section.triggers.clear();
    section.verdict.power = cd_detect::Power::Unknown {
        reason: "the weights were given, so nothing was trained and nothing could be planted"
            .into(),
    };
    section.verdict.warnings.clear();
    write_report(&out.join("nothing.html"), &none).expect("x");
    let mut plain = report(32, 24);
    for d in &mut plain.detectors {
        d.truth = None;
        d.metrics.clear();
        for c in &mut d.most_suspicious {
            c.poisoned = None;
        }
        for c in &mut d.least_suspicious {
            c.poisoned = None;
        }
        for c in &mut d.classes {
            c.poisoned = None;
        }
    }
    plain.verdict = Some(verdict());
    plain.verdict.as_mut().expect("x").verdict.standing = cd_detect::Standing::Suspicious;
    write_report(&out.join("no-truth.html"), &plain).expect("x");
    let mut many = Report {
        verdict: Some(verdict()),
        ..report(224, 48)
    };
    many.detectors.truncate(1);
    let d = &mut many.detectors[0];
    d.threshold.as_mut().expect("x").flagged = 5000;
    d.listed = (0..5000)
        .map(|n| Listed {
            name: format!("train/airplane/{n:05}.png"),
            label: "airplane".into(),
            score: 1.0 - n as f64 / 9000.0,
            rank: n + 1,
        })
        .collect();
    write_report(&out.join("many.html"), &many).expect("x");
}
