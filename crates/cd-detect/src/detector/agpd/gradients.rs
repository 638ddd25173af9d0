//! Gradients of the labelled class where BatchNorms begin, averaged over positions.

use std::ops::Range;

use cd_core::{Matrix, Pixels};
use cd_models::burn::tensor::{Tensor, TensorData};
use cd_models::{Model, NormLayer, to_host};

use super::Agpd;
use crate::error::DetectError;
use crate::evidence::Evidence;
use crate::sweep::{Batch, Column, Kind, Sweep};

const GRADIENTS: &str = "gradients";

/// A layer and its columns in the rows of gradients.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    pub(super) name: String,
    pub(super) columns: Range<usize>,
}

/// Gradients of images at all layers.
#[derive(Debug)]
pub(super) struct Rows(pub(super) Matrix);

impl Rows {
    pub(super) fn count(&self) -> usize {
        self.0.rows()
    }

    /// The gradient of an image at a layer.
    pub(super) fn at(&self, layer: &Layer, image: usize) -> &[f32] {
        &self.0.row(image)[layer.columns.clone()]
    }

    /// The mean over `images`; `None` for none.
    pub(super) fn mean(&self, layer: &Layer, images: &[usize]) -> Option<Vec<f64>> {
        let mut sum = vec![0.0; layer.columns.len()];
        for &image in images {
            add(&mut sum, self.at(layer, image));
        }
        let count = images.len() as f64;
        for sum in &mut sum {
            *sum /= count;
        }
        (!images.is_empty()).then_some(sum)
    }
}

pub(super) fn add(sum: &mut [f64], values: &[f32]) {
    for (sum, &value) in sum.iter_mut().zip(values) {
        *sum += f64::from(value);
    }
}

/// Cosine of the angle between two vectors; 0 where one has no length.
pub(super) fn cosine(a: &[f32], b: &[f64]) -> f64 {
    let (mut product, mut first, mut second) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let a = f64::from(a);
        product += a * b;
        first += a * a;
        second += b * b;
    }
    let lengths = (first * second).sqrt();
    if lengths > 0.0 {
        product / lengths
    } else {
        0.0
    }
}

/// The BatchNorms that are looked at: all but those of the stem and of shortcuts.
fn looked_at(model: &Model) -> Vec<NormLayer> {
    let mut layers = model.norm_layers();
    let residual = layers.iter().any(|layer| layer.name.starts_with("layer"));
    layers.retain(|layer| {
        let beside = layer.name.contains("shortcut") || layer.name.contains("downsample");
        !(beside || residual && layer.name == "bn1")
    });
    layers
}

/// Their names and columns.
pub(super) fn layers(model: &Model) -> Result<Vec<Layer>, DetectError> {
    let mut first = 0;
    let layers: Vec<Layer> = looked_at(model)
        .into_iter()
        .map(|layer| {
            let columns = first..first + layer.mean.dims()[0];
            first = columns.end;
            Layer {
                name: layer.name,
                columns,
            }
        })
        .collect();
    if layers.is_empty() {
        return Err(DetectError::Unfit {
            detector: Agpd::INFO.name,
            reason: "it has no BatchNorm behind its convolutions",
        });
    }
    Ok(layers)
}

/// Gradients of all images with their `labels`; `None` when parts of other shards are missing.
pub(super) fn swept(
    name: &str,
    evidence: &Evidence<'_>,
    images: Pixels<'_>,
    labels: &[u32],
) -> Result<Option<Rows>, DetectError> {
    let model = evidence.trainable()?;
    let sweep = Sweep {
        name,
        task: "taking gradients",
        settings: "",
        images,
        columns: &[(GRADIENTS, Kind::Vectors)],
    };
    let swept = sweep.run(&evidence.compute, |Batch { numbers, images }| {
        let labels: Vec<u32> = numbers
            .iter()
            .map(|&number| labels[number as usize])
            .collect();
        let (width, values) = of_batch(model, images, &labels);
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(DetectError::ModelOutput {
                index: numbers[at / width],
            }),
            None => Ok(vec![Column::Vectors { width, values }]),
        }
    })?;
    Ok(swept.map(|mut swept| Rows(swept.vectors(GRADIENTS))))
}

/// Length of a row, and the rows of a batch.
pub(super) fn of_batch(model: &Model, images: Tensor<4>, labels: &[u32]) -> (usize, Vec<f32>) {
    let layers = looked_at(model);
    let (count, device) = (labels.len(), images.device());
    let gradients = model.norm_gradients(images, &layers, |logits| {
        let classes = logits.dims()[1];
        let mut chosen = vec![0.0_f32; count * classes];
        for (image, &label) in labels.iter().enumerate() {
            if let Some(one) = chosen.get_mut(image * classes + label as usize) {
                *one = 1.0;
            }
        }
        let chosen = TensorData::new(chosen, [count, classes]);
        (logits * Tensor::<2>::from_data(chosen, &device).autodiff()).sum()
    });
    let width = layers.iter().map(|layer| layer.mean.dims()[0]).sum();
    let mut rows = vec![0.0; count * width];
    let mut first = 0;
    for (layer, gradient) in layers.iter().zip(gradients) {
        let channels = layer.mean.dims()[0];
        if let Some(gradient) = gradient {
            let means = to_host(gradient.mean_dims(&[2, 3]));
            for (image, means) in means.chunks_exact(channels).enumerate() {
                let start = image * width + first;
                rows[start..start + channels].copy_from_slice(means);
            }
        }
        first += channels;
    }
    (width, rows)
}
