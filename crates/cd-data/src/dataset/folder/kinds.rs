//! Which files and folders are meant as pictures of a data set, by their names and, where those say nothing, by content.

use std::io::Read;
use std::path::Path;

use crate::picture::kind;
use crate::zipped;

/// Endings of files that are taken for pictures; how they are decoded is told from their content.
const READ: [&str; 24] = [
    "png",
    "apng",
    "jpg",
    "jpeg",
    "jpe",
    "jfif",
    "jfi",
    "jif",
    "pjpeg",
    "pjp",
    "jpg_large",
    "ppm",
    "pgm",
    "pbm",
    "pnm",
    "pam",
    "bmp",
    "dib",
    "gif",
    "webp",
    "tif",
    "tiff",
    "btf",
    "tf8",
];
/// Endings of pictures that are not decoded here.
const OTHER_PICTURES: [&str; 29] = [
    "heic", "heif", "hif", "avif", "avifs", "jxl", "jp2", "j2k", "jpf", "jpx", "svg", "svgz",
    "ico", "cur", "psd", "psb", "xcf", "tga", "exr", "hdr", "dds", "qoi", "pcx", "raw", "dng",
    "cr2", "nef", "arw", "orf",
];
/// Folders that storage devices, operating systems and tools make among the pictures of people, in small letters.
const MADE_BY_MACHINES: [&str; 20] = [
    "@eadir",
    "@tmp",
    "@recycle",
    "@recently-snapshot",
    "@sharebin",
    "@sharesnap",
    "@synoresource",
    "@__thumb",
    "#recycle",
    "#snapshot",
    "~snapshot",
    "__macosx",
    "__pycache__",
    "lost+found",
    "system volume information",
    "$recycle.bin",
    "recycler",
    "recycled",
    "network trash folder",
    "temporary items",
];

/// Why a file is not read.
pub(in crate::dataset) const HIDDEN: &str = "hidden, their names or folders begin with a dot";
pub(super) const MACHINE: &str =
    "pictures in folders that storage devices, operating systems or tools make, mostly thumbnails";
const NO_PICTURE: &str = "no pictures by their endings and content";
const UNKNOWN_ENDING: &str =
    "pictures by their content, but under endings that are not read; rename them";
const NOT_DECODED: &str =
    "pictures of kinds that this program does not decode; convert them to PNG";

/// Why the folder called `name` is not entered, if it is not.
pub(super) fn folder_left_out(path: &Path) -> Option<&'static str> {
    if is_hidden(path) {
        return Some(HIDDEN);
    }
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    MADE_BY_MACHINES.contains(&name.as_str()).then_some(MACHINE)
}

/// Why the file at `path` is not read, if it is not.
pub(super) fn file_left_out(path: &Path) -> Option<&'static str> {
    if is_hidden(path) {
        return Some(HIDDEN);
    }
    let ending = ending(path);
    match ending.as_str() {
        _ if READ.contains(&ending.as_str()) => None,
        _ if OTHER_PICTURES.contains(&ending.as_str()) => Some(NOT_DECODED),
        // Nothing in the name speaks against a picture.
        "" if looks_decodable(path) => None,
        _ if looks_decodable(path) => Some(UNKNOWN_ENDING),
        _ => Some(NO_PICTURE),
    }
}

/// Whether a file has the ending of a picture.
pub(in crate::dataset) fn has_picture_ending(path: &Path) -> bool {
    let ending = ending(path);
    READ.contains(&ending.as_str()) || OTHER_PICTURES.contains(&ending.as_str())
}

fn ending(path: &Path) -> String {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.unwrap_or_default().to_ascii_lowercase()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn looks_decodable(path: &Path) -> bool {
    let mut start = Vec::new();
    let read =
        zipped::open(path).and_then(|file| file.take(kind::LOOKED_AT).read_to_end(&mut start));
    read.is_ok() && kind::is_decoded(&start)
}
