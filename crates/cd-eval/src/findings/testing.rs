//! Made-up findings.

use cd_detect::{Power, Proof, Standing, SuspectClass, Verdict};

use super::{DetectorRule, Findings, ImageFinding, SCHEMA_VERSION};

/// A verdict on four pictures of which `cat` stands out, unless the set is clean.
#[expect(clippy::unnecessary_wraps, reason = "findings may have none")]
pub(super) fn verdict(standing: Standing) -> Option<Verdict> {
    let class = SuspectClass {
        class: 0,
        name: "cat".into(),
        standing,
        found_by: "cascade".into(),
        images: 2,
        interval: [1, 3],
        evidence: vec!["its features fall apart".into()],
        proof: Some(Proof {
            kind: "patch".into(),
            strength: 1.0,
            images: 100,
            turned: 97,
            control: 2,
            picture: None,
        }),
        picture: None,
    };
    Some(Verdict {
        blind: None,
        standing,
        summary: "Two pictures of <cat> carry a pattern.".into(),
        images: 4,
        flagged: 2,
        classes: match standing {
            Standing::Clean => Vec::new(),
            _ => vec![class],
        },
        power: Power::Unknown {
            reason: "nothing was planted".into(),
        },
        warnings: vec!["The classifier is weak.".into()],
    })
}

pub(super) fn image(file: &str, label: &str, flagged: bool, content: &str) -> ImageFinding {
    let score = if flagged { 0.9 } else { 0.1 };
    ImageFinding {
        filepath: ["pictures", file].iter().collect(),
        file: file.into(),
        label: label.into(),
        content: Some(content.into()),
        score,
        scores: [("cascade".to_owned(), score)].into(),
        flagged,
        flagged_by: flagged.then(|| "cascade".to_owned()).into_iter().collect(),
        new: None,
    }
}

/// Four pictures, the first two flagged.
pub(super) fn findings(verdict: Option<Verdict>) -> Findings {
    Findings {
        schema_version: SCHEMA_VERSION,
        toolkit_version: "0.1.0".into(),
        root: "pictures".into(),
        verdict,
        detectors: vec![DetectorRule {
            detector: "cascade".into(),
            rule: "its own".into(),
            judges: true,
            flagged: 2,
        }],
        images: vec![
            image("cat/a, \"1\".png", "cat", true, "2x2-one"),
            image("cat/\u{fc} 2.png", "cat", true, "2x2-two"),
            image("dog/3.png", "dog", false, "2x2-three"),
            image("dog/4.png", "dog", false, "2x2-four"),
        ],
        since: None,
    }
}
