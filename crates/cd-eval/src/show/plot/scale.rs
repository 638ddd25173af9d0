//! From data to coordinates, and the values worth a tick.

/// A linear map from a data range to a coordinate range (which may run downwards).
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) domain: (f64, f64),
    pub(super) range: (f64, f64),
}

impl Scale {
    /// The coordinate of `value`. Halving first keeps the width of huge domains finite.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (low, high) = self.domain;
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        self.range.0 + share * (self.range.1 - self.range.0)
    }
}

/// The range of the finite values, widened when it has no width; (0, 1) without values.
pub(super) fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    if low > high {
        return (0.0, 1.0);
    }
    if low < high {
        return (low, high);
    }
    let margin = if low == 0.0 { 0.5 } else { low.abs() / 2.0 };
    (low - margin, high + margin)
}

/// Round values inside `domain`, about `count` of them, 1, 2 or 5 times a power of ten apart.
pub(super) fn ticks(domain: (f64, f64), count: usize) -> Vec<f64> {
    let step = step(domain, count);
    if !(step.is_finite() && step > 0.0) {
        return vec![domain.0, domain.1];
    }
    // The slack keeps an end that rounding has moved by a hair.
    let first = (domain.0 / step - 1e-9).ceil();
    let last = (domain.1 / step + 1e-9).floor();
    let number = (last - first).clamp(0.0, 100.0) as u32;
    (0..=number)
        .map(|index| (first + f64::from(index)) * step)
        .collect()
}

/// The domain with its upper end moved to the next tick.
pub(super) fn rounded_up(domain: (f64, f64), count: usize) -> (f64, f64) {
    let step = step(domain, count);
    if !(step.is_finite() && step > 0.0) {
        return domain;
    }
    (domain.0, (domain.1 / step - 1e-9).ceil() * step)
}

fn step((low, high): (f64, f64), count: usize) -> f64 {
    let rough = (high - low) / count.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = rough / power;
    let round = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|&round| factor <= round * 1.001)
        .unwrap_or(10.0);
    round * power
}

/// Labels with as many decimals as the ticks need to differ.
pub(super) fn labels(ticks: &[f64]) -> Vec<String> {
    let gap = match ticks {
        [first, second, ..] => (second - first).abs(),
        _ => 1.0,
    };
    let largest = ticks
        .iter()
        .fold(0.0_f64, |largest, tick| largest.max(tick.abs()));
    let scientific = largest >= 1e7 || (largest > 0.0 && largest < 1e-3);
    let decimals = (-gap.log10().floor()).clamp(0.0, 6.0) as usize;
    ticks
        .iter()
        .map(|&tick| {
            // Adding zero turns a negative zero into a plain one.
            let tick = if tick.abs() < gap * 1e-6 { 0.0 } else { tick };
            if scientific {
                format!("{tick:.1e}")
            } else {
                format!("{tick:.decimals$}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(
            labels(&ticks((0.0, 1.0), 5)),
            ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(labels(&ticks((-3.0, 812.0), 4)), ["0", "500"]);
        assert_eq!(
            labels(&ticks((-0.3, 0.3), 6)),
            ["-0.3", "-0.2", "-0.1", "0.0", "0.1", "0.2", "0.3"]
        );
    }

    #[test]
    fn extreme_domains_give_few_ticks() {
        for domain in [
            (f64::MIN, f64::MAX),
            (1.0, 1.0 + f64::EPSILON),
            (0.0, 1e-300),
        ] {
            let ticks = ticks(domain, 5);
            assert!(
                (1..=101).contains(&ticks.len()),
                "{domain:?}: {}",
                ticks.len()
            );
            assert_eq!(labels(&ticks).len(), ticks.len());
        }
    }

    #[test]
    fn an_extent_has_width_and_skips_what_is_not_finite() {
        assert_eq!(
            extent([2.0, f64::NAN, 5.0, f64::INFINITY].into_iter()),
            (2.0, 5.0)
        );
        assert_eq!(extent([4.0].into_iter()), (2.0, 6.0));
        assert_eq!(extent([0.0, 0.0].into_iter()), (-0.5, 0.5));
        assert_eq!(extent(std::iter::empty()), (0.0, 1.0));
    }

    #[test]
    fn rounding_up_reaches_the_next_tick() {
        assert_eq!(rounded_up((0.0, 43.0), 4), (0.0, 60.0));
        assert_eq!(rounded_up((0.0, 40.0), 4), (0.0, 40.0));
    }

    #[test]
    fn a_scale_maps_its_ends() {
        let scale = Scale {
            domain: (10.0, 20.0),
            range: (100.0, 0.0),
        };
        assert_eq!(
            (scale.at(10.0), scale.at(15.0), scale.at(20.0)),
            (100.0, 50.0, 0.0)
        );
    }
}
