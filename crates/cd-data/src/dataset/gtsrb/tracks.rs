//! Tracks, the frames of one sign, which stay together when test pictures are set aside.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::dataset::FolderError;
use crate::dataset::folder::{Listed, Listing};

/// Fails when no share of tracks is meant.
pub(super) fn check(fraction: Option<f64>) -> Result<(), FolderError> {
    match fraction {
        Some(fraction) if !(fraction > 0.0 && fraction < 1.0) => {
            Err(FolderError::TestFraction { fraction })
        }
        _ => Ok(()),
    }
}

/// Sets the asked-for share of the tracks of every class aside, at least one of two and never all.
pub(super) fn divided(
    mut train: Listing,
    test: Option<Listing>,
    fraction: Option<f64>,
    seed: u64,
) -> Result<(Listing, Option<Listing>), FolderError> {
    let fraction = match (fraction, &test) {
        (None, _) => return Ok((train, test)),
        (Some(_), Some(test)) => {
            return Err(FolderError::TwoTestSets {
                path: test.root.clone(),
            });
        }
        (Some(fraction), None) => fraction,
    };
    let mut tracks: BTreeMap<String, BTreeMap<String, Vec<Listed>>> = BTreeMap::new();
    for picture in std::mem::take(&mut train.pictures) {
        let of_class = tracks.entry(picture.class.clone()).or_default();
        of_class
            .entry(track(&picture.name))
            .or_default()
            .push(picture);
    }
    let mut test = Vec::new();
    for (class, tracks) in (0..).zip(tracks.into_values()) {
        let mut tracks: Vec<Vec<Listed>> = tracks.into_values().collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(class);
        tracks.shuffle(&mut random);
        let wanted = (tracks.len() as f64 * fraction).round() as usize;
        let kept = tracks.split_off(wanted.max(1).min(tracks.len() - 1));
        test.extend(tracks.into_iter().flatten());
        train.pictures.extend(kept.into_iter().flatten());
    }
    if test.is_empty() {
        return Err(FolderError::NothingToTest { fraction });
    }
    for pictures in [&mut train.pictures, &mut test] {
        pictures.sort_by(|left, right| left.path.cmp(&right.path));
    }
    let test = Listing {
        root: train.root.clone(),
        base: train.base.clone(),
        pictures: test,
        class_names: train.class_names.clone(),
        not_read: crate::dataset::NotRead::default(),
    };
    Ok((train, Some(test)))
}

/// The track of a picture: its name without the number of the frame.
fn track(name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.rsplit_once('_')
        .map_or(stem, |(track, _)| track)
        .to_owned()
}
