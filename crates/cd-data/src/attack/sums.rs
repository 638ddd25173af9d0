//! Bytes that depend on a byte and its place alone, found by sums that several places go through at once.
//!
//! `slope x + number of the place`, cut or rounded, is what blending and adding come to. Whole numbers or single precision take a fraction
//! of the time of double precision; whether they give the same byte is tried for all 256 values of every place beforehand, and the
//! places where they do not have a table each. Fractions of whole numbers, as of blended bytes, come to whole numbers in many places, where
//! the last bit of double precision decides; then every level has a table.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::Batch;

/// A number of this size has no room for fractions, so that adding it rounds.
const ROUNDING: f32 = 12_582_912.0;
/// Images from which trying all values is worth it.
const WORTH: usize = 64;
/// One place in so many may need a table.
const RARE: usize = 16;

/// The sums for images of one size.
#[derive(Debug)]
pub(super) struct Sums {
    kind: Kind,
    /// Places whose bytes the sums do not give, with what becomes of every value there.
    tables: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug)]
enum Kind {
    /// What is added and then taken off, within 0 to 255.
    Steps { plus: Vec<u8>, minus: Vec<u8> },
    /// `slope x + add`, rounded.
    Line { slope: f32, add: Vec<f32> },
    /// What becomes of every value, `[256, 256]`, and which row counts at a place.
    Rows { row: Vec<u8>, table: Vec<u8> },
}

/// `slope x + add`, rounded; the range of bytes is not checked.
fn rounded(value: u8, slope: f32, add: f32) -> u8 {
    (slope * f32::from(value) + add + ROUNDING).to_bits() as u8
}

/// Where a value stands in the table of a row.
fn entry(row: u8, value: u8) -> usize {
    usize::from(u16::from_be_bytes([row, value]))
}

impl Sums {
    /// Sums that give `byte(place, value)` at each of `count` places; `None` where too many places need a table of their own.
    ///
    /// `byte` must not depend on more of the place than `level(place)`, which is what is added to `slope x` there before it is cut; `half` is one half where it is rounded instead.
    fn of(
        slope: f64,
        half: f64,
        count: usize,
        level: impl Fn(usize) -> f64,
        byte: impl Fn(usize, u8) -> u8,
    ) -> Option<Self> {
        let kind = if slope == 1.0 {
            let step = |place| (level(place) + half).floor().clamp(-255.0, 255.0);
            Kind::Steps {
                plus: (0..count).map(|place| step(place) as u8).collect(),
                minus: (0..count).map(|place| (-step(place)) as u8).collect(),
            }
        } else {
            let add = |place| (level(place) + half - 0.5) as f32;
            Kind::Line {
                slope: slope as f32,
                add: (0..count).map(add).collect(),
            }
        };
        let mut sums = Self {
            kind,
            tables: Vec::new(),
        };
        for place in 0..count {
            if (0..=u8::MAX).any(|value| sums.at(place, value) != byte(place, value)) {
                let table = (0..=u8::MAX).map(|value| byte(place, value));
                sums.tables.push((place, table.collect()));
            }
            if sums.tables.len() > count / RARE {
                return Self::rows(count, level, byte);
            }
        }
        Some(sums)
    }

    /// A table for each level, where there are at most 256 of them.
    fn rows(
        count: usize,
        level: impl Fn(usize) -> f64,
        byte: impl Fn(usize, u8) -> u8,
    ) -> Option<Self> {
        let (mut known, mut row) = (HashMap::new(), Vec::with_capacity(count));
        let mut table = vec![0; 1 << 16];
        for place in 0..count {
            let next = u8::try_from(known.len());
            let at = match (known.get(&level(place).to_bits()), next) {
                (Some(&at), _) => at,
                (None, Ok(at)) => {
                    known.insert(level(place).to_bits(), at);
                    for value in 0..=u8::MAX {
                        table[entry(at, value)] = byte(place, value);
                    }
                    at
                }
                (None, Err(_)) => return None,
            };
            row.push(at);
        }
        Some(Self {
            kind: Kind::Rows { row, table },
            tables: Vec::new(),
        })
    }

