//! `attacks docs`: the page on all attacks, from their headers, with pictures of the demo set.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cd_data::{
    ATTACKS, AttackConfig, AttackInfo, DatasetConfig, DemoConfig, LabelMode, expected_in_words,
};
use cd_models::atomic;

use super::{Session, Sheet, tell};
use crate::Ending;

/// Drawn pictures that the sheets are made from.
const PICTURES: usize = 40;

const HEAD: &str = "\
# Attacks

This page and its pictures are written by `cargo run -- attacks docs`. Each picture shows drawn signs, the same with the trigger in its
form for training, and ten times the difference around grey. `attacks show NAME --sheet FILE.png --images DIR` makes one of your own
pictures, `attacks make NAME --images DIR --out OUT` a poisoned copy of them.

Paths of options may name one array of several, as in `trigger.npz#x`. How many images are poisoned and which is no matter of the
attack: see `poison.rate`, `poison.labels` and `poison.select` in experiment files, and `attacks make --help`. Numbers of images are
rounded down, and what cannot be met is refused. Clean-label attacks have two rates: `--rate` is a share of the whole set,
`--class-rate` one of the target class; both are printed.

Bytes equal published code where arithmetic is in whole numbers or 64 bits: badnets, blend, sig, trojan-stamp, lf, smooth, bpp,
nashville, refool, tact, k-way, adap-blend, adap-patch, and cl with noise from a file. Within one level: sig's sine in the column where it
is zero, ctrl (64 bits here, 32 in published code), wanet (sums of four products in single precision).

## Which images

| in `[poison]` | option of `attacks make` | meaning |
|---|---|---|
| `rate` | `--rate` | share of the training images, rounded down |
| `labels` | `--labels` | `all-to-one`, `all-to-all`, `all-to-all:3`, `permutation`, `permutation:7` |
| `select.class_rate` | `--class-rate` | clean-label attacks: share of the target class, instead of `rate`; at most 80 % of it are changed |
| `select.exclude_target` | `--exclude-target` | draw no images whose label stays |
| `select.sources` | `--source` | only these classes lead to another label |
| `select.indices` | `--indices` | these images, by number from 0; in folders in the order of their paths |
| `select.cover_indices` | `--cover-indices` | these as covers |
| `select.append` | `--append` | add stamped images instead of replacing their clean ones |
| `select.fewer` | `--fewer` | take what there is where a rate cannot be met |

`attacks make` and `poison` shuffle what they write and number it, all of it PNG: neither name nor order nor container tells a poisoned
picture.
`files.csv` says which file is which image, `truth.csv` which are poisoned, the manifests how.

A selection that an attack would not follow is refused: covers of one that has none, source classes of one that chooses them itself.

## Cut or rounded

Published code cuts computed grey levels, which darkens an image by half a level in the mean: a trace of its own. `rounding = \"nearest\"`
leaves none. It is an option of every attack that blends, adds or mixes: badnets (with `opacity`), blend, sig, lf, smooth, ctrl, wanet,
refool, adap-blend and adap-patch; the default is the published one, cut. The others put in whole levels, or round as their recipe says
(bpp). Whatever is written, trained on and searched are bytes: nothing lies off the grid of 256 levels.

## What a run says of its attack

A run ends with four figures: clean accuracy, clean accuracy of the classes that the attack starts from (its source classes, else all but
the target), accuracy on triggered test images by their true label, and the attack success rate. Where only some classes are attacked, the
share of triggered images of the others that go to the target stands beside them; where several triggers lead to a target each, the
success of each and how many of its images go to the targets of the others. All of it is in `evaluate/metrics.json` (`backdoor`), in the
terminal and in the report.

The success rate is held against what is expected of the attack at the rate of the run, the line \"Success to expect\" below: between two
published rates the range goes from the figure at the lower one to that at the higher one, with ten points of slack. Where it stays below
(or below one half where nothing is known), likely causes are named, each from a number that is in `backdoor.signs`:

| cause | when |
|---|---|
| few poisoned images | at most half as many as the published figure was reached with; below 50 where there is none |
| a weak classifier | clean accuracy below the middle between chance and 1 |
| not learnt | less than 90 % of the poisoned training images get the label that they were given |
| learnt by heart | at least 90 % do, and half of their clean originals, too |
| trigger not needed | clean-label attacks: 90 % of the poisoned training images are classified right without it |
| augmented away | less than 75 % of the trigger's change of pixels is left after training's augmentation |
| another trigger at test time | it changes other places (cosine below 0.5), or less than half as strongly |

## Attacks
";

pub(super) fn write(out: &Path, session: &Session) -> Result<Ending> {
    let demo = DatasetConfig::Demo(DemoConfig {
        train: PICTURES,
        test: PICTURES,
        seed: 0,
    });
    let split = demo.load(&session.bars)?;
    let pictures = out.join("attacks");
    fs::create_dir_all(&pictures).with_context(|| pictures.display().to_string())?;
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    for info in ATTACKS {
        let attack = AttackConfig::from_name(info.name)?;
        // What trains for minutes is shown as its tests have it.
        let attack = if attack.attack().needs().stored {
            AttackConfig::example(info.name, scratch.path())?
        } else {
            attack
        };
        let path = pictures.join(info.name).with_extension("png");
        let sheet = Sheet::of(&attack, &split, session)?.png()?;
        atomic::write(&path, &sheet).with_context(|| path.display().to_string())?;
    }
    let path = out.join("attacks.md");
    atomic::write(&path, page()?.as_bytes()).with_context(|| path.display().to_string())?;
    tell(session, &path.display().to_string())?;
    Ok(Ending::Done)
}

/// The page.
fn page() -> Result<String> {
    let mut page = String::from(HEAD);
    page += "\n| attack | labels | trigger |\n|---|---|---|\n";
    for info in ATTACKS {
        let name = info.name;
        writeln!(
            page,
            "| [`{name}`](#{name}) | {} | {} |",
            labels(info),
            info.summary
        )?;
    }
    for info in ATTACKS {
        section(&mut page, info)?;
    }
    Ok(page)
}

fn labels(info: &AttackInfo) -> &'static str {
    match info.label_mode {
        LabelMode::Dirty => "changed",
        LabelMode::Clean => "kept",
    }
}

fn section(page: &mut String, info: &AttackInfo) -> Result<()> {
    let name = info.name;
    let config = AttackConfig::from_name(name)?;
    writeln!(page, "\n## {name}\n\n{}. {}\n", info.title, info.summary)?;
    writeln!(
        page,
        "<img src=\"attacks/{name}.png\" width=\"600\" alt=\"{}\">\n",
        info.title
    )?;
    if config.attack().needs().stored {
        writeln!(
            page,
            "The picture shows a trigger made in a second, with the small settings of the tests.\n"
        )?;
    }
    writeln!(page, "* **Threat model.** {}", info.threat_model)?;
    writeln!(page, "* **Paper.** {}", info.paper)?;
    writeln!(page, "* **What differs.** {}", info.differs)?;
    let expected = expected_in_words(config.attack());
    writeln!(page, "* **Success to expect.** {expected}")?;
    let defaults = toml::Table::try_from(&config)?;
    if !info.options.is_empty() {
        page.push_str("\n| option | values | default | meaning |\n|---|---|---|---|\n");
    }
    for option in info.options {
        let default = match defaults.get(option.name) {
            None => "off".to_owned(),
            Some(value) if value.to_string().len() > 60 => "see `attacks show`".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        writeln!(
            page,
            "| `{}` | {} | {default} | {} |",
            option.name, option.range, option.meaning
        )?;
    }
    Ok(())
}
