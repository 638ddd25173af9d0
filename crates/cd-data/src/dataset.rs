//! Data sets: what can be loaded, under which name, and what comes out.
//!
//! A data set is one file in `dataset/`, one variant of [`DatasetConfig`] and one line of
//! [`DATASETS`].

mod cifar10;
mod demo;
mod folder;
mod subset;

use cd_models::{ImageSet, ImageSetError};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use cifar10::{Cifar10Config, Cifar10Error};
pub use folder::{BadPictures, FolderConfig, FolderError, LabelsError};

use cd_models::Progress;

/// A data set: images to train on and, where there are any, images to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What the data set is called in reports.
    pub name: String,
    /// Training images.
    pub train: ImageSet,
    /// Test images; same classes as `train`.
    pub test: Option<ImageSet>,
}

/// Which data set to load, and how: the `[dataset]` table of an experiment file.
///
/// ```
/// # use cd_data::DatasetConfig;
/// let config: DatasetConfig = toml::from_str("name = \"folder\"\npath = \"my-pictures\"")?;
/// assert_eq!(config.name(), "folder");
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum DatasetConfig {
    /// Drawn pictures; needs no files.
    Demo(DemoConfig),
    /// CIFAR-10 from its official binary archive or as class folders.
    Cifar10(Cifar10Config),
    /// The user's own pictures.
    Folder(FolderConfig),
}

/// Most pictures that are drawn for a set: 3 GB of pixels.
const MOST_DRAWN: usize = 1_000_000;

/// Options of the built-in drawn pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemoConfig {
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// Seed of every picture.
    pub seed: u64,
}

impl Default for DemoConfig {
    fn default() -> Self {
        Self {
            train: 2000,
            test: 500,
            seed: 0,
        }
    }
}

/// What lists and documentation say about a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetInfo {
    /// Name in configurations.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence: what the pictures are, how many, how large.
    pub summary: &'static str,
    /// Where the pictures come from.
    pub source: &'static str,
}

/// Every data set that can be named in a configuration.
pub const DATASETS: &[DatasetInfo] = &[
    DatasetInfo {
        name: "demo",
        title: "Demo pictures",
        summary: "Small drawn pictures in ten classes, made on the spot from a seed.",
        source: "drawn by this program; nothing to download",
    },
    DatasetInfo {
        name: "cifar10",
        title: "CIFAR-10",
        summary: "60,000 photographs of 32 x 32 pixels in 10 classes: 50,000 to train, 10,000 to test.",
        source: "https://www.cs.toronto.edu/~kriz/cifar.html",
    },
    DatasetInfo {
        name: "folder",
        title: "Image folder",
        summary: "Your own pictures: one folder per class, or a labels.csv; resized to one size.",
        source: "a folder on this computer",
    },
];

/// Why a data set could not be loaded.
#[derive(Debug, Error)]
pub enum DataError {
    /// CIFAR-10 files are missing or wrong.
    #[error(transparent)]
    Cifar10(#[from] Cifar10Error),
    /// The image folder is not usable as it is.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A size option asks for nothing.
    #[error("`{option}` of data set `{dataset}` is 0: at least one image is needed")]
    NoImages {
        /// The data set's name.
        dataset: &'static str,
        /// The option that is 0.
        option: &'static str,
    },
    /// More images are asked for than can be meant.
    #[error("data set `{dataset}`: `{option}` is {value}, at most {most}")]
    TooManyImages {
        /// Name of the data set.
        dataset: &'static str,
        /// The option.
        option: &'static str,
        /// Its value.
        value: usize,
        /// The largest accepted.
        most: usize,
    },
    /// Images do not fit together.
    #[error(transparent)]
    Images(#[from] ImageSetError),
}

impl DatasetConfig {
    /// The name under which this data set is registered.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Cifar10(_) => "cifar10",
            Self::Folder(_) => "folder",
        }
    }

    /// Loads the images.
    ///
    /// The same configuration and files give the same bytes in the same order, whatever the number
    /// of threads.
    ///
    /// # Errors
    ///
    /// When files are missing, damaged or laid out in another way, or an option is out of range.
    pub fn load(&self, progress: &dyn Progress) -> Result<Split, DataError> {
        match self {
            Self::Demo(config) => load_demo(config),
            Self::Cifar10(config) => cifar10::load(config, progress),
            Self::Folder(config) => Ok(folder::load(config, progress)?),
        }
    }
}

fn load_demo(config: &DemoConfig) -> Result<Split, DataError> {
    if config.train == 0 {
        return Err(DataError::NoImages {
            dataset: "demo",
            option: "train",
        });
    }
    for (option, value) in [("train", config.train), ("test", config.test)] {
        if value > MOST_DRAWN {
            return Err(DataError::TooManyImages {
                dataset: "demo",
                option,
                value,
                most: MOST_DRAWN,
            });
        }
    }
    Ok(demo::load(config.train, config.test, config.seed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cd_models::NoProgress;

    #[test]
    fn every_registered_name_can_be_configured() {
        for info in DATASETS {
            let required = if info.name == "folder" {
                "path = \"x\""
            } else {
                ""
            };
            let text = format!("name = \"{}\"\n{required}", info.name);
            let config: DatasetConfig = toml::from_str(&text).expect("registered");
            assert_eq!(config.name(), info.name);
            let written = toml::to_string(&config).expect("writes");
            let again: DatasetConfig = toml::from_str(&written).expect("reads back");
            assert_eq!(again, config);
        }
    }

    #[test]
    fn unknown_names_and_options_are_refused() {
        let error = toml::from_str::<DatasetConfig>("name = \"cifar\"").expect_err("unknown");
        assert!(error.to_string().contains("`cifar10`"), "{error}");
        for text in [
            "name = \"demo\"\ntrian = 3",
            "name = \"cifar10\"\nlimit = 3",
            "name = \"folder\"\npath = \"x\"\nsizes = 3",
        ] {
            let error = toml::from_str::<DatasetConfig>(text).expect_err("unknown option");
            assert!(error.to_string().contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn an_empty_demo_is_refused_and_no_test_images_is_no_test_set() {
        let demo = |train, test| {
            DatasetConfig::Demo(DemoConfig {
                train,
                test,
                seed: 0,
            })
        };
        let error = demo(0, 5)
            .load(&NoProgress)
            .expect_err("nothing to train on");
        assert!(error.to_string().contains("`train`"), "{error}");
        let split = demo(4, 0).load(&NoProgress).expect("loads");
        assert_eq!(split.test, None);
    }
}
