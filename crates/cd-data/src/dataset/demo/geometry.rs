//! Points and the shapes that signs are built from, as inside-or-outside tests.
//!
//! The vertical axis points down, as in pictures.

use std::ops::{Add, Mul, Sub};

/// A point, or a vector from the origin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Distance to the right.
    pub(super) x: f32,
    /// Distance downwards.
    pub(super) y: f32,
}

/// Short form of a [`Point`], for tables of shapes.
pub(super) const fn point(x: f32, y: f32) -> Point {
    Point { x, y }
}

impl Point {
    /// Scalar product.
    pub(super) fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }

    /// Distance from the origin.
    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The point turned by `radians` about the origin, clockwise as seen in a picture.
    pub(super) fn rotated(self, radians: f32) -> Self {
        let (sine, cosine) = radians.sin_cos();
        point(
            cosine * self.x - sine * self.y,
            sine * self.x + cosine * self.y,
        )
    }

    /// Distance to the straight line piece from `start` to `end`, which may coincide.
    fn distance_to_segment(self, start: Self, end: Self) -> f32 {
        let along = end - start;
        let offset = self - start;
        let fraction = offset.dot(along) / along.dot(along).max(f32::EPSILON);
        (offset - along * fraction.clamp(0.0, 1.0)).length()
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        point(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        point(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        point(self.x * factor, self.y * factor)
    }
}

/// A filled area of the plane.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Everything within `radius` of the origin.
    Disc {
        /// Its radius.
        radius: f32,
    },
    /// A straight stroke with round ends.
    Stroke {
        /// One end of the centre line.
        start: Point,
        /// The other end.
        end: Point,
        /// Half the stroke's width.
        half_width: f32,
    },
    /// A closed stroke at a constant distance around a line piece: a ring or a racetrack.
    Loop {
        /// One end of the line piece; equal to `end` for a ring.
        start: Point,
        /// The other end.
        end: Point,
        /// Distance of the stroke's centre line from the line piece.
        radius: f32,
        /// Half the stroke's width.
        half_width: f32,
    },
    /// A part of a ring.
    Arc {
        /// Centre of the ring.
        center: Point,
        /// Distance of the stroke's centre line from the centre.
        radius: f32,
        /// Half the stroke's width.
        half_width: f32,
        /// Unit vector from the centre to the middle of the arc.
        middle: Point,
        /// Cosine of the angle between the middle of the arc and its ends.
        cosine_of_half_span: f32,
    },
    /// A convex polygon, corners in clockwise order as seen in a picture.
    Polygon(&'static [Point]),
}

impl Shape {
    /// Whether `place` lies in the shape.
    pub(super) fn contains(&self, place: Point) -> bool {
        match *self {
            Self::Disc { radius } => place.dot(place) <= radius * radius,
            Self::Stroke {
                start,
                end,
                half_width,
            } => place.distance_to_segment(start, end) <= half_width,
            Self::Loop {
                start,
                end,
                radius,
                half_width,
            } => (place.distance_to_segment(start, end) - radius).abs() <= half_width,
            Self::Arc {
                center,
                radius,
                half_width,
                middle,
                cosine_of_half_span,
            } => {
                let offset = place - center;
                let length = offset.length();
                (length - radius).abs() <= half_width
                    && offset.dot(middle) >= cosine_of_half_span * length
            }
            Self::Polygon(corners) => inside_polygon(corners, place),
        }
    }
}

fn inside_polygon(corners: &[Point], place: Point) -> bool {
    let Some(&last) = corners.last() else {
        return false;
    };
    let mut previous = last;
    corners.iter().all(|&corner| {
        let edge = corner - previous;
        let offset = place - previous;
        previous = corner;
        edge.x * offset.y - edge.y * offset.x >= 0.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_hollow_and_arcs_have_a_gap() {
        let ring = Shape::Loop {
            start: point(0.0, -0.5),
            end: point(0.0, 0.5),
            radius: 0.4,
            half_width: 0.1,
        };
        assert!(ring.contains(point(0.4, 0.3)));
        assert!(ring.contains(point(0.0, 0.9)));
        assert!(!ring.contains(point(0.0, 0.0)));
        let open_to_the_left = Shape::Arc {
            center: point(0.0, 0.0),
            radius: 1.0,
            half_width: 0.1,
            middle: point(1.0, 0.0),
            cosine_of_half_span: -0.5,
        };
        assert!(open_to_the_left.contains(point(0.0, 1.0)));
        assert!(!open_to_the_left.contains(point(-1.0, 0.0)));
    }

    #[test]
    fn polygon_contains_its_inside_only() {
        const CORNERS: &[Point] = &[point(0.0, -1.0), point(1.0, 1.0), point(-1.0, 1.0)];
        let triangle = Shape::Polygon(CORNERS);
        assert!(triangle.contains(point(0.0, 0.0)));
        assert!(!triangle.contains(point(0.8, 0.0)));
        assert!(!triangle.contains(point(0.0, 1.1)));
    }

    #[test]
    fn a_quarter_turn_takes_right_to_down() {
        let down = point(1.0, 0.0).rotated(std::f32::consts::FRAC_PI_2);
        assert!((down - point(0.0, 1.0)).length() < 1e-6);
    }
}
