//! PyTorch checkpoints: a zip archive of a pickled state dict and one file of raw values per tensor.
//!
//! The pickle is what `torch.save(model.state_dict(), path)` writes, so `torch.load` reads it also with
//! `weights_only=True`. Opcodes are those of Python's `pickletools`, protocol 2.

use std::io::{Cursor, Write};

use safetensors::Dtype;
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::stored::Stored;

const PROTOCOL_2: &[u8] = b"\x80\x02";
const MARK: u8 = b'(';
const TUPLE: u8 = b't';
const EMPTY_TUPLE: u8 = b')';
const REDUCE: u8 = b'R';
const GLOBAL: u8 = b'c';
const UNICODE: u8 = b'X';
const LONG1: u8 = 0x8a;
const FALSE: u8 = 0x89;
const PERSISTENT_ID: u8 = b'Q';
const SET_ITEMS: u8 = b'u';
const STOP: u8 = b'.';

/// Folder inside the archive; PyTorch takes any.
const ROOT: &str = "archive";
/// PyTorch maps files into memory on such borders.
const ALIGNMENT: u16 = 64;

/// The bytes of a checkpoint with `tensors`; the same tensors give the same bytes.
pub(super) fn checkpoint(tensors: &[(String, Stored)]) -> ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .with_alignment(ALIGNMENT);
    let mut add = |name: &str, bytes: &[u8]| -> ZipResult<()> {
        archive.start_file(format!("{ROOT}/{name}"), options)?;
        Ok(archive.write_all(bytes)?)
    };
    add("data.pkl", &pickle(tensors))?;
    add("byteorder", b"little")?;
    for (number, (_, tensor)) in tensors.iter().enumerate() {
        add(&format!("data/{number}"), &tensor.bytes)?;
    }
    add("version", b"3\n")?;
    Ok(archive.finish()?.into_inner())
}

/// An `OrderedDict` from names to tensors whose values lie in the archive.
fn pickle(tensors: &[(String, Stored)]) -> Vec<u8> {
    let mut out = PROTOCOL_2.to_vec();
    empty_ordered_dict(&mut out);
    out.push(MARK);
    for (number, (name, tensor)) in tensors.iter().enumerate() {
        text(&mut out, name);
        rebuilt_tensor(&mut out, number, tensor);
    }
    out.extend([SET_ITEMS, STOP]);
    out
}

/// `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)`.
fn rebuilt_tensor(out: &mut Vec<u8>, number: usize, tensor: &Stored) {
    global(out, "torch._utils", "_rebuild_tensor_v2");
    out.push(MARK);
    storage(out, number, tensor);
    integer(out, 0);
    integers(out, &tensor.shape);
    integers(out, &strides(&tensor.shape));
    out.push(FALSE);
    empty_ordered_dict(out);
    out.extend([TUPLE, REDUCE]);
}

/// The reference to the file with the values of a tensor.
fn storage(out: &mut Vec<u8>, number: usize, tensor: &Stored) {
    let class = match tensor.dtype {
        Dtype::I64 => "LongStorage",
        _ => "FloatStorage",
    };
    out.push(MARK);
    text(out, "storage");
    global(out, "torch", class);
    text(out, &number.to_string());
    text(out, "cpu");
    integer(out, tensor.shape.iter().product());
    out.extend([TUPLE, PERSISTENT_ID]);
}

/// Values between neighbours along each axis, rows last.
fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len())
        .map(|axis| shape[axis + 1..].iter().product())
        .collect()
}

fn empty_ordered_dict(out: &mut Vec<u8>) {
    global(out, "collections", "OrderedDict");
    out.extend([EMPTY_TUPLE, REDUCE]);
}

fn global(out: &mut Vec<u8>, module: &str, name: &str) {
    out.push(GLOBAL);
    out.extend(format!("{module}\n{name}\n").bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(UNICODE);
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}

/// A signed integer of nine bytes, so that any `usize` is positive.
fn integer(out: &mut Vec<u8>, value: usize) {
    out.extend([LONG1, 9]);
    out.extend((value as u64).to_le_bytes());
    out.push(0);
}

fn integers(out: &mut Vec<u8>, values: &[usize]) {
    out.push(MARK);
    for &value in values {
        integer(out, value);
    }
    out.push(TUPLE);
}
