//! What turns gradients into steps.

mod descent;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{AdamConfig, AdamWConfig, ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

use descent::Descent;

/// What turns gradients into steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimizer {
    /// Gradient descent with `momentum`, `nesterov` and `weight_decay`.
    Sgd {},
    /// Kingma and Ba, *Adam*, ICLR 2015; `weight_decay` is added to the gradient.
    Adam(Moments),
    /// Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019.
    AdamW(Moments),
}

impl Optimizer {
    pub(super) fn is_sgd(&self) -> bool {
        *self == Self::Sgd {}
    }

    /// The optimiser of Burn; `momentum` and `nesterov` are of SGD only.
    pub(super) fn init(self, momentum: f64, nesterov: bool, weight_decay: f64) -> ModuleOptimizer {
        let decay = weight_decay as f32;
        match self {
            Optimizer::Sgd {} if momentum > 0.0 => {
                let momentum = momentum as f32;
                ModuleOptimizer::from(Descent {
                    momentum,
                    nesterov,
                    decay,
                })
            }
            Optimizer::Sgd {} => SgdConfig::new()
                .with_weight_decay(Some(WeightDecayConfig::new(decay)))
                .init(),
            Optimizer::Adam(moments) => AdamConfig::new()
                .with_beta_1(moments.beta_1 as f32)
                .with_beta_2(moments.beta_2 as f32)
                .with_epsilon(moments.epsilon as f32)
                .with_weight_decay(Some(WeightDecayConfig::new(decay)))
                .init(),
            Optimizer::AdamW(moments) => AdamWConfig::new()
                .with_beta_1(moments.beta_1 as f32)
                .with_beta_2(moments.beta_2 as f32)
                .with_epsilon(moments.epsilon as f32)
                .with_weight_decay(decay)
                .init(),
        }
    }
}

/// How Adam averages, with PyTorch's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Moments {
    /// Share of the past in the mean of the gradients, in `[0, 1)`.
    pub beta_1: f64,
    /// Share of the past in the mean of their squares, in `[0, 1)`.
    pub beta_2: f64,
    /// Added to the divisor, above 0.
    pub epsilon: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        }
    }
}
