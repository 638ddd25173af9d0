//! Adam on plain slices (Kingma and Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015).

use crate::parallel::each;

use crate::level::level;

/// Values that one task handles.
const TASK: usize = 1 << 13;

/// Settings of a step of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// The learning rate of this step.
    pub rate: f32,
    /// Shares of the past in the means of the gradients and of their squares, in `[0, 1)`.
    pub betas: [f32; 2],
    /// Added to the divisor.
    pub epsilon: f32,
    /// The number of this step, from 1.
    pub time: i32,
}

impl Adam {
    /// Moves `values` against their `gradient`; `means` are those of the gradients and of their squares, zeros before the
    /// first step.
    ///
    /// # Panics
    ///
    /// When the lengths differ.
    pub fn step(self, values: &mut [f32], gradient: &[f32], means: [&mut [f32]; 2]) {
        let [first, second] = means;
        let lengths = [gradient.len(), first.len(), second.len()];
        assert_eq!(lengths, [values.len(); 3], "one of each per value");
        let [slow, fast] = self.betas;
        let root = (1.0 - fast.powi(self.time)).sqrt();
        let factor = root / (1.0 - slow.powi(self.time));
        let epsilon = self.epsilon * root;
        let level = level();
        let means = first.chunks_mut(TASK).zip(second.chunks_mut(TASK));
        let values = values.chunks_mut(TASK).zip(gradient.chunks(TASK));
        each(
            values.zip(means),
            |((values, gradient), (first, second))| {
                level.run(|| {
                    let means = first.iter_mut().zip(second);
                    let values = values.iter_mut().zip(gradient);
                    for ((value, &gradient), (first, second)) in values.zip(means) {
                        *first = *first * slow + gradient * (1.0 - slow);
                        *second = *second * fast + gradient * gradient * (1.0 - fast);
                        *value -= *first * factor / (second.sqrt() + epsilon) * self.rate;
                    }
                });
            },
        );
    }
}
