//! A class as people say it: by its name, or by its number.

use anyhow::{Result, anyhow};
use cd_core::names::did_you_mean;

/// The number of the class called `said`, or of that number where none is called so; any number where the classes have no names.
pub(crate) fn label(said: &str, class_names: &[String]) -> Result<u32> {
    let called = class_names.iter().zip(0..).find(|(name, _)| *name == said);
    if let Some((_, label)) = called {
        return Ok(label);
    }
    let number = said.parse().ok();
    let is_known = |label: &u32| class_names.is_empty() || (*label as usize) < class_names.len();
    number.filter(is_known).ok_or_else(|| {
        let suggestion = did_you_mean(said, class_names.iter().map(String::as_str));
        let last = class_names.len().saturating_sub(1);
        anyhow!(
            "`{said}` is neither the name of a class nor a number from 0 to {last}: {suggestion}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_before_numbers() {
        let names = |names: [&str; 3]| names.map(str::to_owned);
        let animals = names(["cat", "dog", "frog"]);
        assert_eq!(label("dog", &animals).expect("a name"), 1);
        assert_eq!(label("2", &animals).expect("a number"), 2);
        assert_eq!(label("1", &names(["1", "2", "3"])).expect("a name"), 0);
        assert_eq!(label("7", &[]).expect("no names"), 7);
        for wrong in ["dgo", "3", "-1"] {
            let error = label(wrong, &animals).expect_err("unknown").to_string();
            assert!(error.contains(wrong) && error.contains("0 to 2"), "{error}");
        }
        let error = label("dgo", &animals).expect_err("unknown").to_string();
        assert!(error.contains("dog"), "{error}");
    }
}
