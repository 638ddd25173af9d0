//! Triggers that an attack has to make, and the images that carry one.

use std::fs;

use cd_core::{Key, content_key};
use cd_data::poison::{CraftTools, craft, read, write};
use cd_data::{PoisonConfig, Poisoned, Split};

use super::Work;
use super::data::{Data, Keyed, Loaded};
use super::left_out;
use crate::pipeline::PipelineError;
use crate::store::{Slot, StageName, StoreError, discard};

/// Folder of what lets an interrupted craft continue.
const WORK: &str = "work";

/// The data under suspicion: poisoned once, and read back at every later start.
pub(crate) fn poisoned(work: &Work<'_>, loaded: Loaded) -> Result<Data, PipelineError> {
    let slot = loaded.keep(&format!("data set `{}`", loaded.split.name))?;
    work.run.refer("data", slot)?;
    let Loaded { split, trusted, .. } = loaded;
    let trusted = Keyed::of(trusted)?;
    let train_key = content_key(&split.train)?;
    let test_key = split.test.as_ref().map(content_key).transpose()?;
    let not_read = split.not_read.clone();
    let data = match &work.experiment.poison {
        None => {
            let poisoned = Poisoned::untrusted(split.train, split.test);
            let keys = [Some(train_key), test_key];
            Data::new(work.experiment, poisoned, None, trusted, keys)?
        }
        Some(config) => {
            let trigger = crafted(work, &split, config, &train_key)?;
            let key = Key::of("poison 1")
                .with("config", config)
                .text("train", &train_key)
                .with("test", &test_key)
                .with("trigger", &trigger.as_ref().map(Slot::key))
                .finish();
            let slot = stored(work, &split, config, trigger.as_ref(), &key)?;
            let (poisoned, truth) = read(&split, config, &slot.folder())?;
            let of = |split: &str| {
                Some(
                    Key::of("poisoned")
                        .text("by", &key)
                        .text("split", split)
                        .finish(),
                )
            };
            let keys = [of("train"), poisoned.test().and_then(|_| of("test"))];
            Data::new(work.experiment, poisoned, Some(truth), trusted, keys)?
        }
    };
    let images = Key::of("images")
        .text("searched", &data.searched.key)
        .text("trusted", &data.trusted.key);
    let images = images.finish();
    super::unchanged(
        work.run,
        work.run.stages()?.images.as_ref(),
        &images,
        "the pictures",
    )?;
    work.run.update(|stages| stages.images = Some(images))?;
    left_out::write(work.run, &not_read)?;
    Ok(Data { not_read, ..data })
}

/// The stored trigger, where the attack makes one that is worth it.
fn crafted(
    work: &Work<'_>,
    split: &Split,
    config: &PoisonConfig,
    train_key: &str,
) -> Result<Option<Slot>, PipelineError> {
    if !config.attack.attack().needs().stored {
        return Ok(None);
    }
    let key = Key::of("craft 1")
        .with("attack", &config.attack)
        .with("target", &config.target)
        .with("seed", &config.seed)
        .text("images", train_key)
        .text("device", work.options.device_name)
        .finish();
    let slot = work.slot("craft", StageName::Craft, &key)?;
    let what = format!("trigger of {}", config.attack.info().title);
    slot.fill::<PipelineError>(&what, work.options.progress, |folder| {
        let scratch = folder.join(WORK);
        fs::create_dir_all(&scratch).map_err(StoreError::io(&scratch))?;
        let tools = CraftTools {
            device: work.options.device,
            batch_size: work.experiment.detect.batch_size,
            folder: &scratch,
            progress: work.options.progress,
        };
        craft(&split.train, config, &tools)?.save(folder)?;
        Ok(())
    })?;
    discard(&slot.join(WORK))?;
    Ok(Some(slot))
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
            let tools = CraftTools {
                device: work.options.device,
                batch_size: work.experiment.detect.batch_size,
                folder,
                progress: work.options.progress,
            };
            craft(&split.train, config, &tools)?
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
