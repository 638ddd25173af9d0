//! Whether a kernel spreads its tasks over all threads.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::vec::IntoIter;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Times that a thread asks for items where all are as fast.
const SHARES: usize = 4;
/// Looks at whether the others are done, some 20 microseconds, before this thread sleeps until they are: to be woken takes as long.
const SPINS: usize = 2000;
/// How long a helper looks whether there is another kernel before it sleeps.
const LINGER: Duration = Duration::from_micros(200);

/// Kernels that helpers were asked for.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Threads that say that they compute without a pause.
static OCCUPIED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// How often this one says so.
    static SAID: Cell<usize> = const { Cell::new(0) };
}

/// As long as it lives, this thread computes without a pause. While as many threads do as there are processors, kernels do
/// their tasks one after the other on the thread that calls them: others could not help, and values would leave its caches.
/// Results are the same.
#[derive(Debug)]
pub struct Occupied(PhantomData<*const ()>);

impl Occupied {
    /// From now on.
    pub fn begin() -> Self {
        if SAID.replace(SAID.get() + 1) == 0 {
            OCCUPIED.fetch_add(1, Ordering::Relaxed);
        }
        Self(PhantomData)
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        if SAID.replace(SAID.get() - 1) == 1 {
            OCCUPIED.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whether nobody would help.
fn alone() -> bool {
    let threads = rayon::current_num_threads();
    threads == 1 || OCCUPIED.load(Ordering::Relaxed) >= threads
}

/// Those who help a thread with its kernels: one fewer than the threads of the pool that the first kernel saw, for it works itself.
/// They do nothing else, so that they are soon there, and none of them waits for anybody. `None` where the system has no threads left.
fn helpers() -> Option<&'static ThreadPool> {
    static HELPERS: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let start = || {
        let threads = rayon::current_num_threads().saturating_sub(1).max(1);
        ThreadPoolBuilder::new().num_threads(threads).build().ok()
    };
    HELPERS.get_or_init(start).as_ref()
}

/// Does `work` with every item, on all threads or on this one.
pub fn each<T: Send>(items: impl Iterator<Item = T>, work: impl Fn(T) + Sync) {
    if alone() {
        return items.for_each(work);
    }
    let items: Vec<T> = items.collect();
    let threads = rayon::current_num_threads().min(items.len());
    let Some(helpers) = helpers().filter(|_| threads > 1) else {
        return items.into_iter().for_each(work);
    };
    let share = items.len().div_ceil(threads * SHARES);
    let left = Mutex::new(items.into_iter());
    let busy = AtomicUsize::new(threads - 1);
    let kernel = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
    helpers.in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| {
                while some(&left, |left| left.rev().take(share).collect(), &work) {}
                helpers.spawn(move || linger(kernel));
                busy.fetch_sub(1, Ordering::Release);
            });
        }
        while some(&left, |left| left.take(share).collect(), &work) {}
        for _ in 0..SPINS {
            if busy.load(Ordering::Acquire) == 0 {
                break;
            }
            std::hint::spin_loop();
        }
    });
}

/// Keeps a helper awake until it is asked for another kernel than the one that it has done, or for a while.
fn linger(kernel: usize) {
    let begin = Instant::now();
    while ASKED.load(Ordering::Relaxed) == kernel && begin.elapsed() < LINGER {
        std::hint::spin_loop();
    }
}

/// Does `work` with some of the items that are left; false when there are none.
fn some<T>(
    left: &Mutex<IntoIter<T>>,
    take: impl Fn(&mut IntoIter<T>) -> Vec<T>,
    work: &impl Fn(T),
) -> bool {
    // Nothing that holds the lock can panic half way.
    let items = take(&mut left.lock().unwrap_or_else(PoisonError::into_inner));
    let found = !items.is_empty();
    items.into_iter().for_each(work);
    found
}

/// `work(0)`, `work(1)`, ... up to `count`, on all threads or on this one.
pub(crate) fn mapped<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let mut results: Vec<Option<R>> = (0..count).map(|_| None).collect();
    each(results.iter_mut().enumerate(), |(number, result)| {
        *result = Some(work(number));
    });
    results.into_iter().flatten().collect()
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
    use std::sync::Barrier;

    use super::*;
    use crate::reference::cases;
    use crate::{Dense, Epilogue};

    #[test]
    fn tasks_cover_a_batch_and_occupy_every_thread() {
        let pool = ThreadPoolBuilder::new().num_threads(4).build();
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
        let threads = rayon::current_num_threads();
        let all = Barrier::new(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let _said = (Occupied::begin(), Occupied::begin());
                    all.wait();
                    let busy = alone();
                    let same = of() == free;
                    all.wait();
                    assert!(busy && same, "{busy}, {same}");
                });
            }
        });
        assert!(threads == 1 || !alone());
    }

    #[test]
    fn every_item_is_worked_on_once_and_results_keep_their_order() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build();
        let pool = pool.expect("threads can be started");
        for count in [0, 1, 2, 5, 1000] {
            let squares: Vec<usize> = (0..count).map(|number| number * number).collect();
            assert_eq!(mapped(count, |number| number * number), squares);
            assert_eq!(
                pool.install(|| mapped(count, |number| number * number)),
                squares
            );
        }
    }
}
