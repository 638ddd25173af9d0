//! What a scan could have seen: backdoors of its own, planted in copies of training images and looked for as everything else.

mod treatment;
mod trigger;

use std::ops::Range;

use cd_core::random::{named, stream};
use cd_core::{Key, content_key};
use cd_detect::{Canary, Power};
use cd_models::ImageSet;
use rand::seq::SliceRandom;

use self::trigger::Kind;
use super::Work;
use super::classifier::Trained;
use super::data::{Data, Keyed};
use super::decide::{Decided, finders, flagged_by_any};
use super::detect::{Search, Searched};
use crate::experiment::{CanaryStage, SearchedImages};
use crate::pipeline::PipelineError;

/// Fewer images of a class cannot be taken apart, so nothing is planted there.
const SMALLEST_CLASS: usize = 40;
/// Copies of each backdoor, at least: fewer are learned one by one.
const FEWEST: usize = 8;
/// Copies of a clean-label backdoor or a treatment, as a share of its target class, and the largest share of all images: fewer are learned
/// by heart, and published attacks of these kinds need as many.
const WEAK_SHARE: f64 = 0.5;
const WEAK_MOST: f64 = 0.05;

/// The training images with the planted ones behind them.
#[derive(Debug)]
pub(crate) struct Planted {
    /// With those that are trained on.
    pub(super) images: Keyed,
    /// Behind these those that only detectors without a classifier look for.
    all: Keyed,
    backdoors: Vec<Backdoor>,
}

/// One planted backdoor.
#[derive(Debug, Clone, PartialEq)]
struct Backdoor {
    kind: Kind,
    target: u32,
    /// The images that are copied.
    sources: Vec<usize>,
    /// Where the copies stand in the set.
    places: Range<usize>,
}

/// Plants what the experiment asks for, treatments too where `with_treatments`; `None` when nothing can be: see [`why_not`].
pub(super) fn plant(
    stage: CanaryStage,
    train: &ImageSet,
    with_treatments: bool,
) -> Result<Option<Planted>, PipelineError> {
    let mut backdoors = chosen(stage, train.labels(), train.class_count());
    backdoors.retain(|one| with_treatments || !one.kind.is_treatment());
    if backdoors.is_empty() {
        return Ok(None);
    }
    let mut set = train.clone();
    let (treatments, learned): (Vec<&Backdoor>, Vec<&Backdoor>) =
        backdoors.iter().partition(|one| one.kind.is_treatment());
    for backdoor in learned {
        copy(train, backdoor, stage.seed, &mut set)?;
    }
    let images = Keyed::of(set.clone())?;
    let first = set.len();
    for backdoor in treatments {
        copy(train, backdoor, stage.seed, &mut set)?;
    }
    let behind: Vec<usize> = (first..set.len()).collect();
    let all = Keyed {
        key: Key::of("planted")
            .text("images", &images.key)
            .text("treatments", &content_key(&set.subset(&behind))?)
            .finish(),
        set,
    };
    Ok(Some(Planted {
        images,
        all,
        backdoors,
    }))
}

/// Puts copies of a backdoor's sources behind the others of `set`, with its trigger and its label.
fn copy(
    train: &ImageSet,
    backdoor: &Backdoor,
    seed: u64,
    set: &mut ImageSet,
) -> Result<(), PipelineError> {
    let kind = backdoor.kind;
    for &source in &backdoor.sources {
        let mut pixels = train.pixels(source)?.to_vec();
        kind.stamp(&mut pixels, [train.height(), train.width()], seed, source);
        let name = format!("planted {} of {}", kind.name(), train.name(source));
        set.push(name, &pixels, backdoor.target)?;
    }
    Ok(())
}

