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

#[test]
fn stamps_from_files_give_the_golden_bytes() {
    use Input::{Array, Picture};
    let (one, two) = ("attacks.safetensors", "attacks2.safetensors");
    let grid = "(1, 32, 32, 2)";
    let patches = "--set triggers=['a.png','b.png','c.png','d.png'] --set masks=['e.png','f.png','g.png','h.png']";
    let both = "--set test_triggers=['i.png','j.png'] --set test_masks=['','g.png']";
    let patch_files: Vec<(&str, Input<'_>)> = [
        ("a.png", Picture("adap_patch_triggers_u8", 0)),
        ("b.png", Picture("adap_patch_triggers_u8", 1)),
        ("c.png", Picture("adap_patch_triggers_u8", 2)),
        ("d.png", Picture("adap_patch_triggers_u8", 3)),
        ("e.png", Picture("adap_patch_masks_u8", 0)),
        ("f.png", Picture("adap_patch_masks_u8", 1)),
        ("g.png", Picture("adap_patch_masks_u8", 2)),
        ("h.png", Picture("adap_patch_masks_u8", 3)),
        ("i.png", Picture("adap_patch_test_triggers_u8", 0)),
        ("j.png", Picture("adap_patch_test_triggers_u8", 1)),
    ]
    .into();
    let pieces = || {
        (
            "p.npy",
            Array("adap_blend_masked_pieces_i64", "<i8", "(8, 8)"),
        )
    };
    let reflection = "refool --set reflections=r.png --set offset=[3,5] --set ghost_alpha=0.6 --set sigma=2.0 --set attenuation=1.13";
    let blend = "adap-blend --set pattern=t.png --set pieces=p.npy";
    let cases: Vec<(&str, String, Vec<(&str, Input<'_>)>, &str, u8)> = vec![
        (
            one,
            "blend --set pattern=t.png".into(),
            vec![("t.png", Picture("blend_pattern_u8", 0))],
            "blend_u8_a0.2",
            0,
        ),
        (
            one,
            "blend --set pattern=t.npy".into(),
            vec![("t.npy", Array("blend_pattern_f32", "<f4", "(32, 32, 3)"))],
            "blend_f32_a0.2",
            0,
        ),
        (
            one,
            "smooth --set pattern=t.npy".into(),
            vec![("t.npy", Array("smooth_trigger", "<f4", "(1, 32, 32, 3)"))],
            "smooth_all_poisoned",
            0,
        ),
        (
            one,
            "trojan-stamp --set pattern=t.npy".into(),
            vec![("t.npy", Array("trojan_x", "<f4", "(3, 32, 32)"))],
            "trojan",
            0,
        ),
        (
            one,
            "wanet --set field=t.npy".into(),
            vec![("t.npy", Array("wanet_rand", "<f4", "(1, 2, 32, 32)"))],
            "wanet_s0.5_k32",
            1,
        ),
        (
            two,
            "lf --set pattern=t.npy".into(),
            vec![("t.npy", Array("lf_pattern_f32", "<f4", "(32, 32, 3)"))],
            "lf_f32_times255",
            0,
        ),
        (
            two,
            "wanet --set grid=t.npy --set rounding=nearest".into(),
            vec![("t.npy", Array("wanet4_grid", "<f4", grid))],
            "wanet4_round_u8",
            1,
        ),
        (
            two,
            "wanet --set field=t.npy".into(),
            vec![("t.npy", Array("wanet4_rand", "<f4", "(1, 2, 4, 4)"))],
            "wanet4_trunc_u8",
            1,
        ),
        (
            two,
            blend.into(),
            vec![("t.png", Picture("adap_blend_trigger_u8", 0)), pieces()],
            "adap_blend_train_a0.15_u8",
            0,
        ),
        (
            two,
            format!("{blend} --role test"),
            vec![("t.png", Picture("adap_blend_trigger_u8", 0)), pieces()],
            "adap_blend_test_a0.2_u8",
            0,
        ),
        (
            two,
            format!("{reflection} --set ghost_share=1"),
            vec![("r.png", Picture("refool_reflection_u8", 0))],
            "refool_ghost_u8",
            0,
        ),
        (
            two,
            format!("{reflection} --set ghost_share=0"),
            vec![("r.png", Picture("refool_reflection2_u8", 0))],
            "refool_blur_b_u8",
            0,
        ),
        (
            two,
            format!("adap-patch {patches} {both} --set assign=alternate --role test"),
            patch_files,
            "adap_patch_test_u8",
            0,
        ),
    ];
    for (file, arguments, inputs, expected, most) in cases {
        let Some(expected) = beside(file, expected) else {
            continue;
        };
        let scratch = scratch(expected.len() / IMAGE);
        for (name, input) in &inputs {
            assert!(
                write(&scratch.path().join(name), file, input),
                "beside the expected bytes"
            );
        }
        let (largest, share) = distance(&made(scratch.path(), &arguments), &expected);
        assert!(
            largest <= most && share <= 0.003,
            "{arguments}: {largest} levels, {share}"
        );
    }
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
