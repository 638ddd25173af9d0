//! Losses of every image in every recorded epoch, as a file: `[epochs][images]`, little-endian `f32`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cd_core::{Matrix, atomic};
use thiserror::Error;

/// Recorded losses that could not be read.
#[derive(Debug, Error)]
#[error("{}: {reason}", path.display())]
pub struct LossesError {
    path: PathBuf,
    reason: String,
}

/// Writes `losses` to `path`, whole or not at all; the same losses give the same bytes.
///
/// # Errors
///
/// When the file cannot be written; a former one stays.
pub fn write_losses(path: &Path, losses: &Matrix) -> io::Result<()> {
    atomic::write(path, &encoded(losses))
}

/// Reads what [`write_losses`] wrote for a set of `images` images: `[epochs][images]`.
///
/// # Errors
///
/// When the file cannot be read, or its epochs are not whole.
pub fn read_losses(path: &Path, images: usize) -> Result<Matrix, LossesError> {
    let failed = |reason: String| LossesError {
        path: path.to_owned(),
        reason,
    };
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    decoded(&bytes, images).map_err(failed)
}

pub(super) fn encoded(losses: &Matrix) -> Vec<u8> {
    let values = losses.values().iter();
    values.flat_map(|loss| loss.to_le_bytes()).collect()
}

pub(super) fn decoded(bytes: &[u8], images: usize) -> Result<Matrix, String> {
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() || images == 0 || !values.len().is_multiple_of(images) {
        return Err(format!(
            "{} bytes of losses are no whole number of epochs of {images} images",
            bytes.len()
        ));
    }
    let values = values.iter().map(|value| f32::from_le_bytes(*value));
    Ok(Matrix::new(images, values.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_come_back_and_damaged_files_are_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("losses.f32");
        let losses = Matrix::new(3, vec![0.5, 1.5, -0.0, 7.0, f32::MIN_POSITIVE, 2.0]);
        write_losses(&path, &losses).expect("written");
        assert_eq!(read_losses(&path, 3).expect("whole"), losses);
        assert_eq!(fs::read(&path).expect("written").len(), 24);
        for images in [0, 4] {
            let error = read_losses(&path, images).expect_err("not whole");
            assert!(
                error.to_string().contains("losses.f32: 24 bytes"),
                "{error}"
            );
        }
        fs::write(&path, [0; 13]).expect("damaged");
        assert!(read_losses(&path, 3).is_err());
        fs::remove_file(&path).expect("there");
        assert!(read_losses(&path, 3).is_err());
        write_losses(&path, &Matrix::default()).expect("nothing recorded");
        assert_eq!(read_losses(&path, 3).expect("no epochs").rows(), 0);
    }
}
