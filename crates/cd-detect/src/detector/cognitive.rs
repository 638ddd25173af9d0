//! Cognitive Distillation as detectors: `cd-l` on logits, `cd-f` on features.
//!
//! Threat model: the classifier was trained on the poisoned set. A trigger decides the output alone,
//! so the mask that keeps the output of a poisoned image shrinks to the trigger.

use std::borrow::Cow;

use cd_core::Pixels;
use cd_models::{Tap, quantize, to_host};
use serde::{Deserialize, Serialize};

use super::{Detector, DetectorConfig, DetectorInfo};
use crate::cognitive::{
    CognitiveDistillation, Decay, Fill, Preset, Reduction, Settings, with_settings,
};
use crate::detection::{Detection, Direction, Measure, Scale};
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::masks::Masks;
use crate::needs::Needs;
use crate::sweep::{Batch, Column, Kind, Sweep};

const INFO: DetectorInfo = DetectorInfo {
    name: "",
    title: "",
    summary: "",
    threat_model: "The classifier was trained on the poisoned images, and the trigger alone decides what it says of them. Neither clean images nor labels are needed.",
    paper: "Huang, Ma, Erfani, Bailey: Distilling Cognitive Backdoor Patterns within an Image, ICLR 2023",
    source: "https://github.com/HanxunH/CognitiveDistillation",
    notes: "The objective is summed over the batch, so that an image's mask does not depend on its batch mates; fill colours are a function of seed, image and step.",
    judges_clean: true,
    rule: None,
};

