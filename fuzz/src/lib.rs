//! What the fuzz targets share.

use std::io::Write;

use cd_models::{describe_weights, device, load_weights};

/// Reads `bytes` as a weights file whose first bytes, which tell the format, are those of `head`.
///
/// `None` in `head` stands for any byte.
pub fn read_weights(head: &[Option<u8>], bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    for (byte, fixed) in bytes.iter_mut().zip(head) {
        *byte = fixed.unwrap_or(*byte);
    }
    let mut file = tempfile::NamedTempFile::new().expect("a temporary folder");
    file.write_all(&bytes)
        .expect("room in the temporary folder");
    let device = device::parse("cpu").expect("compiled in");
    let described = describe_weights(file.path(), &device);
    let loaded = load_weights(file.path(), &device);
    assert!(loaded.is_err() || described.is_ok());
}
