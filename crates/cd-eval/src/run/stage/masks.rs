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

/// Longest header that is believed; ours has about 100 bytes.
const LONGEST_HEADER: u64 = 1 << 20;

/// Writes `masks` into `folder` as one tensor of bytes, `[N, channels, height, width]`.
pub(super) fn write(folder: &Path, masks: &Masks) -> Result<(), RunDirError> {
    let path = folder.join(NAME);
    let fill = |file: &mut dyn Write| {
        let header = header(masks)?;
        file.write_all(&(header.len() as u64).to_le_bytes())?;
        file.write_all(&header)?;
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
    let info = TensorInfo {
        dtype: Dtype::U8,
        data_offsets: (0, shape.iter().product()),
        shape,
    };
    let metadata =
        Metadata::new(None, vec![(TENSOR.to_owned(), info)]).map_err(io::Error::other)?;
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
}

impl StoredMasks {
    /// The masks in `folder`; `None` when the method made none.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, RunDirError> {
        let path = folder.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let (shape, start) = located(&path).map_err(|error| unreadable(&path, error))?;
        Ok(Some(Self { path, shape, start }))
    }

    /// Channels of a mask.
    pub(super) fn channels(&self) -> usize {
        self.shape[1]
    }

    /// Mask of image `index`, `[channels, height, width]`.
    pub(super) fn get(&self, index: usize) -> Result<Vec<u8>, RunDirError> {
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

/// Shape of the masks in the file at `path`, and where the first one begins.
fn located(path: &Path) -> io::Result<([usize; 4], u64)> {
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
    Ok((shape, start))
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
        assert_eq!(stored.get(2).expect("readable"), [8, 9, 10, 11]);
        let bytes = fs::read(folder.path().join(NAME)).expect("readable");
        let file = SafeTensors::deserialize(&bytes).expect("well formed");
        let tensor = file.tensor(TENSOR).expect("there");
        assert_eq!(tensor.shape(), [3, 1, 2, 2]);
        assert_eq!(tensor.data(), (0..12).collect::<Vec<u8>>());
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
