//! Parts of pictures, for data sets that say where in a picture its object is.

use image::{RgbImage, imageops};
use sha2::{Digest, Sha256};

use super::PictureError;

/// A rectangle of pixels: the left and upper edges belong to it, the right and lower ones do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) right: u32,
    pub(crate) bottom: u32,
}

impl Region {
    /// This part of `picture`.
    pub(super) fn of(self, picture: &RgbImage) -> Result<RgbImage, PictureError> {
        let (width, height) = picture.dimensions();
        let Self {
            left,
            top,
            right,
            bottom,
        } = self;
        if left >= right || top >= bottom || right > width || bottom > height {
            return Err(PictureError::Region {
                region: format!("({left}, {top}) to ({right}, {bottom})"),
                width,
                height,
            });
        }
        let part = imageops::crop_imm(picture, left, top, right - left, bottom - top);
        Ok(part.to_image())
    }

    /// All regions of a list of pictures as a few letters, which differ when one of them does; none without regions.
    pub(super) fn words(regions: &[(&str, Option<Self>)]) -> String {
        if regions.iter().all(|(_, region)| region.is_none()) {
            return String::new();
        }
        let mut sum = Sha256::new();
        for (name, region) in regions {
            sum.update(format!("{name:?} {region:?}\n"));
        }
        format!(", regions {:.16}", format!("{:x}", sum.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn a_region_is_cut_out_or_named() {
        let picture = RgbImage::from_fn(4, 3, |x, y| Rgb([x as u8, y as u8, 0]));
        let region = |left, top, right, bottom| Region {
            left,
            top,
            right,
            bottom,
        };
        let part = region(1, 0, 3, 2).of(&picture).expect("inside");
        assert_eq!(part.into_raw(), [1, 0, 0, 2, 0, 0, 1, 1, 0, 2, 1, 0]);
        for outside in [(1, 1, 1, 2), (0, 2, 2, 1), (0, 0, 5, 3), (0, 0, 4, 4)] {
            let (left, top, right, bottom) = outside;
            let error = region(left, top, right, bottom).of(&picture);
            let message = error.expect_err("outside").to_string();
            assert!(message.contains("has 4 x 3 pixels"), "{message}");
        }
    }

    #[test]
    fn other_regions_have_other_words() {
        let region = |right| {
            Some(Region {
                left: 0,
                top: 0,
                right,
                bottom: 2,
            })
        };
        assert_eq!(Region::words(&[("a", None)]), "");
        let words = Region::words(&[("a", region(2))]);
        assert_ne!(words, Region::words(&[("a", region(3))]));
        assert_ne!(words, Region::words(&[("b", region(2))]));
    }
}
