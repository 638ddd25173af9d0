//! Levels that are added to bytes, as whole steps: bytes go through them sixteen and more at once.
//!
//! `x + level`, cut or rounded, is `x` and a whole step nearly everywhere; whether it gives the same byte is tried for all 256 values of
//! every place beforehand, and the places where it does not have a table each.

use std::sync::OnceLock;

use super::Batch;

/// Images from which trying all values is worth it.
const WORTH: usize = 64;
/// One place in so many may need a table.
const RARE: usize = 16;

/// The steps for images of one size.
#[derive(Debug)]
pub(super) struct Steps {
    /// What is added and then taken off at each place, within 0 to 255.
    plus: Vec<u8>,
    minus: Vec<u8>,
    /// Places whose bytes the steps do not give, with what becomes of every value there.
    tables: Vec<(usize, Vec<u8>)>,
}

fn stepped(value: u8, plus: u8, minus: u8) -> u8 {
    value.saturating_add(plus).saturating_sub(minus)
}

impl Steps {
    /// Steps that give `byte(level, value)` for each level; `None` where too many places need a table of their own. `half` is one half
    /// where the byte is rounded.
    fn of(levels: &[f64], half: f64, byte: impl Fn(f64, u8) -> u8) -> Option<Self> {
        let step = |level: &f64| (level + half).floor().clamp(-255.0, 255.0);
        let plus: Vec<u8> = levels.iter().map(|level| step(level) as u8).collect();
        let minus: Vec<u8> = levels.iter().map(|level| (-step(level)) as u8).collect();
        let mut tables = Vec::new();
        for (place, &level) in levels.iter().enumerate() {
            let is_step = |value| stepped(value, plus[place], minus[place]) == byte(level, value);
            if !(0..=u8::MAX).all(is_step) {
                let table = (0..=u8::MAX).map(|value| byte(level, value));
                tables.push((place, table.collect()));
            }
            if tables.len() > levels.len() / RARE {
                return None;
            }
        }
        Some(Self {
            plus,
            minus,
            tables,
        })
    }

    /// Changes as many values as there are places.
    pub(super) fn apply(&self, pixels: &mut [u8]) {
        let tables = self.tables.iter();
        let apart: Vec<u8> = tables
            .map(|(place, table)| table[usize::from(pixels[*place])])
            .collect();
        for (pixel, (plus, minus)) in pixels.iter_mut().zip(self.plus.iter().zip(&self.minus)) {
            *pixel = stepped(*pixel, *plus, *minus);
        }
        for ((place, _), byte) in self.tables.iter().zip(apart) {
            pixels[*place] = byte;
        }
    }
}

/// Steps that are found when the first large batch comes.
#[derive(Debug, Default)]
pub(super) struct Prepared(OnceLock<([usize; 2], Option<Steps>)>);

impl Prepared {
    /// The steps for `batch`, where there are any and they are worth it: [`Steps::of`].
    pub(super) fn get(
        &self,
        batch: &Batch,
        levels: &[f64],
        half: f64,
        byte: impl Fn(f64, u8) -> u8,
    ) -> Option<&Steps> {
        if batch.len() < WORTH {
            return None;
        }
        let size = [batch.height(), batch.width()];
        let of = || (size, Steps::of(levels, half, byte));
        let (prepared, steps) = self.0.get_or_init(of);
        steps.as_ref().filter(|_| *prepared == size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_give_the_bytes_of_floats_for_every_value() {
        let levels: Vec<f64> = (0..500)
            .map(|place| (f64::from(place) * 0.377_123).sin() * 80.0)
            .collect();
        let byte = |level: f64, value| (f64::from(value) + level) as u8;
        let steps = Steps::of(&levels, 0.0, byte).expect("few tables");
        for value in 0..=u8::MAX {
            let mut pixels = vec![value; levels.len()];
            steps.apply(&mut pixels);
            let expected: Vec<u8> = levels.iter().map(|&level| byte(level, value)).collect();
            assert_eq!(pixels, expected, "at {value}");
        }
    }

    #[test]
    fn what_is_no_step_has_a_table_or_is_left_to_floats() {
        let other = |_, value| value ^ 8;
        assert!(Steps::of(&[0.0; 30], 0.0, other).is_none());
        let mut levels = [0.0; 30];
        levels[7] = 1.0;
        let one = |level, value| if level == 1.0 { value ^ 8 } else { value };
        let steps = Steps::of(&levels, 0.0, one).expect("one table");
        let mut pixels = vec![3; 30];
        steps.apply(&mut pixels);
        assert_eq!((pixels[6], pixels[7]), (3, 11));
    }
}
