//! Pictures that are checked, kept, remembered and changed.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use cd_core::{ImageSet, PixelSource};
use image::{Rgb, RgbImage};
use tempfile::{TempDir, tempdir};

use super::*;

/// Bytes of a picture of 4 x 4 pixels.
const BYTES: usize = 48;

/// Counts the pictures that are decoded.
#[derive(Default)]
struct Decoded(AtomicU64);

impl Progress for Decoded {
    fn start(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }
    fn finish(&self) {}
}

/// Pictures in a folder and the folder of their index.
struct Scene {
    folder: TempDir,
    /// Holds the folder of the index.
    scratch: TempDir,
    names: Vec<String>,
}

impl Scene {
    /// Pictures of 4 x 4 pixels, the red of which is their number.
    fn new(count: u8) -> Self {
        let scene = Self {
            folder: tempdir().expect("scratch"),
            scratch: tempdir().expect("scratch"),
            names: (0..count).map(|number| format!("{number}.png")).collect(),
        };
        for number in 0..count {
            scene.paint(number, number);
        }
        scene
    }

    fn index(&self) -> PathBuf {
        self.scratch.path().join("index")
    }

    fn path(&self, number: u8) -> PathBuf {
        self.folder.path().join(&self.names[usize::from(number)])
    }

    /// Writes a picture as if that had been long ago; its size as a file does not depend on `red`.
    fn paint(&self, number: u8, red: u8) {
        let file = self.path(number);
        RgbImage::from_pixel(4, 4, Rgb([red, 0, 0]))
            .save_with_format(&file, image::ImageFormat::Pnm)
            .expect("writes");
        set_age(&file, 1000);
    }

    /// Checks all pictures with room for `room` of them; how many were decoded comes along.
    fn check(&self, room: usize, side: usize) -> (Result<PictureSource, Vec<usize>>, u64) {
        let decoded = Decoded::default();
        let check = Check {
            base: self.folder.path(),
            decoding: Decoding::of_side(side),
            room: &Room::new(room * BYTES),
            index: Some(&self.index()),
            progress: &decoded,
        };
        let places: Vec<Place> = (0..self.names.len() as u8)
            .map(|number| Place::File(self.path(number)))
            .collect();
        let names = self.names.iter().map(String::as_str);
        let pictures: Vec<(&str, &Place)> = names.zip(&places).collect();
        let checked = check.run(&pictures);
        let bad: Vec<usize> = checked.bad.iter().map(|bad| bad.at).collect();
        let source = if bad.is_empty() {
            Ok(checked.source)
        } else {
            Err(bad)
        };
        (source, decoded.0.into_inner())
    }

    fn source(&self, room: usize) -> PictureSource {
        self.check(room, 4).0.expect("all are good")
    }

    fn decoded(&self) -> u64 {
        self.check(0, 4).1
    }

    /// The one file of the index.
    fn index_file(&self) -> PathBuf {
        let mut files = fs::read_dir(self.index()).expect("lists");
        let file = files.next().expect("an index").expect("lists").path();
        assert!(files.next().is_none(), "one file only");
        file
    }
}

/// Sets the time of the last change to so many seconds ago.
fn set_age(path: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    let file = File::options().append(true).open(path).expect("opens");
    file.set_modified(then).expect("sets");
}

fn red(source: &PictureSource, index: usize) -> u8 {
    source.read(index).expect("reads")[0]
}

#[test]
fn pictures_are_kept_while_there_is_room() {
    let scene = Scene::new(5);
    for (room, kept) in [(0, 0), (2, 2), (5, 5), (9, 5)] {
        let source = scene.source(room);
        for _ in 0..2 {
            for index in 0..5 {
                assert_eq!(red(&source, index), index as u8);
            }
        }
        assert_eq!(source.kept(), kept, "room for {room}");
    }
}

#[test]
fn threads_read_side_by_side_and_leave_no_room_unused() {
    let scene = Scene::new(8);
    // What is known already is kept when it is read, not before.
    scene.decoded();
    let source = scene.source(4);
    assert_eq!(source.kept(), 0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let source = &source;
            scope.spawn(move || {
                for turn in 0..200 {
                    let index = (turn * 3 + thread) % 8;
                    assert_eq!(red(source, index), index as u8);
                }
            });
        }
    });
    for index in 0..8 {
        assert_eq!(red(&source, index), index as u8);
    }
    assert_eq!(source.kept(), 4);
}

#[test]
fn digests_are_those_of_the_pixels() {
    let scene = Scene::new(2);
    let mut set = ImageSet::new(4, 4, vec!["a".into()]);
    set.push("x".into(), &[1, 0, 0].repeat(16), 0)
        .expect("fits");
    for _ in 0..2 {
        let source: Arc<dyn PixelSource> = Arc::new(scene.source(0));
        assert_eq!(source.digest(1), Some(set.digest(0).expect("in memory")));
    }
}

