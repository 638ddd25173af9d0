//! Work that is prepared while other work is done with what was prepared before.

use std::sync::mpsc::sync_channel;

/// `use_it(prepare(0))`, `use_it(prepare(1))`, ... up to `count`, in order; another thread prepares up to `depth` items ahead.
///
/// # Errors
///
/// The first error of `prepare` or `use_it`; what was prepared beyond it is dropped.
pub fn each<T: Send, E: Send>(
    count: usize,
    depth: usize,
    prepare: impl Fn(usize) -> Result<T, E> + Sync,
    mut use_it: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    if count <= 1 {
        return (0..count).try_for_each(|number| use_it(number, prepare(number)?));
    }
    std::thread::scope(|scope| {
        let (send, receive) = sync_channel(depth.saturating_sub(1));
        let prepare = &prepare;
        scope.spawn(move || {
            for number in 0..count {
                let item = prepare(number);
                let failed = item.is_err();
                // Nobody listens any more once an item was refused.
                if send.send(item).is_err() || failed {
                    return;
                }
            }
        });
        (0..count)
            .zip(receive)
            .try_for_each(|(number, item)| use_it(number, item?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_the_first_error_ends_it() {
        let run = |bad: usize| {
            let mut seen = Vec::new();
            let prepare = |number| {
                if number == bad {
                    Err(number)
                } else {
                    Ok(number * 10)
                }
            };
            let ended = each(5, 2, prepare, |number, item| {
                seen.push((number, item));
                Ok(())
            });
            (ended, seen)
        };
        let all = [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40)];
        assert_eq!(run(9), (Ok(()), all.to_vec()));
        assert_eq!(run(2), (Err(2), all[..2].to_vec()));
        let refused = each(
            5,
            2,
            Ok,
            |number, _: usize| {
                if number == 1 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!(refused, Err("enough"));
    }
}
