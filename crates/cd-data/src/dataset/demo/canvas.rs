//! A small picture in floating point on which areas are painted with soft edges.

use super::geometry::{Point, point};

/// Height and width of every picture in pixels.
pub(super) const SIDE: usize = 32;

/// Sample points per pixel and axis: 3 x 3 samples decide how much of a pixel an area covers.
const SAMPLES: usize = 3;

/// A colour: red, green and blue, 0 to 1 while painting.
pub(super) type Colour = [f32; 3];

/// `first` at `fraction` 0, `second` at 1, in between a mixture.
pub(super) fn mix(first: Colour, second: Colour, fraction: f32) -> Colour {
    std::array::from_fn(|channel| first[channel] + (second[channel] - first[channel]) * fraction)
}

/// An axis-aligned box in pixels that an area does not leave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    left: usize,
    top: usize,
    right: usize,
    bottom: usize,
}

impl Bounds {
    /// The whole picture.
    pub(super) const ALL: Self = Self {
        left: 0,
        top: 0,
        right: SIDE,
        bottom: SIDE,
    };

    /// The pixels that touch the box between two opposite corners.
    pub(super) fn between(top_left: Point, bottom_right: Point) -> Self {
        // Conversion from float saturates at zero; `min` keeps the other side.
        Self {
            left: (top_left.x.floor() as usize).min(SIDE),
            top: (top_left.y.floor() as usize).min(SIDE),
            right: (bottom_right.x.ceil() as usize).min(SIDE),
            bottom: (bottom_right.y.ceil() as usize).min(SIDE),
        }
    }

    /// The pixels that touch the square of half side `reach` around `center`.
    pub(super) fn around(center: Point, reach: f32) -> Self {
        let corner = point(reach, reach);
        Self::between(center - corner, center + corner)
    }
}

/// A picture of [`SIDE`] x [`SIDE`] pixels, row by row.
///
/// The pixel in row `r` and column `c` covers the unit square whose top left corner is the point
/// `(c, r)`.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    pixels: Vec<Colour>,
}

impl Canvas {
    /// A picture whose pixels have the colour of `paint` at their centres.
    pub(super) fn filled_by(paint: impl FnMut(Point) -> Colour) -> Self {
        Self {
            pixels: pixel_centers().map(paint).collect(),
        }
    }

    /// The pixels, row by row.
    pub(super) fn pixels(&self) -> &[Colour] {
        &self.pixels
    }

    /// Replaces every pixel by what `change` makes of its centre and colour.
    pub(super) fn map(&mut self, mut change: impl FnMut(Point, Colour) -> Colour) {
        for (pixel, place) in self.pixels.iter_mut().zip(pixel_centers()) {
            *pixel = change(place, *pixel);
        }
    }

    /// Paints the area where `paint` gives a colour; pixels it covers in part are mixed.
    ///
    /// `paint` is asked at 9 points of every pixel within `bounds`.
    pub(super) fn paint(&mut self, bounds: Bounds, paint: impl Fn(Point) -> Option<Colour>) {
        for row in bounds.top..bounds.bottom {
            for column in bounds.left..bounds.right {
                let (sum, covered) = sample_pixel(row, column, &paint);
                if covered > 0 {
                    let uncovered = 1.0 - covered as f32 / SAMPLES_PER_PIXEL;
                    let pixel = &mut self.pixels[row * SIDE + column];
                    *pixel = std::array::from_fn(|channel| {
                        pixel[channel] * uncovered + sum[channel] / SAMPLES_PER_PIXEL
                    });
                }
            }
        }
    }

    /// Weighs the pixels along `step` (rows, columns) around each one with `weights`, whose middle
    /// falls on the pixel itself; beyond the border the nearest pixel counts again.
    pub(super) fn convolve(&mut self, step: (isize, isize), weights: &[f32]) {
        let reach = (weights.len() / 2).cast_signed();
        let source = self.pixels.clone();
        let clamp = |value: isize| value.clamp(0, SIDE.cast_signed() - 1) as usize;
        for (index, pixel) in self.pixels.iter_mut().enumerate() {
            let (row, column) = ((index / SIDE).cast_signed(), (index % SIDE).cast_signed());
            let mut sum = [0.0; 3];
            for (offset, weight) in (-reach..).zip(weights) {
                let near_row = clamp(row + offset * step.0);
                let near_column = clamp(column + offset * step.1);
                let near = source[near_row * SIDE + near_column];
                for (total, value) in sum.iter_mut().zip(near) {
                    *total += weight * value;
                }
            }
            *pixel = sum;
        }
    }
}

const SAMPLES_PER_PIXEL: f32 = (SAMPLES * SAMPLES) as f32;

/// The centres of all pixels, row by row.
pub(super) fn pixel_centers() -> impl Iterator<Item = Point> {
    (0..SIDE * SIDE).map(|index| point((index % SIDE) as f32 + 0.5, (index / SIDE) as f32 + 0.5))
}

/// Index, row by row, of the pixel that holds a place in the picture.
pub(super) fn pixel_index(place: Point) -> usize {
    place.y as usize * SIDE + place.x as usize
}

/// Sum of the colours in a pixel and the number of samples that had one.
fn sample_pixel(
    row: usize,
    column: usize,
    paint: &impl Fn(Point) -> Option<Colour>,
) -> (Colour, usize) {
    let place = |cell: usize, sample: usize| cell as f32 + (sample as f32 + 0.5) / SAMPLES as f32;
    let mut sum = [0.0; 3];
    let mut covered = 0;
    for down in 0..SAMPLES {
        for across in 0..SAMPLES {
            if let Some(colour) = paint(point(place(column, across), place(row, down))) {
                covered += 1;
                for (total, value) in sum.iter_mut().zip(colour) {
                    *total += value;
                }
            }
        }
    }
    (sum, covered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_mixed_by_the_share_that_is_covered() {
        let mut canvas = Canvas::filled_by(|_| [0.0; 3]);
        canvas.paint(Bounds::ALL, |place| (place.x < 4.6).then_some([0.9; 3]));
        let row = &canvas.pixels()[..SIDE];
        assert!((row[3][0] - 0.9).abs() < 1e-6);
        assert!((row[4][0] - 0.6).abs() < 1e-6);
        assert!(row[5][0].abs() < 1e-6);
    }

    #[test]
    fn centres_lie_in_their_pixels() {
        assert!(pixel_centers().map(pixel_index).eq(0..SIDE * SIDE));
    }

    #[test]
    fn bounds_stay_in_the_picture() {
        let mut canvas = Canvas::filled_by(|_| [0.0; 3]);
        canvas.paint(Bounds::around(point(1.0, 40.0), 10.0), |_| Some([1.0; 3]));
        let painted = canvas.pixels().iter().filter(|pixel| pixel[0] > 0.5);
        assert_eq!(painted.count(), 11 * 2);
    }

    #[test]
    fn weights_of_sum_one_keep_a_plain_picture() {
        let mut canvas = Canvas::filled_by(|_| [0.25, 0.5, 0.75]);
        canvas.convolve((1, -1), &[0.25, 0.5, 0.25]);
        for pixel in canvas.pixels() {
            assert!((pixel[1] - 0.5).abs() < 1e-6);
        }
    }
}
