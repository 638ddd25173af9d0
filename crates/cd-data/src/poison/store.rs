//! The second stage and its result: stamped images written to a folder, and laid over the clean data.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use cd_core::Progress;

use super::manifest::Manifest;
use super::overlay::{Overlaid, Pixels, Which};
use super::stamp::Stamping;
use super::{PoisonConfig, PoisonError, Poisoned, Truth, plan_for, stampings, stored, tell};
use crate::attack::Trigger;
use crate::dataset::Split;

fn manifest_path(folder: &Path, which: Which) -> PathBuf {
    folder.join(which.name()).with_extension("json")
}

fn pixels_path(folder: &Path, which: Which) -> PathBuf {
    folder.join(which.name()).with_extension("pixels")
}

/// Stamps the images of `split` that the attack poisons and writes them into `folder`: `train.json` and
/// `train.pixels`, and `test.json` and `test.pixels` where there are test images.
///
/// The manifests say which images were changed. The pixel files hold stamped images of `[height, width, 3]`, first those
/// that replace others by ascending index, then appended ones, and at the end the SHA-256 of each; `test.pixels` has all
/// triggered test images. Images are stamped so many at a time and on all threads; nothing is held in memory for long.
///
/// # Errors
///
/// When the data cannot be poisoned like this, or a file cannot be written; files appear whole or not at all.
pub fn write(
    split: &Split,
    config: &PoisonConfig,
    trigger: &dyn Trigger,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<(), PoisonError> {
    let plan = plan_for(split, config)?;
    tell(&plan, &split.train, config);
    fs::create_dir_all(folder).map_err(|source| PoisonError::Stored {
        path: folder.to_owned(),
        source,
    })?;
    for stamping in stampings(split, config, &plan) {
        let path = pixels_path(folder, stamping.split);
        stored::write(&path, &stamping, trigger, progress)?;
    }
    if let Some(test) = &split.test {
        let manifest = Manifest::test(config, test, &plan);
        manifest.write(&manifest_path(folder, Which::Test))?;
    }
    let manifest = Manifest::train(config, &split.train, &plan);
    Ok(manifest.write(&manifest_path(folder, Which::Train))?)
}

/// Lays the images that [`write()`] stored in `folder` over `split`, which must be the data that it was given.
///
/// Nothing is stamped, and stamped pixels stay in their files until they are asked for. The result equals that of
/// [`poison`](super::poison()).
///
/// # Errors
///
/// When a file is missing or has another size than the manifest needs, or the manifest is of other data or settings.
/// A byte that changed in a file is reported when its image is read.
pub fn read(
    split: &Split,
    config: &PoisonConfig,
    folder: &Path,
) -> Result<(Poisoned, Truth), PoisonError> {
    let plan = plan_for(split, config)?;
    let train = Manifest::train(config, &split.train, &plan);
    check_manifest(&manifest_path(folder, Which::Train), &train)?;
    if let Some(test) = &split.test {
        let test = Manifest::test(config, test, &plan);
        check_manifest(&manifest_path(folder, Which::Test), &test)?;
    }
    let mut data = Overlaid::new(split, &plan);
    for stamping in stampings(split, config, &plan) {
        lay_over(&mut data, &stamping, folder)?;
    }
    Ok(data.finish(split, config))
}

fn check_manifest(path: &Path, expected: &Manifest) -> Result<(), PoisonError> {
    if Manifest::read(path)? == *expected {
        return Ok(());
    }
    Err(PoisonError::Changed { path: path.into() })
}

fn lay_over(
    data: &mut Overlaid<'_>,
    stamping: &Stamping<'_>,
    folder: &Path,
) -> Result<(), PoisonError> {
    let path = pixels_path(folder, stamping.split);
    let source = stored::open(&path, stamping.len(), stamping.image_len())?;
    for number in 0..stamping.len() {
        data.put(stamping.split, number, &Pixels::Stored(&source, number))?;
    }
    Ok(())
}
