//! From bytes in memory to tensors on a device, and back.

use burn::tensor::{Device, Tensor, TensorData};
use cd_core::{CHANNELS, Pixels, StorageError};
use rayon::prelude::*;

/// Values of a batch from which on several threads fill it: below, starting them costs more than it gains.
const PARALLEL_FROM: usize = 1 << 20;

/// Images `indices` of `set` as one tensor.
///
/// # Shapes
///
/// Output `[B, 3, H, W]`, values `byte / 255` in `[0, 1]`.
///
/// # Errors
///
/// When pixels cannot be read.
pub fn batch<'a>(
    set: impl Into<Pixels<'a>>,
    indices: &[usize],
    device: &Device,
) -> Result<Tensor<4>, StorageError> {
    Ok(Tensor::from_data(host_batch(set, indices)?, device))
}

/// As [`batch`], still on the host: for threads that read ahead of the device.
///
/// # Errors
///
/// When pixels cannot be read.
pub fn host_batch<'a>(
    set: impl Into<Pixels<'a>>,
    indices: &[usize],
) -> Result<TensorData, StorageError> {
    let set = set.into();
    let (height, width) = (set.height(), set.width());
    filled_batch(indices, height, width, |index| set.get(index))
}

/// `pixels` of every index, `[H, W, 3]` each, as the values of one tensor; any thread may make it.
///
/// # Shapes
///
/// Output `[B, 3, H, W]`, values `byte / 255` in `[0, 1]`.
///
/// # Errors
///
/// The first of `pixels` in the order of the indices.
pub(crate) fn filled_batch<B: AsRef<[u8]>>(
    indices: &[usize],
    height: usize,
    width: usize,
    pixels: impl Fn(usize) -> Result<B, StorageError> + Sync,
) -> Result<TensorData, StorageError> {
    let image_len = CHANNELS * height * width;
    let mut values = vec![0.0; indices.len() * image_len];
    let fill = |index: usize, image: &mut [f32]| {
        pixels(index).map(|pixels| fill_planes(pixels.as_ref(), image))
    };
    if values.len() < PARALLEL_FROM {
        let images = values.chunks_mut(image_len.max(1));
        let mut pairs = indices.iter().zip(images);
        pairs.try_for_each(|(&index, image)| fill(index, image))?;
    } else {
        let images = values.par_chunks_mut(image_len);
        let filled = indices.par_iter().zip(images);
        let filled = filled.map(|(&index, image)| fill(index, image));
        if let Some(error) = filled.find_map_first(Result::err) {
            return Err(error);
        }
    }
    let shape = [indices.len(), CHANNELS, height, width];
    Ok(TensorData::new(values, shape))
}

/// One image of bytes `[H, W, 3]` as a batch of one, `[1, 3, H, W]` in `[0, 1]`.
pub fn one_batch(pixels: &[u8], height: usize, width: usize, device: &Device) -> Tensor<4> {
    let mut values = vec![0.0; pixels.len()];
    fill_planes(pixels, &mut values);
    Tensor::from_data(
        TensorData::new(values, [1, CHANNELS, height, width]),
        device,
    )
}

/// Values of a tensor on the host, row-major.
pub fn to_host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("converted to f32 in the line above")
}

/// Rounds values in `[0, 1]` to bytes; values outside are clamped.
pub fn quantize(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect()
}

fn fill_planes(pixels: &[u8], values: &mut [f32]) {
    let plane_len = (pixels.len() / CHANNELS).max(1);
    for (channel, plane) in values.chunks_mut(plane_len).enumerate() {
        let bytes = pixels.iter().skip(channel).step_by(CHANNELS);
        for (value, &byte) in plane.iter_mut().zip(bytes) {
            *value = f32::from(byte) / 255.0;
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_core::ImageSet;

    use super::*;

    #[test]
    fn bytes_become_planes_in_unit_range() {
        let mut set = ImageSet::new(1, 2, vec!["only".into()]);
        set.push("x".into(), &[0, 51, 255, 102, 153, 204], 0)
            .expect("fits");
        let tensor = batch(&set, &[0], &Device::flex()).expect("in memory");
        assert_eq!(tensor.dims(), [1, 3, 1, 2]);
        let values = to_host(tensor);
        assert_eq!(values, [0.0, 0.4, 0.2, 0.6, 1.0, 0.8]);
        assert_eq!(quantize(&values), [0, 102, 51, 153, 255, 204]);
    }

    #[test]
    fn a_batch_that_several_threads_fill_is_that_of_one() {
        let side = 256;
        let byte = |image: usize, at: usize| (image * 101 + at * 7 + at / 97) as u8;
        let pixels = |image: usize| -> Vec<u8> {
            let bytes = 0..side * side * CHANNELS;
            bytes.map(|at| byte(image, at)).collect()
        };
        let indices: Vec<usize> = (0..8).rev().collect();
        let whole = filled_batch(&indices, side, side, |image| Ok(pixels(image)));
        let whole = whole.expect("no error").try_to_vec::<f32>().expect("f32");
        assert!(whole.len() >= PARALLEL_FROM);
        let one_by_one = indices.iter().flat_map(|&image| {
            let one = filled_batch(&[image], side, side, |image| Ok(pixels(image)));
            one.expect("no error").try_to_vec::<f32>().expect("f32")
        });
        assert!(whole == one_by_one.collect::<Vec<f32>>());
        let failing = |image: usize| match image {
            2 | 5 => Err(StorageError::Source {
                path: image.to_string().into(),
                reason: "gone".to_owned(),
            }),
            image => Ok(pixels(image)),
        };
        let error = filled_batch(&indices, side, side, failing).expect_err("two are gone");
        assert!(error.to_string().starts_with("`5`"), "{error}");
    }
}
