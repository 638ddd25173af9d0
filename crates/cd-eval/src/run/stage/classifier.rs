//! The classifier that images are searched through.

use cd_models::Model;

use crate::pipeline::PipelineError;
use crate::store::Slot;

/// A frozen classifier, and where its training is kept.
pub(crate) struct Trained {
    pub(crate) model: Model,
    /// Key of architecture, weights and input normalisation.
    pub(crate) key: String,
    /// Its training; `None` for given weights.
    pub(crate) training: Option<Slot>,
    /// Whether that training began with given weights.
    pub(crate) is_finetuned: bool,
}

impl Trained {
    /// What it is, as its weights tell, in words.
    pub(crate) fn title(&self) -> Result<String, PipelineError> {
        let config = self.model.config();
        let width = config
            .resolved_width()
            .map_err(|error| PipelineError::Missing(error.to_string()))?;
        let given = match self.training {
            None => " (given weights)",
            Some(_) if self.is_finetuned => " (fine-tuned)",
            Some(_) => "",
        };
        Ok(format!("{}, width {width}{given}", config.name))
    }
}
