//! Results of a long detection on disk, part by part.
//!
//! A set is cut into parts of [`PART_LEN`] images. Each part is one file that appears whole, so an
//! interrupted run continues at the next part, and shards may work on different parts of one folder.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use cd_models::atomic;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::error::DetectError;

/// Images per part; fixed, so that files fit whatever the batch size.
pub(crate) const PART_LEN: usize = 64;

/// The part files of one detection.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    folder: &'a Path,
    /// Fingerprint of everything that the results depend on.
    identity: &'a str,
}

/// Results of consecutive images.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Part {
    pub(crate) norms: Vec<f64>,
    /// Channels, height and width of a mask.
    pub(crate) shape: [usize; 3],
    /// `[N, channels, height, width]`, 0 to 255.
    pub(crate) masks: Vec<u8>,
}

/// The image ranges of the parts of a set of `count` images.
pub(crate) fn ranges(count: usize) -> Vec<Range<usize>> {
    (0..count)
        .step_by(PART_LEN)
        .map(|start| start..(start + PART_LEN).min(count))
        .collect()
}

impl<'a> Parts<'a> {
    pub(crate) fn new(folder: &'a Path, identity: &'a str) -> Self {
        Self { folder, identity }
    }

    /// Reads the part of `range`; `None` when it has not been computed yet.
    pub(crate) fn read(&self, range: &Range<usize>) -> Result<Option<Part>, DetectError> {
        let path = self.path(range);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(DetectError::Io { path, source }),
        };
        let damaged = |reason: String| DetectError::DamagedPart {
            path: path.clone(),
            reason,
        };
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let identity = header.metadata().as_ref().and_then(|m| m.get("identity"));
        if identity.map(String::as_str) != Some(self.identity) {
            return Err(DetectError::OtherRun {
                path: self.folder.to_owned(),
            });
        }
        let part = decode(&bytes, range.len()).map_err(damaged)?;
        Ok(Some(part))
    }

    /// Writes the part of `range` atomically.
    pub(crate) fn write(&self, range: &Range<usize>, part: &Part) -> Result<(), DetectError> {
        let path = self.path(range);
        let norms: Vec<u8> = part.norms.iter().flat_map(|n| n.to_le_bytes()).collect();
        let [channels, height, width] = part.shape;
        let shape = vec![range.len(), channels, height, width];
        let views = [
            TensorView::new(Dtype::F64, vec![range.len()], &norms).map(|view| ("norms", view)),
            TensorView::new(Dtype::U8, shape, &part.masks).map(|view| ("masks", view)),
        ];
        let metadata = HashMap::from([("identity".to_owned(), self.identity.to_owned())]);
        let bytes = views
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .and_then(|views| safetensors::serialize(views, Some(metadata)))
            .map_err(io::Error::other)
            .map_err(|source| DetectError::Io {
                path: path.clone(),
                source,
            })?;
        atomic::write(&path, &bytes).map_err(|source| DetectError::Io { path, source })
    }

    fn path(&self, range: &Range<usize>) -> PathBuf {
        self.folder
            .join(format!("part-{:08}.safetensors", range.start))
    }
}

fn decode(bytes: &[u8], count: usize) -> Result<Part, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    let norms = file.tensor("norms").map_err(|error| error.to_string())?;
    let masks = file.tensor("masks").map_err(|error| error.to_string())?;
    let &[masks_count, channels, height, width] = masks.shape() else {
        return Err(format!("masks have shape {:?}", masks.shape()));
    };
    if norms.shape() != [count] || masks_count != count {
        return Err(format!("it holds {masks_count} images, expected {count}"));
    }
    let (values, _) = norms.data().as_chunks::<8>();
    Ok(Part {
        norms: values.iter().map(|v| f64::from_le_bytes(*v)).collect(),
        shape: [channels, height, width],
        masks: masks.data().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Part {
        Part {
            norms: vec![1.5, 2.5],
            shape: [1, 1, 2],
            masks: vec![1, 2, 3, 4],
        }
    }

    #[test]
    fn parts_come_back_and_foreign_or_damaged_ones_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let parts = Parts::new(folder.path(), "a");
        let range = 64..66;
        assert_eq!(parts.read(&range).expect("readable"), None);
        parts.write(&range, &part()).expect("written");
        assert_eq!(parts.read(&range).expect("readable"), Some(part()));

        let other = Parts::new(folder.path(), "b").read(&range);
        assert!(matches!(other, Err(DetectError::OtherRun { .. })));

        let path = parts.path(&range);
        let whole = fs::read(&path).expect("read");
        fs::write(&path, &whole[..whole.len() - 1]).expect("written");
        let damaged = parts.read(&range).expect_err("truncated").to_string();
        assert!(damaged.contains("part-00000064"), "{damaged}");
    }

    #[test]
    fn ranges_cover_the_set_once() {
        assert_eq!(ranges(130), [0..64, 64..128, 128..130]);
        assert!(ranges(0).is_empty());
    }
}
