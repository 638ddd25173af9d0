//! Text from outside stays text.

use cd_detect::Power;

use super::sample::{report, verdict};
use super::*;

#[test]
fn text_from_outside_is_escaped() {
    let page = render(&report(32, 2)).expect("renders");
    assert!(page.contains("&lt;photo&gt; &amp; &quot;copy&quot;.png"));
    assert!(!page.contains("<photo>"));
    assert!(page.contains("BadNets &lt;5 %&gt;"));
}

fn hostile_verdict(text: &mut impl FnMut() -> String) -> VerdictSection {
    let mut section = verdict();
    let verdict = &mut section.verdict;
    verdict.summary = text();
    verdict.warnings = vec![text()];
    let class = &mut verdict.classes[0];
    class.name = text();
    class.evidence = vec![text()];
    if let Some(proof) = &mut class.proof {
        proof.kind = text();
    }
    if let Power::Measured { canaries } = &mut verdict.power {
        canaries[0].kind = text();
    }
    section
}

/// A report with markup in every field that holds text, numbered, and how many there are.
fn hostile_report() -> (Report, usize) {
    let mut fields = 0;
    let mut text = || {
        fields += 1;
        format!("<i id=\"{fields}\">&'")
    };
    let mut hostile = report(32, 1);
    hostile.title = text();
    hostile.subtitle = text();
    hostile.created = text();
    hostile.settings = text();
    hostile.notes = vec![text()];
    hostile.summary = vec![Tile::new(text(), text()).with_hint(text())];
    hostile.detectors.truncate(1);
    hostile.verdict = Some(hostile_verdict(&mut text));
    let detector = &mut hostile.detectors[0];
    detector.name = text();
    detector.title = text();
    detector.explanation = text();
    detector.raw_label = text();
    detector.metrics[0].name = text();
    detector.classes[0].name = text();
    if let Some(threshold) = &mut detector.threshold {
        threshold.rule = text();
    }
    detector.listed[0].name = text();
    detector.listed[0].label = text();
    detector.most_suspicious[0].name = text();
    detector.most_suspicious[0].label = text();
    (hostile, fields)
}

#[test]
fn no_field_can_smuggle_markup_in() {
    let (hostile, fields) = hostile_report();
    let page = render(&hostile).expect("renders");
    for field in 1..=fields {
        let escaped = format!("&lt;i id=&quot;{field}&quot;&gt;&amp;");
        assert!(page.contains(&escaped), "field {field} is not shown");
    }
    assert!(!page.contains("<i "), "a field is shown as markup");
}
