//! Every picture of a list is decoded once before anything relies on it, or known from an earlier start.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use cd_core::{Progress, Task};
use rayon::prelude::*;

use super::index::{Index, Stamp};
use super::source::{Picture, PictureSource, Room};
use super::{Decoding, PictureError, Place, Region};

/// How pictures are checked.
#[derive(Clone, Copy)]
pub(crate) struct Check<'a> {
    /// Folder that the names are relative to.
    pub(crate) base: &'a Path,
    /// How they are decoded.
    pub(crate) decoding: Decoding,
    /// Memory for decoded pictures.
    pub(crate) room: &'a Arc<Room>,
    /// Folder of what is remembered from one start to the next.
    pub(crate) index: Option<&'a Path>,
    /// Told of every picture that is decoded.
    pub(crate) progress: &'a dyn Progress,
}

/// Pictures that can be used and pictures that cannot.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Those that can, in order.
    pub(crate) source: PictureSource,
    /// Their positions among all, ascending.
    pub(crate) good: Vec<usize>,
    /// Those that cannot, in order.
    pub(crate) bad: Vec<BadPicture>,
}

/// A picture that cannot be used.
#[derive(Debug)]
pub(crate) struct BadPicture {
    /// Its position among all.
    pub(crate) at: usize,
    /// Why.
    pub(crate) reason: PictureError,
}

impl Check<'_> {
    /// Checks the pictures of these names and places, in parallel.
    pub(crate) fn run(self, pictures: &[(&str, &Place)]) -> Checked {
        let regions = pictures.iter().map(|(name, place)| (*name, place.region()));
        let regions = Region::words(&regions.collect::<Vec<_>>());
        let mut index = self
            .index
            .map(|folder| Index::open(folder, self.base, self.decoding, &regions));
        let file = index.as_ref().map(|index| index.path().to_owned());
        let stamps = stamps(pictures, index.is_some());
        let known = |at: usize| index.as_ref()?.digest(pictures[at].0, stamps[at]?);
        let known: Vec<_> = (0..pictures.len()).map(known).collect();
        let checked = self.decoded(pictures, &known);
        if let Some(index) = &mut index {
            for (at, picture) in checked.iter().enumerate() {
                if let (Ok(picture), Some(stamp), None) = (picture, stamps[at], known[at]) {
                    index.remember(pictures[at].0, stamp, picture.digest());
                }
            }
        }
        // Also when some are bad: the next start will find the others unchanged.
        if let Some(index) = index {
            let names: HashSet<&str> = pictures.iter().map(|(name, _)| *name).collect();
            index.save(|name| names.contains(name));
        }
        let mut usable = Vec::with_capacity(checked.len());
        let (mut good, mut bad) = (Vec::with_capacity(checked.len()), Vec::new());
        for (at, picture) in checked.into_iter().enumerate() {
            match picture {
                Ok(picture) => {
                    usable.push(picture);
                    good.push(at);
                }
                Err(reason) => bad.push(BadPicture { at, reason }),
            }
        }
        let animated = usable.iter().filter(|picture| picture.is_animated).count();
        if animated > 0 {
            tracing::warn!(
                animated,
                "some pictures are animations: only the first picture of each is read"
            );
        }
        let source = PictureSource::new(usable, self.decoding, Arc::clone(self.room), file);
        Checked { source, good, bad }
    }

    fn decoded(
        self,
        pictures: &[(&str, &Place)],
        known: &[Option<[u8; 32]>],
    ) -> Vec<Result<Picture, PictureError>> {
        let unknown = known.iter().filter(|digest| digest.is_none()).count();
        let task = (unknown > 0)
            .then(|| Task::start(self.progress, "reading pictures", Some(unknown as u64)));
        let check = |(&(_, place), known): (&(&str, &Place), &Option<[u8; 32]>)| {
            let place = place.clone();
            if let Some(digest) = *known {
                return Ok(Picture::known(place, digest));
            }
            let picture = if self.is_named(&place) {
                Picture::decoded(place, self.decoding, self.room)
            } else {
                Err(PictureError::Name)
            };
            if let Some(task) = &task {
                task.advance(1);
            }
            picture
        };
        pictures.par_iter().zip(known).map(check).collect()
    }

    /// Whether lists and tables can hold the name of a picture.
    fn is_named(self, place: &Place) -> bool {
        let path = place.path();
        path.strip_prefix(self.base)
            .unwrap_or(path)
            .to_str()
            .is_some()
    }
}

/// How the files look before any of them is decoded; not asked for without need.
fn stamps(pictures: &[(&str, &Place)], wanted: bool) -> Vec<Option<Stamp>> {
    if !wanted {
        return vec![None; pictures.len()];
    }
    let stamp = |(_, place): &(&str, &Place)| place.stamp();
    pictures.par_iter().map(stamp).collect()
}

#[cfg(test)]
mod tests;
