//! Room for what a task computes in between, kept by each thread.

use std::cell::RefCell;

use crate::buffers::LINE;

thread_local! {
    static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Hands `work` a slice of `len` values, which may hold anything and begin with a line. `work` must not ask for another.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    ROOM.with_borrow_mut(|room| {
        let enough = len + LINE / size_of::<f32>();
        if room.len() < enough {
            room.resize(enough, 0.0);
        }
        let before = room.as_ptr().align_offset(LINE);
        work(&mut room[before..][..len])
    })
}
