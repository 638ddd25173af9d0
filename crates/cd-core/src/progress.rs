//! How long-running work reports that it moves on, without knowing who watches.

/// Receives progress; implemented by the command line's progress bars.
pub trait Progress: Sync {
    /// A stage begins; `total` is its number of units where known.
    fn start(&self, what: &str, total: Option<u64>);
    /// `by` more units of the current stage are done.
    fn advance(&self, by: u64);
    /// `by` units of the current stage were done before it started; they count as done, but not for its rate.
    fn resume(&self, by: u64) {
        self.advance(by);
    }
    /// A short remark on the current stage, such as the latest loss.
    fn note(&self, _text: &str) {}
    /// The current stage is over.
    fn finish(&self);
}

/// Ignores progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn start(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _by: u64) {}
    fn finish(&self) {}
}

/// A task under way; finishes when dropped, also when an error cuts it short.
pub struct Task<'a> {
    progress: &'a dyn Progress,
}

impl<'a> Task<'a> {
    /// Begins a task of `total` steps, where that is known.
    pub fn start(progress: &'a dyn Progress, what: &str, total: Option<u64>) -> Self {
        progress.start(what, total);
        Self { progress }
    }

    /// `by` more steps are done.
    pub fn advance(&self, by: u64) {
        self.progress.advance(by);
    }

    /// `by` steps were done before the task started.
    pub fn resume(&self, by: u64) {
        if by > 0 {
            self.progress.resume(by);
        }
    }

    /// A short remark, such as the latest loss.
    pub fn note(&self, text: &str) {
        self.progress.note(text);
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.progress.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Recorder {
        fn note(&self, event: String) {
            self.0
                .lock()
                .expect("no test panics while it holds this")
                .push(event);
        }
    }

    impl Progress for Recorder {
        fn start(&self, what: &str, total: Option<u64>) {
            self.note(format!("start {what} {total:?}"));
        }
        fn advance(&self, by: u64) {
            self.note(format!("advance {by}"));
        }
        fn resume(&self, by: u64) {
            self.note(format!("resume {by}"));
        }
        fn finish(&self) {
            self.note("finish".into());
        }
    }

    #[test]
    fn a_task_finishes_even_when_it_is_cut_short() {
        let recorder = Recorder::default();
        let work = || -> Result<(), ()> {
            let task = Task::start(&recorder, "counting", Some(3));
            task.resume(0);
            task.resume(1);
            task.advance(2);
            Err(())
        };
        assert_eq!(work(), Err(()));
        let events = recorder.0.into_inner().expect("not poisoned");
        assert_eq!(
            events,
            ["start counting Some(3)", "resume 1", "advance 2", "finish"]
        );
    }
}
