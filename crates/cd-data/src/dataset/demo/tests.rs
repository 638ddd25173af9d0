//! The drawn pictures as a set.

use super::*;
use crate::testing::pixels;
use cd_models::NoProgress;

fn drawn(count: usize, seed: u64, stream: Stream) -> ImageSet {
    draw_set(count, seed, stream).expect("small sets are in memory")
}

#[test]
fn labels_cycle_and_names_count() {
    let set = drawn(25, 7, Stream::Test);
    assert_eq!(set.len(), 25);
    assert_eq!((set.height(), set.width()), (32, 32));
    assert_eq!(set.class_counts(), [3, 3, 3, 3, 3, 2, 2, 2, 2, 2]);
    assert_eq!(set.labels()[13], 3);
    assert_eq!(set.name(13), "test/00013");
    assert_eq!(set.class_names()[6], "stop");
}

#[test]
fn pictures_depend_on_seed_stream_and_index_alone() {
    let set = drawn(30, 7, Stream::Train);
    let longer = drawn(40, 7, Stream::Train);
    let first: Vec<usize> = (0..30).collect();
    assert_eq!(longer.subset(&first), set);
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("one thread can be started");
    assert_eq!(one_thread.install(|| drawn(30, 7, Stream::Train)), set);
    let other_seed = drawn(30, 8, Stream::Train);
    let other_stream = drawn(30, 7, Stream::Test);
    for index in 0..30 {
        assert_ne!(pixels(&set, index), pixels(&other_seed, index));
        assert_ne!(pixels(&set, index), pixels(&other_stream, index));
        assert_ne!(pixels(&set, index), pixels(&set, (index + 10) % 30));
    }
}

#[test]
fn an_empty_demo_is_refused_and_no_test_images_is_no_test_set() {
    let load = |train, test| {
        let seed = 0;
        DemoConfig { train, test, seed }.load(&LoadContext::new(&NoProgress))
    };
    let error = load(0, 5).expect_err("nothing to train on");
    assert!(error.to_string().contains("`train`"), "{error}");
    let error = load(4, MOST_DRAWN + 1).expect_err("too many");
    assert!(error.to_string().contains("at most 1000000"), "{error}");
    let split = load(4, 0).expect("loads");
    assert_eq!(split.test, None);
}

#[test]
fn an_empty_set_has_the_classes() {
    let set = drawn(0, 0, Stream::Train);
    assert!(set.is_empty());
    assert_eq!(set.class_count(), 10);
}

/// Small triggers sit in a corner, so the corner itself must not tell the classes apart.
#[test]
fn mean_colours_of_the_corner_hardly_depend_on_the_class() {
    let set = drawn(2000, 3, Stream::Train);
    let means: Vec<f32> = (0..10).map(|label| corner_mean(&set, label)).collect();
    let lowest = means.iter().copied().fold(f32::INFINITY, f32::min);
    let highest = means.iter().copied().fold(0.0, f32::max);
    assert!(highest - lowest < 25.0, "{means:?}");
}

/// Mean of the 3 x 3 pixels at the bottom right over all pictures of a class.
fn corner_mean(set: &ImageSet, label: usize) -> f32 {
    let mut sum = 0.0;
    let mut count = 0.0;
    for index in (label..set.len()).step_by(10) {
        let pixels = pixels(set, index);
        for row in 29..32 {
            for value in &pixels[(row * 32 + 29) * 3..(row + 1) * 32 * 3] {
                sum += f32::from(*value);
                count += 1.0;
            }
        }
    }
    sum / count
}
