//! Masks on a coarser grid than the pixels.

use cd_models::burn::tensor::{Device, Tensor, TensorData};

/// Cells of the grid along an axis of so many pixels.
pub(super) fn cells(pixels: usize, scale: f64) -> usize {
    ((pixels as f64 * scale).round() as usize).max(1)
}

/// `values` of cells, `[B, C, h, w]`, at every pixel: `[B, C, height, width]`, linear between the centres of the cells
/// along each axis and constant beyond the outer ones.
///
/// A product with two small matrices, because not every backend has a gradient for bilinear interpolation.
pub(super) fn upsampled(values: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [_, _, rows, columns] = values.dims();
    if [rows, columns] == [height, width] {
        return values;
    }
    let device = values.device();
    let down = weights(rows, height, &device);
    let across = weights(columns, width, &device).transpose();
    down.matmul(values).matmul(across)
}

/// What each cell gives to each pixel of an axis, `[1, 1, pixels, cells]`; every row adds up to 1.
fn weights(cells: usize, pixels: usize, device: &Device) -> Tensor<4> {
    let mut values = vec![0.0_f32; pixels * cells];
    for (pixel, row) in values.chunks_exact_mut(cells).enumerate() {
        let centre = (pixel as f64 + 0.5) * cells as f64 / pixels as f64 - 0.5;
        let centre = centre.clamp(0.0, (cells - 1) as f64);
        let before = centre.floor() as usize;
        let share = (centre - before as f64) as f32;
        row[before] += 1.0 - share;
        row[(before + 1).min(cells - 1)] += share;
    }
    Tensor::from_data(TensorData::new(values, [1, 1, pixels, cells]), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use cd_models::to_host;

    use super::*;

    fn line(cells: &[f32], pixels: usize) -> Vec<f32> {
        let data = TensorData::new(cells.to_vec(), [1, 1, 1, cells.len()]);
        to_host(upsampled(
            Tensor::from_data(data, &Device::flex()),
            [1, pixels],
        ))
    }

    #[test]
    fn pixels_lie_between_the_centres_of_cells() {
        assert_eq!(line(&[0.0, 1.0], 4), [0.0, 0.25, 0.75, 1.0]);
        assert_eq!(line(&[0.0, 3.0], 3), [0.0, 1.5, 3.0]);
        assert_eq!(line(&[7.0], 3), [7.0; 3]);
        assert_eq!(line(&[1.0, 2.0, 5.0], 3), [1.0, 2.0, 5.0]);
    }

    #[test]
    fn both_axes_and_every_image_are_enlarged() {
        let data = TensorData::new(
            vec![0.0_f32, 1.0, 2.0, 3.0, 8.0, 8.0, 8.0, 8.0],
            [2, 1, 2, 2],
        );
        let large = upsampled(Tensor::from_data(data, &Device::flex()), [3, 5]);
        assert_eq!(large.dims(), [2, 1, 3, 5]);
        let values = to_host(large);
        assert_eq!(
            [values[0], values[4], values[10], values[14]],
            [0.0, 1.0, 2.0, 3.0]
        );
        assert!((values[7] - 1.5).abs() < 1e-6);
        assert!(values[15..].iter().all(|v| (v - 8.0).abs() < 1e-6));
    }
}
