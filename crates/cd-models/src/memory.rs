//! Freed memory that the process keeps for its next use, and batches that are small enough for it.

use burn::tensor::Device;

use crate::device::is_cpu;

/// Largest block that glibc can be brought to serve from memory that it keeps: 32 MiB, less its own header.
const LARGEST: usize = (32 << 20) - (64 << 10);

/// Lets the allocator keep up to 64 MiB of freed memory per thread instead of giving it back at once. To be called
/// when a program starts.
///
/// A step of a search allocates and frees the same tensors again and again. glibc gives most of them back to
/// the system each time, and the pages must be cleared anew: a tenth to a quarter of the time of a search on the CPU. Its
/// limit moves up with the largest block that was ever freed (`M_MMAP_THRESHOLD` and `M_TRIM_THRESHOLD` in
/// mallopt(3), which are not changed where the environment sets them), so one large block is taken and freed. Without
/// glibc it does nothing.
pub fn keep_freed_memory() {
    if cfg!(all(target_os = "linux", target_env = "gnu")) {
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGEST)));
    }
}

/// Pixels of the images that a CPU computes at a time: those of one image of 224 pixels a side.
const PIXELS: usize = 224 * 224;

/// Images of `height` x `width` pixels to compute at a time, of at most `most`; at least one.
///
/// On a CPU feature maps of many large images are larger than what [`keep_freed_memory`] keeps, and to get them anew for every layer takes
/// longer than what a larger batch saves: EfficientNet-Lite0 at 224 pixels, one thread of a Xeon, searches 40 images in 33.4 s with batches
/// of 32, in 26.2 s with 4 and in 23.4 s with one; forward passes of batches of 8, 4 and 1 give 37, 48 and 60 images a second. Images of 32
/// pixels are as fast with 32 at a time as with fewer. On a GPU it is `most`.
pub fn images_at_once(most: usize, height: usize, width: usize, device: &Device) -> usize {
    let most = most.max(1);
    if !is_cpu(device) {
        return most;
    }
    (PIXELS / (height * width).max(1)).clamp(1, most)
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    const BLOCK: usize = 8 << 20;
    const PAGE: usize = 4096;

    /// Pages that the system had to hand to this thread so far: the tenth field of `stat`, the name aside.
    fn faults() -> usize {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
        let (_, rest) = stat.rsplit_once(')').expect("a name in brackets");
        let field = rest.split_whitespace().nth(7).expect("minor faults");
        field.parse().expect("a number")
    }

    #[test]
    fn a_block_that_was_freed_is_there_again() {
        keep_freed_memory();
        let work = || {
            let use_block = || drop(std::hint::black_box(vec![1_u8; BLOCK]));
            use_block();
            let before = faults();
            (0..20).for_each(|_| use_block());
            faults() - before
        };
        let faults = std::thread::spawn(work).join().expect("no panic");
        assert!(faults < BLOCK / PAGE, "{faults} pages in 20 rounds");
    }
}
