//! Pixels as networks take them: channel by channel.

use cd_core::CHANNELS;

/// Images `[B, H, W, 3]` as `[B, 3, H, W]` in 0 to 1.
pub(super) fn planes(pixels: &[u8], image_len: usize) -> Vec<f32> {
    let image = |image: &[u8]| -> Vec<f32> {
        let channel = |channel| image.iter().skip(channel).step_by(CHANNELS);
        let levels = (0..CHANNELS).flat_map(channel);
        levels.map(|&level| f32::from(level) / 255.0).collect()
    };
    pixels.chunks_exact(image_len).flat_map(image).collect()
}

/// Puts bytes `[B, 3, H, W]` back into images `[B, H, W, 3]`.
pub(super) fn put_back(planes: &[u8], pixels: &mut [u8], image_len: usize) {
    let images = pixels.chunks_exact_mut(image_len);
    for (image, planes) in images.zip(planes.chunks_exact(image_len)) {
        let plane_len = image_len / CHANNELS;
        for (at, level) in image.iter_mut().enumerate() {
            *level = planes[at % CHANNELS * plane_len + at / CHANNELS];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_come_apart_and_together_again() {
        let image: Vec<u8> = (0..24).collect();
        let apart = planes(&image, 12);
        let first: Vec<f32> = [0, 3, 6, 9, 1].map(|level| level as f32 / 255.0).to_vec();
        assert_eq!(apart[..5], first);
        let bytes: Vec<u8> = apart.iter().map(|v| (v * 255.0).round() as u8).collect();
        let mut back = vec![0; 24];
        put_back(&bytes, &mut back, 12);
        assert_eq!(back, image);
    }
}
