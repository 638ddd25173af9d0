//! A look inside a frozen model: what enters its BatchNorms, gradients there, dropout in its blocks, norms that are scaled.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use super::Model;
use crate::net::Net;
use crate::net::hook::{Place, with_hook};
use crate::net::norm::extremes;
use crate::weights::path::Path;
use crate::weights::state::StateDict;

/// A BatchNorm of a network.
#[derive(Debug, Clone)]
pub struct NormLayer {
    /// Its name in weight files, such as `layer1.0.bn1`.
    pub name: String,
    /// The running mean of each channel, `[C]`.
    pub mean: Tensor<1>,
    /// The running variance of each channel, `[C]`.
    pub variance: Tensor<1>,
    gamma: ParamId,
}

impl Model {
    /// The BatchNorms of four-dimensional maps, in the order of the network's declaration.
    pub fn norm_layers(&self) -> Vec<NormLayer> {
        let mut found = Visitor {
            path: Path::default(),
            net: self.net(),
            layers: Vec::new(),
            gamma: None,
            mean: None,
        };
        self.net().visit(&mut found);
        found.layers
    }

    /// The least and the largest value of every channel of what enters each of `layers` on the way of `images`; `None` for one that
    /// is not on it.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`
    /// - output: `[B, 2, C]` each, the least first
    pub fn norm_extremes(&self, images: Tensor<4>, layers: &[NormLayer]) -> Vec<Option<Tensor<3>>> {
        let (seen, hook) = recorder(layers, |x| (extremes(x.clone()), x));
        with_hook(hook, || self.net().forward(self.normalized(images)));
        seen.take()
    }

    /// Gradients of `objective`, a function of the logits, with respect to what enters each of `layers`.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`
    /// - output: `[B, C, h, w]` each, without gradients of their own
    pub fn norm_gradients(
        &self,
        images: Tensor<4>,
        layers: &[NormLayer],
        objective: impl FnOnce(Tensor<2>) -> Tensor<1>,
    ) -> Vec<Option<Tensor<4>>> {
        // Nothing is added to what passes, but gradients stop there to be read.
        let (seen, hook) = recorder(layers, |x| {
            let device = x.device().without_autodiff();
            let zeros = Tensor::zeros(x.dims(), &device).autodiff().require_grad();
            let x = if x.device().is_autodiff() {
                x
            } else {
                x.autodiff()
            };
            (zeros.clone(), x + zeros)
        });
        let logits = with_hook(hook, || self.net().forward(self.normalized(images)));
        let gradients = objective(logits).backward();
        let leaves = seen.take();
        leaves
            .into_iter()
            .map(|leaf| leaf.and_then(|leaf| leaf.grad(&gradients)))
            .collect()
    }

    /// Logits where the sum of each residual block is multiplied by what `factor` gives for it, before its activation; and how many
    /// such sums there were: none for an architecture without.
    ///
    /// `factor` gets the number of the block, from 0 in the order of computation, and the shape of its sum.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, 3, H, W]` in `[0, 1]`
    /// - output: `[B, K]`
    pub fn logits_with_factors(
        &self,
        images: Tensor<4>,
        mut factor: impl FnMut(usize, [usize; 4]) -> Tensor<4> + 'static,
    ) -> (Tensor<2>, usize) {
        let sums = Rc::new(Cell::new(0));
        let counted = Rc::clone(&sums);
        let hook = move |place, x: Tensor<4>| match place {
            Place::Norm(_) => x,
            Place::Sum => {
                let block = counted.get();
                counted.set(block + 1);
                let dims = x.dims();
                x * factor(block, dims)
            }
        };
        let logits = with_hook(hook, || self.net().forward(self.normalized(images)));
        (logits, sums.get())
    }

    /// The same model with the scale and the shift of its last `count` BatchNorms, in the order of
    /// [`norm_layers`](Self::norm_layers), multiplied by `factor`.
    #[must_use]
    pub fn with_scaled_norms(&self, count: usize, factor: f32) -> Self {
        let layers = self.norm_layers();
        let chosen = &layers[layers.len().saturating_sub(count)..];
        let state = StateDict::of(self.net());
        let mut changed = StateDict::default();
        for (name, tensor) in state.iter() {
            let mut tensor = tensor.clone();
            let scaled = chosen.iter().any(|layer| {
                let own = name.strip_prefix(layer.name.as_str());
                matches!(own, Some(".weight" | ".bias"))
            });
            if scaled {
                tensor.values.iter_mut().for_each(|value| *value *= factor);
            }
            changed.insert(name.to_owned(), tensor);
        }
        let net = changed.apply(self.net().clone(), self.architecture().title);
        let net = net.expect("the parameters are its own");
        Self::new(net, self.config().clone(), self.classes())
            .expect("the configuration of a model")
            .with_normalization(self.normalization())
    }
}

type Seen<T> = Rc<RefCell<Vec<Option<T>>>>;

