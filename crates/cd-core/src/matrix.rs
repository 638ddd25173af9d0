//! Numbers in rows: features of images, losses of epochs.

/// Numbers in rows of one length, row after row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Rows of `columns` values each.
    ///
    /// # Panics
    ///
    /// When the last row is not whole.
    pub fn new(columns: usize, values: Vec<f32>) -> Self {
        assert!(
            values.len().checked_rem(columns).unwrap_or(values.len()) == 0,
            "{} values in rows of {columns}",
            values.len()
        );
        Self { columns, values }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.columns).unwrap_or(0)
    }

    /// Values of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Row `index`.
    ///
    /// # Panics
    ///
    /// When `index` is out of range, like slice indexing.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.columns..(index + 1) * self.columns]
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The columns at `indices`, in that order, of every row.
    ///
    /// # Panics
    ///
    /// When an index is out of range.
    #[must_use]
    pub fn select_columns(&self, indices: &[usize]) -> Self {
        let rows = (0..self.rows()).map(|row| self.row(row));
        let values = rows.flat_map(|row| indices.iter().map(|&at| row[at]));
        Self::new(indices.len(), values.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_selected_in_every_row() {
        let matrix = Matrix::new(3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!((matrix.rows(), matrix.row(1)), (2, &[4.0, 5.0, 6.0][..]));
        let some = matrix.select_columns(&[2, 0]);
        assert_eq!(some.values(), [3.0, 1.0, 6.0, 4.0]);
        assert_eq!(Matrix::default().rows(), 0);
    }
}
