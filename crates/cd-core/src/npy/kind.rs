//! Types of elements.

/// Type of the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Signed, 8 bits.
    I8,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits.
    U16,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// Half precision.
    F16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

/// All types with their letters in a header.
const ALL: [(Kind, &str); 12] = [
    (Kind::Bool, "b1"),
    (Kind::I8, "i1"),
    (Kind::I16, "i2"),
    (Kind::I32, "i4"),
    (Kind::I64, "i8"),
    (Kind::U8, "u1"),
    (Kind::U16, "u2"),
    (Kind::U32, "u4"),
    (Kind::U64, "u8"),
    (Kind::F16, "f2"),
    (Kind::F32, "f4"),
    (Kind::F64, "f8"),
];

impl Kind {
    /// The type of these letters, such as `f4`.
    pub(super) fn of_letters(letters: &str) -> Option<Self> {
        let known = ALL.iter().find(|(_, of_kind)| *of_kind == letters);
        known.map(|(kind, _)| *kind)
    }

    /// As a header writes it, such as `<f4`.
    pub(super) fn description(self) -> String {
        let known = ALL.iter().find(|(kind, _)| *kind == self);
        let letters = known.expect("all are listed").1;
        let order = if self.size() == 1 { '|' } else { '<' };
        format!("{order}{letters}")
    }

    /// Bytes of an element, 1 to 8.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Whether elements may have a fraction.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }

    /// The number that `bytes` (as many as [`size`](Self::size) says, lowest first) stand for; whole numbers beyond 2^53 are rounded.
    pub(super) fn number(self, bytes: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = bytes;
        match self {
            Self::Bool | Self::U8 => f64::from(a),
            Self::I8 => f64::from(a as i8),
            Self::I16 => f64::from(i16::from_le_bytes([a, b])),
            Self::U16 => f64::from(u16::from_le_bytes([a, b])),
            Self::F16 => half(u16::from_le_bytes([a, b])),
            Self::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Self::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Self::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Self::I64 => i64::from_le_bytes(bytes) as f64,
            Self::U64 => u64::from_le_bytes(bytes) as f64,
            Self::F64 => f64::from_le_bytes(bytes),
        }
    }
}

/// A number of half precision (IEEE 754: one bit of sign, five of exponent, ten of fraction).
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff);
    let magnitude = match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 {
        -magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_half_precision() {
        for (bits, number) in [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x7bff, 65504.0),
            (0x0001, 2_f64.powi(-24)),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(half(bits), number);
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn letters_and_kinds_are_one_to_one() {
        for (kind, letters) in ALL {
            assert_eq!(Kind::of_letters(letters), Some(kind));
            assert!(kind.description().ends_with(letters));
        }
    }
}
