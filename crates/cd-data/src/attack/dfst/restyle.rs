//! What restyling adds to the colours: three convolutions that see the neighbourhood.

use cd_models::burn;
use cd_models::burn::module::Module;
use cd_models::burn::tensor::activation::tanh;
use cd_models::burn::tensor::{Device, Tensor};
use cd_models::{Block, draw_weights};

/// Channels between the convolutions.
const CHANNELS: usize = 16;
/// Largest change of a value, on the scale 0 to 1.
const REACH: f32 = 0.15;

/// Three convolutions.
#[derive(Module, Debug)]
pub(super) struct Restyler {
    layers: Vec<Block>,
    last: Block,
}

impl Restyler {
    pub(super) fn new(seed: u64, device: &Device) -> Self {
        let network = Self {
            layers: vec![
                Block::normed([3, CHANNELS], 3, 1, device),
                Block::normed([CHANNELS, CHANNELS], 3, 1, device),
            ],
            last: Block::plain([CHANNELS, 3], 3, 1, device),
        };
        draw_weights(network, seed)
    }

    /// # Shapes
    ///
    /// - `images`, output: `[B, 3, H, W]`; the output is to be added to the mapped colours
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let layers = self.layers.iter();
        let x = layers.fold(images, |x, layer| layer.forward_relu(x));
        tanh(self.last.forward(x)) * REACH
    }
}
