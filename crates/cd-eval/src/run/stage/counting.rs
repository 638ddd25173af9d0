//! Progress that also counts what was really done in this start.

use std::sync::atomic::{AtomicU64, Ordering};

use cd_core::Progress;

/// Passes progress on and counts units that were not found done.
pub(crate) struct Counting<'a> {
    inner: &'a dyn Progress,
    images: AtomicU64,
}

impl<'a> Counting<'a> {
    pub(super) fn new(inner: &'a dyn Progress) -> Self {
        Self {
            inner,
            images: AtomicU64::new(0),
        }
    }

    /// Units done so far.
    pub(super) fn images(&self) -> u64 {
        self.images.load(Ordering::Relaxed)
    }
}

impl Progress for Counting<'_> {
    fn start(&self, what: &str, total: Option<u64>) {
        self.inner.start(what, total);
    }

    fn advance(&self, by: u64) {
        self.images.fetch_add(by, Ordering::Relaxed);
        self.inner.advance(by);
    }

    fn resume(&self, by: u64) {
        self.inner.resume(by);
    }

    fn note(&self, text: &str) {
        self.inner.note(text);
    }

    fn finish(&self) {
        self.inner.finish();
    }
}
