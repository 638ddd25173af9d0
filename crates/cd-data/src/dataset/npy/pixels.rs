//! Rows of numbers become pixels.

use std::sync::Arc;

use cd_core::npy::{Header, Kind, Rows};
use cd_core::{CHANNELS, PixelSource, StorageError};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::arrays::Array;
use crate::dataset::files::FilesError;
use crate::picture::resize_rgb;

/// Largest side of a picture in pixels.
const MOST_SIDE: usize = 4096;

/// Where the colours of a picture stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrayLayout {
    /// `[height, width, channels]`, as in TensorFlow and pictures on disk.
    ChannelsLast,
    /// `[channels, height, width]`, as in PyTorch.
    ChannelsFirst,
}

/// What the numbers of a picture mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrayRange {
    /// 0 is black and 1 is bright.
    Unit,
    /// 0 is black and 255 is bright.
    Bytes,
    /// -1 is black and 1 is bright.
    Symmetric,
}

/// How the rows of an array are read as pictures.
#[derive(Debug, Clone)]
pub(super) struct Form {
    header: Header,
    height: usize,
    width: usize,
    channels: usize,
    layout: ArrayLayout,
    range: ArrayRange,
    /// Side that pictures are resized to.
    size: Option<usize>,
}

/// Least and largest number of an array, and whether all are whole.
struct Spread {
    least: f64,
    largest: f64,
    is_whole: bool,
}

impl Form {
    /// The form of `array`; all of it is read where its type leaves open what the numbers mean.
    pub(super) fn of(
        array: &Array,
        layout: Option<ArrayLayout>,
        range: Option<ArrayRange>,
        size: Option<usize>,
    ) -> Result<Self, FilesError> {
        let shape = shape(array.row_shape(), layout).map_err(|reason| array.wrong(reason))?;
        let (height, width, channels, layout) = shape;
        if height == 0 || width == 0 || height > MOST_SIDE || width > MOST_SIDE {
            return Err(array.wrong(format!(
                "pictures of {width} x {height} pixels, expected sides of 1 to {MOST_SIDE}"
            )));
        }
        let range = match array.header.kind {
            Kind::U8 => ArrayRange::Bytes,
            Kind::Bool => return Err(array.wrong(
                "it holds truth values, expected numbers; save it with .astype(\"uint8\") * 255",
            )),
            kind => {
                let spread = Spread::of(array)?;
                spread
                    .range(kind, range)
                    .map_err(|reason| array.wrong(reason))?
            }
        };
        let header = array.header.clone();
        Ok(Self {
            header,
            height,
            width,
            channels,
            layout,
            range,
            size,
        })
    }

    /// Height and width of what comes out.
    pub(super) fn sides(&self) -> (usize, usize) {
        self.size
            .map_or((self.height, self.width), |side| (side, side))
    }

