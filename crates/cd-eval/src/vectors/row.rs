//! What stands beside the vectors in a row: path, label, and what the network takes the image for.

use std::fs::File;
use std::io;
use std::path::Path;

use cd_core::Labels;
use cd_models::ImageSet;

use super::tensors::{LOGITS, Part, Seen};
use super::{Vectors, VectorsError};

/// An image, its label and what the network takes it for.
pub(super) struct Row<'a> {
    /// Its name in the set.
    pub(super) path: &'a str,
    /// Its class and the name of that, where it has one.
    pub(super) label: Option<(u32, &'a str)>,
    /// The class with the largest score, the lower one on ties.
    pub(super) predicted: usize,
    /// The probability of that class.
    pub(super) confidence: f32,
}

/// The rows of a part.
pub(super) fn rows<'a>(images: &'a ImageSet, part: &Part) -> impl Iterator<Item = Row<'a>> {
    let logits = &part.columns[LOGITS];
    let rows = logits.values.chunks(logits.width).zip(part.first..);
    rows.map(|(logits, index)| {
        let (predicted, confidence) = prediction(logits);
        Row {
            path: &images.names()[index],
            label: label(images, index),
            predicted,
            confidence,
        }
    })
}

fn label(images: &ImageSet, index: usize) -> Option<(u32, &str)> {
    match images.annotations() {
        Labels::Class(labels) => {
            let label = labels[index];
            Some((label, images.class_names()[label as usize].as_str()))
        }
        Labels::Attributes(_) | Labels::None => None,
    }
}

fn prediction(logits: &[f32]) -> (usize, f32) {
    let best = (0..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best });
    let away = logits
        .iter()
        .map(|&logit| f64::from(logit - logits[best]).exp());
    (best, (1.0 / away.sum::<f64>()) as f32)
}

/// Writes the rows as a table of text.
pub(super) fn write_csv(
    path: &Path,
    vectors: &Vectors<'_>,
    seen: &Seen<'_>,
) -> Result<(), VectorsError> {
    let failed = |error: csv::Error| VectorsError::io(path)(io::Error::other(error));
    let file = File::create(path).map_err(VectorsError::io(path))?;
    let mut table = csv::Writer::from_writer(file);
    table
        .write_record(["path", "label", "predicted", "confidence"])
        .map_err(failed)?;
    for part in seen.parts() {
        for row in rows(vectors.images, &part?) {
            let label = row.label.map_or("", |(_, name)| name);
            let (predicted, confidence) = (row.predicted.to_string(), row.confidence.to_string());
            let record = [row.path, label, &predicted, &confidence];
            table.write_record(record).map_err(failed)?;
        }
    }
    let file = table.into_inner();
    let synced = file.map_err(|error| io::Error::other(error.to_string()));
    synced
        .and_then(|file| file.sync_data())
        .map_err(VectorsError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_scores_is_predicted_and_scores_of_any_size_have_a_confidence() {
        assert_eq!(prediction(&[1.0, 3.0, 3.0]).0, 1);
        assert_eq!(prediction(&[5.0]), (0, 1.0));
        let (class, confidence) = prediction(&[1e30, -1e30]);
        assert_eq!((class, confidence), (0, 1.0));
        assert!((prediction(&[0.0, 3.0_f32.ln()]).1 - 0.75).abs() < 1e-6);
    }
}
