//! Our kernels against Burn's own normalisation.

use burn::module::Module;
use burn::tensor::Device;

use super::*;
use crate::net::layers;

fn wave(shape: [usize; 4], step: f32, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product())
        .map(|k| (k as f32 * step).sin())
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn close(ours: Vec<f32>, theirs: Vec<f32>, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (a, b) in ours.into_iter().zip(theirs) {
        assert!((a - b).abs() < 2e-5, "{what}: {a} is not {b}");
    }
}

#[test]
fn it_agrees_with_burns_own_in_values_gradients_and_statistics() {
    let device = Device::flex().autodiff();
    let (ours, theirs) = (layers::norm(5, &device), layers::norm(5, &device));
    let shape = [3, 5, 4, 6];
    let inputs = || {
        (
            wave(shape, 0.7, &device).require_grad(),
            wave(shape, 0.3, &device).require_grad(),
        )
    };
    let weights = wave(shape, 1.1, &device);
    let ((x, skip), (x2, skip2)) = (inputs(), inputs());
    let y = apply(&ours, x.clone(), Some(skip.clone()), Activation::Relu);
    let z = burn::tensor::activation::relu(theirs.forward(x2.clone()) + skip2.clone());
    close(to_host(y.clone()), to_host(z.clone()), "values");
    let (g, h) = (
        (y * weights.clone()).sum().backward(),
        (z * weights).sum().backward(),
    );
    let pair = |a: Option<Tensor<4>>, b: Option<Tensor<4>>, what| {
        close(
            to_host(a.expect("tracked")),
            to_host(b.expect("tracked")),
            what,
        );
    };
    pair(x.grad(&g), x2.grad(&h), "x");
    pair(skip.grad(&g), skip2.grad(&h), "skip");
    for (a, b, what) in [
        (&ours.gamma, &theirs.gamma, "gamma"),
        (&ours.beta, &theirs.beta, "beta"),
    ] {
        let (a, b) = (a.val().grad(&g), b.val().grad(&h));
        close(
            to_host(a.expect("tracked")),
            to_host(b.expect("tracked")),
            what,
        );
    }
    for (a, b, what) in [
        (&ours.running_mean, &theirs.running_mean, "running mean"),
        (&ours.running_var, &theirs.running_var, "running variance"),
    ] {
        close(to_host(a.value_sync()), to_host(b.value_sync()), what);
    }
}

#[test]
fn without_gradients_the_running_statistics_are_used_and_stay() {
    let learning = Device::flex().autodiff();
    let norm = layers::norm(5, &learning);
    norm.forward(wave([3, 5, 4, 6], 0.7, &learning));
    let norm = norm.valid();
    let device = Device::flex();
    let (x, skip) = (
        wave([2, 5, 3, 7], 0.9, &device),
        wave([2, 5, 3, 7], 0.2, &device),
    );
    let before = to_host(norm.running_mean.value_sync());
    assert!(applies(&norm, &x));
    let y = apply(&norm, x.clone(), Some(skip.clone()), Activation::Relu6);
    let z = burn::tensor::activation::relu(norm.forward(x) + skip).clamp_max(6.0);
    close(to_host(y), to_host(z), "values");
    assert_eq!(to_host(norm.running_mean.value_sync()), before);
}

#[test]
fn extremes_are_those_that_burn_finds() {
    let device = Device::flex();
    for shape in [[2, 5, 3, 7], [1, 17, 1, 1]] {
        let x = wave(shape, 0.9, &device);
        let [batch, channels, height, width] = shape;
        let flat = x.clone().reshape([batch, channels, height * width]);
        let ends = [flat.clone().min_dim(2), flat.max_dim(2)];
        let found = extremes(x);
        for (end, expected) in ends.into_iter().enumerate() {
            let found = found.clone().narrow(1, end, 1);
            assert_eq!(to_host(found), to_host(expected));
        }
    }
}
