//! Computed patterns: their range, what they reach, and that they are found again.

use cd_core::NoProgress;

use super::*;
use crate::attack::{AttackConfig, Trigger};
use crate::poison::{CraftTools, PoisonConfig, craft};
use crate::testing::{stamped_by, striped_set};

fn options() -> UniversalConfig {
    let mut options = UniversalConfig {
        images: 12,
        passes: 3,
        iterations: 20,
        ..UniversalConfig::default()
    };
    options.surrogate.model.name = "resnet10".into();
    options.surrogate.model.width = Some(4);
    options.surrogate.epochs = 6;
    options.surrogate.batch_size = 10;
    options
}

fn crafted(attack: AttackConfig, folder: &Path) -> Box<dyn Trigger> {
    let config = PoisonConfig {
        target: 1,
        ..PoisonConfig::of(attack)
    };
    let tools = CraftTools {
        device: &Device::default(),
        batch_size: 8,
        folder,
        progress: &NoProgress,
    };
    craft(&striped_set(40, 16, 3), &config, &tools).expect("prepares")
}

#[test]
fn a_computed_pattern_is_smooth_and_found_again() {
    let craft = toml::Value::try_from(options()).expect("writes");
    for name in ["lf", "smooth"] {
        let table = toml::Table::from_iter([
            ("name".to_owned(), name.into()),
            ("craft".to_owned(), craft.clone()),
        ]);
        let config: AttackConfig = toml::Value::Table(table).try_into().expect("reads");
        assert!(config.attack().needs().stored);
        let folder = tempfile::tempdir().expect("scratch");
        let image: Vec<u8> = (0..16 * 16 * CHANNELS).map(|at| (at % 200) as u8).collect();
        let trigger = crafted(config.clone(), folder.path());
        let once = stamped_by(trigger.as_ref(), &image, 16);
        assert_ne!(once, image, "{name}");
        let again = tempfile::tempdir().expect("scratch");
        assert_eq!(
            once,
            stamped_by(crafted(config.clone(), again.path()).as_ref(), &image, 16)
        );
        trigger.save(folder.path()).expect("saves");
        let loaded = config.attack().load(folder.path()).expect("loads");
        assert_eq!(once, stamped_by(loaded.as_ref(), &image, 16), "{name}");
        let pattern = load("test", folder.path()).expect("is there");
        let of =
            |pick: fn(f64, f64) -> f64, start| pattern.values.iter().copied().fold(start, pick);
        assert_eq!(of(f64::min, 9.0), 0.0);
        let peak = if name == "lf" { 51.0 } else { 0.2 };
        assert!((of(f64::max, 0.0) - peak).abs() < 1e-4 * peak, "{name}");
        let neighbours = pattern.values.windows(CHANNELS + 1).enumerate();
        let within_row = neighbours.filter(|(at, _)| at / CHANNELS % 16 < 15);
        let steps = within_row.map(|(_, values)| (values[CHANNELS] - values[0]).abs());
        assert!(
            steps.fold(0.0, f64::max) < 0.35 * peak,
            "{name}: it is smooth"
        );
    }
}

#[test]
fn a_step_reaches_the_target_and_images_that_are_there_need_none() {
    let set = striped_set(12, 16, 3);
    let device = Device::default();
    let context = CraftContext {
        images: &set,
        tests: None,
        target: 1,
        seed: 0,
        device: &device,
        batch_size: 8,
        folder: &tempfile::tempdir().expect("scratch").keep(),
        progress: &NoProgress,
    };
    let options = options();
    let model = options.surrogate.train("test", &context).expect("trains");
    let image = host_batch(&set, &[0]).expect("in memory");
    let image = image.try_to_vec::<f32>().expect("floats");
    let search = |target| Search {
        options: &options,
        model: &model,
        device: device.clone().without_autodiff(),
        size: [16, 16],
        target,
        peak: 0.2,
    };
    let reached = (0..3).filter(|&target| search(target).over_the_boundary(&image).is_none());
    assert_eq!(reached.count(), 1, "the predicted class");
    let other = (0..3)
        .find(|&target| search(target).gap(&image).is_some())
        .expect("two are");
    let step = search(other).over_the_boundary(&image).expect("it moves");
    let moved: Vec<f32> = image.iter().zip(&step).map(|(a, b)| a + 1.02 * b).collect();
    assert!(
        search(other).gap(&moved).is_none(),
        "it is at the target now"
    );
}
