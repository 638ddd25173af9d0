//! Joint judgement: what any of several detectors flags by its own rule.
//!
//! Threat model: that of whichever member sees the trigger. Detectors with rules of their own that flag next to nothing in clean sets can be joined
//! so: what they find adds up, and so do their few false alarms.
//!
//! Ours: the more suspicious of what several detectors say, each on the scale of its own ranks.

use serde::{Deserialize, Serialize};

use super::members::{Heard, places};
use super::{Detector, DetectorConfig, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::needs::Needs;

/// Settings of the joint judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Joint {
    /// The detectors, each with its settings as in the list of detectors and with a rule of its own. The first one orders the images where none flags
    /// any. Those that do not fit the classifier are left out, and the decision says so.
    pub members: Vec<DetectorConfig>,
}

impl Default for Joint {
    fn default() -> Self {
        Self {
            members: DetectorConfig::of_scan(),
        }
    }
}

impl Joint {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "joint",
        title: "Joint judgement of several detectors",
        summary: "Flags what any of its members flags by its own rule: the detectors of a usual `scan`, which judge classes by the classifier and look for what pictures share.",
        threat_model: "That of the cascade, or that of any of those that look at pictures alone: the classifier has learned the trigger, or the pictures themselves show it.",
        paper: "ours",
        source: "none",
        notes: "The raw number is the largest place, from 0 to 1, among the ranks of the members that flag anything, and 1 more for images that are flagged; where no member flags any it is the place given by the first.",
        judges_clean: false,
        rule: Some("the images that a member flags by its own rule"),
    };
}

/// What a member says.
struct Said {
    name: &'static str,
    /// The place of every image, from 0 to 1, the most suspicious last.
    places: Vec<f64>,
    decision: Decision,
}

impl Said {
    fn count(&self) -> usize {
        self.decision.flagged.iter().filter(|flag| **flag).count()
    }

    /// The place of an image, with 1 on top where it is flagged.
    fn place(&self, image: usize) -> f64 {
        self.places[image] + f64::from(u8::from(self.decision.flagged[image]))
    }
}

/// What the members say together.
fn joined(said: &[Said], images: usize, unfit: &[&str]) -> Detection {
    let finds: Vec<&Said> = said.iter().filter(|one| one.count() > 0).collect();
    let asked = if finds.is_empty() {
        said.iter().take(1).collect()
    } else {
        finds
    };
    let largest = |image| {
        let places = asked.iter().map(|one| one.place(image));
        places.fold(0.0, f64::max)
    };
    let flagged = |image: usize| said.iter().any(|one| one.decision.flagged[image]);
    let words = said.iter().map(|one| {
        let (name, count) = (one.name, one.count());
        format!("{name} flags {count}: {}", one.decision.explanation)
    });
    let unfit = unfit
        .iter()
        .map(|name| format!("{name} does not fit this classifier"));
    let words: Vec<String> = words.chain(unfit).collect();
    Detection {
        own: Some(Decision {
            explanation: words.join("; "),
            cutoff: None,
            flagged: (0..images).map(flagged).collect(),
        }),
        ..Detection::new(
            Measure::high("largest place among the members' numbers, 1 more where flagged"),
            (0..images).map(largest).collect(),
        )
    }
}

impl Detector for Joint {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        let wrong = |value: &str| {
            Err(DetectError::Config {
                key: "members",
                value: value.to_owned(),
                expected: "at least one detector, each with a rule of its own",
            })
        };
        if self.members.is_empty() {
            return wrong("none");
        }
        for member in &self.members {
            let info = member.detector().info();
            if info.rule.is_none() {
                return wrong(info.name);
            }
            member.detector().check()?;
        }
        Ok(())
    }

    /// Raised whenever one of its members is.
    fn revision(&self) -> u32 {
        let members = self.members.iter();
        1 + members
            .map(|member| member.detector().revision() - 1)
            .sum::<u32>()
    }

    fn needs(&self) -> Needs {
        let members = self.members.iter();
        members.fold(Needs::default(), |needs, member| {
            needs.and(member.detector().needs())
        })
    }

    fn looks_at_classifier(&self) -> bool {
        let mut members = self.members.iter();
        members.any(|member| member.detector().looks_at_classifier())
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let Some(Heard { found, unfit }) = Heard::of(&self.members, evidence)? else {
            return Ok(None);
        };
        let (mut said, mut masks) = (Vec::new(), None);
        for (name, detection) in found {
            let places = places(&detection);
            masks = masks.or(detection.masks);
            if let Some(decision) = detection.own {
                said.push(Said {
                    name,
                    places,
                    decision,
                });
            }
        }
        let joined = joined(&said, evidence.images.len(), &unfit);
        Ok(Some(Detection { masks, ..joined }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::scan::Scan;

    fn said(name: &'static str, places: [f64; 4], flagged: [bool; 4]) -> Said {
        Said {
            name,
            places: places.to_vec(),
            decision: Decision {
                explanation: "so it is".to_owned(),
                cutoff: None,
                flagged: flagged.to_vec(),
            },
        }
    }

    #[test]
    fn flags_add_up_and_who_finds_nothing_does_not_order() {
        let first = said("first", [0.9, 0.1, 0.2, 0.3], [false; 4]);
        let second = said("second", [0.1, 0.2, 0.3, 1.0], [false, false, false, true]);
        let third = said("third", [0.0, 1.0, 0.5, 0.6], [false, true, false, false]);
        let all = joined(&[first, second, third], 4, &["fourth"]);
        let own = all.own.as_ref().expect("a rule");
        assert_eq!(own.flagged, [false, true, false, true]);
        assert_eq!(all.raw, [0.1, 2.0, 0.5, 2.0]);
        assert!(own.explanation.contains("second flags 1"), "{own:?}");
        assert!(
            own.explanation.contains("fourth does not fit"),
            "{}",
            own.explanation
        );
    }

    #[test]
    fn it_changes_when_a_member_does() {
        let of = |name: &str| Joint {
            members: vec![DetectorConfig::from_name(name).expect("it exists")],
        };
        assert_eq!(of("scan").revision(), 1);
        let shift = DetectorConfig::from_name("shared-shift").expect("it exists");
        assert_eq!(of("shared-shift").revision(), shift.detector().revision());
    }

    #[test]
    fn where_none_is_flagged_the_first_member_orders() {
        let first = said("first", [0.9, 0.1, 0.2, 0.3], [false; 4]);
        let second = said("second", [0.1, 0.2, 0.3, 1.0], [false; 4]);
        let all = joined(&[first, second], 4, &[]);
        assert_eq!(all.raw, [0.9, 0.1, 0.2, 0.3]);
    }

    #[test]
    fn members_need_rules() {
        let check = |members| Joint { members }.check();
        check(Joint::default().members).expect("the usual ones have rules");
        let error = check(Vec::new()).expect_err("no member").to_string();
        assert!(error.contains("`members`"), "{error}");
        let density = DetectorConfig::Knn(crate::detector::density::Knn::default());
        let error = check(vec![density]).expect_err("no rule").to_string();
        assert!(error.contains("knn"), "{error}");
        check(vec![DetectorConfig::Scan(Scan::default())]).expect("it has a rule");
    }
}
