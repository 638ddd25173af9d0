//! Specks: pixels that are far from the middle one of their neighbourhood, as thin lines, dots and noise are.

use cd_core::CHANNELS;

/// Numbers of specks of a picture.
pub(super) const SPECKS: usize = 4;
/// Bytes from the middle of a neighbourhood on from which a pixel is a speck, and a strong one.
const FAR: u8 = 48;
const VERY_FAR: u8 = 100;
/// Bytes from either end of the range that count as the end.
const END: u8 = 4;

/// Specks of bytes `[H, W, 3]`: channels of a pixel that are far away and at an end of the range; pixels that are far away in any channel and
/// have all channels at an end; that are far away in any channel; and very far.
pub(super) fn specks(pixels: &[u8], height: usize, width: usize) -> [usize; SPECKS] {
    let mut counts = [0; SPECKS];
    for y in 0..height {
        let rows = [y.saturating_sub(1), y, (y + 1).min(height - 1)];
        for x in 0..width {
            let columns = [x.saturating_sub(1), x, (x + 1).min(width - 1)];
            let own = &pixels[(y * width + x) * CHANNELS..][..CHANNELS];
            let mut most = 0;
            for (channel, &value) in own.iter().enumerate() {
                let near = |at: usize| {
                    let (row, column) = (rows[at / 3], columns[at % 3]);
                    pixels[(row * width + column) * CHANNELS + channel]
                };
                let away = middle(std::array::from_fn(near)).abs_diff(value);
                counts[0] += usize::from(away > FAR && is_end(value));
                most = most.max(away);
            }
            let is_corner = own.iter().all(|&value| is_end(value));
            counts[1] += usize::from(most > FAR && is_corner);
            counts[2] += usize::from(most > FAR);
            counts[3] += usize::from(most > VERY_FAR);
        }
    }
    counts
}

fn is_end(value: u8) -> bool {
    value <= END || value >= u8::MAX - END
}

/// The median of nine values: of the largest of the lows, the middle one of the middles and the least of the highs of three columns.
fn middle(values: [u8; 9]) -> u8 {
    let [a, b, c, d, e, f, g, h, i] = values;
    let columns = [[a, b, c], [d, e, f], [g, h, i]].map(sorted);
    let across = |at: usize| sorted(columns.map(|column| column[at]));
    sorted([across(0)[2], across(1)[1], across(2)[0]])[1]
}

fn sorted([a, b, c]: [u8; 3]) -> [u8; 3] {
    let (low, high) = (a.min(b), a.max(b));
    let (middle, highest) = (high.min(c), high.max(c));
    [low.min(middle), low.max(middle), highest]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_nine_is_their_median() {
        for seed in 0..200_u32 {
            let values: [u8; 9] = std::array::from_fn(|at| {
                (seed
                    .wrapping_mul(2_654_435_761)
                    .wrapping_add(at as u32 * 40_503)
                    >> 7) as u8
            });
            let mut ordered = values;
            ordered.sort_unstable();
            assert_eq!(middle(values), ordered[4], "{values:?}");
        }
    }

    #[test]
    fn a_thin_line_is_specks_and_a_plane_or_an_edge_is_none() {
        let mut pixels = vec![90; 12 * 10 * 3];
        assert_eq!(specks(&pixels, 12, 10), [0; 4]);
        for y in 0..12 {
            pixels[(y * 10 + 4) * 3..][..3].fill(0);
        }
        assert_eq!(specks(&pixels, 12, 10), [36, 12, 12, 0]);
        for y in 0..12 {
            pixels[(y * 10 + 4) * 3..][..3].copy_from_slice(&[250, 90, 250]);
        }
        assert_eq!(specks(&pixels, 12, 10), [0, 0, 12, 12]);
        for y in 0..12 {
            pixels[y * 30..][..15].fill(0);
            pixels[y * 30 + 15..][..15].fill(200);
        }
        assert_eq!(specks(&pixels, 12, 10), [0; 4]);
    }
}
