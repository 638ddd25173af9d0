//! BatchNorm folding: in inference BatchNorm is `scale * x + shift` per channel, which the layer before
//! it can do at no cost.

use burn::module::{Param, ParamId};
use burn::nn::{BatchNorm, Linear};
use burn::tensor::{Tensor, TensorData};

use super::conv::Conv;
use super::layers::Layer;
use crate::batch::to_host;

/// Folds every BatchNorm that directly follows a convolution, and joins each ReLU to the convolution before it.
pub(super) fn fold_layers(layers: &mut Vec<Layer>) {
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
pub(super) fn fold_conv(conv: &mut Conv, norm: Option<BatchNorm>) {
    if let Some(norm) = norm {
        let affine = Affine::of(&norm, conv.bias.as_ref());
        let channels = affine.scale.dims()[0];
        let scale = affine.scale.reshape([channels, 1, 1, 1]);
        conv.weight = conv.weight.clone().map(|weight| weight * scale);
        conv.bias = Some(Param::initialized(ParamId::new(), affine.shift));
    }
    conv.prepare();
}

/// Makes `linear` compute what it and the following `norm` compute together in inference.
pub(super) fn fold_linear(linear: &mut Linear, norm: Option<BatchNorm>) {
    let Some(norm) = norm else { return };
    let affine = Affine::of(&norm, linear.bias.as_ref());
    let scale = affine.scale.unsqueeze_dim::<2>(0);
    linear.weight = linear.weight.clone().map(|weight| weight * scale);
    linear.bias = Some(Param::initialized(ParamId::new(), affine.shift));
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
