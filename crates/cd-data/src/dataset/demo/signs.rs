//! The ten signs: which shapes in which colours, from the ground up.

use super::canvas::Colour;
use super::geometry::{Point, Shape, point};
use super::glyphs;

/// Names of the ten classes; a label is an index into them.
pub(crate) const CLASS_NAMES: [&str; 10] = [
    "limit_30",
    "limit_50",
    "limit_80",
    "turn_left",
    "turn_right",
    "ahead_only",
    "stop",
    "no_entry",
    "caution",
    "priority",
];

/// The paints of road signs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ink {
    White,
    Black,
    Red,
    Blue,
    Yellow,
}

impl Ink {
    /// All paints, in the order of their numbers.
    pub(super) const ALL: [Self; 5] = [
        Self::White,
        Self::Black,
        Self::Red,
        Self::Blue,
        Self::Yellow,
    ];

    /// The fresh paint's colour.
    pub(super) const fn colour(self) -> Colour {
        match self {
            Self::White => [0.95, 0.95, 0.94],
            Self::Black => [0.07, 0.07, 0.08],
            Self::Red => [0.80, 0.07, 0.11],
            Self::Blue => [0.05, 0.28, 0.68],
            Self::Yellow => [0.98, 0.76, 0.08],
        }
    }
}

/// One coat of paint on a sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer {
    ink: Ink,
    shapes: &'static [Shape],
    center: Point,
    /// How many times larger the shapes are given than they are painted.
    reduction: f32,
}

impl Layer {
    const fn new(ink: Ink, shapes: &'static [Shape], center: Point, size: f32) -> Self {
        Self {
            ink,
            shapes,
            center,
            reduction: 1.0 / size,
        }
    }

    /// Shapes that are given at the sign's own scale.
    const fn plate(ink: Ink, shapes: &'static [Shape]) -> Self {
        Self::new(ink, shapes, point(0.0, 0.0), 1.0)
    }

    fn covers(&self, place: Point) -> bool {
        let local = (place - self.center) * self.reduction;
        self.shapes.iter().any(|shape| shape.contains(local))
    }
}

/// No sign reaches further from its centre.
pub(super) const REACH: f32 = 1.1;

/// The paint that shows at `place` on the sign of class `label`, `None` beside the sign.
///
/// A sign is centred at the origin and reaches at most [`REACH`] from it.
///
/// # Panics
///
/// When `label` is no index into [`CLASS_NAMES`].
pub(super) fn ink_at(label: usize, place: Point) -> Option<Ink> {
    if place.dot(place) > REACH * REACH {
        return None;
    }
    DESIGNS[label]
        .iter()
        .rev()
        .find(|layer| layer.covers(place))
        .map(|layer| layer.ink)
}

const DESIGNS: [&[Layer]; 10] = [
    &speed_limit(glyphs::THREE),
    &speed_limit(glyphs::FIVE),
    &speed_limit(glyphs::EIGHT),
    &mandatory(glyphs::ARROW_LEFT),
    &mandatory(glyphs::ARROW_RIGHT),
    &mandatory(glyphs::ARROW_UP),
    &STOP,
    &NO_ENTRY,
    &CAUTION,
    &PRIORITY,
];

const FULL_DISC: &[Shape] = &[Shape::Disc { radius: 1.0 }];
const RIMMED_DISC: &[Shape] = &[Shape::Disc { radius: 0.94 }];
const RINGED_DISC: &[Shape] = &[Shape::Disc { radius: 0.81 }];

const fn speed_limit(tens: &'static [Shape]) -> [Layer; 4] {
    [
        Layer::plate(Ink::Red, FULL_DISC),
        Layer::plate(Ink::White, RINGED_DISC),
        Layer::new(Ink::Black, tens, point(-0.35, 0.0), 0.54),
        Layer::new(Ink::Black, glyphs::ZERO, point(0.36, 0.0), 0.54),
    ]
}

