use super::*;
use crate::batch::to_host;
use crate::classifier::Classifier;
use crate::model::config::ModelConfig;

#[test]
fn smoothed_targets_cost_what_the_formula_says() {
    let device = Device::flex();
    let logits = Tensor::<2>::from_floats([[2.0, 0.0, -1.0]], &device);
    let targets = Tensor::<1, Int>::from_ints([0], &device);
    let loss = |smoothing| {
        let loss = cross_entropy(logits.clone(), targets.clone(), smoothing);
        f64::from(loss.into_scalar::<f32>())
    };
    let sum = (2.0_f64.exp() + 1.0 + (-1.0_f64).exp()).ln();
    assert!((loss(0.0) - (sum - 2.0)).abs() < 1e-6);
    let even = sum - (2.0 - 1.0) / 3.0;
    assert!((loss(0.3) - (0.7 * (sum - 2.0) + 0.3 * even)).abs() < 1e-6);
}

/// Three images of two attributes each, and the log-odds that a network gives for them.
fn faces() -> (ImageSet, [f32; 6]) {
    let mut set = ImageSet::with_attributes(1, 1, vec!["hat".into(), "smile".into()]);
    for (index, present) in [[true, false], [true, true], [false, true]]
        .iter()
        .enumerate()
    {
        set.push_attributes(index.to_string(), &[0; 3], present)
            .expect("two attributes");
    }
    (set, [2.0, -0.5, -1.0, 30.0, 0.25, 0.0])
}

fn objective(set: &ImageSet) -> Objective<'_> {
    let architecture = Architecture::find("attribute_resnet18").expect("registered");
    Objective::of(set, architecture).expect("attributes")
}

/// Loss and gradient of the log-odds.
fn loss_and_gradient(smoothing: f64) -> (f32, Vec<f32>) {
    let device = Device::flex();
    let (set, odds) = faces();
    let odds = TensorData::new(odds.to_vec(), [3, 2]);
    let odds = Tensor::<2>::from_data(odds, &device.clone().autodiff()).require_grad();
    let targets = objective(&set).targets(&[0, 1, 2], &device);
    let loss = targets.loss(odds.clone(), smoothing);
    let gradients = loss.backward();
    let gradient = odds.grad(&gradients).expect("differentiated");
    (loss.into_scalar(), to_host(gradient))
}

/// The same by cross-entropy between the scores for absent, 0, and present, the log-odds.
fn two_way(smoothing: f64) -> (f32, Vec<f32>) {
    let device = Device::flex();
    let (_, odds) = faces();
    let scores = odds.iter().flat_map(|&odds| [0.0, odds]).collect();
    let scores = TensorData::new(scores, [6, 2]);
    let scores = Tensor::<2>::from_data(scores, &device.clone().autodiff()).require_grad();
    let present = Tensor::<1, Int>::from_ints([1, 0, 1, 1, 0, 1], &device);
    let loss = cross_entropy(scores.clone(), present.autodiff(), smoothing);
    let gradients = loss.backward();
    let gradient = to_host(scores.grad(&gradients).expect("differentiated"));
    let present = gradient.into_iter().skip(1).step_by(2).collect();
    (loss.into_scalar(), present)
}

#[test]
fn the_loss_of_attributes_is_that_of_two_classes_each() {
    for smoothing in [0.0, 0.2] {
        let (loss, gradient) = loss_and_gradient(smoothing);
        let (expected, expected_gradient) = two_way(smoothing);
        assert!((loss - expected).abs() < 1e-6, "{loss} is not {expected}");
        let pairs = gradient.iter().zip(&expected_gradient);
        let off = pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(off < 1e-7, "{gradient:?} is not {expected_gradient:?}");
        assert!(gradient.iter().any(|&value| value.abs() > 0.01));
    }
}

#[test]
fn losses_and_hits_of_attributes_agree_on_host_and_device() {
    let (set, odds) = faces();
    let device = Device::flex();
    let tensor = Tensor::<2>::from_data(TensorData::new(odds.to_vec(), [3, 2]), &device);
    let predictions = Predictions::new(2, odds.to_vec());
    let objective = objective(&set);
    let mean = (0..3).map(|index| objective.sample_loss(&predictions, index));
    let mean = mean.sum::<f32>() / 3.0;
    let (expected, _) = loss_and_gradient(0.0);
    assert!((mean - expected).abs() < 1e-6, "{mean} is not {expected}");
    // Right: hat of the first, no smile of the first, smile of the second. Log-odds of 0 say absent.
    assert_eq!(objective.accuracy(&predictions), Some(0.5));
    let targets = objective.targets(&[0, 1, 2], &device);
    let right: i64 = targets.right(&tensor.autodiff()).into_scalar();
    assert_eq!(right, 3);
}

#[test]
fn labels_that_a_network_does_not_learn_are_refused_in_one_line() {
    let (faces, _) = faces();
    let mut classes = ImageSet::new(1, 1, vec!["a".into(), "b".into()]);
    classes.push("x".into(), &[0; 3], 1).expect("fits");
    let unlabelled = ImageSet::unlabelled(1, 1);
    let refusal = |set: &ImageSet, name: &str| {
        let architecture = Architecture::find(name).expect("registered");
        let error = Objective::of(set, architecture).map(|_| ());
        let text = error.expect_err("refused").to_string();
        assert!(
            text.contains(architecture.title) && !text.contains('\n'),
            "{text}"
        );
        text
    };
    let text = refusal(&faces, "resnet18");
    assert!(
        text.contains("2 attributes each; ") && text.contains("attribute_resnet18"),
        "{text}"
    );
    let text = refusal(&classes, "attribute_resnet18");
    assert!(
        text.contains("learns attributes, but the images have one class each"),
        "{text}"
    );
    for name in ["resnet18", "attribute_resnet18"] {
        assert!(refusal(&unlabelled, name).contains("have no labels"));
    }
}

#[test]
fn log_odds_are_the_difference_of_a_heads_scores() {
    let config = ModelConfig::from_name("attribute_resnet18").expect("registered");
    let device = Device::flex();
    let model = config
        .with_width(2)
        .init(2, 1, &device)
        .expect("registered");
    let images = Tensor::<4>::ones([1, 3, 32, 32], &device);
    let odds = to_host(model.logits(images.clone()));
    for (index, odds) in odds.into_iter().enumerate() {
        let attribute = model.attribute(index).expect("one of two");
        let scores = to_host(attribute.logits(images.clone()));
        assert!((odds - (scores[1] - scores[0])).abs() < 1e-6);
    }
}
