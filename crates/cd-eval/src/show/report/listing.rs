//! All flagged images as a table.

use maud::{Markup, html};

use super::content::Listed;
use super::format::{count, counted, metric};

/// The table with at most `most` rows, folded away; `total` images are flagged.
pub(super) fn listing(rows: &[Listed], total: usize, most: usize, name: &str) -> Markup {
    let shown = &rows[..rows.len().min(most)];
    if shown.is_empty() {
        return html! {};
    }
    html! {
        details class="listing" {
            summary { "All flagged images as a table" }
            p class="muted" {
                @if shown.len() < total {
                    "The " (count(shown.len())) " most suspicious of " (count(total)) "; detect/" (name) "/drop.txt names all."
                } @else {
                    (counted(total, "image", "images")) ", the most suspicious first."
                }
            }
            div class="scroll tall" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" class="number" { "Rank" }
                            th scope="col" { "Image" }
                            th scope="col" { "Labelled as" }
                            th scope="col" class="number" { "Score" }
                        }
                    }
                    tbody data-items="rows" {
                        @for row in shown {
                            tr {
                                td class="number" { (row.rank) }
                                td { (row.name) }
                                td { (row.label) }
                                td class="number" { (metric(row.score)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said() {
        let rows: Vec<Listed> = (1..=3)
            .map(|rank| Listed {
                name: format!("{rank}<.png"),
                label: "cat".into(),
                score: 0.5,
                rank,
            })
            .collect();
        let page = listing(&rows, 3, 2, "ss").into_string();
        assert!(page.contains("The 2 most suspicious of 3; detect/ss/drop.txt"));
        assert!(page.contains("2&lt;.png") && !page.contains("3&lt;.png"));
        let page = listing(&rows, 3, 9, "ss").into_string();
        assert!(page.contains("3 images, the most suspicious first"));
        assert!(listing(&rows, 3, 0, "ss").into_string().is_empty());
        assert!(listing(&[], 0, 9, "ss").into_string().is_empty());
    }
}
