//! Sentences, in which names stand between backticks.

use maud::{Markup, html};

/// A sentence with what stands between two backticks as code. A backtick without its partner stays as it is.
pub(super) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    let is_code = |at: usize| at % 2 == 1 && at + 1 < parts.len();
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if is_code(at) { code { (part) } }
            @else if at % 2 == 1 { "`" (part) }
            @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_code_and_a_single_backtick_stays() {
        let page = |text| prose(text).into_string();
        assert_eq!(
            page("6 of `a` and `b`."),
            "6 of <code>a</code> and <code>b</code>."
        );
        assert_eq!(page("a ` b"), "a ` b");
        assert_eq!(page("`a` ` b"), "<code>a</code> ` b");
        assert_eq!(page("``"), "<code></code>");
        assert_eq!(page("`<i>`"), "<code>&lt;i&gt;</code>");
    }
}
