//! Bars around photographs.

use cd_core::CHANNELS;

/// A line of pixels that differ by no more grey levels is part of a border.
const FLAT: u8 = 10;

/// Lines at the top, bottom, left and right of a picture `[H, W, 3]` that are of one colour each, with some for the edge of the border; at
/// most half of the picture on each side.
pub(crate) fn plain_border(pixels: &[u8], height: usize, width: usize) -> [usize; 4] {
    let is_flat = |line: &mut dyn Iterator<Item = usize>| {
        let [mut low, mut high] = [[u8::MAX; CHANNELS], [0; CHANNELS]];
        for pixel in line {
            for channel in 0..CHANNELS {
                let value = pixels[pixel * CHANNELS + channel];
                low[channel] = low[channel].min(value);
                high[channel] = high[channel].max(value);
            }
        }
        low.iter().zip(&high).all(|(low, high)| high - low <= FLAT)
    };
    let row = |y: usize| is_flat(&mut (y * width..(y + 1) * width));
    let column = |x: usize| is_flat(&mut (x..height * width).step_by(width));
    let lines = |is_flat: &dyn Fn(usize) -> bool, side: usize| match (0..side / 2)
        .take_while(|&at| is_flat(at))
        .count()
    {
        0 => 0,
        flat => (flat + (side / 32).max(2)).min(side / 2),
    };
    [
        lines(&row, height),
        lines(&|at| row(height - 1 - at), height),
        lines(&column, width),
        lines(&|at| column(width - 1 - at), width),
    ]
}