/// Makes the configuration of a variant from the list of settings.
macro_rules! variant {
    (
        [
            $(#[$about:meta])* $variant:ident = $method:ident, $info:expr
            $(, $(#[$extra_doc:meta])* $tap:ident = $tap_default:expr)?
        ]
        $(
            $(#[$doc:meta])* $({$serde:meta})?
            $name:ident: $type:ty = $default:expr, $with:ident $(, $expected:literal if $valid:expr)?;
        )*
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $variant {
            $($(#[$doc])* $(#[$serde])? pub $name: $type,)*
            $($(#[$extra_doc])* pub $tap: String,)?
        }

        impl Default for $variant {
            fn default() -> Self {
                let settings = CognitiveDistillation::$method().settings;
                Self {
                    $($name: settings.$name,)*
                    $($tap: $tap_default,)?
                }
            }
        }

        impl $variant {
            /// What the registry says of it.
            pub const INFO: DetectorInfo = $info;

            /// The method with these settings.
            ///
            /// # Errors
            ///
            /// When the tap is not the name of one.
            pub fn method(&self) -> Result<CognitiveDistillation, DetectError> {
                let method = self.untapped();
                $(let method = method.with_tap(self.$tap.parse::<Tap>()?);)?
                Ok(method)
            }

            /// These settings with the steps, learning rate, betas, repeats, tail, fill and mask scale of `preset`.
            #[must_use]
            pub fn with_preset(mut self, preset: Preset) -> Self {
                let settings = self.untapped().with_preset(preset).settings;
                $(self.$name = settings.$name;)*
                self
            }

            fn untapped(&self) -> CognitiveDistillation {
                CognitiveDistillation::$method().with_all(Settings { $($name: self.$name,)* })
            }
        }

        impl Detector for $variant {
            fn info(&self) -> &'static DetectorInfo {
                &Self::INFO
            }

            fn check(&self) -> Result<(), DetectError> {
                self.method()?.check()
            }

            fn needs(&self) -> Needs {
                let tap = self.method().ok().and_then(|method| method.tap());
                Needs {
                    taps: tap.into_iter().collect(),
                    ..Needs::default()
                }
            }

            fn detect(&self, evidence: &Evidence<'_>) -> Result<Option<Detection>, DetectError> {
                let settings = serde_json::to_string(self).expect("plain numbers and names");
                let settings = format!("{} {settings}", Self::INFO.name);
                detection(&self.method()?, &settings, evidence)
            }
        }
    };
}

with_settings!(variant! {
    /// Settings of CD-L, which keeps the logits.
    Cdl = logits,
    DetectorInfo {
        name: "cd-l",
        title: "Cognitive Distillation on logits (CD-L)",
        summary: "Optimises for each image the smallest mask that keeps the logits; a small mask is suspicious.",
        ..INFO
    }
});

with_settings!(variant! {
    /// Settings of CD-F, which keeps a feature map.
    Cdf = features,
    DetectorInfo {
        name: "cd-f",
        title: "Cognitive Distillation on features (CD-F)",
        summary: "Optimises for each image the smallest mask that keeps the last feature map; a small mask is suspicious.",
        ..INFO
    },
    /// Where features are read: `stage1`.., `deep` or `penultimate`.
    tap = Tap::Deep.to_string()
});

impl CognitiveDistillation {
    /// The method of `config`; `None` for other detectors.
    ///
    /// # Errors
    ///
    /// When the settings name something that does not exist.
    pub fn from_config(config: &DetectorConfig) -> Result<Option<Self>, DetectError> {
        match config {
            DetectorConfig::Cdl(config) => config.method().map(Some),
            DetectorConfig::Cdf(config) => config.method().map(Some),
            _ => Ok(None),
        }
    }
}

/// Defaults of later settings are left out of files, so that runs from before them keep their names.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// As [`is_zero`].
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

const NORMS: &str = "norms";
const MASKS: &str = "masks";

/// Searches the images under suspicion and then the trusted ones.
fn detection(
    method: &CognitiveDistillation,
    settings: &str,
    evidence: &Evidence<'_>,
) -> Result<Option<Detection>, DetectError> {
    let method = &method.fitted(evidence.model, evidence.images, &evidence.compute)?;
    let search = |name, task, images| {
        let sweep = Sweep {
            name,
            task,
            settings,
            images,
            columns: &[(NORMS, Kind::Numbers), (MASKS, Kind::Bytes)],
        };
        searched(method, &sweep, evidence)
    };
    let found = search("searched", "distilling", evidence.images)?;
    let trusted = evidence.clean.map(|clean| clean.images);
    let clean = match trusted.filter(|images: &Pixels<'_>| !images.is_empty()) {
        None => None,
        Some(images) => match search("trusted", "distilling trusted images", images)? {
            Some((norms, _)) => Some(norms),
            None => return Ok(None),
        },
    };
    Ok(found.map(|(raw, masks)| Detection {
        measure: Measure {
            title: title(method),
            direction: Direction::Low,
            scale: Scale::Ratio,
        },
        raw,
        clean,
        masks: Some(masks),
        own: None,
        classes: Vec::new(),
    }))
}

/// What is measured, with the weight where it was found for the set.
fn title(method: &CognitiveDistillation) -> Cow<'static, str> {
    if method.settings.median_mask == 0.0 {
        "L1 norm of the mask".into()
    } else {
        format!("L1 norm of the mask, alpha {:.2e}", method.alpha()).into()
    }
}

/// Norms and masks of all images; `None` when parts of other shards are missing.
fn searched(
    method: &CognitiveDistillation,
    sweep: &Sweep<'_>,
    evidence: &Evidence<'_>,
) -> Result<Option<(Vec<f64>, Masks)>, DetectError> {
    let found = sweep.run(&evidence.compute, |Batch { numbers, images }| {
        let done = method.distill(evidence.model, images, &numbers)?;
        let [_, channels, height, width] = done.masks.dims();
        Ok(vec![
            Column::Numbers(done.norms),
            Column::Bytes {
                shape: [channels, height, width],
                values: quantize(&to_host(done.masks)),
            },
        ])
    })?;
    Ok(found.map(|mut found| (found.numbers(NORMS), found.masks(MASKS))))
}
