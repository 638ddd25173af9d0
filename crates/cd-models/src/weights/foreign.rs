//! Files that are no weights, told by their first bytes, with what to do about them.

use std::path::Path;

/// Where a tar archive says that it is one.
const TAR_MARK: usize = 257;

/// First bytes, and what a file is that begins with them.
const MARKS: [(&[u8], &str); 17] = [
    (
        b"version https://git-lfs.github.com/spec",
        "a pointer of Git LFS, not the file itself: `git lfs pull` fetches it, or download it from the page of the file",
    ),
    (
        b"\x1f\x8b",
        "compressed with gzip: `gunzip` it first (`tar xzf` for a .tar.gz) and name the weights file inside",
    ),
    (
        b"BZh",
        "compressed with bzip2: `bunzip2` it first and name the weights file inside",
    ),
    (
        b"\xfd7zXZ",
        "compressed with xz: `unxz` it first and name the weights file inside",
    ),
    (
        b"\x28\xb5\x2f\xfd",
        "compressed with zstd: `unzstd` it first and name the weights file inside",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "a 7z archive: unpack it and name the weights file inside",
    ),
    (
        b"Rar!",
        "a rar archive: unpack it and name the weights file inside",
    ),
    (
        b"\x89HDF",
        "an HDF5 file (Keras or MATLAB); only weights of PyTorch, safetensors and burnpacks are read",
    ),
    (
        b"\x93NUMPY",
        "a single array of numpy, not the weights of a network",
    ),
    (
        b"GGUF",
        "a GGUF file of a language model, not an image classifier",
    ),
    (b"\x89PNG", "a picture, not weights"),
    (b"\xff\xd8\xff", "a picture, not weights"),
    (b"%PDF", "a PDF document, not weights"),
    (b"\x7fELF", "a program, not weights"),
    (
        b"\x08",
        "perhaps an ONNX or TensorFlow file; only weights of PyTorch, safetensors and burnpacks are read",
    ),
    (
        b"(",
        "perhaps a pickle of protocol 0 or 1; save it with `torch.save`",
    ),
    (
        b"TFL3",
        "a TensorFlow Lite file; only weights of PyTorch, safetensors and burnpacks are read",
    ),
];

/// What a file is that begins with `head`, if it is one of those that people have in place of weights.
pub(super) fn what(head: &[u8]) -> Option<&'static str> {
    if head
        .get(TAR_MARK..)
        .is_some_and(|mark| mark.starts_with(b"ustar"))
    {
        return Some(
            "a tar archive: unpack it with `tar xf` and name the weights file inside (PyTorch itself wrote tar files until 2017; load and save such a one in PyTorch again)",
        );
    }
    let marked = MARKS.iter().find(|(mark, _)| head.starts_with(mark));
    marked.map(|(_, what)| *what).or_else(|| text(head))
}

/// Which of how many files of one network a file is by its name, such as `model-00001-of-00003.safetensors`.
pub(super) fn part(path: &Path) -> Option<(usize, usize)> {
    let stem = path.file_stem()?.to_str()?;
    let (before, count) = stem.rsplit_once("-of-")?;
    let (_, number) = before.rsplit_once('-')?;
    let both = number.parse().ok().zip(count.parse().ok());
    both.filter(|&(_, count)| count > 1)
}

fn text(head: &[u8]) -> Option<&'static str> {
    let head = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    let lower = head.to_ascii_lowercase();
    let has = |word: &[u8]| lower.windows(word.len()).any(|part| part == word);
    if lower.starts_with(b"<") {
        return Some(
            "a web page, not the file itself: it was saved from a link to a page (or a login was asked for); download the file itself",
        );
    }
    if lower.starts_with(b"{") || lower.starts_with(b"[") {
        if has(b"\"weight_map\"") || has(b"\"total_size\"") {
            return Some(
                "the index of weights in several files, not weights: join them in PyTorch and save one state dict",
            );
        }
        return Some("a JSON text, not weights");
    }
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    (!head.is_empty() && head.iter().all(printable)).then_some("a text, not weights")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_what_they_are() {
        let mut tar = vec![0; 512];
        tar[TAR_MARK..TAR_MARK + 5].copy_from_slice(b"ustar");
        for (head, word) in [
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:1".as_slice(),
                "git lfs pull",
            ),
            (b"<!DOCTYPE html><html>", "web page"),
            (b"\n  <html>", "web page"),
            (b"\xef\xbb\xbf<?xml version", "web page"),
            (
                b"{\n \"metadata\": {\"total_size\": 1}, \"weight_map\": {}}",
                "several files",
            ),
            (b"{\"epoch\": 1}", "JSON"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x93NUMPY", "numpy"),
            (b"404: Not Found", "a text"),
            (&tar, "tar archive"),
        ] {
            assert!(what(head).is_some_and(|what| what.contains(word)), "{word}");
        }
        assert_eq!(what(b"\x01\x02\x03"), None);
        assert_eq!(what(b""), None);
    }
}
