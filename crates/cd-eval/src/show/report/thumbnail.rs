//! Pictures inside the page, as large as its size allows.

use maud::{Markup, html};

use super::ReportError;
use crate::picture::Picture;

/// How large pictures are embedded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thumbnails {
    /// Longest side in pixels.
    pub(super) side: usize,
}

impl Thumbnails {
    /// The picture `kind` of the card `name`; small ones keep hard edges when the browser enlarges them.
    pub(super) fn image(
        self,
        kind: &'static str,
        name: &str,
        alternative: &str,
        picture: &Picture,
    ) -> Result<Markup, ReportError> {
        let uri = picture.to_thumbnail_uri(self.side);
        let uri = uri.map_err(|source| ReportError::Picture {
            kind,
            card: name.to_owned(),
            source,
        })?;
        Ok(html! {
            img class=[picture.is_small().then_some("exact")] src=(uri) alt=(alternative) width=(picture.width()) height=(picture.height());
        })
    }
}
