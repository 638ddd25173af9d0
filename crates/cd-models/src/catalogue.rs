//! `docs/models.md`, written from the registry.

use std::fmt::Write;

use crate::registry::{ARCHITECTURES, Architecture, FeatureMap};

/// A page on every registered architecture, as Markdown.
///
/// A test compares it with `docs/models.md`.
pub fn models_markdown() -> String {
    let mut page = String::from(INTRODUCTION);
    page.push_str(
        "| model | name | input | width | parameters | logits | penultimate |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for entry in ARCHITECTURES {
        let figure = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1e}"));
        let golden = entry.golden;
        line(
            &mut page,
            &format!(
                "| `{}` | {} | {} | {} | {} | {} | {} |",
                entry.name,
                entry.title,
                entry.family.input,
                entry.family.default_width,
                grouped(entry.parameters),
                figure(golden.map(|golden| golden.logits)),
                figure(golden.and_then(|golden| golden.penultimate)),
            ),
        );
    }
    let mut former = "";
    for entry in ARCHITECTURES {
        if entry.family.title != former {
            former = entry.family.title;
            line(&mut page, &format!("\n## {former}\n"));
            line(&mut page, &format!("{}.\n", entry.family.paper));
            line(
                &mut page,
                &format!("Parameter names in weight files: {}.\n", entry.family.names),
            );
        }
        line(&mut page, &describe(entry));
    }
    page
}

const INTRODUCTION: &str = "\
# Models

This page is generated from the registry; `UPDATE_DOCS=1 cargo test --workspace --test models` \
writes it anew.

Each model takes images `[B, 3, H, W]` in `[0, 1]`; its input normalisation, if any, is part of the
model. `width` is the number of channels of the first layer, and every other layer scales with it:
`width = 16` in a configuration gives a quarter of a ResNet. Parameters are counted at the published
width with ten classes, BatchNorm statistics left out. The last two columns are the relative error of
the logits and of the penultimate features against PyTorch (the reference, torchvision or the package that is named) with the
same weights, measured on the CPU for one or two images, of the largest networks at an eighth to a quarter of their width; a dash
means that no such numbers are at hand.

Weights load under the names that are given with each family, in any wrapper (`module.`, `_orig_mod.`, `model.`, ...). A head of
another name, such as `fc.1` or `head.fc`, is taken where it is the only one. `cd-cli models inspect` says what was recognised.

Features are read at taps of the same names everywhere: `stage1`, `stage2`, ... (below as channels at
the published width / pixels of the image per pixel of the map), `deep` (the last map before pooling)
and `penultimate` (the vector that enters the head).

";

fn describe(entry: &Architecture) -> String {
    let map = |map: &FeatureMap| format!("{}/{}", map.channels, map.stride);
    let stages: Vec<String> = entry.taps.stages.iter().map(map).collect();
    let repeated = stages.windows(2).all(|pair| pair[0] == pair[1]);
    let stages = match stages.first() {
        Some(first) if repeated => format!("{} times {first}", stages.len()),
        _ => stages.join(", "),
    };
    format!(
        "* `{}`: {}. Stages {stages}; deep {}; penultimate {}.",
        entry.name,
        entry.summary,
        map(&entry.taps.deep),
        entry.taps.penultimate
    )
}

fn line(page: &mut String, text: &str) {
    writeln!(page, "{text}").expect("strings take everything");
}

/// `11173962` as `11,173,962`.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
