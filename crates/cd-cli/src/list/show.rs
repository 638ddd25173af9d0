//! One entry of a list: everything that its registry says, and its settings.

use anyhow::{Result, bail};
use cd_core::names;
use cd_data::{
    ATTACKS, AttackConfig, AttackOption, DATASETS, DatasetConfig, DatasetInfo, expected_in_words,
};
use cd_detect::{DETECTORS, DetectorConfig};
use cd_eval::settings;
use cd_models::{Architecture, ModelConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::known_dataset;
use crate::Ending;
use crate::output;

/// What is shown of one entry.
struct Entry {
    /// Key for programs, heading for people, text.
    facts: Vec<(&'static str, &'static str, String)>,
    /// Settings with their defaults, as a table and as text in the order in which they are declared.
    settings: toml::Table,
    text: String,
    /// Settings that are off by default.
    off: Vec<String>,
    /// What is known of the values of settings.
    options: &'static [AttackOption],
}

pub(crate) fn attack(name: &str, as_json: bool) -> Result<Ending> {
    let config = AttackConfig::from_name(name)?;
    let Some(info) = ATTACKS.iter().find(|info| info.name == name) else {
        bail!("attack `{name}` is in no list");
    };
    let facts = vec![
        ("title", "name", info.title.to_owned()),
        ("summary", "what it does", info.summary.to_owned()),
        ("threat_model", "threat model", info.threat_model.to_owned()),
        ("paper", "paper", info.paper.to_owned()),
        ("differs", "how ours differs", info.differs.to_owned()),
        (
            "expected",
            "success to expect",
            expected_in_words(config.attack()),
        ),
    ];
    let mut entry = Entry::new(name, facts, &config)?;
    entry.options = info.options;
    entry.print(as_json)
}

pub(crate) fn detector(name: &str, as_json: bool) -> Result<Ending> {
    let config = DetectorConfig::from_name(name)?;
    let Some(info) = DETECTORS.iter().find(|info| info.name == name) else {
        bail!("detector `{name}` is in no list");
    };
    let facts = vec![
        ("title", "name", info.title.to_owned()),
        ("summary", "what it does", info.summary.to_owned()),
        ("threat_model", "assumes", info.threat_model.to_owned()),
        (
            "rule",
            "its own rule",
            info.rule.unwrap_or("none: it orders images").to_owned(),
        ),
        ("paper", "paper", info.paper.to_owned()),
        ("source", "published code", info.source.to_owned()),
        ("notes", "how ours differs", info.notes.to_owned()),
    ];
    Entry::new(name, facts, &config)?.print(as_json)
}

pub(crate) fn dataset(name: &str, as_json: bool) -> Result<Ending> {
    let info = known_dataset(name)?;
    let facts = vec![
        ("title", "name", info.title.to_owned()),
        ("summary", "what it holds", info.summary.to_owned()),
        ("source", "source", info.source.to_owned()),
    ];
    // Sets that lie somewhere have no default place.
    let config = settings::named::<DatasetConfig>(name, &[])
        .or_else(|_| settings::named(name, &["path=\"...\"".to_owned()]))?;
    Entry::new(name, facts, &config)?.print(as_json)
}

pub(crate) fn model(name: &str, as_json: bool) -> Result<Ending> {
    let mut config = ModelConfig::from_name(name)?;
    config.width = Some(config.resolved_width()?);
    let facts = architecture(config.architecture()?);
    Entry::new(name, facts, &config)?.print(as_json)
}

fn architecture(entry: &Architecture) -> Vec<(&'static str, &'static str, String)> {
    let stages: Vec<String> = entry
        .taps
        .stages
        .iter()
        .enumerate()
        .map(|(index, map)| format!("stage{} {}/{}", index + 1, map.channels, map.stride))
        .collect();
    let features = format!(
        "{}; deep {}/{}; penultimate {} (channels at the published width / pixels of the image per pixel)",
        stages.join(", "),
        entry.taps.deep.channels,
        entry.taps.deep.stride,
        entry.taps.penultimate
    );
    vec![
        ("title", "name", entry.title.to_owned()),
        ("summary", "what it is", entry.summary.to_owned()),
        ("family", "family", entry.family.title.to_owned()),
        ("paper", "paper", entry.family.paper.to_owned()),
        ("input", "images", entry.family.input.to_string()),
        (
            "parameters",
            "parameters",
            format!(
                "{} at the published width with 10 classes",
                entry.parameters
            ),
        ),
        ("features", "features", features),
        ("names", "weight files", entry.family.names.to_owned()),
    ]
}

/// The data set `name` of the list.
pub(crate) fn known(name: &str) -> Result<&'static DatasetInfo> {
    let names = || DATASETS.iter().map(|info| info.name);
    match DATASETS.iter().find(|info| info.name == name) {
        Some(info) => Ok(info),
        None => bail!(
            "unknown data set `{name}`; {}",
            names::did_you_mean(name, names())
        ),
    }
}

impl Entry {
    /// The entry `name` whose configuration, with every default written out, is `config`.
    fn new<T: Serialize + DeserializeOwned>(
        name: &str,
        facts: Vec<(&'static str, &'static str, String)>,
        config: &T,
    ) -> Result<Self> {
        let settings = toml::Table::try_from(config)?;
        let mut off = settings::keys::<T>(name);
        off.retain(|key| !settings.contains_key(key));
        Ok(Self {
            facts,
            settings,
            text: toml::to_string(config)?,
            off,
            options: &[],
        })
    }

    fn print(&self, as_json: bool) -> Result<Ending> {
        if as_json {
            output::json(&self.as_json()?)?;
        } else {
            output::line(self.as_text().trim_end())?;
        }
        Ok(Ending::Done)
    }

    fn as_json(&self) -> Result<Value> {
        let mut object = Map::new();
        if let Some(name) = self.settings.get("name") {
            object.insert("id".to_owned(), serde_json::to_value(name)?);
        }
        for (key, _, text) in &self.facts {
            object.insert((*key).to_owned(), text.as_str().into());
        }
        object.insert("settings".to_owned(), serde_json::to_value(&self.settings)?);
        object.insert("off".to_owned(), self.off.clone().into());
        if !self.options.is_empty() {
            let ranges = self.options.iter().map(|option| {
                let range = json!({ "values": option.range, "meaning": option.meaning });
                (option.name.to_owned(), range)
            });
            object.insert("options".to_owned(), Value::Object(ranges.collect()));
        }
        Ok(object.into())
    }

    fn as_text(&self) -> String {
        let width = self.facts.iter().map(|(_, heading, _)| heading.len()).max();
        let width = width.unwrap_or(0);
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|(_, heading, text)| format!("{heading:>width$}  {text}"))
            .collect();
        let settings = self.text.lines();
        let settings: Vec<String> = settings.map(|line| format!("    {line}")).collect();
        let off = match self.off.as_slice() {
            [] => String::new(),
            off => format!("\nOff unless set: {}\n", off.join(", ")),
        };
        let options = self.options.iter().map(|option| {
            format!(
                "    {}: {}\n        {}\n",
                option.name, option.meaning, option.range
            )
        });
        let options: String = options.collect();
        let options = match options.as_str() {
            "" => options,
            _ => format!("\nWhat they mean, and their values:\n\n{options}"),
        };
        format!(
            "{}\n\nSettings and their defaults, as in an experiment file:\n\n{}\n{off}{options}",
            facts.join("\n"),
            settings.join("\n")
        )
    }
}
