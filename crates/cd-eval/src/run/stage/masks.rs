//! Masks of a finished detection on disk, written and read one by one: `masks.safetensors`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use cd_detect::Masks;
use cd_models::atomic;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use crate::run_dir::RunDirError;

/// The file of the masks.
pub(super) const NAME: &str = "masks.safetensors";
const TENSOR: &str = "masks";
/// The images that they are of, where not every image has one.
const IMAGES: &str = "images";

/// Longest header that is believed; ours has about 100 bytes.
const LONGEST_HEADER: u64 = 1 << 20;

/// Writes `masks` into `folder` as one tensor of bytes, `[N, channels, height, width]`; where not every image has one, with a tensor of the
/// images' indices, `[N]`, before it.
pub(super) fn write(folder: &Path, masks: &Masks) -> Result<(), RunDirError> {
    let path = folder.join(NAME);
    let fill = |file: &mut dyn Write| {
        let header = header(masks)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
        for &image in masks.images().unwrap_or_default() {
            file.write_all(&(image as u64).to_le_bytes())?;
        }
        (0..masks.count()).try_for_each(|index| {
            let mask = masks.get(index).map_err(io::Error::other)?;
            file.write_all(&mask)
        })
    };
    atomic::write_with(&path, fill).map_err(|source| RunDirError::Io { path, source })
}

/// The header as JSON, filled up with blanks to a multiple of eight bytes.
fn header(masks: &Masks) -> io::Result<Vec<u8>> {
    let [channels, height, width] = masks.shape();
    let shape = vec![masks.count(), channels, height, width];
    let mut tensors = Vec::new();
    let mut start = 0;
    if let Some(images) = masks.images() {
        start = size_of::<u64>() * images.len();
        let info = TensorInfo {
            dtype: Dtype::U64,
            data_offsets: (0, start),
            shape: vec![images.len()],
        };
        tensors.push((IMAGES.to_owned(), info));
    }
    let info = TensorInfo {
        dtype: Dtype::U8,
        data_offsets: (start, start + shape.iter().product::<usize>()),
        shape,
    };
    tensors.push((TENSOR.to_owned(), info));
    let metadata = Metadata::new(None, tensors).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

/// The masks of a finished detection, left on disk.
pub(super) struct StoredMasks {
    path: PathBuf,
    shape: [usize; 4],
    /// Where the first mask begins.
    start: u64,
    /// The images that they are of, in ascending order; `None` for all of them.
    images: Option<Vec<usize>>,
}

impl StoredMasks {
    /// The masks in `folder`; `None` when the method made none.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, RunDirError> {
        let path = folder.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let found = located(&path).map_err(|error| unreadable(&path, error))?;
        let (shape, start, images) = found;
        Ok(Some(Self {
            path,
            shape,
            start,
            images,
        }))
    }

    /// Channels of a mask.
    pub(super) fn channels(&self) -> usize {
        self.shape[1]
    }

    /// How many images have a mask, where not all have one.
    pub(super) fn searched(&self) -> Option<usize> {
        self.images.as_ref().map(Vec::len)
    }

    /// Whether image `image` has a mask.
    pub(super) fn has(&self, image: usize) -> bool {
        let images = self.images.as_ref();
        images.is_none_or(|images| images.binary_search(&image).is_ok())
    }

    /// Mask of image `image`, `[channels, height, width]`; `None` where it has none.
    pub(super) fn get(&self, image: usize) -> Result<Option<Vec<u8>>, RunDirError> {
        let place = match &self.images {
            Some(images) => images.binary_search(&image).ok(),
            None => Some(image),
        };
        place.map(|place| self.number(place)).transpose()
    }

    fn number(&self, index: usize) -> Result<Vec<u8>, RunDirError> {
        let len: usize = self.shape[1..].iter().product();
        let mut mask = vec![0; len];
        File::open(&self.path)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(self.start + (index * len) as u64))?;
                file.read_exact(&mut mask)
            })
            .map_err(|error| unreadable(&self.path, error))?;
        Ok(mask)
    }
}

