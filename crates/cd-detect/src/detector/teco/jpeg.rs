//! What the quantisation of JPEG leaves of a picture, in the whole numbers of libjpeg; nothing is written or read.

use rand::RngCore;

use super::picture::Picture;

/// Side of a block.
const SIDE: usize = 8;

/// Bits after the point of the cosines.
const COSINE_BITS: u32 = 13;
/// Bits after the point between the two passes of a transform.
const PASS_BITS: u32 = 2;
/// Bits after the point of the weights of colours.
const COLOUR_BITS: u32 = 16;

/// The first halves of the cosines of each frequency, times the root of 2 and 2^13, as libjpeg's precise integer transform has them: it
/// sums rounded factors, so some are one off. Other ones turn many a coefficient that lies between two steps the other way.
const WAVES: [[i64; SIDE / 2]; SIDE] = [
    [8192, 8192, 8192, 8192],
    [11363, 9633, 6437, 2260],
    [10703, 4433, -4433, -10703],
    [9633, -2259, -11362, -6436],
    [8192, -8192, -8192, 8192],
    [6437, -11362, 2261, 9633],
    [4433, -10704, 10704, -4433],
    [2260, -6436, 9633, -11363],
];

/// Quantisation steps of lightness at quality 50 (ITU-T T.81, annex K), row by row.
const LIGHTNESS: [i64; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Those of colour; what is not listed is 99.
const COLOUR: [[i64; 4]; 4] = [
    [17, 18, 24, 47],
    [18, 21, 26, 66],
    [24, 26, 56, 99],
    [47, 66, 99, 99],
];

/// Compressed at a low quality, with colour at half the resolution.
pub(super) fn compressed(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let quality = [25, 18, 15, 10, 7][severity];
    let step = |base: i64| ((base * (5000 / quality) + 50) / 100).clamp(1, 255);
    let lightness = LIGHTNESS.map(step);
    let colour = std::array::from_fn(|at| {
        let row = COLOUR.get(at / SIDE).and_then(|row| row.get(at % SIDE));
        step(row.copied().unwrap_or(99))
    });
    let [light, blue, red] = parts(picture);
    let light = quantised(&light, &lightness);
    let [blue, red] = [blue, red].map(|part| doubled(&quantised(&halved(&part), &colour)));
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let (light, blue, red) = (
            light.at(y, x, 0),
            blue.at(y, x, 0) - 128.0,
            red.at(y, x, 0) - 128.0,
        );
        let value = match channel {
            0 => light + 1.402 * red,
            1 => light - 0.344_136_286 * blue - 0.714_136_286 * red,
            _ => light + 1.772 * blue,
        };
        value.round().clamp(0.0, 255.0) / 255.0
    })
}

/// Lightness and the two differences of colour, as whole levels; differences between two levels are rounded down.
fn parts(picture: &Picture) -> [Picture; 3] {
    let half = 1 << (COLOUR_BITS - 1);
    let middle = (128 << COLOUR_BITS) + half - 1;
    let weights = [
        ([19595, 38470, 7471], half),
        ([-11058, -21710, 32768], middle),
        ([32768, -27439, -5329], middle),
    ];
    weights.map(|(weights, base)| {
        Picture::from_fn([picture.height, picture.width, 1], |y, x, _| {
            let level = |channel| (picture.at(y, x, channel) * 255.0).round() as i64;
            let sum: i64 = (0..3).map(|at| weights[at] * level(at)).sum();
            ((sum + base) >> COLOUR_BITS) as f64
        })
    })
}

/// Means of two by two pixels, rounded up and down in turns as libjpeg does.
fn halved(part: &Picture) -> Picture {
    let half = |side: usize| side.div_ceil(2);
    Picture::from_fn([half(part.height), half(part.width), 1], |y, x, _| {
        let (y, column) = (2 * y as i64, 2 * x as i64);
        let sum = part.near(y, column, 0)
            + part.near(y, column + 1, 0)
            + part.near(y + 1, column, 0)
            + part.near(y + 1, column + 1, 0);
        ((sum + 1.0 + (x % 2) as f64) / 4.0).floor()
    })
}

