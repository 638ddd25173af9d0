//! Galleries of images with their masks and patterns.

use maud::{Markup, html};

use super::ReportError;
use super::content::Card;
use super::format::{count, counted, metric, raw};
use super::thumbnail::Thumbnails;
use crate::picture::Picture;

/// What a gallery says above its cards.
pub(super) struct Heading<'a> {
    pub(super) title: &'a str,
    pub(super) lead: &'a str,
    /// `most` or `least`: which end of the ranking comes first.
    pub(super) end: &'a str,
    /// The unit of the raw values.
    pub(super) raw: &'a str,
}

/// The gallery of at most `most` of the cards; nothing without any.
pub(super) fn gallery(
    heading: &Heading<'_>,
    cards: &[Card],
    most: usize,
    thumbnails: Thumbnails,
) -> Result<Markup, ReportError> {
    let shown = &cards[..cards.len().min(most)];
    let hidden = cards.len() - shown.len();
    if shown.is_empty() {
        return Ok(html! {});
    }
    let markup = shown
        .iter()
        .map(|card| one(card, heading.raw, thumbnails))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        h3 { (heading.title) }
        p class="muted" {
            (heading.lead)
            @if hidden > 0 {
                " " (counted(hidden, "more image is", "more images are")) " left out to keep this file small."
            }
        }
        ul class="gallery" data-items=(heading.end) {
            @for card in &markup { (card) }
        }
    })
}

fn one(card: &Card, raw_label: &str, thumbnails: Thumbnails) -> Result<Markup, ReportError> {
    let picture =
        |kind, alternative: &str, picture| picture_of(thumbnails, card, kind, alternative, picture);
    let name = &card.name;
    let mut pictures = vec![picture(
        "image",
        &format!("Image {name}, labelled {}", card.label),
        &card.image,
    )?];
    if let Some(mask) = &card.mask {
        let alternative = format!("Mask of {name}: bright where the model needs the pixel");
        pictures.push(picture("mask", &alternative, mask)?);
    }
    if let Some(pattern) = &card.pattern {
        let alternative = format!("Pattern of {name}: the image seen through its mask");
        pictures.push(picture("pattern", &alternative, pattern)?);
    }
    let classes = if card.flagged {
        "card is-flagged"
    } else {
        "card"
    };
    Ok(html! {
        li class=(classes) data-rank=(card.rank) data-name=(name) data-label=(card.label) data-state=(state(card)) {
            div class="card-head" {
                span class="rank" { "#" (count(card.rank)) }
                (badges(card))
            }
            div class=(format!("pictures of-{}", pictures.len())) { @for picture in &pictures { (picture) } }
            p class="card-name" title=(name) { (name) }
            dl {
                div { dt { "Labelled as" } dd { (card.label) } }
                div { dt { "Score" } dd class="number" { (metric(card.score)) } }
                @if let Some(value) = card.raw {
                    div { dt { (raw_name(raw_label)) } dd class="number" { (raw(value)) } }
                }
            }
        }
    })
}

fn raw_name(label: &str) -> &str {
    if label.is_empty() { "Raw value" } else { label }
}

fn badges(card: &Card) -> Markup {
    html! {
        @if card.flagged { span class="badge flagged" { "flagged" } }
        @match card.poisoned {
            Some(true) => span class="badge poisoned" { "poisoned" },
            Some(false) => span class="badge clean" { "clean" },
            None => {},
        }
    }
}

fn picture_of(
    thumbnails: Thumbnails,
    card: &Card,
    kind: &'static str,
    alternative: &str,
    picture: &Picture,
) -> Result<Markup, ReportError> {
    let image = thumbnails.image(kind, &card.name, alternative, picture)?;
    Ok(html! {
        figure {
            (image)
            figcaption { (kind) }
        }
    })
}

/// What the card can be filtered by.
fn state(card: &Card) -> String {
    let flagged = if card.flagged { "flagged" } else { "unflagged" };
    match card.poisoned {
        Some(true) => format!("{flagged} poisoned"),
        Some(false) => format!("{flagged} clean"),
        None => flagged.to_owned(),
    }
}
