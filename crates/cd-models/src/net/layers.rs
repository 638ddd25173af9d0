//! Building blocks that several families share, with BatchNorm folding.

use burn::module::{Module, Param, ParamId};
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};

use super::conv::Conv;
use crate::batch::to_host;

/// `channels` scaled from a network of `published` width to one of `width`, at least 1.
pub(crate) fn scaled(channels: usize, width: usize, published: usize) -> usize {
    ((2 * channels * width + published) / (2 * published)).max(1)
}

/// Settings of a square convolution without bias that keeps the size of its input at stride 1.
pub(crate) fn conv(entry: usize, out: usize, kernel: usize, stride: usize) -> Conv2dConfig {
    let padding = kernel / 2;
    Conv2dConfig::new([entry, out], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
}

/// A square max pooling.
pub(crate) fn max_pool(kernel: usize, stride: usize, padding: usize) -> MaxPool2d {
    MaxPool2dConfig::new([kernel, kernel])
        .with_strides([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .init()
}

/// BatchNorm with PyTorch's default settings.
pub(crate) fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device)
}

/// Mean over the whole map.
///
/// # Shapes
///
/// - `map`: `[B, F, h, w]`
/// - output: `[B, F]`
pub(crate) fn pool(map: Tensor<4>) -> Tensor<2> {
    map.mean_dims(&[2, 3]).flatten(1, 3)
}

/// A convolution and the BatchNorm behind it, until that is folded away.
///
/// PyTorch names such a pair as siblings: the field `conv2` of this type stands for `conv2` and `bn2`.
#[derive(Module, Debug)]
pub(crate) struct ConvNorm {
    conv: Conv,
    norm: Option<BatchNorm>,
}

impl ConvNorm {
    pub(crate) fn new(config: Conv2dConfig, device: &Device) -> Self {
        Self {
            norm: Some(norm(config.channels[1], device)),
            conv: Conv::new(config, device),
        }
    }

    /// Convolution, then BatchNorm.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - output: `[B, O, h, w]`
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        normalized(self.conv.forward(x), self.norm.as_ref())
    }

    /// Convolution, BatchNorm, ReLU.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            None => self.conv.forward_relu(x),
            Some(norm) => relu(norm.forward(self.conv.forward(x))),
        }
    }

    /// Convolution, BatchNorm, plus `skip`, ReLU.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    pub(crate) fn forward_add_relu(&self, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            None => self.conv.forward_add_relu(x, skip),
            Some(norm) => relu(norm.forward(self.conv.forward(x)) + skip),
        }
    }

    pub(crate) fn fold(&mut self) {
        fold_conv(&mut self.conv, self.norm.take());
    }
}

/// A linear layer and the BatchNorm behind it, until that is folded away.
#[derive(Module, Debug)]
pub(crate) struct LinearNorm {
    fc: Linear,
    bn: Option<BatchNorm>,
}

impl LinearNorm {
    pub(crate) fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            fc: LinearConfig::new(inputs, outputs).init(device),
            bn: Some(norm(outputs, device)),
        }
    }

    /// Linear map, then BatchNorm.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I]`
    /// - output: `[B, O]`
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        normalized(self.fc.forward(x), self.bn.as_ref())
    }

    pub(crate) fn fold(&mut self) {
        let Some(norm) = self.bn.take() else { return };
        let affine = Affine::of(&norm, self.fc.bias.as_ref());
        let scale = affine.scale.unsqueeze_dim::<2>(0);
        self.fc.weight = self.fc.weight.clone().map(|weight| weight * scale);
        self.fc.bias = Some(Param::initialized(ParamId::new(), affine.shift));
    }
}

/// One entry of a PyTorch `nn.Sequential`; a `Vec` of them has the same indices, so the same names.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "modules cannot be boxed, and the tensors are elsewhere anyway"
)]
pub(crate) enum Layer {
    Conv(Conv),
    /// A convolution and the ReLU behind it, after folding.
    ConvRelu(Conv),
    Norm(BatchNorm),
    Relu(Relu),
    MaxPool(MaxPool2d),
}

impl Layer {
    /// Applies the layer.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - output: `[B, O, h, w]`
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Conv(conv) => conv.forward(x),
            Self::ConvRelu(conv) => conv.forward_relu(x),
            Self::Norm(norm) => norm.forward(x),
            Self::Relu(relu) => relu.forward(x),
            Self::MaxPool(pool) => pool.forward(x),
        }
    }
}

