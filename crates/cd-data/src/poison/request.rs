//! What an attack is asked when it chooses images, and the choices that most attacks share.

use cd_core::random::named;

use super::label_map::ClassMap;
use super::plan::{PlanEntry, PoisonPlan};
use super::select::{MAX_CLEAN_LABEL_FRACTION, Purpose, count_at_rate, draw};
use super::{PoisonConfig, PoisonError};
use crate::attack::Role;

/// The labels of a data set, for which an attack is asked which images to poison.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    train: &'a [u32],
    test: &'a [u32],
    classes: usize,
    config: &'a PoisonConfig,
}

impl<'a> PlanRequest<'a> {
    /// A request about data with these labels, all below `classes`; `test` is empty without a test set.
    pub fn new(
        train: &'a [u32],
        test: &'a [u32],
        classes: usize,
        config: &'a PoisonConfig,
    ) -> Self {
        Self {
            train,
            test,
            classes,
            config,
        }
    }

    /// True labels of the training images.
    pub fn train_labels(&self) -> &'a [u32] {
        self.train
    }

    /// True labels of the test images.
    pub fn test_labels(&self) -> &'a [u32] {
        self.test
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label that the backdoor leads to, a class of the data.
    pub fn target(&self) -> u32 {
        self.config.target
    }

    /// Share of the training images to poison, above 0 and at most 1.
    pub fn rate(&self) -> f64 {
        self.config.rate
    }

    /// The label map of the configuration, for the classes that it selects.
    ///
    /// # Errors
    ///
    /// When it changes no label of this number of classes, or selects a class that there is not.
    pub fn label_map(&self) -> Result<ClassMap, PoisonError> {
        let (labels, target) = (self.config.labels, self.config.target);
        let sources = self.config.select.sources.as_ref();
        let unknown = |&&source: &&u32| source as usize >= self.classes;
        if let Some(source) = sources.and_then(|sources| sources.iter().find(unknown)) {
            return Err(PoisonError::Select {
                option: "sources",
                value: source.to_string(),
                expected: "classes of the data",
            });
        }
        ClassMap::new(self, |label| match sources {
            Some(sources) if !sources.contains(&label) => label,
            _ => labels.apply(label, target, self.classes),
        })
    }

    /// Stamped training images of all classes with mapped labels, and test images as in [`test_only`](Self::test_only).
    ///
    /// # Errors
    ///
    /// When the rate asks for less than one image.
    pub fn dirty(&self, map: &ClassMap) -> Result<PoisonPlan, PoisonError> {
        let select = &self.config.select;
        let any = !select.exclude_target && select.sources.is_none();
        let mut plan = self.test_only(map);
        plan.train = self.train_entries(|label| any || map.changes(label), map)?;
        Ok(plan)
    }

    /// [`dirty`](Self::dirty) with covers of all classes: `cover_rate` of the set, or `usual` times the rate when absent.
    ///
    /// # Errors
    ///
    /// When there are fewer images than asked for.
    pub fn with_covers(
        &self,
        map: &ClassMap,
        cover_rate: Option<f64>,
        usual: f64,
    ) -> Result<PoisonPlan, PoisonError> {
        let mut plan = self.dirty(map)?;
        let rate = cover_rate.unwrap_or(usual * self.rate());
        let covers = self.cover_entries(&plan.train, |_| true, rate)?;
        plan.train.extend(covers);
        Ok(plan)
    }

    /// Stamped training images of the target class with their own label, at most
    /// [`MAX_CLEAN_LABEL_FRACTION`] of that class, and test images that lead to the target.
    ///
    /// # Errors
    ///
    /// When the rate asks for less than one image.
    pub fn clean(&self) -> Result<PoisonPlan, PoisonError> {
        let map = self.label_map()?;
        let of_target = self.train_where(|label| label == self.target());
        let size = of_target.len();
        let limit = Limit {
            most: count_at_rate(size, MAX_CLEAN_LABEL_FRACTION),
            reason: format!(
                "clean-label attacks change at most {} % of class {}, which has {size} images",
                MAX_CLEAN_LABEL_FRACTION * 100.0,
                self.target()
            ),
        };
        let (wanted, option) = match self.config.select.class_rate {
            Some(rate) => (count_at_rate(size, rate), "`select.class_rate`"),
            None => (count_at_rate(self.train.len(), self.rate()), "`rate`"),
        };
        let chosen = self.chosen(of_target, (wanted, option), limit)?;
        let mut plan = self.test_only(&map);
        plan.train = entries(&chosen, Role::Train, |_| self.target());
        Ok(plan)
    }

    /// A plan without training images. Triggered are all test images whose label changes, and floor(rate x N) of
    /// them are in the mixed test set.
    pub fn test_only(&self, map: &ClassMap) -> PoisonPlan {
        let others: Vec<usize> = (0..self.test.len())
            .filter(|&index| map.changes(self.test[index]))
            .collect();
        PoisonPlan {
            map: Some(map.clone()),
            train: Vec::new(),
            appended: Vec::new(),
            triggered: entries(&others, Role::Test, |index| map.get(self.test[index])),
            mixed: self.mixed(others),
        }
    }

    /// floor(rate x N) of the triggered test images, ascending: those of the mixed set.
    pub fn mixed(&self, triggered: Vec<usize>) -> Vec<usize> {
        let wanted = count_at_rate(self.test.len(), self.rate());
        let stream = Purpose::ChooseTest.stream(0);
        draw(triggered, wanted, self.config.seed, stream)
    }

    /// floor(rate x N) training images of the classes that `accept` takes, with mapped labels.
    ///
    /// # Errors
    ///
    /// When that is no image, or these classes have fewer.
    pub fn train_entries(
        &self,
        accept: impl Fn(u32) -> bool,
        map: &ClassMap,
    ) -> Result<Vec<PlanEntry>, PoisonError> {
        let chosen = self.train_indices(accept)?;
        Ok(entries(&chosen, Role::Train, |index| {
            map.get(self.train[index])
        }))
    }

    /// The images of [`train_entries`](Self::train_entries), ascending.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn train_indices(&self, accept: impl Fn(u32) -> bool) -> Result<Vec<usize>, PoisonError> {
        let candidates = self.train_where(accept);
        let limit = Limit {
            most: candidates.len(),
            reason: "the classes that it takes images from have no more".to_owned(),
        };
        let wanted = count_at_rate(self.train.len(), self.rate());
        self.chosen(candidates, (wanted, "`rate`"), limit)
    }

    /// floor(`rate` x N) further training images of the classes that `accept` takes, none of them among `poisoned`,
    /// which keep their label.
    ///
    /// # Errors
    ///
    /// When there are fewer.
    pub fn cover_entries(
        &self,
        poisoned: &[PlanEntry],
        accept: impl Fn(u32) -> bool,
        rate: f64,
    ) -> Result<Vec<PlanEntry>, PoisonError> {
        let mut free = vec![true; self.train.len()];
        for entry in poisoned {
            free[entry.source] = false;
        }
        let mut candidates = self.train_where(accept);
        candidates.retain(|&index| free[index]);
        let chosen = if let Some(listed) = &self.config.select.cover_indices {
            listed_of(listed, &candidates, self.train.len(), "cover_indices")?
        } else {
            let limit = Limit {
                most: candidates.len(),
                reason: "the classes that cover have no more that are not poisoned".to_owned(),
            };
            let wanted = count_at_rate(self.train.len(), rate);
            let count = self.limited((wanted, "`cover_rate`"), &limit, "cover")?;
            let stream = Purpose::ChooseCover.stream(0);
            draw(candidates, count, self.config.seed, stream)
        };
        Ok(entries(&chosen, Role::Cover, |index| self.train[index]))
    }

    /// At most `count` of `candidates`, ascending, drawn for what `purpose` names.
    pub fn draw(&self, purpose: &str, candidates: Vec<usize>, count: usize) -> Vec<usize> {
        draw(candidates, count, self.config.seed, named(purpose))
    }

    /// Indices of the training images of the classes that `accept` takes.
    pub fn train_where(&self, accept: impl Fn(u32) -> bool) -> Vec<usize> {
        (0..self.train.len())
            .filter(|&index| accept(self.train[index]))
            .collect()
    }

    /// The listed candidates, or as many as are wanted.
    fn chosen(
        &self,
        candidates: Vec<usize>,
        (wanted, option): (usize, &'static str),
        limit: Limit,
    ) -> Result<Vec<usize>, PoisonError> {
        if let Some(listed) = &self.config.select.indices {
            return listed_of(listed, &candidates, self.train.len(), "indices");
        }
        if wanted.min(limit.most) == 0 {
            return Err(PoisonError::NothingChosen {
                rate: self.config.select.class_rate.unwrap_or(self.rate()),
                images: self.train.len(),
                candidates: candidates.len(),
            });
        }
        let count = self.limited((wanted, option), &limit, "poisoned")?;
        let stream = Purpose::ChooseTrain.stream(0);
        Ok(draw(candidates, count, self.config.seed, stream))
    }

    /// As many as are wanted, or as there are where fewer will do.
    fn limited(
        &self,
        (wanted, option): (usize, &'static str),
        limit: &Limit,
        kind: &'static str,
    ) -> Result<usize, PoisonError> {
        if wanted <= limit.most {
            return Ok(wanted);
        }
        if self.config.select.fewer {
            tracing::warn!(
                wanted,
                chosen = limit.most,
                "fewer {kind} training images can be made than are asked for"
            );
            return Ok(limit.most);
        }
        Err(PoisonError::TooMany {
            wanted,
            kind,
            available: limit.most,
            reason: limit.reason.clone(),
            option,
        })
    }
}

/// How many images can be taken, and why no more.
struct Limit {
    most: usize,
    reason: String,
}

/// The listed images in ascending order, if all of them are candidates.
fn listed_of(
    listed: &[usize],
    candidates: &[usize],
    images: usize,
    option: &'static str,
) -> Result<Vec<usize>, PoisonError> {
    let mut sorted = listed.to_vec();
    sorted.sort_unstable();
    let other = |&&index: &&usize| candidates.binary_search(&index).is_err();
    let Some(&index) = sorted.iter().find(other) else {
        return Ok(sorted);
    };
    let problem = if index >= images {
        format!("but there are only {images} training images, counted from 0")
    } else {
        "which the attack does not take: its class is another one, or it is poisoned already".into()
    };
    Err(PoisonError::Index {
        option,
        index,
        problem,
    })
}

fn entries(indices: &[usize], role: Role, label: impl Fn(usize) -> u32) -> Vec<PlanEntry> {
    let entry = |&source: &usize| PlanEntry {
        source,
        role,
        label: label(source),
    };
    indices.iter().map(entry).collect()
}

#[cfg(test)]
mod tests;
