//! The verdict on a set: what a person, or a pipeline, acts on.

use serde::{Deserialize, Serialize};

/// What a set is taken for. Ordered: more is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nothing beyond what clean sets show.
    Clean,
    /// More than clean sets show, without a proof.
    Suspicious,
    /// A class stands out, and evidence of another kind confirms it.
    Backdoored,
}

/// The verdict, as `verdict.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the set is taken for.
    pub standing: Standing,
    /// The verdict in one sentence.
    pub summary: String,
    /// Images that were judged.
    pub images: usize,
    /// Images that are taken for poisoned: those of [`takes_for_poisoned`](Self::takes_for_poisoned).
    pub flagged: usize,
    /// The classes that stand out, the worst first.
    pub classes: Vec<SuspectClass>,
    /// What this scan could have seen.
    pub power: Power,
    /// Why it proves little that nothing was found; absent where something was, and where the scan could have seen something or may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
    /// What limits the verdict: a classifier that has learned too little, kinds of triggers that it is blind to.
    pub warnings: Vec<String>,
}

/// A class that stands out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SuspectClass {
    /// Its index.
    pub class: u32,
    /// Its name.
    pub name: String,
    /// What it is taken for.
    pub standing: Standing,
    /// The detector whose flags within the class are the images that are taken for poisoned.
    #[serde(default)]
    pub found_by: String,
    /// Images of the class that are taken for poisoned.
    pub images: usize,
    /// Between how many and how many they are, at 95 %.
    pub interval: [usize; 2],
    /// Why, a sentence for each piece of evidence.
    pub evidence: Vec<String>,
    /// What its recovered trigger does; absent where none was recovered.
    pub proof: Option<Proof>,
    /// A picture of what its suspicious images share and of some of them, relative to the folder of the verdict; absent where a trigger is
    /// proven.
    #[serde(default)]
    pub picture: Option<String>,
}

impl Verdict {
    /// Whether nothing could be judged, so that there is none.
    pub fn is_none(&self) -> bool {
        self.images == 0 && self.classes.is_empty()
    }

    /// Whether an image of the class of this name is taken for poisoned, where `is_flagged` tells which detectors flag it.
    pub fn takes_for_poisoned(&self, class: &str, is_flagged: impl Fn(&str) -> bool) -> bool {
        let of_class = |suspect: &&SuspectClass| suspect.name == class;
        let mut suspects = self.classes.iter().filter(of_class);
        suspects.any(|suspect| is_flagged(&suspect.found_by))
    }
}

/// What a recovered trigger does to other images, beside a control.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// How the trigger was put on: `patch` or `blend`.
    pub kind: String,
    /// Share of its strength with which it was put on, above 0 and at most 1; less than 1 where all of it does no more than the control.
    #[serde(default = "whole")]
    pub strength: f64,
    /// Images of other classes that carried it.
    pub images: usize,
    /// Those that turned to the class.
    pub turned: usize,
    /// Those that turned when a random crop of an unflagged image of the class, of equal size and strength, took its place; or, where
    /// that is more, what unflagged images of the class, or of another, share.
    pub control: usize,
    /// The trigger's picture, relative to the folder of the verdict.
    pub picture: Option<String>,
}

fn whole() -> f64 {
    1.0
}

/// What a scan could have seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "known", rename_all = "kebab-case")]
pub enum Power {
    /// Nothing was planted.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// Known backdoors were planted, and looked for as everything else.
    Measured {
        /// One entry for each planted backdoor.
        canaries: Vec<Canary>,
    },
}

/// A backdoor that the scan planted itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// What it is: `patch`, `blend`, `clean-label`, `sticker`, `filter`, `warp`.
    pub kind: String,
    /// Its target class.
    pub class: u32,
    /// Its share of the images, from 0 to 1.
    pub rate: f64,
    /// Images that carried it.
    pub planted: usize,
    /// Those that were flagged.
    pub found: usize,
}

/// A planted backdoor counts as found from this share of its images on: what is found by halves was hardly to be seen.
const SEEN: f64 = 0.8;

impl Canary {
    /// Whether so few of its images were flagged that the scan could not have seen such a backdoor.
    pub fn is_missed(&self) -> bool {
        (self.found as f64) < SEEN * self.planted as f64
    }
}

impl Power {
    /// Whether backdoors were planted, and every one of them was missed.
    pub fn is_blind(&self) -> bool {
        match self {
            Self::Unknown { .. } => false,
            Self::Measured { canaries } => {
                !canaries.is_empty() && canaries.iter().all(Canary::is_missed)
            }
        }
    }
}
