//! The mask and the terms that make it small and smooth.

use cd_models::burn::tensor::Tensor;

/// The mask of parameters `theta`, values in `(0, 1)`.
pub(super) fn mask_of(theta: Tensor<4>) -> Tensor<4> {
    (theta.tanh() + 1.0) / 2.0
}

/// `L_p` norm over the whole mask of each image, `[B, 1]`.
pub(super) fn norm(mask: Tensor<4>, p: u8) -> Tensor<2> {
    let flat: Tensor<2> = mask.flatten(1, 3);
    match p {
        1 => flat.abs().sum_dim(1),
        _ => flat.square().sum_dim(1).sqrt(),
    }
}

/// Sum of squared differences of vertical and horizontal neighbours per value of the mask, `[B, 1]`.
pub(super) fn total_variation(mask: Tensor<4>) -> Tensor<2> {
    let [_, channels, height, width] = mask.dims();
    let difference = |axis: usize, length: usize| -> Option<Tensor<2>> {
        let longer = length.checked_sub(1).filter(|&n| n > 0)?;
        let after = mask.clone().narrow(axis, 1, longer);
        let before = mask.clone().narrow(axis, 0, longer);
        Some((after - before).square().flatten::<2>(1, 3).sum_dim(1))
    };
    let sums = [difference(2, height), difference(3, width)];
    let total = sums.into_iter().flatten().reduce(|a, b| a + b);
    match total {
        Some(total) => total / (channels * height * width) as f64,
        // A mask of one pixel has no neighbours.
        None => mask.flatten::<2>(1, 3).sum_dim(1) * 0.0,
    }
}
