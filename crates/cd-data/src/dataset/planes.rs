//! Pictures that are stored colour plane by colour plane.

use cd_core::CHANNELS;

/// Writes the pixels of `planes` (all red values, all green, all blue) to `pixels`, channel last; both of one length.
pub(super) fn interleave(planes: &[u8], pixels: &mut [u8]) {
    let plane = planes.len() / CHANNELS;
    for (position, pixel) in pixels.chunks_exact_mut(CHANNELS).enumerate() {
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = planes[channel * plane + position];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels() {
        let mut pixels = [0; 6];
        interleave(&[1, 2, 3, 4, 5, 6], &mut pixels);
        assert_eq!(pixels, [1, 3, 5, 2, 4, 6]);
    }
}
