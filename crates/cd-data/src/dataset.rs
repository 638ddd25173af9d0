//! Data sets: what can be loaded, under which name, and what comes out.
//!
//! A data set is one file in `dataset/` and one line of the registry below, which makes the configuration, the list and
//! the look-up by name.

mod archives;
mod celeba;
mod cifar10;
mod cifar100;
mod classes;
mod container;
mod demo;
mod detect;
mod error;
mod files;
mod folder;
mod gtsrb;
mod imagenet;
mod members;
mod mnist;
mod not_read;
mod npy;
mod parquet;
mod planes;
mod shards;
mod spool;
mod stored;
mod subset;
mod svhn;
mod tiny_imagenet;
mod webdataset;

use std::fmt::Debug;
use std::path::Path;

use cd_core::{ImageSet, Progress};
use serde::{Deserialize, Serialize};

pub use cifar10::Cifar10Error;
pub use detect::PictureOptions;
pub use error::DataError;
pub use files::FilesError;
pub use folder::{BadPictures, FolderError, LabelsError};
pub use not_read::{LeftOut, NotRead};
pub use npy::{ArrayLayout, ArrayRange};

/// A data set: images to train on and, where there are any, images to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    /// What the data set is called in reports.
    pub name: String,
    /// Training images.
    pub train: ImageSet,
    /// Test images; same classes as `train`.
    pub test: Option<ImageSet>,
    /// What lies among its files and was not read.
    pub not_read: NotRead,
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

/// What the training pictures of a data set are like, before any of them is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pictured {
    /// How many there are.
    pub count: usize,
    /// The side in pixels that they are brought to when nobody says one.
    pub side: usize,
}

/// What a data set is given to load with.
#[derive(Clone, Copy)]
pub struct LoadContext<'a> {
    /// Told of the pictures that are read.
    pub progress: &'a dyn Progress,
    /// Folder that remembers which picture files were checked, so that the next start decodes only those that have
    /// changed; without it every picture is decoded once at every start. It may be deleted at any time.
    pub index: Option<&'a Path>,
    /// File for the names of pictures that cannot be used, with the reasons; it is there after loading only when there are any.
    pub bad_list: Option<&'a Path>,
}

impl<'a> LoadContext<'a> {
    /// Loading that remembers nothing.
    pub fn new(progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            index: None,
            bad_list: None,
        }
    }
}

/// A data set that can be loaded; implemented by its options.
pub trait Dataset: Debug + Send + Sync {
    /// What this data set is.
    fn info(&self) -> &'static DatasetInfo;

    /// Loads the images.
    ///
    /// # Errors
    ///
    /// As for [`DatasetConfig::load_with`].
    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError>;

    /// Puts numbers into options that were left to the files, so that the same options give the same images later; says in
    /// words what it chose.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    fn settle(&mut self) -> Result<Option<String>, DataError> {
        if self.size().is_none_or(|size| size.is_some()) {
            return Ok(None);
        }
        let pictured = self.pictures()?;
        let (Some(pictured), Some(size)) = (pictured, self.size()) else {
            return Ok(None);
        };
        let side = pictured.side;
        *size = Some(side);
        Ok(Some(format!(
            "pictures are read at {side} x {side} pixels, chosen from their own sizes"
        )))
    }

    /// How many training pictures there are and how large; none when only loading tells.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    fn pictures(&self) -> Result<Option<Pictured>, DataError> {
        Ok(None)
    }

    /// The option of the side in pixels that pictures are resized to, where it may be left to the pictures.
    fn size(&mut self) -> Option<&mut Option<usize>> {
        None
    }

    /// Whether its pictures are read without labels.
    fn is_unlabelled(&self) -> bool {
        false
    }

    /// Reads its pictures without labels from here on, if its files can be read that way only; whether that is so.
    fn drop_missing_labels(&mut self) -> bool {
        false
    }
}

