//! What making poisoned data costs, before it is made.

use std::fmt;
use std::time::Instant;

use cd_data::{PoisonConfig, Split};
use cd_models::ImageSet;
use rayon::current_num_threads;

/// Pictures that are decoded and encoded to see how long it takes.
const TRIED: usize = 8;

/// An estimate.
pub(super) struct Cost {
    stamped: usize,
    written: usize,
    craft_seconds: f64,
    write_seconds: f64,
}

impl Cost {
    /// Tries a few pictures and counts on from there.
    pub(super) fn of(
        split: &Split,
        config: &PoisonConfig,
        stamped: usize,
        only_stamps: bool,
    ) -> Self {
        let test = split.test.as_ref().filter(|_| !only_stamps);
        let written = split.train.len() + test.map_or(0, ImageSet::len);
        let tried = split.train.len().min(TRIED);
        let started = Instant::now();
        for index in 0..tried {
            // A picture that cannot be read is reported when it is its turn.
            let Ok(pixels) = split.train.pixels(index) else {
                continue;
            };
            let (width, height) = (split.train.width(), split.train.height());
            let picture = cd_eval::picture::Picture::new(width, height, pixels.to_vec());
            std::hint::black_box(picture.and_then(|picture| picture.to_png()).ok());
        }
        let each = started.elapsed().as_secs_f64() / tried.max(1) as f64;
        let side = split.train.height().max(split.train.width());
        Self {
            stamped,
            written,
            craft_seconds: config
                .attack
                .attack()
                .craft_seconds(split.train.len(), side),
            write_seconds: each * written as f64 / current_num_threads() as f64
                + config.attack.attack().stamp_seconds(side) * stamped as f64,
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} pictures to stamp, {} to write: about {}",
            self.stamped,
            self.written,
            time(self.write_seconds)
        )?;
        if self.craft_seconds > 0.0 {
            let seconds = time(self.craft_seconds);
            write!(
                out,
                ", and about {seconds} on two cores to make the trigger unless it is stored"
            )?;
        }
        Ok(())
    }
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1.0 => "a second".into(),
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_fitting_units() {
        let times = [0.1, 12.0, 600.0, 9000.0].map(time);
        assert_eq!(times, ["a second", "12 s", "10 min", "2.5 h"]);
    }
}