/// Twice the size: three quarters of the nearer pixel and one of the further along both sides.
fn doubled(part: &Picture) -> Picture {
    Picture::from_fn([2 * part.height, 2 * part.width, 1], |y, x, _| {
        let beside = |at: usize| if at.is_multiple_of(2) { -1 } else { 1 };
        let (row, column) = ((y / 2) as i64, (x / 2) as i64);
        let (other, further) = (row + beside(y), column + beside(x));
        let along = |column: i64| 3.0 * part.near(row, column, 0) + part.near(other, column, 0);
        let bias = if x.is_multiple_of(2) { 8.0 } else { 7.0 };
        ((3.0 * along(column) + along(further) + bias) / 16.0).floor()
    })
}

/// Every block of eight by eight pixels with its cosine spectrum in whole steps.
fn quantised(part: &Picture, steps: &[i64; 64]) -> Picture {
    let mut out = part.clone();
    for top in (0..part.height).step_by(SIDE) {
        for left in (0..part.width).step_by(SIDE) {
            let block: [i64; 64] = std::array::from_fn(|at| {
                let (y, x) = ((top + at / SIDE) as i64, (left + at % SIDE) as i64);
                part.near(y, x, 0) as i64 - 128
            });
            let mut spectrum = spectrum(&block);
            for (value, step) in spectrum.iter_mut().zip(steps) {
                *value = value.signum() * ((value.abs() + 4 * step) / (8 * step)) * step;
            }
            for (at, value) in picture_of(&spectrum).into_iter().enumerate() {
                let (y, x) = (top + at / SIDE, left + at % SIDE);
                if y < part.height && x < part.width {
                    out.values[y * part.width + x] = (value + 128).clamp(0, 255) as f64;
                }
            }
        }
    }
    out
}

fn wave(frequency: usize, place: usize) -> i64 {
    match WAVES[frequency].get(place) {
        Some(&value) => value,
        None if frequency.is_multiple_of(2) => WAVES[frequency][SIDE - 1 - place],
        None => -WAVES[frequency][SIDE - 1 - place],
    }
}

/// Without the last `bits`, to the nearest.
fn descaled(value: i64, bits: u32) -> i64 {
    (value + (1 << (bits - 1))) >> bits
}

/// Eight times the orthonormal cosine transform of a block, rows first.
fn spectrum(block: &[i64; 64]) -> [i64; 64] {
    let across: [i64; 64] = std::array::from_fn(|at| {
        let (row, out) = (at / SIDE, at % SIDE);
        let sum = (0..SIDE).map(|x| wave(out, x) * block[row * SIDE + x]);
        descaled(sum.sum(), COSINE_BITS - PASS_BITS)
    });
    std::array::from_fn(|at| {
        let (out, column) = (at / SIDE, at % SIDE);
        let sum = (0..SIDE).map(|y| wave(out, y) * across[y * SIDE + column]);
        descaled(sum.sum(), COSINE_BITS + PASS_BITS)
    })
}

/// The block that has this orthonormal spectrum, columns first.
fn picture_of(spectrum: &[i64; 64]) -> [i64; 64] {
    let down: [i64; 64] = std::array::from_fn(|at| {
        let (out, column) = (at / SIDE, at % SIDE);
        let sum = (0..SIDE).map(|y| wave(y, out) * spectrum[y * SIDE + column]);
        descaled(sum.sum(), COSINE_BITS - PASS_BITS)
    });
    std::array::from_fn(|at| {
        let (row, out) = (at / SIDE, at % SIDE);
        let sum = (0..SIDE).map(|x| wave(x, out) * down[row * SIDE + x]);
        descaled(sum.sum(), COSINE_BITS + PASS_BITS + 3)
    })
}
