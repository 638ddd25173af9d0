//! What stands behind a sign: sky, foliage, houses, roads, and patches of misleading colour.

use rand::Rng;

use super::canvas::{Bounds, Canvas, Colour, SIDE, mix};
use super::geometry::point;
use super::noise::SmoothNoise;
use super::pose::Pose;

const EXTENT: f32 = SIDE as f32;

/// A landscape with one to three patches, and the pole that carries the sign.
pub(super) fn draw(rng: &mut impl Rng, pose: &Pose) -> Canvas {
    let mut canvas = landscape(rng);
    for _ in 0..rng.random_range(1..=3) {
        paint_patch(rng, &mut canvas);
    }
    if rng.random_bool(0.7) {
        paint_pole(rng, &mut canvas, pose);
    }
    canvas
}

fn landscape(rng: &mut impl Rng) -> Canvas {
    match rng.random_range(0..4) {
        0 => open_country(rng),
        1 => {
            let mut canvas = open_country(rng);
            paint_foliage(rng, &mut canvas, 0.5);
            canvas
        }
        2 => {
            let mut canvas = Canvas::filled_by(|_| [0.16, 0.22, 0.12]);
            paint_foliage(rng, &mut canvas, 0.0);
            canvas
        }
        _ => {
            let mut canvas = open_country(rng);
            paint_house(rng, &mut canvas);
            canvas
        }
    }
}

/// A sky that fades towards the horizon, above a road or a meadow.
fn open_country(rng: &mut impl Rng) -> Canvas {
    let zenith = one_of(rng, &SKIES);
    let haze = mix(zenith, [0.92, 0.92, 0.90], rng.random_range(0.3..0.9));
    let ground = one_of(rng, &GROUNDS);
    let horizon = rng.random_range(0.5..1.15) * EXTENT;
    let slope = rng.random_range(-0.12..0.12);
    let clouds = SmoothNoise::draw(rng, 9.0);
    let grain = SmoothNoise::draw(rng, 2.5);
    let cloudiness = rng.random_range(0.0..0.6);
    Canvas::filled_by(|place| {
        let level = horizon + slope * (place.x - EXTENT / 2.0);
        if place.y < level {
            let sky = mix(zenith, haze, (place.y / level).powi(2));
            let cover = (2.5 * clouds.at(place) - 1.0).clamp(0.0, 1.0);
            mix(sky, [0.95, 0.95, 0.96], cover * cloudiness)
        } else {
            let depth = (place.y - level) / EXTENT;
            scaled(ground, 1.05 - 0.5 * depth + 0.3 * (grain.at(place) - 0.5))
        }
    })
}

const SKIES: [Colour; 5] = [
    [0.30, 0.52, 0.86],
    [0.45, 0.64, 0.90],
    [0.62, 0.66, 0.72],
    [0.78, 0.80, 0.82],
    [0.88, 0.62, 0.48],
];

const GROUNDS: [Colour; 5] = [
    [0.34, 0.34, 0.36],
    [0.46, 0.45, 0.44],
    [0.30, 0.42, 0.18],
    [0.44, 0.46, 0.22],
    [0.52, 0.42, 0.30],
];

/// Leaves in clumps, everywhere or only where the noise exceeds `threshold`.
fn paint_foliage(rng: &mut impl Rng, canvas: &mut Canvas, threshold: f32) {
    let dark = one_of(rng, &FOLIAGE);
    let light = mix(dark, [0.80, 0.82, 0.36], rng.random_range(0.35..0.65));
    let clump_width = rng.random_range(9.0..14.0);
    let clumps = SmoothNoise::draw(rng, clump_width);
    let leaf_width = rng.random_range(2.6..5.0);
    let leaves = SmoothNoise::draw(rng, leaf_width);
    canvas.map(|place, below| {
        let presence = ((clumps.at(place) - threshold) * 9.0 + 0.5).clamp(0.0, 1.0);
        let shine = (2.2 * leaves.at(place) - 0.7).clamp(0.0, 1.0);
        mix(below, mix(dark, light, shine), presence)
    });
}

const FOLIAGE: [Colour; 5] = [
    [0.10, 0.20, 0.08],
    [0.16, 0.28, 0.10],
    [0.22, 0.26, 0.12],
    [0.34, 0.22, 0.08],
    [0.40, 0.16, 0.08],
];

