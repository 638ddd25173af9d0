//! Progress bars on stderr; none is made when stderr is no terminal.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use cd_core::Progress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// One bar at a time, for the stage that is running.
#[derive(Debug)]
pub(crate) struct Bars {
    shown: bool,
    current: Mutex<Option<Running>>,
}

/// The bar of a stage.
#[derive(Debug)]
struct Running {
    bar: ProgressBar,
    /// Units that an earlier start had done; they say nothing of the speed of this one.
    resumed: Arc<AtomicU64>,
}

impl Bars {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            shown: !quiet && io::stderr().is_terminal(),
            current: Mutex::new(None),
        }
    }

    fn with(&self, act: impl FnOnce(&Running)) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = current.as_ref() {
            act(running);
        }
    }

    /// Puts `next` in the place of the current bar, which stays on the screen as far as it came.
    fn replace(&self, next: Option<Running>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = std::mem::replace(&mut *current, next) {
            former.bar.abandon();
        }
    }
}

impl Progress for Bars {
    fn start(&self, what: &str, total: Option<u64>) {
        tracing::info!(total, "{what}");
        if self.shown {
            let running = Running::new(what, total);
            running.bar.enable_steady_tick(Duration::from_millis(250));
            self.replace(Some(running));
        }
    }

    fn advance(&self, by: u64) {
        self.with(|running| running.bar.inc(by));
    }

    fn resume(&self, by: u64) {
        self.with(|running| {
            running.resumed.fetch_add(by, Ordering::Relaxed);
            running.bar.inc(by);
        });
    }

    fn note(&self, text: &str) {
        self.with(|running| running.bar.set_message(text.to_owned()));
    }

    fn finish(&self) {
        self.with(|running| running.bar.finish());
        self.replace(None);
    }
}

impl Drop for Bars {
    /// A command that failed in the middle of a stage leaves no bar that still moves below its message.
    fn drop(&mut self) {
        self.replace(None);
    }
}

impl Running {
    fn new(what: &str, total: Option<u64>) -> Self {
        let resumed = Arc::new(AtomicU64::new(0));
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{prefix:>12} [{bar:30}] {human_pos}/{human_len}  {rate}  {left} left  {msg}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{prefix:>12} {spinner} {human_pos}  {rate}  {msg}",
            ),
        };
        let (for_rate, for_left) = (Arc::clone(&resumed), Arc::clone(&resumed));
        let style = ProgressStyle::with_template(template)
            .expect("a fixed template")
            .progress_chars("=> ")
            .with_key("rate", move |state: &ProgressState, out: &mut dyn Write| {
                let speed = rate(state, &for_rate);
                // The bar is drawn again in a moment: what cannot be written is left out.
                let _ = write!(out, "{speed:.1}/s");
            })
            .with_key("left", move |state: &ProgressState, out: &mut dyn Write| {
                let speed = rate(state, &for_left);
                let rest = state.len().unwrap_or(0).saturating_sub(state.pos());
                let _ = match left(rest, speed) {
                    Some(time) => write!(out, "{}", indicatif::HumanDuration(time)),
                    None => write!(out, "?"),
                };
            });
        bar.set_style(style);
        bar.set_prefix(what.to_owned());
        Self { bar, resumed }
    }
}

fn rate(state: &ProgressState, resumed: &AtomicU64) -> f64 {
    per_second(done_now(state.pos(), resumed), state.elapsed())
}

/// Units of this start alone.
fn done_now(done: u64, resumed: &AtomicU64) -> u64 {
    done.saturating_sub(resumed.load(Ordering::Relaxed))
}

fn per_second(done: u64, elapsed: Duration) -> f64 {
    done as f64 / elapsed.as_secs_f64().max(1e-3)
}

/// Time for `rest` more units; `None` before the first one.
fn left(rest: u64, speed: f64) -> Option<Duration> {
    let seconds = rest as f64 / speed;
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> Bars {
        Bars {
            shown: true,
            current: Mutex::default(),
        }
    }

    fn current(bars: &Bars) -> ProgressBar {
        let current = bars.current.lock().expect("no test panics with it");
        current.as_ref().expect("a stage runs").bar.clone()
    }

    #[test]
    fn a_new_stage_and_the_end_close_what_an_error_left_open() {
        let bars = shown();
        bars.start("first", Some(10));
        bars.advance(3);
        let first = current(&bars);
        bars.start("second", None);
        assert!(first.is_finished() && first.position() == 3);
        let second = current(&bars);
        assert!(!second.is_finished());
        drop(bars);
        assert!(second.is_finished());
    }

    #[test]
    fn what_an_earlier_start_did_counts_as_done_but_not_for_the_rate() {
        let bars = shown();
        bars.start("searching", Some(1000));
        bars.resume(900);
        bars.advance(50);
        assert_eq!(current(&bars).position(), 950);
        bars.with(|running| {
            let (done, resumed) = (running.bar.position(), &running.resumed);
            assert_eq!(done_now(done, resumed), 50);
        });
    }

    #[test]
    fn quiet_bars_draw_nothing() {
        let bars = Bars::new(true);
        bars.start("work", Some(10));
        bars.advance(1);
        bars.finish();
        assert!(bars.current.lock().expect("not poisoned").is_none());
    }

    #[test]
    fn the_time_left_follows_from_the_speed() {
        assert!((per_second(30, Duration::from_secs(3)) - 10.0).abs() < 1e-9);
        assert_eq!(left(25, 10.0), Some(Duration::from_secs(3)));
        assert_eq!(left(25, 0.0), None);
    }
}
