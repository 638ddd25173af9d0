//! Sizes: of maps, and of the windows that walk over them.

/// Size of one image's feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Map {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
}

impl Map {
    /// Pixels of one image.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Values of one image.
    pub fn len(&self) -> usize {
        self.pixels() * self.channels
    }

    /// Whether an image has no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How a window walks over a map; rows first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Size of the window, at least 1.
    pub kernel: [usize; 2],
    /// Steps between windows, at least 1.
    pub stride: [usize; 2],
    /// Zeros above and left of the map.
    pub padding: [usize; 2],
    /// How many more stand below and right of it.
    pub extra: [usize; 2],
}

impl Geometry {
    /// Positions in the window.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// The output map for an input map, with `channels` channels; `None` when the window does not fit.
    pub fn output(&self, input: Map, channels: usize) -> Option<Map> {
        let side = |axis: usize, length: usize| {
            let padded = length + 2 * self.padding[axis] + self.extra[axis];
            let room = padded.checked_sub(self.kernel[axis])?;
            Some(room / self.stride[axis] + 1)
        };
        Some(Map {
            height: side(0, input.height)?,
            width: side(1, input.width)?,
            channels,
        })
    }
}
