//! What watchers of a training run are told.

use std::sync::Mutex;

use cd_core::Progress;

use super::{config, train_on_halves};
use crate::train::config::TrainConfig;

#[derive(Default)]
struct Watcher(Mutex<[u64; 4]>);

impl Watcher {
    fn add(&self, place: usize, by: u64) {
        self.0.lock().expect("no panic while it is held")[place] += by;
    }

    /// Starts, images of this start, images of earlier ones, ends.
    fn seen(self) -> [u64; 4] {
        self.0.into_inner().expect("no panic while it was held")
    }
}

impl Progress for Watcher {
    fn start(&self, _what: &str, _total: Option<u64>) {
        self.add(0, 1);
    }

    fn advance(&self, by: u64) {
        self.add(1, by);
    }

    fn resume(&self, by: u64) {
        self.add(2, by);
    }

    fn finish(&self) {
        self.add(3, 1);
    }
}

#[test]
fn images_of_earlier_starts_do_not_count_for_this_one() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let whole = Watcher::default();
    train_on_halves(&config(2), Some(folder.path()), &whole).expect("trains");
    assert_eq!(whole.seen(), [1, 48, 0, 1]);
    let again = Watcher::default();
    train_on_halves(&config(2), Some(folder.path()), &again).expect("nothing is left");
    assert_eq!(again.seen(), [1, 0, 48, 1]);
}

#[test]
fn an_error_ends_the_stage() {
    let wild = TrainConfig {
        learning_rate: 1e30,
        ..config(2)
    };
    let watcher = Watcher::default();
    train_on_halves(&wild, None, &watcher).expect_err("diverges");
    let [starts, _, _, ends] = watcher.seen();
    assert_eq!((starts, ends), (1, 1));
}
