//! Triggers that an attack has to make, and the images that carry one.

use std::fs;
use std::path::Path;

use cd_core::{Key, content_key};
use cd_data::poison::{CraftTools, craft_split, read, write};
use cd_data::{PoisonConfig, Poisoned, Split};

use super::Work;
use super::data::{Data, Keyed, Loaded};
use super::left_out;
use crate::pipeline::PipelineError;
use crate::store::{Slot, StageName, StoreError, discard};

/// Folder of what lets an interrupted craft continue.
const WORK: &str = "work";
/// What making the trigger came to, where networks were trained for it.
const CRAFT: &str = "craft.json";

/// Keys of what the images are made from; all of them are known before any work.
struct Keys {
    train: String,
    test: Option<String>,
    trusted: String,
    /// Of the trigger, where the attack makes one that is worth storing.
    craft: Option<String>,
    /// Of the images that carry it.
    poison: Option<String>,
}

impl Keys {
    fn of(work: &Work<'_>, split: &Split, trusted: String) -> Result<Self, PipelineError> {
        let mut keys = Self {
            train: content_key(&split.train)?,
            test: split.test.as_ref().map(content_key).transpose()?,
            trusted,
            craft: None,
            poison: None,
        };
        if let Some(config) = &work.experiment.poison {
            let attack = config.attack.fingerprint()?;
            let needs = config.attack.attack().needs();
            let device = (needs.images > 0).then_some(work.options.device_name);
            let device_name = work.options.device_name;
            let craft = config.craft_key(&keys.train, keys.test.as_deref(), device_name)?;
            keys.craft = needs.stored.then_some(craft);
            let poison = Key::of("poison 2")
                .with("config", config)
                .text("attack", &attack)
                .text("train", &keys.train)
                .with("test", &keys.test)
                .with("trigger", &keys.craft)
                .with("device", &device);
            keys.poison = Some(poison.finish());
        }
        Ok(keys)
    }

    fn all(&self) -> String {
        Key::of("sources")
            .text("train", &self.train)
            .with("test", &self.test)
            .text("trusted", &self.trusted)
            .with("poison", &self.poison)
            .finish()
    }
}

/// The data under suspicion: poisoned once, and read back at every later start.
pub(crate) fn poisoned(work: &Work<'_>, loaded: Loaded) -> Result<Data, PipelineError> {
    let trusted = Keyed::of(loaded.trusted.clone())?;
    let keys = Keys::of(work, &loaded.split, trusted.key.clone())?;
    let sources = keys.all();
    // Before anything is noted or shown: a run whose pictures have changed stays as it is.
    super::unchanged(
        work.run,
        work.run.stages()?.images.as_ref(),
        &sources,
        "the pictures, their labels or what poisons them",
    )?;
    let slot = loaded.keep(&format!("data set `{}`", loaded.split.name))?;
    work.run.refer("data", slot)?;
    work.run
        .update(|stages| stages.images = Some(sources.clone()))?;
    let Loaded { split, .. } = loaded;
    let not_read = split.not_read.clone();
    let mut craft = None;
    let (poisoned, truth) = match work.experiment.poison.as_ref().zip(keys.poison.as_ref()) {
        None => (Poisoned::untrusted(split.train, split.test), None),
        Some((config, key)) => {
            let trigger = crafted(work, &split, config, keys.craft.as_deref())?;
            craft = trigger.as_ref().map(Slot::folder);
            let slot = stored(work, &split, config, trigger.as_ref(), key)?;
            let (poisoned, truth) = read(&split, config, &slot.folder())?;
            (poisoned, Some(truth))
        }
    };
    left_out::write(work.run, &not_read)?;
    let data = Data::new(work.experiment, poisoned, truth, trusted, sources, not_read)?;
    Ok(Data { craft, ..data })
}

/// The stored trigger, where the attack makes one that is worth it and therefore has a key.
fn crafted(
    work: &Work<'_>,
    split: &Split,
    config: &PoisonConfig,
    key: Option<&str>,
) -> Result<Option<Slot>, PipelineError> {
    let Some(key) = key else {
        return Ok(None);
    };
    let slot = work.slot("craft", StageName::Craft, key)?;
    let what = format!("trigger of {}", config.attack.info().title);
    slot.fill::<PipelineError>(&what, work.options.progress, |folder| {
        let scratch = folder.join(WORK);
        fs::create_dir_all(&scratch).map_err(StoreError::io(&scratch))?;
        craft_split(split, config, &tools(work, &scratch))?.save(folder)?;
        Ok(())
    })?;
    discard(&slot.join(WORK))?;
    work.run.publish("poison", &slot, &[CRAFT])?;
    Ok(Some(slot))
}

/// With what an attack prepares its trigger, and `folder` for what lets it continue.
fn tools<'a>(work: &Work<'a>, folder: &'a Path) -> CraftTools<'a> {
    CraftTools {
        device: work.options.device,
        batch_size: work.experiment.detect.batch_size,
        folder,
        progress: work.options.progress,
    }
}

/// The stored images that were changed.
fn stored(
    work: &Work<'_>,
    split: &Split,
    config: &PoisonConfig,
    trigger: Option<&Slot>,
    key: &str,
) -> Result<Slot, PipelineError> {
    let slot = work.slot("poison", StageName::Poison, key)?;
    let what = format!(
        "{} at {} %",
        config.attack.info().title,
        config.rate * 100.0
    );
    slot.fill::<PipelineError>(&what, work.options.progress, |folder| {
        let attack = config.attack.attack();
        let trigger = if let Some(crafted) = trigger {
            attack.load(&crafted.folder())?
        } else {
            craft_split(split, config, &tools(work, folder))?
        };
        Ok(write(
            split,
            config,
            trigger.as_ref(),
            folder,
            work.options.progress,
        )?)
    })?;
    work.run
        .publish("poison", &slot, &["train.json", "test.json"])?;
    Ok(slot)
}
