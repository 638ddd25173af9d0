use cd_core::ImageSet;

use super::*;
use crate::detector::golden::Golden;

#[test]
fn corruptions_without_chance_are_those_of_the_reference() {
    let (Some(pictures), Some(reference)) =
        (Golden::shared("detectors"), Golden::shared("detectors2"))
    else {
        return;
    };
    let images: ImageSet = pictures.images("images_u8", &[0; 640]);
    let examples = reference.values("teco_examples_u8");
    let len = 32 * 32 * 3;
    // Their places among the fifteen of the reference.
    for (name, place, most) in [
        ("defocus blur", 3, 0.01),
        ("zoom blur", 6, 0.01),
        ("brightness", 10, 0.01),
        ("contrast", 11, 0.01),
        ("pixelate", 13, 0.01),
        ("jpeg compression", 14, 0.01),
    ] {
        let corrupt = CORRUPTIONS
            .iter()
            .find(|(kind, _)| *kind == name)
            .expect("known")
            .1;
        for (example, image) in [0, 2, 1, 18].into_iter().enumerate() {
            let picture = Picture::of(&images.pixels(image).expect("in memory"), 32, 32);
            for severity in 0..SEVERITIES {
                let ours = corrupt(&picture, severity, &mut random::stream(0, 0)).bytes();
                let start = ((example * 15 + place) * 5 + severity) * len;
                let theirs = &examples[start..start + len];
                let apart = ours
                    .iter()
                    .zip(theirs)
                    .map(|(a, b)| (f64::from(*a) - b).abs());
                let far = apart.clone().filter(|apart| *apart > 1.0).count();
                let share = far as f64 / len as f64;
                let worst = apart.fold(0.0, f64::max);
                assert!(
                    share <= most,
                    "{name} {severity}, image {image}: {share} differ, most by {worst}"
                );
            }
        }
    }
}

#[test]
fn every_corruption_changes_a_picture_and_keeps_its_range() {
    for [height, width] in [[32, 32], [17, 40], [1, 1]] {
        let value = |y, x, c| ((y * 7 + x * 3 + c * 5) % 11) as f64 / 11.0;
        let picture = Picture::from_fn([height, width, 3], value);
        for (name, corrupt) in CORRUPTIONS {
            for severity in 0..SEVERITIES {
                let draw =
                    |number| corrupt(&picture, severity, &mut random::stream(0, number)).bytes();
                assert_eq!(draw(1).len(), picture.bytes().len(), "{name}");
                assert_eq!(draw(1), draw(1), "{name}");
                assert!(
                    height == 1 || draw(1) != picture.bytes(),
                    "{name} {severity}"
                );
            }
        }
    }
}

#[test]
fn levels_of_the_reference_have_its_spread() {
    let Some(reference) = Golden::shared("detectors2") else {
        return;
    };
    let levels = reference.values("teco_level");
    let expected = reference.values("teco_score");
    for (levels, expected) in levels.chunks_exact(15).zip(expected) {
        let levels: Vec<usize> = levels.iter().map(|&level| level as usize).collect();
        assert!((deviation(&levels) - expected).abs() < 1e-9);
    }
}
