//! GTSRB, the German traffic signs (Stallkamp et al., "Man vs. computer", Neural Networks 32, 2012).
//!
//! | layout | training | test |
//! |---|---|---|
//! | official | `Final_Training/Images/000CC/*.ppm` | `Final_Test/Images/*.ppm`, labels in `GT-final_test.csv` |
//! | torchvision | `Training/000CC/*.ppm` | the same |
//! | attack benchmarks | `Train/000CC/*.ppm` | `Test/*.ppm` with `GT-final_test.csv` |
//! | Kaggle | `Train.csv` with `Path` and `ClassId` | `Test.csv` |
//!
//! Each of them also as the zip archives that are published, which need not be unpacked. Pictures are read whole and resized, as the
//! reference does; the border around the sign stays unless `roi` cuts it off. Training pictures come in tracks
//! of up to 30 frames of one sign, which are never divided between training and test.

mod layout;
mod tables;
mod tracks;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::files::{self, Limits};
use super::{DataError, Dataset, DatasetInfo, LoadContext, Split};

/// What lists say about GTSRB.
pub(super) const INFO: DatasetInfo = DatasetInfo {
    name: "gtsrb",
    title: "GTSRB",
    summary: "Photographs of German traffic signs in 43 classes, 15 to 250 pixels a side: 39,209 to train (26,640 in the older set), 12,630 to test.",
    source: "https://benchmark.ini.rub.de/gtsrb_dataset.html",
};

/// What the classes show, by label.
const CLASSES: [&str; 43] = [
    "00 limit 20",
    "01 limit 30",
    "02 limit 50",
    "03 limit 60",
    "04 limit 70",
    "05 limit 80",
    "06 end of limit 80",
    "07 limit 100",
    "08 limit 120",
    "09 no passing",
    "10 no passing for trucks",
    "11 priority at next junction",
    "12 priority road",
    "13 yield",
    "14 stop",
    "15 no vehicles",
    "16 no trucks",
    "17 no entry",
    "18 caution",
    "19 curve left",
    "20 curve right",
    "21 double curve",
    "22 bumpy road",
    "23 slippery road",
    "24 road narrows",
    "25 road work",
    "26 traffic signals",
    "27 pedestrians",
    "28 children",
    "29 bicycles",
    "30 ice or snow",
    "31 wild animals",
    "32 end of all limits",
    "33 turn right",
    "34 turn left",
    "35 straight ahead",
    "36 straight or right",
    "37 straight or left",
    "38 keep right",
    "39 keep left",
    "40 roundabout",
    "41 end of no passing",
    "42 end of no passing for trucks",
];

/// Where GTSRB lies and how to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GtsrbConfig {
    /// Folder of one of the layouts or of its zip archives, the folder that holds it as `GTSRB`, or one archive.
    pub path: PathBuf,
    /// Whether only the region of the sign is read, as the tables have it, instead of the whole picture with its border.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub roi: bool,
    /// Side in pixels, 1 to 4096, that every picture is resized to.
    pub size: usize,
    /// At most this many training images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_limit: Option<usize>,
    /// At most this many test images, equally many per class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_limit: Option<usize>,
    /// Where there are no test images: the fraction of the tracks of every class, above 0 and below 1, that is set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_fraction: Option<f64>,
    /// Seed of the choices that limits and fraction make.
    pub seed: u64,
}

impl Default for GtsrbConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::from("data/gtsrb"),
            roi: false,
            size: 32,
            train_limit: None,
            test_limit: None,
            test_fraction: None,
            seed: 0,
        }
    }
}

impl Dataset for GtsrbConfig {
    fn info(&self) -> &'static DatasetInfo {
        &INFO
    }

    fn load(&self, context: &LoadContext<'_>) -> Result<Split, DataError> {
        let limits = Limits {
            train: self.train_limit,
            test: self.test_limit,
            seed: self.seed,
        };
        limits.check(INFO.name)?;
        files::check_side(self.size)?;
        tracks::check(self.test_fraction)?;
        let (train, test) = layout::list(&self.path, self.roi)?;
        let (train, test) = tracks::divided(train, test, self.test_fraction, self.seed)?;
        Ok(files::read(
            INFO.name, train, test, limits, self.size, context,
        )?)
    }
}

#[cfg(test)]
mod tests;
