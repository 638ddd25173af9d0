//! Values of options that have a range or a form.

use cd_models::{Tap, TapError};

pub(super) fn threads(text: &str) -> Result<usize, String> {
    within(text, 1, 1024)
}

pub(super) fn to_4096(text: &str) -> Result<usize, String> {
    within(text, 1, 4096)
}

pub(super) fn to_million(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000_000)
}

fn within(text: &str, low: usize, high: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("expected a whole number from {low} to {high}")),
    }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

pub(super) fn share_above_0(text: &str) -> Result<f64, String> {
    match share(text) {
        Ok(number) if number > 0.0 => Ok(number),
        _ => Err("expected a number above 0, at most 1".to_owned()),
    }
}

pub(super) fn tap(text: &str) -> Result<Tap, TapError> {
    text.parse()
}

pub(super) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("expected a whole number of at least 1".to_owned()),
    }
}

pub(super) fn mean(text: &str) -> Result<[f32; 3], String> {
    let numbers: Option<Vec<f32>> = text.split(',').map(|one| one.trim().parse().ok()).collect();
    let three = numbers.and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
    let finite = three.filter(|three| three.iter().all(|number| number.is_finite()));
    finite.ok_or_else(|| "expected three numbers, for example 0.49,0.48,0.45".to_owned())
}

pub(super) fn deviation(text: &str) -> Result<[f32; 3], String> {
    let three = mean(text)?;
    if three.iter().all(|&number| number > 0.0) {
        return Ok(three);
    }
    Err("expected three numbers above 0".to_owned())
}

pub(super) fn shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text
        .split_once('/')
        .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match parsed {
        Some((index, count)) if index < count => Ok((index, count)),
        _ => Err("expected I/N with I from 0 to N-1, for example 0/4".to_owned()),
    }
}

/// An instruction set that the machine has; an empty name counts as none.
pub(super) fn cpu_level(name: &str) -> Result<String, String> {
    let available = cd_models::cpu_level::available();
    if name.is_empty() || available.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("this machine has: {}", available.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_checked() {
        assert_eq!(shard("1/4"), Ok((1, 4)));
        assert!(shard("4/4").is_err() && shard("x").is_err());
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        assert_eq!((share("0"), share_above_0("1")), (Ok(0.0), Ok(1.0)));
        assert!(share_above_0("0").is_err() && share_above_0("1.5").is_err());
    }

    #[test]
    fn channel_values_are_checked() {
        assert_eq!(mean("0.5, -1,2"), Ok([0.5, -1.0, 2.0]));
        assert!(mean("0.5,1").is_err() && mean("1,2,x").is_err() && mean("1,2,inf").is_err());
        assert_eq!(deviation("1,2,3"), Ok([1.0, 2.0, 3.0]));
        assert!(deviation("1,0,1").is_err());
        assert!(positive("0").is_err() && positive("-1").is_err());
        let error = cpu_level("mmx").expect_err("no such set");
        assert!(error.starts_with("this machine has: "), "{error}");
        assert_eq!(
            cpu_level(cd_models::cpu_level::current()).as_deref(),
            Ok(cd_models::cpu_level::current())
        );
    }
}
