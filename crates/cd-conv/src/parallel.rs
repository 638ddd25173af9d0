//! Whether a kernel spreads its tasks over all threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

/// Threads that say that they compute without a pause.
static OCCUPIED: AtomicUsize = AtomicUsize::new(0);

/// As long as it lives, this thread computes without a pause. While as many threads do as there are processors, kernels do
/// their tasks one after the other on the thread that calls them: others could not help, and values would leave its caches.
/// Results are the same.
#[derive(Debug)]
pub struct Occupied(());

impl Occupied {
    /// From now on.
    pub fn begin() -> Self {
        OCCUPIED.fetch_add(1, Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        OCCUPIED.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether nobody would help.
fn alone() -> bool {
    OCCUPIED.load(Ordering::Relaxed) >= rayon::current_num_threads()
}

/// Does `work` with every item, on all threads or on this one.
pub fn each<T: Send>(items: impl Iterator<Item = T>, work: impl Fn(T) + Sync + Send) {
    if alone() {
        items.for_each(work);
    } else {
        let items: Vec<T> = items.collect();
        items.into_par_iter().for_each(work);
    }
}

/// Images of a task, near `suited`, such that the tasks of a batch are alike and occupy every thread. For work whose results
/// do not depend on it.
pub(crate) fn even(batch: usize, suited: usize) -> usize {
    let threads = if alone() {
        1
    } else {
        rayon::current_num_threads()
    };
    let tasks = batch.div_ceil(suited).next_multiple_of(threads);
    batch.div_ceil(tasks).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::cases;
    use crate::{Dense, Epilogue};

    #[test]
    fn tasks_cover_a_batch_and_occupy_every_thread() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build();
        pool.expect("threads can be started").install(|| {
            assert_eq!(
                [even(32, 21), even(32, 8), even(3, 8), even(1, 1)],
                [8, 8, 1, 1]
            );
        });
    }

    #[test]
    fn occupied_threads_compute_the_same() {
        let of = || -> Vec<Vec<f32>> {
            let dense = cases().into_iter().map(|case| {
                let channels = [case.output.channels, case.input.channels];
                let dense = Dense::forward(&case.weights(), channels, case.geometry);
                dense.apply(
                    &case.images(),
                    case.input,
                    case.output,
                    &Epilogue::default(),
                )
            });
            dense.collect()
        };
        let free = of();
        let all: Vec<Occupied> = (0..rayon::current_num_threads())
            .map(|_| Occupied::begin())
            .collect();
        assert_eq!(of(), free);
        drop(all);
    }
}
