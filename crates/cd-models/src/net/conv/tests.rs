//! Our kernels against Burn's own convolution, over random shapes.

use burn::tensor::TensorData;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;
use crate::batch::to_host;

/// A convolution and the maps it works on.
#[derive(Debug, Clone)]
struct Case {
    batch: usize,
    inputs: usize,
    outputs: usize,
    groups: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    side: [usize; 2],
    seed: u64,
}

/// Channels of both sides, and groups: dense, wide enough for the kernels of wide 3 x 3 layers, one channel per group,
/// and two groups, which Burn computes.
fn channels() -> impl Strategy<Value = [usize; 3]> {
    prop_oneof![
        4 => (1..40_usize, 1..40_usize).prop_map(|(i, o)| [i, o, 1]),
        2 => (8..10_usize, 8..10_usize).prop_map(|(i, o)| [16 * i, 16 * o, 1]),
        2 => (1..4_usize, 1..4_usize).prop_map(|(i, o)| [16 * i, 16 * o, 1]),
        2 => (2..40_usize).prop_map(|c| [c, c, c]),
        1 => (1..8_usize, 1..8_usize).prop_map(|(i, o)| [2 * i, 2 * o, 2]),
    ]
}

/// Kernel, stride, padding and side along one axis; the window fits into the padded side.
fn axis() -> impl Strategy<Value = [usize; 4]> {
    let kernel = prop_oneof![2 => Just(1_usize), 4 => Just(3), 1 => Just(2), 1 => Just(5)];
    (kernel, 1..4_usize, 0..3_usize, 0..12_usize).prop_map(|(kernel, stride, padding, more)| {
        let padding = padding.min(kernel - 1);
        let least = kernel.saturating_sub(2 * padding).max(1);
        [kernel, stride, padding, least + more]
    })
}

fn case() -> impl Strategy<Value = Case> {
    // Mostly windows that are the same along both axes, as networks have them.
    let axes = (axis(), axis(), prop::bool::weighted(0.7)).prop_map(|(rows, columns, same)| {
        let columns = if same {
            [rows[0], rows[1], rows[2], rows[3] + columns[1] - 1]
        } else {
            columns
        };
        [rows, columns]
    });
    (1..4_usize, channels(), axes, any::<u64>()).prop_map(
        |(batch, [inputs, outputs, groups], [rows, columns], seed)| Case {
            batch,
            inputs,
            outputs,
            groups,
            kernel: [rows[0], columns[0]],
            stride: [rows[1], columns[1]],
            padding: [rows[2], columns[2]],
            side: [rows[3], columns[3]],
            seed,
        },
    )
}

