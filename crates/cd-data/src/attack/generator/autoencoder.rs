//! A network that draws a picture of the size of its input.

use cd_models::burn;
use cd_models::burn::module::Module;
use cd_models::burn::tensor::module::interpolate;
use cd_models::burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use cd_models::burn::tensor::{Device, Tensor};
use cd_models::{Block, CHANNELS, draw_weights, halved};

/// Stages of the encoder, each of which halves the map.
const STAGES: usize = 3;

/// Three stages down, each of two convolutions and a pooling, and three up again, with BatchNorm and ReLU behind every convolution but
/// the last. Channels double from stage to stage.
#[derive(Module, Debug)]
pub(in crate::attack) struct Autoencoder {
    down: Vec<Block>,
    middle: Block,
    up: Vec<Block>,
    last: Block,
}

impl Autoencoder {
    /// Least side of an image.
    pub(in crate::attack) const LEAST_SIDE: usize = 1 << STAGES;

    /// A network of `width` channels in its first stage that draws `outputs` channels, with weights from `seed`.
    pub(in crate::attack) fn new(width: usize, outputs: usize, seed: u64, device: &Device) -> Self {
        let channels = |stage: usize| width << stage;
        let block = |entry, out| Block::normed([entry, out], 3, 1, device);
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for stage in 0..STAGES {
            let entry = if stage == 0 {
                CHANNELS
            } else {
                channels(stage - 1)
            };
            down.push(block(entry, channels(stage)));
            down.push(block(channels(stage), channels(stage)));
        }
        for stage in (0..STAGES).rev() {
            up.push(block(channels(stage), channels(stage)));
            if stage > 0 {
                up.push(block(channels(stage), channels(stage - 1)));
            }
        }
        let deepest = channels(STAGES - 1);
        let network = Self {
            down,
            middle: block(deepest, deepest),
            up,
            last: Block::plain([width, outputs], 3, 1, device),
        };
        draw_weights(network, seed)
    }

    /// # Shapes
    ///
    /// - `x`: `[B, 3, H, W]`, of at least 8 x 8
    /// - output: `[B, outputs, H, W]`, any numbers
    pub(in crate::attack) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut sizes = Vec::with_capacity(STAGES);
        let mut x = x;
        for pair in self.down.chunks(2) {
            sizes.push([x.dims()[2], x.dims()[3]]);
            x = halved(through(pair, x));
        }
        x = self.middle.forward_relu(x);
        for (pair, size) in self.up.chunks(2).zip(sizes.into_iter().rev()) {
            x = through(pair, resized(x, size));
        }
        self.last.forward(x)
    }
}

fn through(blocks: &[Block], x: Tensor<4>) -> Tensor<4> {
    blocks.iter().fold(x, |x, block| block.forward_relu(x))
}

/// A map brought to another size, bilinear.
pub(in crate::attack) fn resized(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    if [x.dims()[2], x.dims()[3]] == size {
        return x;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
    interpolate(x, options.with_output_size(size))
}
