//! Options that would be read and change nothing.

use anyhow::{Result, bail};

/// Fails where one of these options, each with whether it was named, has no effect because of `why`.
pub(super) fn check(options: &[(&str, bool)], why: &str) -> Result<()> {
    match options.iter().find(|(_, is_named)| *is_named) {
        Some((option, _)) => bail!("{option} changes nothing here: {why}; leave it out"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_was_named_is_told() {
        let options = [("--one", false), ("--two", true), ("--three", true)];
        let error = check(&options, "it rains").expect_err("named").to_string();
        assert_eq!(error, "--two changes nothing here: it rains; leave it out");
        check(&options[..1], "it rains").expect("none was named");
    }
}
