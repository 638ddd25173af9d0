//! The work that is compared.

use super::program::PASSES;

/// One piece of work of one network.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) model: &'static str,
    pub(super) width: usize,
    pub(super) work: &'static str,
    /// Pixels of a side of the images.
    pub(super) side: usize,
    pub(super) images: usize,
    pub(super) batch: usize,
    pub(super) steps: usize,
}

/// The reference's batch on small cards.
const BATCH: usize = 32;

pub(super) const CASES: &[Case] = &[
    case("resnet18", 64, "search", 64, 5),
    case("resnet18", 16, "search", 64, 20),
    case("vgg16", 64, "search", 64, 8),
    case("mobilenet_v2", 32, "search", 64, 8),
    case("resnet18", 64, "train", 128, 2),
    case("resnet18", 16, "train", 256, 8),
    case("resnet18", 64, "forward", 256, 1),
    case("resnet18", 16, "forward", 1024, 1),
    case("vgg16", 64, "forward", 256, 1),
    case("mobilenet_v2", 32, "forward", 256, 1),
];

/// Networks for photographs, whose peers are torchvision's. Their width there is the published one.
pub(super) const PHOTOGRAPHS: &[Case] = &[
    photographs("efficientnet_b0", 32, "search", 8, 2),
    photographs("mobilenet_v3_large", 16, "search", 8, 4),
    photographs("convnext_tiny", 96, "search", 8, 1),
    photographs("densenet121", 64, "search", 8, 2),
    photographs("vit_b16", 768, "search", 8, 1),
    photographs("efficientnet_b0", 32, "forward", 16, 1),
    photographs("mobilenet_v3_large", 16, "forward", 32, 1),
    photographs("convnext_tiny", 96, "forward", 8, 1),
    photographs("densenet121", 64, "forward", 8, 1),
    photographs("vit_b16", 768, "forward", 8, 1),
];

const fn photographs(
    model: &'static str,
    width: usize,
    work: &'static str,
    images: usize,
    steps: usize,
) -> Case {
    Case {
        side: 224,
        batch: 8,
        ..case(model, width, work, images, steps)
    }
}

pub(super) const fn case(
    model: &'static str,
    width: usize,
    work: &'static str,
    images: usize,
    steps: usize,
) -> Case {
    Case {
        model,
        width,
        work,
        side: 32,
        images,
        batch: BATCH,
        steps,
    }
}

impl Case {
    /// The same work in batches of another size, and as many of them.
    pub(super) fn in_batches_of(&self, batch: usize) -> Self {
        let images = self.images.div_ceil(self.batch) * batch;
        Self {
            images,
            batch,
            ..self.clone()
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}, {}", self.network(), self.what())
    }

    pub(super) fn network(&self) -> String {
        format!("{} w{}", self.model, self.width)
    }

    pub(super) fn what(&self) -> String {
        match self.work {
            "search" => format!("search, {} steps", self.steps),
            work => work.to_owned(),
        }
    }

    /// Images per second; a search counts as 100 steps.
    pub(super) fn speed(&self, seconds: f64) -> f64 {
        let passes = match self.work {
            "search" => self.steps as f64 / PASSES,
            _ => self.steps as f64,
        };
        self.images as f64 * passes / seconds
    }

    /// The arguments that say the work to either side.
    pub(super) fn arguments(&self) -> Vec<String> {
        let pairs = [
            ("--model", self.model.to_owned()),
            ("--work", self.work.to_owned()),
            ("--width", self.width.to_string()),
            ("--size", self.side.to_string()),
            ("--images", self.images.to_string()),
            ("--batch-size", self.batch.to_string()),
        ];
        let words = pairs.into_iter();
        words
            .flat_map(|(name, value)| [name.to_owned(), value])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_batches_are_as_many() {
        let larger = case("resnet18", 16, "train", 256, 8).in_batches_of(512);
        assert_eq!((larger.images, larger.batch), (4096, 512));
    }

    #[test]
    fn a_search_counts_as_a_hundred_steps() {
        let search = case("resnet18", 16, "search", 64, 20);
        assert!((search.speed(3.2) - 4.0).abs() < 1e-12);
        let train = case("resnet18", 16, "train", 64, 2);
        assert!((train.speed(3.2) - 40.0).abs() < 1e-12);
    }
}
