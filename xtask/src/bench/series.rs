//! Measurements of one program over the rounds.

use serde::{Deserialize, Serialize};

use super::program::Measurement;

/// Every measurement of one program on one case, in the order of the rounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Series {
    pub(super) case: String,
    pub(super) level: String,
    pub(super) program: String,
    pub(super) speeds: Vec<f64>,
    pub(super) measurements: Vec<Measurement>,
}

impl Series {
    pub(super) fn speed(&self) -> f64 {
        median(self.speeds.clone())
    }

    pub(super) fn is_ours(&self) -> bool {
        self.program.starts_with("ours")
    }

    pub(super) fn peak(&self) -> Option<f64> {
        let peaks: Option<Vec<f64>> = self.measurements.iter().map(|m| m.peak_mib).collect();
        peaks.filter(|peaks| !peaks.is_empty()).map(median)
    }

    /// Processor time over all threads of one image, as the speed counts images.
    pub(super) fn processor(&self) -> Option<f64> {
        let seconds = self.speeds.iter().zip(&self.measurements);
        let seconds: Option<Vec<f64>> = seconds
            .map(|(speed, m)| Some(m.cpu_seconds? / (speed * m.seconds)))
            .collect();
        seconds.filter(|seconds| !seconds.is_empty()).map(median)
    }

    /// Our speed over theirs in every round.
    pub(super) fn ratios(&self, theirs: &Self) -> Vec<f64> {
        let pairs = self.speeds.iter().zip(&theirs.speeds);
        pairs.map(|(ours, theirs)| ours / theirs).collect()
    }
}

/// The peer's fastest form among those that were measured in every round.
pub(super) fn best(series: &[Series]) -> Option<&Series> {
    let rounds = series.iter().map(|series| series.speeds.len()).max()?;
    let theirs = series.iter().filter(|series| !series.is_ours());
    let whole = theirs.filter(|series| series.speeds.len() == rounds);
    whole.max_by(|a, b| a.speed().total_cmp(&b.speed()))
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
pub(super) fn series(program: &str, speeds: &[f64], checksum: f64) -> Series {
    let measurement = |_: &f64| Measurement {
        seconds: 1.0,
        cpu_seconds: None,
        peak_mib: None,
        checksum,
        version: String::new(),
    };
    Series {
        case: "any".into(),
        level: "avx2".into(),
        program: program.into(),
        speeds: speeds.to_vec(),
        measurements: speeds.iter().map(measurement).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let (ours, theirs) = (
            series("ours (cpu)", &[4.0, 6.0, 5.0], 1.0),
            series("it", &[2.0, 2.0, 5.0], 1.0),
        );
        assert_eq!(ours.ratios(&theirs), [2.0, 3.0, 1.0]);
    }

    #[test]
    fn the_best_form_is_the_fastest_that_was_measured_in_every_round() {
        let all = [
            series("ours (cpu)", &[9.0, 9.0, 9.0], 1.0),
            series("left out", &[8.0], 1.0),
            series("slow", &[1.0, 1.0, 1.0], 1.0),
            series("quick", &[3.0, 2.0, 3.0], 1.0),
        ];
        assert_eq!(best(&all).expect("two are whole").program, "quick");
        assert!(best(&all[..1]).is_none());
    }
}
