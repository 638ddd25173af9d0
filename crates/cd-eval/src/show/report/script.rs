//! The one script of the page: it sorts and filters galleries and tables, and asks nobody for anything.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The script. Browsers take the two letters of a line's end for one before they hash it.
pub(super) static SCRIPT: LazyLock<String> =
    LazyLock::new(|| include_str!("script.js").replace("\r\n", "\n"));

/// Forbids every request and every script but this one: what the file shows is in the file.
pub(super) static CONTENT_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_can_stand_in_a_page_and_asks_nobody() {
        for forbidden in [
            "</",
            "<!--",
            "innerHTML",
            "outerHTML",
            "eval",
            "fetch",
            "import",
            "http",
            "XMLHttp",
            "Function(",
            "write(",
        ] {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
    }
}
