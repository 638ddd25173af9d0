//! Arrays of labels: one number for each picture, or one row with a single 1.

use super::arrays::Array;
use crate::dataset::classes::{Label, Labels};
use crate::dataset::files::FilesError;

/// Most columns of an array with a 1 in each row.
const MOST_COLUMNS: usize = 65_536;

/// What `array` says of each picture, as numbers of `labels`.
pub(super) fn read(
    array: &Array,
    pictures: usize,
    labels: &mut Labels,
) -> Result<Vec<u32>, FilesError> {
    let columns = match array.header.shape[..] {
        [_] | [_, 1] => 1,
        [_, columns] if columns <= MOST_COLUMNS => columns,
        _ => {
            let shape = &array.header.shape;
            return Err(array.wrong(format!("labels of shape {shape:?}, expected [N], [N, 1] or [N, classes] with a single 1 in each row")));
        }
    };
    if array.count() != pictures {
        return Err(array.wrong(format!("{} labels for {pictures} pictures", array.count())));
    }
    let mut read = Vec::new();
    array.each_row(|row, bytes| {
        let mut numbers = array.header.numbers(bytes);
        let label = if columns == 1 {
            numbers.next().and_then(Label::of_number)
        } else {
            single(numbers)
        };
        let label = label.ok_or_else(|| {
            let expected = if columns == 1 {
                "a whole number"
            } else {
                "a single 1 among zeros"
            };
            array.wrong(format!("row {row} is no label: expected {expected}"))
        })?;
        read.push(labels.id(label).map_err(|reason| array.wrong(reason))?);
        Ok(())
    })?;
    Ok(read)
}

/// The position of the single 1 among zeros.
fn single(numbers: impl Iterator<Item = f64>) -> Option<Label> {
    let mut found = None;
    for (at, number) in numbers.enumerate() {
        match (number, found) {
            (1.0, None) => found = Some(at as i64),
            (0.0, _) => {}
            _ => return None,
        }
    }
    found.map(Label::Number)
}
