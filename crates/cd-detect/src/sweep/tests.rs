use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cd_core::{ImageSet, PixelSource, StorageError};
use cd_models::{Device, to_host};

use super::*;
use crate::compute::Shard;

const COLUMNS: &[(&str, Kind)] = &[
    ("first", Kind::Numbers),
    ("row", Kind::Vectors),
    ("bytes", Kind::Bytes),
];

fn images(count: usize) -> ImageSet {
    let mut set = ImageSet::new(1, 2, vec!["only".into()]);
    for image in 0..count {
        let pixels: Vec<u8> = (0..6).map(|at| ((image * 6 + at) % 251) as u8).collect();
        set.push(image.to_string(), &pixels, 0).expect("fits");
    }
    set
}

fn sweep<'a>(set: &'a ImageSet, settings: &'a str) -> Sweep<'a> {
    Sweep {
        name: "test",
        task: "testing",
        settings,
        images: set.into(),
        columns: COLUMNS,
    }
}

/// The first value, the first row and all bytes of each image, with its number.
#[expect(clippy::unnecessary_wraps, reason = "the work of a sweep")]
fn values(batch: Batch) -> Result<Vec<Column>, DetectError> {
    let values = to_host(batch.images);
    let images = values.chunks(6).zip(&batch.numbers);
    let first = images.clone().map(|(v, &n)| f64::from(v[0]) + n as f64);
    let row = images.clone().flat_map(|(v, _)| v[..2].to_vec());
    let bytes = images.flat_map(|(v, &n)| [(v[5] * 255.0) as u8, n as u8]);
    Ok(vec![
        Column::Numbers(first.collect()),
        Column::Vectors {
            width: 2,
            values: row.collect(),
        },
        Column::Bytes {
            shape: [2, 1, 1],
            values: bytes.collect(),
        },
    ])
}

/// Everything that a sweep found, as numbers.
fn all(mut swept: Swept) -> Vec<f64> {
    let mut found = swept.numbers("first");
    found.extend(swept.vectors("row").values().iter().map(|&v| f64::from(v)));
    let masks = swept.masks("bytes");
    for index in 0..masks.count() {
        let bytes = masks.get(index).expect("readable");
        found.extend(bytes.iter().map(|&byte| f64::from(byte)));
    }
    found
}

fn store(folder: &Path) -> Store<'_> {
    Store {
        folder,
        fingerprint: "weights and pictures",
    }
}

#[test]
fn batches_workers_and_stores_change_nothing() {
    let (set, device) = (images(150), Device::flex());
    let sweep = sweep(&set, "");
    let plain = sweep.run(&Compute::new(&device), values).expect("computed");
    let expected = all(plain.expect("whole"));
    assert_eq!(expected.len(), 150 * 5);
    for (batch_size, workers) in [(1, 1), (7, 3), (64, 2), (130, 1), (1000, 4), (0, 0)] {
        let folder = tempfile::tempdir().expect("temporary folder");
        for store in [None, Some(store(folder.path()))] {
            let compute = Compute {
                batch_size,
                workers,
                store,
                ..Compute::new(&device)
            };
            let found = sweep.run(&compute, values).expect("computed");
            assert_eq!(
                all(found.expect("whole")),
                expected,
                "{batch_size} {workers}"
            );
        }
    }
}

