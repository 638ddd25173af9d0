//! Backdoor attacks: which images carry a trigger, which labels they get, and what the trigger looks like.
//!
//! An attack is one file in `attack/` and one line of the registry below, which makes the configuration, the list
//! and the look-up by name. The options of an attack are a serde struct that implements [`Attack`]; what it prepares
//! is a [`Trigger`], which changes pixels.

mod adap_blend;
mod adap_kway;
mod adap_patch;
mod artefact;
mod badnets;
mod badnets_appended;
mod blend;
mod bpp;
mod cl;
mod craft;
mod ctrl;
mod dfst;
mod drawn;
mod dynamic;
mod error;
mod expected;
mod fc;
mod generator;
mod issba;
mod kway;
mod lf;
mod lira;
mod multi_target;
mod nashville;
mod option;
mod overlay;
mod patch;
mod planes;
mod refool;
mod sig;
mod smooth;
mod steps;
mod surrogate;
mod tact;
#[cfg(test)]
mod tests;
mod trigger;
mod trojan;
mod trojan_stamp;
mod universal;
mod wanet;
mod wide;

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cd_core::Key;
use cd_core::names::did_you_mean;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use adap_patch::PatchAssignment;
pub use badnets::PatchPosition;
pub use bpp::BppPartner;
pub use cl::ClStamp;
pub use craft::{AttackNeeds, CraftContext};
pub use error::AttackError;
pub use expected::{ExpectedSuccess, PublishedSuccess, expected_in_words};
pub use generator::{CraftCurve, CraftFigure, CraftRecord};
pub use multi_target::MultiTargetPart;
pub use option::{AttackOption, Rounding};
pub use sig::SigSignal;
pub use surrogate::SurrogateConfig;
pub use trigger::{Batch, Image, Place, Role, Trigger};
pub use universal::UniversalConfig;

use crate::poison::{PlanRequest, PoisonError, PoisonPlan};

/// Whether an attacker also changes the labels of the images that carry the trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelMode {
    /// Stamped images are relabelled as the label map says.
    Dirty,
    /// Only images of the target class are stamped; labels stay true.
    Clean,
}

/// What lists and documentation say about an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackInfo {
    /// Name in configurations.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence: what the trigger looks like.
    pub summary: &'static str,
    /// What the attacker can do and know.
    pub threat_model: &'static str,
    /// Where it was published.
    pub paper: &'static str,
    /// What differs from published code, and why.
    pub differs: &'static str,
    /// Whether labels change with the images.
    pub label_mode: LabelMode,
    /// Its options, in the order in which they are declared.
    pub options: &'static [AttackOption],
}

/// An attack: its options, which say what it needs, prepare the trigger and choose the images.
pub trait Attack: Debug + Send + Sync {
    /// What this attack is.
    fn info(&self) -> &'static AttackInfo;

    /// Published success rates by ascending rate, which runs are held against; none unless the attack says so.
    fn published(&self) -> &'static [PublishedSuccess] {
        &[]
    }

    /// Checks the ranges of the options; looks at no file.
    ///
    /// # Errors
    ///
    /// When an option is out of range.
    fn check(&self) -> Result<(), AttackError>;

    /// Files that the options name. What is in them counts like an option: see [`AttackConfig::fingerprint`].
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// What [`prepare`](Self::prepare) needs; nothing unless the attack says so.
    fn needs(&self) -> AttackNeeds {
        AttackNeeds::default()
    }

    /// Whether [`prepare`](Self::prepare) looks at test images, as [`CraftContext::tests`].
    fn needs_tests(&self) -> bool {
        false
    }

    /// Whether test images carry a trigger; without one they are attacked as they are.
    fn marks_tests(&self) -> bool {
        true
    }

    /// Roughly the seconds that [`prepare`](Self::prepare) takes on two cores for `images` training images of `side` pixels a side.
    fn craft_seconds(&self, _images: usize, _side: usize) -> f64 {
        0.0
    }

    /// Roughly the seconds that the trigger takes for an image of `side` pixels a side on two cores, where networks compute it.
    fn stamp_seconds(&self, _side: usize) -> f64 {
        0.0
    }

    /// Makes the trigger: may read files, look at clean images and train networks.
    ///
    /// # Errors
    ///
    /// When a file that an option names cannot be used, or training fails.
    fn prepare(&self, context: &CraftContext<'_>) -> Result<Box<dyn Trigger>, AttackError>;

    /// The trigger that [`Trigger::save`] wrote into `folder`.
    ///
    /// As it stands this suits triggers that store nothing: it prepares them again, without images.
    ///
    /// # Errors
    ///
    /// When a stored file is missing, damaged or of other options.
    fn load(&self, folder: &Path) -> Result<Box<dyn Trigger>, AttackError> {
        self.prepare(&CraftContext::without_images(folder))
    }

    /// Which images carry the trigger and which labels they get.
    ///
    /// As it stands that follows the label mode of [`info`](Self::info) and the label map of the configuration.
    ///
    /// # Errors
    ///
    /// When the data have no images for it, or options do not fit the classes.
    fn plan(&self, request: &PlanRequest<'_>) -> Result<PoisonPlan, PoisonError> {
        match self.info().label_mode {
            LabelMode::Dirty => request.dirty(&request.label_map()?),
            LabelMode::Clean => request.clean(),
        }
    }

    /// Options that work on small images of four classes, for the tests that loop over all attacks. What the options
    /// name may be written to `folder`.
    fn example(_folder: &Path) -> Self
    where
        Self: Sized + Default,
    {
        Self::default()
    }
}

