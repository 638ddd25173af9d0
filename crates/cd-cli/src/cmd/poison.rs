//! `poison`: a poisoned copy of a data set as pictures, with the truth beside it.

use std::path::Path;

use anyhow::{Context, Result};
use cd_data::poison::poison_on;
use cd_data::{Manifest, PoisonConfig, Selection, export};
use cd_eval::scores::TruthRow;
use cd_models::ImageSet;

use super::attacks::named;
use super::{Session, data};
use crate::Ending;
use crate::args::PoisonArgs;
use crate::output;

pub(crate) fn poison(args: &PoisonArgs, session: &Session) -> Result<Ending> {
    let config = PoisonConfig {
        attack: named(&args.attack, &args.attack_set)?,
        rate: args.rate,
        target: args.target,
        labels: args.labels,
        seed: args.seed,
        select: Selection::default(),
    };
    let split = data::load(&args.dataset, &args.out, session)?;
    let (poisoned, truth) = poison_on(&split, &config, &session.device, &session.bars)?;
    let images = args.out.join("images");
    let mut rows = write(poisoned.train(), truth.train(), &images, "train", session)?;
    if let (Some(test), Some(manifest)) = (poisoned.test(), truth.test()) {
        rows.extend(write(test, manifest, &images, "test", session)?);
        manifest.write(&args.out.join("manifest-test.json"))?;
    }
    truth.train().write(&args.out.join("manifest-train.json"))?;
    cd_eval::scores::write_truth(&args.out.join("truth.csv"), &rows)?;
    output::line(&images.display().to_string())?;
    Ok(Ending::Done)
}

/// Exports one split and says of every picture what is true about it.
fn write(
    set: &ImageSet,
    manifest: &Manifest,
    images: &Path,
    split: &str,
    session: &Session,
) -> Result<Vec<TruthRow>> {
    let folder = images.join(split);
    let files = export(set, &folder, &session.bars)?;
    let poisoned = manifest.is_poisoned();
    files
        .iter()
        .zip(poisoned)
        .map(|(file, poisoned)| {
            let path = Path::new(split).join(file);
            let file = path.to_str().context("exported names are plain text")?;
            Ok(TruthRow {
                file: file.to_owned(),
                poisoned,
            })
        })
        .collect()
}
