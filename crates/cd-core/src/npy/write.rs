//! Arrays to write.

use std::io::{self, Write};
use std::path::Path;

use super::{Kind, MAGIC};
use crate::atomic;

/// Bytes that the part in front of the numbers is a multiple of.
const ALIGNMENT: usize = 64;
/// Numbers that are turned into bytes at once.
const AT_ONCE: usize = 1 << 14;

/// A number that arrays can be written of.
pub trait Element: Copy {
    /// Its type in the header.
    const KIND: Kind;

    /// Appends its bytes, the lowest first.
    fn append(self, bytes: &mut Vec<u8>);
}

macro_rules! elements {
    ($($number:ty => $kind:ident),+) => {
        $(impl Element for $number {
            const KIND: Kind = Kind::$kind;

            fn append(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        })+
    };
}

elements!(u8 => U8, i64 => I64, f32 => F32, f64 => F64);

/// Writes what comes in front of the numbers of an array of `shape`; then follow its rows with [`write_values`].
///
/// # Errors
///
/// Those of `out`.
pub fn write_header<T: Element>(out: &mut dyn Write, shape: &[usize]) -> io::Result<()> {
    let lengths: Vec<String> = shape.iter().map(ToString::to_string).collect();
    // A tuple of one has a comma, too.
    let comma = if shape.len() == 1 { "," } else { "" };
    let lengths = lengths.join(", ") + comma;
    let mut text = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({lengths}), }}",
        T::KIND.description()
    );
    let before = MAGIC.len() + 4;
    let padded = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    text.extend(std::iter::repeat_n(' ', padded - text.len() - 1));
    text.push('\n');
    let length = u16::try_from(text.len()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, "too many axes for an npy file")
    })?;
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(text.as_bytes())
}

/// Writes numbers, the last axis first.
///
/// # Errors
///
/// Those of `out`.
pub fn write_values<T: Element>(out: &mut dyn Write, values: &[T]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(AT_ONCE.min(values.len()) * T::KIND.size());
    for values in values.chunks(AT_ONCE) {
        bytes.clear();
        for &value in values {
            value.append(&mut bytes);
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Writes an array of `shape` to `path`, whole or not at all.
///
/// # Errors
///
/// When there are more or fewer `values` than the shape has, and those of [`atomic::write_with`].
pub fn save<T: Element>(path: &Path, shape: &[usize], values: &[T]) -> io::Result<()> {
    let expected: usize = shape.iter().product();
    if values.len() != expected {
        let reason = format!(
            "{} values for an array of shape {shape:?}, which has {expected}",
            values.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    atomic::write_with(path, |file| {
        write_header::<T>(file, shape)?;
        write_values(file, values)
    })
}
