//! Quantised images against the reference, and covers.

use cd_core::NoProgress;
use cd_models::Device;

use super::*;
use crate::testing::{beside, golden_bytes, stamped, stamped_as, striped_set};

fn config(levels: usize, dithering: bool) -> BppConfig {
    BppConfig {
        levels,
        dithering,
        ..BppConfig::default()
    }
}

#[test]
fn equals_the_reference_with_and_without_dithering() {
    for levels in [4, 8, 32] {
        for (dithering, name) in [
            (false, format!("bpp{levels}_u8")),
            (true, format!("bpp{levels}_dither_u8")),
        ] {
            if let Some(expected) = beside("attacks2.safetensors", &name) {
                let images = golden_bytes("images_u8");
                let got = stamped(&config(levels, dithering), &images[..expected.len()], 32);
                assert!(got == expected, "{name}");
            }
        }
    }
}

#[test]
fn the_two_forms_differ_by_one_level() {
    let plain = config(8, false);
    let levels: Vec<u8> = [0, 30, 70, 110, 145, 180, 219, 255]
        .iter()
        .map(|&level| plain.quantised(level))
        .collect();
    assert_eq!(levels, [0, 36, 72, 109, 145, 182, 218, 255]);
    let dithered = stamped(&config(8, true), &[73; 27], 3);
    assert_eq!(dithered[0], 73);
}

/// The trigger with these clean images for covers.
fn with_images(images: &ImageSet, partner: BppPartner) -> Box<dyn Trigger> {
    let options = BppConfig {
        partner,
        ..BppConfig::default()
    };
    let context = CraftContext {
        images,
        tests: None,
        target: 0,
        seed: 0,
        device: &Device::default(),
        batch_size: 1,
        folder: "unused".as_ref(),
        progress: &NoProgress,
    };
    options.prepare(&context).expect("valid options")
}

#[test]
fn covers_equal_the_reference() {
    let Some(expected) = beside("attacks2.safetensors", "bpp8_negative_u8") else {
        return;
    };
    let images = &golden_bytes("images_u8")[..expected.len()];
    let mut set = ImageSet::new(32, 32, vec!["all".into()]);
    for image in images.chunks(32 * 32 * CHANNELS) {
        set.push("image".into(), image, 0).expect("fits");
    }
    let trigger = with_images(&set, BppPartner::Next);
    assert!(stamped_as(trigger.as_ref(), images, 32, Role::Cover) == expected);
}

#[test]
fn a_cover_never_gets_its_own_error_and_needs_other_images() {
    let set = striped_set(2, 4, 2);
    let image = set.pixels(0).expect("in memory");
    let trigger = |partner| with_images(&set, partner);
    let random = stamped_as(trigger(BppPartner::Random).as_ref(), &image, 4, Role::Cover);
    let next = stamped_as(trigger(BppPartner::Next).as_ref(), &image, 4, Role::Cover);
    assert_eq!(random, next);
    let mut batch = Batch::new(4, 4);
    let one = cd_core::random::stream(0, 0);
    batch.push(&image, 0, 0, one).expect("one image");
    let alone = with_images(&striped_set(1, 4, 1), BppPartner::Random);
    let error = alone.apply(&mut batch, Role::Cover).expect_err("alone");
    assert!(error.to_string().contains("at least 2"), "{error}");
}
