//! `poison`: a poisoned copy of a data set as pictures, with the truth beside it.

use anyhow::Result;
use cd_data::poison::poison_on;
use cd_data::{PoisonConfig, Selection};

use super::apart::Results;
use super::attacks::{check_free, label, named, write_poisoned};
use super::{Session, data};
use crate::Ending;
use crate::args::PoisonArgs;
use crate::output;

pub(crate) fn poison(args: &PoisonArgs, session: &Session) -> Result<Ending> {
    let mut config = PoisonConfig {
        attack: named(&args.attack, &args.attack_set)?,
        rate: args.rate,
        target: 0,
        labels: args.labels,
        seed: args.seed,
        select: Selection::default(),
    };
    let split = data::load(&args.dataset, Results::folder(&args.out), session)?;
    check_free(&args.out)?;
    config.target = label(&args.target, split.train.class_names())?;
    let (poisoned, truth) = poison_on(&split, &config, &session.device, &session.bars)?;
    write_poisoned(&args.out, &poisoned, &truth, &config, session)?;
    output::line(&args.out.join("images").display().to_string())?;
    Ok(Ending::Done)
}
