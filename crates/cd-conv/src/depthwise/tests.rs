use super::*;
use crate::Dense;
use crate::level::tests::at_every_level;
use crate::reference::assert_close;

/// A depthwise convolution is a dense one whose weights are zero off the diagonal.
#[test]
fn it_agrees_with_the_dense_one() {
    at_every_level(|_| {
        for (channels, stride, side) in
            [(7, 1, 5), (16, 2, 5), (37, 1, 5), (24, 1, 11), (20, 2, 17)]
        {
            let geometry = Geometry {
                kernel: [3, 3],
                stride: [stride; 2],
                padding: [1, 1],
                extra: [0, 0],
            };
            let input = Map {
                height: side,
                width: side + 1,
                channels,
            };
            let output = geometry.output(input, channels).expect("fits");
            let wave = |count: usize, step: f32| -> Vec<f32> {
                (0..count).map(|k| (k as f32 * step).sin()).collect()
            };
            let weights = wave(channels * 9, 0.7);
            let mut full = vec![0.0; channels * channels * 9];
            for (place, weight) in weights.iter().enumerate() {
                let channel = place / 9;
                full[(channel * channels + channel) * 9 + place % 9] = *weight;
            }
            let (images, gradient) = (wave(2 * input.len(), 0.3), wave(2 * output.len(), 0.9));
            let bias = wave(channels, 1.1);
            let epilogue = Epilogue {
                bias: Some(&bias),
                residual: Some(&gradient),
                activation: Activation::Relu6,
            };
            let ours = Depthwise::forward(&weights, channels, geometry);
            let dense = Dense::forward(&full, [channels, channels], geometry);
            assert_close(
                &ours.apply(&images, input, output, &epilogue),
                &dense.apply(&images, input, output, &epilogue),
                "forward",
            );
            let ours = Depthwise::backward(&weights, channels, geometry);
            let dense = Dense::backward(&full, [channels, channels], geometry);
            assert_close(
                &ours.apply(&gradient, input, output, &Epilogue::default()),
                &dense.apply(&gradient, input, output, &Epilogue::default()),
                "backward",
            );
            let full = crate::weight_gradient(&images, &gradient, geometry, input, output);
            let diagonal: Vec<f32> = (0..channels * 9)
                .map(|place| full[(place / 9 * channels + place / 9) * 9 + place % 9])
                .collect();
            let ours = depthwise_weight_gradient(&images, &gradient, geometry, input, output);
            assert_close(&ours, &diagonal, "weights");
        }
    });
}
