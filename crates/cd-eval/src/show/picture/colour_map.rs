//! Colours for mask values.

use super::{Picture, PictureError, RGB, check_mask};

/// Stops of a perceptually ordered map (after viridis): dark violet, blue, green, yellow.
/// Lightness rises throughout, so the order survives colour blindness and black-and-white print.
const STOPS: [[u8; 3]; 9] = [
    [68, 1, 84],
    [71, 45, 123],
    [59, 82, 139],
    [44, 114, 142],
    [33, 145, 140],
    [40, 174, 128],
    [94, 201, 98],
    [173, 220, 48],
    [253, 231, 37],
];

/// The colour of a mask value: 0 (pixel not needed) is dark, 255 (needed) is bright.
pub fn mask_colour(value: u8) -> [u8; 3] {
    let span = 255 / (STOPS.len() - 1) + 1;
    let position = usize::from(value);
    let stop = position / span;
    let next = (stop + 1).min(STOPS.len() - 1);
    // The last span is one value shorter, so that 255 meets the last stop exactly.
    let length = if next * span > 255 {
        255 - stop * span
    } else {
        span
    };
    let weight = position - stop * span;
    std::array::from_fn(|channel| {
        let from = usize::from(STOPS[stop][channel]) * (length - weight);
        let to = usize::from(STOPS[next][channel]) * weight;
        ((from + to + length / 2) / length) as u8
    })
}

/// A mask as a picture: one channel through [`mask_colour`], three channels as red, green and blue.
///
/// `mask` has `height * width * channels` values, row by row, channel last.
///
/// # Errors
/// [`PictureError::MaskChannels`] or [`PictureError::Length`].
pub fn mask_to_rgb(
    mask: &[u8],
    width: usize,
    height: usize,
    channels: usize,
) -> Result<Picture, PictureError> {
    check_mask(mask, width, height, channels)?;
    let rgb = if channels == RGB {
        mask.to_vec()
    } else {
        mask.iter().flat_map(|&value| mask_colour(value)).collect()
    };
    Ok(Picture { width, height, rgb })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Perceived brightness, 0 to 255 (Rec. 709 weights on the coded values).
    fn luma(value: u8) -> f64 {
        let [red, green, blue] = mask_colour(value).map(f64::from);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    #[test]
    fn the_ends_are_the_outer_stops() {
        assert_eq!(mask_colour(0), STOPS[0]);
        assert_eq!(mask_colour(255), STOPS[8]);
        assert_eq!(mask_colour(128), STOPS[4]);
    }

    #[test]
    fn brightness_rises_without_jumps() {
        for value in 1..=255_u8 {
            let step = luma(value) - luma(value - 1);
            // Rounding to 8 bits may take one level of red back before green gains one.
            assert!((-0.5..3.0).contains(&step), "{value}: {step}");
        }
        for value in 3..=255_u8 {
            assert!(luma(value) > luma(value - 3), "{value}");
        }
        assert!(luma(255) - luma(0) > 180.0);
    }

    #[test]
    fn three_channels_are_shown_as_colours() {
        let picture = mask_to_rgb(&[1, 2, 3], 1, 1, 3).expect("fits");
        assert_eq!(picture.rgb(), [1, 2, 3]);
        let picture = mask_to_rgb(&[255], 1, 1, 1).expect("fits");
        assert_eq!(picture.rgb(), STOPS[8]);
        assert!(mask_to_rgb(&[1, 2], 1, 1, 1).is_err());
    }
}
