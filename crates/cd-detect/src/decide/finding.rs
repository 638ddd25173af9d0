//! What a detector that judges classes has found of one of them.

use serde::{Deserialize, Serialize};

/// What the numbers of a detector are evidence of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Testimony {
    /// It orders images.
    Images,
    /// It also says which classes hold poison: [`Detection::classes`](crate::Detection::classes).
    Classes,
    /// Its own rule flags images that carry the same pattern as others of their class.
    Patterns,
    /// Its own rule flags labels that a network doubts which was not trained on the images.
    Labels,
}

/// A class in two groups, and what is known of the suspicious one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassFinding {
    /// Index of the class.
    pub class: u32,
    /// Its images.
    pub images: usize,
    /// Those of its suspicious group.
    pub group: usize,
    /// Distance of the groups' means, in standard deviations of a group.
    pub gap: f64,
    /// The distance from which a class is a target.
    pub border: f64,
    /// The median of the same distance in the other classes, where it is another one than their `gap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<f64>,
    /// Images of the suspicious group that the classifier takes for their class; absent where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<usize>,
    /// What the groups were told apart in, in words; of a group with a pattern of its own, what its images do (`share a pattern in one place`).
    pub view: String,
    /// The search of some of both groups, where it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchFinding>,
    /// Trusted images of the class, and those of them that lie in the suspicious group; absent without trusted images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<[usize; 2]>,
    /// Whether the detector takes the class for a target.
    pub is_target: bool,
}

/// How images of the suspicious group compare with the others of their class in a search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchFinding {
    /// The chance that one of the group has the smaller mask.
    pub smaller_mask: f64,
    /// The chance that one of the group carries the class further onto other images.
    pub carries_further: f64,
    /// Whether both are large enough to confirm the group.
    pub confirms: bool,
}
