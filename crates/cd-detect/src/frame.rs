//! Bars and lines around photographs.

use std::iter::StepBy;
use std::ops::Range;

use cd_core::CHANNELS;

/// A line of pixels that differ by no more grey levels is part of a border.
const FLAT: u8 = 10;
/// Share of the pixels of a drawn line that are all darker, or all lighter, by more than as many levels than those so many lines further in: a
/// picture that has been made smaller holds a thin frame mixed with what it shows.
const DRAWN: f64 = 0.9;
const INSIDE: usize = 2;

/// Lines at the top, bottom, left and right of a picture `[H, W, 3]` that are of one colour each, or of which the outermost has been drawn around
/// the picture, with some for the edge of the border; at most half of the picture on each side.
pub(crate) fn plain_border(pixels: &[u8], height: usize, width: usize) -> [usize; 4] {
    let row = |y: usize| (y * width..(y + 1) * width).step_by(1);
    let column = |x: usize| (x..height * width).step_by(width);
    [
        lines(pixels, height, row),
        lines(pixels, height, |at| row(height - 1 - at)),
        lines(pixels, width, column),
        lines(pixels, width, |at| column(width - 1 - at)),
    ]
}

/// Pixels of a line.
type Line = StepBy<Range<usize>>;

/// `line` gives those of a side, from the outside in.
fn lines(pixels: &[u8], side: usize, line: impl Fn(usize) -> Line) -> usize {
    let flat = (0..side / 2).take_while(|&at| is_flat(pixels, line(at)));
    let flat = flat.count();
    let is_drawn = || side > 2 * INSIDE && is_drawn(pixels, line(0), line(INSIDE));
    if flat == 0 && !is_drawn() {
        return 0;
    }
    (flat + (side / 32).max(2)).min(side / 2)
}

fn is_flat(pixels: &[u8], line: Line) -> bool {
    let [mut low, mut high] = [[u8::MAX; CHANNELS], [0; CHANNELS]];
    for pixel in line {
        for channel in 0..CHANNELS {
            let value = pixels[pixel * CHANNELS + channel];
            low[channel] = low[channel].min(value);
            high[channel] = high[channel].max(value);
        }
    }
    low.iter().zip(&high).all(|(low, high)| high - low <= FLAT)
}

fn is_drawn(pixels: &[u8], line: Line, inside: Line) -> bool {
    let light = |pixel: usize| {
        let values = &pixels[pixel * CHANNELS..][..CHANNELS];
        values.iter().map(|&value| i32::from(value)).sum::<i32>()
    };
    let border = i32::from(FLAT) * CHANNELS as i32;
    let (mut darker, mut lighter, mut all) = (0, 0, 0);
    for (pixel, other) in line.zip(inside) {
        let step = light(pixel) - light(other);
        darker += i32::from(step < -border);
        lighter += i32::from(step > border);
        all += 1;
    }
    f64::from(darker.max(lighter)) >= DRAWN * f64::from(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 40;

    /// Every pixel by its place.
    fn picture(value: impl Fn(usize, usize) -> u8) -> Vec<u8> {
        let places = (0..SIDE * SIDE).flat_map(|at| [value(at / SIDE, at % SIDE); CHANNELS]);
        places.collect()
    }

    fn scene(y: usize, x: usize) -> u8 {
        (100 + (7 * y + 13 * x) % 60) as u8
    }

    #[test]
    fn a_picture_that_goes_on_to_its_edges_has_no_border() {
        assert_eq!(plain_border(&picture(scene), SIDE, SIDE), [0; 4]);
        let patched = picture(|y, x| if y > 36 && x > 36 { 0 } else { scene(y, x) });
        assert_eq!(plain_border(&patched, SIDE, SIDE), [0; 4]);
    }

    #[test]
    fn bars_of_one_colour_are_counted_with_their_edge() {
        let barred = picture(|y, x| if y < 5 || x >= 37 { 20 } else { scene(y, x) });
        assert_eq!(plain_border(&barred, SIDE, SIDE), [7, 0, 0, 5]);
    }

    #[test]
    fn a_thin_line_mixed_with_the_picture_is_a_border() {
        let framed = picture(|y, x| {
            let is_edge = y == 0 || x == 0 || x == SIDE - 1;
            scene(y, x) / if is_edge { 3 } else { 1 }
        });
        assert_eq!(plain_border(&framed, SIDE, SIDE), [2, 0, 2, 2]);
    }

    #[test]
    fn at_most_half_of_a_picture_is_border() {
        assert_eq!(plain_border(&[0, 90, 200, 255, 3, 9], 1, 2), [0, 0, 1, 1]);
    }
}
