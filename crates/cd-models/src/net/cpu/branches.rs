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
