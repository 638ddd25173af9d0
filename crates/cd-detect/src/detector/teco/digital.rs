//! Digital corruptions: contrast, bends, large pixels.

use rand::Rng;
use rand::RngCore;

use super::picture::Picture;

/// Less difference from the mean of each channel.
pub(super) fn contrast(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let kept = [0.4, 0.3, 0.2, 0.1, 0.05][severity];
    let pixels = (picture.height * picture.width) as f64;
    let means: Vec<f64> = (0..picture.channels)
        .map(|channel| {
            let values = picture
                .values
                .iter()
                .skip(channel)
                .step_by(picture.channels);
            values.sum::<f64>() / pixels
        })
        .collect();
    Picture::from_fn(picture.dims(), |y, x, channel| {
        means[channel] + kept * (picture.at(y, x, channel) - means[channel])
    })
}

/// Bent here and there.
pub(super) fn elastic(picture: &Picture, severity: usize, drawn: &mut dyn RngCore) -> Picture {
    let strength = [12.5, 16.25, 21.25, 25.0, 30.0][severity];
    let most = 0.005 * picture.height as f64;
    let deviation = 0.01 * picture.height as f64;
    let mut bend = || {
        let field = Picture::from_fn([picture.height, picture.width, 1], |_, _, _| {
            drawn.random_range(-most..=most)
        });
        field.blurred(deviation, 3.0).map(|value| strength * value)
    };
    let (right, down) = (bend(), bend());
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let from = (y as f64 + down.at(y, x, 0), x as f64 + right.at(y, x, 0));
        picture.between(from.0, from.1, channel)
    })
}

/// Fewer, larger pixels.
pub(super) fn pixelate(picture: &Picture, severity: usize, _drawn: &mut dyn RngCore) -> Picture {
    let share = [0.6, 0.5, 0.4, 0.3, 0.25][severity];
    let fewer = |side: usize| ((side as f64 * share) as usize).max(1);
    let (height, width) = (fewer(picture.height), fewer(picture.width));
    let across = Picture::from_fn(
        [picture.height, width, picture.channels],
        |y, x, channel| {
            let weights = box_weights(x, width, picture.width);
            rounded(
                weights
                    .map(|(at, share)| share * picture.at(y, at, channel))
                    .sum(),
            )
        },
    );
    let small = Picture::from_fn([height, width, picture.channels], |y, x, channel| {
        let weights = box_weights(y, height, picture.height);
        rounded(
            weights
                .map(|(at, share)| share * across.at(at, x, channel))
                .sum(),
        )
    });
    Picture::from_fn(picture.dims(), |y, x, channel| {
        let nearest = |at: usize, from: usize, to: usize| {
            (((at as f64 + 0.5) * from as f64 / to as f64) as usize).min(from - 1)
        };
        let row = nearest(y, height, picture.height);
        small.at(row, nearest(x, width, picture.width), channel)
    })
}

/// To the levels of a byte.
fn rounded(value: f64) -> f64 {
    (value * 255.0).round() / 255.0
}

/// Pixels whose middles a large pixel covers, with equal shares, as picture libraries shrink by boxes.
fn box_weights(at: usize, fewer: usize, all: usize) -> impl Iterator<Item = (usize, f64)> {
    let size = all as f64 / fewer as f64;
    let middle = (at as f64 + 0.5) * size;
    let first = ((middle - size / 2.0 + 0.5) as usize).min(all - 1);
    let end = ((middle + size / 2.0 + 0.5) as usize).min(all);
    let inside = (first..end.max(first + 1)).filter(move |&pixel| {
        let place = (pixel as f64 - middle + 0.5) / size;
        place > -0.5 && place <= 0.5
    });
    let inside: Vec<usize> = inside.collect();
    let share = 1.0 / inside.len().max(1) as f64;
    inside.into_iter().map(move |pixel| (pixel, share))
}
