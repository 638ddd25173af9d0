//! A step of gradient descent that touches every weight once.

use crate::level::level;
use crate::parallel::each;

/// Weights of a task: they, their velocities and gradients stay in the first cache.
const TASK: usize = 1 << 12;

/// Gradient descent with momentum: `g += decay * w; v = g + momentum * v; w -= rate * d`, where `d` is `v`, or
/// `momentum * v + g` where Nesterov looks ahead.
///
/// Sutskever et al., *On the importance of initialization and momentum in deep learning*, ICML 2013, as PyTorch's `SGD`
/// with no dampening computes it. Every product and every sum is rounded by itself, in this order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descent {
    /// Learning rate.
    pub rate: f32,
    /// Share of a weight that is added to its gradient.
    pub decay: f32,
    /// Share of the velocity that stays.
    pub momentum: f32,
    /// Whether the step looks ahead.
    pub nesterov: bool,
}

impl Descent {
    /// One step of `weights` and their `velocities`, which are zeros before the first.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn step(&self, weights: &mut [f32], velocities: &mut [f32], gradient: &[f32]) {
        assert_eq!(velocities.len(), weights.len(), "one velocity per weight");
        assert_eq!(gradient.len(), weights.len(), "one gradient per weight");
        let level = level();
        let tasks = weights
            .chunks_mut(TASK)
            .zip(velocities.chunks_mut(TASK))
            .zip(gradient.chunks(TASK));
        each(tasks, |((weights, velocities), gradient)| {
            level.run(|| {
                if self.nesterov {
                    let ahead = |v, g| v * self.momentum + g;
                    self.moved(weights, velocities, gradient, ahead);
                } else {
                    self.moved(weights, velocities, gradient, |v, _| v);
                }
            });
        });
    }

    #[inline(always)]
    fn moved(
        &self,
        weights: &mut [f32],
        velocities: &mut [f32],
        gradient: &[f32],
        direction: impl Fn(f32, f32) -> f32,
    ) {
        let Self {
            rate,
            decay,
            momentum,
            ..
        } = *self;
        for ((weight, velocity), gradient) in weights.iter_mut().zip(velocities).zip(gradient) {
            let gradient = *weight * decay + gradient;
            *velocity = gradient + *velocity * momentum;
            *weight -= direction(*velocity, gradient) * rate;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::tests::at_every_level;

    #[test]
    fn two_steps_by_hand_at_every_level() {
        at_every_level(|_| {
            // More than a task, and no whole vector at the end.
            let count = TASK + 37;
            for (nesterov, expected) in [(false, [0.5, -1.25]), (true, [0.25, -2.03125])] {
                let descent = Descent {
                    rate: 0.5,
                    decay: 0.5,
                    momentum: 0.5,
                    nesterov,
                };
                let (mut weights, mut velocities) = (vec![1.0; count], vec![0.0; count]);
                for (gradient, expected) in [0.5_f32, 2.75].into_iter().zip(expected) {
                    descent.step(&mut weights, &mut velocities, &vec![gradient; count]);
                    assert!(
                        weights.iter().all(|&weight| weight == expected),
                        "{nesterov}"
                    );
                }
            }
        });
    }
}
