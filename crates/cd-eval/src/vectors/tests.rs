use std::fs::File;
use std::sync::Arc;

use cd_core::{PixelSource, npy};
use cd_models::{Classifier, Device, ModelConfig};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;

use super::*;

const IMAGES: usize = 70;

#[derive(Debug)]
struct Drawn;

impl PixelSource for Drawn {
    fn read(&self, image: usize) -> Result<Arc<[u8]>, StorageError> {
        Ok((0..768).map(|at| (at * 7 + image * 31) as u8).collect())
    }
}

fn set(labelled: bool) -> ImageSet {
    let source: Arc<dyn PixelSource> = Arc::new(Drawn);
    let mut set = if labelled {
        ImageSet::new(16, 16, vec!["a".into(), "b".into()])
    } else {
        ImageSet::unlabelled(16, 16)
    };
    for image in 0..IMAGES {
        let name = format!("dir/{image}, \"x\".png");
        let pushed = if labelled {
            set.push_from(name, &source, image, (image % 2) as u32)
        } else {
            set.push_unlabelled(name, &source, image)
        };
        pushed.expect("fits");
    }
    set
}

fn model(seed: u64) -> Model {
    let config = ModelConfig::from_name("resnet10").expect("registered");
    let model = config.with_width(4).init(5, seed, &Device::flex());
    model.expect("small")
}

fn write(path: &Path, set: &ImageSet, logits: bool) -> Result<usize, VectorsError> {
    let (model, device) = (model(1), Device::flex());
    let vectors = Vectors {
        model: &model,
        images: set,
        tap: Tap::Penultimate,
        logits,
    };
    VectorsFile::new(path, true)?.write(&vectors, "cpu", &Compute::new(&device))
}

#[test]
fn every_format_holds_the_same_vectors_in_the_order_of_the_images() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = |name: &str| scratch.path().join(name);
    let set = set(true);
    for name in ["x.parquet", "y.npy", "z.npz"] {
        assert_eq!(
            write(&here(name), &set, true).expect("written"),
            32,
            "{name}"
        );
    }
    let rows = npy::Rows::open(&here("y.npy")).expect("an array");
    let scores = npy::Rows::open(&here("y.logits.npy")).expect("an array");
    assert_eq!((rows.count(), rows.shape()), (IMAGES, &[32][..]));
    assert_eq!(scores.shape(), [5]);
    let table = SerializedFileReader::new(File::open(here("x.parquet")).expect("there"));
    let table = table.expect("a table");
    let model = model(1);
    for (image, row) in table.get_row_iter(None).expect("rows").enumerate() {
        let row = row.expect("a row");
        assert_eq!(row.get_string(0).expect("a path"), &set.names()[image]);
        let label = row.get_string(1).expect("a label");
        assert_eq!(label, &set.class_names()[set.labels()[image] as usize]);
        let list = |column| -> Vec<f64> {
            let list = row.get_list(column).expect("a list");
            let floats = list.elements().iter();
            floats
                .map(|value| match value {
                    parquet::record::Field::Float(value) => f64::from(*value),
                    other => panic!("{other} is no float"),
                })
                .collect()
        };
        assert_eq!(list(4), rows.numbers(image).expect("a row"));
        assert_eq!(list(5), scores.numbers(image).expect("a row"));
        let pixels = set.pixels(image).expect("in memory");
        let one = cd_models::one_batch(&pixels, 16, 16, &Device::flex());
        let logits = cd_models::to_host(model.logits(one));
        for (own, stored) in logits.iter().zip(list(5)) {
            assert!((f64::from(*own) - stored).abs() < 1e-5, "image {image}");
        }
        let predicted = row.get_int(2).expect("a class") as usize;
        assert!(
            logits
                .iter()
                .all(|&other| other <= logits[predicted] + 1e-5)
        );
        let confidence = row.get_float(3).expect("a number");
        assert!((0.2..=1.0).contains(&confidence), "{confidence}");
    }
    let mut archive = zip::ZipArchive::new(File::open(here("z.npz")).expect("there"));
    let archive = archive.as_mut().expect("an archive");
    let mut features = Vec::new();
    let mut member = archive.by_name("features.npy").expect("a member");
    io::copy(&mut member, &mut features).expect("readable");
    assert_eq!(features, fs::read(here("y.npy")).expect("there"));
    let csv = |name: &str| fs::read_to_string(here(name)).expect("beside it");
    assert_eq!(csv("y.csv"), csv("z.csv"));
    assert!(csv("y.csv").contains("\n\"dir/1, \"\"x\"\".png\",b,"));
    assert_eq!(fs::read_dir(scratch.path()).expect("list").count(), 6);
}

#[test]
fn the_same_images_give_the_same_bytes_and_labels_may_be_missing() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let here = |name: &str| scratch.path().join(name);
    let set = set(false);
    for ending in FORMATS {
        let [one, other] = ["a", "b"].map(|name| here(&format!("{name}.{ending}")));
        for path in [&one, &other] {
            write(path, &set, false).expect("written");
        }
        let read = |path| fs::read(path).expect("there");
        assert!(read(&one) == read(&other), "{ending}");
    }
    let table = SerializedFileReader::new(File::open(here("a.parquet")).expect("there"));
    let mut rows = table
        .as_ref()
        .expect("a table")
        .get_row_iter(None)
        .expect("rows");
    let row = rows.next().expect("a first").expect("a row");
    assert!(row.get_string(1).is_err() && row.len() == 5);
    assert!(!here("a.logits.npy").exists());
}

#[test]
fn what_was_computed_is_continued_and_what_is_there_stays() {
    let scratch = tempfile::tempdir().expect("temporary folder");
    let path = scratch.path().join("x.npy");
    let file = VectorsFile::new(&path, false).expect("new");
    // A part that another network made is in the way of nobody but this file.
    let (other, set, device) = (model(2), set(true), Device::flex());
    let vectors = |model| Vectors {
        model,
        images: &set,
        tap: Tap::Penultimate,
        logits: false,
    };
    let work = file.work();
    fs::create_dir_all(&work).expect("made");
    let key = "another";
    let store = Store {
        folder: &work,
        fingerprint: key,
    };
    let compute = Compute::new(&device);
    Seen::compute(&vectors(&other), store, &compute).expect("computed");
    let error = write(&path, &set, false).expect_err("of another run");
    assert!(error.to_string().contains("another run"), "{error}");
    assert!(!path.exists());
    fs::remove_dir_all(&work).expect("removed");
    write(&path, &set, false).expect("written");
    let error = VectorsFile::new(&path, false).expect_err("it is there");
    assert!(error.to_string().contains("--force"), "{error}");
    let error = VectorsFile::new(&scratch.path().join("x.txt"), false).expect_err("no format");
    assert!(
        error.to_string().contains(".parquet, .npy, .npz"),
        "{error}"
    );
}
