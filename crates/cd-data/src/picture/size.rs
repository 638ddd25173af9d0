//! The side that pictures are brought to when nobody says one.

use std::io::Cursor;
use std::path::Path;

use image::ImageReader;
use rayon::prelude::*;

use super::{Place, limits};

/// Most pictures whose headers are looked at.
const SAMPLE: usize = 1000;
/// The sides that a mixture of sizes is rounded to.
const SIDES: [usize; 5] = [32, 64, 96, 128, 224];
/// Bytes of a file in which its header must lie.
const HEADER: u64 = 1 << 20;

/// The side for the pictures at `paths`, at most 224 pixels: their own when all headers state the same square, else the one of
/// 32, 64, 96, 128 and 224 that is nearest to the median of their shorter sides. 32 when no header can be read.
///
/// Of many pictures a thousand are looked at, evenly spread.
pub fn picture_side(paths: &[&Path]) -> usize {
    let places: Vec<Place> = spread(paths)
        .map(|path| Place::File(path.to_path_buf()))
        .collect();
    side_of(&places.iter().collect::<Vec<_>>())
}

/// As [`picture_side`], for pictures that may lie in files with many.
pub(crate) fn side_of(places: &[&Place]) -> usize {
    let looked_at: Vec<&&Place> = spread(places).collect();
    let sizes = looked_at.into_par_iter().filter_map(|place| size(place));
    side_of_sizes(sizes.collect())
}

/// As [`picture_side`], for pictures of these widths and heights.
pub(crate) fn side_of_sizes(mut sizes: Vec<(u32, u32)>) -> usize {
    let largest = SIDES[SIDES.len() - 1];
    match sizes.first() {
        None => return SIDES[0],
        Some(&first) if first.0 == first.1 && sizes.iter().all(|&size| size == first) => {
            return (first.0 as usize).clamp(1, largest);
        }
        Some(_) => {}
    }
    let middle = sizes.len() / 2;
    sizes.sort_unstable_by_key(|&(width, height)| width.min(height));
    let (width, height) = sizes[middle];
    nearest(width.min(height) as usize)
}

/// The nearest of the sides, by ratio; the larger one in the middle.
fn nearest(side: usize) -> usize {
    let pairs = SIDES.windows(2);
    let above = pairs
        .filter(|pair| side * side >= pair[0] * pair[1])
        .count();
    SIDES[above]
}

fn spread<T>(items: &[T]) -> impl Iterator<Item = &T> {
    items.iter().step_by(items.len().div_ceil(SAMPLE).max(1))
}

fn size(place: &Place) -> Option<(u32, u32)> {
    let start = place.beginning(HEADER).ok()?;
    let limits = limits(start.len(), 0);
    let mut reader = ImageReader::new(Cursor::new(start));
    reader.limits(limits);
    reader.with_guessed_format().ok()?.into_dimensions().ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use image::RgbImage;
    use tempfile::tempdir;

    use super::*;

    fn side(sizes: &[(u32, u32)]) -> usize {
        let folder = tempdir().expect("scratch");
        let paths: Vec<PathBuf> = (0..sizes.len())
            .map(|number| folder.path().join(format!("{number}.png")))
            .collect();
        for (path, &(width, height)) in paths.iter().zip(sizes) {
            RgbImage::new(width, height).save(path).expect("writes");
        }
        let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
        picture_side(&paths)
    }

    #[test]
    fn equal_squares_keep_their_size_and_others_are_rounded() {
        assert_eq!(side(&[(35, 35), (35, 35)]), 35);
        assert_eq!(side(&[(224, 224); 3]), 224);
        assert_eq!(side(&[(300, 300); 3]), 224);
        assert_eq!(side(&[(500, 375), (333, 500), (40, 40)]), 224);
        assert_eq!(side(&[(30, 50), (41, 40), (90, 90)]), 32);
        assert_eq!(side(&[(70, 90)]), 64);
        assert_eq!(side(&[]), 32);
        assert_eq!(picture_side(&[Path::new("no/such/file")]), 32);
    }

    #[test]
    fn the_nearest_side_is_nearest_by_ratio() {
        let nearest: Vec<usize> = [1, 45, 46, 78, 79, 110, 111, 169, 170, 4000]
            .map(nearest)
            .into();
        assert_eq!(nearest, [32, 32, 64, 64, 96, 96, 128, 128, 224, 224]);
    }
}
