//! Which label a poisoned image gets, as a function of its own.

use std::fmt;
use std::str::FromStr;

use cd_core::names::did_you_mean;
use cd_core::random::{named, stream};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::{PlanRequest, PoisonError};

/// Which label a poisoned image gets: `all-to-one`; `all-to-all`, with any shift as in `all-to-all:3`; or `permutation`, which
/// leaves no class where it is, with any seed as in `permutation:7`.
///
/// ```
/// # use cd_data::LabelMap;
/// let map: LabelMap = "all-to-all:3".parse()?;
/// assert_eq!(map.apply(8, 0, 10), 1);
/// assert_eq!(LabelMap::default().apply(8, 0, 10), 0);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LabelMap {
    /// Every image gets the target.
    #[default]
    AllToOne,
    /// Every image gets the label `shift` above its own, counted round.
    AllToAll {
        /// At least 1, and no multiple of the number of classes.
        shift: u32,
    },
    /// Every class gets the label of another one, and no two the same.
    Permutation {
        /// Which permutation.
        seed: u32,
    },
}

const ALL_TO_ONE: &str = "all-to-one";
const ALL_TO_ALL: &str = "all-to-all";
const PERMUTATION: &str = "permutation";

impl LabelMap {
    /// The new label of an image with this one; `classes` is at least 1.
    pub fn apply(self, label: u32, target: u32, classes: usize) -> u32 {
        match self {
            Self::AllToOne => target,
            Self::AllToAll { shift } => {
                ((u64::from(label) + u64::from(shift)) % classes as u64) as u32
            }
            Self::Permutation { seed } => permuted(label, seed, classes),
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The class after this one in a random ring of all classes, which leaves none where it is.
fn permuted(label: u32, seed: u32, classes: usize) -> u32 {
    let mut ring: Vec<u32> = (0..classes as u32).collect();
    ring.shuffle(&mut stream(seed.into(), named("label permutation")));
    let place = ring.iter().position(|&other| other == label);
    place.map_or(label, |place| ring[(place + 1) % ring.len()])
}

impl fmt::Display for LabelMap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllToOne => out.write_str(ALL_TO_ONE),
            Self::AllToAll { shift: 1 } => out.write_str(ALL_TO_ALL),
            Self::AllToAll { shift } => write!(out, "{ALL_TO_ALL}:{shift}"),
            Self::Permutation { seed: 0 } => out.write_str(PERMUTATION),
            Self::Permutation { seed } => write!(out, "{PERMUTATION}:{seed}"),
        }
    }
}

impl FromStr for LabelMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, shift) = match text.split_once(':') {
            Some((name, shift)) => (name, Some(shift)),
            None => (text, None),
        };
        match (name, shift) {
            (ALL_TO_ONE, None) => Ok(Self::AllToOne),
            (ALL_TO_ONE, Some(_)) => {
                Err(format!("label map `{text}`: `{ALL_TO_ONE}` has no shift"))
            }
            (ALL_TO_ALL, None) => Ok(Self::AllToAll { shift: 1 }),
            (ALL_TO_ALL, Some(shift)) => match shift.parse() {
                Ok(shift @ 1..) => Ok(Self::AllToAll { shift }),
                _ => Err(format!(
                    "label map `{text}`: `{shift}` is no shift, expected a whole number from 1 on"
                )),
            },
            (PERMUTATION, None) => Ok(Self::Permutation { seed: 0 }),
            (PERMUTATION, Some(seed)) => match seed.parse() {
                Ok(seed) => Ok(Self::Permutation { seed }),
                Err(_) => Err(format!(
                    "label map `{text}`: `{seed}` is no seed, expected a whole number from 0 on"
                )),
            },
            _ => Err(format!(
                "there is no label map `{name}`: {}",
                did_you_mean(name, [ALL_TO_ONE, ALL_TO_ALL, PERMUTATION])
            )),
        }
    }
}

