//! Items that are read, computed on several threads, and collected on one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

/// `compute(n, read(n))` for `n` from 0 to below `count` on `workers` threads; meanwhile as many others read one item each ahead, for
/// whoever is free first. `collect` gets results on this thread as they come, which is nearly in order.
///
/// # Errors
///
/// The first error of any of the three; work that has not begun is dropped.
pub fn each<T: Send, R: Send, E: Send>(
    count: usize,
    workers: usize,
    read: impl Fn(usize) -> Result<T, E> + Sync,
    compute: impl Fn(usize, T) -> Result<R, E> + Sync,
    mut collect: impl FnMut(usize, R) -> Result<(), E>,
) -> Result<(), E> {
    let (next, read, compute) = (&AtomicUsize::new(0), &read, &compute);
    let workers = workers.clamp(1, count.max(1));
    // Without room in the channel a reader is exactly one item ahead.
    let (ready, items) = sync_channel(0);
    let items = Arc::new(Mutex::new(items));
    let (finished, results) = sync_channel(workers);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let ready = ready.clone();
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || ready.send((number, read(number))).is_err() {
                        return;
                    }
                }
            });
            let (items, finished) = (items.clone(), finished.clone());
            scope.spawn(move || {
                // Nothing that holds the lock can panic half way.
                let take = || items.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok((number, item)) = take() {
                    let result = item.and_then(|item| compute(number, item));
                    if finished.send((number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        // With the last worker the readers have nobody to hand items to.
        drop((ready, items, finished));
        for (number, result) in results {
            collect(number, result?)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_computed_once_on_any_number_of_threads() {
        for workers in [0, 1, 3, 100] {
            let mut found = vec![0; 20];
            let collected = each(
                20,
                workers,
                |number| Ok::<_, ()>(number * 10),
                |number, item| Ok(number + item),
                |number, result| {
                    found[number] += result;
                    Ok(())
                },
            );
            assert_eq!(collected, Ok(()));
            let expected: Vec<usize> = (0..20).map(|number| number * 11).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn an_error_anywhere_ends_it() {
        let computed = AtomicUsize::new(0);
        let run = |bad_read: usize, bad_compute: usize, bad_collect: usize| {
            let fail = |number, bad| if number == bad { Err(bad) } else { Ok(number) };
            each(
                1000,
                2,
                |number| fail(number, bad_read),
                |number, _| {
                    computed.fetch_add(1, Ordering::Relaxed);
                    fail(number, bad_compute)
                },
                |number, _| fail(number, bad_collect).map(|_| ()),
            )
        };
        assert_eq!(run(3, usize::MAX, usize::MAX), Err(3));
        assert_eq!(run(usize::MAX, 5, usize::MAX), Err(5));
        assert_eq!(run(usize::MAX, usize::MAX, 7), Err(7));
        assert!(computed.into_inner() < 1000);
    }
}
