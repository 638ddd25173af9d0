//! Training that continues from the weights of another task: a new head at the usual rate, all else at a lower one.
//!
//! BatchNorm works as in any training: by the statistics of each batch, which also move the running ones, so these end as those of
//! the new images.

use std::collections::{BTreeSet, HashSet};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::setting::{SettingError, require};
use crate::model::Model;
use crate::net::Net;
use crate::registry::{Architecture, Output};
use crate::weights::exchange::{ids, shapes};
use crate::weights::state::StateDict;

/// How far given weights may move.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Finetune {
    /// Learning rate of everything but the head, as a share of the head's; above 0, at most 1.
    pub trunk_rate: f64,
}

impl Default for Finetune {
    fn default() -> Self {
        Self { trunk_rate: 0.1 }
    }
}

impl Finetune {
    pub(super) fn check(self) -> Result<(), SettingError> {
        let rate = self.trunk_rate;
        let holds = rate > 0.0 && rate <= 1.0;
        require(
            holds,
            "finetune.trunk_rate",
            rate,
            "a number above 0, at most 1",
        )
    }
}

/// Names of the parameters that the number of classes shapes; networks are laid out on `device` for it and never filled.
pub(super) fn head(
    architecture: &Architecture,
    width: usize,
    classes: usize,
    device: &Device,
) -> BTreeSet<String> {
    let of = |classes| shapes(&architecture.build(width, classes, device));
    let own = of(classes).into_iter();
    match architecture.family.output {
        Output::Classes(_) => {
            let others: BTreeSet<_> = of(classes + 1).into_iter().collect();
            let shaped = own.filter(|parameter| !others.contains(parameter));
            shaped.map(|(name, _)| name).collect()
        }
        Output::Attributes(beginning, _) => own
            .map(|(name, _)| name)
            .filter(|name| name.starts_with(beginning))
            .collect(),
    }
}

/// The fresh network `net` with the weights of `start`, all but those of its `head`.
pub(super) fn continued(net: Net, start: &Model, head: &BTreeSet<String>) -> Net {
    let mut state = StateDict::of(&net);
    for (name, tensor) in StateDict::of(start.net()).iter() {
        if !head.contains(name) && state.get(name).is_some() {
            state.insert(name.to_owned(), tensor.clone());
        }
    }
    let title = start.architecture().title;
    let continued = state.apply(net, title);
    continued.expect("networks of one architecture and width differ in their heads alone")
}

/// The parameters of `net` that `head` names.
pub(super) fn ids_of(net: &Net, head: &BTreeSet<String>) -> HashSet<ParamId> {
    let own = ids(net).into_iter();
    own.filter(|(name, _)| head.contains(name))
        .map(|(_, id)| id)
        .collect()
}

/// Takes the gradients of `parameters` out of `gradients`.
pub(super) fn taken(
    gradients: &mut GradientsParams,
    net: &Net,
    parameters: &HashSet<ParamId>,
) -> GradientsParams {
    let mut take = Take {
        from: gradients,
        parameters,
        into: GradientsParams::new(),
    };
    net.visit(&mut take);
    take.into
}

struct Take<'a> {
    from: &'a mut GradientsParams,
    parameters: &'a HashSet<ParamId>,
    into: GradientsParams,
}

impl ModuleVisitor for Take<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.parameters.contains(&param.id)
            && let Some(gradient) = self.from.remove::<D>(param.id)
        {
            self.into.register(param.id, gradient);
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::registry::ARCHITECTURES;

    #[test]
    fn every_architecture_has_a_head_that_is_the_smaller_part() {
        for architecture in ARCHITECTURES {
            let width = architecture.family.small_width;
            let head = head(architecture, width, 3, &Device::flex());
            let all = shapes(&architecture.build(width, 3, &Device::flex()));
            let name = architecture.name;
            assert!(!head.is_empty(), "{name}");
            assert!(2 * head.len() < all.len(), "{name}: {head:?}");
        }
        let resnet = Architecture::find("resnet18").expect("registered");
        let found: Vec<String> = head(resnet, 4, 7, &Device::flex()).into_iter().collect();
        assert_eq!(found, ["linear.bias", "linear.weight"]);
    }

    #[test]
    fn rates_out_of_range_are_named() {
        for trunk_rate in [0.0, 1.5, f64::NAN] {
            let error = Finetune { trunk_rate }.check().expect_err("out of range");
            assert!(
                error.to_string().contains("`finetune.trunk_rate`"),
                "{error}"
            );
        }
        Finetune { trunk_rate: 1.0 }.check().expect("in range");
    }
}
