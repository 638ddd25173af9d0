use super::*;
use crate::level::tests::at_every_level;
use crate::reference::assert_close;
use crate::{Activation, Dense, weight_gradient};

const SAME: Geometry = Geometry {
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    extra: [0, 0],
};

/// The same windows, framed by zeros to 5 x 5, go the direct way.
const FRAMED: Geometry = Geometry {
    kernel: [5, 5],
    padding: [2, 2],
    ..SAME
};

/// Numbers that look random: sums of waves nearly cancel, so that rounding would be large beside them.
fn numbers(count: usize, seed: f32) -> Vec<f32> {
    let seed = (seed * 1000.0) as u32;
    (0..count as u32)
        .map(|k| (k.wrapping_mul(2_654_435_761) ^ seed).wrapping_mul(2_246_822_519))
        .map(|k| (k ^ (k >> 15)).wrapping_mul(3_266_489_917))
        .map(|k| (k >> 8) as f32 / (1 << 23) as f32 - 1.0)
        .collect()
}

fn framed(weights: &[f32]) -> Vec<f32> {
    let mut framed = vec![0.0; weights.len() / 9 * 25];
    for (place, weight) in weights.iter().enumerate() {
        let (window, tap) = (place / 9, place % 9);
        framed[window * 25 + (tap / 3 + 1) * 5 + tap % 3 + 1] = *weight;
    }
    framed
}

/// Few channels, channels that fill no whole tile of registers, and so many that the tiles are small.
const CHANNELS: [[usize; 2]; 5] = [[16, 16], [48, 32], [16, 112], [128, 144], [272, 256]];

#[test]
fn both_sizes_are_tried() {
    assert!(CHANNELS.iter().all(|&[s, t]| Winograd::suits(SAME, s, t)));
    assert_eq!(Size::of_gradients(16, 112), Size::Four);
    assert_eq!(Size::of_gradients(272, 256), Size::Two);
    assert!(!Winograd::suits(FRAMED, 16, 16));
    assert!(!Winograd::suits(SAME, 24, 16));
}

#[test]
fn it_agrees_with_the_direct_way_on_odd_and_even_maps() {
    at_every_level(|level| {
        for [inputs, outputs] in CHANNELS {
            for (height, width, batch) in [(1, 1, 2), (2, 3, 5), (4, 4, 19), (7, 10, 43)] {
                let input = Map {
                    height,
                    width,
                    channels: inputs,
                };
                let output = Map {
                    channels: outputs,
                    ..input
                };
                let weights = numbers(inputs * outputs * 9, 0.37);
                let images = numbers(batch * input.len(), 0.71);
                let gradient = numbers(batch * output.len(), 0.53);
                let bias = numbers(outputs, 1.3);
                let residual = numbers(batch * output.len(), 0.11);
                let epilogue = Epilogue {
                    bias: Some(&bias),
                    residual: Some(&residual),
                    activation: Activation::Relu6,
                };
                let channels = [outputs, inputs];
                let of = |weights: &[f32], geometry: Geometry| {
                    let forward = Dense::forward(weights, channels, geometry);
                    let backward = Dense::backward(weights, channels, geometry);
                    [
                        forward.apply(&images, input, output, &epilogue),
                        backward.apply(&gradient, input, output, &Epilogue::default()),
                    ]
                };
                let what = format!("{level}: {inputs} to {outputs}, {height} x {width}");
                let direct = of(&framed(&weights), FRAMED);
                for (ours, direct) in of(&weights, SAME).iter().zip(&direct) {
                    assert_close(ours, direct, &what);
                }
                let ours = weight_gradient(&images, &gradient, SAME, input, output);
                let direct = weight_gradient(&images, &gradient, FRAMED, input, output);
                let inner: Vec<f32> = (0..ours.len())
                    .map(|place| {
                        let (window, tap) = (place / 9, place % 9);
                        direct[window * 25 + (tap / 3 + 1) * 5 + tap % 3 + 1]
                    })
                    .collect();
                assert_close(&ours, &inner, &format!("weights, {what}"));
            }
        }
    });
}

#[test]
fn an_image_does_not_depend_on_its_batch() {
    at_every_level(|_| {
        for [inputs, outputs] in CHANNELS {
            let input = Map {
                height: 5,
                width: 6,
                channels: inputs,
            };
            let output = Map {
                channels: outputs,
                ..input
            };
            let weights = numbers(inputs * outputs * 9, 1.0);
            let dense = Dense::forward(&weights, [outputs, inputs], SAME);
            let images = numbers(23 * input.len(), 1.0);
            let all = dense.apply(&images, input, output, &Epilogue::default());
            for (image, expected) in images.chunks(input.len()).zip(all.chunks(output.len())) {
                let alone = dense.apply(image, input, output, &Epilogue::default());
                assert_eq!(alone, expected);
            }
        }
    });
}

#[test]
fn threads_do_not_change_a_gradient() {
    let map = Map {
        height: 6,
        width: 5,
        channels: 32,
    };
    let (images, gradient) = (numbers(93 * map.len(), 0.3), numbers(93 * map.len(), 0.7));
    assert!(super::gradient(&images, &gradient, map, 32).is_some());
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads can be started")
            .install(|| weight_gradient(&images, &gradient, SAME, map, map))
    };
    let one = of(1);
    assert!((2..5).all(|threads| of(threads) == one));
}