#[test]
fn a_picture_that_changes_while_it_is_used_is_named() {
    let scene = Scene::new(3);
    let source = scene.source(0);
    scene.paint(1, 77);
    let message = source.read(1).expect_err("changed").to_string();
    for part in ["1.png", "has changed"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(red(&source, 2), 2);
    fs::remove_file(scene.path(2)).expect("removes");
    let message = source.read(2).expect_err("gone").to_string();
    assert!(message.contains("2.png"), "{message}");
}

#[test]
fn unchanged_pictures_are_not_decoded_again() {
    let scene = Scene::new(6);
    assert_eq!([scene.decoded(), scene.decoded()], [6, 0]);
    // Another time of change, another size, another side.
    set_age(&scene.path(0), 500);
    assert_eq!([scene.decoded(), scene.decoded()], [1, 0]);
    let longer = [fs::read(scene.path(1)).expect("reads"), vec![0]].concat();
    let age = fs::metadata(scene.path(1)).and_then(|file| file.modified());
    fs::write(scene.path(1), longer).expect("writes");
    let file = File::options().append(true).open(scene.path(1));
    let reset = file.and_then(|file| file.set_modified(age?));
    reset.expect("sets");
    assert_eq!([scene.decoded(), scene.decoded()], [1, 0]);
    assert_eq!(scene.check(0, 5).1, 6);
    assert_eq!(scene.decoded(), 0);
}

#[test]
fn a_picture_that_has_just_been_written_is_not_relied_on() {
    let scene = Scene::new(2);
    set_age(&scene.path(1), 0);
    assert_eq!([scene.decoded(), scene.decoded()], [2, 1]);
}

#[test]
fn a_picture_that_changed_under_its_old_size_and_time_is_found() {
    let scene = Scene::new(2);
    let age = fs::metadata(scene.path(1)).and_then(|file| file.modified());
    assert_eq!(scene.decoded(), 2);
    scene.paint(1, 99);
    let file = File::options().append(true).open(scene.path(1));
    file.and_then(|file| file.set_modified(age?)).expect("sets");
    let (mut source, decoded) = scene.check(0, 4);
    if cfg!(unix) {
        assert_eq!(decoded, 1, "the system knows better");
    } else {
        let taken = source.expect("is taken for good");
        let message = taken.read(1).expect_err("changed").to_string();
        assert!(message.contains("start again"), "{message}");
        source = scene.check(0, 4).0;
    }
    assert_eq!(red(&source.expect("checked"), 1), 99);
}

#[test]
fn bad_pictures_are_all_found_and_good_ones_remembered() {
    let scene = Scene::new(5);
    for number in [1, 3] {
        fs::write(scene.path(number), b"no picture").expect("writes");
        set_age(&scene.path(number), 1000);
    }
    let (source, decoded) = scene.check(0, 4);
    assert_eq!((source.expect_err("bad"), decoded), (vec![1, 3], 5));
    let (source, decoded) = scene.check(0, 4);
    assert_eq!((source.expect_err("bad"), decoded), (vec![1, 3], 2));
}

#[test]
fn a_damaged_index_is_written_again() {
    let scene = Scene::new(4);
    assert_eq!(scene.decoded(), 4);
    let file = scene.index_file();
    let whole = fs::read(&file).expect("reads");
    for at in [0, 10, whole.len() / 2, whole.len() - 2] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        for bytes in [&damaged[..], &whole[..at]] {
            fs::write(&file, bytes).expect("writes");
            assert_eq!([scene.decoded(), scene.decoded()], [4, 0], "byte {at}");
            assert_eq!(fs::read(scene.index_file()).expect("reads"), whole);
        }
    }
}

#[test]
fn pictures_that_are_gone_are_forgotten_and_others_stay() {
    let mut scene = Scene::new(4);
    assert_eq!(scene.decoded(), 4);
    fs::remove_file(scene.path(3)).expect("removes");
    set_age(&scene.path(0), 500);
    scene.names.truncate(1);
    assert_eq!(scene.decoded(), 1);
    let index = fs::read_to_string(scene.index_file()).expect("reads");
    let named = |name: &str| index.contains(&format!("\n{name},"));
    assert!(
        named("0.png") && named("1.png") && !named("3.png"),
        "{index}"
    );
}

#[test]
fn an_index_that_cannot_be_written_costs_nothing_but_time() {
    let scene = Scene::new(2);
    fs::write(scene.index(), b"a file where the folder should be").expect("writes");
    assert_eq!([scene.decoded(), scene.decoded()], [2, 2]);
}
