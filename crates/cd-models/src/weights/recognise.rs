//! Which architecture weights are of, by names and shapes.

use burn::tensor::Device;

use super::exchange::shapes;
use super::state::{Shapes, StateDict, same_values};
use super::translation::Translation;
use crate::model::config::ModelConfig;
use crate::registry::{ARCHITECTURES, Architecture, Output};

impl ModelConfig {
    /// Reads architecture, width and class count off the names and shapes of `state`.
    ///
    /// `device` is where a network of each candidate is laid out, without weights, for comparison.
    pub fn recognise(state: &StateDict, device: &Device) -> Option<(Self, usize)> {
        recognise(&state.shapes(), device)
    }

    /// Width and class count of weights that are known to be of this architecture.
    pub(super) fn probe(&self, shapes: &Shapes) -> Option<(usize, usize)> {
        let architecture = self.architecture().ok()?;
        architecture.probe(&exported(shapes, architecture))
    }
}

/// The registered architecture that most of `shapes` fits; `None` when nothing looks alike.
///
/// `stated` is the architecture that the weights claim to be; it decides between equal fits.
pub(super) fn nearest(shapes: &Shapes, stated: Option<&str>, device: &Device) -> Option<Nearest> {
    let candidates = candidates(shapes, device).into_iter();
    let best = candidates.min_by_key(|one| (one.misfits, Some(&*one.config.name) != stated))?;
    let alike = best.misfits * 2 < shapes.len();
    alike.then_some(Nearest {
        config: best.config,
        classes: best.classes,
        misfits: best.misfits,
    })
}

/// How well `shapes` fit an architecture; `None` where width or number of classes are neither given nor told.
pub(super) fn as_model(
    config: &ModelConfig,
    classes: Option<usize>,
    shapes: &Shapes,
    device: &Device,
) -> Option<Nearest> {
    let architecture = config.architecture().ok()?;
    let probed = config.probe(shapes);
    let width = config.width.or(probed.map(|(width, _)| width))?;
    let classes = classes.or(probed.map(|(_, classes)| classes))?;
    let misfits = misfits(
        architecture,
        width,
        classes,
        &exported(shapes, architecture),
        device,
    );
    Some(Nearest {
        config: config.clone().with_width(width),
        classes,
        misfits,
    })
}

impl Architecture {
    /// Width and class count of weights with these exported names, judged by the first and last
    /// layer alone.
    fn probe(&self, shapes: &Shapes) -> Option<(usize, usize)> {
        /// Wider networks, in published widths, are not built to find out what a file is.
        const WIDEST: usize = 16;
        let rows = |name: &str| {
            let shape = shapes.get(name)?;
            let filled = shape.iter().all(|&extent| extent > 0);
            shape.first().filter(|_| filled).copied()
        };
        let width = rows(self.family.stem)?;
        let classes = match self.family.output {
            Output::Classes(name) => rows(name)?,
            Output::Attributes(prefix, suffix) => shapes
                .keys()
                .filter(|name| name.starts_with(prefix) && name.ends_with(suffix))
                .count(),
        };
        let plausible = classes > 0 && width <= WIDEST * self.family.default_width;
        plausible.then_some((width, classes))
    }
}

fn exported(shapes: &Shapes, architecture: &Architecture) -> Shapes {
    Translation::of(architecture, shapes).shapes(shapes)
}

/// What weights look like.
pub(super) struct Nearest {
    pub(super) config: ModelConfig,
    pub(super) classes: usize,
    /// Parameters that are missing, extra or misshaped.
    pub(super) misfits: usize,
}

struct Candidate {
    config: ModelConfig,
    classes: usize,
    /// Parameters that are missing, extra or misshaped.
    misfits: usize,
    published: bool,
}

pub(super) fn recognise(shapes: &Shapes, device: &Device) -> Option<(ModelConfig, usize)> {
    let best = candidates(shapes, device).into_iter().next()?;
    (best.misfits == 0).then_some((best.config, best.classes))
}

/// Architectures whose first and last layer the weights have, the best fit first.
///
/// Among equal fits the published width wins: two vision transformers may differ in nothing else.
fn candidates(state: &Shapes, device: &Device) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = ARCHITECTURES
        .iter()
        .filter_map(|entry| {
            let state = exported(state, entry);
            let (width, classes) = entry.probe(&state)?;
            let config = ModelConfig {
                name: entry.name.to_owned(),
                width: Some(width),
            };
            Some(Candidate {
                config,
                classes,
                misfits: misfits(entry, width, classes, &state, device),
                published: width == entry.family.default_width,
            })
        })
        .collect();
    found.sort_by_key(|candidate| (candidate.misfits, !candidate.published));
    found
}

/// Parameters that are missing, extra or misshaped.
fn misfits(
    architecture: &Architecture,
    width: usize,
    classes: usize,
    exported: &Shapes,
    device: &Device,
) -> usize {
    let own = shapes(&architecture.build(width, classes, device));
    let fits = |(name, shape): &&(String, Vec<usize>)| {
        exported
            .get(name)
            .is_some_and(|got| same_values(got, shape))
    };
    let fitting = own.iter().filter(fits).count();
    own.len().max(exported.len()) - fitting
}
