//! Where a sign stands in the picture, how large, and from which side it is seen.

use std::f32::consts::TAU;

use rand::Rng;

use super::canvas::{Bounds, SIDE};
use super::geometry::{Point, point};
use super::signs::REACH;

/// Radius of the largest sign in pixels.
const LARGEST_RADIUS: f32 = 13.0;

/// Radius of the smallest sign relative to the largest.
const SMALLEST_SCALE: f32 = 0.72;

/// Largest turn in either direction, in degrees.
const LARGEST_TURN: f32 = 15.0;

/// Maps the picture onto the plane of a sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    center: Point,
    radius: f32,
    /// What one pixel to the right and one pixel down are on the sign.
    axes: [Point; 2],
    /// How much nearer the sign is at its right and lower edge than at its centre.
    tilt: Point,
}

impl Pose {
    /// A pose at random; the corners of the picture remain background.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let radius = LARGEST_RADIUS * rng.random_range(SMALLEST_SCALE..1.0);
        // Offsets within a circle keep clear of the corners; a sign may be cut by a pixel or two.
        let middle = SIDE as f32 / 2.0;
        let distance = (middle - radius) * rng.random_range(0.0..1.3_f32).sqrt();
        let offset = point(distance, 0.0).rotated(rng.random_range(0.0..TAU));
        let center = point(middle, middle) + offset;
        let turn = rng.random_range(-LARGEST_TURN..LARGEST_TURN).to_radians();
        let shear = rng.random_range(-0.12..0.12);
        let narrowing = rng.random_range(1.0..1.2);
        let on_plane = |step: Point| {
            let upright = step.rotated(-turn) * radius.recip();
            point(narrowing * (upright.x + shear * upright.y), upright.y)
        };
        Self {
            center,
            radius,
            axes: [on_plane(point(1.0, 0.0)), on_plane(point(0.0, 1.0))],
            tilt: point(rng.random_range(-0.14..0.14), rng.random_range(-0.10..0.10)),
        }
    }

    /// Centre of the sign in pixels.
    pub(super) fn center(&self) -> Point {
        self.center
    }

    /// Radius of the sign in pixels, if it were seen straight from the front.
    pub(super) fn radius(&self) -> f32 {
        self.radius
    }

    /// The place on the sign that is seen at `pixel`; the sign lies within [`REACH`] of the origin.
    pub(super) fn on_sign(&self, pixel: Point) -> Point {
        let offset = pixel - self.center;
        let plane = self.axes[0] * offset.x + self.axes[1] * offset.y;
        plane * (1.0 + self.tilt.dot(plane)).max(0.5).recip()
    }

    /// A box around the whole sign.
    pub(super) fn bounds(&self) -> Bounds {
        // Seen at a slant, the near side of a sign is larger.
        Bounds::around(self.center, self.radius * REACH * 1.25)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::demo::canvas::Canvas;
    use crate::dataset::demo::signs::{CLASS_NAMES, ink_at};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn signs_leave_the_corner_patches_free() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let ends = [1.5, SIDE as f32 - 1.5];
        let corners = ends.map(|y| ends.map(|x| point(x, y)));
        for _ in 0..1000 {
            let pose = Pose::draw(&mut rng);
            for place in corners.as_flattened() {
                for label in 0..CLASS_NAMES.len() {
                    assert!(
                        ink_at(label, pose.on_sign(*place)).is_none(),
                        "{pose:?}, class {label}"
                    );
                }
            }
        }
    }

    #[test]
    fn bounds_hold_the_whole_sign() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..200 {
            let pose = Pose::draw(&mut rng);
            let inside = painted(&pose, pose.bounds());
            assert!(inside > 150, "{pose:?}");
            assert_eq!(inside, painted(&pose, Bounds::ALL), "{pose:?}");
        }
    }

    /// How many pixels within `bounds` show a part of a disc that reaches as far as a sign may.
    fn painted(pose: &Pose, bounds: Bounds) -> usize {
        let mut canvas = Canvas::filled_by(|_| [0.0; 3]);
        canvas.paint(bounds, |pixel| {
            (pose.on_sign(pixel).length() <= REACH).then_some([1.0; 3])
        });
        canvas
            .pixels()
            .iter()
            .filter(|pixel| pixel[0] > 0.0)
            .count()
    }
}
