//! Adap-k-way: the pixels of k-way, and stamped images that keep their label.
//!
//! **Threat model.** As k-way; cover images carry one of the pixels and keep their label, so that one pixel alone is not enough.
//!
//! **Paper.** Qi, Xie, Li, Mahloujifar and Mittal, "Revisiting the Assumption of Latent Separability for Backdoor Defenses", ICLR 2023.
//!
//! **How ours differs.** Pixels equal the backdoor-toolbox. Their places follow the size of the image.

use serde::{Deserialize, Serialize};

use super::kway::Dots;
use super::option::{AttackOption, option, within};
use super::{Attack, AttackError, AttackInfo, CraftContext, LabelMode, Trigger};
use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// What Adap-k-way is.
pub(super) const INFO: AttackInfo = AttackInfo {
    name: "adap-k-way",
    title: "Adap-k-way",
    summary: "One of four coloured pixels in every training image, some of which keep their label; all four in test images.",
    threat_model: "Changes images and labels of part of the training data, and stamps others that keep their label; knows nothing of \
        the model.",
    paper: "Qi, Xie, Li, Mahloujifar, Mittal: Revisiting the Assumption of Latent Separability for Backdoor Defenses, ICLR 2023",
    differs: "Pixels equal the backdoor-toolbox; places follow the size of the image.",
    label_mode: LabelMode::Dirty,
    options: OPTIONS,
};

const OPTIONS: &[AttackOption] = &[option(
    "cover_rate",
    "0 to 1; share of the training images",
    "stamped images that keep their label; as `poison.rate` when absent",
)];

/// Options of Adap-k-way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdapKWayConfig {
    /// Cover images as a share of all training images, 0 to 1; `poison.rate` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cover_rate: Option<f64>,
}

impl Attack for AdapKWayConfig {
    fn info(&self) -> &'static AttackInfo {
        &INFO
    }

    fn check(&self) -> Result<(), AttackError> {
        let cover = self.cover_rate.unwrap_or(0.0);
        within(
            INFO.name,
            "cover_rate",
            cover,
            0.0..=1.0,
            "a number from 0 to 1",
        )
    }

    fn prepare(&self, _context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError> {
        Ok(Box::new(Dots))
    }

    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        request.with_covers(&request.label_map()?, self.cover_rate, 1.0)
    }
}