/// The backdoors for images with these labels: each with a target class of its own, drawn from the classes that are large enough.
fn chosen(stage: CanaryStage, labels: &[u32], class_count: usize) -> Vec<Backdoor> {
    let mut sizes = vec![0_usize; class_count];
    for &label in labels {
        sizes[label as usize] += 1;
    }
    let large = (0..class_count).filter(|&class| sizes[class] >= SMALLEST_CLASS);
    let mut targets: Vec<u32> = large.map(|class| class as u32).collect();
    if class_count < 2 {
        return Vec::new();
    }
    targets.shuffle(&mut stream(stage.seed, named("canary targets")));
    let of_all = |share: f64| (share * labels.len() as f64).ceil() as usize;
    let mut start = labels.len();
    let mut backdoors = Vec::new();
    for (kind, target) in Kind::ALL.into_iter().zip(targets) {
        let class = sizes[target as usize];
        let wanted = match kind {
            Kind::CleanLabel | Kind::Filter | Kind::Warp => {
                let half = (WEAK_SHARE * class as f64) as usize;
                half.min(of_all(WEAK_MOST))
            }
            Kind::Patch | Kind::Blend | Kind::Sticker => of_all(stage.rate).min(class),
        };
        let takes = |&image: &usize| kind.takes(labels[image], target);
        let mut sources: Vec<usize> = (0..labels.len()).filter(takes).collect();
        sources.shuffle(&mut stream(stage.seed, named(kind.name())));
        sources.truncate(wanted.max(FEWEST));
        let places = start..start + sources.len();
        start = places.end;
        backdoors.push(Backdoor {
            kind,
            target,
            sources,
            places,
        });
    }
    backdoors
}

