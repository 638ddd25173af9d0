//! Rows for tests.

use cd_core::random::stream;
use faer::Mat;
use rand::Rng;

use super::mixture::Others;

/// Numbers of a bell of width 1 around zero.
pub(super) fn bells(rows: usize, columns: usize, seed: u64) -> Mat<f64> {
    let mut random = stream(seed, 1);
    Mat::from_fn(rows, columns, |_, _| {
        (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
    })
}

/// Five classes that lie apart, each along a direction of its own.
pub(super) fn five(columns: usize) -> Others {
    Others {
        means: Mat::from_fn(
            5,
            columns,
            |class, column| {
                if class == column { 4.0 } else { 0.0 }
            },
        ),
        shares: vec![0.2; 5],
    }
}
