//! The parameters of a network by PyTorch name.

use std::collections::{BTreeMap, BTreeSet};

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

/// Extents by parameter name.
pub(crate) type Shapes = BTreeMap<String, Vec<usize>>;

/// Parameters and BatchNorm statistics by the names that PyTorch's `state_dict()` uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateDict(BTreeMap<String, NamedTensor>);

/// Weights that do not fit a network.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
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
        let mut collect = Collect {
            state: Self::default(),
            path: Path::default(),
            net,
        };
        net.visit(&mut collect);
        collect.state
    }

    /// The same values under other names.
    #[must_use]
    pub fn renamed(self, name_of: impl Fn(&str) -> String) -> Self {
        let renamed = self.0.into_iter();
        Self(
            renamed
                .map(|(name, tensor)| (name_of(&name), tensor))
                .collect(),
        )
    }

    /// What begins with `prefix`, without it.
    pub(crate) fn under(self, prefix: &str) -> Self {
        let inner = self.0.into_iter().filter_map(|(name, tensor)| {
            let inner = name.strip_prefix(prefix)?.to_owned();
            Some((inner, tensor))
        });
        Self(inner.collect())
    }

    /// Names and shapes.
    pub(crate) fn shapes(&self) -> Shapes {
        let shapes = self.iter();
        shapes
            .map(|(name, tensor)| (name.to_owned(), tensor.shape.clone()))
            .collect()
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

    /// The first running variance of a BatchNorm that holds a negative value.
    pub fn first_negative_variance(&self) -> Option<&str> {
        self.iter()
            .filter(|(name, _)| name.ends_with("running_var"))
            .find(|(_, tensor)| tensor.values.iter().any(|&value| value < 0.0))
            .map(|(name, _)| name)
    }

    /// `net` with these values; every parameter must be there with its shape, and no other.
    ///
    /// # Errors
    ///
    /// Lists everything that is missing, extra or misshaped; `network` names the target for people.
    pub fn apply(&self, net: Net, network: &str) -> Result<Net, StateError> {
        let own = shapes(&net);
        let known: BTreeSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
        let misshaped = own.iter().filter_map(|(name, expected)| {
            let got = self.shape(name)?;
            let wrong = got != expected;
            wrong.then(|| (name.clone(), expected.clone(), got.to_vec()))
        });
        let names = own.iter().map(|(name, _)| name);
        let error = StateError {
            network: network.to_owned(),
            missing: names
                .filter(|name| !self.0.contains_key(*name))
                .cloned()
                .collect(),
            extra: self
                .0
                .keys()
                .filter(|name| !known.contains(name.as_str()))
                .cloned()
                .collect(),
            misshaped: misshaped.collect(),
        };
        if !(error.missing.is_empty() && error.extra.is_empty() && error.misshaped.is_empty()) {
            return Err(error);
        }
        // A mapper meets parameters in the order of a visitor.
        let mut names = own.into_iter().map(|(name, _)| name);
        Ok(net.map(&mut Apply {
            state: self,
            names: &mut names,
        }))
    }
}

/// Names and shapes of the parameters of `net` in PyTorch's terms, without computing their values.
pub(crate) fn shapes(net: &Net) -> Vec<(String, Vec<usize>)> {
    let mut collect = CollectShapes {
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

/// Where a module visitor stands, as a PyTorch name.
#[derive(Debug, Default)]
pub(crate) struct Path {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// No part of a parameter's name.
    Hidden,
    /// The BatchNorm of a pair that is called after its convolution: `conv2` stands for `bn2` here.
    Paired,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        let kind = match (container, name) {
            ("Struct:ConvNorm", "norm") => Kind::Paired,
            ("Struct:ConvNorm", _) | (_, "trunk") => Kind::Hidden,
            (container, _) if container.starts_with("Enum:") => Kind::Hidden,
            _ => Kind::Plain,
        };
        let name = name.to_owned();
        self.parts.push(Part { name, kind });
    }

    pub(crate) fn exit(&mut self) {
        self.parts.pop();
    }

    /// Burn's name of the parameter itself.
    pub(crate) fn leaf(&self) -> &str {
        self.parts.last().map_or("", |part| &part.name)
    }

    pub(crate) fn torch_name(&self) -> String {
        let next = self.parts.iter().skip(1).map(|part| part.kind);
        let next = next.chain([Kind::Plain]);
        let visible = self.parts.iter().zip(next);
        let names: Vec<String> = visible
            .filter(|(part, _)| part.kind == Kind::Plain)
            .map(|(part, next)| match (part.name.as_str(), next) {
                ("gamma", _) => "weight".to_owned(),
                ("beta", _) => "bias".to_owned(),
                (conv, Kind::Paired) => conv.replace("conv", "bn"),
                (other, _) => other.to_owned(),
            })
            .collect();
        names.join(".")
    }
}

struct CollectShapes<'a> {
    found: Vec<(String, Vec<usize>)>,
    path: Path,
    net: &'a Net,
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
        let name = self.net.network().public_name(self.path.torch_name());
        self.found.push((name, shape));
    }
}

struct Collect<'a> {
    state: StateDict,
    path: Path,
    net: &'a Net,
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
        let name = self.net.network().public_name(self.path.torch_name());
        self.state.insert(name, NamedTensor { shape, values });
    }
}

struct Apply<'a, N> {
    state: &'a StateDict,
    names: &'a mut N,
}

impl<N: Iterator<Item = String>> ModuleMapper for Apply<'_, N> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.names.next().expect("one name per parameter");
        let source = self
            .state
            .get(&name)
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
    use crate::model_config::ModelConfig;

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
