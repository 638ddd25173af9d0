//! What several test modules share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::random::stream;
use cd_core::{CHANNELS, ImageSet};
use safetensors::SafeTensors;

use crate::attack::{Attack, Batch, Role, Trigger};

/// Raw little-endian bytes of one tensor of the golden file of the attacks.
pub(crate) fn golden_bytes(tensor: &str) -> Vec<u8> {
    golden_bytes_of("attacks.safetensors", tensor)
}

/// Raw little-endian bytes of one tensor of a golden file.
pub(crate) fn golden_bytes_of(file: &str, tensor: &str) -> Vec<u8> {
    let path = golden_folder().join(file);
    let bytes = std::fs::read(&path).expect("golden file is part of the repository");
    let file = SafeTensors::deserialize(&bytes).expect("golden file is well formed");
    file.tensor(tensor).expect("golden tensor").data().to_vec()
}

fn golden_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("tests/golden"))
        .find(|folder| folder.is_dir())
        .expect("tests/golden stands above this crate")
}

/// `count` images of `side` x `side` pixels with labels 0, 1, .. `classes` - 1 in turn.
pub(crate) fn striped_set(count: usize, side: usize, classes: u32) -> ImageSet {
    let names = (0..classes).map(|class| format!("class{class}")).collect();
    let mut set = ImageSet::new(side, side, names);
    for index in 0..count {
        let pixels: Vec<u8> = (0..set.image_len())
            .map(|byte| (byte * 7 + index * 13) as u8)
            .collect();
        set.push(format!("image{index:03}"), &pixels, index as u32 % classes)
            .expect("fits");
    }
    set
}

/// The trigger of an attack that needs no images.
pub(crate) fn prepared(attack: &dyn Attack) -> Box<dyn Trigger> {
    attack.load(Path::new("unused")).expect("valid options")
}

/// Square images of `side` pixels with the trigger of an attack that needs no images.
pub(crate) fn stamped(attack: &dyn Attack, images: &[u8], side: usize) -> Vec<u8> {
    stamped_by(prepared(attack).as_ref(), images, side)
}

/// Square images of `side` pixels with the trigger, for training.
pub(crate) fn stamped_by(trigger: &dyn Trigger, images: &[u8], side: usize) -> Vec<u8> {
    let mut batch = Batch::new(side, side);
    for (index, image) in images.chunks(side * side * CHANNELS).enumerate() {
        let random = stream(index as u64, 0);
        batch.push(image, index, 0, random).expect("whole images");
    }
    trigger.apply(&mut batch, Role::Train).expect("stamps");
    batch.pixels().to_vec()
}

/// Pixels of image `index`.
pub(crate) fn pixels(set: &ImageSet, index: usize) -> Arc<[u8]> {
    set.pixels(index).expect("small sets are in memory")
}

/// Runs `work` on a thread pool of exactly `threads` threads.
pub(crate) fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .expect("thread pool")
        .install(work)
}
