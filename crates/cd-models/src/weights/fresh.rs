//! Fresh weights as PyTorch draws them by default, but from a seed of our own.
//!
//! Convolution and linear weights are uniform in `+-1/sqrt(fan_in)` (Kaiming-uniform with
//! `a = sqrt 5`), biases of linear layers likewise, BatchNorm starts at scale 1 and shift 0. Each
//! parameter has a random stream of its own, named by its path, so the values do not depend on the
//! device or on the order in which layers are built.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use cd_core::random;
use rand::Rng;

use super::path::Path;

/// What the branches of a ConvNeXt are multiplied with at first.
const LAYER_SCALE: f32 = 1e-6;

/// Draws every parameter of a network anew from `seed`: one value for the name of a parameter, its place in it, and the seed.
///
/// Weights are uniform by the number of inputs, BatchNorm starts at scale 1 and shift 0, as in PyTorch.
pub fn draw_weights<M: Module>(net: M, seed: u64) -> M {
    let mut mapper = Initialize {
        seed,
        path: Path::default(),
        fan_in: 1,
    };
    net.map(&mut mapper)
}

struct Initialize {
    seed: u64,
    path: Path,
    /// Inputs of one unit of the layer whose weight came last; its bias uses the same bound.
    fan_in: usize,
}

impl ModuleMapper for Initialize {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().to_vec();
        let values = match (self.path.leaf(), D) {
            ("gamma" | "running_var", _) => vec![1.0; shape.iter().product()],
            ("beta" | "running_mean", _) => vec![0.0; shape.iter().product()],
            ("layer_scale", _) => vec![LAYER_SCALE; shape.iter().product()],
            (_, 1) => self.uniform(&shape),
            // Tokens of a vision transformer: small, with a standard deviation of 0.02.
            (_, 3) => self.uniform_within(0.02 * 3.0_f32.sqrt(), &shape),
            // Burn keeps a linear weight as [inputs, outputs].
            (_, 2) => {
                self.fan_in = shape[0];
                self.uniform(&shape)
            }
            _ => {
                self.fan_in = shape[1..].iter().product();
                self.uniform(&shape)
            }
        };
        let tensor = Tensor::from_data(TensorData::new(values, shape), &param.lazy_device());
        let id = param.id;
        param.transform_for_load(tensor, id)
    }
}

impl Initialize {
    fn uniform(&self, shape: &[usize]) -> Vec<f32> {
        self.uniform_within(1.0 / (self.fan_in as f32).sqrt(), shape)
    }

    fn uniform_within(&self, bound: f32, shape: &[usize]) -> Vec<f32> {
        let name = self.path.torch_name();
        let mut random = random::stream(self.seed, random::named(&name));
        (0..shape.iter().product())
            .map(|_| random.random_range(-bound..=bound))
            .collect()
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use crate::model::config::ModelConfig;
    use crate::weights::state::StateDict;

    fn state(seed: u64) -> StateDict {
        let config = ModelConfig::from_name("resnet10").expect("registered");
        let net = config
            .with_width(4)
            .init_net(3, seed, &Device::flex())
            .expect("registered");
        StateDict::of(&net)
    }

    #[test]
    fn weights_follow_the_seed_and_the_bounds() {
        let first = state(1);
        assert_eq!(first, state(1));
        assert_ne!(first, state(2));
        let conv = first
            .get("layer2.0.conv1.weight")
            .expect("named as in PyTorch");
        assert_eq!(conv.shape, [8, 4, 3, 3]);
        let bound = 1.0 / 36.0_f32.sqrt();
        let largest = conv.values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        assert!(largest <= bound && largest > 0.9 * bound);
        let scale = first.get("bn1.weight").expect("named as in PyTorch");
        assert!(scale.values.iter().all(|&v| v == 1.0));
    }

    #[test]
    fn values_of_a_seed_are_pinned() {
        let bytes = state(1);
        let values = bytes.iter().flat_map(|(_, tensor)| &tensor.values);
        let hash = values.fold(0xcbf2_9ce4_8422_2325_u64, |hash, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
        });
        assert_eq!(hash, 4_482_469_605_580_026_295);
    }
}
