//! PyTorch checkpoints, interpreted as data: archives, files from before PyTorch 1.6, and bare pickles.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use super::pickle::{Input, PickleError, Value, size, unpickle};
use super::tensors::{View, value_sizes};
use super::walk::entries;
use super::zip::Archive;
use crate::weights::entry::{Checked, Entries, Place, Stored, row_major};
use crate::weights::error::{WeightsError, format_error, io_error};

/// What every file of `torch.save` before 1.6 begins with: a number of ten bytes, pickled.
const OLD_MAGIC: [u8; 15] = [
    0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];

pub(super) fn read(path: &Path) -> Result<Entries, WeightsError> {
    let mut file = File::open(path).map_err(|error| io_error(path, error))?;
    let length = file
        .metadata()
        .map_err(|error| io_error(path, error))?
        .len();
    let mut head = Vec::new();
    let mut start = (&mut file).take(OLD_MAGIC.len() as u64);
    start
        .read_to_end(&mut head)
        .map_err(|error| io_error(path, error))?;
    let read = if head.starts_with(b"PK") {
        archive(&file)
    } else if head == OLD_MAGIC {
        old(&file, length)
    } else {
        bare(&file, length)
    };
    read.map_err(|error| format_error(path, &format!("unreadable PyTorch checkpoint: {error}")))
}

fn other(reason: impl fmt::Display) -> PickleError {
    std::io::Error::other(reason.to_string()).into()
}

/// A zip archive with `data.pkl`, `data/0`, `data/1`, ... in a folder of any name.
fn archive<F: Read + Seek + Clone>(mut file: F) -> Result<Entries, PickleError> {
    let members = Archive::open(&mut file)?;
    let pickle = members
        .names()
        .find(|name| name.split('/').next_back() == Some("data.pkl"));
    let pickle = pickle.ok_or_else(|| other(no_pickle(&members)))?;
    let root = pickle.strip_suffix("data.pkl").unwrap_or_default();
    let member = members.get(pickle).ok_or(PickleError::End)?;
    let at = member.data(pickle, &mut file)?;
    let big_endian = match members.get(&format!("{root}byteorder")) {
        Some(order) => {
            let at = order.data("byteorder", &mut file)?;
            let [first] = Input::new(file.clone(), at, at + order.size)?.array()?;
            first == b'b'
        }
        None => false,
    };
    check(
        &mut file,
        Checked {
            at,
            length: member.size,
            sum: member.sum,
        },
    )?;
    let objects = unpickle(&mut Input::new(file.clone(), at, at + member.size)?)?;
    let file = RefCell::new(file);
    entries(&objects, &|view| {
        let name = format!("{root}data/{}", view.storage);
        let found = members
            .get(&name)
            .map(|member| (member, member.data(&name, &mut *file.borrow_mut())));
        match found {
            Some((member, Ok(at))) => {
                let sum = Checked {
                    at,
                    length: member.size,
                    sum: member.sum,
                };
                place(view, at, member.size, big_endian, Some(sum))
            }
            Some((_, Err(error))) => Place::Nowhere(error.to_string()),
            None => Place::Nowhere(format!("`{name}` is missing in the archive")),
        }
    })
}

/// Why an archive without `data.pkl` is none of PyTorch.
fn no_pickle(archive: &Archive) -> String {
    let mut names = archive.names();
    let first: Vec<&str> = names.by_ref().take(3).collect();
    if first.iter().any(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|ending| ending == "npy")
    }) {
        return "an archive of numpy arrays (`.npz`), not of a network".to_owned();
    }
    let first = first.join(", ");
    format!(
        "a zip archive without `data.pkl` (it holds {first}, ...); unpack it and name the weights file inside"
    )
}

/// Fails when a part of the file is not what it was when its checksum was written. Checksums can be left out.
pub(in crate::weights) fn check<R: Read + Seek>(
    file: &mut R,
    part: Checked,
) -> std::io::Result<()> {
    if part.sum == 0 {
        return Ok(());
    }
    file.seek(std::io::SeekFrom::Start(part.at))?;
    let mut sum = crc32fast::Hasher::new();
    let mut rest = part.length;
    let mut buffer = [0; 1 << 14];
    while rest > 0 {
        let wanted = rest.min(buffer.len() as u64) as usize;
        file.read_exact(&mut buffer[..wanted])?;
        sum.update(&buffer[..wanted]);
        rest -= wanted as u64;
    }
    if sum.finalize() == part.sum {
        return Ok(());
    }
    Err(std::io::Error::other(
        "a checksum of the archive does not fit: the file is damaged, copy it again",
    ))
}

fn place(view: &View, at: u64, length: u64, big_endian: bool, checked: Option<Checked>) -> Place {
    let skipped = (view.offset as u64).checked_mul(view.element.size() as u64);
    let Some(skipped) = skipped.filter(|&skipped| skipped <= length) else {
        return Place::Nowhere("it begins behind the end of its storage".to_owned());
    };
    let plain = row_major(&view.shape).as_ref() == Some(&view.strides);
    Place::File(Stored {
        at: at + skipped,
        available: length - skipped,
        strides: (!plain).then(|| view.strides.clone()),
        big_endian,
        as_text: false,
        checked,
    })
}

/// Pickles in a row (magic number, protocol, system, object, names of storages), then the storages: a count and the values.
fn old<F: Read + Seek>(file: F, length: u64) -> Result<Entries, PickleError> {
    let mut input = Input::new(file, 0, length)?;
    for _ in 0..3 {
        unpickle(&mut input)?;
    }
    let objects = unpickle(&mut input)?;
    let names = unpickle(&mut input)?;
    let sizes = value_sizes(&objects);
    let mut storages = HashMap::new();
    for &name in names.elements(names.root).unwrap_or_default() {
        let name = names.text(name).unwrap_or_default().to_owned();
        let count = u64::from_le_bytes(input.array()?);
        let size = sizes.get(&name).copied().unwrap_or(0);
        if size == 0 {
            return Err(other(format!(
                "a file from before PyTorch 1.6 with values of an unknown kind (storage `{name}`); load it in PyTorch and save its `state_dict()` again"
            )));
        }
        let bytes = count.checked_mul(size as u64).ok_or(PickleError::End)?;
        storages.insert(name, (input.at(), bytes));
        input.skip(bytes)?;
    }
    entries(&objects, &|view| match storages.get(&view.storage) {
        Some(&(at, bytes)) => place(view, at, bytes, false, None),
        None => Place::Nowhere(format!("storage `{}` is missing in the file", view.storage)),
    })
}

/// A pickle of arrays, written without PyTorch.
fn bare<F: Read + Seek>(file: F, length: u64) -> Result<Entries, PickleError> {
    let objects = unpickle(&mut Input::new(file, 0, length)?)?;
    let found = entries(&objects, &|_| {
        Place::Nowhere("it was written by `pickle`, not by `torch.save`".to_owned())
    })?;
    let odd = matches!(objects.root, Value::Int(_)) && size(objects.root).is_some();
    if odd {
        Err(other("it holds a single number"))
    } else {
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
