//! Models out of weight files.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;

use super::error::WeightsError;
use super::read;
use super::request::{WeightsRequest, check_values};
use super::select::Names;
use super::state::StateDict;
use crate::model::Model;
use crate::model::config::ModelConfig;

/// Reads a weights file and recognises its architecture, width and class count.
///
/// The input normalisation is the one that [`save_weights`](crate::save_weights) stored, or that of a layer that was saved in
/// front of the network.
///
/// # Errors
///
/// See [`WeightsRequest::load`].
pub fn load_weights(path: &Path, device: &Device) -> Result<Model, WeightsError> {
    WeightsRequest::default().load(path, device)
}

/// Reads a weights file that is known to be of an architecture.
///
/// What `config` and `classes` leave open is read off the weights.
///
/// # Errors
///
/// See [`WeightsRequest::load`].
pub fn load_weights_as(
    path: &Path,
    config: &ModelConfig,
    classes: Option<usize>,
    device: &Device,
) -> Result<Model, WeightsError> {
    let request = WeightsRequest {
        model: Some(config.clone()),
        classes,
        ..WeightsRequest::default()
    };
    request.load(path, device)
}

/// Reads every floating-point tensor of a weights file, without building a network: under the names of a state dict where the
/// file holds one, whatever it is wrapped in.
///
/// # Errors
///
/// When the file is unreadable, damaged or holds impossible values.
pub fn read_weights(path: &Path) -> Result<StateDict, WeightsError> {
    let contents = read::read(path)?;
    let names = Names::of(&contents.entries);
    let mut groups: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (plain, full) in names.iter() {
        let entry = &contents.entries[full];
        if entry.element.is_float() {
            let group = groups.entry(&entry.group).or_default();
            group.insert(plain.to_owned(), full.to_owned());
        }
    }
    // A state dict has more tensors than what stands beside it.
    let largest = groups.into_iter().max_by_key(|(_, names)| names.len());
    let (group, names) = largest.unwrap_or_default();
    let group = Names::plain_key(group);
    let names = names.into_iter().map(|(plain, full)| {
        let inner = plain
            .strip_prefix(&group)
            .map(|inner| inner.trim_start_matches('.'));
        (inner.map(str::to_owned).unwrap_or(plain), full)
    });
    let state = contents.state(&names.collect())?;
    check_values(path, &state)?;
    Ok(state)
}
