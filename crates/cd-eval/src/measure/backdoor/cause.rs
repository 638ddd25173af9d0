//! Likely causes of a low success rate, each from numbers of the run.

use super::Signs;

/// Poisoned images below which an attack without a published figure has few.
const FEW: usize = 50;
/// Share of poisoned training images from which they count as learnt.
const LEARNT: f64 = 0.9;
/// Share of clean originals from which the trigger was not needed for the label.
const NOT_NEEDED: f64 = 0.5;
/// The same where labels are true, so that many are expected.
const EASY: f64 = 0.9;
/// Share of a trigger below which augmentation takes much of it.
const KEPT: f64 = 0.75;
/// Likeness and relative strength below which test triggers differ from those of training.
const ALIKE: f64 = 0.5;

impl Signs {
    /// The causes that these numbers point to, the plainest first; at least one sentence.
    pub fn causes(&self) -> Vec<String> {
        let rules = [
            Self::few,
            Self::weak_classifier,
            Self::not_learnt,
            Self::not_needed,
            Self::augmented_away,
            Self::other_trigger,
        ];
        let mut found: Vec<String> = rules.iter().filter_map(|rule| rule(self)).collect();
        if found.is_empty() {
            found.push(self.none_found());
        }
        found
    }

    fn few(&self) -> Option<String> {
        let poisoned = self.poisoned;
        match self.published {
            Some(published) if 2 * poisoned <= published => Some(format!(
                "few poisoned images: {poisoned}, where the published figure at this rate was reached with {published}; poison more, or use \
                 more of the data"
            )),
            None if poisoned < FEW => Some(format!(
                "few poisoned images: {poisoned}; below {FEW} a trigger is often not learnt, so poison more"
            )),
            _ => None,
        }
    }

    fn weak_classifier(&self) -> Option<String> {
        let accuracy = self.clean_accuracy?;
        let chance = 1.0 / self.classes.max(1) as f64;
        if accuracy >= f64::midpoint(1.0, chance) {
            return None;
        }
        let training = self.training_accuracy.map_or(String::new(), |share| {
            format!(" and {} of the training images", percent(share))
        });
        Some(format!(
            "a weak classifier: it gets {} of the clean test images right{training}; train for longer, or with more images",
            percent(accuracy)
        ))
    }

    fn not_learnt(&self) -> Option<String> {
        let learnt = self.learnt.filter(|_| !self.keeps_labels)?;
        if learnt >= LEARNT {
            return None;
        }
        let training = self.training_accuracy.map_or(String::new(), |share| {
            format!(" (training accuracy {})", percent(share))
        });
        Some(format!(
            "the backdoor was not learnt: {} of the poisoned training images get the label that they were given{training}; train for more \
             epochs, or poison more",
            percent(learnt)
        ))
    }

    fn not_needed(&self) -> Option<String> {
        let without = self.without_trigger?;
        if self.keeps_labels {
            // Where test images carry no trigger there is none that could be needed.
            let has_trigger = self.change_in_tests.is_some();
            return (has_trigger && without >= EASY).then(|| {
                format!(
                    "the trigger is not needed: {} of the poisoned training images are classified right without it; a clean-label attack \
                     needs a stronger trigger, or images that are harder to recognise",
                    percent(without)
                )
            });
        }
        let learnt = self.learnt? >= LEARNT;
        (learnt && without >= NOT_NEEDED).then(|| {
            format!(
                "the poisoned images were learnt by heart rather than the trigger: {} of them get the new label without it, too",
                percent(without)
            )
        })
    }

    fn augmented_away(&self) -> Option<String> {
        let kept = self.augmented.filter(|&kept| kept < KEPT)?;
        Some(format!(
            "training's augmentation takes much of the trigger: {} of its change is left in the mean; move the trigger from the border, \
             make it larger, or augment less",
            percent(kept)
        ))
    }

    fn other_trigger(&self) -> Option<String> {
        let (training, tests) = (self.change_in_training?, self.change_in_tests?);
        let likeness = self.likeness?;
        let weaker = tests < ALIKE * training;
        if likeness >= ALIKE && !weaker {
            return None;
        }
        Some(format!(
            "test images carry another trigger than training images: it changes them by {tests:.1} grey levels (root mean square), in \
             training by {training:.1}, and the places are alike by {likeness:.2} of 1"
        ))
    }

    /// What was looked at in vain.
    fn none_found(&self) -> String {
        let share = |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), percent);
        format!(
            "none that these numbers show: {} poisoned images, {} of them learnt, {} also without the trigger, {} of the trigger left by \
             augmentation, likeness of test and training triggers {}, clean accuracy {}; try other seeds, or a stronger trigger",
            self.poisoned,
            share(self.learnt),
            share(self.without_trigger),
            share(self.augmented),
            share(self.likeness),
            share(self.clean_accuracy)
        )
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
