//! The convolution of every network: Burn's parameters, and on a CPU kernels of our own.
//!
//! Off the CPU backend, and for shapes that the kernels do not know, Burn's own convolution computes.

#[cfg(feature = "flex")]
mod cpu;

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};
#[cfg(feature = "flex")]
use cd_conv::Activation;

/// A 2-D convolution with zero padding, at least as much below and right as above and left, and no dilation.
#[derive(Module, Debug)]
pub(crate) struct Conv {
    pub(crate) weight: Param<Tensor<4>>,
    pub(crate) bias: Option<Param<Tensor<1>>>,
    stride: [usize; 2],
    /// Above and left.
    padding: [usize; 2],
    /// How much more below and right.
    extra: [usize; 2],
    groups: usize,
    /// Weights as the kernels want them, once they do not change any more.
    #[cfg(feature = "flex")]
    #[module(skip)]
    frozen: Option<cpu::Frozen>,
}

impl Conv {
    /// Burn's initial values.
    ///
    /// # Panics
    ///
    /// When the configuration asks for dilation, or for more padding above or left than opposite: no architecture does.
    pub(crate) fn new(config: Conv2dConfig, device: &Device) -> Self {
        assert_eq!(config.dilation, [1, 1], "dilation");
        let (padding, opposite) = match config.padding {
            PaddingConfig2d::Valid => ([0, 0], [0, 0]),
            PaddingConfig2d::Explicit(top, left, bottom, right) => ([top, left], [bottom, right]),
            ref other @ PaddingConfig2d::Same => {
                panic!("padding {other:?} depends on the size of the map")
            }
        };
        let extra = [0, 1].map(|axis| {
            let more = opposite[axis].checked_sub(padding[axis]);
            more.expect("no less padding below and right than above and left")
        });
        let Conv2d {
            weight,
            bias,
            stride,
            groups,
            ..
        } = config.init(device);
        Self {
            weight,
            bias,
            stride,
            padding,
            extra,
            groups,
            #[cfg(feature = "flex")]
            frozen: None,
        }
    }

    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - output: `[B, O, h, w]`
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if let Some(frozen) = &self.frozen {
            return frozen.apply(x, None, Activation::None);
        }
        self.unfused(x)
    }

    /// The convolution, then ReLU.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if let Some(frozen) = &self.frozen {
            return frozen.apply(x, None, Activation::Relu);
        }
        relu(self.unfused(x))
    }

    /// The convolution, then ReLU that ends at 6.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_relu6(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if let Some(frozen) = &self.frozen {
            return frozen.apply(x, None, Activation::Relu6);
        }
        relu(self.unfused(x)).clamp_max(6.0)
    }

    /// The convolution plus `skip`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    pub(crate) fn forward_add(&self, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if let Some(frozen) = &self.frozen {
            return frozen.apply(x, Some(skip), Activation::None);
        }
        self.unfused(x) + skip
    }

    /// The convolution plus `skip`, then ReLU.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    pub(crate) fn forward_add_relu(&self, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        if let Some(frozen) = &self.frozen {
            return frozen.apply(x, Some(skip), Activation::Relu);
        }
        relu(self.unfused(x) + skip)
    }

    fn unfused(&self, x: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        #[cfg(feature = "flex")]
        if let Some(shape) = cpu::Shape::of(self) {
            let y = shape.convolve(x, weight);
            return match &self.bias {
                Some(bias) => y + bias.val().reshape([1, -1, 1, 1]),
                None => y,
            };
        }
        let padding = |axis: usize| {
            let before = self.padding[axis];
            (before, before + self.extra[axis])
        };
        let options = ConvOptions {
            stride: self.stride,
            padding: [padding(0), padding(1)],
            dilation: [1, 1],
            groups: self.groups,
        };
        conv2d(x, weight, self.bias.as_ref().map(Param::val), options)
    }

    /// Prepares the weights as they are now for many calls; they must not change afterwards.
    pub(crate) fn prepare(&mut self) {
        #[cfg(feature = "flex")]
        {
            self.frozen = cpu::Frozen::of(self);
        }
    }
}

/// Frozen convolutions one behind the other, each but the last followed by ReLU, computed a few images at a time.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    #[cfg(feature = "flex")]
    inner: cpu::Chain,
}

impl Chain {
    /// If all of `convs` are frozen, on a CPU.
    #[cfg_attr(
        not(feature = "flex"),
        expect(unused_variables, reason = "only our kernels freeze")
    )]
    pub(crate) fn of(convs: &[&Conv]) -> Option<Self> {
        #[cfg(feature = "flex")]
        return cpu::Chain::of(convs).map(|inner| Self { inner });
        #[cfg(not(feature = "flex"))]
        None
    }

    /// All convolutions, plus `skip`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    #[cfg_attr(
        not(feature = "flex"),
        expect(unused_variables, reason = "never made without our kernels")
    )]
    pub(crate) fn forward(&self, x: Tensor<4>, skip: Option<Tensor<4>>) -> Tensor<4> {
        #[cfg(feature = "flex")]
        return self.inner.apply(x, skip);
        #[cfg(not(feature = "flex"))]
        x
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