    /// Height and width as stored.
    pub(super) fn stored(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The pixels of a row, `[height, width, 3]`.
    pub(super) fn pixels(&self, row: &[u8]) -> Vec<u8> {
        let bytes: Vec<u8> = match self.header.kind {
            Kind::U8 => row.to_vec(),
            _ => self
                .header
                .numbers(row)
                .map(|number| self.byte(number))
                .collect(),
        };
        let area = self.height * self.width;
        let mut pixels = Vec::with_capacity(area * CHANNELS);
        for at in 0..area {
            for channel in 0..CHANNELS {
                // Gray has one channel, and alpha is left out.
                let channel = channel.min(self.channels - 1);
                pixels.push(match self.layout {
                    ArrayLayout::ChannelsLast => bytes[at * self.channels + channel],
                    ArrayLayout::ChannelsFirst => bytes[channel * area + at],
                });
            }
        }
        let Some(side) = self.size else {
            return pixels;
        };
        let picture = RgbImage::from_raw(self.width as u32, self.height as u32, pixels);
        resize_rgb(
            picture.expect("as many pixels as the sides say"),
            side,
            side,
        )
    }

    fn byte(&self, number: f64) -> u8 {
        let scaled = match self.range {
            ArrayRange::Unit => number * 255.0,
            ArrayRange::Bytes => number,
            ArrayRange::Symmetric => (number + 1.0) * 127.5,
        };
        scaled.round().clamp(0.0, 255.0) as u8
    }
}

/// Height, width, channels and layout of a row of this shape.
fn shape(
    row: &[usize],
    wanted: Option<ArrayLayout>,
) -> Result<(usize, usize, usize, ArrayLayout), String> {
    let is_colour = |channels: usize| matches!(channels, 1 | 3 | 4);
    match *row {
        [height, width] => Ok((height, width, 1, ArrayLayout::ChannelsLast)),
        [a, b, c] => {
            let layout = match (wanted, is_colour(a), is_colour(c)) {
                (Some(layout), _, _) => layout,
                (None, true, false) => ArrayLayout::ChannelsFirst,
                (None, false, true) => ArrayLayout::ChannelsLast,
                (None, true, true) => {
                    return Err(format!(
                        "pictures of shape {row:?} may have their colours first or last; choose `layout`"
                    ));
                }
                (None, false, false) => {
                    return Err(format!(
                        "pictures of shape {row:?}, expected 1, 3 or 4 channels first or last"
                    ));
                }
            };
            let (height, width, channels) = match layout {
                ArrayLayout::ChannelsLast => (a, b, c),
                ArrayLayout::ChannelsFirst => (b, c, a),
            };
            if !is_colour(channels) {
                return Err(format!(
                    "pictures of shape {row:?} have {channels} channels in this `layout`, expected 1, 3 or 4"
                ));
            }
            Ok((height, width, channels, layout))
        }
        _ => Err(format!(
            "rows of shape {row:?}, expected [height, width] or [height, width, channels] in either order; np.reshape makes pictures of flat rows"
        )),
    }
}

impl Spread {
    fn of(array: &Array) -> Result<Self, FilesError> {
        let mut spread = Self {
            least: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            is_whole: true,
        };
        array.each_row(|row, bytes| {
            for number in array.header.numbers(bytes) {
                if !number.is_finite() {
                    return Err(array.wrong(format!("row {row} holds {number}")));
                }
                spread.least = spread.least.min(number);
                spread.largest = spread.largest.max(number);
                spread.is_whole &= number.fract() == 0.0;
            }
            Ok(())
        })?;
        Ok(spread)
    }

    fn lies_in(&self, range: ArrayRange) -> bool {
        let (least, largest) = match range {
            ArrayRange::Unit => (0.0, 1.0),
            ArrayRange::Bytes => (0.0, 255.0),
            ArrayRange::Symmetric => (-1.0, 1.0),
        };
        self.least >= least && self.largest <= largest
    }

    /// What the numbers mean: as the user says, or where that is plain.
    fn range(&self, kind: Kind, wanted: Option<ArrayRange>) -> Result<ArrayRange, String> {
        let (least, largest) = (self.least, self.largest);
        let wanted = wanted.filter(|_| kind.is_float());
        if let Some(wanted) = wanted {
            if self.lies_in(wanted) {
                return Ok(wanted);
            }
            return Err(format!(
                "its numbers run from {least} to {largest}, outside the chosen `range`"
            ));
        }
        if !kind.is_float() {
            if self.lies_in(ArrayRange::Bytes) {
                return Ok(ArrayRange::Bytes);
            }
            return Err(format!(
                "its whole numbers run from {least} to {largest}, expected 0 to 255"
            ));
        }
        match () {
            () if self.lies_in(ArrayRange::Unit) => Ok(ArrayRange::Unit),
            () if self.lies_in(ArrayRange::Bytes) && self.is_whole => Ok(ArrayRange::Bytes),
            () if self.lies_in(ArrayRange::Bytes) => Err(format!(
                "its numbers run from {least} to {largest} and are not whole; where 255 is bright, set `range = \"bytes\"`"
            )),
            () if self.lies_in(ArrayRange::Symmetric) => Err(format!(
                "its numbers run from {least} to {largest}; where -1 is black and 1 is bright, set `range = \"symmetric\"`"
            )),
            () => Err(format!(
                "its numbers run from {least} to {largest}, as of pictures that were normalised, whose colours cannot be told; save them as uint8 before that"
            )),
        }
    }
}

/// Pictures that are read from an array in a file whenever they are asked for.
#[derive(Debug)]
pub(super) struct ArraySource {
    pub(super) path: std::path::PathBuf,
    pub(super) rows: Rows,
    pub(super) form: Form,
}

impl PixelSource for ArraySource {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let row = self
            .rows
            .bytes(index)
            .map_err(|error| StorageError::Source {
                path: self.path.clone(),
                reason: error.to_string(),
            })?;
        Ok(self.form.pixels(&row).into())
    }
}
