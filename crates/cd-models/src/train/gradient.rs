//! Gradients kept from growing too large.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::net::Net;

/// Keeps the divisor above zero, as in `torch.nn.utils.clip_grad_norm_`.
const EPSILON: f64 = 1e-6;

/// Scales all gradients by one factor so that their norm together is at most `largest`.
///
/// Burn's own clipping treats each parameter by itself, which turns the direction of the step.
pub(super) fn clip_norm(gradients: GradientsParams, net: &Net, largest: f64) -> GradientsParams {
    let mut squares = Squares {
        gradients: &gradients,
        sum: None,
    };
    net.visit(&mut squares);
    let Some(sum) = squares.sum else {
        return gradients;
    };
    let divisor = sum.sqrt().add_scalar(EPSILON);
    let factor = divisor.recip().mul_scalar(largest).clamp_max(1.0);
    let mut scale = Scale { gradients, factor };
    net.visit(&mut scale);
    scale.gradients
}

/// Adds up squares in the order of the parameters.
struct Squares<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let squares = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let scaled = gradient * self.factor.clone().unsqueeze();
            self.gradients.register(param.id, scaled);
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::batch::to_host;
    use crate::model::config::ModelConfig;

    struct Collect<'a>(&'a GradientsParams, Vec<f32>);

    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                self.1.extend(to_host(gradient));
            }
        }
    }

    fn gradients(net: &Net, largest: Option<f64>) -> Vec<f32> {
        let images = Tensor::<4>::ones([2, 3, 8, 8], &Device::flex()) * 0.5;
        let loss = net.forward(images.autodiff()).square().sum();
        let mut gradients = GradientsParams::from_grads(loss.backward(), net);
        if let Some(largest) = largest {
            gradients = clip_norm(gradients, net, largest);
        }
        let mut collect = Collect(&gradients, Vec::new());
        net.visit(&mut collect);
        collect.1
    }

    fn norm(values: &[f32]) -> f64 {
        let squares = values.iter().map(|&value| f64::from(value).powi(2));
        squares.sum::<f64>().sqrt()
    }

    #[test]
    fn all_gradients_shrink_by_one_factor_and_small_ones_stay() {
        let config = ModelConfig::from_name("resnet10").expect("registered");
        let config = config.with_width(2);
        let device = Device::flex().autodiff();
        let net = config.init_net(3, 1, &device).expect("registered");
        let plain = gradients(&net, None);
        let whole = norm(&plain);
        let clipped = gradients(&net, Some(whole / 4.0));
        assert!((norm(&clipped) / whole - 0.25).abs() < 1e-4);
        let pairs = plain.iter().zip(&clipped);
        let off = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a / 4.0 - b).abs()));
        assert!(f64::from(off) < 1e-5 * whole, "{off} of {whole}");
        assert_eq!(gradients(&net, Some(2.0 * whole)), plain);
    }
}
