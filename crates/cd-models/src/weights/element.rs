//! Types of the values of tensors, and floating-point ones as f32.

use std::fmt;

/// The type of the values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 64-bit floating point.
    F64,
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point, IEEE half precision.
    F16,
    /// 16-bit floating point with the exponent of f32.
    Bf16,
    /// 8-bit floating point: 4 bits of exponent, no infinities.
    F8E4m3,
    /// 8-bit floating point: 5 bits of exponent.
    F8E5m2,
    /// Whole numbers and truth values, by name and bytes per value.
    Whole(&'static str, usize),
    /// What has no meaning as f32 here (complex, quantised and packed numbers), by name and bytes per value; 0 where unknown.
    Other(&'static str, usize),
}

impl Element {
    /// Bytes of one value; 0 where that is unknown.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::F8E4m3 | Self::F8E5m2 => 1,
            Self::Whole(_, size) | Self::Other(_, size) => size,
        }
    }

    /// Whether it is read as weights.
    pub fn is_float(self) -> bool {
        !matches!(self, Self::Whole(..) | Self::Other(..))
    }

    /// The type that PyTorch calls `name`, without `torch.` in front.
    pub(crate) fn of_torch(name: &str) -> Self {
        match name {
            "float64" | "double" | "DoubleStorage" => Self::F64,
            "float32" | "float" | "FloatStorage" => Self::F32,
            "float16" | "half" | "HalfStorage" => Self::F16,
            "bfloat16" | "BFloat16Storage" => Self::Bf16,
            "float8_e4m3fn" | "Float8_e4m3fnStorage" => Self::F8E4m3,
            "float8_e5m2" | "Float8_e5m2Storage" => Self::F8E5m2,
            "int64" | "long" | "LongStorage" => Self::Whole("int64", 8),
            "int32" | "int" | "IntStorage" => Self::Whole("int32", 4),
            "int16" | "short" | "ShortStorage" => Self::Whole("int16", 2),
            "int8" | "CharStorage" => Self::Whole("int8", 1),
            "uint8" | "ByteStorage" | "UntypedStorage" | "_UntypedStorage" => {
                Self::Whole("uint8", 1)
            }
            "uint16" => Self::Whole("uint16", 2),
            "uint32" => Self::Whole("uint32", 4),
            "uint64" => Self::Whole("uint64", 8),
            "bool" | "BoolStorage" => Self::Whole("bool", 1),
            "ComplexFloatStorage" => Self::Other("complex", 8),
            "ComplexDoubleStorage" => Self::Other("complex", 16),
            "QInt8Storage" => Self::Other("qint8 (quantised)", 1),
            "QUInt8Storage" => Self::Other("quint8 (quantised)", 1),
            "QInt32Storage" => Self::Other("qint32 (quantised)", 4),
            name if name.starts_with("float8") => Self::Other("an uncommon 8-bit float", 1),
            _ => Self::Other("of an unknown type", 0),
        }
    }

    /// The type that numpy calls `name`, such as `f4`, without the order of bytes.
    pub(crate) fn of_numpy(name: &str) -> Self {
        match name {
            "f8" => Self::F64,
            "f4" => Self::F32,
            "f2" => Self::F16,
            "i8" => Self::Whole("int64", 8),
            "i4" => Self::Whole("int32", 4),
            "i2" => Self::Whole("int16", 2),
            "i1" => Self::Whole("int8", 1),
            "u8" => Self::Whole("uint64", 8),
            "u4" => Self::Whole("uint32", 4),
            "u2" => Self::Whole("uint16", 2),
            "u1" => Self::Whole("uint8", 1),
            "b1" => Self::Whole("bool", 1),
            name if name.starts_with('c') => Self::Other("complex", 0),
            _ => Self::Other("no numbers", 0),
        }
    }

    /// Little-endian values as f32; `None` where the type has no such meaning.
    pub(crate) fn floats(self, bytes: &[u8]) -> Option<Vec<f32>> {
        Some(match self {
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::F16 => each(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
            Self::F8E4m3 => each(bytes, |[byte]| e4m3(byte)),
            // The upper half of a half-precision number.
            Self::F8E5m2 => each(bytes, |[byte]| half::f16::from_le_bytes([0, byte]).to_f32()),
            Self::Whole(..) | Self::Other(..) => return None,
        })
    }
}

impl fmt::Display for Element {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F8E4m3 => "float8_e4m3fn",
            Self::F8E5m2 => "float8_e5m2",
            Self::Whole(name, _) | Self::Other(name, _) => name,
        })
    }
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}

/// One sign, four bits of exponent with a bias of 7, three of fraction; the largest pattern is NaN.
fn e4m3(byte: u8) -> f32 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(byte >> 3 & 0xf);
    let fraction = f32::from(byte & 7) / 8.0;
    match (exponent, byte & 7) {
        (15, 7) => f32::NAN,
        (0, _) => sign * fraction * 2.0_f32.powi(-6),
        _ => sign * (1.0 + fraction) * 2.0_f32.powi(exponent - 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_are_read_as_pytorch_reads_them() {
        let values = Element::F8E4m3.floats(&[0x38, 0xb8, 0x7e, 0x01, 0x00, 0x30]);
        let expected = [1.0, -1.0, 448.0, 0.001_953_125, 0.0, 0.5];
        assert_eq!(values.expect("floats"), expected);
        assert!(Element::F8E4m3.floats(&[0x7f]).expect("floats")[0].is_nan());
        let values = Element::F8E5m2.floats(&[0x3c, 0xbc, 0x7b, 0x01]);
        let expected = [1.0, -1.0, 57_344.0, 1.525_878_9e-5];
        assert_eq!(values.expect("floats"), expected);
        assert!(Element::of_torch("int8").floats(&[1]).is_none());
    }
}
