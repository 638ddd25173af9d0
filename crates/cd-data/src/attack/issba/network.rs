//! The encoder, which draws a pattern for an image and a secret, and the decoder, which reads the secret.
//!
//! Published networks have no BatchNorm and read no bit for the first hundreds of steps; with it they do so at once.

use cd_models::burn;
use cd_models::burn::module::Module;
use cd_models::burn::nn::{Linear, LinearConfig};
use cd_models::burn::tensor::activation::relu;
use cd_models::burn::tensor::{Device, Tensor};
use cd_models::{Block, CHANNELS, draw_weights};

use crate::attack::generator::resized;

/// Side of the map that a secret is spread over.
const SECRET_SIDE: usize = 16;
/// Channels of the layers that halve the map, in widths.
const DOWN: [usize; 4] = [1, 2, 4, 8];
/// Channels of the layers that double it again, in widths.
const UP: [usize; 4] = [4, 2, 1, 1];
/// Channels and strides of the decoder, in widths.
const READ: [(usize, usize); 7] = [(1, 2), (1, 1), (2, 2), (2, 1), (2, 2), (4, 2), (4, 2)];
/// Side of the map that the decoder's linear layers read.
const READ_SIDE: usize = 2;
/// Numbers between the decoder's linear layers, in widths.
const BETWEEN: usize = 16;

/// Draws a pattern: down by convolutions of stride 2, up again with the maps of the way down beside those of the way up.
#[derive(Module, Debug)]
pub(super) struct Encoder {
    spread: Linear,
    first: Block,
    down: Vec<Block>,
    /// Behind every enlargement.
    up: Vec<Block>,
    /// Behind every joining.
    join: Vec<Block>,
    last: Block,
}

impl Encoder {
    /// Least side of an image.
    pub(super) const LEAST_SIDE: usize = 8;

    pub(super) fn new(width: usize, bits: usize, seed: u64, device: &Device) -> Self {
        let block = |entry, out, stride| Block::normed([entry, out], 3, stride, device);
        let entry = 2 * CHANNELS;
        let mut down = Vec::new();
        let mut before = 1;
        for out in DOWN {
            down.push(block(before * width, out * width, 2));
            before = out;
        }
        // What lies beside a map on the way up: the maps before each halving, the deepest first.
        let beside = [DOWN[2], DOWN[1], DOWN[0], 1];
        let (mut up, mut join) = (Vec::new(), Vec::new());
        for (number, (out, beside)) in UP.into_iter().zip(beside).enumerate() {
            up.push(block(before * width, out * width, 1));
            let also = if number + 1 == UP.len() { entry } else { 0 };
            join.push(block((out + beside) * width + also, out * width, 1));
            before = out;
        }
        let spread = LinearConfig::new(bits, CHANNELS * SECRET_SIDE * SECRET_SIDE);
        let network = Self {
            spread: spread.init(device),
            first: block(entry, width, 1),
            down,
            up,
            join,
            last: Block::plain([width, CHANNELS], 1, 1, device),
        };
        draw_weights(network, seed)
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in 0 to 1
    /// - `secrets`: `[B, bits]` of 0 and 1
    /// - output: `[B, 3, H, W]`, what is to be added to the images
    pub(super) fn forward(&self, images: Tensor<4>, secrets: Tensor<2>) -> Tensor<4> {
        let [count, _, height, width] = images.dims();
        let spread = relu(self.spread.forward(secrets - 0.5));
        let spread = spread.reshape([count, CHANNELS, SECRET_SIDE, SECRET_SIDE]);
        let entry = Tensor::cat(vec![images - 0.5, resized(spread, [height, width])], 1);
        let mut x = self.first.forward_relu(entry.clone());
        let mut passed = Vec::with_capacity(self.down.len());
        for block in &self.down {
            passed.push(x.clone());
            x = block.forward_relu(x);
        }
        for (number, (up, join)) in self.up.iter().zip(&self.join).enumerate() {
            let beside = passed.pop().expect("as many ways up as down");
            let size = [beside.dims()[2], beside.dims()[3]];
            let mut joined = vec![up.forward_relu(resized(x, size)), beside];
            if number + 1 == self.up.len() {
                joined.push(entry.clone());
            }
            x = join.forward_relu(Tensor::cat(joined, 1));
        }
        self.last.forward(x)
    }
}

/// Reads a secret: convolutions, and two linear layers.
#[derive(Module, Debug)]
pub(super) struct Decoder {
    layers: Vec<Block>,
    between: Linear,
    head: Linear,
}

impl Decoder {
    pub(super) fn new(width: usize, bits: usize, seed: u64, device: &Device) -> Self {
        let mut before = CHANNELS;
        let layer = |(out, stride)| {
            let block = Block::normed([before, out * width], 3, stride, device);
            before = out * width;
            block
        };
        let layers: Vec<Block> = READ.into_iter().map(layer).collect();
        let read = READ[READ.len() - 1].0 * width * READ_SIDE * READ_SIDE;
        let network = Self {
            layers,
            between: LinearConfig::new(read, BETWEEN * width).init(device),
            head: LinearConfig::new(BETWEEN * width, bits).init(device),
        };
        draw_weights(network, seed)
    }

    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in 0 to 1
    /// - output: `[B, bits]`, above 0 for a 1
    pub(super) fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self
            .layers
            .iter()
            .fold(images - 0.5, |x, layer| layer.forward_relu(x));
        let x = resized(x, [READ_SIDE; 2]);
        self.head
            .forward(relu(self.between.forward(x.flatten(1, 3))))
    }
}