macro_rules! datasets {
    ($($(#[$doc:meta])* $name:literal => $module:ident, $variant:ident($config:ident);)+) => {
        $(pub use $module::$config;)+

        /// Which data set to load, and how: the `[dataset]` table of an experiment file.
        ///
        /// ```
        /// # use cd_data::DatasetConfig;
        /// let config: DatasetConfig = toml::from_str("name = \"folder\"\npath = \"my-pictures\"")?;
        /// assert_eq!(config.name(), "folder");
        /// # Ok::<(), toml::de::Error>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name")]
        pub enum DatasetConfig {
            $($(#[$doc])* #[serde(rename = $name)] $variant($config),)+
        }

        /// Every data set that can be named in a configuration.
        pub const DATASETS: &[&DatasetInfo] = &[$(&$module::INFO,)+];

        impl DatasetConfig {
            /// The configured data set.
            pub fn dataset(&self) -> &dyn Dataset {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }

            /// The configured data set, to change its options.
            pub fn dataset_mut(&mut self) -> &mut dyn Dataset {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }
        }
    };
}

datasets! {
    /// Drawn pictures; needs no files.
    "demo" => demo, Demo(DemoConfig);
    /// CIFAR-10 from its official binary archive or as class folders.
    "cifar10" => cifar10, Cifar10(Cifar10Config);
    /// CIFAR-100 from its official binary or Python archive.
    "cifar100" => cifar100, Cifar100(Cifar100Config);
    /// German traffic signs in any of the layouts in which they are passed on.
    "gtsrb" => gtsrb, Gtsrb(GtsrbConfig);
    /// ImageNet class folders, or some of them.
    "imagenet" => imagenet, ImageNet(ImageNetConfig);
    /// Tiny-ImageNet as it is downloaded, or with its validation pictures in class folders.
    "tiny_imagenet" => tiny_imagenet, TinyImageNet(TinyImageNetConfig);
    /// MNIST and Fashion-MNIST from their `idx` files.
    "mnist" => mnist, Mnist(MnistConfig);
    /// Faces with 40 attributes each.
    "celeba" => celeba, CelebA(CelebAConfig);
    /// Cropped digits of house numbers from their MATLAB files.
    "svhn" => svhn, Svhn(SvhnConfig);
    /// The user's own pictures as NumPy arrays.
    "npy" => npy, Npy(NpyConfig);
    /// The user's own pictures, or a hub's, in parquet shards.
    "parquet" => parquet, Parquet(ParquetConfig);
    /// The user's own pictures in tar shards.
    "webdataset" => webdataset, WebDataset(WebDatasetConfig);
    /// The user's own pictures.
    "folder" => folder, Folder(FolderConfig);
}

impl DatasetConfig {
    /// The name under which this data set is registered.
    pub fn name(&self) -> &'static str {
        self.dataset().info().name
    }

    /// As [`Dataset::settle`].
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::settle`].
    pub fn settle(&mut self) -> Result<Option<String>, DataError> {
        self.dataset_mut().settle()
    }

    /// As [`load_with`](Self::load_with), and remembers nothing.
    ///
    /// # Errors
    ///
    /// Those of [`load_with`](Self::load_with).
    pub fn load(&self, progress: &dyn Progress) -> Result<Split, DataError> {
        self.load_with(&LoadContext::new(progress))
    }

    /// Loads the images.
    ///
    /// The same configuration and files give the same bytes in the same order, whatever the number
    /// of threads and whatever is remembered. Picture files are checked here and decoded again when their pixels are
    /// asked for; up to 256 MiB of a data set's decoded pictures stay in memory.
    ///
    /// # Errors
    ///
    /// When files are missing, damaged or laid out in another way, or an option is out of range.
    pub fn load_with(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        let split = self.dataset().load(context)?;
        for line in split.not_read.lines() {
            tracing::warn!("{line}");
        }
        Ok(split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// A data set with an error type of its own.
    #[derive(Debug)]
    struct Closed;

    impl Dataset for Closed {
        fn info(&self) -> &'static DatasetInfo {
            DATASETS[0]
        }

        fn load(&self, _context: &LoadContext<'_>) -> Result<Split, DataError> {
            let error = std::io::Error::other("closed on Mondays");
            Err(DataError::Other(error.into()))
        }
    }

    #[test]
    fn a_data_set_may_bring_an_error_of_its_own() {
        let error = Closed.load(&LoadContext::new(&cd_core::NoProgress));
        let message = error.expect_err("closed").to_string();
        assert_eq!(message, "closed on Mondays");
    }
}
