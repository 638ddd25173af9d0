//! Safetensors.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata as Header};

use crate::weights::about::Metadata;
use crate::weights::element::Element;
use crate::weights::entry::{Entries, Entry, Origin, Place, Stored};
use crate::weights::error::{WeightsError, format_error, io_error};

/// Names and places; the values stay in the file.
pub(super) fn read(path: &Path) -> Result<(Entries, Metadata), WeightsError> {
    let io = |error| io_error(path, error);
    let damaged = |error: &dyn std::fmt::Display| {
        format_error(path, &format!("damaged safetensors file: {error}"))
    };
    let mut file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut first = [0; 8];
    file.read_exact(&mut first).map_err(io)?;
    let header = u64::from_le_bytes(first)
        .checked_add(8)
        .filter(|&end| end <= length);
    let header = header.ok_or_else(|| damaged(&"its header is longer than the file"))?;
    let mut bytes = Vec::new();
    file.take(header - 8).read_to_end(&mut bytes).map_err(io)?;
    let parsed: Header = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
    let mut entries = Entries::new();
    for (name, info) in parsed.tensors() {
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let at = header.checked_add(start).zip(header.checked_add(end));
        let inside = at.filter(|&(at, end)| at <= end && end <= length);
        let (at, end) =
            inside.ok_or_else(|| damaged(&format!("`{name}` lies outside the file")))?;
        let entry = Entry {
            shape: info.shape.clone(),
            element: element(info.dtype),
            origin: Origin::Tensor,
            group: String::new(),
            place: Place::File(Stored {
                at,
                available: end - at,
                strides: None,
                big_endian: false,
                as_text: false,
                checked: None,
            }),
        };
        if entry.element.size() > 0 && entry.claimed() != end - at {
            return Err(damaged(&format!(
                "`{name}` has not as many bytes as its shape says"
            )));
        }
        entries.insert(name, entry);
    }
    Ok((entries, parsed.metadata().clone().unwrap_or_default()))
}

fn element(kind: Dtype) -> Element {
    match kind {
        Dtype::F64 => Element::F64,
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F8_E4M3 => Element::F8E4m3,
        Dtype::F8_E5M2 => Element::F8E5m2,
        Dtype::I64 => Element::Whole("int64", 8),
        Dtype::U64 => Element::Whole("uint64", 8),
        Dtype::I32 => Element::Whole("int32", 4),
        Dtype::U32 => Element::Whole("uint32", 4),
        Dtype::I16 => Element::Whole("int16", 2),
        Dtype::U16 => Element::Whole("uint16", 2),
        Dtype::I8 => Element::Whole("int8", 1),
        Dtype::U8 => Element::Whole("uint8", 1),
        Dtype::BOOL => Element::Whole("bool", 1),
        _ => Element::Other("packed or complex numbers", 0),
    }
}
