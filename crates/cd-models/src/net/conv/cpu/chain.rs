//! Convolutions one behind the other, a few images at a time.
//!
//! The maps between them, which are several times as large as those at the ends, then never leave the caches. For the
//! gradient a byte of each of their values is kept, which says whether ReLU let it through.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::Tensor;
use cd_conv::{Activation, Map, each, give_back, passed, stop, taken};

use super::frozen::FrozenConv;
use crate::net::conv::Conv;
use crate::net::cpu::{channels_first, channels_last, done_with, map_of, register, values};

/// Values of the largest map between two convolutions that are computed at a time, about: 1 MiB.
const VALUES: usize = 1 << 18;

/// Frozen convolutions, each but the last followed by ReLU.
#[derive(Debug, Clone)]
pub(in crate::net::conv) struct Chain(Arc<FrozenChain>);

#[derive(Debug)]
pub(in crate::net::conv) struct FrozenChain {
    inner: Vec<Arc<FrozenConv>>,
    last: Arc<FrozenConv>,
}

impl Chain {
    /// If the kernels can work with all of `convs`.
    pub(in crate::net::conv) fn of(convs: &[&Conv]) -> Option<Self> {
        let frozen = convs
            .iter()
            .map(|conv| Some(conv.frozen.as_ref()?.shared()));
        let mut inner = frozen.collect::<Option<Vec<_>>>()?;
        let last = inner.pop()?;
        Some(Self(Arc::new(FrozenChain { inner, last })))
    }

    /// All convolutions, plus `skip`.
    ///
    /// # Shapes
    ///
    /// - `x`: `[B, I, H, W]`
    /// - `skip`, output: `[B, O, h, w]`
    pub(in crate::net::conv) fn apply(&self, x: Tensor<4>, skip: Option<Tensor<4>>) -> Tensor<4> {
        let (x, chain) = (x.into_dispatch(), Arc::clone(&self.0));
        Tensor::from_dispatch(match skip {
            Some(skip) => Dispatch::cpu_chain_add(x, skip.into_dispatch(), chain),
            None => Dispatch::cpu_chain(x, chain),
        })
    }
}

/// What the CPU backend learns.
#[backend_extension(Autodiff, Flex)]
pub(in crate::net::conv) trait CpuChain: Backend {
    /// All convolutions of a chain.
    fn cpu_chain(x: FloatTensor<Self>, chain: Arc<FrozenChain>) -> FloatTensor<Self>;

    /// All convolutions of a chain, plus `skip`.
    fn cpu_chain_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        chain: Arc<FrozenChain>,
    ) -> FloatTensor<Self>;
}

/// For every map between two convolutions, the bytes of a batch.
type Passed = Vec<Vec<u8>>;

impl FrozenChain {
    /// The maps of an input, behind every convolution, and at the end.
    fn maps(&self, input: Map) -> Vec<Map> {
        let mut maps = vec![input];
        for conv in self.inner.iter().chain([&self.last]) {
            maps.push(conv.output(maps[maps.len() - 1]));
        }
        maps
    }

    /// Images that are computed at a time.
    fn together(maps: &[Map]) -> usize {
        let largest = maps.iter().map(Map::len).max().unwrap_or(1).max(1);
        (VALUES / largest).max(1)
    }

    /// The output, and what passed where `tracked`.
    fn forward(
        &self,
        x: &FloatTensor<Flex>,
        skip: Option<&FloatTensor<Flex>>,
        tracked: bool,
    ) -> (FloatTensor<Flex>, Passed) {
        let (batch, input) = (x.shape()[0], map_of(x));
        let maps = self.maps(input);
        let output = maps[maps.len() - 1];
        let (x, skip) = (channels_last(x), skip.map(channels_last));
        let (x, skip) = (values(&x), skip.as_ref().map(values));
        let images = Self::together(&maps);
        let mut y = taken(batch * output.len());
        let bytes = |map: &Map| vec![0; if tracked { batch * map.len() } else { 0 }];
        let mut kept: Passed = maps[1..maps.len() - 1].iter().map(bytes).collect();
        let mut parts: Vec<_> = kept
            .iter_mut()
            .zip(&maps[1..])
            .map(|(kept, map)| kept.chunks_mut((images * map.len()).max(1)))
            .collect();
        let groups = y.chunks_mut(images * output.len()).enumerate();
        let groups = groups.map(|(group, y)| {
            let kept: Vec<&mut [u8]> = parts.iter_mut().map_while(Iterator::next).collect();
            (group * images, y, kept)
        });
        each(groups, |(first, y, mut kept)| {
            let count = y.len() / output.len();
            let range = |map: Map| first * map.len()..(first + count) * map.len();
            let mut here: Option<Vec<f32>> = None;
            for (number, conv) in self.inner.iter().enumerate() {
                let source = here.as_deref().unwrap_or_else(|| &x[range(input)]);
                let next = conv.forward_values(source, maps[number], None, Activation::Relu);
                if let Some(kept) = kept.get_mut(number) {
                    passed(&next, kept);
                }
                if let Some(before) = here.replace(next) {
                    give_back(before);
                }
            }
            let source = here.as_deref().unwrap_or_else(|| &x[range(input)]);
            let skip = skip.map(|skip| &skip[range(output)]);
            let before_last = maps[maps.len() - 2];
            let result = self
                .last
                .forward_values(source, before_last, skip, Activation::None);
            y.copy_from_slice(&result);
            give_back(result);
            here.into_iter().for_each(give_back);
        });
        (channels_first(y, batch, output), kept)
    }

