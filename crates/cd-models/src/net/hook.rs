//! A look into a network while it computes: at what enters each BatchNorm and at the sums of residual blocks.

use std::cell::RefCell;

use burn::module::ParamId;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;

/// Where a network stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the BatchNorm whose `gamma` has this id.
    Norm(ParamId),
    /// Behind the sum of a residual block, before its activation.
    Sum,
}

type Hook = Box<dyn FnMut(Place, Tensor<4>) -> Tensor<4>>;

thread_local! {
    /// What the forward pass of this thread passes through. Layers have no other common place: they are plain structs.
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Runs `forward` on this thread with every place going through `hook`, which must not run a network itself.
pub(crate) fn with_hook<T>(
    hook: impl FnMut(Place, Tensor<4>) -> Tensor<4> + 'static,
    forward: impl FnOnce() -> T,
) -> T {
    /// Takes the hook away also when `forward` panics.
    struct Guard;
    impl Drop for Guard {
        fn drop(&mut self) {
            HOOK.with(|slot| slot.borrow_mut().take());
        }
    }
    HOOK.with(|slot| slot.borrow_mut().replace(Box::new(hook)));
    let _guard = Guard;
    forward()
}

/// `x` on its way into `norm`.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(super) fn before_norm(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    passed(|| Place::Norm(norm.gamma.id), x)
}

/// `x` behind a residual sum.
///
/// # Shapes
///
/// - `x`, output: `[B, C, H, W]`
pub(super) fn behind_sum(x: Tensor<4>) -> Tensor<4> {
    passed(|| Place::Sum, x)
}

fn passed(place: impl FnOnce() -> Place, x: Tensor<4>) -> Tensor<4> {
    HOOK.with(|slot| match slot.borrow_mut().as_mut() {
        None => x,
        Some(hook) => hook(place(), x),
    })
}
