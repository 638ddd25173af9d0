//! What several test modules share.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cd_core::random::stream;
use cd_core::{CHANNELS, ImageSet, NoProgress};
use cd_models::Device;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;

use crate::attack::{Attack, AttackError, Batch, CraftContext, Place, Role, Trigger};

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

pub(crate) fn golden_folder() -> PathBuf {
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

/// What `train` makes in a folder of its own, where it sees `images` eight at a time and has no test images.
pub(crate) fn crafted<T>(
    images: &ImageSet,
    target: u32,
    seed: u64,
    train: impl FnOnce(&CraftContext<'_>) -> Result<T, AttackError>,
) -> T {
    let folder = tempfile::tempdir().expect("scratch");
    let context = CraftContext {
        images,
        tests: None,
        target,
        seed,
        device: &Device::default(),
        batch_size: 8,
        folder: folder.path(),
        progress: &NoProgress,
    };
    train(&context).expect("trains")
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
    stamped_as(trigger, images, side, Role::Train)
}

/// Square images of `side` pixels with the trigger, for one purpose: image k of n, with label 0.
pub(crate) fn stamped_as(trigger: &dyn Trigger, images: &[u8], side: usize, role: Role) -> Vec<u8> {
    let mut batch = Batch::new(side, side);
    let images = images.chunks(side * side * CHANNELS);
    let count = images.len();
    for (index, image) in images.enumerate() {
        let place = Place {
            index,
            label: 0,
            rank: index,
            count,
        };
        let random = stream(index as u64, 0);
        batch.push_at(image, place, random).expect("whole images");
    }
    trigger.apply(&mut batch, role).expect("stamps");
    batch.pixels().to_vec()
}

/// A tensor of the larger golden files that stand beside the repository, as little-endian bytes; nothing, with a note, where they
/// are not there.
pub(crate) fn beside(file: &str, tensor: &str) -> Option<Vec<u8>> {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut paths = folders.map(|folder| folder.join("shared/golden").join(file));
    let Some(path) = paths.find(|path| path.is_file()) else {
        eprintln!("skipped: {file} with `{tensor}` is not beside this repository");
        return None;
    };
    let bytes = std::fs::read(path).expect("readable");
    let file = SafeTensors::deserialize(&bytes).expect("golden file is well formed");
    Some(file.tensor(tensor).expect("golden tensor").data().to_vec())
}

/// Writes bytes as an array of NumPy's type `kind` and this shape.
pub(crate) fn write_npy(path: &Path, kind: &str, shape: &str, bytes: &[u8]) {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend_from_slice(&(header.len() as u16).to_le_bytes());
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(bytes);
    std::fs::write(path, file).expect("writes");
}

/// Fails unless no byte is further than `most` from the expected one, and at most `share` of them differ at all.
pub(crate) fn assert_close(got: &[u8], expected: &[u8], most: u8, share: f64) {
    assert_eq!(got.len(), expected.len());
    let distances = || got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    let largest = distances().max().unwrap_or(0);
    let differing = distances().filter(|&distance| distance > 0).count() as f64 / got.len() as f64;
    assert!(largest <= most, "a byte is {largest} levels away");
    assert!(differing <= share, "{differing} of the bytes differ");
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

/// Calls `read` with damaged copies of `bases`, 20,000 in a test and as many as `CD_MUTATIONS` says; returns the share of them
/// that could still be read. Input `number` is a function of its number.
pub(crate) fn mutations(bases: &[Vec<u8>], mut read: impl FnMut(&[u8]) -> bool) -> f64 {
    const IN_TESTS: u64 = 20_000;
    let count = std::env::var("CD_MUTATIONS").map_or(IN_TESTS, |text| {
        text.parse().expect("`CD_MUTATIONS` is a whole number")
    });
    let survivors = (0..count).filter(|&number| {
        let mut random = stream(number, 0);
        let base = &bases[random.random_range(0..bases.len())];
        read(&damaged(base, &mut random))
    });
    survivors.count() as f64 / count.max(1) as f64
}

/// A copy of `base` with one change, or a few.
fn damaged(base: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    /// Letters that mean something in headers and tables.
    const MEANING: &[u8] = b"\0\n\r,;\"\t 0-1{}[]<.\xff";
    let mut bytes = base.to_vec();
    for _ in 0..=random.random::<u8>().trailing_ones() {
        // Headers stand at the beginning, and that of a zip archive at the end.
        let most = match random.random_range(0..3) {
            0 => bytes.len().min(64),
            _ => bytes.len(),
        };
        let mut at = random.random_range(0..most.max(1));
        if random.random_range(0..4) == 0 {
            at = bytes.len().saturating_sub(1 + at);
        }
        let end = (at + random.random_range(1..24)).min(bytes.len());
        match random.random_range(0..7) {
            _ if bytes.is_empty() => {}
            0 => bytes[at] = random.random(),
            1 => bytes[at] = MEANING[random.random_range(0..MEANING.len())],
            2 => bytes[at] ^= 1 << random.random_range(0..8),
            3 => bytes.truncate(at),
            4 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => drop(bytes.drain(at..end)),
            _ => {
                let end = (at + [2, 4, 8][random.random_range(0..3)]).min(bytes.len());
                bytes[at..end].fill([0, 0xff, 0x7f, 0x80][random.random_range(0..4)]);
            }
        }
    }
    bytes
}
