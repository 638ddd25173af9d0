//! The verdict of a run for its report.

use std::path::Path;

use cd_detect::SuspectClass;
use tracing::warn;

use crate::findings;
use crate::picture::Picture;
use crate::pipeline::PipelineError;
use crate::report::VerdictSection;
use crate::run_dir::RunDir;

/// The verdict with pictures of the recovered triggers, or of what suspicious images share; `None` where the run reached none.
pub(super) fn section(run: &RunDir) -> Result<Option<VerdictSection>, PipelineError> {
    let Some(verdict) = findings::verdict(run.path())? else {
        return Ok(None);
    };
    let classes = verdict.classes.iter();
    let triggers = classes.map(|class| trigger(run.path(), class)).collect();
    Ok(Some(VerdictSection { verdict, triggers }))
}

/// The picture of a class. One that cannot be read is left out: the figures stand without it.
fn trigger(folder: &Path, class: &SuspectClass) -> Option<Picture> {
    let of_proof = class
        .proof
        .as_ref()
        .and_then(|proof| proof.picture.as_ref());
    let path = folder.join(class.picture.as_ref().or(of_proof)?);
    let image = image::open(&path).map(|image| image.to_rgb8());
    match image {
        Ok(image) => {
            let (width, height) = (image.width() as usize, image.height() as usize);
            Picture::new(width, height, image.into_raw()).ok()
        }
        Err(error) => {
            warn!(
                "{}: {error}; the report leaves this picture out",
                path.display()
            );
            None
        }
    }
}
