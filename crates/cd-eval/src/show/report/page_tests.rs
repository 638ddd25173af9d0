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
    assert_eq!(page.matches("alt=\"What suspicious images").count(), 1);
    let before = render(&report(32, 12)).expect("renders");
    let place = |part| before.find(part).expect("is there");
    assert!(place("aria-label=\"Notes\"") < place("Flagged images by class"));
}
