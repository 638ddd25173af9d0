//! Puts a sign into the picture: worn paint, the pose, and what hangs in front of it.

use rand::Rng;

use super::canvas::{Bounds, Canvas, Colour, SIDE, mix, pixel_centers, pixel_index};
use super::geometry::{Point, Shape, point};
use super::noise::SmoothNoise;
use super::pose::Pose;
use super::signs::{Ink, ink_at};

/// Paints the sign of class `label`, faded and dirty by chance.
pub(super) fn draw(rng: &mut impl Rng, canvas: &mut Canvas, pose: &Pose, label: usize) {
    let paint = WornPaint::draw(rng);
    canvas.paint(pose.bounds(), |pixel| {
        let place = pose.on_sign(pixel);
        ink_at(label, place).map(|ink| paint.colour(ink, place, pixel))
    });
}

/// Paints a twig or wire across the picture, or a leaf, or both, or nothing.
pub(super) fn draw_occluders(rng: &mut impl Rng, canvas: &mut Canvas) {
    if rng.random_bool(0.3) {
        paint_twig(rng, canvas);
    }
    for _ in 0..rng.random_range(0..=1) {
        paint_leaf(rng, canvas);
    }
}

/// How the paint of one sign has aged.
struct WornPaint {
    /// The faded colour of every [`Ink`].
    palette: [Colour; Ink::ALL.len()],
    /// Light that dirt leaves at every pixel of the picture, row by row.
    cleanness: Vec<f32>,
    /// Direction and strength of a glow across the sign.
    glow: Point,
}

impl WornPaint {
    fn draw(rng: &mut impl Rng) -> Self {
        let grey = [rng.random_range(0.45..0.75); 3];
        let fading = rng.random_range(0.0..0.28);
        let palette = Ink::ALL.map(|ink| {
            let tinted = ink
                .colour()
                .map(|value| value + rng.random_range(-0.06..0.06));
            mix(tinted, grey, fading)
        });
        let dirtiness = rng.random_range(0.0..0.3);
        let dirt = SmoothNoise::draw(rng, 7.0);
        let cleanness = pixel_centers()
            .map(|place| 1.0 - dirtiness * dirt.at(place))
            .collect();
        Self {
            palette,
            cleanness,
            glow: point(rng.random_range(-0.12..0.12), rng.random_range(-0.12..0.12)),
        }
    }

    fn colour(&self, ink: Ink, place: Point, pixel: Point) -> Colour {
        let light = self.cleanness[pixel_index(pixel)] + self.glow.dot(place);
        self.palette[ink as usize].map(|value| value * light)
    }
}

fn paint_twig(rng: &mut impl Rng, canvas: &mut Canvas) {
    let brightness = rng.random_range(0.1..0.4);
    let colour = [brightness * 1.1, brightness, brightness * 0.8];
    let extent = SIDE as f32;
    let through = point(rng.random_range(0.0..extent), rng.random_range(0.0..extent));
    let along = point(rng.random_range(8.0..30.0), 0.0)
        .rotated(rng.random_range(0.0..std::f32::consts::TAU));
    let twig = Shape::Stroke {
        start: through - along,
        end: through + along,
        half_width: rng.random_range(0.3..0.7),
    };
    canvas.paint(Bounds::ALL, |place| twig.contains(place).then_some(colour));
}

fn paint_leaf(rng: &mut impl Rng, canvas: &mut Canvas) {
    let extent = SIDE as f32;
    let center = point(rng.random_range(0.0..extent), rng.random_range(0.0..extent));
    let half_length = rng.random_range(0.5..2.5);
    let half_width = rng.random_range(0.6..1.6);
    let along = point(half_length, 0.0).rotated(rng.random_range(0.0..std::f32::consts::PI));
    let leaf = Shape::Stroke {
        start: center - along,
        end: center + along,
        half_width,
    };
    let colour = std::array::from_fn(|_| rng.random_range(0.05..0.85));
    let bounds = Bounds::around(center, half_length + half_width);
    canvas.paint(bounds, |place| leaf.contains(place).then_some(colour));
}
