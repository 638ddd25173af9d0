//! Building blocks that several families share.

use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d, Relu};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::conv::Conv;
use super::fold::{fold_conv, fold_linear};
use super::norm::{normalize, normalize_add, normalize_add_relu, normalize_relu, normalize_relu6};
use super::pool::{largest, mean};
use crate::device::is_cpu;

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
    mean(map)
}

/// As [`pool`], as a map of one pixel.
///
/// # Shapes
///
/// - `map`: `[B, F, h, w]`
/// - output: `[B, F, 1, 1]`
pub(crate) fn pool_to_pixel(map: Tensor<4>) -> Tensor<4> {
    let [batch, channels, ..] = map.dims();
    pool(map).reshape([batch, channels, 1, 1])
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
        let norm = BatchNormConfig::new(config.channels[1]);
        Self::with_norm(config, &norm, device)
    }

    /// With a BatchNorm of other settings than PyTorch's.
    pub(crate) fn with_norm(config: Conv2dConfig, norm: &BatchNormConfig, device: &Device) -> Self {
        Self {
            norm: Some(norm.init(device)),
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
        let x = self.conv.forward(x);
        match &self.norm {
            None => x,
            Some(norm) => normalize(norm, x),
        }
    }

    /// Convolution, BatchNorm, ReLU.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            None => self.conv.forward_relu(x),
            Some(norm) => normalize_relu(norm, self.conv.forward(x)),
        }
    }

    /// Convolution, BatchNorm, ReLU that ends at 6.
    ///
    /// # Shapes
    ///
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_relu6(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            None => self.conv.forward_relu6(x),
            Some(norm) => normalize_relu6(norm, self.conv.forward(x)),
        }
    }

    /// Convolution, BatchNorm, plus `skip`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    pub(crate) fn forward_add(&self, x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
        match &self.norm {
            None => self.conv.forward_add(x, skip),
            Some(norm) => normalize_add(norm, self.conv.forward(x), skip),
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
            Some(norm) => normalize_add_relu(norm, self.conv.forward(x), skip),
        }
    }

    pub(crate) fn fold(&mut self) {
        fold_conv(&mut self.conv, self.norm.take());
    }

    /// The convolution alone, once the BatchNorm is folded away.
    pub(crate) fn folded(&self) -> Option<&Conv> {
        self.norm.is_none().then_some(&self.conv)
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
        let x = self.fc.forward(x);
        match &self.bn {
            None => x,
            Some(norm) => norm.forward(x),
        }
    }

    pub(crate) fn fold(&mut self) {
        fold_linear(&mut self.fc, self.bn.take());
    }
}

/// One entry of a PyTorch `nn.Sequential`; a `Vec` of them has the same indices, so the same names.
#[derive(Module, Debug)]
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
            Self::Norm(norm) => normalize(norm, x),
            Self::Relu(relu) => relu.forward(x),
            Self::MaxPool(pool) => largest(pool, x),
        }
    }
}

/// Convolution, BatchNorm and, if asked for, ReLU as a sequence.
pub(crate) fn conv_norm_layers(config: Conv2dConfig, relu: bool, device: &Device) -> Vec<Layer> {
    let norm = BatchNormConfig::new(config.channels[1]);
    with_norm_layers(config, &norm, relu, device)
}

/// The same with a BatchNorm of other settings than PyTorch's.
pub(crate) fn with_norm_layers(
    config: Conv2dConfig,
    norm: &BatchNormConfig,
    relu: bool,
    device: &Device,
) -> Vec<Layer> {
    let norm = norm.init(device);
    let mut layers = vec![Layer::Conv(Conv::new(config, device)), Layer::Norm(norm)];
    layers.extend(relu.then(|| Layer::Relu(Relu::new())));
    layers
}

/// A convolution, BatchNorm until it is folded away, ReLU.
///
/// # Shapes
///
/// - `x`: `[B, I, H, W]`
/// - output: `[B, O, h, w]`
pub(crate) fn conv_norm_relu(conv: &Conv, norm: Option<&BatchNorm>, x: Tensor<4>) -> Tensor<4> {
    match norm {
        None => conv.forward_relu(x),
        Some(norm) => normalize_relu(norm, conv.forward(x)),
    }
}

/// Applies `layers` in order; nothing for none.
pub(crate) fn run(layers: &[Layer], x: Tensor<4>) -> Tensor<4> {
    layers.iter().fold(x, |x, layer| layer.forward(x))
}

/// Applies `layers` in order and ends at 6: in one pass where they are a convolution, BatchNorm and ReLU, folded or not.
///
/// # Shapes
///
/// - `x`: `[B, I, H, W]`
/// - output: `[B, O, h, w]`
pub(crate) fn run_to_6(layers: &[Layer], x: Tensor<4>) -> Tensor<4> {
    match layers {
        [Layer::ConvRelu(conv)] => conv.forward_relu6(x),
        [Layer::Conv(conv), Layer::Norm(norm), Layer::Relu(_)] => {
            normalize_relu6(norm, conv.forward(x))
        }
        _ => run(layers, x).clamp_max(6.0),
    }
}

/// Applies `layers` in order, then ReLU: in one pass where they are a convolution and BatchNorm, folded or not.
///
/// # Shapes
///
/// - `x`: `[B, I, H, W]`
/// - output: `[B, O, h, w]`
pub(crate) fn run_relu(layers: &[Layer], x: Tensor<4>) -> Tensor<4> {
    match layers {
        [Layer::Conv(conv)] => conv.forward_relu(x),
        [Layer::Conv(conv), Layer::Norm(norm)] => normalize_relu(norm, conv.forward(x)),
        _ => relu(run(layers, x)),
    }
}

/// Applies `layers` in order and adds `skip`: in one pass where they are a convolution and BatchNorm, folded or not.
///
/// # Shapes
///
/// - `x`: `[B, I, H, W]`
/// - `skip`, output: `[B, O, h, w]`
pub(crate) fn run_add(layers: &[Layer], x: Tensor<4>, skip: Tensor<4>) -> Tensor<4> {
    match layers {
        [Layer::Conv(conv)] => conv.forward_add(x, skip),
        [Layer::Conv(conv), Layer::Norm(norm)] => normalize_add(norm, conv.forward(x), skip),
        _ => run(layers, x) + skip,
    }
}

/// The channels of all `maps`, one after the other, in the order in memory that the convolutions of this backend want.
///
/// # Shapes
///
/// - `maps`: `[B, F, h, w]` each, of any number of channels
/// - output: `[B, sum of F, h, w]`
pub(crate) fn joined(maps: Vec<Tensor<4>>) -> Tensor<4> {
    if !maps.iter().all(|map| is_cpu(&map.device())) {
        return Tensor::cat(maps, 1);
    }
    let last = maps.into_iter().map(|map| map.permute([0, 2, 3, 1]));
    Tensor::cat(last.collect(), 3).permute([0, 3, 1, 2])
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
