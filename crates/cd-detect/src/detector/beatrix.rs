//! Beatrix: Gram matrices of a feature map that no clean image of the class has.
//!
//! Threat model: any trigger, also one that differs from image to image, that changes how channels fire together. Labels are not
//! looked at; clean images of the predicted classes are.
//!
//! Ma, Wang, Sun, Yang, Wang, Zhang, Sun: *The "Beatrix" Resurrections*, NDSS 2023. The orders are the paper's four, where its code
//! runs eight, and the mean is over the entries that there are.

mod bands;

use cd_models::{Tap, to_host};
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorInfo};
use crate::decide::Decision;
use crate::detection::{Detection, Measure};
use crate::error::DetectError;
use crate::evidence::{Clean, Evidence};
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

use bands::{Bands, Map, folded, threshold};

/// Clean images of a class that its band is made of.
const REFERENCES: usize = 30;
/// A class of which fewer clean images are predicted has the band of all of them.
const LEAST: usize = 5;
/// Share of the clean images that the rule leaves alone.
const KEPT: f64 = 0.95;
const DEVIATIONS: &str = "deviations";

/// Settings of Beatrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Beatrix {
    /// Where features are read: the map that enters the last stage, `stage3` of a ResNet.
    pub tap: String,
    /// Orders of the Gram matrices, from 1 on; at least 1, at most 8.
    pub orders: u32,
}

impl Default for Beatrix {
    fn default() -> Self {
        Self {
            tap: Tap::Stage(3).to_string(),
            orders: 4,
        }
    }
}

impl Beatrix {
    /// What the registry says of it.
    pub const INFO: DetectorInfo = DetectorInfo {
        name: "beatrix",
        title: "Gram matrices (Beatrix)",
        summary: "Compares the Gram matrices of a feature map with those of clean images of the predicted class; an image outside their bands is suspicious.",
        threat_model: "Any trigger, dynamic ones too, that changes how channels fire together. Needs clean images (30 of a class are used), not the labels that training saw.",
        paper: "Ma et al.: The \"Beatrix\" Resurrections, NDSS 2023",
        source: "https://github.com/wanlunsec/Beatrix",
        notes: "Orders 1 to 4 with the element-wise powers that one public code drops; the mean is over the entries of the triangle. Classes with fewer than 5 clean images share one band. The class test of the paper is left out: it missed the target on few images.",
        judges_clean: false,
        rule: Some(
            "a deviation above that of 95 % of the clean images of the predicted class, in five contiguous folds",
        ),
    };

    fn tap(&self) -> Result<Tap, DetectError> {
        Ok(self.tap.parse::<Tap>()?)
    }
}

impl Detector for Beatrix {
    fn info(&self) -> &'static DetectorInfo {
        &Self::INFO
    }

    fn check(&self) -> Result<(), DetectError> {
        self.tap()?;
        if (1..=8).contains(&self.orders) {
            return Ok(());
        }
        Err(DetectError::Config {
            key: "orders",
            value: self.orders.to_string(),
            expected: "a whole number from 1 to 8",
        })
    }

    fn needs(&self) -> Needs {
        Needs {
            taps: self.tap().into_iter().collect(),
            predictions: true,
            clean: LEAST,
            ..Needs::default()
        }
    }

    fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
        self.check()?;
        let predictions = evidence.predictions()?;
        let clean = evidence.clean()?;
        let known = self.known(evidence, clean)?;
        let class = |image: usize| predictions.class(image) as usize;
        let sweep = Sweep {
            name: "gram",
            task: "comparing Gram matrices",
            settings: &format!("{self:?}"),
            images: evidence.images,
            columns: &[(DEVIATIONS, Kind::Numbers)],
        };
        let tap = self.tap()?;
        let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
            let maps = Map::of(evidence.model.features(images, tap)?);
            let judged = maps.zip(&numbers).map(|(map, &number)| {
                let (bands, _) = known.of(class(number as usize));
                let deviation = bands.deviation(&map.gram(self.orders));
                if deviation.is_finite() {
                    return Ok(deviation);
                }
                Err(DetectError::ModelOutput { index: number })
            });
            Ok(vec![Column::Numbers(judged.collect::<Result<_, _>>()?)])
        })?;
        let Some(mut swept) = swept else {
            return Ok(None);
        };
        let raw = swept.numbers(DEVIATIONS);
        let flagged = raw.iter().enumerate();
        let flagged = flagged.map(|(image, &value)| value > known.of(class(image)).1);
        Ok(Some(Detection {
            own: Some(Decision {
                explanation: "further out than 95 % of the clean images of the predicted class"
                    .to_owned(),
                cutoff: None,
                flagged: flagged.collect(),
            }),
            ..Detection::new(
                Measure::high("deviation from the bands of clean images"),
                raw,
            )
        }))
    }
}

/// Bands and threshold of each class, and those of all clean images for the classes that have few.
struct Known {
    classes: Vec<Option<(Bands, f64)>>,
    all: (Bands, f64),
}

impl Known {
    fn of(&self, class: usize) -> &(Bands, f64) {
        let own = self.classes.get(class).and_then(Option::as_ref);
        own.unwrap_or(&self.all)
    }
}

impl Beatrix {
    fn known(&self, evidence: &Evidence<'_>, clean: Clean<'_>) -> Result<Known, DetectError> {
        let predictions = clean.predictions()?;
        let class_count = predictions.classes();
        let mut of_class = vec![Vec::new(); class_count];
        for image in 0..predictions.len() {
            of_class[predictions.class(image) as usize].push(image);
        }
        let judged = |images: &[usize]| -> Result<(Bands, f64), DetectError> {
            let images = &images[..images.len().min(REFERENCES)];
            let grams = self.grams(evidence, clean, images)?;
            let border = threshold(folded(&grams), KEPT);
            Ok((Bands::of(&grams.iter().collect::<Vec<_>>()), border))
        };
        let known = of_class.iter().map(|images| {
            let enough = images.len() >= LEAST;
            enough.then(|| judged(images)).transpose()
        });
        // Evenly over all of them: a file often holds class after class.
        let step = predictions.len().div_ceil(REFERENCES).max(1);
        let some: Vec<usize> = (0..predictions.len()).step_by(step).collect();
        Ok(Known {
            classes: known.collect::<Result<_, _>>()?,
            all: judged(&some)?,
        })
    }

    /// Gram matrices of clean images.
    fn grams(
        &self,
        evidence: &Evidence<'_>,
        clean: Clean<'_>,
        images: &[usize],
    ) -> Result<Vec<Vec<f64>>, DetectError> {
        let mut grams = Vec::with_capacity(images.len());
        for chunk in images.chunks(evidence.compute.batch_size.max(1)) {
            let batch = cd_models::batch(clean.images, chunk, evidence.compute.device)?;
            let maps = Map::of(evidence.model.features(batch, self.tap()?)?);
            grams.extend(maps.map(|map| map.gram(self.orders)));
        }
        Ok(grams)
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
