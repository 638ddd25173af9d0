//! Where branches of a network meet on the way back.
//!
//! Burn adds the gradients that the users of a value have for it one by one, on one thread and with copies. A kernel can add
//! what others have found so far while it stores its own result.

use std::cell::RefCell;
use std::collections::VecDeque;

use burn::backend::Flex;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::tensor::FloatTensor;

/// Values of which a thread remembers that a gradient is there. Branches are short: the oldest are over long ago, and
/// where one is forgotten Burn adds.
const MOST: usize = 64;

thread_local! {
    /// The values that gradients were registered for, the newest last; numbers of values never return.
    static KNOWN: RefCell<VecDeque<NodeId>> = const { RefCell::new(VecDeque::new()) };
}

/// Registers a gradient of the value `node`, for which [`is_known`] holds from now on.
pub(in crate::net) fn register(grads: &mut Gradients, node: NodeId, gradient: FloatTensor<Flex>) {
    grads.register::<Flex>(node, gradient);
    KNOWN.with_borrow_mut(|known| {
        if known.len() == MOST {
            known.pop_front();
        }
        known.push_back(node);
    });
}

/// Whether a gradient of the value `node` is there that may be taken and registered again, with more added to it. For users
/// of a value that some operation made: all of them come before that operation takes the gradient.
pub(in crate::net) fn is_known(node: NodeId) -> bool {
    KNOWN.with_borrow(|known| known.contains(&node))
}

#[cfg(test)]
mod tests {
    use burn::nn::PaddingConfig2d;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::{Device, Tensor};

    use crate::batch::to_host;
    use crate::net::conv::Conv;

    fn wave(shape: [usize; 4], step: f32, device: &Device) -> Tensor<4> {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|k: usize| (k as f32 * step).sin())
            .collect();
        Tensor::<1>::from_floats(values.as_slice(), device).reshape(shape)
    }

    fn conv(kernel: usize, stride: usize, frozen: bool, device: &Device) -> Conv {
        let padding = kernel / 2;
        let config = Conv2dConfig::new([16, 16], [kernel; 2])
            .with_stride([stride; 2])
            .with_bias(false)
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ));
        let mut conv = Conv::new(config, device);
        let weights = wave(
            [16, 16, kernel, kernel],
            0.37,
            &device.clone().without_autodiff(),
        );
        conv.weight = conv.weight.map(|_| weights.clone());
        if frozen {
            conv.prepare();
        }
        conv
    }

    /// The gradient of the sum of the outputs of those of a value's users that `counted` names; all are computed.
    fn gradient(counted: [bool; 4], frozen: bool) -> Vec<f32> {
        let device = Device::flex().autodiff();
        let images = wave([3, 16, 8, 6], 0.7, &device).require_grad();
        // What meets is no leaf: some operation takes the sum.
        let x = conv(3, 1, frozen, &device).forward_relu(images.clone());
        let users: [Tensor<1>; 4] = [
            conv(3, 1, frozen, &device)
                .forward(x.clone())
                .square()
                .sum(),
            conv(1, 2, frozen, &device).forward_relu(x.clone()).sum(),
            x.clone().exp().sum(),
            conv(3, 1, frozen, &device)
                .forward_add_relu(x.clone(), x)
                .sum(),
        ];
        let sum = users
            .into_iter()
            .zip(counted)
            .filter(|(_, counted)| *counted)
            .map(|(user, _)| user)
            .reduce(|sum, user| sum + user)
            .expect("one is counted");
        to_host(images.grad(&sum.backward()).expect("enters the sum"))
    }

    #[test]
    fn the_gradients_of_all_users_are_added() {
        for frozen in [false, true] {
            let alone = (0..4).map(|user| gradient(std::array::from_fn(|k| k == user), frozen));
            let parts = alone.collect::<Vec<_>>();
            for counted in [[true, true, false, false], [true; 4]] {
                let whole = gradient(counted, frozen);
                let largest = whole
                    .iter()
                    .fold(0.0_f32, |most, value| most.max(value.abs()));
                for (at, value) in whole.iter().enumerate() {
                    let of_parts = parts.iter().zip(counted).filter(|(_, counted)| *counted);
                    let expected: f32 = of_parts.map(|(part, _)| part[at]).sum();
                    let off = (value - expected).abs();
                    assert!(off < 1e-5 * largest, "{frozen}: {at}: {value} {expected}");
                }
            }
        }
    }
}
