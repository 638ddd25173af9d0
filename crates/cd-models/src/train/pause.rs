//! A training loop of one's own on disk, between two passes.

use std::path::Path;

use burn::optim::ModuleOptimizer;

use super::checkpoint::{CheckpointError, newest, replace, write};
use crate::model::trainable::Trainable;

impl Trainable {
    /// Writes this network and the state of its `optimizer` after so many `passes` to `folder`, in which older states are removed. Going on
    /// from there with [`resumed`](Self::resumed) changes nothing.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn pause(
        &self,
        optimizer: &ModuleOptimizer,
        passes: usize,
        folder: &Path,
    ) -> Result<(), CheckpointError> {
        replace(folder, passes, |scratch| {
            write(scratch, self.net(), optimizer)
        })
    }

    /// This network and its `optimizer` as [`pause`](Self::pause) left them in `folder`, and after how many passes; as they are, and 0,
    /// where nothing was left.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, is damaged or of another architecture.
    pub fn resumed(
        self,
        optimizer: ModuleOptimizer,
        folder: &Path,
    ) -> Result<(Self, ModuleOptimizer, usize), CheckpointError> {
        let Some((stored, passes)) = newest(folder)? else {
            return Ok((self, optimizer, 0));
        };
        let (net, optimizer) = stored.state(self.net().clone(), optimizer)?;
        Ok((self.with_net(net), optimizer, passes))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Tensor;

    use super::*;
    use crate::{Device, ModelConfig, TrainConfig};

    #[test]
    fn going_on_changes_nothing() {
        let device = Device::flex();
        let model = ModelConfig::from_name("resnet10").expect("registered");
        let model = model.with_width(4).init(2, 0, &device).expect("a network");
        let optimizer = || {
            let config = TrainConfig {
                momentum: 0.9,
                ..TrainConfig::default()
            };
            config.init_optimizer()
        };
        let values: Vec<f32> = (0..768).map(|at| (at % 97) as f32 / 97.0).collect();
        let images = Tensor::<1>::from_floats(&values[..], &device).reshape([4, 3, 8, 8]);
        let step = |network: &mut Trainable, optimizer: &mut ModuleOptimizer| {
            let loss = network.forward(images.clone()).powi_scalar(2).mean();
            network.step(optimizer, 0.05, loss);
        };
        let (mut network, mut kept) = (model.trainable(), optimizer());
        let scratch = tempfile::tempdir().expect("temporary folder");
        for pass in 1..=2 {
            step(&mut network, &mut kept);
            network.pause(&kept, pass, scratch.path()).expect("written");
        }
        let found = model.trainable().resumed(optimizer(), scratch.path());
        let (mut again, mut other, passes) = found.expect("read");
        assert_eq!(passes, 2);
        assert_eq!(again.freeze().fingerprint(), network.freeze().fingerprint());
        step(&mut network, &mut kept);
        step(&mut again, &mut other);
        assert_eq!(again.freeze().fingerprint(), network.freeze().fingerprint());
        let empty = scratch.path().join("empty");
        let (fresh, _, passes) = model.trainable().resumed(optimizer(), &empty).expect("new");
        assert_eq!(
            (fresh.freeze().fingerprint(), passes),
            (model.fingerprint(), 0)
        );
    }
}
