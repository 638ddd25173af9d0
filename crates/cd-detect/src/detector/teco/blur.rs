//! Blurs: out of focus, through glass, moving, approaching.

use rand::Rng;
use rand::RngCore;

use super::picture::Picture;

/// Out of focus: each point becomes a disk.
pub(super) fn defocus(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let (radius, soft) = [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)][severity];
    let (reach, near) = if radius <= 8 { (8, 1) } else { (radius, 2) };
    let kernel = disk(radius, reach, soft, near);
    let side = 2 * reach + 1;
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let mut sum = 0.0;
        for down in 0..side {
            for right in 0..side {
                let weight = kernel[(down * side + right) as usize];
                if weight > 0.0 {
                    let row = mirrored(y as i64 + down - reach, picture.height);
                    let column = mirrored(x as i64 + right - reach, picture.width);
                    sum += weight * picture.at(row, column, channel);
                }
            }
        }
        sum
    })
}

/// A disk with softened edges, of sum 1, in a square of `2 reach + 1`.
fn disk(radius: i64, reach: i64, soft: f64, near: i64) -> Vec<f64> {
    let side = 2 * reach + 1;
    let inside = |y: i64, x: i64| {
        let (y, x) = (
            mirrored(y, side as usize) as i64,
            mirrored(x, side as usize) as i64,
        );
        f64::from(u8::from(
            (y - reach).pow(2) + (x - reach).pow(2) <= radius * radius,
        ))
    };
    let whole: f64 = (0..side * side)
        .map(|at| inside(at / side, at % side))
        .sum();
    let weight = |at: i64| (-0.5 * (at as f64 / soft).powi(2)).exp();
    let weights: f64 = (-near..=near).map(weight).sum();
    let softened = |at: i64| {
        let (y, x) = (at / side, at % side);
        let rows = (-near..=near).flat_map(|down| (-near..=near).map(move |right| (down, right)));
        let sum =
            rows.map(|(down, right)| weight(down) * weight(right) * inside(y + down, x + right));
        sum.sum::<f64>() / (weights * weights * whole)
    };
    (0..side * side).map(softened).collect()
}

/// A place outside as its mirror image inside; the outermost pixel is the mirror.
fn mirrored(at: i64, side: usize) -> usize {
    let last = side as i64 - 1;
    if last == 0 {
        return 0;
    }
    let at = at.rem_euclid(2 * last);
    (if at > last { 2 * last - at } else { at }) as usize
}

/// Through glass: near pixels change places between two blurs.
pub(super) fn glass(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let (deviation, reach, rounds) = [
        (0.7, 1, 2),
        (0.9, 2, 1),
        (1.0, 2, 3),
        (1.1, 3, 2),
        (1.5, 4, 2),
    ][severity];
    let mut moved = picture.blurred(deviation, 4.0);
    let (height, width) = (picture.height as i64, picture.width as i64);
    for _ in 0..rounds {
        for y in (reach + 1..=height - reach).rev() {
            for x in (reach + 1..=width - reach).rev() {
                let other_y = y + drawn.random_range(-reach..reach);
                let other_x = x + drawn.random_range(-reach..reach);
                let inside = |y: i64, x: i64| y.max(other_y) < height && x.max(other_x) < width;
                if inside(y, x) {
                    for channel in 0..picture.channels {
                        let place =
                            |y: i64, x: i64| (y * width + x) as usize * picture.channels + channel;
                        moved.values.swap(place(y, x), place(other_y, other_x));
                    }
                }
            }
        }
    }
    moved.blurred(deviation, 4.0)
}

/// Moving along a line that is up to 45 degrees from the horizontal.
pub(super) fn motion(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let (radius, deviation) = [(10, 3.0), (15, 5.0), (15, 8.0), (15, 12.0), (20, 15.0)][severity];
    smeared(picture, radius, deviation, drawn.random_range(-45.0..45.0))
}

/// Smeared along a direction in degrees, most where it started.
pub(super) fn smeared(picture: &Picture, radius: usize, deviation: f64, angle: f64) -> Picture {
    let steps = 2 * radius + 1;
    let weight = |step: usize| (-0.5 * (step as f64 / deviation).powi(2)).exp();
    let whole: f64 = (0..steps).map(weight).sum();
    let (sine, cosine) = angle.to_radians().sin_cos();
    let back = |step: usize, share: f64| (step as f64 * share - 0.5).ceil() as i64;
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let mut sum = 0.0;
        for step in 0..steps {
            let (down, right) = (back(step, sine), back(step, cosine));
            if down.unsigned_abs() as usize >= picture.height
                || right.unsigned_abs() as usize >= picture.width
            {
                break;
            }
            sum += weight(step) * picture.near(y as i64 + down, x as i64 + right, channel);
        }
        sum / whole
    })
}

/// Approaching: the mean of ever larger pictures.
pub(super) fn zoom(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let (steps, step) = [(12, 0.01), (16, 0.01), (11, 0.02), (13, 0.02), (11, 0.03)][severity];
    let mut sum = picture.clone();
    for number in 0..steps {
        let zoomed = picture.zoomed(1.0 + f64::from(number) * step);
        for y in 0..picture.height.min(zoomed.height) {
            for x in 0..picture.width.min(zoomed.width) {
                for channel in 0..picture.channels {
                    let place = (y * picture.width + x) * picture.channels + channel;
                    sum.values[place] += zoomed.at(y, x, channel);
                }
            }
        }
    }
    sum.map(|value| value / f64::from(steps + 1))
}
