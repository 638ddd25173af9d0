//! The network that judges spectra: three blocks of two convolutions, ELU and BatchNorm, each halved by pooling.

use cd_core::random;
use cd_models::burn;
use cd_models::burn::module::{Initializer, Module, ModuleMapper, Param};
use cd_models::burn::nn::conv::{Conv2d, Conv2dConfig};
use cd_models::burn::nn::pool::MaxPool2dConfig;
use cd_models::burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use cd_models::burn::tensor::{Device, Tensor, TensorData};
use rand::Rng;

/// Channels of the blocks.
const WIDTHS: [usize; 3] = [32, 64, 128];

/// Judges spectra `[B, 3, H, W]`: logits of clean and of a trigger.
#[derive(Module, Debug)]
pub(super) struct Network {
    pub(super) layers: Vec<Layer>,
    pub(super) head: Linear,
}

/// Convolution, ELU, BatchNorm.
#[derive(Module, Debug)]
pub(super) struct Layer {
    pub(super) conv: Conv2d,
    pub(super) norm: BatchNorm,
}

impl Network {
    /// With zeros as weights.
    pub(super) fn new(height: usize, width: usize, device: &Device) -> Self {
        let mut entry = 3;
        let layer = |out: usize| {
            let conv = Conv2dConfig::new([entry, out], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_initializer(Initializer::Zeros);
            entry = out;
            Layer {
                conv: conv.init(device),
                norm: BatchNormConfig::new(out).init(device),
            }
        };
        let layers = WIDTHS
            .into_iter()
            .flat_map(|width| [width; 2])
            .map(layer)
            .collect();
        let inputs = WIDTHS[2] * (height / 8) * (width / 8);
        let head = LinearConfig::new(inputs, 2).with_initializer(Initializer::Zeros);
        Self {
            layers,
            head: head.init(device),
        }
    }

    /// The same with weights drawn from `seed`, uniform by the number of inputs.
    pub(super) fn drawn(self, seed: u64) -> Self {
        self.map(&mut Draw { seed, number: 0 })
    }

    /// # Shapes
    ///
    /// - `spectra`: `[B, 3, H, W]`
    /// - output: `[B, 2]`
    pub(super) fn forward(&self, spectra: Tensor<4>) -> Tensor<2> {
        let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
        let mut x = spectra;
        for block in self.layers.chunks(2) {
            for layer in block {
                x = layer.norm.forward(elu(layer.conv.forward(x)));
            }
            x = pool.forward(x);
        }
        self.head.forward(x.flatten(1, 3))
    }
}

/// The larger of `x` and `exp(x) - 1`. Burn's own takes the exponential of large values too, which is infinite, and no gradient survives that.
fn elu(x: Tensor<4>) -> Tensor<4> {
    let below = x.clone().clamp_max(0.0).exp() - 1.0;
    x.clamp_min(0.0) + below
}

/// Draws every matrix and kernel by its place; vectors stay.
struct Draw {
    seed: u64,
    number: u64,
}

impl ModuleMapper for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.number += 1;
        if D < 2 {
            return param;
        }
        let purpose = random::named("spectrum network").wrapping_add(self.number);
        let mut drawn = random::stream(self.seed, purpose);
        param.map(|weight| {
            let dims = weight.dims();
            let inputs: usize = if D == 2 {
                dims[0]
            } else {
                dims[1..].iter().product()
            };
            let bound = (inputs as f32).sqrt().recip();
            let count: usize = dims.iter().product();
            let values = (0..count).map(|_| drawn.random_range(-bound..bound));
            let data = TensorData::new(values.collect::<Vec<_>>(), dims);
            Tensor::from_data(data, &weight.device())
        })
    }
}