/// Values between -1 and 1 that depend on `seed` and `salt`.
fn values<const D: usize>(shape: [usize; D], seed: u64, salt: u64, device: &Device) -> Tensor<D> {
    let value = |at: usize| {
        let mixed = (at as u64 + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .wrapping_add(seed ^ (salt << 32));
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

impl Case {
    fn conv(&self, device: &Device) -> Conv {
        let [rows, columns] = self.padding;
        let config = Conv2dConfig::new([self.inputs, self.outputs], self.kernel)
            .with_stride(self.stride)
            .with_padding(PaddingConfig2d::Explicit(rows, columns, rows, columns))
            .with_groups(self.groups);
        let mut conv = Conv::new(config, device);
        let group = self.inputs / self.groups;
        let shape = [self.outputs, group, self.kernel[0], self.kernel[1]];
        conv.weight = Param::from_tensor(values(shape, self.seed, 1, device));
        conv.bias = Some(Param::from_tensor(values(
            [self.outputs],
            self.seed,
            2,
            device,
        )));
        conv
    }

    fn images(&self, device: &Device) -> Tensor<4> {
        let [height, width] = self.side;
        values(
            [self.batch, self.inputs, height, width],
            self.seed,
            3,
            device,
        )
    }

    /// The convolution by Burn alone.
    fn stock(&self, conv: &Conv, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions {
            stride: self.stride,
            padding: self.padding.map(|side| (side, side)),
            dilation: [1, 1],
            groups: self.groups,
        };
        let bias = conv.bias.as_ref().map(Param::val);
        conv2d(x, conv.weight.val(), bias, options)
    }

    /// Gradients of the input and the weights of `conv` for a fixed weighting of the output of `run`.
    fn gradients(&self, run: impl Fn(&Conv, Tensor<4>) -> Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let device = Device::flex().autodiff();
        let conv = self.conv(&device);
        let x = self.images(&device).require_grad();
        let y = run(&conv, x.clone());
        let weights = values(y.dims(), self.seed, 4, &device);
        let gradients = (y * weights).sum().backward();
        let of_weight = conv.weight.val().grad(&gradients);
        let of_x = x.grad(&gradients).expect("the output depends on the input");
        // A frozen convolution has no gradient of its weights.
        let of_weight = of_weight.unwrap_or_else(|| conv.weight.val().inner().zeros_like());
        (of_x, of_weight)
    }
}

/// Equal up to the rounding of sums of a few hundred products.
fn check<const D: usize>(
    what: &str,
    ours: Tensor<D>,
    stock: Tensor<D>,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(ours.dims(), stock.dims(), "{}", what);
    let (ours, stock) = (to_host(ours), to_host(stock));
    let largest = stock
        .iter()
        .fold(1.0_f32, |most, value| most.max(value.abs()));
    for (a, b) in ours.iter().zip(&stock) {
        prop_assert!((a - b).abs() <= 2e-5 * largest, "{}: {} and {}", what, a, b);
    }
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    #[test]
    fn our_kernels_agree_with_burns_convolution(case in case()) {
        let plain = Device::flex();
        let conv = case.conv(&plain);
        let mut frozen = conv.clone();
        frozen.prepare();
        let x = case.images(&plain);
        let stock = case.stock(&conv, x.clone());
        let skip: Tensor<4> = values(stock.dims(), case.seed, 5, &plain);
        check("output", conv.forward(x.clone()), stock.clone())?;
        check("frozen output", frozen.forward(x.clone()), stock.clone())?;
        check("after ReLU", frozen.forward_relu(x.clone()), relu(stock.clone()))?;
        let added = frozen.forward_add_relu(x, skip.clone());
        check("after skip and ReLU", added, relu(stock + skip))?;

        let (of_x, of_weight) = case.gradients(|conv, x| case.stock(conv, x));
        let ours = case.gradients(Conv::forward);
        check("gradient of the input", ours.0, of_x.clone())?;
        check("gradient of the weights", ours.1, of_weight)?;
        let ours = case.gradients(|_, x| frozen.forward(x));
        check("frozen gradient of the input", ours.0, of_x)?;
    }
}

/// Expand, each channel alone, project.
fn convs(device: &Device) -> [Conv; 3] {
    let case = |inputs, outputs, groups, kernel: usize| Case {
        batch: 5,
        inputs,
        outputs,
        groups,
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: [kernel / 2; 2],
        side: [7; 2],
        seed: 5,
    };
    [case(8, 40, 1, 1), case(40, 40, 40, 3), case(40, 8, 1, 1)].map(|case| {
        let mut conv = case.conv(device);
        conv.prepare();
        conv
    })
}

#[test]
fn a_chain_computes_what_its_convolutions_compute() {
    let plain = Device::flex();
    let [first, second, third] = convs(&plain);
    let chain = Chain::of(&[&first, &second, &third]).expect("all are frozen");
    let apart = |x: Tensor<4>| second.forward_relu(first.forward_relu(x));
    let both = |work: &dyn Fn(Tensor<4>) -> Tensor<4>| {
        let x: Tensor<4> = values([3, 8, 64, 64], 9, 3, &plain);
        let alone = to_host(work(x.clone()));
        let x = x.autodiff().require_grad();
        let y = work(x.clone());
        let gradients = y.clone().square().sum().backward();
        let gradient = x.grad(&gradients).expect("enters the sum");
        assert_eq!(to_host(y.inner()), alone);
        [alone, to_host(gradient)]
    };
    let with_skip = both(&|x| chain.forward(x.clone(), Some(x)));
    assert_eq!(with_skip, both(&|x| third.forward_add(apart(x.clone()), x)));
    let doubled = both(&|x| chain.forward(x.clone(), Some(x * 2.0)));
    assert_eq!(
        doubled,
        both(&|x| third.forward_add(apart(x.clone()), x * 2.0))
    );
    let without = both(&|x| chain.forward(x, None));
    assert_eq!(without, both(&|x| third.forward(apart(x))));
}
