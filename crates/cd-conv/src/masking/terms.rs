//! The terms that make a mask small and smooth.

/// How much size and roughness of a mask cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    /// Weight of the norm over the whole mask.
    pub norm: f32,
    /// 1 or 2: which norm.
    pub power: u8,
    /// Weight of the squared differences of neighbours, whose sum is divided by the values of the mask.
    pub variation: f32,
    /// Factor of both in the gradient.
    pub scale: f32,
}

/// Size of one channel of a mask.
#[derive(Clone, Copy)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
}

/// The weighted norm and variation of `mask`, all channels together, whose gradient is added to `gradient`.
#[inline(always)]
pub(super) fn penalized(
    penalties: &Penalties,
    plane: Plane,
    mask: &[f32],
    gradient: &mut [f32],
) -> [f32; 2] {
    let norm = norm(penalties, mask, gradient);
    let mut squares = 0.0;
    let weight = penalties.variation * penalties.scale * 2.0 / mask.len() as f32;
    let area = plane.height * plane.width;
    for (mask, gradient) in mask.chunks_exact(area).zip(gradient.chunks_exact_mut(area)) {
        squares += variation(plane, weight, mask, gradient);
    }
    let variation = squares as f32 / mask.len() as f32;
    [penalties.norm * norm, penalties.variation * variation]
}

#[inline(always)]
fn norm(penalties: &Penalties, mask: &[f32], gradient: &mut [f32]) -> f32 {
    let weight = penalties.norm * penalties.scale;
    if penalties.power == 1 {
        let mut sum = 0.0;
        for (gradient, &value) in gradient.iter_mut().zip(mask) {
            sum += f64::from(value.abs());
            // No slope where the value is zero.
            *gradient += if value == 0.0 {
                0.0
            } else {
                weight.copysign(value)
            };
        }
        return sum as f32;
    }
    let squares: f64 = mask
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum();
    let norm = squares.sqrt() as f32;
    if norm > 0.0 {
        for (gradient, value) in gradient.iter_mut().zip(mask) {
            *gradient += weight * value / norm;
        }
    }
    norm
}

/// The squared differences of vertical and horizontal neighbours, whose gradient, times half of `weight`, is added.
#[inline(always)]
fn variation(plane: Plane, weight: f32, mask: &[f32], gradient: &mut [f32]) -> f64 {
    let width = plane.width;
    let mut squares = 0.0;
    for row in 1..plane.height {
        let (above, below) = mask[(row - 1) * width..(row + 1) * width].split_at(width);
        let rows = &mut gradient[(row - 1) * width..(row + 1) * width];
        let (on_above, on_below) = rows.split_at_mut(width);
        let mut line = 0.0;
        for column in 0..width {
            let difference = below[column] - above[column];
            line += difference * difference;
            on_below[column] += weight * difference;
            on_above[column] -= weight * difference;
        }
        squares += f64::from(line);
    }
    for (mask, gradient) in mask
        .chunks_exact(width)
        .zip(gradient.chunks_exact_mut(width))
    {
        let mut line = 0.0;
        for column in 1..width {
            let difference = mask[column] - mask[column - 1];
            line += difference * difference;
            gradient[column] += weight * difference;
            gradient[column - 1] -= weight * difference;
        }
        squares += f64::from(line);
    }
    squares
}
