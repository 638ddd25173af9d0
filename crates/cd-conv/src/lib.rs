//! Convolutions and their gradients on plain slices, for CPUs.
//!
//! Tensors are `f32` in the order `[batch, height, width, channels]` (channels last), weights come as
//! `[outputs, inputs / groups, kernel height, kernel width]`. The kernels vectorise over output channels
//! and read the source where it lies: there is no im2col buffer and no padded copy.
//!
//! * [`Geometry`] says how a convolution walks over a map, [`Map`] how large a map is.
//! * [`Dense`] and [`Depthwise`] hold weights prepared for one direction: from input to output, or
//!   from the gradient of the output to the gradient of the input. Both directions are the same
//!   gathering loop over another plan.
//! * [`weight_gradient`] and [`depthwise_weight_gradient`] serve training, and so do [`Moments`],
//!   [`normalize`] and [`normalize_backward`], which are batch normalisation, and [`Descent`], the step of the weights.
//!
//! Every output value is one chain of fused multiply-adds in an order that depends on its own position
//! and the shapes alone, so results do not depend on the batch, the number of threads or the place of
//! an image in its batch. They do depend on the width of the machine's vector registers only through
//! whether a multiply-add is fused.
//!
//! # Example
//!
//! ```
//! use cd_conv::{Activation, Dense, Epilogue, Geometry, Map};
//!
//! let geometry = Geometry { kernel: [1, 1], stride: [1, 1], padding: [0, 0], extra: [0, 0] };
//! // One output channel: the sum of two input channels.
//! let sum = Dense::forward(&[1.0, 1.0], [1, 2], geometry);
//! let map = Map { height: 1, width: 2, channels: 2 };
//! let epilogue = Epilogue { bias: Some(&[0.5]), residual: None, activation: Activation::None };
//! let output = Map { channels: 1, ..map };
//! assert_eq!(sum.apply(&[1.0, 2.0, 3.0, 4.0], map, output, &epilogue), [3.5, 7.5]);
//! ```

#![expect(
    clippy::inline_always,
    reason = "vector code must be inlined into the function that enables the vector instructions"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "short counted loops over arrays are what the compiler unrolls into registers"
)]

mod buffers;
mod curve;
mod dense;
mod depthwise;
mod descent;
mod elementwise;
mod extremes;
mod geometry;
mod gradient;
mod level;
mod limit;
mod masking;
mod narrow;
mod norm;
mod panel;
mod parallel;
mod parts;
mod plan;
mod pool;
mod scratch;
mod vectors;
mod weigh;
mod winograd;

#[cfg(test)]
mod reference;

pub use buffers::{give_back, taken};
pub use curve::Curve;
pub use dense::Dense;
pub use depthwise::{Depthwise, depthwise_weight_gradient};
pub use descent::Descent;
pub use elementwise::{masked, masked_in_place, passed, stop};
pub use extremes::extremes;
pub use geometry::{Geometry, Map};
pub use gradient::weight_gradient;
pub use level::{LEVEL_VARIABLE, Level, LevelError, Loops, level, set_level, vectorized};
pub use limit::limit;
pub use masking::{Adam, MaskGradient, Masks, Penalties, Squashed};
pub use norm::{Moments, NormGradient, normalize, normalize_backward};
pub use parallel::{Occupied, each};
pub use pool::{max_pool, max_pool_backward, mean_pool, mean_pool_backward};
pub use weigh::{weigh, weigh_backward};

/// What happens to a sum before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

/// What is added to every sum, and what is done with it then.
#[derive(Debug, Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// One value per output channel.
    pub bias: Option<&'a [f32]>,
    /// One value per output value, added before the activation.
    pub residual: Option<&'a [f32]>,
    /// The activation.
    pub activation: Activation,
}
