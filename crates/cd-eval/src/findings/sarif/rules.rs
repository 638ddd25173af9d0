//! The rules that findings belong to.

use serde_json::{Value, json};

/// A rule.
pub(super) struct Rule {
    pub(super) id: &'static str,
    name: &'static str,
    short: &'static str,
    full: &'static str,
    help: &'static str,
}

/// The set as a whole.
pub(super) const SET: Rule = Rule {
    id: "CD001",
    name: "SetStandsOut",
    short: "The pictures show more than clean sets do.",
    full: "The set is suspicious when its pictures show more than clean sets do, and backdoored when evidence of another kind \
        confirms it.",
    help: "Open report.html of the scan, look at the flagged pictures of the classes that stand out, remove them if they share a \
        pattern, and train again without them.",
};

/// A class.
pub(super) const CLASS: Rule = Rule {
    id: "CD002",
    name: "ClassStandsOut",
    short: "A class holds pictures that look like those of a backdoor.",
    full: "A backdoor gathers its pictures in the class that it leads to. The class stands out by its flagged pictures, and a \
        recovered trigger shows what they do.",
    help: "The places of this finding are the most suspicious pictures of the class. drop.txt of the scan lists all that are flagged.",
};

/// All rules in the order of their indices.
pub(super) const ALL: [&Rule; 2] = [&SET, &CLASS];

impl Rule {
    /// Its place among the rules.
    pub(super) fn index(&self) -> usize {
        let same = |rule: &&Rule| rule.id == self.id;
        ALL.iter().position(same).unwrap_or_default()
    }

    /// The `reportingDescriptor`.
    pub(super) fn descriptor(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "shortDescription": { "text": self.short },
            "fullDescription": { "text": self.full },
            "help": { "text": self.help },
            "defaultConfiguration": { "level": "warning" },
            "properties": { "tags": ["security", "data-poisoning"] },
        })
    }
}
