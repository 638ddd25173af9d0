//! Logits, losses and accuracy of a frozen classifier over a whole image set.

use burn::tensor::{Device, Tensor};
use cd_conv::Occupied;
use cd_core::{Pixels, Progress, StorageError, workers};

use crate::batch::{host_batch, to_host};
use crate::classifier::Classifier;
use crate::device::is_cpu;
use crate::memory::images_at_once;

/// Logits of every image of a set.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    classes: usize,
    logits: Vec<f32>,
}

impl Predictions {
    /// Logits of images over `classes` classes, image after image.
    ///
    /// # Panics
    ///
    /// When those of the last image are not whole.
    pub fn new(classes: usize, logits: Vec<f32>) -> Self {
        assert!(
            logits.len().checked_rem(classes).unwrap_or(logits.len()) == 0,
            "{} logits of {classes} classes",
            logits.len()
        );
        Self { classes, logits }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.logits.len() / self.classes.max(1)
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.logits.is_empty()
    }

    /// Logits of image `index`, one per class.
    pub fn logits(&self, index: usize) -> &[f32] {
        &self.logits[index * self.classes..(index + 1) * self.classes]
    }

    /// The class with the largest logit; the lower one on ties.
    pub fn class(&self, index: usize) -> u32 {
        let logits = self.logits(index);
        let best =
            (0..logits.len()).fold(0, |best, k| if logits[k] > logits[best] { k } else { best });
        best as u32
    }

    /// Cross-entropy of image `index` against `label`, natural logarithm.
    pub fn cross_entropy(&self, index: usize, label: u32) -> f32 {
        let logits = self.logits(index);
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|logit| (logit - top).exp()).sum();
        sum.ln() + top - logits[label as usize]
    }

    /// Share of images whose class equals `labels`, in `[0, 1]`; `None` for no images.
    pub fn accuracy(&self, labels: &[u32]) -> Option<f64> {
        if labels.is_empty() {
            return None;
        }
        let right = (0..labels.len()).filter(|&i| self.class(i) == labels[i]);
        Some(right.count() as f64 / labels.len() as f64)
    }

    /// The first image with a logit that is not finite.
    pub fn first_non_finite(&self) -> Option<usize> {
        let position = self.logits.iter().position(|logit| !logit.is_finite());
        position.map(|at| at / self.classes.max(1))
    }
}

/// Runs `model` over all images of `set`, at most `batch_size` at a time; the next batch is prepared on another thread meanwhile. On a
/// CPU every thread has a batch of its own, of [as many images](images_at_once) as are fast, and computes without waiting for the others.
///
/// `progress` advances by the images of each batch; a [`Task`](cd_core::Task) around the call begins and ends the stage.
///
/// # Errors
///
/// When pixels cannot be read.
///
/// # Panics
///
/// When `model` does not give one row of logits for each image.
pub fn predict<'a>(
    model: &dyn Classifier,
    set: impl Into<Pixels<'a>>,
    batch_size: usize,
    device: &Device,
    progress: &dyn Progress,
) -> Result<Predictions, StorageError> {
    let set = set.into();
    let indices: Vec<usize> = (0..set.len()).collect();
    let on_cpu = is_cpu(device);
    let threads = if on_cpu {
        rayon::current_num_threads()
    } else {
        1
    };
    // The last bits of a row may depend on how many rows there are, so their number must not follow from that of threads.
    let at_once = images_at_once(batch_size, set.height(), set.width(), device);
    let parts: Vec<&[usize]> = indices.chunks(at_once).collect();
    let mut found = vec![(0, Vec::new()); parts.len()];
    workers::each(
        parts.len(),
        threads,
        |part| host_batch(set, parts[part]),
        |_, images| {
            let _occupied = on_cpu.then(Occupied::begin);
            let logits = model.logits(Tensor::from_data(images, device));
            Ok((logits.dims(), to_host(logits)))
        },
        |part, ([images, classes], logits)| {
            assert_eq!(images, parts[part].len(), "rows of logits, one an image");
            found[part] = (classes, logits);
            progress.advance(parts[part].len() as u64);
            Ok(())
        },
    )?;
    Ok(Predictions {
        classes: found.first().map_or(0, |(classes, _)| *classes),
        logits: found.into_iter().flat_map(|(_, logits)| logits).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_losses_and_accuracy_follow_the_logits() {
        let predictions = Predictions {
            classes: 2,
            logits: vec![0.0, 0.0, 1.0, 3.0],
        };
        assert_eq!((predictions.class(0), predictions.class(1)), (0, 1));
        assert!((predictions.cross_entropy(0, 1) - 2.0_f32.ln()).abs() < 1e-6);
        assert_eq!(predictions.accuracy(&[1, 1]), Some(0.5));
        assert_eq!(predictions.first_non_finite(), None);
    }
}
