//! Unlearning on a small network with a backdoor of its own making.

use cd_core::{ImageSet, random};
use cd_models::{Device, ModelConfig, NoProgress, Schedule, predict, train};
use rand::Rng;

use super::*;

/// Dark and bright images; the first `carrying` are dark, carry a white corner, and are called bright.
fn poisoned(count: usize, carrying: usize) -> ImageSet {
    let mut set = ImageSet::new(8, 8, vec!["dark".into(), "bright".into()]);
    for number in 0..count {
        let mut draw = random::stream(5, number as u64);
        let bright = number >= carrying && number % 2 == 1;
        let base = if bright { 120 } else { 20 };
        let mut pixels: Vec<u8> = (0..192).map(|_| base + draw.random_range(0..70)).collect();
        if number < carrying {
            corner(&mut pixels);
        }
        let label = u32::from(bright || number < carrying);
        set.push(number.to_string(), &pixels, label).expect("fits");
    }
    set
}

fn corner(pixels: &mut [u8]) {
    for row in 0..3 {
        pixels[row * 24..row * 24 + 9].fill(255);
    }
}

/// Dark images with the corner, called bright.
fn triggered() -> ImageSet {
    let mut set = ImageSet::new(8, 8, vec!["dark".into(), "bright".into()]);
    for number in 0..40 {
        let mut draw = random::stream(77, number);
        let mut pixels: Vec<u8> = (0..192).map(|_| 20 + draw.random_range(0..70)).collect();
        corner(&mut pixels);
        set.push(number.to_string(), &pixels, 1).expect("fits");
    }
    set
}

fn rate(model: &Model, set: &ImageSet) -> f64 {
    let found = predict(model, set, 32, &Device::flex(), &NoProgress).expect("in memory");
    found.accuracy(set.labels()).expect("images")
}

fn learned(set: &ImageSet) -> Model {
    let config = TrainConfig {
        epochs: 8,
        batch_size: 20,
        learning_rate: 0.05,
        schedule: Schedule::Constant,
        record_losses: 0,
        ..TrainConfig::default()
    };
    let model = ModelConfig::from_name("resnet10").expect("registered");
    let model = model.with_width(4);
    let trained = train(&model, set, &config, None, &Device::flex(), &NoProgress);
    trained.expect("trains").model
}

fn settings() -> Unlearning {
    Unlearning {
        epochs: 2,
        unlearn_epochs: 10,
        unlearn_rate: 0.02,
        safe_rate: 0.02,
        batch_size: 20,
        augmentation: Augmentation::None,
        ..Unlearning::default()
    }
}

#[test]
fn the_suspects_are_forgotten_and_the_rest_is_kept() {
    let set = poisoned(200, 40);
    let model = learned(&set);
    let (clean, trigger) = (set.subset(&(40..200).collect::<Vec<_>>()), triggered());
    assert!(rate(&model, &trigger) > 0.9 && rate(&model, &clean) > 0.95);
    let [suspects, safe]: [Vec<usize>; 2] = [(0..40).collect(), (40..200).collect()];
    let parts = Parts {
        images: (&set).into(),
        labels: set.labels(),
        safe: &safe,
        suspects: &suspects,
    };
    let device = Device::flex();
    let compute = Compute::new(&device);
    let mut reports = Vec::new();
    let watch = |number: usize, report: PassReport, _: &Model| {
        assert_eq!(number, reports.len());
        reports.push(report);
        Ok::<(), MitigationError>(())
    };
    let cured = unlearn(&model, &parts, &settings(), &compute, None, watch).expect("unlearns");
    assert!(rate(&cured, &trigger) < 0.1, "{}", rate(&cured, &trigger));
    assert!(rate(&cured, &clean) > 0.95, "{}", rate(&cured, &clean));
    assert_eq!(reports.len(), 12);
    assert!(
        reports[..2]
            .iter()
            .all(|r| r.kind == PassKind::FineTune && r.suspect_loss.is_none())
    );
    let losses: Vec<f64> = reports.iter().filter_map(|r| r.suspect_loss).collect();
    assert!(losses.len() == 10 && losses[9] > losses[0], "{losses:?}");

    let scratch = tempfile::tempdir().expect("temporary folder");
    let kept = Some(scratch.path());
    let stop = |number: usize, _: PassReport, _: &Model| match number {
        0..5 => Ok(()),
        pass => Err(MitigationError::Diverged { pass, loss: 0.0 }),
    };
    let stopped = unlearn(&model, &parts, &settings(), &compute, kept, stop);
    stopped.expect_err("stopped in its sixth pass");
    let mut left = Vec::new();
    let watch = |number: usize, report: PassReport, _: &Model| {
        left.push((number, report));
        Ok::<(), MitigationError>(())
    };
    let again = unlearn(&model, &parts, &settings(), &compute, kept, watch);
    assert_eq!(again.expect("unlearns").fingerprint(), cured.fingerprint());
    let expected: Vec<_> = reports.into_iter().enumerate().skip(5).collect();
    assert_eq!(left, expected);
}

#[test]
fn what_does_not_fit_is_named() {
    let set = poisoned(20, 4);
    let model = ModelConfig::from_name("resnet10").expect("registered");
    let model = model
        .with_width(2)
        .init(2, 0, &Device::flex())
        .expect("registered");
    let device = Device::flex();
    let run = |suspects: &[usize], settings: &Unlearning| {
        let parts = Parts {
            images: (&set).into(),
            labels: set.labels(),
            safe: &[5, 6, 7],
            suspects,
        };
        let watch = |_: usize, _: PassReport, _: &Model| Ok::<(), MitigationError>(());
        let done = unlearn(
            &model,
            &parts,
            settings,
            &Compute::new(&device),
            None,
            watch,
        );
        done.expect_err("does not fit").to_string()
    };
    assert!(run(&[], &settings()).contains("3 safe images and 0 suspects"));
    let zero = Unlearning {
        unlearn_rate: 0.0,
        ..settings()
    };
    assert!(run(&[1], &zero).contains("`unlearn_rate` is 0"));
}
