//! CIFAR-10 as a tree of class folders, one picture file per image.

use cd_models::ImageSet;

use super::{CLASSES, Cifar10Config, Cifar10Error, SIDE};
use crate::dataset::folder::{FolderConfig, Reader, list};
use crate::dataset::{LoadContext, NotRead};
use crate::picture::Decoding;

/// Reads (train, test); pictures beyond the limits are not opened.
pub(super) fn read(
    config: &Cifar10Config,
    context: &LoadContext<'_>,
) -> Result<(ImageSet, ImageSet, NotRead), Cifar10Error> {
    let path = &config.path;
    let mut listed = list(&FolderConfig::new(path))?;
    if listed.class_names != CLASSES {
        return Err(Cifar10Error::TreeClasses {
            path: path.into(),
            found: listed.class_names,
        });
    }
    let mut test = listed
        .test
        .ok_or_else(|| Cifar10Error::TreeWithoutTest { path: path.into() })?;
    for (pictures, limit) in [
        (&mut listed.train, config.train_limit),
        (&mut test, config.test_limit),
    ] {
        if let Some(limit) = limit {
            pictures.limit(CLASSES.len(), limit, config.seed);
        }
    }
    let reader = Reader::new(Decoding::of_side(SIDE), context);
    let (mut sets, _) = reader.read(vec![listed.train, test], &listed.class_names)?;
    let test = sets.pop().expect("one set for each part");
    let train = sets.pop().expect("one set for each part");
    Ok((train, test, listed.not_read))
}
