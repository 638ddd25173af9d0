//! `attacks make` from files: a folder of PNGs and fixed parameters give the bytes of published code.
//!
//! Expected bytes that are no pictures of ours to hand on are compared by their SHA-256, or with the larger golden files where those
//! stand beside this repository.

use std::fs;
use std::path::{Path, PathBuf};

use image::RgbImage;
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::common::{fail_with, succeed};

const SIDE: usize = 32;
const IMAGE: usize = SIDE * SIDE * 3;

/// Golden files of this repository, or beside it.
fn tensor(folder: &str, file: &str, name: &str) -> Option<Vec<u8>> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut files = folders.map(|root| root.join(folder).join(file));
    let path = files.find(|path| path.is_file())?;
    let bytes = fs::read(path).expect("readable");
    let file = SafeTensors::deserialize(&bytes).expect("well formed");
    Some(file.tensor(name).expect("golden tensor").data().to_vec())
}

fn beside(file: &str, name: &str) -> Option<Vec<u8>> {
    let found = tensor("shared/golden", file, name);
    if found.is_none() {
        eprintln!("skipped: {file} with `{name}` is not beside this repository");
    }
    found
}

fn save(path: &Path, rgb: &[u8]) {
    let picture = RgbImage::from_raw(SIDE as u32, SIDE as u32, rgb.to_vec());
    picture.expect("golden shape").save(path).expect("writes");
}

/// A scratch folder with `count` golden images as `images/000.png` and so on.
fn scratch(count: usize) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let folder = scratch.path().join("images");
    fs::create_dir(&folder).expect("creates");
    let images = tensor("tests/golden", "attacks.safetensors", "images_u8");
    let images = images.expect("part of the repository");
    for (number, image) in images.chunks(IMAGE).take(count).enumerate() {
        save(&folder.join(format!("{number:03}.png")), image);
    }
    scratch
}

/// The pixels of what `attacks make` writes with these arguments.
fn made(here: &Path, arguments: &str) -> Vec<u8> {
    let out = here.join("out");
    let _ = fs::remove_dir_all(&out);
    succeed(
        here,
        &format!("attacks make {arguments} --images images --out out"),
    );
    let mut files: Vec<PathBuf> = fs::read_dir(out.join("images"))
        .expect("lists")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let pixels = files
        .iter()
        .map(|file| image::open(file).expect("a picture").into_rgb8());
    pixels.flat_map(RgbImage::into_raw).collect()
}

#[test]
fn stamps_without_files_give_the_golden_bytes() {
    for (count, arguments, digest) in [
        (
            16,
            "badnets",
            "bace1bf00a0990d23d9f9df7f9c561e8c7566dc76c408cc4ef7fb4bcf8f6b6bf",
        ),
        (
            16,
            "badnets --set position=centre",
            "54d3f677c91809949c27ee772ce0c0a0ffb211d2514b6348231a62f2ad0a53a9",
        ),
        (
            16,
            "badnets --set size=5",
            "b74c188515fbff044f4a2e361d915631cf0b3d67259605b80fdeb8c31f378f7a",
        ),
        (
            16,
            "sig",
            "da9cfedaa33555d5ef9050a03eb15262c34973da5ac742f16dcf89d9b7f24810",
        ),
        (
            16,
            "nashville",
            "ea3a8a6eb8e2b2542d41271d208b12da0cfe8b7714700303cd13690dd69d15e6",
        ),
        (
            16,
            "trojan-stamp",
            "75de68ac7d8af598bb11feb3dfcc9e2046d0143356656b29cb020c7fd7d54304",
        ),
        (
            8,
            "tact",
            "143622afe90742275dc1dc101db01245da00f8acec37b9cfe940cb0a369351fd",
        ),
        (
            8,
            "k-way --role test",
            "cad5a9026486097264d497de3fcb80ebabcdeb300ced3268cf170e5672abe890",
        ),
        (
            8,
            "adap-k-way --role test",
            "cad5a9026486097264d497de3fcb80ebabcdeb300ced3268cf170e5672abe890",
        ),
        (
            8,
            "bpp",
            "1eda57660e43ef6b08ddc8d4d8efb24de83b6e56b68f6dd66992afae16b2f71d",
        ),
        (
            8,
            "bpp --set levels=4 --set dithering=true",
            "3f068525a18a578ebfa0495e02875aef20933902b2b9956b20014fcf74616886",
        ),
        (
            8,
            "bpp --role cover --set partner=next",
            "3906ba5a844b08d8a83dd25c275bd5023413a819d26cbf25926074c869e22b2e",
        ),
        (
            8,
            "ctrl",
            "09f7ace7abc0e8cf52d68043f0bc36c9ce7a555f4d77e78efdec37ac3096bf18",
        ),
        (
            8,
            "sig --set signal=sine",
            "800d9faddeffed3f5b2a5a99fadf855436bfb0af9e41e600fddcbbca103b0d49",
        ),
    ] {
        let scratch = scratch(count);
        let pixels = made(scratch.path(), arguments);
        assert_eq!(pixels.len(), count * IMAGE, "{arguments}");
        assert_eq!(
            format!("{:x}", Sha256::digest(&pixels)),
            digest,
            "{arguments}"
        );
    }
}

