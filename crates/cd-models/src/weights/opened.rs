//! A weights file with the network in it found.

use std::path::Path;

use burn::tensor::Device;

use super::about::{About, about};
use super::entry::Entries;
use super::error::{WeightsError, unrecognised};
use super::normalising::{self, Layer, layers};
use super::read::{self, Contents};
use super::select::{Beside, Choice, Names, Problem, Wanted, choose, networks};
use super::state::StateDict;
use crate::model::normalization::Normalization;

/// A weights file, what is in it, and which network of it is meant.
pub(super) struct Opened {
    pub(super) contents: Contents,
    pub(super) names: Names,
    pub(super) about: Option<About>,
    pub(super) choice: Result<Choice, Problem>,
    /// Nothing where no network was chosen.
    pub(super) beside: Beside,
}

impl Opened {
    pub(super) fn new(
        path: &Path,
        wanted: &Wanted<'_>,
        device: &Device,
    ) -> Result<Self, WeightsError> {
        let contents = read::read(path)?.named_as_in_pytorch(device);
        let about = about(path, &contents.metadata)?;
        let stated = about.as_ref().map(|about| about.architecture.as_str());
        let wanted = Wanted { stated, ..*wanted };
        let names = Names::of(&contents.entries);
        let layers = all_layers(&contents.entries);
        let found = networks(&contents.entries, &names, &layers, &wanted, device);
        let choice = choose(&contents.entries, found, &wanted);
        let beside = match &choice {
            Ok(choice) => {
                let mut beside = Beside::of(&contents.entries, &names, &layers, choice);
                beside
                    .notes
                    .extend(choice.taken.translation_notes(&contents.entries));
                beside
            }
            Err(_) => Beside::default(),
        };
        Ok(Self {
            contents,
            names,
            about,
            choice,
            beside,
        })
    }

    /// The error that a problem of the choice is.
    pub(super) fn refusal(&self, path: &Path, problem: &Problem) -> WeightsError {
        let entries = &self.contents.entries;
        let claims = self.contents.check_claims(entries.values());
        match (claims, problem) {
            (Err(error), _) => error,
            (_, Problem::Unrecognised) => unrecognised(path, entries),
            (_, Problem::Ambiguous(keys)) => WeightsError::Ambiguous {
                path: path.to_owned(),
                keys: keys.join(", "),
            },
            (_, Problem::NoSuchKey(keys)) => WeightsError::NoSuchKey {
                path: path.to_owned(),
                keys: keys.join(", "),
            },
        }
    }

    /// The normalisation that was saved with the network, with words on where it stands.
    pub(super) fn normalization(
        &self,
        path: &Path,
    ) -> Result<Option<(Normalization, String)>, WeightsError> {
        let refused = |names: String, reason: String| WeightsError::Normalization {
            path: path.to_owned(),
            names,
            reason,
        };
        let named = |layer: &Layer| format!("`{}` and `{}`", layer.mean, layer.deviation);
        let mut found: Option<(Normalization, String)> = None;
        for layer in &self.beside.normalising {
            let [mean, deviation] =
                [&layer.mean, &layer.deviation].map(|name| self.contents.values(name));
            let (normalization, was_bytes) = normalising::normalization(&mean?, &deviation?)
                .map_err(|reason| refused(named(layer), reason))?;
            if let Some((other, names)) = &found {
                if *other == normalization {
                    continue;
                }
                let names = format!("{names}, {}", named(layer));
                return Err(refused(
                    names,
                    "the file has several that differ".to_owned(),
                ));
            }
            let scale = if was_bytes {
                ", turned from pixels of 0 to 255"
            } else {
                ""
            };
            found = Some((normalization, format!("{}{scale}", named(layer))));
        }
        Ok(found)
    }

    /// How weights that everybody has want their images, where the network seems to be those and the file says nothing.
    pub(super) fn published(&self) -> Option<(Normalization, String)> {
        if self.about.is_some() {
            return None;
        }
        let (config, classes) = self.choice.as_ref().ok()?.taken.model.as_ref()?;
        let architecture = config.architecture().ok()?;
        let published = architecture.family.published?;
        let as_published = config
            .width
            .is_none_or(|width| width == architecture.family.default_width);
        (as_published && *classes == published.classes).then(|| {
            let words = format!(
                "that of the published weights of {} ({classes} classes), since the file states none,",
                architecture.title
            );
            (published.normalization, words)
        })
    }

    /// The values of the network that was chosen.
    pub(super) fn state(&self, choice: &Choice) -> Result<StateDict, WeightsError> {
        self.contents.state(&choice.taken.names)
    }
}

/// Pairs of single numbers count where a state dict or network has them.
fn all_layers(entries: &Entries) -> Vec<Layer> {
    let in_state = |name: &str| {
        let group = &entries[name].group;
        let together = entries.values().filter(|entry| &entry.group == group);
        together.filter(|entry| entry.shape.len() == 4).count() > 0
    };
    layers(entries, in_state)
}
