//! Room for what a task computes in between, kept by each thread.

use std::cell::RefCell;

thread_local! {
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Hands `work` a slice of `len` values, which may hold anything. `work` must not ask for another.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    ROOM.with_borrow_mut(|room| {
        if room.len() < len {
            room.resize(len, 0.0);
        }
        work(&mut room[..len])
    })
}
