//! Files that pyarrow, NumPy, `SciPy` and Python's tarfile wrote (`tests/golden/formats/make.py`).

use std::path::{Path, PathBuf};

use cd_core::{ImageSet, NoProgress};

use super::{
    DatasetConfig, NpyConfig, ParquetConfig, PictureOptions, SvhnConfig, WebDatasetConfig,
};

const COUNT: usize = 5;

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/formats");
    folder.join(name)
}

/// Fails unless the pictures and labels are those of the recipe.
fn check(set: &ImageSet, classes: usize, what: &str) {
    assert_eq!(set.len(), COUNT, "{what}");
    assert_eq!(set.labels(), [0, 1, 2, 0, 1], "{what}");
    assert_eq!(set.class_count(), classes, "{what}");
    for picture in 0..COUNT {
        let expected: Vec<u8> = (0..set.image_len())
            .map(|at| (picture * 31 + at * 7) as u8)
            .collect();
        assert!(
            *set.pixels(picture).expect("reads") == expected[..],
            "{what}, picture {picture}"
        );
    }
}

#[test]
fn files_of_other_libraries_are_read() {
    let path = golden;
    let configs = [
        DatasetConfig::Parquet(ParquetConfig {
            path: path("snappy.parquet"),
            ..ParquetConfig::default()
        }),
        DatasetConfig::Parquet(ParquetConfig {
            path: path("zstd.parquet"),
            ..ParquetConfig::default()
        }),
        DatasetConfig::Npy(NpyConfig {
            path: path("packed.npz"),
            ..NpyConfig::default()
        }),
        DatasetConfig::Npy(NpyConfig {
            path: path("plain.npz"),
            ..NpyConfig::default()
        }),
        DatasetConfig::WebDataset(WebDatasetConfig {
            path: path("pax.tar"),
            ..WebDatasetConfig::default()
        }),
    ];
    for config in configs {
        let split = config.load(&NoProgress).expect("reads");
        let what = format!("{} `{}`", config.name(), split.name);
        check(&split.train, 3, &what);
    }
    let svhn = SvhnConfig {
        path: path(""),
        ..SvhnConfig::default()
    };
    let split = DatasetConfig::Svhn(svhn).load(&NoProgress).expect("reads");
    check(&split.train, 10, "svhn");
}

#[test]
fn they_are_recognised_by_content() {
    for (file, name) in [
        ("snappy.parquet", "parquet"),
        ("packed.npz", "npy"),
        ("pax.tar", "webdataset"),
    ] {
        let config = DatasetConfig::of_images(&golden(file), PictureOptions::default());
        assert_eq!(config.name(), name);
    }
}