/// Why nothing was planted, where that is so; known before any work but for the last.
fn why_not(work: &Work<'_>, data: &Data) -> Option<String> {
    let experiment = work.experiment;
    let reason = if experiment.given_weights().is_some() {
        "nothing is trained in this scan, so nothing could be planted"
    } else if experiment.canary.is_none() {
        "no canary was asked for"
    } else if data.searched_images != SearchedImages::Train {
        "the searched images are not those of training"
    } else if data.planted.is_none() {
        "no class has the 40 images, with others beside it, that it takes to look for what is planted"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

/// Looks for the planted images as everything else was looked for, among the images that were not flagged; `None` when parts of other
/// shards are missing.
pub(crate) fn power(
    work: &Work<'_>,
    data: &Data,
    trained: Option<&Trained>,
    decided: &[Decided],
) -> Result<Option<Power>, PipelineError> {
    let unknown = |reason: String| Ok(Some(Power::Unknown { reason }));
    if let Some(reason) = why_not(work, data) {
        return unknown(reason);
    }
    let finders = finders(work, decided);
    let Some(planted) = data.planted.as_ref().filter(|_| !finders.is_empty()) else {
        return unknown("no detector judges classes".to_owned());
    };
    let flagged = flagged_by_any(&finders, data)?;
    let kept = data.positions.iter().zip(flagged);
    let positions: Vec<usize> = kept
        .filter(|(_, flagged)| !flagged)
        .map(|(&at, _)| at)
        .collect();
    let first = positions.len();
    let before = data.poisoned.train().len();
    let behind = |planted: &Keyed| {
        let mut positions = positions.clone();
        positions.extend(before..planted.set.len());
        (searched(planted, &positions), positions)
    };
    let (learned, all) = (behind(&planted.images), behind(&planted.all));
    let mut flagged = vec![false; all.1.len()];
    for (finder, _) in finders {
        let (images, positions) = if finder.detector.detector().looks_at_classifier() {
            &learned
        } else {
            &all
        };
        let detector = finder.detector.for_flags();
        let search = Search {
            work,
            data,
            searched: Searched { images, positions },
            trained,
            reference: None,
            config: &detector,
        };
        let name = finder.detector.detector().info().name;
        let Some(slot) = search.stored(&format!("canary/{name}"))? else {
            return Ok(None);
        };
        let own = super::numbers::read(&slot.folder(), images.set.len())?.own;
        for (all, flag) in flagged
            .iter_mut()
            .zip(own.map_or(Vec::new(), |own| own.flagged))
        {
            *all |= flag;
        }
    }
    let canaries = planted.backdoors.iter().map(|backdoor| {
        let places = backdoor.places.clone().map(|place| first + place - before);
        Canary {
            kind: backdoor.kind.name().to_owned(),
            class: backdoor.target,
            rate: backdoor.sources.len() as f64 / before.max(1) as f64,
            planted: backdoor.sources.len(),
            found: places.filter(|&place| flagged[place]).count(),
        }
    });
    Ok(Some(Power::Measured {
        canaries: canaries.collect(),
    }))
}

/// The images at `positions`, to be searched.
fn searched(images: &Keyed, positions: &[usize]) -> Keyed {
    Keyed {
        set: images.set.subset(positions),
        key: Key::of("searched")
            .text("images", &images.key)
            .with("positions", positions)
            .finish(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(sizes: &[usize]) -> Vec<u32> {
        let of = |(class, &size): (usize, &usize)| vec![class as u32; size];
        sizes.iter().enumerate().flat_map(of).collect()
    }

    #[test]
    fn every_backdoor_has_a_class_of_its_own_and_images_that_fit_it() {
        let sizes = [300, 20, 400, 300, 100, 150, 50];
        let labels = labels(&sizes);
        for seed in 0..20 {
            let stage = CanaryStage {
                seed,
                ..CanaryStage::default()
            };
            let planted = chosen(stage, &labels, sizes.len());
            assert_eq!(planted.len(), Kind::ALL.len());
            let mut targets: Vec<u32> = planted.iter().map(|one| one.target).collect();
            targets.sort_unstable();
            targets.dedup();
            assert!(
                targets.len() == planted.len() && !targets.contains(&1),
                "{targets:?}"
            );
            let mut next = labels.len();
            for one in &planted {
                let class = sizes[one.target as usize];
                let count = match one.kind {
                    Kind::CleanLabel | Kind::Filter | Kind::Warp => 66.min(class / 2),
                    _ => 14,
                };
                assert_eq!((one.places.start, one.places.len()), (next, count));
                next = one.places.end;
                let fits = |&image: &usize| {
                    (labels[image] == one.target) == (one.kind == Kind::CleanLabel)
                };
                assert!(one.sources.iter().all(fits), "{one:?}");
            }
        }
    }

    #[test]
    fn small_sets_get_what_fits_them() {
        let stage = CanaryStage::default();
        assert!(chosen(stage, &labels(&[30, 30]), 2).is_empty());
        assert!(chosen(stage, &labels(&[300]), 1).is_empty());
        let planted = chosen(stage, &labels(&[50, 50]), 2);
        let counts: Vec<usize> = planted.iter().map(|one| one.sources.len()).collect();
        assert_eq!(counts, [FEWEST, FEWEST]);
    }

    #[test]
    fn planted_images_stand_behind_the_others_and_change_none() {
        let names = (0..6).map(|class| class.to_string()).collect();
        let mut set = ImageSet::new(8, 8, names);
        for image in 0..246_usize {
            // No level that a filter may leave as it is, and something to bend.
            let pixels: Vec<u8> = (0..8 * 8 * 3)
                .map(|at| (60 + (7 * at + image) % 61) as u8)
                .collect();
            set.push(image.to_string(), &pixels, (image % 6) as u32)
                .expect("fits");
        }
        let planted = plant(CanaryStage::default(), &set, true)
            .expect("fits")
            .expect("large enough");
        let all = &planted.all.set;
        let treated = planted
            .backdoors
            .iter()
            .filter(|one| one.kind.is_treatment());
        let treated: usize = treated.map(|one| one.places.len()).sum();
        assert_eq!(treated, 2 * 13);
        assert_eq!(all.len(), planted.images.set.len() + treated);
        let learned: Vec<usize> = (0..planted.images.set.len()).collect();
        assert_eq!(all.subset(&learned), planted.images.set);
        let first: Vec<usize> = (0..set.len()).collect();
        assert_eq!(all.subset(&first), set);
        for backdoor in &planted.backdoors {
            for (place, &source) in backdoor.places.clone().zip(&backdoor.sources) {
                assert_eq!(all.labels()[place], backdoor.target);
                let pixels = |at| all.pixels(at).expect("in memory");
                assert_ne!(pixels(place), pixels(source));
            }
        }
        let learned = plant(CanaryStage::default(), &set, false)
            .expect("fits")
            .expect("large enough");
        assert_eq!(learned.images.key, planted.images.key);
        assert_eq!(learned.all.set, learned.images.set);
        assert_eq!(learned.backdoors.len(), 4);
    }
}