/// A wall with rows of windows that covers a part of the picture.
fn paint_house(rng: &mut impl Rng, canvas: &mut Canvas) {
    let wall = one_of(rng, &WALLS);
    let window = one_of(rng, &WINDOWS);
    let left = rng.random_range(-20.0..12.0);
    let right = rng.random_range(18.0..52.0);
    let roof = rng.random_range(-8.0..12.0);
    let pitch = point(rng.random_range(4.5..9.0), rng.random_range(5.0..10.0));
    let share = point(rng.random_range(0.4..0.65), rng.random_range(0.4..0.7));
    let bounds = Bounds::between(point(left, roof), point(right, EXTENT));
    canvas.paint(bounds, |place| {
        let from_corner = place - point(left, roof);
        if place.x < left || place.x > right || from_corner.y < 0.0 {
            return None;
        }
        let in_cell = point(
            (from_corner.x / pitch.x).fract(),
            (from_corner.y / pitch.y).fract(),
        );
        let is_window = in_cell.x > 1.0 - share.x && in_cell.y > 1.0 - share.y;
        Some(if is_window {
            scaled(window, 0.8 + 0.5 * in_cell.y)
        } else {
            wall
        })
    });
}

const WALLS: [Colour; 6] = [
    [0.62, 0.34, 0.26],
    [0.78, 0.70, 0.56],
    [0.84, 0.82, 0.78],
    [0.55, 0.56, 0.58],
    [0.80, 0.66, 0.34],
    [0.44, 0.50, 0.60],
];

const WINDOWS: [Colour; 4] = [
    [0.16, 0.20, 0.26],
    [0.34, 0.44, 0.56],
    [0.60, 0.72, 0.82],
    [0.88, 0.78, 0.50],
];

/// A disc or a turned rectangle in any colour, also those of signs: a car, a poster, a flower bed.
fn paint_patch(rng: &mut impl Rng, canvas: &mut Canvas) {
    let colour = one_of(rng, &PATCHES);
    let center = point(rng.random_range(0.0..EXTENT), rng.random_range(0.0..EXTENT));
    let half = point(rng.random_range(1.5..7.0), rng.random_range(1.5..6.0));
    let along = point(1.0, 0.0).rotated(rng.random_range(-0.3..0.3));
    let across = point(-along.y, along.x);
    let round = rng.random_bool(0.4);
    canvas.paint(Bounds::around(center, half.length()), |place| {
        let offset = place - center;
        let relative = point(offset.dot(along) / half.x, offset.dot(across) / half.y);
        let inside = if round {
            relative.length() <= 1.0
        } else {
            relative.x.abs() <= 1.0 && relative.y.abs() <= 1.0
        };
        inside.then_some(colour)
    });
}

const PATCHES: [Colour; 8] = [
    [0.74, 0.12, 0.14],
    [0.12, 0.28, 0.64],
    [0.92, 0.74, 0.16],
    [0.92, 0.92, 0.90],
    [0.12, 0.12, 0.14],
    [0.24, 0.46, 0.28],
    [0.60, 0.60, 0.62],
    [0.86, 0.46, 0.20],
];

fn paint_pole(rng: &mut impl Rng, canvas: &mut Canvas, pose: &Pose) {
    let top = pose.center();
    let lean = rng.random_range(-0.08..0.08);
    let half_width = (pose.radius() * rng.random_range(0.06..0.11)).max(0.5);
    let grey = rng.random_range(0.45..0.75);
    // The widest pole plus the strongest lean over the whole height.
    let reach = point(0.08 * EXTENT + 2.0, 0.0);
    let bounds = Bounds::between(top - reach, point(top.x + reach.x, EXTENT));
    canvas.paint(bounds, |place| {
        let across = place.x - top.x - lean * (place.y - top.y);
        (place.y > top.y && across.abs() < half_width).then(|| {
            // A round pole: brighter on its left.
            [grey * (1.0 - 0.3 * across / half_width); 3]
        })
    });
}

/// One of `colours` with every channel changed a little.
fn one_of(rng: &mut impl Rng, colours: &[Colour]) -> Colour {
    let chosen = colours[rng.random_range(0..colours.len())];
    let brightness = rng.random_range(0.8..1.2);
    chosen.map(|value| (value * brightness + rng.random_range(-0.05..0.05)).clamp(0.0, 1.0))
}

fn scaled(colour: Colour, factor: f32) -> Colour {
    colour.map(|value| value * factor)
}
