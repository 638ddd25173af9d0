//! The side in pixels that pictures are read at when nobody says one.

use std::path::Path;

use anyhow::Result;
use cd_models::{InputSize, WeightsRequest};

use super::Session;

/// Published sides from here on are those of networks for photographs, which all expect them.
const PHOTOGRAPHS: usize = 96;

/// Weights that were named, and the key of the network in their file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) file: &'a Path,
    pub(crate) key: Option<&'a str>,
}

/// The side for `weights` on pictures that by themselves are best read at `pictures`, and where it is from.
///
/// The run that trained the weights knows it; some architectures fix it; and pictures of nearly the published side are meant for
/// that side.
pub(crate) fn for_weights(
    weights: Given<'_>,
    pictures: usize,
    session: &Session,
) -> Result<(usize, String)> {
    if let Some(side) = trained_at(weights.file) {
        return Ok((
            side,
            "which the run that trained the weights has".to_owned(),
        ));
    }
    let request = WeightsRequest::under(weights.key);
    let architecture = request.load(weights.file, &session.device)?.architecture();
    let input = architecture.family.input;
    let published = input.published();
    let of_published = match input {
        InputSize::Exactly(_) => true,
        InputSize::From { .. } => published >= PHOTOGRAPHS || near(pictures, published),
    };
    if of_published {
        let why = format!("which {} is published for", architecture.title);
        return Ok((published, why));
    }
    let side = pictures.max(input.smallest());
    Ok((side, "chosen from the sizes of the pictures".to_owned()))
}

/// Whether rounding would take one for the other.
fn near(side: usize, published: usize) -> bool {
    let (square, published) = (side * side, published * published);
    square < 2 * published && published < 2 * square
}

/// The side in the settings of the run in whose folder `train` the weights lie, or below whose folder `mitigate`.
fn trained_at(weights: &Path) -> Option<usize> {
    let mut run = weights.parent()?.parent()?;
    if run.file_name().is_some_and(|name| name == "mitigate") {
        run = run.parent()?;
    }
    let text = std::fs::read_to_string(run.join("config.toml")).ok()?;
    let settings: toml::Table = toml::from_str(&text).ok()?;
    let side = settings.get("dataset")?.get("size")?.as_integer()?;
    usize::try_from(side).ok().filter(|&side| side > 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_run_tells_the_side_of_its_weights() {
        let folder = tempfile::tempdir().expect("scratch");
        let weights = folder.path().join("train/model.safetensors");
        assert_eq!(trained_at(&weights), None);
        for (text, side) in [
            ("[dataset]\nsize = 96", Some(96)),
            ("[dataset]\nsize = -1", None),
            ("[dataset]\nname = \"demo\"", None),
            ("no settings", None),
        ] {
            fs::write(folder.path().join("config.toml"), text).expect("written");
            assert_eq!(trained_at(&weights), side, "{text}");
            let cured = folder.path().join("mitigate/unlearn/model.safetensors");
            assert_eq!(trained_at(&cured), side, "{text}");
        }
    }

    #[test]
    fn nearly_the_published_side_is_meant_for_it() {
        assert!(near(35, 32) && near(28, 32) && near(32, 32));
        assert!(!near(64, 32) && !near(46, 32) && !near(16, 32));
    }
}
