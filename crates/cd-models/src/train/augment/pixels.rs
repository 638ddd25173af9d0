//! What augmentations do to pixels, `[H, W, 3]` each.

use cd_core::CHANNELS;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Share of red, green and blue in what the eye sees as brightness (ITU-R BT.601).
const LUMA: [f32; CHANNELS] = [0.299, 0.587, 0.114];

pub(super) fn erased(
    source: &[u8],
    height: usize,
    width: usize,
    random: &mut ChaCha8Rng,
) -> Vec<u8> {
    let mut target = source.to_vec();
    if random.random::<bool>() {
        return target;
    }
    let mut span = |side: usize| {
        let length = ((side as f32 * random.random_range(0.2..0.8)) as usize).max(1);
        let start = random.random_range(0..=side - length);
        start..start + length
    };
    let (rows, columns) = (span(height), span(width));
    let colour: [u8; CHANNELS] = random.random();
    for y in rows {
        for x in columns.clone() {
            let at = (y * width + x) * CHANNELS;
            target[at..at + CHANNELS].copy_from_slice(&colour);
        }
    }
    target
}

pub(super) fn shifted(
    source: &[u8],
    height: usize,
    width: usize,
    shift_y: i64,
    shift_x: i64,
    mirror: bool,
) -> Vec<u8> {
    let mut target = vec![0; source.len()];
    for y in 0..height {
        for x in 0..width {
            let column = if mirror { width - 1 - x } else { x };
            let from_y = y as i64 + shift_y;
            let from_x = column as i64 + shift_x;
            let inside =
                (0..height as i64).contains(&from_y) && (0..width as i64).contains(&from_x);
            if inside {
                let from = (from_y as usize * width + from_x as usize) * CHANNELS;
                let to = (y * width + x) * CHANNELS;
                target[to..to + CHANNELS].copy_from_slice(&source[from..from + CHANNELS]);
            }
        }
    }
    target
}

pub(super) fn cut_out(
    source: &[u8],
    height: usize,
    width: usize,
    side: usize,
    random: &mut ChaCha8Rng,
) -> Vec<u8> {
    let mut span = |extent: usize| {
        let start = random.random_range(0..extent) as i64 - (side / 2) as i64;
        let end = (start + side as i64).min(extent as i64);
        start.max(0) as usize..end as usize
    };
    let (rows, columns) = (span(height), span(width));
    let mut target = source.to_vec();
    for y in rows {
        let row = y * width * CHANNELS;
        target[row + columns.start * CHANNELS..row + columns.end * CHANNELS].fill(0);
    }
    target
}

fn luma(pixel: [f32; CHANNELS]) -> f32 {
    pixel
        .iter()
        .zip(LUMA)
        .map(|(value, share)| value * share)
        .sum()
}

pub(super) fn recoloured(source: &[u8], [brightness, contrast, saturation]: [f32; 3]) -> Vec<u8> {
    let (pixels, _) = source.as_chunks::<CHANNELS>();
    let bright = |pixel: &[u8; CHANNELS]| pixel.map(|v| (f32::from(v) * brightness).min(255.0));
    let lumas = pixels.iter().map(|pixel| f64::from(luma(bright(pixel))));
    let mean = (lumas.sum::<f64>() / pixels.len().max(1) as f64) as f32;
    let away =
        |from: f32, factor: f32| move |v: f32| (from + (v - from) * factor).clamp(0.0, 255.0);
    let changed = pixels.iter().flat_map(|pixel| {
        let pixel = bright(pixel).map(away(mean, contrast));
        pixel.map(away(luma(pixel), saturation))
    });
    changed.map(|value| value.round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use cd_core::random;

    use super::*;

    #[test]
    fn shift_and_mirror_move_pixels_as_documented() {
        let source: Vec<u8> = (0..2 * 2 * 3).collect();
        let moved = shifted(&source, 2, 2, 0, 1, false);
        assert_eq!(moved, [3, 4, 5, 0, 0, 0, 9, 10, 11, 0, 0, 0]);
        let mirrored = shifted(&source, 2, 2, 0, 0, true);
        assert_eq!(mirrored, [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]);
    }

    #[test]
    fn erasing_fills_one_rectangle_with_one_colour_half_of_the_time() {
        let source: Vec<u8> = (0..8 * 8 * 3).map(|at| at as u8).collect();
        let mut random = random::stream(1, 0);
        let mut untouched = 0;
        for _ in 0..200 {
            let target = erased(&source, 8, 8, &mut random);
            let pixels = source.chunks(3).zip(target.chunks(3));
            let changed: Vec<&[u8]> = pixels.filter(|(a, b)| a != b).map(|(_, b)| b).collect();
            untouched += usize::from(changed.is_empty());
            assert!(changed.windows(2).all(|pair| pair[0] == pair[1]));
            assert!(changed.len() <= 6 * 6);
        }
        assert!((60..140).contains(&untouched), "{untouched} of 200");
    }

    #[test]
    fn colours_follow_their_factors() {
        let pixels = [100, 100, 100, 200, 0, 50];
        assert_eq!(recoloured(&pixels, [1.0; 3]), pixels);
        assert_eq!(
            recoloured(&pixels, [0.5, 1.0, 1.0]),
            [50, 50, 50, 100, 0, 25]
        );
        assert_eq!(recoloured(&pixels, [2.0, 1.0, 1.0])[3], 255);
        // Without contrast everything is the mean luma: (100 + 0.299 * 200 + 0.114 * 50) / 2.
        assert_eq!(recoloured(&pixels, [1.0, 0.0, 1.0]), [83; 6]);
        // Without saturation each pixel is its own luma.
        let gray = recoloured(&pixels, [1.0, 1.0, 0.0]);
        assert_eq!(gray, [100, 100, 100, 66, 66, 66]);
    }
}
