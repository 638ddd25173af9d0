//! Which layer tells, and which classes are targets there.

use super::gradients::{Layer, Rows, cosine};
use crate::statistics::{TARGET_INDEX, class_index};

/// A gap between the oddest image and the others that makes a class a target where no index does.
const WIDE: f64 = 0.3;
/// Places from the end of the layers that are looked at then.
const LATE: [usize; 3] = [4, 3, 2];

/// How the gradients of a class spread at a layer.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    /// The oddest image, as a place in the class.
    pub(super) seed: usize,
    /// How far the others are from it, in cosines to the reference.
    pub(super) gap: f64,
}

impl Spread {
    /// Of a class with a reference; `None` for a class without images.
    pub(super) fn of(
        rows: &Rows,
        layer: &Layer,
        class: &[usize],
        reference: &[f64],
    ) -> Option<Self> {
        let to_reference: Vec<f64> = class
            .iter()
            .map(|&image| cosine(rows.at(layer, image), reference))
            .collect();
        let seed = (0..class.len()).reduce(|best, at| {
            if to_reference[at] < to_reference[best] {
                at
            } else {
                best
            }
        })?;
        let oddest: Vec<f64> = rows
            .at(layer, class[seed])
            .iter()
            .map(|&v| f64::from(v))
            .collect();
        let others = (0..class.len()).filter(|&at| at != seed);
        let squares = others.map(|at| {
            let to_oddest = cosine(rows.at(layer, class[at]), &oddest);
            (to_reference[at] - to_oddest).powi(2)
        });
        let gap = (squares.sum::<f64>() / class.len() as f64).sqrt();
        Some(Self { seed, gap })
    }
}

/// The layer that tells.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) layer: usize,
    /// Index of each class at it.
    pub(super) index: Vec<f64>,
    /// Whether each class is a target.
    pub(super) targets: Vec<bool>,
}

/// From the spread of each class at each layer.
pub(super) fn choice(spreads: &[Vec<Option<Spread>>]) -> Choice {
    let gaps: Vec<Vec<Option<f64>>> = spreads
        .iter()
        .map(|classes| {
            classes
                .iter()
                .map(|spread| spread.as_ref().map(|s| s.gap))
                .collect()
        })
        .collect();
    let index: Vec<Vec<f64>> = gaps.iter().map(|gaps| class_index(gaps)).collect();
    let largest = |layer: usize| index[layer].iter().copied().fold(0.0, f64::max);
    let best = (0..index.len()).fold(
        0,
        |best, l| if largest(l) > largest(best) { l } else { best },
    );
    if largest(best) >= TARGET_INDEX {
        return Choice {
            layer: best,
            targets: index[best]
                .iter()
                .map(|&index| index > TARGET_INDEX)
                .collect(),
            index: index[best].clone(),
        };
    }
    let wide = |layer: usize| {
        gaps[layer]
            .iter()
            .flatten()
            .filter(|&&gap| gap > WIDE)
            .count()
    };
    let late: Vec<usize> = LATE
        .iter()
        .filter_map(|&place| gaps.len().checked_sub(place))
        .collect();
    let first = late.first().copied().unwrap_or(best);
    let layer = late.iter().fold(
        first,
        |best, &l| if wide(l) > wide(best) { l } else { best },
    );
    Choice {
        layer,
        targets: gaps[layer]
            .iter()
            .map(|gap| gap.is_some_and(|gap| gap > WIDE))
            .collect(),
        index: index[layer].clone(),
    }
}