    /// The gradient of the input, plus that of the output where `same` says that the output has the input added to it.
    fn backward(
        &self,
        gradient: &FloatTensor<Flex>,
        input: Map,
        kept: &Passed,
        same: bool,
    ) -> FloatTensor<Flex> {
        let batch = gradient.shape()[0];
        let maps = self.maps(input);
        let output = maps[maps.len() - 1];
        let gradient = channels_last(gradient);
        let gradient = values(&gradient);
        let images = Self::together(&maps);
        let mut dx = taken(batch * input.len());
        let groups = dx.chunks_mut(images * input.len()).enumerate();
        each(groups, |(group, dx)| {
            let (first, count) = (group * images, dx.len() / input.len());
            let range = |map: Map| first * map.len()..(first + count) * map.len();
            let of_output = &gradient[range(output)];
            let skip = same.then_some(of_output);
            let mut here: Option<Vec<f32>> = None;
            for number in (0..maps.len() - 1).rev() {
                let conv = self.inner.get(number).unwrap_or(&self.last);
                let source = here.as_deref().unwrap_or(of_output);
                let skip = skip.filter(|_| number == 0);
                let mut next = conv.backward_values(source, maps[number], skip);
                if number > 0 {
                    stop(&mut next, &kept[number - 1][range(maps[number])]);
                }
                if let Some(before) = here.replace(next) {
                    give_back(before);
                }
            }
            if let Some(result) = here {
                dx.copy_from_slice(&result);
                give_back(result);
            }
        });
        channels_first(dx, batch, input)
    }
}

impl CpuChain for Flex {
    fn cpu_chain(x: FloatTensor<Self>, chain: Arc<FrozenChain>) -> FloatTensor<Self> {
        let (y, _) = chain.forward(&x, None, false);
        done_with(x);
        y
    }

    fn cpu_chain_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        chain: Arc<FrozenChain>,
    ) -> FloatTensor<Self> {
        let (y, _) = chain.forward(&x, Some(&skip), false);
        done_with(x);
        done_with(skip);
        y
    }
}

#[derive(Debug, Clone)]
struct State {
    chain: Arc<FrozenChain>,
    input: Map,
    kept: Passed,
}

/// Parents are the input and, where one is added, the skip.
#[derive(Debug)]
struct ChainBackward;

impl<const N: usize> Backward<Flex, N> for ChainBackward {
    type State = State;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let State { chain, input, kept } = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node);
        let mut parents = ops.parents.into_iter();
        let (x, skip) = (parents.next().flatten(), parents.next().flatten());
        let same = matches!((&x, &skip), (Some(x), Some(skip)) if x.id == skip.id);
        if let Some(x) = x {
            let dx = chain.backward(&gradient, input, &kept, same);
            register(grads, x.id, dx);
        }
        match skip.filter(|_| !same) {
            Some(skip) => register(grads, skip.id, gradient),
            None => done_with(gradient),
        }
    }
}

/// The chain with its node in the graph; `parents` are its input and skip.
fn tracked<C: CheckpointStrategy, const N: usize>(
    parents: [&FloatTensor<Autodiff<Flex, C>>; N],
    chain: Arc<FrozenChain>,
) -> FloatTensor<Autodiff<Flex, C>> {
    let (x, skip) = (parents[0].primitive(), parents.get(1));
    let skip = skip.map(|skip| skip.primitive());
    let nodes = parents.map(<FloatTensor<Autodiff<Flex, C>>>::node);
    let prepared = ChainBackward.prepare::<C>(nodes);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (y, kept) = chain.forward(x, skip, true);
            let input = map_of(x);
            prep.finish(State { chain, input, kept }, y)
        }
        OpsKind::UnTracked(prep) => prep.finish(chain.forward(x, skip, false).0),
    }
}

impl<C: CheckpointStrategy> CpuChain for Autodiff<Flex, C> {
    fn cpu_chain(x: FloatTensor<Self>, chain: Arc<FrozenChain>) -> FloatTensor<Self> {
        tracked::<C, _>([&x], chain)
    }

    fn cpu_chain_add(
        x: FloatTensor<Self>,
        skip: FloatTensor<Self>,
        chain: Arc<FrozenChain>,
    ) -> FloatTensor<Self> {
        tracked::<C, _>([&x, &skip], chain)
    }
}