impl TryFrom<String> for LabelMap {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LabelMap> for String {
    fn from(map: LabelMap) -> Self {
        map.to_string()
    }
}

/// The new label of every class of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassMap(Vec<u32>);

impl ClassMap {
    /// `new_label(label)` for every label of the data.
    ///
    /// # Errors
    ///
    /// When a new label is no class of the data, or every label stays as it is.
    pub fn new(
        request: &PlanRequest<'_>,
        new_label: impl Fn(u32) -> u32,
    ) -> Result<Self, PoisonError> {
        let classes = request.classes();
        let table: Vec<u32> = (0..classes as u32).map(new_label).collect();
        let map = Self(table);
        if let Some(&label) = map.0.iter().find(|&&label| label as usize >= classes) {
            return Err(PoisonError::Label { label, classes });
        }
        if !(0..classes as u32).any(|label| map.changes(label)) {
            return Err(PoisonError::NoChange { classes });
        }
        Ok(map)
    }

    /// The new label of images of class `label`.
    ///
    /// # Panics
    ///
    /// When there is no such class, like slice indexing.
    pub fn get(&self, label: u32) -> u32 {
        self.0[label as usize]
    }

    /// Whether images of class `label` get another label.
    ///
    /// # Panics
    ///
    /// When there is no such class, like slice indexing.
    pub fn changes(&self, label: u32) -> bool {
        self.get(label) != label
    }

    /// The new labels in the order of the classes.
    pub(super) fn table(&self) -> &[u32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::golden_bytes_of;

    fn golden(tensor: &str) -> Vec<u32> {
        let bytes = golden_bytes_of("attacks2.safetensors", tensor);
        let labels = bytes
            .as_chunks()
            .0
            .iter()
            .map(|label| i64::from_le_bytes(*label));
        labels
            .map(|label| u32::try_from(label).expect("a label"))
            .collect()
    }

    #[test]
    fn equals_the_reference() {
        for (name, tensor) in [
            ("all-to-one", "labels_all2one_t0"),
            ("all-to-all", "labels_all2all_shift1"),
            ("all-to-all:3", "labels_all2all_shift3"),
            ("all-to-all", "labels_all2all_43_shift1"),
        ] {
            let expected = golden(tensor);
            let map: LabelMap = name.parse().expect("known");
            let labels = 0..expected.len() as u32;
            let got: Vec<u32> = labels
                .map(|label| map.apply(label, 0, expected.len()))
                .collect();
            assert_eq!(got, expected, "{tensor}");
        }
    }

    #[test]
    fn names_round_trip_and_mistakes_are_answered() {
        for name in [
            "all-to-one",
            "all-to-all",
            "all-to-all:3",
            "permutation",
            "permutation:7",
        ] {
            let map: LabelMap = name.parse().expect("known");
            assert_eq!(map.to_string(), name);
        }
        let wrong = |name: &str| name.parse::<LabelMap>().expect_err("no map");
        assert!(wrong("all-to-al").contains("did you mean `all-to-all`?"));
        assert!(wrong("all-to-all:0").contains("from 1 on"));
        assert!(wrong("all-to-one:2").contains("no shift"));
        assert!(wrong("permutation:x").contains("no seed"));
    }

    #[test]
    fn permutations_move_every_class_to_one_of_its_own() {
        for classes in [2, 3, 10, 43] {
            let of_seed = |seed| {
                let map = LabelMap::Permutation { seed };
                let labels = 0..classes as u32;
                labels.map(move |label| map.apply(label, 0, classes))
            };
            assert!((0..).zip(of_seed(1)).all(|(from, to)| from != to));
            let mut sorted: Vec<u32> = of_seed(1).collect();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..classes as u32));
        }
        let map =
            |seed| (0..10).map(move |label| LabelMap::Permutation { seed }.apply(label, 0, 10));
        assert!(map(1).ne(map(2)));
    }
}
