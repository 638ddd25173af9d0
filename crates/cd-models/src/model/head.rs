//! The last layer of a classifier by itself.

use burn::tensor::{Tensor, TensorData};

use super::Model;
use crate::registry::Output;
use crate::weights::state::StateDict;

/// The linear layer that turns the vectors at [`Tap::Penultimate`](crate::Tap::Penultimate) into class scores, so that whoever
/// wants both computes the network once.
#[derive(Debug, Clone)]
pub struct Head {
    /// `[F, K]`.
    weight: Tensor<2>,
    /// `[1, K]`, where the layer has one.
    bias: Option<Tensor<2>>,
}

impl Model {
    /// Its last layer; `None` where that is not one linear layer: in a model with a head per attribute.
    pub fn head(&self) -> Option<Head> {
        let Output::Classes(name) = self.architecture.family.output else {
            return None;
        };
        let (state, device) = (StateDict::of(self.net()), self.device());
        let parameter = |name: &str| {
            let found = state.get(name)?;
            Some((found.values.clone(), found.shape.clone()))
        };
        let (values, shape) = parameter(name)?;
        let rows: [usize; 2] = shape.try_into().ok()?;
        let weight: Tensor<2> = Tensor::from_data(TensorData::new(values, rows), &device);
        let bias = parameter(&name.replace("weight", "bias"));
        let bias = bias
            .map(|(values, _)| Tensor::from_data(TensorData::new(values, [1, rows[0]]), &device));
        Some(Head {
            weight: weight.transpose(),
            bias,
        })
    }
}

impl Head {
    /// Class scores, as [`Classifier::logits`](crate::Classifier::logits) gives them up to rounding.
    ///
    /// # Shapes
    ///
    /// - `vectors`: `[B, F]`
    /// - output: `[B, K]`
    pub fn scores(&self, vectors: Tensor<2>) -> Tensor<2> {
        let scores = vectors.matmul(self.weight.clone());
        match &self.bias {
            Some(bias) => scores + bias.clone(),
            None => scores,
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::batch::to_host;
    use crate::classifier::{Classifier, Tap};
    use crate::input_size::InputSize;
    use crate::model::config::ModelConfig;
    use crate::registry::ARCHITECTURES;

    #[test]
    fn every_head_gives_the_scores_of_its_network() {
        let device = Device::flex();
        for architecture in ARCHITECTURES {
            let name = architecture.name;
            let width = architecture.family.small_width;
            let config = ModelConfig::from_name(name).expect("registered");
            let model = config.with_width(width).init(3, 1, &device);
            let model = model.expect("registered");
            let Some(head) = model.head() else {
                assert!(architecture.sees_attributes(), "{name}");
                continue;
            };
            let side = match architecture.family.input {
                InputSize::Exactly(side) => side,
                InputSize::From { smallest, .. } => smallest.max(32),
            };
            let images = Tensor::random(
                [2, 3, side, side],
                burn::tensor::Distribution::Uniform(0.0, 1.0),
                &device,
            );
            let vectors = model.features(images.clone(), Tap::Penultimate);
            let found = to_host(head.scores(vectors.expect("a tap").flatten(1, 3)));
            let expected = to_host(model.logits(images));
            for (found, expected) in found.iter().zip(&expected) {
                let apart = (found - expected).abs();
                assert!(apart < 1e-4 * expected.abs().max(1.0), "{name}: {apart}");
            }
        }
    }
}
