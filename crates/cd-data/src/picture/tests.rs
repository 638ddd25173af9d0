//! Pictures in each format, size and state.

use std::fs;

use image::imageops::{FilterType, resize};
use image::{GenericImageView, Luma, Rgb, Rgba};
use tempfile::tempdir;

use super::*;
use crate::testing::golden_bytes;

fn saved(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let folder = tempdir().expect("scratch");
    // The wrong extension on purpose: only the content counts.
    let path = folder.path().join("picture.jpg");
    picture.save_with_format(&path, format).expect("writes");
    let (width, height) = picture.dimensions();
    read_rgb(&path, height as usize, width as usize).expect("reads")
}

#[test]
fn every_lossless_format_gives_the_same_bytes() {
    let rgb = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8 * 40, y as u8 * 90, 7]));
    let expected = rgb.clone().into_raw();
    for format in [
        ImageFormat::Png,
        ImageFormat::Pnm,
        ImageFormat::Bmp,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Tiff,
    ] {
        assert_eq!(saved(&rgb.clone().into(), format), expected, "{format:?}");
    }
}

#[test]
fn gray_is_expanded_and_sixteen_bits_are_scaled() {
    let gray = image::GrayImage::from_pixel(2, 1, Luma([77]));
    assert_eq!(saved(&gray.into(), ImageFormat::Png), [77; 6]);
    let deep = image::ImageBuffer::from_pixel(1, 1, Rgb([65_535u16, 0, 32_896]));
    assert_eq!(
        saved(&DynamicImage::ImageRgb16(deep), ImageFormat::Png),
        [255, 0, 128]
    );
}

#[test]
fn colours_under_transparent_pixels_are_kept() {
    let clear = image::RgbaImage::from_pixel(1, 1, Rgba([9, 8, 7, 0]));
    assert_eq!(saved(&clear.into(), ImageFormat::Png), [9, 8, 7]);
}

#[test]
fn one_pixel_grows_to_a_plain_picture() {
    let dot = RgbImage::from_pixel(1, 1, Rgb([1, 2, 3]));
    assert_eq!(resize_rgb(dot, 2, 2), [1, 2, 3].repeat(4));
}

#[test]
fn shrinking_follows_the_reference_within_rounding() {
    for (source, width, height) in [("raw0", 47, 53), ("raw1", 150, 121)] {
        let raw = golden_bytes(&format!("{source}_u8"));
        let picture = RgbImage::from_raw(width, height, raw).expect("golden shape");
        let expected = golden_bytes(&format!("{source}_gtsrb_clean_32"));
        let difference = resize_rgb(picture, 32, 32)
            .iter()
            .zip(&expected)
            .map(|(got, want)| got.abs_diff(*want))
            .max();
        assert!(difference <= Some(1), "{source}: {difference:?}");
    }
}

#[test]
fn bad_files_say_what_is_wrong() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("bad.png");
    let read = || read_rgb(&path, 8, 8).expect_err("bad file");
    assert!(matches!(read(), PictureError::Io(_)));
    fs::write(&path, b"").expect("writes");
    assert!(matches!(read(), PictureError::Empty));
    fs::write(&path, b"hello, world").expect("writes");
    assert!(matches!(read(), PictureError::Unrecognised));
    let whole = RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, (x * y) as u8]));
    for format in [
        ImageFormat::Png,
        ImageFormat::Jpeg,
        ImageFormat::Bmp,
        ImageFormat::Gif,
        ImageFormat::WebP,
        ImageFormat::Tiff,
        ImageFormat::Pnm,
    ] {
        whole.save_with_format(&path, format).expect("writes");
        let bytes = fs::read(&path).expect("reads");
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("writes");
        let error = read();
        assert!(
            matches!(error, PictureError::Damaged(_)),
            "{format:?}: {error}"
        );
    }
}

#[test]
fn files_of_other_kinds_are_called_what_they_are() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("bad.jpg");
    for (content, part) in [
        (
            &b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"[..],
            "a HEIC picture",
        ),
        (b"<!DOCTYPE html><html>quota exceeded", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"qoif\0\0\0\x01\0\0\0\x01\x03\0", "a QOI picture"),
    ] {
        fs::write(&path, content).expect("writes");
        let error = read_rgb(&path, 8, 8).expect_err("another kind");
        assert!(matches!(error, PictureError::Foreign(_)), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_decompression_bomb_is_refused_before_it_goes_off() {
    let folder = tempdir().expect("scratch");
    let path = folder.path().join("bomb.ppm");
    for header in [
        "P6 60000 60000 255\n",
        "P6 16000 16000 255\n",
        "P5 15000 15000 255\n",
    ] {
        fs::write(&path, header).expect("writes");
        let error = read_rgb(&path, 8, 8).expect_err("bomb");
        assert!(matches!(error, PictureError::TooLarge), "{header}: {error}");
    }
}

#[test]
fn resizing_gives_the_bytes_of_the_filter_that_it_stands_for() {
    for (number, (from, to)) in [
        ((500, 375), (224, 224)),
        ((31, 77), (32, 32)),
        ((64, 64), (32, 32)),
        ((15, 15), (32, 32)),
        ((1, 9), (5, 4)),
        ((301, 40), (17, 111)),
        ((3, 2), (1, 1)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut random = cd_core::random::stream(7, number as u64);
        let picture = RgbImage::from_fn(from.0, from.1, |_, _| Rgb(rand::Rng::random(&mut random)));
        let expected = resize(&picture, to.0, to.1, FilterType::Triangle).into_raw();
        let resized = resize_rgb(picture, to.1 as usize, to.0 as usize);
        assert!(resized == expected, "{from:?} to {to:?}");
    }
}
