//! A step on the CPU, where what lies around the network is a few passes over plain slices.

use cd_conv::{Adam, Masks, Penalties};
use cd_models::burn::optim::{AdamState, AdaptiveMomentumState};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Classifier, to_host};

use super::{CognitiveDistillation, EPSILON, Reduction, Search, Step};
use crate::error::DetectError;

impl CognitiveDistillation {
    /// What [`step`](Self::step) does, for tensors that lie on the CPU.
    pub(super) fn step_on_host(
        &self,
        model: &dyn Classifier,
        images: &Tensor<4>,
        target: &Tensor<2>,
        colour: Tensor<2>,
        search: Search,
    ) -> Result<Step, DetectError> {
        let device = images.device();
        let [count, _, height, width] = images.dims();
        let [_, channels, rows, columns] = search.theta.dims();
        let masks = Masks {
            channels,
            cells: [rows, columns],
            pixels: [height, width],
        };
        let (pixels, colours) = (to_host(images.clone()), to_host(colour));
        let squashed = masks.squashed(&to_host(search.theta.clone()));
        let filled = masks.filled(&pixels, &squashed, &colours);
        let seen = TensorData::new(filled, [count, height, width, 3]);
        let seen = Tensor::<4>::from_data(seen, &device).permute([0, 3, 1, 2]);
        let seen = seen.autodiff().require_grad();
        let output = self.target(model, seen.clone())?;
        let distance = (output - target.clone().autodiff()).abs().mean_dim(1);
        let scale = match self.settings.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / count as f32,
        };
        let gradients = (distance.clone().sum() * scale).backward();
        let gradient = seen
            .grad(&gradients)
            .expect("what the network sees requires a gradient and enters the loss");
        let penalties = Penalties {
            norm: self.settings.alpha as f32,
            power: self.settings.p,
            variation: self.settings.beta as f32,
            scale,
        };
        let found = masks.gradient(
            &to_host(gradient.permute([0, 2, 3, 1])),
            &pixels,
            &squashed,
            &colours,
            &penalties,
        );
        let distance = to_host(distance.inner());
        let terms = distance.iter().zip(&found.penalties);
        let terms: Vec<f32> = terms
            .flat_map(|(distance, [norm, variation])| [*distance, *norm, *variation])
            .collect();
        let shape = [count, channels, rows, columns];
        let gradient = Tensor::from_data(TensorData::new(found.theta, shape), &device);
        Ok(Step {
            next: self.update(search, gradient.clone()),
            gradient,
            terms: Tensor::from_data(TensorData::new(terms, [count, 3]), &device),
        })
    }

    /// What [`update`](Self::update) does, for tensors that lie on the CPU.
    pub(super) fn update_on_host(&self, search: Search, gradient: Tensor<4>) -> Search {
        let device = search.theta.device();
        let shape = search.theta.dims();
        let length = shape.iter().product();
        let (time, mut first, mut second) = match search.adam {
            None => (0, vec![0.0; length], vec![0.0; length]),
            Some(state) => {
                let AdaptiveMomentumState {
                    time,
                    moment_1,
                    moment_2,
                    ..
                } = state.momentum;
                (time, to_host(moment_1), to_host(moment_2))
            }
        };
        let adam = Adam {
            rate: self.learning_rate_at(search.step) as f32,
            betas: self.settings.betas.map(|beta| beta as f32),
            epsilon: EPSILON,
            time: time as i32 + 1,
        };
        let mut theta = to_host(search.theta);
        adam.step(&mut theta, &to_host(gradient), [&mut first, &mut second]);
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), &device);
        let state = AdaptiveMomentumState::new(time + 1, tensor(first), tensor(second));
        Search {
            step: search.step + 1,
            theta: tensor(theta),
            adam: Some(AdamState::new(state)),
        }
    }
}
