//! Cells that are coarser than the pixels.

/// For every pixel of an axis the cell before it, the one behind it, and the latter's share.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pixels: Vec<(usize, usize, f32)>,
    cells: usize,
}

impl Axis {
    /// Linear between the centres of the cells, constant beyond the outer ones.
    pub(super) fn new(cells: usize, pixels: usize) -> Self {
        let place = |pixel: usize| {
            let centre = (pixel as f64 + 0.5) * cells as f64 / pixels as f64 - 0.5;
            let centre = centre.clamp(0.0, (cells - 1) as f64);
            let before = centre.floor() as usize;
            let share = (centre - before as f64) as f32;
            (before, (before + 1).min(cells - 1), share)
        };
        Self {
            pixels: (0..pixels).map(place).collect(),
            cells,
        }
    }
}

/// The values of `cells` at every pixel.
pub(super) fn spread(rows: &Axis, columns: &Axis, cells: &[f32], pixels: &mut [f32]) {
    let mut line = vec![0.0; columns.cells];
    let lines = pixels.chunks_exact_mut(columns.pixels.len());
    for (pixels, &(above, below, share)) in lines.zip(&rows.pixels) {
        let [above, below] =
            [above, below].map(|row| &cells[row * columns.cells..][..columns.cells]);
        for (line, (above, below)) in line.iter_mut().zip(above.iter().zip(below)) {
            *line = (1.0 - share) * above + share * below;
        }
        for (pixel, &(before, behind, share)) in pixels.iter_mut().zip(&columns.pixels) {
            *pixel = (1.0 - share) * line[before] + share * line[behind];
        }
    }
}

/// The gradient of the cells from that of the pixels.
pub(super) fn gathered(rows: &Axis, columns: &Axis, pixels: &[f32], cells: &mut [f32]) {
    cells.fill(0.0);
    let mut line = vec![0.0; columns.cells];
    let lines = pixels.chunks_exact(columns.pixels.len());
    for (pixels, &(above, below, share)) in lines.zip(&rows.pixels) {
        line.fill(0.0);
        for (pixel, &(before, behind, share)) in pixels.iter().zip(&columns.pixels) {
            line[before] += (1.0 - share) * pixel;
            line[behind] += share * pixel;
        }
        for (row, share) in [(above, 1.0 - share), (below, share)] {
            let cells = &mut cells[row * columns.cells..][..columns.cells];
            for (cell, line) in cells.iter_mut().zip(&line) {
                *cell += share * line;
            }
        }
    }
}
