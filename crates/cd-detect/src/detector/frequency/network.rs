//! The network that judges spectra: three blocks of two convolutions, ELU and BatchNorm, each halved by pooling.

use cd_models::burn;
use cd_models::burn::module::Module;
use cd_models::burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use cd_models::burn::tensor::{Device, Tensor};
use cd_models::{Block, CHANNELS, draw_weights, halved, normalized};

/// Channels of the blocks.
const WIDTHS: [usize; 3] = [32, 64, 128];

/// Judges spectra `[B, 3, H, W]`: logits of clean and of a trigger.
#[derive(Module, Debug)]
pub(super) struct Network {
    layers: Vec<Layer>,
    head: Linear,
}

/// Convolution, ELU, BatchNorm.
#[derive(Module, Debug)]
struct Layer {
    conv: Block,
    norm: BatchNorm,
}

impl Network {
    /// With weights drawn from `seed`.
    pub(super) fn new([height, width]: [usize; 2], seed: u64, device: &Device) -> Self {
        let mut entry = CHANNELS;
        let layer = |out: usize| {
            let conv = Block::plain([entry, out], 3, 1, device);
            entry = out;
            let norm = BatchNormConfig::new(out).init(device);
            Layer { conv, norm }
        };
        let layers = WIDTHS
            .into_iter()
            .flat_map(|width| [width; 2])
            .map(layer)
            .collect();
        let inputs = WIDTHS[2] * (height / 8) * (width / 8);
        let head = LinearConfig::new(inputs, 2).init(device);
        draw_weights(Self { layers, head }, seed)
    }

    /// # Shapes
    ///
    /// - `spectra`: `[B, 3, H, W]`
    /// - output: `[B, 2]`
    pub(super) fn forward(&self, spectra: Tensor<4>) -> Tensor<2> {
        let mut x = spectra;
        for block in self.layers.chunks(2) {
            for layer in block {
                x = normalized(&layer.norm, elu(layer.conv.forward(x)));
            }
            x = halved(x);
        }
        self.head.forward(x.flatten(1, 3))
    }
}

/// The larger of `x` and `exp(x) - 1`. Burn's own takes the exponential of large values too, which is infinite, and no gradient survives that.
fn elu(x: Tensor<4>) -> Tensor<4> {
    let below = x.clone().clamp_max(0.0).exp() - 1.0;
    x.clamp_min(0.0) + below
}
