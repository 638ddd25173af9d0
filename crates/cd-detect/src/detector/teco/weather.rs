//! Weather: snow, fog and glare.

use rand::Rng;
use rand::RngCore;

use super::blur::smeared;
use super::picture::{Picture, normal};

/// Flakes that fall, over a picture that is paler.
pub(super) fn snow(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let (mean, deviation, size, least, radius, length, kept) = [
        (0.1, 0.3, 3.0, 0.5, 10, 4.0, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4.0, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8.0, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8.0, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12.0, 0.55),
    ][severity];
    let flakes = Picture::from_fn([picture.height, picture.width, 1], |_, _, _| {
        mean + deviation * normal(drawn)
    });
    let flakes = flakes.zoomed(size);
    let flakes = flakes.map(|value| if value < least { 0.0 } else { value.min(1.0) });
    let flakes = smeared(&flakes, radius, length, drawn.random_range(-135.0..-45.0));
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let value = picture.at(y, x, channel);
        let paler = 1.5 * grey(picture, y, x) + 0.5;
        let fallen = flakes.near(y as i64, x as i64, 0);
        let turned = flakes.near(
            (picture.height - 1 - y) as i64,
            (picture.width - 1 - x) as i64,
            0,
        );
        kept * value + (1.0 - kept) * value.max(paler) + fallen + turned
    })
    .map(|value| value.clamp(0.0, 1.0))
}

fn grey(picture: &Picture, y: usize, x: usize) -> f64 {
    let weights = [0.299, 0.587, 0.114].iter().enumerate();
    weights
        .map(|(channel, weight)| weight * picture.at(y, x, channel))
        .sum()
}

/// Swathes of white.
pub(super) fn fog(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let (strength, decay) = [(1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)][severity];
    let side = picture.height.max(picture.width).next_power_of_two().max(2);
    let swathes = plasma(side, decay, drawn);
    let most = picture.values.iter().copied().fold(0.0, f64::max);
    Picture::from_fn(picture.dims(), |y, x, channel| {
        (picture.at(y, x, channel) + strength * swathes[y * side + x]) * most / (most + strength)
    })
}

/// A height map from 0 to 1, rough at all scales, by squares and diamonds that wrap around; `side` is a power of two.
fn plasma(side: usize, decay: f64, drawn: &mut dyn RngCore) -> Vec<f64> {
    let mut map = vec![0.0; side * side];
    let (mut step, mut rough) = (side, 100.0_f64);
    while step >= 2 {
        let half = step / 2;
        let mut middle = |map: &mut Vec<f64>, y: usize, x: usize, around: [(usize, usize); 4]| {
            let sum: f64 = around
                .iter()
                .map(|(y, x)| map[y % side * side + x % side])
                .sum();
            map[y * side + x] = sum / 4.0 + rough * drawn.random_range(-rough..=rough);
        };
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let corners = [(y, x), (y + step, x), (y, x + step), (y + step, x + step)];
                middle(&mut map, y + half, x + half, corners);
            }
        }
        for y in (0..side).step_by(step) {
            for x in (0..side).step_by(step) {
                let (up, left) = (y + side - half, x + side - half);
                let across = [(y, x), (y, x + step), (y + half, x + half), (up, x + half)];
                middle(&mut map, y, x + half, across);
                let along = [
                    (y, x),
                    (y + step, x),
                    (y + half, x + half),
                    (y + half, left),
                ];
                middle(&mut map, y + half, x, along);
            }
        }
        step = half;
        rough /= decay;
    }
    let low = map.iter().copied().fold(f64::INFINITY, f64::min);
    let range = map.iter().copied().fold(f64::NEG_INFINITY, f64::max) - low;
    map.into_iter()
        .map(|v| if range > 0.0 { (v - low) / range } else { 0.0 })
        .collect()
}

/// More light of the same colour.
pub(super) fn brightness(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let more = [0.1, 0.2, 0.3, 0.4, 0.5][severity];
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let light = (0..picture.channels)
            .map(|c| picture.at(y, x, c))
            .fold(0.0, f64::max);
        let brighter = (light + more).min(1.0);
        if light > 0.0 {
            picture.at(y, x, channel) * brighter / light
        } else {
            brighter
        }
    })
}
