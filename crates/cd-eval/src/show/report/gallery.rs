//! Galleries of images with their masks and patterns.

use maud::{Markup, html};

use super::ReportError;
use super::content::Card;
use super::format::{count, metric, raw};
use crate::picture::Picture;

pub(super) fn gallery(
    heading: &str,
    lead: &str,
    cards: &[Card],
    raw_label: &str,
) -> Result<Markup, ReportError> {
    let cards = cards
        .iter()
        .map(|card| one(card, raw_label))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(html! {
        h3 { (heading) }
        p class="muted" { (lead) }
        ul class="gallery" {
            @for card in &cards { (card) }
        }
    })
}

fn one(card: &Card, raw_label: &str) -> Result<Markup, ReportError> {
    let name = &card.name;
    let mut pictures = vec![picture(
        card,
        "image",
        &format!("Image {name}, labelled {}", card.label),
        &card.image,
    )?];
    if let Some(mask) = &card.mask {
        let alternative = format!("Mask of {name}: bright where the model needs the pixel");
        pictures.push(picture(card, "mask", &alternative, mask)?);
    }
    if let Some(pattern) = &card.pattern {
        let alternative = format!("Pattern of {name}: the image seen through its mask");
        pictures.push(picture(card, "pattern", &alternative, pattern)?);
    }
    let classes = if card.flagged {
        "card is-flagged"
    } else {
        "card"
    };
    Ok(html! {
        li class=(classes) {
            div class="card-head" {
                span class="rank" { "#" (count(card.rank)) }
                (badges(card))
            }
            div class="pictures" { @for picture in &pictures { (picture) } }
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

fn picture(
    card: &Card,
    kind: &'static str,
    alternative: &str,
    picture: &Picture,
) -> Result<Markup, ReportError> {
    let uri = picture
        .to_thumbnail_uri()
        .map_err(|source| ReportError::Picture {
            kind,
            card: card.name.clone(),
            source,
        })?;
    Ok(html! {
        figure {
            img class=[picture.is_small().then_some("exact")] src=(uri) alt=(alternative) width=(picture.width()) height=(picture.height());
            figcaption { (kind) }
        }
    })
}
