use super::*;
use crate::level::tests::at_every_level;

fn wave(count: usize, step: f64) -> Vec<f32> {
    (0..count).map(|k| (k as f64 * step).sin() as f32).collect()
}

/// One mask for all colours or one each, cells as fine as the pixels or coarser, one row alone.
const SIZES: [Masks; 4] = [
    Masks {
        channels: 1,
        cells: [5, 7],
        pixels: [5, 7],
    },
    Masks {
        channels: 3,
        cells: [3, 4],
        pixels: [5, 7],
    },
    Masks {
        channels: 1,
        cells: [4, 1],
        pixels: [9, 3],
    },
    Masks {
        channels: 3,
        cells: [1, 6],
        pixels: [1, 6],
    },
];

struct Batch {
    images: Vec<f32>,
    colours: Vec<f32>,
    theta: Vec<f32>,
    slope: Vec<f32>,
}

fn batch(masks: Masks) -> Batch {
    let area = masks.area();
    Batch {
        images: wave(2 * 3 * area, 0.7),
        colours: vec![0.1, 0.9, 0.4, 0.6, 0.2, 0.8],
        theta: wave(2 * masks.parameters(), 1.9),
        slope: wave(2 * 3 * area, 0.31),
    }
}

/// The definition in double precision: a fixed weighting of what the network sees, plus the penalties.
fn objective(masks: Masks, batch: &Batch, penalties: &Penalties) -> f64 {
    let [height, width] = masks.pixels;
    let area = height * width;
    let count = masks.parameters() / masks.channels;
    let mut total = 0.0;
    for image in 0..2 {
        let mut whole: Vec<f64> = Vec::new();
        for channel in 0..masks.channels {
            let start = (image * masks.channels + channel) * count;
            let cells: Vec<f64> = batch.theta[start..start + count]
                .iter()
                .map(|&theta| f64::from(theta).tanh() * 0.5 + 0.5)
                .collect();
            let at = |axis: usize, pixel: usize| {
                let (cells, pixels) = (masks.cells[axis] as f64, masks.pixels[axis] as f64);
                let centre = (pixel as f64 + 0.5) * cells / pixels - 0.5;
                let centre = centre.clamp(0.0, cells - 1.0);
                (centre.floor() as usize, centre.fract())
            };
            for y in 0..height {
                for x in 0..width {
                    let ((row, down), (column, right)) = (at(0, y), at(1, x));
                    let cell = |row: usize, column: usize| {
                        let row = row.min(masks.cells[0] - 1);
                        cells[row * masks.cells[1] + column.min(masks.cells[1] - 1)]
                    };
                    let line =
                        |row| (1.0 - right) * cell(row, column) + right * cell(row, column + 1);
                    whole.push((1.0 - down) * line(row) + down * line(row + 1));
                }
            }
        }
        for channel in 0..3 {
            for pixel in 0..area {
                let mask = whole[channel % masks.channels * area + pixel];
                let value = f64::from(batch.images[(image * 3 + channel) * area + pixel]);
                let colour = f64::from(batch.colours[image * 3 + channel]);
                let slope = f64::from(batch.slope[(image * area + pixel) * 3 + channel]);
                total += slope * (value * mask + (1.0 - mask) * colour);
            }
        }
        let norm = match penalties.power {
            1 => whole.iter().map(|value| value.abs()).sum::<f64>(),
            _ => whole.iter().map(|value| value * value).sum::<f64>().sqrt(),
        };
        let mut squares = 0.0;
        for plane in whole.chunks(area) {
            for y in 0..height {
                for x in 0..width {
                    let here = plane[y * width + x];
                    if y > 0 {
                        squares += (here - plane[(y - 1) * width + x]).powi(2);
                    }
                    if x > 0 {
                        squares += (here - plane[y * width + x - 1]).powi(2);
                    }
                }
            }
        }
        let variation = f64::from(penalties.variation) * squares / whole.len() as f64;
        total += f64::from(penalties.scale) * (f64::from(penalties.norm) * norm + variation);
    }
    total
}

#[test]
fn what_is_computed_and_its_gradient_follow_from_the_definition() {
    at_every_level(|_| {
        for masks in SIZES {
            for power in [1, 2] {
                let penalties = Penalties {
                    norm: 0.3,
                    power,
                    variation: 2.0,
                    scale: 0.5,
                };
                let mut batch = batch(masks);
                let squashed = masks.squashed(&batch.theta);
                let filled = masks.filled(&batch.images, &squashed, &batch.colours);
                let found = masks.gradient(
                    &batch.slope,
                    &batch.images,
                    &squashed,
                    &batch.colours,
                    &penalties,
                );
                let seen: f64 = filled
                    .iter()
                    .zip(&batch.slope)
                    .map(|(value, slope)| f64::from(*value) * f64::from(*slope))
                    .sum();
                let terms: f64 = found
                    .penalties
                    .iter()
                    .flatten()
                    .map(|&term| f64::from(term))
                    .sum();
                let ours = seen + 0.5 * terms;
                let expected = objective(masks, &batch, &penalties);
                assert!(
                    (ours - expected).abs() < 1e-4,
                    "{masks:?}: {ours}, {expected}"
                );
                for place in 0..batch.theta.len() {
                    let middle = batch.theta[place];
                    let mut at = |theta: f32| {
                        batch.theta[place] = theta;
                        let value = objective(masks, &batch, &penalties);
                        batch.theta[place] = middle;
                        value
                    };
                    let (low, high) = (middle - 1e-2, middle + 1e-2);
                    let slope = (at(high) - at(low)) / f64::from(high - low);
                    let ours = f64::from(found.theta[place]);
                    assert!(
                        (ours - slope).abs() < 3e-4,
                        "{masks:?}, {power}: {ours}, {slope}"
                    );
                }
            }
        }
    });
}

#[test]
fn adam_moves_by_the_rate_at_first_and_remembers() {
    at_every_level(|_| {
        let mut adam = Adam {
            rate: 0.1,
            betas: [0.5, 0.5],
            epsilon: 0.0,
            time: 1,
        };
        let (mut values, mut first, mut second) = ([1.0, 1.0], [0.0; 2], [0.0; 2]);
        adam.step(&mut values, &[4.0, -0.5], [&mut first, &mut second]);
        assert!((values[0] - 0.9).abs() < 1e-6 && (values[1] - 1.1).abs() < 1e-6);
        assert_eq!((first, second), ([2.0, -0.25], [8.0, 0.125]));
        adam.time = 2;
        adam.step(&mut values, &[0.0, 0.0], [&mut first, &mut second]);
        assert_eq!((first, second), ([1.0, -0.125], [4.0, 0.0625]));
        // Means 1 / 0.75 and 4 / 0.75.
        let expected = 0.9 - 0.1 * (1.0 / 0.75) / (4.0_f32 / 0.75).sqrt();
        assert!((values[0] - expected).abs() < 1e-6);
    });
}
