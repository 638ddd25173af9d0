//! Log-odds of two parts.

/// Log-odds beyond it are taken as it.
pub(super) const LARGEST_ODDS: f64 = 50.0;

/// The share that belongs to log-odds.
pub(super) fn sure(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds.clamp(-LARGEST_ODDS, LARGEST_ODDS)).exp())
}

/// Share of what is likelier of the second part.
pub(super) fn upper(odds: &[f64]) -> f64 {
    odds.iter().filter(|&&odds| odds > 0.0).count() as f64 / odds.len().max(1) as f64
}

/// The logarithm of the sum of two numbers of which these are the logarithms.
pub(super) fn log_sum(a: f64, b: f64) -> f64 {
    let (most, least) = (a.max(b), a.min(b));
    most + (least - most).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_log_odds() {
        assert!((sure(0.0) - 0.5).abs() < 1e-12 && sure(9.0) > 0.99 && sure(-1e9) > 0.0);
        assert!((upper(&[1.0, -1.0, 0.0, 2.0]) - 0.5).abs() < 1e-12);
        assert!(upper(&[]).abs() < 1e-12);
    }

    #[test]
    fn sums_of_logarithms_do_not_overflow() {
        assert!((log_sum(2_f64.ln(), 3_f64.ln()) - 5_f64.ln()).abs() < 1e-12);
        assert!((log_sum(-1000.0, 1000.0) - 1000.0).abs() < 1e-12);
    }
}
