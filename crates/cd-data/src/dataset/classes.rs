//! Classes of pictures whose files say them as numbers or as names.

use std::collections::{BTreeMap, BTreeSet};

use cd_core::names::did_you_mean;

/// Most classes of a data set; a column with more values says something else.
const MOST: usize = 65_536;
/// How many names a message lists.
const NAMED: usize = 5;

/// What a file says about the class of a picture.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Label {
    Number(i64),
    Name(String),
}

impl Label {
    /// Text that is a number, or a name.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let text = text.trim();
        match text.parse() {
            Ok(number) => Some(Self::Number(number)),
            Err(_) if text.is_empty() => None,
            Err(_) => Some(Self::Name(text.to_owned())),
        }
    }

    /// A number that is whole.
    pub(super) fn of_number(number: f64) -> Option<Self> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let whole = number.fract() == 0.0 && number.abs() <= EXACT;
        whole.then_some(Self::Number(number as i64))
    }

    fn text(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// All labels of a data set; each is kept once, pictures refer to it.
#[derive(Debug, Default)]
pub(super) struct Labels {
    ids: BTreeMap<Label, u32>,
}

/// The classes of a data set, and which of them each label of [`Labels`] is.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) names: Vec<String>,
    by_id: Vec<u32>,
}

impl Labels {
    /// What pictures with this label refer to.
    pub(super) fn id(&mut self, label: Label) -> Result<u32, String> {
        let next = self.ids.len() as u32;
        if self.ids.len() == MOST && !self.ids.contains_key(&label) {
            return Err(format!(
                "there are more than {MOST} different labels, so they are no classes; choose others"
            ));
        }
        Ok(*self.ids.entry(label).or_insert(next))
    }

    /// The classes: of given `names`, which numbers count and names are among; without them the labels themselves, numbers in their
    /// order, names in that of the alphabet.
    pub(super) fn classes(self, names: Option<Vec<String>>) -> Result<Classes, String> {
        let mut by_id = vec![0; self.ids.len()];
        let Some(names) = names else {
            let has_names = self.ids.keys().any(|label| matches!(label, Label::Name(_)));
            let mut ordered: Vec<(Label, u32)> = self.ids.into_iter().collect();
            if has_names {
                ordered.sort_by_key(|(label, _)| label.text());
            }
            for (class, (_, id)) in ordered.iter().enumerate() {
                by_id[*id as usize] = class as u32;
            }
            let names = ordered.iter().map(|(label, _)| label.text()).collect();
            return Ok(Classes { names, by_id });
        };
        for (label, id) in &self.ids {
            by_id[*id as usize] = position(label, &names)?;
        }
        Ok(Classes { names, by_id })
    }
}

fn position(label: &Label, names: &[String]) -> Result<u32, String> {
    let found = match label {
        Label::Number(number) => usize::try_from(*number)
            .ok()
            .filter(|&number| number < names.len()),
        Label::Name(name) => names.iter().position(|known| known == name),
    };
    found.map(|class| class as u32).ok_or_else(|| match label {
        Label::Number(number) => format!(
            "there is a label {number}, but {} class names (0 to {})",
            names.len(),
            names.len().saturating_sub(1)
        ),
        Label::Name(name) => format!(
            "there is a label `{name}`, which is no class name: {}",
            did_you_mean(name, names.iter().map(String::as_str))
        ),
    })
}

impl Classes {
    /// The class of a label that was kept under this number.
    pub(super) fn of(&self, id: u32) -> u32 {
        self.by_id[id as usize]
    }

    /// Fails when test pictures are of classes that no training picture has.
    pub(super) fn check_test(&self, train: &[u32], test: &[u32]) -> Result<(), String> {
        let known: BTreeSet<u32> = train.iter().copied().collect();
        let strange: BTreeSet<u32> = test
            .iter()
            .copied()
            .filter(|label| !known.contains(label))
            .collect();
        if strange.is_empty() {
            return Ok(());
        }
        let names = strange
            .iter()
            .take(NAMED)
            .map(|&class| format!("`{}`", self.names[class as usize]));
        Err(format!(
            "{} of the test pictures are classes of no training picture: {}",
            strange.len(),
            names.collect::<Vec<_>>().join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(labels: &[&str], names: Option<&[&str]>) -> Result<(Vec<String>, Vec<u32>), String> {
        let mut known = Labels::default();
        let ids: Vec<u32> = labels
            .iter()
            .map(|text| {
                known
                    .id(Label::of_text(text).expect("a label"))
                    .expect("few")
            })
            .collect();
        let names = names.map(|names| names.iter().map(ToString::to_string).collect());
        let classes = known.classes(names)?;
        let labels = ids.iter().map(|&id| classes.of(id)).collect();
        Ok((classes.names, labels))
    }

    #[test]
    fn numbers_count_and_names_are_sorted() {
        let of = |labels: &[&str]| classes(labels, None).expect("good");
        let numbers = of(&["10", "2", "2", "-1"]);
        assert_eq!(
            numbers,
            (vec!["-1".into(), "2".into(), "10".into()], vec![2, 1, 1, 0])
        );
        let names = of(&["dog", "10", "cat", "9"]);
        assert_eq!(names.0, ["10", "9", "cat", "dog"]);
        assert_eq!(names.1, [3, 0, 2, 1]);
    }

    #[test]
    fn given_names_bound_the_labels() {
        let names = Some(&["cat", "dog"][..]);
        assert_eq!(classes(&["1", "cat"], names).expect("good").1, [1, 0]);
        for (label, part) in [
            ("2", "2 class names (0 to 1)"),
            ("-1", "label -1"),
            ("dgo", "did you mean `dog`"),
        ] {
            let error = classes(&["0", label], names).expect_err(part);
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn too_many_labels_are_no_classes() {
        let mut labels = Labels::default();
        for number in 0..MOST as i64 {
            labels.id(Label::Number(number)).expect("few enough");
        }
        assert!(labels.id(Label::Number(5)).is_ok());
        assert!(labels.id(Label::Number(-5)).is_err());
    }

    #[test]
    fn test_pictures_need_training_pictures() {
        let mut labels = Labels::default();
        for name in ["a", "b", "c"] {
            labels.id(Label::Name(name.into())).expect("few");
        }
        let classes = labels.classes(None).expect("good");
        assert!(classes.check_test(&[0, 1, 2], &[2, 2]).is_ok());
        let error = classes.check_test(&[0], &[0, 2, 1]).expect_err("strange");
        assert!(error.ends_with("`b`, `c`"), "{error}");
    }

    #[test]
    fn whole_numbers_only() {
        assert_eq!(Label::of_number(3.0), Some(Label::Number(3)));
        for number in [0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Label::of_number(number), None);
        }
        assert_eq!(Label::of_text("  "), None);
    }
}