/// Convolution, BatchNorm and, if asked for, ReLU as a sequence.
pub(crate) fn conv_norm_layers(config: Conv2dConfig, relu: bool, device: &Device) -> Vec<Layer> {
    let norm = norm(config.channels[1], device);
    let mut layers = vec![Layer::Conv(Conv::new(config, device)), Layer::Norm(norm)];
    layers.extend(relu.then(|| Layer::Relu(Relu::new())));
    layers
}

/// Applies `layers` in order; nothing for none.
pub(crate) fn run(layers: &[Layer], x: Tensor<4>) -> Tensor<4> {
    layers.iter().fold(x, |x, layer| layer.forward(x))
}

/// Folds every BatchNorm that directly follows a convolution, and joins ReLUs to convolutions.
pub(crate) fn fold_layers(layers: &mut Vec<Layer>) {
    let mut folded: Vec<Layer> = Vec::with_capacity(layers.len());
    for layer in layers.drain(..) {
        match (folded.pop(), layer) {
            (Some(Layer::Conv(mut conv)), Layer::Norm(norm)) => {
                fold_conv(&mut conv, Some(norm));
                folded.push(Layer::Conv(conv));
            }
            (Some(Layer::Conv(conv)), Layer::Relu(_)) => folded.push(Layer::ConvRelu(conv)),
            (last, Layer::Conv(mut conv)) => {
                fold_conv(&mut conv, None);
                folded.extend(last);
                folded.push(Layer::Conv(conv));
            }
            (last, other) => {
                folded.extend(last);
                folded.push(other);
            }
        }
    }
    *layers = folded;
}

/// Makes `conv` compute what it and the following `norm`, if there is one, compute together in inference,
/// and freezes it.
pub(crate) fn fold_conv(conv: &mut Conv, norm: Option<BatchNorm>) {
    if let Some(norm) = norm {
        let affine = Affine::of(&norm, conv.bias.as_ref());
        let channels = affine.scale.dims()[0];
        let scale = affine.scale.reshape([channels, 1, 1, 1]);
        conv.weight = conv.weight.clone().map(|weight| weight * scale);
        conv.bias = Some(Param::initialized(ParamId::new(), affine.shift));
    }
    conv.freeze();
}

/// `norm` applied to `x`, or `x` where it has been folded away.
pub(crate) fn normalized<const D: usize>(x: Tensor<D>, norm: Option<&BatchNorm>) -> Tensor<D> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

/// What BatchNorm does in inference: `scale * x + shift` per channel, a former bias included.
struct Affine {
    scale: Tensor<1>,
    shift: Tensor<1>,
}

impl Affine {
    /// Computed in f64: at a tiny variance the f32 rounding of `epsilon` would show.
    fn of(norm: &BatchNorm, bias: Option<&Param<Tensor<1>>>) -> Self {
        let device = norm.gamma.val().device().without_autodiff();
        let host = |values: Tensor<1>| to_host(values).into_iter().map(f64::from);
        let gamma = host(norm.gamma.val());
        let scale: Vec<f64> = gamma
            .zip(host(norm.running_var.value_sync()))
            .map(|(gamma, variance)| gamma / (variance + norm.epsilon).sqrt())
            .collect();
        let bias: Vec<f64> = match bias {
            Some(bias) => host(bias.val()).collect(),
            None => vec![0.0; scale.len()],
        };
        let centred = host(norm.running_mean.value_sync()).zip(bias);
        let shift: Vec<f32> = centred
            .zip(host(norm.beta.val()))
            .zip(&scale)
            .map(|(((mean, bias), beta), scale)| (beta + (bias - mean) * scale) as f32)
            .collect();
        let scale: Vec<f32> = scale.into_iter().map(|value| value as f32).collect();
        let tensor = |values: Vec<f32>| {
            let count = values.len();
            Tensor::from_data(TensorData::new(values, [count]), &device)
        };
        Self {
            scale: tensor(scale),
            shift: tensor(shift),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_scale_with_the_width() {
        assert_eq!(scaled(512, 64, 64), 512);
        assert_eq!(scaled(512, 16, 64), 128);
        assert_eq!(scaled(24, 4, 192), 1);
        assert_eq!(scaled(1280, 3, 32), 120);
    }
}