/// A hook that keeps the first value that `look` gives at each of `layers`, and passes on the second.
fn recorder<T: Clone + 'static>(
    layers: &[NormLayer],
    look: impl Fn(Tensor<4>) -> (T, Tensor<4>) + 'static,
) -> (Seen<T>, impl FnMut(Place, Tensor<4>) -> Tensor<4> + 'static) {
    let seen: Seen<T> = Rc::new(RefCell::new(vec![None; layers.len()]));
    let gammas: Vec<ParamId> = layers.iter().map(|layer| layer.gamma).collect();
    let kept = Rc::clone(&seen);
    let hook = move |place, x: Tensor<4>| {
        let Place::Norm(id) = place else { return x };
        let Some(at) = gammas.iter().position(|gamma| *gamma == id) else {
            return x;
        };
        let (value, passed) = look(x);
        kept.borrow_mut()[at] = Some(value);
        passed
    };
    (seen, hook)
}

/// Collects BatchNorms: their parameters come as gamma, beta, running mean and running variance.
struct Visitor<'a> {
    path: Path,
    net: &'a Net,
    layers: Vec<NormLayer>,
    gamma: Option<ParamId>,
    mean: Option<Tensor<1>>,
}

impl Visitor<'_> {
    fn vector(&mut self, id: ParamId, value: impl FnOnce() -> Tensor<1>) {
        match self.path.leaf() {
            "gamma" => self.gamma = Some(id),
            "running_mean" => self.mean = Some(value()),
            "running_var" => {
                let name = self.net.network().public_name(self.path.torch_name());
                if let (Some(gamma), Some(mean)) = (self.gamma.take(), self.mean.take()) {
                    self.layers.push(NormLayer {
                        name: name.trim_end_matches(".running_var").to_owned(),
                        mean,
                        variance: value(),
                        gamma,
                    });
                }
            }
            _ => {}
        }
    }
}

impl ModuleVisitor for Visitor<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D == 1 {
            self.vector(param.id, || param.val().flatten(0, D - 1));
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::batch::to_host;
    use crate::classifier::Classifier;
    use crate::model::config::ModelConfig;

    fn model(name: &str) -> Model {
        let config = ModelConfig::from_name(name).expect("registered");
        config
            .with_width(4)
            .init(3, 1, &Device::flex())
            .expect("registered")
    }

    fn images() -> Tensor<4> {
        let values = (0..2 * 3 * 16 * 16)
            .map(|at| (at % 13) as f32 / 13.0)
            .collect();
        let data = burn::tensor::TensorData::new(values, [2, 3, 16, 16]);
        Tensor::from_data(data, &Device::flex())
    }

    fn apart(a: &[f32], b: &[f32]) -> f32 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn every_norm_is_met_and_has_gradients() {
        for (name, count) in [("resnet18", 20), ("preact_resnet18", 16)] {
            let model = model(name);
            let layers = model.norm_layers();
            assert_eq!(layers.len(), count, "{name}");
            let inputs = model.norm_extremes(images(), &layers);
            assert!(inputs.iter().all(Option::is_some), "{name}");
            let gradients =
                model.norm_gradients(images(), &layers, |logits| logits.slice([0..2, 1..2]).sum());
            for ((layer, input), gradient) in layers.iter().zip(&inputs).zip(&gradients) {
                let (Some(input), Some(gradient)) = (input, gradient) else {
                    panic!("{name}: {} has no gradient", layer.name);
                };
                let [batch, channels, ..] = gradient.dims();
                assert_eq!(input.dims(), [batch, 2, channels], "{}", layer.name);
                let [least, largest] = [0, 1].map(|end| input.clone().narrow(1, end, 1));
                assert!(to_host(largest - least).iter().all(|&width| width >= 0.0));
                assert!(to_host(gradient.clone()).iter().any(|&value| value != 0.0));
            }
        }
        let names: Vec<String> = model("resnet18")
            .norm_layers()
            .into_iter()
            .map(|l| l.name)
            .collect();
        assert_eq!(names[..3], ["bn1", "layer1.0.bn1", "layer1.0.bn2"]);
        assert_eq!(names[7], "layer2.0.shortcut.1");
    }

    #[test]
    fn scaling_the_last_norm_scales_what_it_gives() {
        let model = model("resnet18");
        let plain = to_host(model.logits(images()));
        let same = to_host(model.with_scaled_norms(3, 1.0).logits(images()));
        assert!(apart(&plain, &same) < 1e-6);
        let other = to_host(model.with_scaled_norms(3, 1.5).logits(images()));
        assert!(apart(&plain, &other) > 1e-4);
        let all = to_host(model.with_scaled_norms(99, 1.5).logits(images()));
        assert!(apart(&all, &other) > 1e-4);
    }

    #[test]
    fn factors_of_one_change_nothing_and_of_zero_leave_the_bias() {
        let model = model("resnet18");
        let ones = |_, dims: [usize; 4]| Tensor::ones(dims, &Device::flex());
        let (found, sums) = model.logits_with_factors(images(), ones);
        assert_eq!(sums, 8);
        let found = to_host(found);
        assert!(apart(&found, &to_host(model.logits(images()))) < 1e-4);
        let zeros = |_, dims: [usize; 4]| Tensor::zeros(dims, &Device::flex());
        let bias = to_host(model.logits_with_factors(images(), zeros).0);
        assert_eq!(bias[..3], bias[3..]);
    }
}
