//! Damaged pictures of every format by the thousand, and the index of pictures.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};

use super::index::Index;
use super::*;
use crate::testing::mutations;

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Pnm,
    ImageFormat::Bmp,
    ImageFormat::Gif,
    ImageFormat::WebP,
    ImageFormat::Tiff,
];

fn pictures() -> Vec<Vec<u8>> {
    let picture = RgbImage::from_fn(7, 5, |x, y| Rgb([(x * 37) as u8, (y * 50) as u8, 9]));
    let encoded = |format| {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    };
    FORMATS.into_iter().map(encoded).collect()
}

#[test]
fn damaged_pictures_never_panic() {
    let survivors = mutations(&pictures(), |bytes| {
        decode_bytes(bytes, Orientation::Apply).is_ok()
    });
    assert!(survivors > 0.01, "{survivors}");
}

#[test]
fn damaged_indexes_never_panic_and_are_not_believed() {
    let folder = tempfile::tempdir().expect("scratch");
    let decoding = Decoding::of_side(4);
    let file = folder.path().join("1.png");
    RgbImage::new(2, 2).save(&file).expect("writes");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(100);
    let opened = std::fs::File::options().append(true).open(&file);
    opened
        .and_then(|file| file.set_modified(long_ago))
        .expect("sets the time");
    let stamp = Stamp::of(&file).expect("settled");
    let index = || Index::open(&folder.path().join("index"), folder.path(), decoding, "");
    let mut good = index();
    good.remember("1.png", stamp, [7; 32]);
    let path = good.path().to_owned();
    good.save(|_| true);
    let base = std::fs::read(&path).expect("written");
    let survivors = mutations(std::slice::from_ref(&base), |bytes| {
        std::fs::write(&path, bytes).expect("writes");
        let digest = index().digest("1.png", stamp);
        assert!(digest.is_none() || digest == Some([7; 32]));
        assert!(digest.is_none() || bytes == base);
        digest.is_some()
    });
    assert!(survivors < 0.5, "{survivors}");
    std::fs::write(&path, base).expect("writes");
    assert_eq!(index().digest("1.png", stamp), Some([7; 32]));
    assert!(Path::new(&path).is_file());
}
