//! Numbers as text.

/// A metric or score: three decimals.
pub(super) fn metric(value: f64) -> String {
    if value.is_finite() && value.abs() >= 1e6 {
        return format!("{value:.3e}");
    }
    format!("{value:.3}")
}

/// A raw value: about four significant digits.
pub(super) fn raw(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || !value.is_finite() {
        format!("{value}")
    } else if !(1e-4..1e7).contains(&size) {
        format!("{value:.3e}")
    } else {
        let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
        format!("{value:.decimals$}")
    }
}

/// A share of 0 to 1 as a percentage.
pub(super) fn percent(share: f64) -> String {
    let decimals = usize::from(share * 100.0 < 10.0);
    format!("{:.decimals$} %", share * 100.0)
}

/// A count with thousands separated.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun, in the singular for one.
pub(super) fn counted(number: usize, singular: &str, plural: &str) -> String {
    let noun = if number == 1 { singular } else { plural };
    format!("{} {noun}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        assert_eq!(count(7), "7");
        assert_eq!(count(999), "999");
        assert_eq!(count(50_000), "50,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "image", "images"), "1 image");
        assert_eq!(counted(0, "image", "images"), "0 images");
    }

    #[test]
    fn raw_values_keep_four_digits() {
        assert_eq!(raw(12.3456), "12.35");
        assert_eq!(raw(0.012_345_6), "0.01235");
        assert_eq!(raw(1234.5), "1234");
        assert_eq!(raw(0.0), "0");
        assert_eq!(raw(-1.5e-9), "-1.500e-9");
        assert_eq!(raw(f64::NAN), "NaN");
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(percent(0.023), "2.3 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(metric(0.12345), "0.123");
        assert_eq!(metric(3.2e9), "3.200e9");
    }
}