/// A file that an option names.
enum Input<'a> {
    /// Bytes of a tensor as an array of this type and shape.
    Array(&'a str, &'a str, &'a str),
    /// Picture number so-and-so of a tensor of three channels or one.
    Picture(&'a str, usize),
}

/// Writes what `input` names to `path` and says whether the golden files are there.
fn write(path: &Path, file: &str, input: &Input<'_>) -> bool {
    match *input {
        Input::Array(name, kind, shape) => {
            let Some(bytes) = beside(file, name) else {
                return false;
            };
            let header =
                format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
            let mut array = b"\x93NUMPY\x01\x00".to_vec();
            array.extend_from_slice(&(header.len() as u16).to_le_bytes());
            array.extend_from_slice(header.as_bytes());
            array.extend_from_slice(&bytes);
            fs::write(path, array).expect("writes");
        }
        Input::Picture(name, number) => {
            let Some(bytes) = beside(file, name) else {
                return false;
            };
            let channels = if name.contains("mask") { 1 } else { 3 };
            let picture = &bytes[number * SIDE * SIDE * channels..][..SIDE * SIDE * channels];
            let rgb = picture.iter().flat_map(|&value| vec![value; 3 / channels]);
            save(path, &rgb.collect::<Vec<u8>>());
        }
    }
    true
}

/// Largest difference of two byte strings, and the share of bytes that differ.
fn distance(got: &[u8], expected: &[u8]) -> (u8, f64) {
    assert_eq!(got.len(), expected.len());
    let pairs = || got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    let differing = pairs().filter(|&distance| distance > 0).count();
    (
        pairs().max().unwrap_or(0),
        differing as f64 / got.len() as f64,
    )
}

/// One call: golden file, arguments, files that they name, expected tensor, most levels that a byte may be away.
struct Case {
    file: &'static str,
    arguments: String,
    inputs: Vec<(&'static str, Input<'static>)>,
    expected: &'static str,
    most: u8,
}

impl Case {
    fn exact(
        file: &'static str,
        arguments: &str,
        inputs: Vec<(&'static str, Input<'static>)>,
        expected: &'static str,
    ) -> Self {
        Self {
            file,
            arguments: arguments.to_owned(),
            inputs,
            expected,
            most: 0,
        }
    }

    /// Some bytes may be one level away.
    fn near(self) -> Self {
        Self { most: 1, ..self }
    }

    fn run(&self) {
        let Some(expected) = beside(self.file, self.expected) else {
            return;
        };
        let scratch = scratch(expected.len() / IMAGE);
        for (name, input) in &self.inputs {
            let path = scratch.path().join(name);
            assert!(write(&path, self.file, input), "beside the expected bytes");
        }
        let got = made(scratch.path(), &self.arguments);
        let (largest, share) = distance(&got, &expected);
        let arguments = &self.arguments;
        assert!(
            largest <= self.most && share <= 0.003,
            "{arguments}: {largest} levels, {share}"
        );
    }
}

#[test]
fn patterns_from_files_give_the_golden_bytes() {
    use Input::{Array, Picture};
    let (one, two) = ("attacks.safetensors", "attacks2.safetensors");
    let picture = |name| vec![("t.png", Picture(name, 0))];
    let array = |name, shape| vec![("t.npy", Array(name, "<f4", shape))];
    let flat = "(32, 32, 3)";
    let stacked = "(1, 32, 32, 3)";
    let noise = array("cl_noise", "(16, 32, 32, 3)");
    for case in [
        Case::exact(
            one,
            "blend --set pattern=t.png",
            picture("blend_pattern_u8"),
            "blend_u8_a0.2",
        ),
        Case::exact(
            one,
            "blend --set pattern=t.npy",
            array("blend_pattern_f32", flat),
            "blend_f32_a0.2",
        ),
        Case::exact(
            one,
            "smooth --set pattern=t.npy",
            array("smooth_trigger", stacked),
            "smooth_all_poisoned",
        ),
        Case::exact(
            one,
            "trojan-stamp --set pattern=t.npy",
            array("trojan_x", "(3, 32, 32)"),
            "trojan",
        ),
        Case::exact(
            two,
            "lf --set pattern=t.npy",
            array("lf_pattern_f32", flat),
            "lf_f32_times255",
        ),
        Case::exact(one, "cl --set noise=t.npy", noise, "cl_train"),
    ] {
        case.run();
    }
}

#[test]
fn fields_and_grids_from_files_give_the_golden_bytes_but_for_a_level() {
    let array = |name, shape| vec![("t.npy", Input::Array(name, "<f4", shape))];
    let (one, two) = ("attacks.safetensors", "attacks2.safetensors");
    let grid = array("wanet4_grid", "(1, 32, 32, 2)");
    let nearest = "wanet --set grid=t.npy --set rounding=nearest";
    let coarse = array("wanet4_rand", "(1, 2, 4, 4)");
    let fine = array("wanet_rand", "(1, 2, 32, 32)");
    for case in [
        Case::exact(one, "wanet --set field=t.npy", fine, "wanet_s0.5_k32"),
        Case::exact(two, nearest, grid, "wanet4_round_u8"),
        Case::exact(two, "wanet --set field=t.npy", coarse, "wanet4_trunc_u8"),
    ] {
        case.near().run();
    }
}

#[test]
fn pieces_and_reflections_from_files_give_the_golden_bytes() {
    let two = "attacks2.safetensors";
    let blend = "adap-blend --set pattern=t.png --set pieces=p.npy";
    let blended = || {
        let pieces = Input::Array("adap_blend_masked_pieces_i64", "<i8", "(8, 8)");
        vec![
            ("t.png", Input::Picture("adap_blend_trigger_u8", 0)),
            ("p.npy", pieces),
        ]
    };
    let fixed = "--set offset=[3,5] --set ghost_alpha=0.6 --set sigma=2.0 --set attenuation=1.13";
    let reflect =
        |share| format!("refool --set reflections=r.png --set ghost_share={share} {fixed}");
    let mirrored = |name| vec![("r.png", Input::Picture(name, 0))];
    for case in [
        Case::exact(two, blend, blended(), "adap_blend_train_a0.15_u8"),
        Case::exact(
            two,
            &format!("{blend} --role test"),
            blended(),
            "adap_blend_test_a0.2_u8",
        ),
        Case::exact(
            two,
            &reflect(1),
            mirrored("refool_reflection_u8"),
            "refool_ghost_u8",
        ),
        Case::exact(
            two,
            &reflect(0),
            mirrored("refool_reflection2_u8"),
            "refool_blur_b_u8",
        ),
    ] {
        case.run();
    }
}

#[test]
fn patches_from_files_give_the_golden_bytes() {
    let names = ["a.png", "b.png", "c.png", "d.png"];
    let masks = ["e.png", "f.png", "g.png", "h.png"];
    let of = |names: [&'static str; 4], tensor| {
        let named = names.into_iter().enumerate();
        named.map(move |(number, name)| (name, Input::Picture(tensor, number)))
    };
    let mut inputs: Vec<_> = of(names, "adap_patch_triggers_u8").collect();
    inputs.extend(of(masks, "adap_patch_masks_u8"));
    inputs.push(("i.png", Input::Picture("adap_patch_test_triggers_u8", 0)));
    inputs.push(("j.png", Input::Picture("adap_patch_test_triggers_u8", 1)));
    let list = |names: &[&str]| format!("['{}']", names.join("','"));
    let arguments = format!(
        "adap-patch --role test --set triggers={} --set masks={} --set test_triggers=['i.png','j.png'] --set test_masks=['','g.png']",
        list(&names),
        list(&masks)
    );
    Case::exact(
        "attacks2.safetensors",
        &arguments,
        inputs,
        "adap_patch_test_u8",
    )
    .run();
}

#[test]
fn only_listed_pictures_change() {
    let scratch = scratch(4);
    let here = scratch.path();
    fs::write(here.join("list.txt"), "2\n0\n").expect("writes");
    let got = made(here, "badnets --indices list.txt");
    let all = made(here, "badnets");
    let clean =
        tensor("tests/golden", "attacks.safetensors", "images_u8").expect("in the repository");
    for number in 0..4 {
        let expected = if number % 2 == 0 { &all } else { &clean };
        let image = |bytes: &[u8]| bytes[number * IMAGE..][..IMAGE].to_vec();
        assert!(image(&got) == image(expected), "picture {number}");
    }
    fs::write(here.join("list.txt"), "9").expect("writes");
    let other = "attacks make badnets --images images --out other --indices list.txt";
    fail_with(here, other, &["image 9", "only 4"]);
}
