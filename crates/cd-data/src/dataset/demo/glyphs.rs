//! Digits, letters and symbols as strokes.
//!
//! A digit or letter is about 2 high and 1.2 wide around the origin, ready to be scaled onto a sign.

use super::geometry::{Point, Shape, point};

const HALF_STROKE: f32 = 0.19;

const fn stroke(start: Point, end: Point) -> Shape {
    Shape::Stroke {
        start,
        end,
        half_width: HALF_STROKE,
    }
}

const fn ring(center: Point, radius: f32) -> Shape {
    Shape::Loop {
        start: center,
        end: center,
        radius,
        half_width: HALF_STROKE,
    }
}

const fn racetrack(half_length: f32, radius: f32) -> Shape {
    Shape::Loop {
        start: point(0.0, -half_length),
        end: point(0.0, half_length),
        radius,
        half_width: HALF_STROKE,
    }
}

const fn arc(center: Point, radius: f32, middle: Point, cosine_of_half_span: f32) -> Shape {
    Shape::Arc {
        center,
        radius,
        half_width: HALF_STROKE,
        middle,
        cosine_of_half_span,
    }
}

pub(super) const ZERO: &[Shape] = &[racetrack(0.42, 0.4)];

pub(super) const THREE: &[Shape] = &[
    arc(point(-0.06, -0.43), 0.38, point(0.94, -0.342), -0.42),
    arc(point(-0.06, 0.4), 0.42, point(0.94, 0.342), -0.42),
];

pub(super) const FIVE: &[Shape] = &[
    stroke(point(-0.34, -0.82), point(0.4, -0.82)),
    stroke(point(-0.34, -0.82), point(-0.36, -0.02)),
    arc(point(-0.04, 0.34), 0.47, point(0.985, 0.174), -0.74),
];

pub(super) const EIGHT: &[Shape] = &[ring(point(0.0, -0.43), 0.36), ring(point(0.0, 0.4), 0.42)];

pub(super) const LETTER_S: &[Shape] = &[
    arc(point(0.0, -0.42), 0.4, point(-0.643, -0.766), -0.574),
    arc(point(0.0, 0.4), 0.42, point(0.643, 0.766), -0.574),
];

pub(super) const LETTER_T: &[Shape] = &[
    stroke(point(-0.45, -0.82), point(0.45, -0.82)),
    stroke(point(0.0, -0.82), point(0.0, 0.82)),
];

pub(super) const LETTER_O: &[Shape] = ZERO;

pub(super) const LETTER_P: &[Shape] = &[
    stroke(point(-0.4, -0.82), point(-0.4, 0.82)),
    stroke(point(-0.4, -0.82), point(0.05, -0.82)),
    stroke(point(-0.4, -0.02), point(0.05, -0.02)),
    arc(point(0.05, -0.42), 0.4, point(1.0, 0.0), 0.0),
];

/// An exclamation mark: a wedge above a dot.
pub(super) const EXCLAMATION: &[Shape] = &[
    Shape::Polygon(&[
        point(-0.26, -0.95),
        point(0.26, -0.95),
        point(0.13, 0.38),
        point(-0.13, 0.38),
    ]),
    Shape::Stroke {
        start: point(0.0, 0.76),
        end: point(0.0, 0.76),
        half_width: 0.23,
    },
];

/// A long horizontal bar.
pub(super) const BAR: &[Shape] = &[Shape::Polygon(&[
    point(-1.0, -0.26),
    point(1.0, -0.26),
    point(1.0, 0.26),
    point(-1.0, 0.26),
])];

pub(super) const ARROW_RIGHT: &[Shape] = &[
    Shape::Polygon(&[
        point(-1.0, -0.22),
        point(0.3, -0.22),
        point(0.3, 0.22),
        point(-1.0, 0.22),
    ]),
    Shape::Polygon(&[point(1.05, 0.0), point(0.1, 0.75), point(0.1, -0.75)]),
];

pub(super) const ARROW_LEFT: &[Shape] = &[
    Shape::Polygon(&[
        point(-0.3, -0.22),
        point(1.0, -0.22),
        point(1.0, 0.22),
        point(-0.3, 0.22),
    ]),
    Shape::Polygon(&[point(-1.05, 0.0), point(-0.1, -0.75), point(-0.1, 0.75)]),
];

pub(super) const ARROW_UP: &[Shape] = &[
    Shape::Polygon(&[
        point(-0.22, -0.3),
        point(0.22, -0.3),
        point(0.22, 1.0),
        point(-0.22, 1.0),
    ]),
    Shape::Polygon(&[point(0.0, -1.05), point(0.75, -0.1), point(-0.75, -0.1)]),
];
