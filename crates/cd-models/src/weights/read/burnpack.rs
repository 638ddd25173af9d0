//! Burn's own format.

use std::fs;
use std::path::Path;

use burn::store::burn_pack;
use burn::tensor::{Bytes, DType};

use crate::weights::about::Metadata;
use crate::weights::element::Element;
use crate::weights::entry::{Entries, Entry, Origin, Place};
use crate::weights::error::{WeightsError, format_error, io_error};

/// Reads Burn's format, of ours or of any Burn module whose fields are named as in PyTorch.
///
/// Burn keeps matrices of linear layers transposed and calls scale and shift `gamma` and `beta`.
pub(super) fn read(path: &Path) -> Result<(Entries, Metadata), WeightsError> {
    let damaged =
        |error: burn_pack::Error| format_error(path, &format!("damaged burnpack: {error}"));
    // Read whole: a file-backed reader would size its buffer by the header before checking it.
    let bytes = fs::read(path).map_err(|error| io_error(path, error))?;
    let reader = burn_pack::Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(damaged)?;
    let metadata = reader.metadata().clone().into_iter().collect();
    let mut entries = Entries::new();
    for tensor in reader.into_tensors().map_err(damaged)? {
        let (name, kind, shape, _, bytes) = tensor.into_parts().map_err(damaged)?;
        let element = element(kind);
        let shape = shape.to_vec();
        let (shape, bytes) = match shape[..] {
            [rows, columns] => match transposed(&bytes, rows, columns, element.size()) {
                Some(turned) => (vec![columns, rows], turned),
                None => (shape, bytes.to_vec()),
            },
            _ => (shape, bytes.to_vec()),
        };
        let entry = Entry {
            shape,
            element,
            origin: Origin::Tensor,
            group: String::new(),
            place: Place::Memory(bytes),
        };
        entries.insert(name, entry);
    }
    Ok((entries, metadata))
}

fn element(kind: DType) -> Element {
    match kind {
        DType::F64 => Element::F64,
        DType::F32 => Element::F32,
        DType::F16 => Element::F16,
        DType::BF16 => Element::Bf16,
        DType::I64 => Element::Whole("int64", 8),
        DType::I32 => Element::Whole("int32", 4),
        DType::I16 => Element::Whole("int16", 2),
        DType::I8 => Element::Whole("int8", 1),
        DType::U8 => Element::Whole("uint8", 1),
        _ => Element::Other("of another kind", 0),
    }
}

/// The other layout of a matrix; `None` where the bytes are not as many as it says.
fn transposed(bytes: &[u8], rows: usize, columns: usize, size: usize) -> Option<Vec<u8>> {
    let whole = rows.checked_mul(columns)?.checked_mul(size)?;
    (whole == bytes.len() && size > 0).then_some(())?;
    let mut turned = Vec::with_capacity(bytes.len());
    for column in 0..columns {
        for row in 0..rows {
            let at = (row * columns + column) * size;
            turned.extend_from_slice(&bytes[at..at + size]);
        }
    }
    Some(turned)
}
