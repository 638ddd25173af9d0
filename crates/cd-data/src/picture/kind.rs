//! What a file is by its first bytes, whatever it is called.

use image::ImageFormat;

/// First bytes that tell what a file is.
pub(crate) const LOOKED_AT: u64 = 256;

/// Beginnings of files that people take for pictures and that are not decoded here, and what they are.
const FOREIGN: [(&[u8], &str); 17] = [
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"8BPS", "a Photoshop picture"),
    (b"gimp xcf", "a GIMP picture"),
    (b"II+\x00", "a BigTIFF picture"),
    (b"MM\x00+", "a BigTIFF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS, not the file itself (run `git lfs pull`)",
    ),
    (b"\x00\x00\x01\xba", "a film"),
    (b"\x1a\x45\xdf\xa3", "a film"),
    (b"Rar!", "a RAR archive"),
];
/// The same for kinds of the ISO media container, by their brand.
const BRANDS: [(&[u8], &str); 10] = [
    (b"heic", "a HEIC picture"),
    (b"heix", "a HEIC picture"),
    (b"heim", "a HEIC picture"),
    (b"hevc", "a HEIC picture"),
    (b"mif1", "a HEIF picture"),
    (b"msf1", "a HEIF picture"),
    (b"avif", "an AVIF picture"),
    (b"avis", "an AVIF picture"),
    (b"jxl ", "a JPEG XL picture"),
    (b"crx ", "a Canon raw picture"),
];
/// Formats that the `image` crate knows but that are not decoded here.
const NOT_DECODED: [(ImageFormat, &str); 8] = [
    (ImageFormat::Avif, "an AVIF picture"),
    (ImageFormat::Ico, "an icon"),
    (ImageFormat::Hdr, "a Radiance HDR picture"),
    (ImageFormat::OpenExr, "an OpenEXR picture"),
    (ImageFormat::Dds, "a DDS texture"),
    (ImageFormat::Qoi, "a QOI picture"),
    (ImageFormat::Farbfeld, "a farbfeld picture"),
    (ImageFormat::Tga, "a TGA picture"),
];

/// Whether files that begin like this are decoded.
pub(crate) fn is_decoded(start: &[u8]) -> bool {
    image::guess_format(start).is_ok_and(|format| {
        // Camera files are TIFF inside, with a small preview as the picture.
        format != ImageFormat::Tiff && format.reading_enabled()
    })
}

/// What a file that is not decoded is, where its beginning tells.
pub(crate) fn foreign(start: &[u8]) -> Option<&'static str> {
    let known = FOREIGN.iter().find(|(magic, _)| start.starts_with(magic));
    if let Some((_, what)) = known {
        return Some(what);
    }
    if start.get(4..8) == Some(b"ftyp") {
        let brand = start.get(8..12)?;
        let known = BRANDS.iter().find(|(name, _)| *name == brand);
        return Some(known.map_or("a film or another media file", |(_, what)| what));
    }
    if let Ok(format) = image::guess_format(start) {
        let known = NOT_DECODED.iter().find(|(other, _)| *other == format);
        return known.map(|(_, what)| *what);
    }
    text(start)
}

/// What text is that people take for something else.
pub(crate) fn text(start: &[u8]) -> Option<&'static str> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let small = start.trim_ascii_start().to_ascii_lowercase();
    let holds = |part: &[u8]| small.windows(part.len()).any(|window| window == part);
    match () {
        () if !small.starts_with(b"<") => None,
        () if holds(b"<svg") => Some("an SVG drawing"),
        () if holds(b"<!doctype html") || holds(b"<html") => {
            Some("a web page, not what was to be downloaded")
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_what_they_are() {
        for (start, part) in [
            (&b"\x00\x00\x00\x18ftypheic\x00\x00"[..], "HEIC"),
            (b"\x00\x00\x00\x20ftypavif\x00\x00", "AVIF"),
            (b"\x00\x00\x00\x20ftypisom\x00\x00", "film"),
            (b"\xff\x0a\x00", "JPEG XL"),
            (b"qoif\x00\x00", "QOI"),
            (b"\n<!DOCTYPE HTML><html>", "web page"),
            (b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<svg xmlns", "SVG"),
            (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ] {
            assert!(
                foreign(start).is_some_and(|what| what.contains(part)),
                "{part}"
            );
            assert!(!is_decoded(start), "{part}");
        }
        for start in [&b"hello"[..], b"", b"\xff", b"<"] {
            assert_eq!(foreign(start), None);
        }
    }
}
