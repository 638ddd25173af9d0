//! Patches against the reference, drawn ones, and options that do not fit.

use std::path::Path;

use cd_core::CHANNELS;
use image::RgbImage;

use super::*;
use crate::testing::{beside, golden_bytes, prepared, stamped_as};

const FILE: &str = "attacks2.safetensors";
const PIXELS: usize = 32 * 32;

/// Writes the pictures of a golden tensor, of one or three channels; nothing where the golden files are not there.
fn pictures(folder: &Path, tensor: &str, channels: usize) -> Option<Vec<PathBuf>> {
    let bytes = beside(FILE, tensor)?;
    let each = bytes.chunks(PIXELS * channels).enumerate();
    let write = |(number, picture): (usize, &[u8])| {
        let path = folder.join(format!("{tensor}{number}.png"));
        let rgb = picture
            .iter()
            .flat_map(|&value| vec![value; CHANNELS / channels]);
        let picture = RgbImage::from_raw(32, 32, rgb.collect()).expect("golden shape");
        picture.save(&path).expect("writes");
        path
    };
    Some(each.map(write).collect())
}

#[test]
fn equals_the_reference_with_its_patches() {
    let folder = tempfile::tempdir().expect("scratch");
    let Some(triggers) = pictures(folder.path(), "adap_patch_triggers_u8", 3) else {
        return;
    };
    let masks = pictures(folder.path(), "adap_patch_masks_u8", 1).expect("beside the others");
    let test =
        pictures(folder.path(), "adap_patch_test_triggers_u8", 3).expect("beside the others");
    let config = AdapPatchConfig {
        test_masks: vec![PathBuf::new(), masks[2].clone()],
        triggers,
        masks,
        test_triggers: test,
        assign: PatchAssignment::Alternate,
        ..AdapPatchConfig::default()
    };
    config.check().expect("one mask for each");
    let images = &golden_bytes("images_u8")[..8 * PIXELS * CHANNELS];
    let trigger = prepared(&config);
    for (role, expected) in [
        (Role::Train, "adap_patch_train_u8"),
        (Role::Test, "adap_patch_test_u8"),
    ] {
        let got = stamped_as(trigger.as_ref(), images, 32, role);
        assert!(
            got == beside(FILE, expected).expect("beside the others"),
            "{expected}"
        );
    }
}

#[test]
fn quarters_get_one_patch_each_at_every_size() {
    for side in [28, 32, 64, 224] {
        let images = vec![90; 4 * side * side * CHANNELS];
        let trigger = prepared(&AdapPatchConfig::default());
        let got = stamped_as(trigger.as_ref(), &images, side, Role::Train);
        let changed: Vec<usize> = got
            .chunks(side * side * CHANNELS)
            .map(|image| image.iter().filter(|&&value| value != 90).count())
            .collect();
        assert!(
            changed
                .iter()
                .all(|&changed| changed > 0 && changed < side * side),
            "{changed:?}"
        );
        let test = stamped_as(trigger.as_ref(), &images, side, Role::Test);
        assert_eq!(test[..test.len() / 2], test[test.len() / 2..]);
        assert!(
            test[..CHANNELS].iter().all(|&level| level >= 254),
            "a white corner"
        );
    }
}

#[test]
fn lists_of_other_lengths_are_refused() {
    let plain = AdapPatchConfig::default;
    let opacities = AdapPatchConfig {
        opacities: vec![0.5],
        ..plain()
    };
    let masks = AdapPatchConfig {
        masks: vec!["mask.png".into()],
        ..plain()
    };
    for (option, config) in [("opacities", opacities), ("masks", masks)] {
        let error = config.check().expect_err("another length").to_string();
        assert!(error.contains(&format!("`{option}`")), "{error}");
    }
}
