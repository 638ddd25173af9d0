//! Parameters out of a network and into one.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use super::misfit::StateError;
use super::path::Path;
use super::state::{NamedTensor, StateDict, same_values};
use crate::batch::to_host;
use crate::net::Net;

impl StateDict {
    /// The current parameters of `net`.
    pub fn of(net: &Net) -> Self {
        Self::collected(net, &|name| net.network().public_name(name))
    }

    /// The current parameters of a module that is no network of the registry, by the names of its fields.
    pub fn of_module<M: Module>(module: &M) -> Self {
        Self::collected(module, &|name| name)
    }

    fn collected<M: Module>(module: &M, name_of: Names<'_>) -> Self {
        let mut collect = Collect {
            state: Self::default(),
            path: Path::default(),
            name_of,
        };
        module.visit(&mut collect);
        collect.state
    }

    /// `net` with these values; every parameter must be there with its shape, and no other.
    ///
    /// # Errors
    ///
    /// Lists everything that is missing, extra or misshaped; `network` names the target for people.
    pub fn apply(&self, net: Net, network: &str) -> Result<Net, StateError> {
        let own = shapes(&net);
        self.applied(net, own, network)
    }

    /// [`apply`](Self::apply) for a module that is no network of the registry, by the names of its fields.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn apply_to<M: Module>(&self, module: M, network: &str) -> Result<M, StateError> {
        let own = named_shapes(&module, &|name| name);
        self.applied(module, own, network)
    }

    fn applied<M: Module>(
        &self,
        net: M,
        own: Vec<(String, Vec<usize>)>,
        network: &str,
    ) -> Result<M, StateError> {
        let known: BTreeSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let misshaped = own.iter().filter_map(|(name, expected)| {
            let got = self.shape(name)?;
            let wrong = !same_values(got, expected);
            wrong.then(|| (name.clone(), expected.clone(), got.to_vec()))
        });
        let names = own.iter().map(|(name, _)| name);
        let error = StateError {
            network: network.to_owned(),
            missing: names
                .filter(|name| self.get(name).is_none())
                .cloned()
                .collect(),
            extra: self
                .iter()
                .map(|(name, _)| name)
                .filter(|name| !known.contains(name))
                .map(str::to_owned)
                .collect(),
            misshaped: misshaped.collect(),
        };
        if !(error.missing.is_empty() && error.extra.is_empty() && error.misshaped.is_empty()) {
            return Err(error);
        }
        // A mapper meets parameters in the order of a visitor.
        let mut own = own.into_iter();
        Ok(net.map(&mut Apply {
            state: self,
            own: &mut own,
        }))
    }
}

/// Names and shapes of the parameters of `net` in PyTorch's terms, without computing their values.
pub(crate) fn shapes(net: &Net) -> Vec<(String, Vec<usize>)> {
    named_shapes(net, &|name| net.network().public_name(name))
}

fn named_shapes<M: Module>(module: &M, name_of: Names<'_>) -> Vec<(String, Vec<usize>)> {
    let mut collect = CollectShapes {
        found: Vec::new(),
        path: Path::default(),
        name_of,
    };
    module.visit(&mut collect);
    collect.found
}

/// What a parameter is called whose place has this name.
type Names<'a> = &'a dyn Fn(String) -> String;

/// Names in PyTorch's terms and identities of the parameters of `net`.
pub(crate) fn ids(net: &Net) -> Vec<(String, ParamId)> {
    let mut collect = CollectIds {
        found: Vec::new(),
        path: Path::default(),
        net,
    };
    net.visit(&mut collect);
    collect.found
}

/// Number of trainable values of `net`: BatchNorm statistics do not count.
pub(crate) fn parameter_count(net: &Net) -> usize {
    let shapes = shapes(net).into_iter();
    let trained = shapes.filter(|(name, _)| !name.contains(".running_"));
    trained
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

struct CollectShapes<'a> {
    found: Vec<(String, Vec<usize>)>,
    path: Path,
    name_of: Names<'a>,
}

impl ModuleVisitor for CollectShapes<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let mut shape = param.lazy_shape().to_vec();
        if D == 2 {
            shape.reverse();
        }
        let name = (self.name_of)(self.path.torch_name());
        self.found.push((name, shape));
    }
}

struct CollectIds<'a> {
    found: Vec<(String, ParamId)>,
    path: Path,
    net: &'a Net,
}

impl ModuleVisitor for CollectIds<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.net.network().public_name(self.path.torch_name());
        self.found.push((name, param.id));
    }
}

struct Collect<'a> {
    state: StateDict,
    path: Path,
    name_of: Names<'a>,
}

impl ModuleVisitor for Collect<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = to_torch_layout(param.val());
        let shape = tensor.dims().to_vec();
        let values = to_host(tensor);
        let name = (self.name_of)(self.path.torch_name());
        self.state.insert(name, NamedTensor { shape, values });
    }
}

struct Apply<'a, N> {
    state: &'a StateDict,
    /// Names and shapes.
    own: &'a mut N,
}

impl<N: Iterator<Item = (String, Vec<usize>)>> ModuleMapper for Apply<'_, N> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (name, shape) = self.own.next().expect("one name per parameter");
        let source = self
            .state
            .get(&name)
            .expect("`StateDict::apply` checked every name");
        let data = TensorData::new(source.values.clone(), shape);
        // A matrix is its own transpose's transpose, so the same helper leads back.
        let tensor = to_torch_layout(Tensor::<D>::from_data(data, &param.lazy_device()));
        let id: ParamId = param.id;
        param.transform_for_load(tensor, id)
    }
}

/// PyTorch keeps linear weights as `[outputs, inputs]`, Burn as `[inputs, outputs]`.
fn to_torch_layout<const D: usize>(tensor: Tensor<D>) -> Tensor<D> {
    if D == 2 { tensor.transpose() } else { tensor }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::model::config::ModelConfig;

    fn net(seed: u64) -> Net {
        let config = ModelConfig::from_name("resnet10").expect("registered");
        let config = config.with_width(4);
        config
            .init_net(3, seed, &Device::flex())
            .expect("registered")
    }

    #[test]
    fn values_survive_the_way_through_another_network() {
        let first = StateDict::of(&net(1));
        let copied = first.apply(net(2), "ResNet-10").expect("same architecture");
        assert_eq!(StateDict::of(&copied), first);
    }

    #[test]
    fn every_misfit_is_listed_in_one_error() {
        let mut state = StateDict::default();
        for (name, tensor) in StateDict::of(&net(1)).iter() {
            if name != "bn1.weight" {
                state.insert(name.to_owned(), tensor.clone());
            }
        }
        let odd = NamedTensor {
            shape: vec![1],
            values: vec![0.0],
        };
        state.insert("linear.bias".into(), odd.clone());
        state.insert("stranger".into(), odd);
        let error = state.apply(net(1), "ResNet-10").expect_err("three misfits");
        assert_eq!(error.missing, ["bn1.weight"]);
        assert_eq!(error.extra, ["stranger"]);
        assert_eq!(
            error.misshaped,
            [("linear.bias".to_owned(), vec![3], vec![1])]
        );
        assert!(
            error
                .to_string()
                .contains("linear.bias is [1], expected [3]")
        );
    }
}
