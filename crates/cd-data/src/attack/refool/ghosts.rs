//! A reflection that is seen twice.

use cd_core::CHANNELS;

/// Two copies of a reflection, `[height, width, 3]`, each `offset` before or after the other, cut to where both are and stretched to the
/// size again into `out`; `between` is room for the copies.
pub(super) fn ghosts(
    mirrored: &[f64],
    size: [usize; 2],
    offset: [usize; 2],
    first: f64,
    between: &mut Vec<f64>,
    out: &mut Vec<f64>,
) {
    let [height, width] = size;
    let [down, right] = [offset[0].min(height - 1), offset[1].min(width - 1)];
    // Between the margins the first copy lies `offset` further than the second.
    let cut = [height - down, width - right];
    let row_len = width * CHANNELS;
    between.clear();
    let (near, far) = (
        mirrored[down * row_len..].chunks_exact(row_len),
        mirrored.chunks_exact(row_len),
    );
    for (near, far) in near.zip(far) {
        let both = near[right * CHANNELS..].iter().zip(far);
        between.extend(both.map(|(near, far)| first * near + (1.0 - first) * far));
    }
    stretch(between, cut, size, out);
}

/// Bilinear, pixel centres on pixel centres.
fn stretch(from: &[f64], size: [usize; 2], to: [usize; 2], out: &mut Vec<f64>) {
    let row_len = size[1] * CHANNELS;
    let columns = places(size[1], to[1]);
    let mut line = vec![0.0; row_len];
    out.clear();
    for (top, bottom, down) in places(size[0], to[0]) {
        let of = |row: usize| &from[row * row_len..(row + 1) * row_len];
        for (value, (top, bottom)) in line.iter_mut().zip(of(top).iter().zip(of(bottom))) {
            *value = top * (1.0 - down) + bottom * down;
        }
        for &(left, right, over) in &columns {
            let of = |column: usize| &line[column * CHANNELS..][..CHANNELS];
            let pairs = of(left).iter().zip(of(right));
            out.extend(pairs.map(|(left, right)| left * (1.0 - over) + right * over));
        }
    }
}

/// For each of `many` places the two of `few` that it lies between, and the share of the second.
fn places(few: usize, many: usize) -> Vec<(usize, usize, f64)> {
    let place = |at: usize| {
        let exact =
            ((at as f64 + 0.5) * few as f64 / many as f64 - 0.5).clamp(0.0, (few - 1) as f64);
        let whole = exact as usize;
        (whole, (whole + 1).min(few - 1), exact - whole as f64)
    };
    (0..many).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_stays_a_ramp_between_its_borders() {
        let size = [2, 8];
        let ramp: Vec<f64> = (0..16)
            .flat_map(|at| [f64::from(at % 8); CHANNELS])
            .collect();
        let (mut between, mut out) = (Vec::new(), Vec::new());
        ghosts(&ramp, size, [1, 4], 0.25, &mut between, &mut out);
        // A quarter of 4 to 7 and three quarters of 0 to 3 are 1 to 4, stretched to twice the width.
        let expected = [1.0, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.0];
        for row in out.chunks_exact(8 * CHANNELS) {
            let grey: Vec<f64> = row.iter().step_by(CHANNELS).copied().collect();
            assert_eq!(grey, expected);
        }
        assert_eq!(out.len(), ramp.len());
    }
}