    fn at(&self, place: usize, value: u8) -> u8 {
        match &self.kind {
            Kind::Steps { plus, minus } => value
                .saturating_add(plus[place])
                .saturating_sub(minus[place]),
            Kind::Line { slope, add } => rounded(value, *slope, add[place]),
            Kind::Rows { row, table } => table[entry(row[place], value)],
        }
    }

    /// Changes as many values as there are places.
    pub(super) fn apply(&self, pixels: &mut [u8]) {
        let tables = self.tables.iter();
        let apart: Vec<u8> = tables
            .map(|(place, table)| table[usize::from(pixels[*place])])
            .collect();
        match &self.kind {
            Kind::Steps { plus, minus } => {
                for (pixel, (plus, minus)) in pixels.iter_mut().zip(plus.iter().zip(minus)) {
                    *pixel = pixel.saturating_add(*plus).saturating_sub(*minus);
                }
            }
            Kind::Line { slope, add } => {
                for (pixel, add) in pixels.iter_mut().zip(add) {
                    *pixel = rounded(*pixel, *slope, *add);
                }
            }
            Kind::Rows { row, table } => {
                let table: Option<&[u8; 1 << 16]> = table.as_slice().try_into().ok();
                let table = table.expect("the table has this length");
                for (pixel, row) in pixels.iter_mut().zip(row) {
                    *pixel = table[entry(*row, *pixel)];
                }
            }
        }
        for ((place, _), byte) in self.tables.iter().zip(apart) {
            pixels[*place] = byte;
        }
    }
}

/// Sums that are found when the first large batch comes.
#[derive(Debug, Default)]
pub(super) struct Prepared(OnceLock<([usize; 2], Option<Sums>)>);

impl Prepared {
    /// The sums for `batch` with `count` places, where there are any and they are worth it: [`Sums::of`].
    pub(super) fn get(
        &self,
        batch: &Batch,
        (slope, half): (f64, f64),
        count: usize,
        level: impl Fn(usize) -> f64,
        byte: impl Fn(usize, u8) -> u8,
    ) -> Option<&Sums> {
        if batch.len() < WORTH {
            return None;
        }
        let size = [batch.height(), batch.width()];
        let of = || (size, Sums::of(slope, half, count, level, byte));
        let (prepared, sums) = self.0.get_or_init(of);
        sums.as_ref().filter(|_| *prepared == size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_give_the_bytes_of_floats_for_every_value() {
        for slope in [0.8, 0.85, 0.95, 1.0, 0.5] {
            let most = 255.0 * (1.0 - slope);
            let level = |place: usize| {
                let wave = (place as f64 * 0.377_123).sin();
                if slope == 1.0 {
                    wave * 80.0
                } else {
                    wave.abs() * most
                }
            };
            let byte = |place, value| (slope * f64::from(value) + level(place)) as u8;
            let sums = Sums::of(slope, 0.0, 500, level, byte).expect("few tables");
            for value in 0..=u8::MAX {
                let mut pixels = vec![value; 500];
                sums.apply(&mut pixels);
                let expected: Vec<u8> = (0..500).map(|place| byte(place, value)).collect();
                assert_eq!(pixels, expected, "{slope} at {value}");
            }
        }
    }

    #[test]
    fn what_is_no_line_has_a_table_or_is_left_to_floats() {
        let level = |_| 0.0;
        let swapped = Sums::of(1.0, 0.0, 30, level, |_, value| value ^ 8).expect("one row");
        let mut pixels = vec![3; 30];
        swapped.apply(&mut pixels);
        assert_eq!(pixels, [11; 30]);
        let many = |place| place as f64 / 1000.0;
        assert!(Sums::of(0.8, 0.0, 300, many, |_, value| value ^ 8).is_none());
        let one = |place, value| if place == 7 { value ^ 8 } else { value };
        let sums = Sums::of(1.0, 0.0, 30, level, one).expect("one table");
        let mut pixels = vec![3; 30];
        sums.apply(&mut pixels);
        assert_eq!((pixels[6], pixels[7]), (3, 11));
    }
}
