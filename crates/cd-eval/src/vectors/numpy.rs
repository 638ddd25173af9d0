//! Vectors as NumPy reads them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use cd_core::npy::{self, Element};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::row::rows;
use super::tensors::{FEATURES, LOGITS, Seen};
use super::{Vectors, VectorsError};

/// Archives above it need fields that older readers do not know.
const LARGE: u64 = 1 << 31;

/// Writes a column as one array, `[images, width]`.
pub(super) fn write_npy(
    path: &Path,
    vectors: &Vectors<'_>,
    seen: &Seen<'_>,
    column: usize,
) -> Result<(), VectorsError> {
    let failed = || VectorsError::io(path);
    let file = File::create(path).map_err(failed())?;
    let mut out = BufWriter::new(file);
    write_column(&mut out, path, vectors, seen, column)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error);
    file.and_then(|file| file.sync_data()).map_err(failed())
}

fn write_column(
    out: &mut dyn Write,
    path: &Path,
    vectors: &Vectors<'_>,
    seen: &Seen<'_>,
    column: usize,
) -> Result<(), VectorsError> {
    let failed = || VectorsError::io(path);
    for part in seen.parts() {
        let part = part?;
        let table = &part.columns[column];
        if part.first == 0 {
            let shape = [vectors.images.len(), table.width];
            npy::write_header::<f32>(out, &shape).map_err(failed())?;
        }
        npy::write_values(out, &table.values).map_err(failed())?;
    }
    Ok(())
}

/// Writes `features`, `logits` where they are asked for, `label` (-1 where there is none), `predicted` and `confidence`.
pub(super) fn write_npz(
    path: &Path,
    vectors: &Vectors<'_>,
    seen: &Seen<'_>,
) -> Result<(), VectorsError> {
    let failed = || VectorsError::io(path);
    let file = File::create(path).map_err(failed())?;
    let mut archive = Archive {
        zip: ZipWriter::new(BufWriter::new(file)),
        path,
    };
    for (name, column) in [("features", FEATURES), ("logits", LOGITS)] {
        if column == FEATURES || vectors.logits {
            let width = seen.parts().next().transpose()?;
            let width = width.map_or(0, |part| part.columns[column].width);
            archive.begin(name, 4 * vectors.images.len() as u64 * width as u64)?;
            write_column(&mut archive.zip, path, vectors, seen, column)?;
        }
    }
    let (mut labels, mut predicted, mut confidence) = (Vec::new(), Vec::new(), Vec::new());
    for part in seen.parts() {
        for row in rows(vectors.images, &part?) {
            labels.push(row.label.map_or(-1, |(label, _)| i64::from(label)));
            predicted.push(row.predicted as i64);
            confidence.push(row.confidence);
        }
    }
    archive.array("label", &labels)?;
    archive.array("predicted", &predicted)?;
    archive.array("confidence", &confidence)?;
    let out = archive.zip.finish().map_err(io::Error::from);
    let file = out.and_then(|out| out.into_inner().map_err(io::IntoInnerError::into_error));
    file.and_then(|file| file.sync_data()).map_err(failed())
}

struct Archive<'a> {
    zip: ZipWriter<BufWriter<File>>,
    path: &'a Path,
}

impl Archive<'_> {
    /// Begins the member of an array of about so many bytes.
    fn begin(&mut self, name: &str, bytes: u64) -> Result<(), VectorsError> {
        // Without the time of writing the same vectors give the same bytes.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(bytes >= LARGE);
        let begun = self.zip.start_file(format!("{name}.npy"), options);
        begun.map_err(|error| VectorsError::io(self.path)(error.into()))
    }

    fn array<T: Element>(&mut self, name: &str, values: &[T]) -> Result<(), VectorsError> {
        self.begin(name, 8 * values.len() as u64)?;
        let written = npy::write_header::<T>(&mut self.zip, &[values.len()])
            .and_then(|()| npy::write_values(&mut self.zip, values));
        written.map_err(VectorsError::io(self.path))
    }
}