#[test]
fn shards_share_the_parts_and_the_last_one_puts_them_together() {
    let (set, device) = (images(300), Device::flex());
    let sweep = sweep(&set, "");
    let folder = tempfile::tempdir().expect("temporary folder");
    let computed = AtomicUsize::new(0);
    let run = |index, store| {
        let compute = Compute {
            shard: Shard { index, count: 3 },
            store,
            ..Compute::new(&device)
        };
        sweep.run(&compute, |batch| {
            computed.fetch_add(batch.numbers.len(), Ordering::Relaxed);
            values(batch)
        })
    };
    for index in [2, 0] {
        let found = run(index, Some(store(folder.path()))).expect("computed");
        assert!(found.is_none());
    }
    let found = run(1, Some(store(folder.path()))).expect("computed");
    assert_eq!(computed.load(Ordering::Relaxed), 300);
    let plain = sweep.run(&Compute::new(&device), values).expect("computed");
    assert_eq!(all(found.expect("whole")), all(plain.expect("whole")));
    assert!(run(1, None).expect("computed").is_none());
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_was() {
    let (set, device) = (images(300), Device::flex());
    let sweep = sweep(&set, "");
    let folder = tempfile::tempdir().expect("temporary folder");
    let computed = AtomicUsize::new(0);
    let run = |until: usize| {
        let compute = Compute {
            batch_size: 20,
            store: Some(store(folder.path())),
            ..Compute::new(&device)
        };
        sweep.run(&compute, |batch| {
            if computed.fetch_add(batch.numbers.len(), Ordering::Relaxed) >= until {
                return Err(DetectError::Mask { index: 0 });
            }
            values(batch)
        })
    };
    assert!(matches!(run(200), Err(DetectError::Mask { .. })));
    computed.store(0, Ordering::Relaxed);
    let found = run(usize::MAX).expect("computed").expect("whole");
    assert_eq!(computed.load(Ordering::Relaxed), 300 - 3 * 64);
    let plain = sweep.run(&Compute::new(&device), values).expect("computed");
    assert_eq!(all(found), all(plain.expect("whole")));
}

#[test]
fn parts_of_other_settings_are_refused() {
    let (set, device) = (images(3), Device::flex());
    let folder = tempfile::tempdir().expect("temporary folder");
    let compute = Compute {
        store: Some(store(folder.path())),
        ..Compute::new(&device)
    };
    sweep(&set, "one").run(&compute, values).expect("computed");
    let other = sweep(&set, "two").run(&compute, values);
    assert!(matches!(other, Err(DetectError::OtherRun { .. })));
    let none = sweep(&images(0), "one").run(&compute, values);
    assert!(matches!(none, Err(DetectError::Empty)));
}

#[test]
fn bytes_stay_in_the_part_files() {
    let (set, device) = (images(100), Device::flex());
    let folder = tempfile::tempdir().expect("temporary folder");
    let compute = Compute {
        store: Some(store(folder.path())),
        ..Compute::new(&device)
    };
    let found = sweep(&set, "").run(&compute, values).expect("computed");
    let masks = found.expect("whole").masks("bytes");
    assert_eq!((masks.count(), masks.shape()), (100, [2, 1, 1]));
    assert_eq!(masks.get(99).expect("readable")[1], 99);
    let second = folder.path().join("test/part-00000064.safetensors");
    std::fs::remove_file(second).expect("there");
    assert!(masks.get(63).is_ok());
    let error = masks.get(64).expect_err("its file is gone").to_string();
    assert!(error.contains("part-00000064"), "{error}");
}

/// Tells which image it is asked for.
#[derive(Debug)]
struct Telling(Mutex<Sender<usize>>);

impl PixelSource for Telling {
    fn read(&self, index: usize) -> Result<Arc<[u8]>, StorageError> {
        let sender = self.0.lock().expect("no reader panics");
        sender.send(index).expect("the test listens");
        Ok(vec![0; 6].into())
    }
}

#[test]
fn the_next_batch_is_read_while_one_is_computed() {
    let (send, asked): (_, Receiver<usize>) = channel();
    let source: Arc<dyn PixelSource> = Arc::new(Telling(Mutex::new(send)));
    let mut set = ImageSet::new(1, 2, vec!["only".into()]);
    for index in 0..4 {
        let pushed = set.push_from(index.to_string(), &source, index, 0);
        pushed.expect("fits");
    }
    let (device, asked) = (Device::flex(), Mutex::new(asked));
    let compute = Compute {
        batch_size: 2,
        ..Compute::new(&device)
    };
    let found = sweep(&set, "").run(&compute, |batch| {
        if batch.numbers == [0, 1] {
            // All four are asked for before the first two are computed; otherwise this waits in vain.
            let asked = asked.lock().expect("one worker");
            for _ in 0..4 {
                let next = asked.recv_timeout(Duration::from_mins(1));
                next.expect("read ahead");
            }
        }
        values(batch)
    });
    found.expect("computed").expect("whole");
}