/// Shape of the masks in the file at `path`, where the first one begins, and the images that they are of.
fn located(path: &Path) -> io::Result<([usize; 4], u64, Option<Vec<usize>>)> {
    let mut file = File::open(path)?;
    let mut len = [0; 8];
    file.read_exact(&mut len)?;
    let len = u64::from_le_bytes(len);
    if len > LONGEST_HEADER {
        return Err(damaged("its header is too long"));
    }
    let mut header = vec![0; len as usize];
    file.read_exact(&mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header)?;
    let info = metadata.info(TENSOR);
    let info = info.ok_or_else(|| damaged("it holds no tensor `masks`"))?;
    let shape = info.shape.as_slice().try_into();
    let shape: [usize; 4] = shape.map_err(|_| damaged("its masks have another shape"))?;
    let start = 8 + len + info.data_offsets.0 as u64;
    let bytes = shape
        .iter()
        .try_fold(1_u64, |product, &side| product.checked_mul(side as u64));
    let end = bytes.and_then(|bytes| bytes.checked_add(start));
    if end != Some(file.metadata()?.len()) {
        return Err(damaged("its length is not that of its masks"));
    }
    let images = match metadata.info(IMAGES) {
        Some(info) if info.shape == [shape[0]] && info.dtype == Dtype::U64 => {
            Some(indices(&mut file, 8 + len, shape[0])?)
        }
        Some(_) => return Err(damaged("its images are not as many as its masks")),
        None => None,
    };
    Ok((shape, start, images))
}

/// `count` ascending indices at `start` of `file`.
fn indices(file: &mut File, start: u64, count: usize) -> io::Result<Vec<usize>> {
    let mut bytes = vec![0; size_of::<u64>() * count];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    let (numbers, _) = bytes.as_chunks();
    let images: Vec<usize> = numbers
        .iter()
        .map(|number| u64::from_le_bytes(*number) as usize)
        .collect();
    if images.is_sorted() {
        Ok(images)
    } else {
        Err(damaged("its images are not in order"))
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn unreadable(path: &Path, error: io::Error) -> RunDirError {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => RunDirError::Damaged {
            path,
            reason: error.to_string(),
        },
        _ => RunDirError::Io {
            path,
            source: error,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use safetensors::SafeTensors;

    use super::*;

    /// Three masks of 1 x 2 x 2 pixels: 0, 1, 2 and so on.
    fn three() -> Masks {
        let mut masks = Masks::new([1, 2, 2]);
        let values: Vec<u8> = (0..12).collect();
        masks.extend(&values).expect("in memory");
        masks
    }

    #[test]
    fn masks_come_back_one_by_one_and_as_one_tensor() {
        let folder = tempfile::tempdir().expect("scratch");
        assert!(StoredMasks::open(folder.path()).expect("none").is_none());
        write(folder.path(), &three()).expect("written");
        let stored = StoredMasks::open(folder.path()).expect("readable");
        let stored = stored.expect("there");
        assert_eq!(stored.channels(), 1);
        let third = stored.get(2).expect("readable");
        assert_eq!(third.expect("there"), [8, 9, 10, 11]);
        let bytes = fs::read(folder.path().join(NAME)).expect("readable");
        let file = SafeTensors::deserialize(&bytes).expect("well formed");
        let tensor = file.tensor(TENSOR).expect("there");
        assert_eq!(tensor.shape(), [3, 1, 2, 2]);
        assert_eq!(tensor.data(), (0..12).collect::<Vec<u8>>());
    }

    #[test]
    fn masks_of_some_images_are_found_by_their_image() {
        let folder = tempfile::tempdir().expect("scratch");
        let mut some = Masks::new([1, 2, 2]);
        some.extend(&[0, 1, 2, 3, 8, 9, 10, 11]).expect("in memory");
        let some = some.with_images(vec![0, 2]);
        write(folder.path(), &some).expect("written");
        let stored = StoredMasks::open(folder.path()).expect("readable");
        let stored = stored.expect("there");
        let mask = |image| stored.get(image).expect("readable");
        assert_eq!(mask(2), Some(vec![8, 9, 10, 11]));
        assert_eq!((mask(0), mask(1)), (Some(vec![0, 1, 2, 3]), None));
        assert_eq!(
            (mask(3), some.of_image(1).expect("in memory")),
            (None, None)
        );
    }

    #[test]
    fn damaged_files_are_named() {
        let folder = tempfile::tempdir().expect("scratch");
        write(folder.path(), &three()).expect("written");
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).expect("readable");
        let damages: [Vec<u8>; 4] = [
            Vec::new(),
            vec![255; 40],
            whole[..whole.len() - 1].to_vec(),
            [&whole[..8], &vec![b'{'; whole.len() - 8]].concat(),
        ];
        for damage in damages {
            fs::write(&path, damage).expect("written");
            let error = StoredMasks::open(folder.path()).err().expect("damaged");
            assert!(error.to_string().contains(NAME), "{error}");
            assert!(matches!(error, RunDirError::Damaged { .. }), "{error}");
        }
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("made");
        let error = StoredMasks::open(folder.path()).err().expect("no file");
        assert!(matches!(error, RunDirError::Io { .. }), "{error}");
    }
}
