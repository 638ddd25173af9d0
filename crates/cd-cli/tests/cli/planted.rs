//! A folder of pictures of which half carry a trigger, for a classifier that knows it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

pub(crate) fn golden(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");
    fs::canonicalize(PathBuf::from(folder).join(name)).expect("part of the repository")
}

/// Writes the fixture's 64 pictures, half of them triggered, and the truth about them.
pub(crate) fn plant(folder: &Path) {
    let bytes = fs::read(golden("cd_w16.safetensors")).expect("readable");
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    let images = file.tensor("images_u8").expect("in the fixture");
    let triggered = file.tensor("is_triggered").expect("in the fixture");
    let mut truth = "file,poisoned\n".to_owned();
    for (index, pixels) in images.data().chunks(32 * 32 * 3).enumerate() {
        let poisoned = triggered.data()[index * 8] == 1;
        let class = ["cats", "dogs"][index % 2];
        let name = format!("{class}/{index:02}.png");
        fs::create_dir_all(folder.join("pictures").join(class)).expect("folder");
        image::save_buffer(
            folder.join("pictures").join(&name),
            pixels,
            32,
            32,
            image::ColorType::Rgb8,
        )
        .expect("saved");
        writeln!(truth, "{name},{poisoned}").expect("writing to a string cannot fail");
    }
    fs::write(folder.join("truth.csv"), truth).expect("written");
}
