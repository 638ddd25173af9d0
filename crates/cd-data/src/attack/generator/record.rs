//! What making a trigger came to.

use serde::{Deserialize, Serialize};

use crate::attack::AttackError;

/// What making a trigger came to: figures that it reached, and losses on the way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CraftRecord {
    /// What it reached at the end.
    pub figures: Vec<CraftFigure>,
    /// What it went through.
    pub curves: Vec<CraftCurve>,
}

/// One number that a craft reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CraftFigure {
    /// What was measured, and on what.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Its unit, such as `%` or `dB`; empty for plain numbers.
    pub unit: String,
}

/// Numbers of a craft, one for each epoch or look, the first one first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CraftCurve {
    /// What is counted.
    pub name: String,
    /// One number each.
    pub values: Vec<f64>,
}

impl CraftRecord {
    /// Adds a number.
    pub(in crate::attack) fn figure(&mut self, name: &str, value: f64, unit: &str) {
        self.figures.push(CraftFigure {
            name: name.to_owned(),
            value,
            unit: unit.to_owned(),
        });
    }

    /// Adds a share as a percentage.
    pub(in crate::attack) fn share(&mut self, name: &str, value: f64) {
        self.figure(name, 100.0 * value, "%");
    }

    /// Appends to a curve, which begins with this where it is new.
    pub(in crate::attack) fn point(&mut self, curve: &str, value: f64) {
        if let Some(known) = self.curves.iter_mut().find(|known| known.name == curve) {
            known.values.push(value);
            return;
        }
        self.curves.push(CraftCurve {
            name: curve.to_owned(),
            values: vec![value],
        });
    }

    /// The record, unless training went astray.
    ///
    /// # Errors
    ///
    /// Names the curve or figure that holds no finite number, and what to lower.
    pub(in crate::attack) fn checked(
        self,
        attack: &'static str,
        rate: &str,
    ) -> Result<Self, AttackError> {
        let curves = self.curves.iter();
        let lost = curves.filter(|curve| curve.values.iter().any(|value| !value.is_finite()));
        let figures = self.figures.iter();
        let figures = figures.filter(|figure| !figure.value.is_finite());
        let names = lost.map(|curve| &curve.name);
        let name = names.chain(figures.map(|figure| &figure.name)).next();
        if let Some(name) = name {
            return Err(AttackError::Prepare {
                attack,
                problem: format!(
                    "training went astray: `{name}` is no finite number; lower `{rate}`"
                ),
            });
        }
        Ok(self)
    }

    /// The figures in one line, such as `accuracy 91.2 %, PSNR 33.1 dB`.
    pub fn line(&self) -> String {
        let figures = self.figures.iter().map(|figure| {
            let CraftFigure { name, value, unit } = figure;
            let digits = if value.abs() < 10.0 { 3 } else { 1 };
            let text = format!("{name} {value:.digits$} {unit}");
            text.trim_end().to_owned()
        });
        figures.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_make_a_line_and_points_a_curve() {
        let mut record = CraftRecord::default();
        record.share("accuracy", 0.9123);
        record.figure("SSIM", 0.98, "");
        record.point("loss", 2.0);
        record.point("loss", 1.0);
        assert_eq!(record.line(), "accuracy 91.2 %, SSIM 0.980");
        assert_eq!(record.curves.len(), 1);
        assert_eq!(record.curves[0].values, [2.0, 1.0]);
        let record = record.checked("test", "rate").expect("finite");
        let mut astray = record.clone();
        astray.point("loss", f64::NAN);
        let error = astray.checked("test", "rate").expect_err("not a number");
        assert!(error.to_string().contains("`loss`"), "{error}");
    }
}
