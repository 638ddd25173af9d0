//! From bytes in memory to tensors on a device, and back.

use burn::tensor::{Device, Tensor, TensorData};

use crate::augment::Augmentation;
use cd_core::StorageError;
use cd_core::{CHANNELS, ImageSet, Pixels};

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
    let mut values = Vec::with_capacity(indices.len() * set.image_len());
    for &index in indices {
        append_planes(&set.get(index)?, &mut values);
    }
    Ok(data(values, indices.len(), set))
}

/// Images `indices` of `set`, each changed at random by `augmentation`.
///
/// The change of an image is a function of (`seed`, `epoch`, index), not of the order of calls.
///
/// # Shapes
///
/// Output `[B, 3, H, W]`, values in `[0, 1]`.
///
/// # Errors
///
/// When pixels cannot be read.
pub(crate) fn augmented_batch(
    set: &ImageSet,
    indices: &[usize],
    augmentation: &Augmentation,
    seed: u64,
    epoch: usize,
    device: &Device,
) -> Result<Tensor<4>, StorageError> {
    let mut values = Vec::with_capacity(indices.len() * set.image_len());
    for &index in indices {
        let changed = augmentation.apply(set, index, seed, epoch)?;
        append_planes(&changed, &mut values);
    }
    let data = data(values, indices.len(), set.into());
    Ok(Tensor::from_data(data, device))
}

/// One image of bytes `[H, W, 3]` as a batch of one, `[1, 3, H, W]` in `[0, 1]`.
pub fn one_batch(pixels: &[u8], height: usize, width: usize, device: &Device) -> Tensor<4> {
    let mut values = Vec::with_capacity(pixels.len());
    append_planes(pixels, &mut values);
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

fn append_planes(pixels: &[u8], values: &mut Vec<f32>) {
    for channel in 0..CHANNELS {
        let plane = pixels.iter().skip(channel).step_by(CHANNELS);
        values.extend(plane.map(|&byte| f32::from(byte) / 255.0));
    }
}

fn data(values: Vec<f32>, count: usize, set: Pixels<'_>) -> TensorData {
    TensorData::new(values, [count, CHANNELS, set.height(), set.width()])
}

#[cfg(all(test, feature = "flex"))]
mod tests {
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
}
