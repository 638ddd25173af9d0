//! Files of triggers: every format, and those that nobody should open.

use std::fs;
use std::io::Write;

use tempfile::tempdir;

use super::*;
use crate::testing::{mutations, write_npy};

fn problem(path: &Path) -> String {
    match numbers("test", path) {
        Err(error) => error.to_string(),
        Ok(numbers) => panic!("{path:?} was read: {:?}", numbers.shape),
    }
}

#[test]
fn arrays_of_every_format_hold_the_same_numbers() {
    let folder = tempdir().expect("scratch");
    let expected = Numbers {
        shape: vec![1, 2],
        values: vec![0.5, -2.0],
        precision: Precision::Single,
    };
    let bytes: Vec<u8> = [0.5_f32, -2.0]
        .into_iter()
        .flat_map(f32::to_le_bytes)
        .collect();
    let npy = folder.path().join("one.npy");
    write_npy(&npy, "<f4", "(1, 2)", &bytes);
    assert_eq!(numbers("test", &npy).expect("reads"), expected);

    let npz = folder.path().join("several.npz");
    let mut archive = zip::ZipWriter::new(File::create(&npz).expect("creates"));
    for name in ["x.npy", "y.npy"] {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(name, options).expect("starts");
        archive
            .write_all(&fs::read(&npy).expect("reads"))
            .expect("writes");
    }
    archive.finish().expect("finishes");
    let named = folder.path().join("several.npz#y");
    assert_eq!(numbers("test", &named).expect("reads"), expected);
    assert_eq!(split(&named), (npz.clone(), Some("y")));
    assert!(problem(&npz).contains("(x, y)"), "{}", problem(&npz));
    let missing = problem(&folder.path().join("several.npz#z"));
    assert!(missing.contains("no array `z`"), "{missing}");

    let tensors = folder.path().join("one.safetensors");
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1, 2], &bytes);
    let view = view.expect("fits");
    safetensors::serialize_to_file([("x", view)], None, &tensors).expect("writes");
    assert_eq!(numbers("test", &tensors).expect("reads"), expected);
}

#[test]
fn tensors_of_pytorch_files_are_found_by_name() {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let file = "tests/golden/models/nested_module.pt";
    let mut files = folders.map(|folder| folder.join(file));
    let path = files
        .find(|path| path.is_file())
        .expect("part of the repository");
    let state = cd_models::read_weights(&path).expect("readable");
    let (name, tensor) = state.iter().next().expect("it has weights");
    let named = PathBuf::from(format!("{}#{name}", path.display()));
    let read = numbers("test", &named).expect("reads");
    assert_eq!(read.shape, tensor.shape);
    assert_eq!(read.values.len(), tensor.values.len());
    assert!(problem(&path).contains("arrays ("), "{}", problem(&path));
}

#[test]
fn columns_first_become_rows_first() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("columns.npy");
    let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }\n";
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(&[1, 4, 2, 5, 3, 6]);
    fs::write(&path, file).expect("writes");
    let read = numbers("test", &path).expect("reads");
    assert_eq!(read.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn hostile_files_are_refused_with_the_reason() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("hostile.npy");
    let told = |kind: &str, shape: &str, bytes: &[u8]| {
        write_npy(&path, kind, shape, bytes);
        problem(&path)
    };
    assert!(told("|O", "(1,)", &[0; 8]).contains("Python objects"));
    assert!(told("<f4", "(100000, 100000, 3)", &[0; 8]).contains("at most"));
    assert!(told("<f4", "(18446744073709551615, 8)", &[0; 8]).contains("larger than"));
    assert!(told("|u1", "(4,)", &[0; 3]).contains("cut short"));
    assert!(told("|u1", "(4,)", &[0; 5]).contains("goes on"));
    assert!(told("<f4", "(1,)", &f32::NAN.to_le_bytes()).contains("NaN"));
    fs::write(&path, b"\x93NUMPY\x01\x00\xff\xff{").expect("writes");
    assert!(problem(&path).contains("header"), "{}", problem(&path));
    for (name, bytes) in [
        ("words.txt", &b"no trigger"[..]),
        ("broken.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"),
        ("broken.pt", b"PK\x03\x04 and nothing else"),
        ("broken.npz", b"PK\x03\x04 and nothing else"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("writes");
        assert!(problem(&path).contains(name), "{}", problem(&path));
    }
    let missing = folder.path().join("missing.npy");
    assert!(problem(&missing).contains("missing.npy"));
}

#[test]
fn damaged_files_never_panic() {
    let folder = tempdir().expect("scratch");
    let array = folder.path().join("good.npy");
    write_npy(&array, "<f4", "(2, 2)", &[0; 16]);
    let array = fs::read(&array).expect("reads");
    let archive = {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file("x.npy", options).expect("starts");
        archive.write_all(&array).expect("writes");
        archive.finish().expect("finishes").into_inner()
    };
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::U8, vec![2], &[1, 2]);
    let tensors = safetensors::serialize([("x", view.expect("fits"))], None).expect("writes");
    for (name, good) in [
        ("a.npy", array),
        ("a.npz", archive),
        ("a.safetensors", tensors),
    ] {
        let path = folder.path().join(name);
        let survivors = mutations(&[good], |bytes| {
            fs::write(&path, bytes).expect("writes");
            numbers("test", &path).is_ok()
        });
        assert!(survivors > 0.001, "{name}: {survivors}");
    }
}

#[test]
fn patterns_have_any_common_layout_and_one_size() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("pattern.npy");
    let raster = |shape: &str, bytes: &[u8]| {
        write_npy(&path, "|u1", shape, bytes);
        Cached::from_file("test", &path, Raster::in_levels)?
            .get(1, 2)
            .map(|raster| raster.bytes())
    };
    let colours = [1, 2, 3, 4, 5, 6];
    for shape in ["(1, 2, 3)", "(1, 1, 2, 3)"] {
        assert_eq!(raster(shape, &colours).expect("fits"), colours);
    }
    let planes = raster("(3, 1, 2)", &[1, 4, 2, 5, 3, 6]);
    assert_eq!(planes.expect("fits"), colours);
    assert_eq!(raster("(1, 2)", &[7, 9]).expect("fits"), [7, 7, 7, 9, 9, 9]);
    let error = raster("(2, 2)", &[0; 4])
        .expect_err("another size")
        .to_string();
    assert!(error.contains("2 x 2 pixels, the images 1 x 2"), "{error}");
    let error = raster("(5,)", &[0; 5]).expect_err("no picture").to_string();
    assert!(error.contains("[height, width, 3]"), "{error}");
}

#[test]
fn fractions_become_grey_levels() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("pattern.npy");
    write_npy(&path, "<f8", "(1, 1)", &0.2_f64.to_le_bytes());
    let cached = Cached::from_file("test", &path, Raster::in_levels).expect("reads");
    assert_eq!(cached.get(1, 1).expect("fits").bytes(), [51; 3]);
}
