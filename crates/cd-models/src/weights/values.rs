//! Values of tensors as files have them.

use burn::tensor::DType;

use super::state::NamedTensor;

/// The values of little-endian floating-point data as f32; `None` for integers such as counters.
pub(super) fn floats(bytes: &[u8], dtype: DType) -> Option<Vec<f32>> {
    Some(match dtype {
        DType::F32 => each(bytes, f32::from_le_bytes),
        DType::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        DType::F16 => each(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
        DType::BF16 => each(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        _ => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}

/// The other layout of a matrix.
pub(super) fn transposed(values: &[f32], rows: usize, columns: usize) -> NamedTensor {
    let mut turned = Vec::with_capacity(values.len());
    for column in 0..columns {
        turned.extend((0..rows).map(|row| values[row * columns + column]));
    }
    NamedTensor {
        shape: vec![columns, rows],
        values: turned,
    }
}
