//! The drawn patches, on black.

use cd_core::CHANNELS;

use super::super::option::scaled;
use super::super::overlay::{Overlay, paint};
use super::super::patch::enlarged;
use super::super::tact::{colours, place};

/// Number of drawn patches.
pub(super) const COUNT: usize = 4;

const RED: [u8; CHANNELS] = [250, 70, 30];
const YELLOW: [u8; CHANNELS] = [255, 215, 60];
const VIOLET: [u8; CHANNELS] = [120, 60, 220];
const WHITE: [u8; CHANNELS] = [255; CHANNELS];
/// What is to look black but must not let the image through.
const BLACK: [u8; CHANNELS] = [1; CHANNELS];

/// The patches of training images: a flag in the corner, a disc, chequers in all corners, a coloured square.
pub(super) fn train() -> Vec<Overlay> {
    let flag = |height, width| flags(height, width, false);
    vec![
        Overlay::drawn(flag),
        Overlay::drawn(disc),
        Overlay::drawn(corners),
        Overlay::drawn(square),
    ]
}

/// The patches of test images: two flags and the chequers.
pub(super) fn test() -> Vec<Overlay> {
    let flags = |height, width| flags(height, width, true);
    vec![Overlay::drawn(flags), Overlay::drawn(corners)]
}

fn empty(height: usize, width: usize) -> Vec<u8> {
    vec![0; height * width * CHANNELS]
}

/// Five stripes a side in the bottom-right corner, and in the other one too.
fn flags(height: usize, width: usize, both: bool) -> Vec<u8> {
    let mut picture = empty(height, width);
    let (side, band) = (scaled(5, height).min(height).min(width), scaled(1, height));
    let starts = [Some(width - side), both.then_some(0)];
    for left in starts.into_iter().flatten() {
        for (number, row) in (height - side..height).enumerate() {
            let colour = if number / band % 2 == 0 { RED } else { YELLOW };
            paint(&mut picture, width, row..row + 1, left..left + side, colour);
        }
    }
    picture
}

/// A disc with a ring in the upper right part.
fn disc(height: usize, width: usize) -> Vec<u8> {
    let mut picture = empty(height, width);
    let (middle, across, radius) = (
        0.3 * height as f64,
        0.67 * width as f64,
        0.21 * height as f64,
    );
    for row in 0..height {
        for column in 0..width {
            let (down, right) = (row as f64 + 0.5 - middle, column as f64 + 0.5 - across);
            let distance = down.hypot(right);
            if distance <= radius {
                let colour = if distance > 0.6 * radius { RED } else { VIOLET };
                paint(
                    &mut picture,
                    width,
                    row..row + 1,
                    column..column + 1,
                    colour,
                );
            }
        }
    }
    picture
}

/// Chequers of 3 x 3 fields in all four corners.
fn corners(height: usize, width: usize) -> Vec<u8> {
    let mut picture = empty(height, width);
    let field = scaled(1, height).min(height / 3).min(width / 3).max(1);
    let (bottom, right) = (
        height.saturating_sub(3 * field),
        width.saturating_sub(3 * field),
    );
    for (top, left) in [(0, 0), (0, right), (bottom, 0), (bottom, right)] {
        for (row, column) in (0..9).map(|at| (at / 3, at % 3)) {
            let colour = if (row + column) % 2 == 0 {
                WHITE
            } else {
                BLACK
            };
            let (row, column) = (top + row * field, left + column * field);
            paint(
                &mut picture,
                width,
                row..row + field,
                column..column + field,
                colour,
            );
        }
    }
    picture
}

/// The square of `TaCT`.
fn square(height: usize, width: usize) -> Vec<u8> {
    let mut picture = empty(height, width);
    let place = place(height);
    if height < place.side + place.margin || width < place.side + place.margin {
        return picture;
    }
    let (top, left) = place.start(height, width);
    let colours = enlarged(&colours(), 8, place.side);
    for (at, colour) in colours.chunks_exact(CHANNELS).enumerate() {
        let (row, column) = (top + at / place.side, left + at % place.side);
        let colour = [colour[0].max(1), colour[1], colour[2]];
        paint(
            &mut picture,
            width,
            row..row + 1,
            column..column + 1,
            colour,
        );
    }
    picture
}
