//! Numbers in the encodings of parquet (parquet-format, *Encodings*): runs and groups of packed bits, and packed differences.

/// Bytes that are taken from the front.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been taken.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or("a page ends early")?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of four bytes.
    pub(super) fn four(&mut self) -> Result<usize, String> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(bytes) as usize)
    }

    fn unsigned(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number does not end".into())
    }

    fn signed(&mut self) -> Result<i64, String> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

/// Number `index` of those of `width` bits each, the lowest bit first; bits that are not there are 0.
fn unpacked(bytes: &[u8], width: usize, index: usize) -> u64 {
    let first = index * width;
    (0..width).fold(0, |value, bit| {
        let at = first + bit;
        let byte = bytes.get(at / 8).copied().unwrap_or(0);
        value | u64::from(byte >> (at % 8) & 1) << bit
    })
}

/// `count` numbers of `width` bits as runs of one number and groups of eight.
pub(super) fn hybrid(bytes: &[u8], width: u8, count: usize) -> Result<Vec<u32>, String> {
    let width = usize::from(width);
    if width > 32 {
        return Err(format!("numbers of {width} bits, expected at most 32"));
    }
    let mut bits = Bits::new(bytes);
    let mut values: Vec<u32> = Vec::new();
    while values.len() < count {
        let left = count - values.len();
        let head = bits.unsigned()?;
        let length = usize::try_from(head >> 1).unwrap_or(usize::MAX);
        if head & 1 == 0 {
            let value = unpacked(bits.take(width.div_ceil(8))?, width, 0) as u32;
            values.extend(std::iter::repeat_n(value, length.min(left)));
        } else {
            // The last group may be shorter than it says.
            let bytes = length.saturating_mul(width).min(bits.rest().len());
            let packed = bits.take(bytes)?;
            let there = (bytes * 8).checked_div(width).unwrap_or(left);
            let count = length.saturating_mul(8).min(left).min(there);
            values.extend((0..count).map(|index| unpacked(packed, width, index) as u32));
            if count == 0 && left > 0 {
                return Err("a page ends early".into());
            }
        }
    }
    Ok(values)
}

/// At most `most` numbers as a first one and packed differences; `bits` then stands behind them.
pub(super) fn differences(bits: &mut Bits<'_>, most: usize) -> Result<Vec<i64>, String> {
    let block = bits.unsigned()?;
    let parts = bits.unsigned()?;
    let count = bits.unsigned()?;
    let mut value = bits.signed()?;
    if count > most as u64 || block > 1 << 20 || parts == 0 || !block.is_multiple_of(parts) {
        return Err(format!(
            "{count} packed differences in blocks of {block} with {parts} parts, expected at most {most}"
        ));
    }
    let (count, in_part) = (count as usize, (block / parts) as usize);
    let mut values = Vec::new();
    if count > 0 {
        values.push(value);
    }
    while values.len() < count {
        let least = bits.signed()?;
        let widths = bits.take(parts as usize)?;
        for &width in widths {
            if values.len() == count {
                break;
            }
            let width = usize::from(width);
            if width > 64 || in_part == 0 {
                return Err(format!("differences of {width} bits, expected at most 64"));
            }
            let packed = bits.take((in_part * width).div_ceil(8))?;
            for index in 0..in_part.min(count - values.len()) {
                let step = unpacked(packed, width, index) as i64;
                value = value.wrapping_add(least).wrapping_add(step);
                values.push(value);
            }
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_groups_are_unpacked() {
        // The examples of the format: 0 to 7 in three bits, and a run of hundred fours.
        let groups = [3, 0b1000_1000, 0b1100_0110, 0b1111_1010];
        assert_eq!(hybrid(&groups, 3, 8), Ok((0..8).collect()));
        assert_eq!(hybrid(&[200, 1, 4], 3, 100), Ok(vec![4; 100]));
        assert_eq!(hybrid(&groups, 3, 5), Ok((0..5).collect()));
        assert_eq!(hybrid(&[], 3, 0), Ok(Vec::new()));
        assert_eq!(hybrid(&[2, 0], 0, 1), hybrid(&[2], 0, 1));
        for (bytes, width) in [
            (&[][..], 3),
            (&[3], 3),
            (&[2], 3),
            (&[2, 1, 1, 1, 1, 1], 33),
        ] {
            assert!(hybrid(bytes, width, 1).is_err());
        }
    }

    #[test]
    fn differences_are_added_up() {
        // The second example of the format: 7, 5, 3, 1, 2, 3, 4, 5 with blocks of 128 and 4 parts.
        let bytes = [
            &[128, 1, 4, 8, 14, 3, 2, 0, 0, 0][..],
            &[0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0],
            &[9],
        ]
        .concat();
        let mut bits = Bits::new(&bytes);
        assert_eq!(differences(&mut bits, 8), Ok(vec![7, 5, 3, 1, 2, 3, 4, 5]));
        assert_eq!(bits.rest(), [9]);
        assert!(differences(&mut Bits::new(&bytes), 7).is_err());
        assert!(differences(&mut Bits::new(&bytes[..12]), 8).is_err());
    }
}
