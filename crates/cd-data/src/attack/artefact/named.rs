//! Files of several arrays, each with a name.

use std::fs::{self, File};
use std::path::Path;

use cd_core::names::did_you_mean;
use cd_models::read_weights;
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::{MOST_BYTES, Numbers, Precision, npy};

/// The name asked for, or the only one that there is.
fn chosen(names: Vec<String>, wanted: Option<&str>) -> Result<String, String> {
    let hint =
        |names: &[String]| format!("write the name after the file, as in `FILE#{}`", names[0]);
    match wanted {
        _ if names.is_empty() => Err("it holds no array".into()),
        Some(name) if names.iter().any(|known| known == name) => Ok(name.into()),
        Some(name) => Err(format!(
            "it has no array `{name}`: {}",
            did_you_mean(name, names.iter().map(String::as_str))
        )),
        None if names.len() == 1 => Ok(names[0].clone()),
        None => Err(format!(
            "it holds {} arrays ({}); {}",
            names.len(),
            names.join(", "),
            hint(&names)
        )),
    }
}

/// An array of an npz file, or of a PyTorch file, which is a zip file as well.
pub(super) fn from_zip(path: &Path, wanted: Option<&str>) -> Result<Numbers, String> {
    let failed = |error: zip::result::ZipError| format!("it is no readable zip file: {error}");
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive = ZipArchive::new(file).map_err(failed)?;
    let members: Vec<String> = archive
        .file_names()
        .map(|name| name.map(|name| name.to_string()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    if members.iter().any(|name| name.ends_with("data.pkl")) {
        return from_pytorch(path, wanted);
    }
    let arrays = members.iter().filter_map(|name| name.strip_suffix(".npy"));
    let mut names: Vec<String> = arrays.map(str::to_owned).collect();
    names.sort();
    let name = chosen(names, wanted)?;
    let mut member = archive.by_name(&format!("{name}.npy")).map_err(failed)?;
    npy(&mut member).map_err(|problem| format!("`{name}`: {problem}"))
}

/// A tensor of a safetensors file.
pub(super) fn from_safetensors(path: &Path, wanted: Option<&str>) -> Result<Numbers, String> {
    let length = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MOST_BYTES {
        return Err(format!(
            "it has {length} bytes, at most {MOST_BYTES} are read"
        ));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let file = SafeTensors::deserialize(&bytes);
    let file = file.map_err(|error| format!("it is no safetensors file: {error}"))?;
    let mut names: Vec<String> = file.names().into_iter().map(ToString::to_string).collect();
    names.sort();
    let name = chosen(names, wanted)?;
    let tensor = file.tensor(&name).map_err(|error| error.to_string())?;
    let (values, precision) = values(tensor.dtype(), tensor.data()).ok_or_else(|| {
        format!(
            "`{name}` is of type {:?}, expected U8, I32, I64, F32 or F64",
            tensor.dtype()
        )
    })?;
    Ok(Numbers {
        shape: tensor.shape().to_vec(),
        values,
        precision,
    })
}

fn values(kind: Dtype, bytes: &[u8]) -> Option<(Vec<f64>, Precision)> {
    Some(match kind {
        Dtype::U8 => (
            bytes.iter().map(|&byte| f64::from(byte)).collect(),
            Precision::Whole,
        ),
        Dtype::I32 => (
            each(bytes, |bytes| f64::from(i32::from_le_bytes(bytes))),
            Precision::Whole,
        ),
        Dtype::I64 => (
            each(bytes, |bytes| i64::from_le_bytes(bytes) as f64),
            Precision::Whole,
        ),
        Dtype::F32 => (
            each(bytes, |bytes| f64::from(f32::from_le_bytes(bytes))),
            Precision::Single,
        ),
        Dtype::F64 => (each(bytes, f64::from_le_bytes), Precision::Double),
        _ => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|bytes| value(*bytes))
        .collect()
}

/// A floating-point tensor of a PyTorch file; nothing in it is executed.
pub(super) fn from_pytorch(path: &Path, wanted: Option<&str>) -> Result<Numbers, String> {
    let state = read_weights(path).map_err(|error| error.to_string())?;
    let names = state.iter().map(|(name, _)| name.to_owned()).collect();
    let name = chosen(names, wanted)?;
    let tensor = state.get(&name).ok_or("it holds no array")?;
    Ok(Numbers {
        shape: tensor.shape.clone(),
        values: tensor
            .values
            .iter()
            .map(|&value| f64::from(value))
            .collect(),
        precision: Precision::Single,
    })
}
