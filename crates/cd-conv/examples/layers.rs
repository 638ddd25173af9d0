//! Speed of single layers in GFLOP/s: `cargo run --release -p cd-conv --example layers`.
#![expect(clippy::print_stdout, reason = "its output")]

use std::time::Instant;

use cd_conv::{Dense, Epilogue, Geometry, Map};

fn main() {
    let batch = 32;
    println!("layer (inputs -> outputs, side, stride)      forward    backward  GFLOP/s");
    for width in [16, 64] {
        let layers = [
            (3, width, 32, 1),
            (width, width, 32, 1),
            (width, 2 * width, 32, 2),
            (2 * width, 2 * width, 16, 1),
            (4 * width, 4 * width, 8, 1),
            (8 * width, 8 * width, 4, 1),
        ];
        for (inputs, outputs, side, stride) in layers {
            let geometry = Geometry {
                kernel: [3, 3],
                stride: [stride; 2],
                padding: [1, 1],
            };
            let input = Map {
                height: side,
                width: side,
                channels: inputs,
            };
            let output = geometry.output(input, outputs).expect("fits");
            let weights = vec![0.01; outputs * inputs * 9];
            let forward = Dense::forward(&weights, [outputs, inputs], geometry);
            let backward = Dense::backward(&weights, [outputs, inputs], geometry);
            let images = vec![0.5; batch * input.len()];
            let gradient = vec![0.5; batch * output.len()];
            let flops = (2 * 9 * inputs * outputs * output.pixels() * batch) as f64;
            let speed = |dense: &Dense, source: &[f32]| {
                let repeats = (2e9 / flops).ceil() as usize;
                let best = (0..5)
                    .map(|_| {
                        let start = Instant::now();
                        for _ in 0..repeats {
                            std::hint::black_box(dense.apply(
                                source,
                                input,
                                output,
                                &Epilogue::default(),
                            ));
                        }
                        start.elapsed().as_secs_f64() / repeats as f64
                    })
                    .fold(f64::MAX, f64::min);
                flops / best / 1e9
            };
            println!(
                "{inputs:4} -> {outputs:4}, {side:2}, {stride}   {:24.1} {:11.1}",
                speed(&forward, &images),
                speed(&backward, &gradient)
            );
        }
    }
}
