//! The parameters of a network by PyTorch name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Tensor, TensorData};
use thiserror::Error;

use crate::batch::to_host;
use crate::net::Net;

/// Values of one parameter, in PyTorch's layout.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// Parameters and BatchNorm statistics by the names that PyTorch's `state_dict()` uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateDict(BTreeMap<String, NamedTensor>);

/// Weights that do not fit a network.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the weights do not fit {network}: {}", list(.missing, .extra, .misshaped))]
pub struct StateError {
    /// The network that was to be filled.
    pub network: String,
    /// Parameters of the network that the weights lack.
    pub missing: Vec<String>,
    /// Weights that the network has no place for.
    pub extra: Vec<String>,
    /// Weights of another shape: name, expected, got.
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
}

fn list(
    missing: &[String],
    extra: &[String],
    misshaped: &[(String, Vec<usize>, Vec<usize>)],
) -> String {
    let shapes: Vec<String> = misshaped
        .iter()
        .map(|(name, expected, got)| format!("{name} is {got:?}, expected {expected:?}"))
        .collect();
    [
        ("missing", missing),
        ("unexpected", extra),
        ("of another shape", &shapes),
    ]
    .into_iter()
    .filter(|(_, names)| !names.is_empty())
    .map(|(kind, names)| format!("{} {kind} ({})", names.len(), first(names)))
    .collect::<Vec<_>>()
    .join("; ")
}

fn first(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

impl StateDict {
    /// The current parameters of `net`.
    pub fn of(net: &Net) -> Self {
        let mut collect = Collect::default();
        net.visit(&mut collect);
        collect.state
    }

    /// Adds or replaces a parameter.
    pub fn insert(&mut self, name: String, tensor: NamedTensor) {
        self.0.insert(name, tensor);
    }

    /// The parameter `name`.
    pub fn get(&self, name: &str) -> Option<&NamedTensor> {
        self.0.get(name)
    }

    /// Shape of the parameter `name`.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.get(name).map(|tensor| tensor.shape.as_slice())
    }

    /// Names and values in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &NamedTensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Number of values of all parameters together, BatchNorm statistics included.
    pub fn value_count(&self) -> usize {
        self.0.values().map(|tensor| tensor.values.len()).sum()
    }

    /// The first parameter that holds a NaN or infinite value.
    pub fn first_non_finite(&self) -> Option<&str> {
        self.iter()
            .find(|(_, tensor)| tensor.values.iter().any(|value| !value.is_finite()))
            .map(|(name, _)| name)
    }

    /// `net` with these values; every parameter must be there with its shape, and no other.
    ///
    /// # Errors
    ///
    /// Lists everything that is missing, extra or misshaped; `network` names the target for people.
    pub fn apply(&self, net: Net, network: &str) -> Result<Net, StateError> {
        let own = Self::of(&net);
        let names = |of: &Self, without: &Self| -> Vec<String> {
            let absent = |name: &&String| !without.0.contains_key(*name);
            of.0.keys().filter(absent).cloned().collect()
        };
        let misshaped: Vec<_> = own
            .iter()
            .filter_map(|(name, tensor)| {
                let got = self.shape(name)?;
                (got != tensor.shape).then(|| (name.to_owned(), tensor.shape.clone(), got.to_vec()))
            })
            .collect();
        let error = StateError {
            network: network.to_owned(),
            missing: names(&own, self),
            extra: names(self, &own),
            misshaped,
        };
        if !(error.missing.is_empty() && error.extra.is_empty() && error.misshaped.is_empty()) {
            return Err(error);
        }
        Ok(net.map(&mut Apply {
            state: self,
            path: Path::default(),
        }))
    }
}

/// Where a module visitor stands, as a PyTorch name.
#[derive(Debug, Default)]
pub(crate) struct Path {
    parts: Vec<(String, bool)>,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        // The variant of the registry's enum is no part of a parameter's name.
        let visible = !container.starts_with("Enum:");
        self.parts.push((name.to_owned(), visible));
    }

    pub(crate) fn exit(&mut self) {
        self.parts.pop();
    }

    /// Burn's name of the parameter itself.
    pub(crate) fn leaf(&self) -> &str {
        self.parts.last().map_or("", |(name, _)| name)
    }

    pub(crate) fn torch_name(&self) -> String {
        let visible = self.parts.iter().filter(|(_, visible)| *visible);
        let names: Vec<&str> = visible
            .map(|(name, _)| match name.as_str() {
                "gamma" => "weight",
                "beta" => "bias",
                other => other,
            })
            .collect();
        names.join(".")
    }
}

#[derive(Default)]
struct Collect {
    state: StateDict,
    path: Path,
}

impl ModuleVisitor for Collect {
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
        let name = self.path.torch_name();
        self.state.insert(name, NamedTensor { shape, values });
    }
}

struct Apply<'a> {
    state: &'a StateDict,
    path: Path,
}

impl ModuleMapper for Apply<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let source = self
            .state
            .get(&self.path.torch_name())
            .expect("`StateDict::apply` checked every name");
        let data = TensorData::new(source.values.clone(), source.shape.clone());
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
    use crate::net::ModelConfig;

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
        let mut state = StateDict::of(&net(1));
        state.0.remove("bn1.weight");
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
