//! Sets of the kinds that users have.

use anyhow::{Result, ensure};
use cd_core::random::{named, stream};
use cd_models::ImageSet;
use rand::Rng;
use rand::seq::SliceRandom;

use super::case::Variant;

/// Share of wrong labels in a noisy set.
const WRONG: f64 = 0.05;
/// Share of near copies in a set with some.
const COPIES: f64 = 0.1;
/// Share that is left of the rarest class of a skewed set.
const RAREST: f64 = 0.25;
/// Grey levels by which a near copy is brighter.
const BRIGHTER: u8 = 4;

/// About `count` images of `set`, drawn by `seed`.
pub(super) fn varied(
    set: &ImageSet,
    count: usize,
    variant: Variant,
    seed: u64,
) -> Result<ImageSet> {
    ensure!(
        set.labels().len() == set.len(),
        "the images have no classes"
    );
    let mut random = stream(seed, named("set"));
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.shuffle(&mut random);
    order.truncate(match variant {
        Variant::Small => count / 2,
        _ => count,
    });
    let classes = set.class_count();
    if variant == Variant::Skewed {
        let last = classes.saturating_sub(1).max(1) as f64;
        let kept = |label: u32| 1.0 - (1.0 - RAREST) * f64::from(label) / last;
        order.retain(|&image| random.random::<f64>() < kept(set.labels()[image]));
    }
    let copies = match variant {
        Variant::Duplicates => (COPIES * order.len() as f64) as usize,
        _ => 0,
    };
    let originals = order.len() - copies;
    let mut chosen = set.subset(&order[..originals]);
    for copy in 0..copies {
        let pixels = chosen.pixels(copy)?;
        let near: Vec<u8> = pixels
            .iter()
            .map(|value| value.saturating_add(BRIGHTER))
            .collect();
        let label = chosen.labels()[copy];
        chosen.push(format!("near {}", chosen.name(copy)), &near, label)?;
    }
    if variant == Variant::Noisy && classes > 1 {
        for image in 0..chosen.len() {
            if random.random::<f64>() < WRONG {
                let other = random.random_range(1..classes as u32);
                let label = (chosen.labels()[image] + other) % classes as u32;
                chosen.set_label(image, label)?;
            }
        }
    }
    if variant == Variant::Other {
        for image in 0..chosen.len() {
            if chosen.labels()[image].is_multiple_of(2) {
                chosen.set_label(image, 0)?;
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ImageSet {
        let mut set = ImageSet::new(2, 2, vec!["a".into(), "b".into(), "c".into()]);
        for image in 0..600_u32 {
            let pixels = image.to_le_bytes().repeat(3);
            set.push(image.to_string(), &pixels, image % 3)
                .expect("fits");
        }
        set
    }

    #[test]
    fn every_kind_is_what_its_name_says() {
        let set = set();
        let made = |variant| varied(&set, 300, variant, 4).expect("labelled");
        assert_eq!(made(Variant::Plain), made(Variant::Plain));
        assert_eq!(
            (made(Variant::Plain).len(), made(Variant::Small).len()),
            (300, 150)
        );
        let sizes = made(Variant::Skewed).class_counts();
        assert!(sizes[0] > 2 * sizes[2] && sizes[2] > 0, "{sizes:?}");
        let noisy = made(Variant::Noisy);
        let wrong = (0..noisy.len()).filter(|&at| {
            let image: u32 = noisy.name(at).parse().expect("a number");
            noisy.labels()[at] != image % 3
        });
        assert!((5..30).contains(&wrong.count()));
        let copies = made(Variant::Duplicates);
        let near = copies
            .names()
            .iter()
            .filter(|name| name.starts_with("near"));
        assert_eq!((copies.len(), near.count()), (300, 30));
        let other = made(Variant::Other).class_counts();
        assert!(
            other[0] > 150 && other[1] > 50 && other[2] == 0,
            "{other:?}"
        );
    }
}
