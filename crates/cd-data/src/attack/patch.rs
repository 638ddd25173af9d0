//! A square of pixels near the bottom-right corner, which several attacks put in.

use cd_core::CHANNELS;

use super::AttackError;
use super::trigger::Image;

/// Where a square lies: so many pixels a side, ending so many before the last row and column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corner {
    pub(super) side: usize,
    pub(super) margin: usize,
}

impl Corner {
    /// Fails unless the square lies within images of this size.
    pub(super) fn check(
        self,
        attack: &'static str,
        height: usize,
        width: usize,
    ) -> Result<(), AttackError> {
        let least = self.side + self.margin;
        if height >= least && width >= least {
            return Ok(());
        }
        Err(AttackError::TooSmall {
            attack,
            least,
            height,
            width,
        })
    }

    /// First row and column of the square, in an image that holds it.
    pub(super) fn start(self, height: usize, width: usize) -> (usize, usize) {
        let before_end = self.side + self.margin;
        (height - before_end, width - before_end)
    }

    /// Changes the values below the square: `change(value, values of the square at that place)`.
    ///
    /// `square` is `[side, side, 3]`.
    pub(super) fn put(
        self,
        attack: &'static str,
        image: &mut Image<'_>,
        square: &[u8],
        change: impl Fn(u8, u8) -> u8,
    ) -> Result<(), AttackError> {
        self.check(attack, image.height, image.width)?;
        let (top, left) = self.start(image.height, image.width);
        let row_len = self.side * CHANNELS;
        for (row, values) in (top..).zip(square.chunks_exact(row_len)) {
            let start = (row * image.width + left) * CHANNELS;
            let pixels = &mut image.pixels[start..start + row_len];
            for (pixel, &value) in pixels.iter_mut().zip(values) {
                *pixel = change(*pixel, value);
            }
        }
        Ok(())
    }
}

/// A square of `from` pixels a side, `[from, from, 3]`, at another side: each pixel is the nearest one.
pub(super) fn enlarged(square: &[u8], from: usize, side: usize) -> Vec<u8> {
    let nearest = |at: usize| (2 * at + 1) * from / (2 * side);
    let pixels = (0..side).flat_map(|row| {
        (0..side).flat_map(move |column| {
            let at = (nearest(row) * from + nearest(column)) * CHANNELS;
            square[at..at + CHANNELS].iter().copied()
        })
    });
    pixels.collect()
}

#[cfg(test)]
mod tests {
    use cd_core::random::stream;

    use super::*;

    #[test]
    fn only_the_pixels_of_the_square_change() {
        let corner = Corner { side: 2, margin: 1 };
        let mut pixels = vec![9; 4 * 5 * CHANNELS];
        let mut image = Image {
            pixels: &mut pixels,
            height: 4,
            width: 5,
            index: 0,
            label: 0,
            rank: 0,
            count: 1,
            random: &mut stream(0, 0),
        };
        let square: Vec<u8> = (100..112).collect();
        corner
            .put("test", &mut image, &square, |_, value| value)
            .expect("fits");
        let changed: Vec<usize> = (0..20).filter(|at| pixels[at * 3] != 9).collect();
        assert_eq!(changed, [5 + 2, 5 + 3, 10 + 2, 10 + 3]);
        assert_eq!(pixels[(10 + 2) * 3..(10 + 4) * 3], square[6..]);
    }

    #[test]
    fn images_smaller_than_square_and_margin_are_refused() {
        let corner = Corner { side: 2, margin: 3 };
        let error = corner.check("test", 4, 9).expect_err("too small");
        assert!(error.to_string().contains("at least 5 x 5"), "{error}");
        assert!(corner.check("test", 5, 5).is_ok());
    }
}
