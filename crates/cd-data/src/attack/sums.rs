//! Bytes that depend on a byte and its place alone, found by adding whole numbers.
//!
//! `slope x + number of the place`, cut or rounded, is what blending and adding come to. A look-up and a sum take a fraction of the time of
//! the floats; whether they give the same byte for all 256 values is tried for every place beforehand.

use std::sync::OnceLock;

use super::Batch;

/// Bits after the point.
const BITS: u32 = 40;
/// Images from which trying all values is worth it.
const WORTH: usize = 64;

/// The sums for images of one size.
#[derive(Debug)]
pub(super) struct Sums {
    table: [i64; 256],
    places: Vec<i64>,
}

impl Sums {
    /// Sums that give `byte(place, value)` for every value at each of `count` places; `None` where there are none.
    pub(super) fn of(slope: f64, count: usize, byte: impl Fn(usize, u8) -> u8) -> Option<Self> {
        let one = (1_i64 << BITS) as f64;
        let mut table = [0; 256];
        for (value, sum) in (0_u8..).zip(&mut table) {
            *sum = (slope * f64::from(value) * one).round() as i64;
        }
        let place = |place: usize| {
            // Bounds of what may be added, narrowed by every value; beyond the ends of the range anything goes.
            let (mut low, mut high) = (-(256_i64 << BITS), 256_i64 << BITS);
            for (value, sum) in (0_u8..=u8::MAX).zip(&table) {
                let byte = byte(place, value);
                if byte > 0 {
                    low = low.max((i64::from(byte) << BITS) - sum);
                }
                if byte < u8::MAX {
                    high = high.min(((i64::from(byte) + 1) << BITS) - sum - 1);
                }
            }
            (low <= high).then_some(low)
        };
        let places = (0..count).map(place).collect::<Option<_>>()?;
        Some(Self { table, places })
    }

    /// Changes as many values as there are places.
    pub(super) fn apply(&self, pixels: &mut [u8]) {
        for (pixel, add) in pixels.iter_mut().zip(&self.places) {
            let sum = self.table[usize::from(*pixel)] + add;
            *pixel = (sum >> BITS).clamp(0, 255) as u8;
        }
    }
}

/// Sums that are found when the first large batch comes.
#[derive(Debug, Default)]
pub(super) struct Prepared(OnceLock<(usize, Option<Sums>)>);

impl Prepared {
    /// The sums for `batch` with `count` places, where there are any and they are worth it.
    pub(super) fn get(
        &self,
        batch: &Batch,
        slope: f64,
        count: usize,
        byte: impl Fn(usize, u8) -> u8,
    ) -> Option<&Sums> {
        if batch.len() < WORTH {
            return None;
        }
        let (places, sums) = self.0.get_or_init(|| (count, Sums::of(slope, count, byte)));
        sums.as_ref().filter(|_| *places == count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_give_the_bytes_of_floats_for_every_value() {
        for slope in [0.8, 0.85, 0.95, 1.0, 0.5] {
            let add = |place: usize| (place as f64 * 0.377_123).sin() * 80.0;
            let byte = |place, value| (slope * f64::from(value) + add(place)) as u8;
            let sums = Sums::of(slope, 500, byte).expect("a line");
            for value in 0..=u8::MAX {
                let mut pixels = vec![value; 500];
                sums.apply(&mut pixels);
                let expected: Vec<u8> = (0..500).map(|place| byte(place, value)).collect();
                assert_eq!(pixels, expected, "{slope} at {value}");
            }
        }
    }

    #[test]
    fn what_is_no_line_is_left_to_floats() {
        assert!(Sums::of(1.0, 3, |_, value| value ^ 8).is_none());
        assert!(Sums::of(0.8, 1, |_, value| value).is_none());
    }
}
