//! One search over a batch, which images leave as soon as their masks have settled.

use cd_models::Classifier;
use cd_models::burn::tensor::{Int, Tensor, TensorData};

use super::grid::upsampled;
use super::terms::mask_of;
use super::{CognitiveDistillation, Mean, Search, norms_of};
use crate::error::DetectError;

/// Steps between two looks at the norms.
const WINDOW: usize = 10;

/// What a search found, in the order of the batch.
pub(super) struct Found {
    /// `[B, Cm, H, W]`.
    pub(super) masks: Tensor<4>,
    /// Steps of each image.
    pub(super) steps: Vec<usize>,
}

impl CognitiveDistillation {
    /// Searches with the fill colours `[steps, B, 3]`; the masks are the means over the tail, or the last ones of
    /// images that settled before it.
    pub(super) fn search(
        &self,
        model: &dyn Classifier,
        images: &Tensor<4>,
        target: &Tensor<2>,
        colours: Tensor<3>,
    ) -> Result<Found, DetectError> {
        let mut batch = Moving {
            rows: (0..images.dims()[0]).collect(),
            images: images.clone(),
            target: target.clone(),
            colours,
        };
        let mut search = Search {
            step: 0,
            theta: self.initial_theta(images),
            adam: None,
        };
        let mut settled = Settled::default();
        let mut tail = Mean::default();
        let mut norms = Vec::new();
        while search.step < self.settings.steps {
            let colour = batch.colours.clone().narrow(0, search.step, 1);
            let colour = colour.squeeze_dim::<2>(0);
            search = self
                .step(model, &batch.images, &batch.target, colour, search)?
                .next;
            let done = search.step;
            if done + self.settings.tail > self.settings.steps {
                tail.add(batch.masks(&search));
            } else if self.settings.tolerance > 0.0 && done.is_multiple_of(WINDOW) {
                let masks = batch.masks(&search);
                let now = norms_of(&masks);
                let (stay, leave) = self.parted(&norms, &now);
                if !leave.is_empty() {
                    settled.add(batch.at(&leave), chosen(masks, &leave), done);
                    if stay.is_empty() {
                        return Ok(settled.in_order());
                    }
                    batch = batch.only(&stay);
                    search = search.only(&stay);
                }
                norms = stay.iter().map(|&at| now[at]).collect();
            }
        }
        let masks = tail
            .value()
            .expect("`check` made sure of a step and of a tail");
        settled.add(batch.rows, masks, self.settings.steps);
        Ok(settled.in_order())
    }

    /// Which images go on and which have settled, by their norms at the last look and now.
    fn parted(&self, before: &[f64], now: &[f64]) -> (Vec<usize>, Vec<usize>) {
        (0..now.len()).partition(|&at| {
            before
                .get(at)
                .is_none_or(|before| (now[at] - before).abs() > self.settings.tolerance * before)
        })
    }
}

/// The images that are still searched.
struct Moving {
    /// Their places in the batch.
    rows: Vec<usize>,
    images: Tensor<4>,
    target: Tensor<2>,
    /// `[steps, images, 3]`.
    colours: Tensor<3>,
}

impl Moving {
    fn masks(&self, search: &Search) -> Tensor<4> {
        let [_, _, height, width] = self.images.dims();
        upsampled(mask_of(search.theta.clone()), [height, width])
    }

    /// Places in the batch of the images at `keep`.
    fn at(&self, keep: &[usize]) -> Vec<usize> {
        keep.iter().map(|&at| self.rows[at]).collect()
    }

    fn only(self, keep: &[usize]) -> Self {
        let rows = self.at(keep);
        let numbers = numbers(keep, &self.images);
        Self {
            rows,
            images: self.images.select(0, numbers.clone()),
            target: self.target.select(0, numbers.clone()),
            colours: self.colours.select(1, numbers),
        }
    }
}

impl Search {
    /// The search of the images at `keep` alone.
    fn only(mut self, keep: &[usize]) -> Self {
        self.theta = chosen(self.theta, keep);
        if let Some(adam) = &mut self.adam {
            let momentum = &mut adam.momentum;
            momentum.moment_1 = chosen(momentum.moment_1.clone(), keep);
            momentum.moment_2 = chosen(momentum.moment_2.clone(), keep);
        }
        self
    }
}

/// Masks in the order in which images were done.
#[derive(Default)]
struct Settled {
    rows: Vec<usize>,
    masks: Vec<Tensor<4>>,
    steps: Vec<usize>,
}

impl Settled {
    fn add(&mut self, rows: Vec<usize>, masks: Tensor<4>, steps: usize) {
        self.steps.resize(self.rows.len() + rows.len(), steps);
        self.rows.extend(rows);
        self.masks.push(masks);
    }

    fn in_order(mut self) -> Found {
        if self.masks.len() == 1 {
            return Found {
                masks: self.masks.remove(0),
                steps: self.steps,
            };
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|&at| self.rows[at]);
        Found {
            masks: chosen(Tensor::cat(self.masks, 0), &order),
            steps: order.iter().map(|&at| self.steps[at]).collect(),
        }
    }
}

/// The images of `values` at `keep`.
fn chosen(values: Tensor<4>, keep: &[usize]) -> Tensor<4> {
    let numbers = numbers(keep, &values);
    values.select(0, numbers)
}

fn numbers(keep: &[usize], like: &Tensor<4>) -> Tensor<1, Int> {
    let keep: Vec<i32> = keep.iter().map(|&at| at as i32).collect();
    let shape = [keep.len()];
    Tensor::from_data(TensorData::new(keep, shape), &like.device())
}
