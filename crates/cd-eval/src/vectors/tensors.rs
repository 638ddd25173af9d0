//! Vectors and class scores of all images, on disk.

use cd_detect::{Column, Compute, DetectError, Kept, Kind, Store, Sweep};
use cd_models::burn::tensor::Tensor;
use cd_models::{Classifier, Tap, to_host};

use super::Vectors;

const COLUMNS: [(&str, Kind); 2] = [("features", Kind::Vectors), ("logits", Kind::Vectors)];
/// Position of the vectors among the columns.
pub(super) const FEATURES: usize = 0;
/// Position of the class scores among the columns.
pub(super) const LOGITS: usize = 1;

/// What the network sees, of every image.
pub(super) struct Seen<'a> {
    kept: Kept,
    vectors: &'a Vectors<'a>,
}

/// What it sees of consecutive images.
pub(super) struct Part {
    /// Position of the first image.
    pub(super) first: usize,
    /// Vectors and class scores.
    pub(super) columns: [Table; 2],
}

/// Rows of one length.
pub(super) struct Table {
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

impl Part {
    pub(super) fn images(&self) -> usize {
        let features = &self.columns[FEATURES];
        features.values.len() / features.width
    }
}

impl<'a> Seen<'a> {
    /// Computes what is not in `store` yet.
    pub(super) fn compute(
        vectors: &'a Vectors<'a>,
        store: Store<'_>,
        compute: &Compute<'_>,
    ) -> Result<Self, DetectError> {
        let name = vectors.tap.to_string();
        let sweep = Sweep {
            name: &name,
            task: &format!("reading {name}"),
            settings: "",
            images: vectors.images.into(),
            columns: &COLUMNS,
        };
        // The network is computed once where its last layer can be computed alone.
        let at_the_head = vectors.tap == Tap::Penultimate;
        let head = vectors.model.head().filter(|_| at_the_head);
        let kept = sweep.keep(store, compute, |batch| {
            let features = vectors.model.features(batch.images.clone(), vectors.tap)?;
            let features: Tensor<2> = features.flatten(1, 3);
            let logits = match &head {
                Some(head) => head.scores(features.clone()),
                None => vectors.model.logits(batch.images),
            };
            let columns = [features, logits].map(column);
            for column in &columns {
                let Column::Vectors { width, values } = column else {
                    continue;
                };
                if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                    let index = batch.numbers[at / width];
                    return Err(DetectError::ModelOutput { index });
                }
            }
            Ok(columns.into())
        })?;
        let kept = kept.expect("the only process has all parts");
        Ok(Self { kept, vectors })
    }

    /// Length of a vector.
    pub(super) fn width(&self) -> Result<usize, DetectError> {
        let first = self.parts().next().transpose()?;
        Ok(first.map_or(0, |part| part.columns[FEATURES].width))
    }

    /// All of it in the order of the images; a part at a time is in memory.
    pub(super) fn parts(&self) -> impl Iterator<Item = Result<Part, DetectError>> {
        let mut first = 0;
        self.kept.parts().map(move |columns| {
            let mut columns = columns?.into_iter().map(|column| match column {
                Column::Vectors { width, values } => Table { width, values },
                _ => unreachable!("both columns are vectors"),
            });
            let mut next = || columns.next().expect("a sweep has all of its columns");
            let part = Part {
                first,
                columns: [next(), next()],
            };
            first += part.images();
            debug_assert!(first <= self.vectors.images.len());
            Ok(part)
        })
    }
}

fn column(values: Tensor<2>) -> Column {
    Column::Vectors {
        width: values.dims()[1],
        values: to_host(values),
    }
}
