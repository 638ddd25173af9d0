//! One seed for a whole experiment.

use serde_json::Value;

use super::Experiment;

/// The tables whose seeds follow the experiment's.
const PARTS: [&str; 6] = ["dataset", "poison", "train", "canary", "detect", "evaluate"];

impl Experiment {
    /// The experiment with its seed added to every seed of its parts, and 0 in its place, so that adding it again changes
    /// nothing.
    ///
    /// A seed is whatever number stands under `seed` or a key that ends in `_seed`, so no part can be forgotten.
    #[must_use]
    pub fn seeded(&self) -> Self {
        if self.seed == 0 {
            return self.clone();
        }
        let mut value = serde_json::to_value(self).expect("settings have string keys");
        for part in PARTS {
            if let Some(part) = value.get_mut(part) {
                shift(part, self.seed);
            }
        }
        value["seed"] = 0.into();
        serde_json::from_value(value).expect("only numbers of the same kind were replaced")
    }
}

fn shift(value: &mut Value, seed: u64) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|element| shift(element, seed)),
        Value::Object(table) => {
            for (key, value) in table {
                match value.as_u64() {
                    Some(own) if key == "seed" || key.ends_with("_seed") => {
                        *value = shifted(own, seed).into();
                    }
                    _ => shift(value, seed),
                }
            }
        }
        _ => {}
    }
}

/// TOML has no larger numbers than `i64::MAX`, so sums wrap there.
fn shifted(own: u64, seed: u64) -> u64 {
    own.wrapping_add(seed) & i64::MAX as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
name = "seeds"
seed = 5
[dataset]
name = "demo"
seed = 1
[poison]
attack = { name = "blend", pattern_seed = 7 }
[model]
name = "resnet10"
[detect]
detectors = [{ name = "cd-l", seed = 2 }, { name = "cd-f" }]
"#;

    #[test]
    fn every_seed_follows_and_following_twice_is_following_once() {
        let experiment = Experiment::parse(TEXT, "text", &[]).expect("valid");
        let seeded = experiment.seeded();
        let text = seeded.to_toml();
        let seeds: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("seed = "))
            .collect();
        let count = |number: &str| {
            let ends = seeds
                .iter()
                .filter(|line| line.ends_with(&format!("seed = {number}")));
            ends.count()
        };
        // Its own; the data's; the pattern's; the first detector's; poison, train, detect, the second detector and evaluate.
        assert_eq!(
            [count("0"), count("6"), count("12"), count("7"), count("5")],
            [1, 1, 1, 1, 5],
            "{text}"
        );
        assert_eq!(seeded.seeded(), seeded);
        assert_eq!(
            Experiment::parse(&text, "text", &[]).expect("valid"),
            seeded
        );
    }

    #[test]
    fn the_largest_seed_has_a_toml_form() {
        let mut experiment = Experiment::parse(TEXT, "text", &[]).expect("valid");
        experiment.seed = u64::MAX;
        assert!(
            experiment
                .seeded()
                .to_toml()
                .contains("seed = 9223372036854775807")
        );
    }
}