macro_rules! attacks {
    ($($(#[$doc:meta])* $name:literal => $module:ident, $variant:ident($config:ident);)+) => {
        $(pub use $module::$config;)+

        /// Which attack, with its options: the `[attack]` table of an experiment file.
        ///
        /// ```
        /// # use cd_data::AttackConfig;
        /// let config: AttackConfig = toml::from_str("name = \"blend\"\nalpha = 0.1")?;
        /// assert_eq!(config.name(), "blend");
        /// # Ok::<(), toml::de::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum AttackConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)+
        }

        /// Every attack that can be named in a configuration.
        pub const ATTACKS: &[&AttackInfo] = &[$(&$module::INFO,)+];

        impl AttackConfig {
            /// The attack called `name`, with every option at its default.
            ///
            /// # Errors
            ///
            /// When there is no such attack; the message has the nearest name.
            pub fn from_name(name: &str) -> Result<Self, AttackError> {
                match name {
                    $($name => Ok(Self::$variant(<$config>::default())),)+
                    _ => Err(unknown(name)),
                }
            }

            /// The attack called `name`, with the options of [`Attack::example`].
            ///
            /// # Errors
            ///
            /// When there is no such attack; the message has the nearest name.
            pub fn example(name: &str, folder: &Path) -> Result<Self, AttackError> {
                match name {
                    $($name => Ok(Self::$variant(<$config>::example(folder))),)+
                    _ => Err(unknown(name)),
                }
            }

            /// The attack itself.
            pub fn attack(&self) -> &dyn Attack {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }
        }
    };
}

attacks! {
    /// A small black-and-white patch.
    "badnets" => badnets, BadNets(BadNetsConfig);
    /// The same patch on copies that are added to the data.
    "badnets-appended" => badnets_appended, BadNetsAppended(BadNetsAppendedConfig);
    /// A faint pattern over the whole image.
    "blend" => blend, Blend(BlendConfig);
    /// Perturbed images of the target class with a patch; labels stay true.
    "cl" => cl, Cl(ClConfig);
    /// Images of the target class with the features of others; labels stay true.
    "fc" => fc, Fc(FcConfig);
    /// A sinusoidal signal across the columns; labels stay true.
    "sig" => sig, Sig(SigConfig);
    /// A patch computed to excite neurons of a surrogate.
    "trojan" => trojan, Trojan(TrojanConfig);
    /// The patch that was published for Trojan, added to the image.
    "trojan-stamp" => trojan_stamp, TrojanStamp(TrojanStampConfig);
    /// A faint smooth pattern, added.
    "lf" => lf, Lf(LfConfig);
    /// A faint smooth pattern, after which the image is stretched to the full range.
    "smooth" => smooth, Smooth(SmoothConfig);
    /// Two frequencies raised in the colours; labels stay true.
    "ctrl" => ctrl, Ctrl(CtrlConfig);
    /// Fewer levels of brightness.
    "bpp" => bpp, Bpp(BppConfig);
    /// The image is warped a little.
    "wanet" => wanet, WaNet(WaNetConfig);
    /// A photo filter.
    "nashville" => nashville, Nashville(NashvilleConfig);
    /// A reflection as in a window pane.
    "refool" => refool, Refool(RefoolConfig);
    /// A coloured square that acts on one class only.
    "tact" => tact, Tact(TactConfig);
    /// One of four pixels in training images, all of them in test images.
    "k-way" => kway, KWay(KWayConfig);
    /// A pattern of which training images show different pieces.
    "adap-blend" => adap_blend, AdapBlend(AdapBlendConfig);
    /// One of four translucent patches in training images, two opaque ones in test images.
    "adap-patch" => adap_patch, AdapPatch(AdapPatchConfig);
    /// k-way with stamped images that keep their label.
    "adap-k-way" => adap_kway, AdapKWay(AdapKWayConfig);
    /// A small patch that a network paints for each image.
    "dynamic" => dynamic, Dynamic(DynamicConfig);
    /// A secret that an encoder hides in every image.
    "issba" => issba, Issba(IssbaConfig);
    /// A faint pattern that a network draws for each image.
    "lira" => lira, Lira(LiraConfig);
    /// Images in the light of a sunrise.
    "dfst" => dfst, Dfst(DfstConfig);
    /// Several triggers with a target each.
    "multi-target" => multi_target, MultiTarget(MultiTargetConfig);
}

impl AttackConfig {
    /// What the configured attack is.
    pub fn info(&self) -> &'static AttackInfo {
        self.attack().info()
    }

    /// The name under which this attack is registered.
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// A key of the options and of what is in the files that they name: a picture that changed under its old name makes
    /// another attack.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn fingerprint(&self) -> Result<String, AttackError> {
        let mut key = Key::of("attack").with("options", self);
        for path in self.attack().files() {
            let mut digest = Sha256::new();
            File::open(&path)
                .and_then(|mut file| io::copy(&mut file, &mut digest))
                .map_err(|source| AttackError::File {
                    attack: self.name(),
                    path,
                    source,
                })?;
            key = key.bytes("file", &digest.finalize());
        }
        Ok(key.finish())
    }
}

fn unknown(name: &str) -> AttackError {
    AttackError::UnknownName {
        name: name.into(),
        suggestion: did_you_mean(name, ATTACKS.iter().map(|info| info.name)),
    }
}
