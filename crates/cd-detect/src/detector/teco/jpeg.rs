//! What the quantisation of JPEG leaves of a picture; nothing is written or read.

use rand::RngCore;

use super::picture::Picture;

/// Side of a block.
const SIDE: usize = 8;

/// Quantisation steps of lightness at quality 50 (ITU-T T.81, annex K), row by row.
const LIGHTNESS: [f64; 64] = [
    16., 11., 10., 16., 24., 40., 51., 61., 12., 12., 14., 19., 26., 58., 60., 55., 14., 13., 16.,
    24., 40., 57., 69., 56., 14., 17., 22., 29., 51., 87., 80., 62., 18., 22., 37., 56., 68., 109.,
    103., 77., 24., 35., 55., 64., 81., 104., 113., 92., 49., 64., 78., 87., 103., 121., 120.,
    101., 72., 92., 95., 98., 112., 100., 103., 99.,
];

/// Those of colour; what is not listed is 99.
const COLOUR: [[f64; 4]; 4] = [
    [17., 18., 24., 47.],
    [18., 21., 26., 66.],
    [24., 26., 56., 99.],
    [47., 66., 99., 99.],
];

/// Compressed at a low quality, with colour at half the resolution.
pub(super) fn compressed(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let quality = [25.0, 18.0, 15.0, 10.0, 7.0][severity];
    let scale: f64 = 5000.0 / quality;
    let step = |base: f64| {
        ((base * scale.floor() + 50.0) / 100.0)
            .floor()
            .clamp(1.0, 255.0)
    };
    let lightness = LIGHTNESS.map(step);
    let colour = std::array::from_fn(|at| {
        let row = COLOUR.get(at / SIDE).and_then(|row| row.get(at % SIDE));
        step(row.copied().unwrap_or(99.0))
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

/// Lightness and the two differences of colour, as whole levels.
fn parts(picture: &Picture) -> [Picture; 3] {
    let weights = [
        [0.299, 0.587, 0.114, 0.0],
        [-0.168_735_892, -0.331_264_108, 0.5, 128.0],
        [0.5, -0.418_687_589, -0.081_312_411, 128.0],
    ];
    weights.map(|[red, green, blue, base]| {
        Picture::from_fn([picture.height, picture.width, 1], |y, x, _| {
            let level = |channel| picture.at(y, x, channel) * 255.0;
            (red * level(0) + green * level(1) + blue * level(2) + base)
                .round()
                .clamp(0.0, 255.0)
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
fn quantised(part: &Picture, steps: &[f64; 64]) -> Picture {
    let mut out = part.clone();
    for top in (0..part.height).step_by(SIDE) {
        for left in (0..part.width).step_by(SIDE) {
            let block: [f64; 64] = std::array::from_fn(|at| {
                let (y, x) = ((top + at / SIDE) as i64, (left + at % SIDE) as i64);
                part.near(y, x, 0) - 128.0
            });
            let mut spectrum = transformed(&block, false);
            for (value, step) in spectrum.iter_mut().zip(steps) {
                *value = (*value / step).round() * step;
            }
            let block = transformed(&spectrum, true);
            for (at, value) in block.into_iter().enumerate() {
                let (y, x) = (top + at / SIDE, left + at % SIDE);
                if y < part.height && x < part.width {
                    out.values[y * part.width + x] = (value + 128.0).round().clamp(0.0, 255.0);
                }
            }
        }
    }
    out
}

/// The orthonormal cosine transform of a block, or its inverse.
fn transformed(block: &[f64; 64], inverse: bool) -> [f64; 64] {
    let wave = |frequency: usize, place: usize| {
        let length = if frequency == 0 {
            0.125_f64.sqrt()
        } else {
            0.5
        };
        let angle = (2 * place + 1) as f64 * frequency as f64 * std::f64::consts::PI / 16.0;
        length * angle.cos()
    };
    let weight = |out: usize, within: usize| {
        if inverse {
            wave(within, out)
        } else {
            wave(out, within)
        }
    };
    let across: [f64; 64] = std::array::from_fn(|at| {
        let (row, out) = (at / SIDE, at % SIDE);
        (0..SIDE)
            .map(|x| weight(out, x) * block[row * SIDE + x])
            .sum()
    });
    std::array::from_fn(|at| {
        let (out, column) = (at / SIDE, at % SIDE);
        (0..SIDE)
            .map(|y| weight(out, y) * across[y * SIDE + column])
            .sum()
    })
}
