//! Progress bars on stderr; nothing is drawn when stderr is no terminal.

use std::sync::Mutex;
use std::time::Duration;

use cd_models::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// One bar at a time, for the stage that is running.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    quiet: bool,
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            current: Mutex::new(None),
        }
    }

    fn with(&self, act: impl FnOnce(&ProgressBar)) {
        let current = self.current.lock();
        if let Ok(Some(bar)) = current.as_deref() {
            act(bar);
        }
    }
}

impl Progress for Bars {
    fn start(&self, what: &str, total: Option<u64>) {
        tracing::info!(total, "{what}");
        if self.quiet {
            return;
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total).with_style(style(
                "{prefix:>12} [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}",
            )),
            None => ProgressBar::new_spinner().with_style(style(
                "{prefix:>12} {spinner} {human_pos}  {per_sec}  {msg}",
            )),
        };
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
        if let Ok(mut current) = self.current.lock() {
            *current = Some(bar);
        }
    }

    fn advance(&self, by: u64) {
        self.with(|bar| bar.inc(by));
    }

    fn note(&self, text: &str) {
        self.with(|bar| bar.set_message(text.to_owned()));
    }

    fn finish(&self) {
        if let Ok(mut current) = self.current.lock()
            && let Some(bar) = current.take()
        {
            bar.finish();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("a fixed template")
        .progress_chars("=> ")
}
