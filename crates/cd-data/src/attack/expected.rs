//! What success rate is to be expected of an attack at a rate: from published figures where there are any, else what we aim at.

use super::{Attack, LabelMode};

/// Images of the training sets that published figures are from: CIFAR-10.
const PUBLISHED_IMAGES: f64 = 50_000.0;
/// How far a run may lie from a published figure: other networks, other seeds.
const SLACK: f64 = 0.1;
/// Rate from which an attack without published figures is held to the aims below.
const AIM_RATE: f64 = 0.1;
/// Share of the set from which clean-label attacks are: half of a class of ten.
const AIM_RATE_CLEAN: f64 = 0.05;
const AIM: f64 = 0.9;
const AIM_CLEAN: f64 = 0.6;

/// A published attack success rate. All are from the results of `BackdoorBench` (backdoorbench.github.io, results.csv at b98eab4):
/// CIFAR-10, `PreActResNet`-18, 100 epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedSuccess {
    /// Poisoned images as a share of the training set, above 0 and at most 1.
    pub rate: f64,
    /// Attack success rate, 0 to 1.
    pub success: f64,
}

/// Published success rates at 0.1, 0.5, 1, 5 and 10 % of the set, from numbers in per cent.
pub(super) const fn at_usual_rates(percent: [f64; 5]) -> [PublishedSuccess; 5] {
    let rates = [0.001, 0.005, 0.01, 0.05, 0.1];
    let mut rows = [PublishedSuccess {
        rate: 0.0,
        success: 0.0,
    }; 5];
    let mut row = 0;
    while row < rows.len() {
        rows[row] = PublishedSuccess {
            rate: rates[row],
            success: percent[row] / 100.0,
        };
        row += 1;
    }
    rows
}

/// What is expected of an attack at a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedSuccess {
    /// Least success rate, 0 to 1.
    pub least: f64,
    /// Highest success rate, 0 to 1.
    pub most: f64,
    /// Poisoned images that the published figure was reached with; `None` where there is no such figure.
    pub images: Option<usize>,
}

impl ExpectedSuccess {
    /// What is expected of `attack` where `rate` of the training images are poisoned; `None` where nothing is known.
    ///
    /// Between two published rates the least is that of the lower one and the most that of the higher one, each with ten points of slack.
    pub fn of(attack: &dyn Attack, rate: f64) -> Option<Self> {
        let rows = attack.published();
        if rows.is_empty() {
            let (from, least) = match attack.info().label_mode {
                LabelMode::Dirty => (AIM_RATE, AIM),
                LabelMode::Clean => (AIM_RATE_CLEAN, AIM_CLEAN),
            };
            return (close_or_above(rate, from)).then_some(Self {
                least,
                most: 1.0,
                images: None,
            });
        }
        let below = rows.iter().rev().find(|row| close_or_above(rate, row.rate));
        let above = rows.iter().find(|row| close_or_above(row.rate, rate));
        Some(Self {
            least: below.map_or(0.0, |row| (row.success - SLACK).max(0.0)),
            most: above.map_or(1.0, |row| (row.success + SLACK).min(1.0)),
            images: below.map(|row| (row.rate * PUBLISHED_IMAGES).round() as usize),
        })
    }
}

/// Whether `rate` is at least `least`; a hair below counts, as a rate of 1 % of 1,050 images is 10 of them.
fn close_or_above(rate: f64, least: f64) -> bool {
    rate >= least * 0.95
}

/// What is expected of an attack, in a sentence for lists and pages.
pub fn expected_in_words(attack: &dyn Attack) -> String {
    let rows = attack.published();
    if rows.is_empty() {
        return match attack.info().label_mode {
            LabelMode::Dirty => format!(
                "Above {:.0} % at {:.0} % of the set: what we aim at, no figure is published.",
                AIM * 100.0,
                AIM_RATE * 100.0
            ),
            LabelMode::Clean => format!(
                "Above {:.0} % at {:.0} % of the set, half of a class of ten: what we aim at, no figure is published.",
                AIM_CLEAN * 100.0,
                AIM_RATE_CLEAN * 100.0
            ),
        };
    }
    let figures: Vec<String> = rows
        .iter()
        .map(|row| format!("{} % at {} %", percent(row.success), percent(row.rate)))
        .collect();
    format!(
        "{} of the set (BackdoorBench's results: CIFAR-10, PreActResNet-18, 100 epochs); ten points of slack.",
        figures.join(", ")
    )
}

/// A share in per cent with at most one decimal.
fn percent(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::{ATTACKS, AttackConfig};

    fn expected(name: &str, rate: f64) -> Option<ExpectedSuccess> {
        let config = AttackConfig::from_name(name).expect("registered");
        ExpectedSuccess::of(config.attack(), rate)
    }

    #[test]
    fn a_range_lies_around_the_published_figures_beside_the_rate() {
        let at = |rate| expected("badnets", rate).expect("published");
        let close = |left: f64, right: f64| (left - right).abs() < 1e-9;
        let ten = at(0.1);
        assert!(close(ten.least, 0.85) && close(ten.most, 1.0));
        assert_eq!(ten.images, Some(5000));
        let between = at(0.02);
        assert!(close(between.least, 0.647) && close(between.most, 0.987));
        assert_eq!(between.images, Some(500));
        let tiny = at(0.0005);
        assert!(close(tiny.least, 0.0) && close(tiny.most, 0.112));
        assert_eq!(tiny.images, None);
        assert_eq!(
            at(0.0099).images,
            Some(500),
            "99 of 10,000 images count as 1 %"
        );
    }

    #[test]
    fn without_figures_there_is_an_aim_from_some_rate_on() {
        let close = |name, rate, least: f64| {
            let found = expected(name, rate).expect("an aim");
            (found.least - least).abs() < 1e-9
        };
        assert!(close("nashville", 0.1, 0.9) && close("ctrl", 0.05, 0.6));
        assert_eq!(expected("nashville", 0.01), None);
        assert_eq!(expected("ctrl", 0.01), None);
    }

    #[test]
    fn figures_are_shares_at_ascending_rates_and_are_said_in_words() {
        for info in ATTACKS {
            let config = AttackConfig::from_name(info.name).expect("registered");
            let rows = config.attack().published();
            assert!(rows.is_sorted_by(|left, right| left.rate < right.rate));
            let share = |value: f64| value > 0.0 && value <= 1.0;
            assert!(rows.iter().all(|row| share(row.rate) && share(row.success)));
            let words = expected_in_words(config.attack());
            assert!(words.contains('%') && words.ends_with('.'), "{words}");
        }
        let config = AttackConfig::from_name("blend").expect("registered");
        let words = expected_in_words(config.attack());
        assert!(
            words.starts_with("56.1 % at 0.1 %, 93.3 % at 0.5 %"),
            "{words}"
        );
    }
}
