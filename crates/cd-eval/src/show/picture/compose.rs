//! Enlarging, shrinking and lining up pictures.

use super::{Picture, RGB};

/// Colour between the pictures of a strip.
const GAP_COLOUR: u8 = 255;

impl Picture {
    /// Every pixel as a square of `factor` x `factor` pixels; a factor of 0 counts as 1.
    #[must_use]
    pub fn enlarged(&self, factor: usize) -> Self {
        let factor = factor.max(1);
        let mut rgb = Vec::with_capacity(self.rgb.len() * factor * factor);
        for row in 0..self.height * factor {
            for column in 0..self.width * factor {
                rgb.extend_from_slice(self.pixel(column / factor, row / factor));
            }
        }
        Self {
            width: self.width * factor,
            height: self.height * factor,
            rgb,
        }
    }

    /// Shrunk so that the longer side has at most `longest_side` pixels (at least 1), each pixel the
    /// mean of the block that it stands for. Smaller pictures come back as they are.
    #[must_use]
    pub fn shrunk_to(&self, longest_side: usize) -> Self {
        let longest = self.width.max(self.height);
        let target = longest_side.max(1);
        if longest <= target {
            return self.clone();
        }
        let scaled = |side: usize| (side * target).div_ceil(longest).max(1).min(side);
        let (width, height) = (scaled(self.width), scaled(self.height));
        let mut rgb = Vec::with_capacity(width * height * RGB);
        for row in 0..height {
            for column in 0..width {
                rgb.extend(self.block_mean(
                    column * self.width / width..(column + 1) * self.width / width,
                    row * self.height / height..(row + 1) * self.height / height,
                ));
            }
        }
        Self { width, height, rgb }
    }

    fn block_mean(
        &self,
        columns: std::ops::Range<usize>,
        rows: std::ops::Range<usize>,
    ) -> [u8; RGB] {
        let count = columns.len() * rows.len();
        let mut sums = [0; RGB];
        for row in rows {
            for column in columns.clone() {
                for (sum, &value) in sums.iter_mut().zip(self.pixel(column, row)) {
                    *sum += usize::from(value);
                }
            }
        }
        sums.map(|sum| ((sum + count / 2) / count) as u8)
    }
}

/// Pictures side by side from the left, tops aligned, `gap` white columns between neighbours; shorter
/// pictures are filled up with white.
pub fn strip(pictures: &[Picture], gap: usize) -> Picture {
    let gaps = gap * pictures.len().saturating_sub(1);
    let width = pictures.iter().map(Picture::width).sum::<usize>() + gaps;
    let height = pictures.iter().map(Picture::height).max().unwrap_or(0);
    let mut rgb = vec![GAP_COLOUR; width * height * RGB];
    let mut left = 0;
    for picture in pictures {
        let row_bytes = picture.width * RGB;
        for row in 0..picture.height {
            let from = row * row_bytes;
            let to = (row * width + left) * RGB;
            rgb[to..to + row_bytes].copy_from_slice(&picture.rgb[from..from + row_bytes]);
        }
        left += picture.width + gap;
    }
    Picture { width, height, rgb }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grays(width: usize, values: &[u8]) -> Picture {
        let rgb = values.iter().flat_map(|&value| [value; 3]).collect();
        Picture::new(width, values.len() / width, rgb).expect("fits")
    }

    #[test]
    fn enlarging_repeats_pixels() {
        assert_eq!(
            grays(2, &[1, 2]).enlarged(2),
            grays(4, &[1, 1, 2, 2, 1, 1, 2, 2])
        );
        assert_eq!(grays(2, &[1, 2]).enlarged(0), grays(2, &[1, 2]));
    }

    #[test]
    fn shrinking_averages_blocks_and_keeps_the_shape() {
        assert_eq!(
            grays(4, &[0, 2, 10, 20, 4, 6, 30, 40]).shrunk_to(2),
            grays(2, &[3, 25])
        );
        let wide = grays(300, &[7; 600]).shrunk_to(100);
        assert_eq!((wide.width(), wide.height()), (100, 1));
        assert_eq!(grays(2, &[1, 2]).shrunk_to(2), grays(2, &[1, 2]));
    }

    #[test]
    fn shrinking_undoes_enlarging() {
        let picture = grays(3, &[1, 50, 200, 9, 8, 7]);
        assert_eq!(picture.enlarged(5).shrunk_to(3), picture);
    }

    #[test]
    fn a_strip_lines_pictures_up() {
        let joined = strip(&[grays(1, &[1, 2]), grays(1, &[3])], 1);
        assert_eq!(joined, grays(3, &[1, 255, 3, 2, 255, 255]));
        assert_eq!(strip(&[], 4), Picture::new(0, 0, Vec::new()).expect("fits"));
    }
}