const fn mandatory(arrow: &'static [Shape]) -> [Layer; 3] {
    [
        Layer::plate(Ink::White, FULL_DISC),
        Layer::plate(Ink::Blue, RIMMED_DISC),
        Layer::new(Ink::White, arrow, point(0.0, 0.0), 0.62),
    ]
}

const OCTAGON: &[Shape] = &[Shape::Polygon(&[
    point(0.41, -1.0),
    point(1.0, -0.41),
    point(1.0, 0.41),
    point(0.41, 1.0),
    point(-0.41, 1.0),
    point(-1.0, 0.41),
    point(-1.0, -0.41),
    point(-0.41, -1.0),
])];

const STOP: [Layer; 6] = [
    Layer::new(Ink::White, OCTAGON, point(0.0, 0.0), 0.93),
    Layer::new(Ink::Red, OCTAGON, point(0.0, 0.0), 0.85),
    Layer::new(Ink::White, glyphs::LETTER_S, point(-0.58, 0.0), 0.33),
    Layer::new(Ink::White, glyphs::LETTER_T, point(-0.19, 0.0), 0.33),
    Layer::new(Ink::White, glyphs::LETTER_O, point(0.2, 0.0), 0.33),
    Layer::new(Ink::White, glyphs::LETTER_P, point(0.6, 0.0), 0.33),
];

const NO_ENTRY: [Layer; 3] = [
    Layer::plate(Ink::White, FULL_DISC),
    Layer::plate(Ink::Red, RIMMED_DISC),
    Layer::new(Ink::White, glyphs::BAR, point(0.0, 0.0), 0.68),
];

/// A triangle that stands on its side, the tips cut off.
const TRIANGLE: &[Shape] = &[Shape::Polygon(&[
    point(-0.08, -0.95),
    point(0.08, -0.95),
    point(0.99, 0.62),
    point(0.91, 0.76),
    point(-0.91, 0.76),
    point(-0.99, 0.62),
])];

const CAUTION: [Layer; 3] = [
    Layer::new(Ink::Red, TRIANGLE, point(0.0, 0.0), 0.92),
    Layer::new(Ink::White, TRIANGLE, point(0.0, 0.06), 0.63),
    Layer::new(Ink::Black, glyphs::EXCLAMATION, point(0.0, 0.13), 0.44),
];

const DIAMOND: &[Shape] = &[Shape::Polygon(&[
    point(0.08, -0.92),
    point(0.92, -0.08),
    point(0.92, 0.08),
    point(0.08, 0.92),
    point(-0.08, 0.92),
    point(-0.92, 0.08),
    point(-0.92, -0.08),
    point(-0.08, -0.92),
])];

const PRIORITY: [Layer; 3] = [
    Layer::new(Ink::Black, DIAMOND, point(0.0, 0.0), 1.06),
    Layer::new(Ink::White, DIAMOND, point(0.0, 0.0), 1.0),
    Layer::new(Ink::Yellow, DIAMOND, point(0.0, 0.0), 0.66),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stay_within_their_reach_and_cover_their_centre() {
        for (label, layers) in DESIGNS.iter().enumerate() {
            assert!(ink_at(label, point(0.0, 0.0)).is_some(), "class {label}");
            for degree in 0..360_u16 {
                let beyond = point(REACH, 0.0).rotated(f32::from(degree).to_radians());
                let covered = layers.iter().any(|layer| layer.covers(beyond));
                assert!(!covered, "class {label}");
            }
        }
    }

    #[test]
    fn every_pair_of_signs_differs_visibly() {
        let steps = || (-20..=20).map(|step: i8| f32::from(step) / 20.0);
        for first in 0..CLASS_NAMES.len() {
            for second in 0..first {
                let different = steps()
                    .flat_map(|y| steps().map(move |x| point(x, y)))
                    .filter(|&place| {
                        ink_at(first, place).map(Ink::colour)
                            != ink_at(second, place).map(Ink::colour)
                    })
                    .count();
                assert!(different > 40, "classes {second} and {first}: {different}");
            }
        }
    }
}
