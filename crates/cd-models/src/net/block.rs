//! A convolution with what follows it, for networks that other crates put together: computed by the kernels of this crate where
//! they know how.

use burn::module::Module;
use burn::nn::BatchNorm;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::conv::Conv;
use super::layers::{conv, conv_norm_relu, max_pool, norm};
use super::norm::normalize;
use super::pool::{largest, mean};

/// A square convolution, with a BatchNorm behind it or with a bias.
///
/// Weights are those of Burn until [`draw_weights`](crate::draw_weights) has drawn them from a seed.
#[derive(Module, Debug)]
pub struct Block {
    conv: Conv,
    norm: Option<BatchNorm>,
}

impl Block {
    /// A convolution of `channels` inputs and outputs with a bias. It keeps the size of a map at stride 1, and halves it, rounded up,
    /// at stride 2; `kernel` is odd.
    pub fn plain(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let config = conv(channels[0], channels[1], kernel, stride).with_bias(true);
        Self {
            conv: Conv::new(config, device),
            norm: None,
        }
    }

    /// The same with a BatchNorm in place of the bias.
    pub fn normed(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        let config = conv(channels[0], channels[1], kernel, stride);
        Self {
            conv: Conv::new(config, device),
            norm: Some(norm(channels[1], device)),
        }
    }

    /// The convolution and its BatchNorm, which works by the statistics of the batch while it is trained.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - output: `[B, O, h, w]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(x);
        match &self.norm {
            None => x,
            Some(norm) => normalize(norm, x),
        }
    }

    /// [`forward`](Self::forward), then ReLU.
    ///
    /// # Shapes
    ///
    /// As there.
    pub fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            None => relu(self.conv.forward(x)),
            norm => conv_norm_relu(&self.conv, norm.as_ref(), x),
        }
    }
}

/// BatchNorm, which works by the statistics of the batch while it is trained.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub fn normalized(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    normalize(norm, x)
}

/// The largest value of every 2 x 2 window.
///
/// # Shapes
///
/// - `x`: `[B, C, H, W]`, of at least 2 x 2
/// - output: `[B, C, H / 2, W / 2]`, rounded down
pub fn halved(x: Tensor<4>) -> Tensor<4> {
    largest(&max_pool(2, 2, 0), x)
}

/// Mean of every map.
///
/// # Shapes
///
/// - `x`: `[B, C, H, W]`
/// - output: `[B, C]`
pub fn map_mean(x: Tensor<4>) -> Tensor<2> {
    mean(x)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::batch::to_host;
    use crate::weights::fresh::draw_weights;
    use crate::weights::state::StateDict;

    #[test]
    fn sizes_follow_the_stride_and_weights_the_seed() {
        let device = Device::flex();
        let blocks = |seed| {
            let blocks = vec![
                Block::normed([3, 4], 3, 2, &device),
                Block::plain([4, 2], 1, 1, &device),
            ];
            draw_weights(blocks, seed)
        };
        let run = |blocks: &[Block]| {
            let x = Tensor::<4>::ones([2, 3, 7, 8], &device);
            let x = blocks[0].forward_relu(x);
            assert_eq!(x.dims(), [2, 4, 4, 4]);
            blocks[1].forward(x)
        };
        let first = run(&blocks(1));
        assert_eq!(first.dims(), [2, 2, 4, 4]);
        assert_eq!(halved(first.clone()).dims(), [2, 2, 2, 2]);
        assert_eq!(map_mean(first.clone()).dims(), [2, 2]);
        assert_eq!(to_host(first.clone()), to_host(run(&blocks(1))));
        assert_ne!(to_host(first.clone()), to_host(run(&blocks(2))));
        let state = StateDict::of_module(&blocks(1));
        assert_eq!(state.shape("1.conv.bias"), Some(&[2][..]));
        let filled = state.apply_to(blocks(2), "two blocks").expect("the same");
        assert_eq!(to_host(first), to_host(run(&filled)));
        let other = draw_weights(vec![Block::plain([4, 2], 1, 1, &device)], 1);
        assert!(state.apply_to(other, "one block").is_err());
    }
}
