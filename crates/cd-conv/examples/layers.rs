//! Speed of single layers in GFLOP/s at every instruction set of the machine, or at those that are named:
//! `cargo run --release -p cd-conv --example layers -- avx2`.
#![expect(clippy::print_stdout, reason = "its output")]

use std::hint::black_box;
use std::time::Instant;

use cd_conv::{
    Dense, Depthwise, Epilogue, Geometry, Level, LevelError, Map, depthwise_weight_gradient,
    give_back, level, limit, set_level, weight_gradient,
};

const BATCH: usize = 32;
/// Multiply-adds, counted twice, in one measurement.
const WORK: f64 = 1e9;
/// Of so many measurements the best counts.
const MEASUREMENTS: usize = 5;

/// One convolution, whose inputs have `side` x `side` pixels.
struct Layer {
    inputs: usize,
    outputs: usize,
    side: usize,
    kernel: usize,
    stride: usize,
    depthwise: bool,
}

const fn layer(inputs: usize, outputs: usize, side: usize, kernel: usize, stride: usize) -> Layer {
    Layer {
        inputs,
        outputs,
        side,
        kernel,
        stride,
        depthwise: false,
    }
}

const fn depthwise(channels: usize, side: usize, stride: usize) -> Layer {
    Layer {
        depthwise: true,
        ..layer(channels, channels, side, 3, stride)
    }
}

fn layers() -> Vec<Layer> {
    let mut layers = Vec::new();
    for width in [16, 64] {
        layers.extend([
            layer(3, width, 32, 3, 1),
            layer(width, width, 32, 3, 1),
            layer(width, 2 * width, 32, 3, 2),
            layer(width, 2 * width, 32, 1, 2),
            layer(2 * width, 2 * width, 16, 3, 1),
            layer(4 * width, 4 * width, 8, 3, 1),
            layer(8 * width, 8 * width, 4, 3, 1),
        ]);
    }
    layers.extend([
        layer(24, 144, 16, 1, 1),
        layer(144, 24, 16, 1, 1),
        depthwise(144, 32, 1),
        depthwise(144, 32, 2),
        depthwise(384, 8, 1),
    ]);
    layers
}

impl Layer {
    fn name(&self) -> String {
        let Self {
            inputs,
            outputs,
            side,
            kernel,
            stride,
            depthwise,
        } = self;
        let kind = if *depthwise { "each alone" } else { "all" };
        format!("{inputs:4} -> {outputs:4}, {side:2}, {kernel} x {kernel} / {stride}, {kind:<10}")
    }

    /// Forward, backward and the gradient of the weights.
    fn speeds(&self) -> [f64; 3] {
        let geometry = Geometry {
            kernel: [self.kernel; 2],
            stride: [self.stride; 2],
            padding: [self.kernel / 2; 2],
            extra: [0; 2],
        };
        let input = Map {
            height: self.side,
            width: self.side,
            channels: self.inputs,
        };
        let output = geometry.output(input, self.outputs).expect("fits");
        let of_output = if self.depthwise { 1 } else { self.inputs };
        let weights = vec![0.01; self.outputs * of_output * geometry.taps()];
        let images = vec![0.5; BATCH * input.len()];
        let gradient = vec![0.5; BATCH * output.len()];
        let flops = (2 * geometry.taps() * of_output * output.len() * BATCH) as f64;
        let none = Epilogue::default();
        if self.depthwise {
            let forward = Depthwise::forward(&weights, self.inputs, geometry);
            let backward = Depthwise::backward(&weights, self.inputs, geometry);
            return [
                speed(flops, || forward.apply(&images, input, output, &none)),
                speed(flops, || backward.apply(&gradient, input, output, &none)),
                speed(flops, || {
                    depthwise_weight_gradient(&images, &gradient, geometry, input, output)
                }),
            ];
        }
        let channels = [self.outputs, self.inputs];
        let forward = Dense::forward(&weights, channels, geometry);
        let backward = Dense::backward(&weights, channels, geometry);
        [
            speed(flops, || forward.apply(&images, input, output, &none)),
            speed(flops, || backward.apply(&gradient, input, output, &none)),
            speed(flops, || {
                weight_gradient(&images, &gradient, geometry, input, output)
            }),
        ]
    }
}

fn speed(flops: f64, work: impl Fn() -> Vec<f32>) -> f64 {
    let repeats = (WORK / flops).ceil() as usize;
    let measured = (0..MEASUREMENTS).map(|_| {
        let start = Instant::now();
        for _ in 0..repeats {
            // Networks give results back, too, and the next ones are made in them.
            give_back(black_box(work()));
        }
        start.elapsed().as_secs_f64() / repeats as f64
    });
    flops / measured.fold(f64::MAX, f64::min) / 1e9
}

fn main() -> Result<(), LevelError> {
    // One large block, taken and freed, has glibc keep freed memory as our programs have it.
    drop(black_box(Vec::<u8>::with_capacity(31 << 20)));
    let named: Result<Vec<Level>, LevelError> =
        std::env::args().skip(1).map(|a| a.parse()).collect();
    let mut levels = named?;
    if levels.is_empty() {
        levels = Level::available();
    }
    for each in levels {
        set_level(each)?;
        println!(
            "{}, GFLOP/s; registers alone, one thread: {:.0}",
            level(),
            limit()
        );
        println!("inputs -> outputs, side, kernel / stride       forward backward  weights");
        for layer in layers() {
            let [forward, backward, weights] = layer.speeds();
            println!(
                "{:<46} {forward:7.1}  {backward:7.1}  {weights:7.1}",
                layer.name()
            );
        }
    }
    Ok(())
}
