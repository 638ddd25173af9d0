//! What all plots share: canvas, axes, grid, labels and legend.

use maud::{Markup, PreEscaped, html};

use super::Tone;
use super::scale::{Scale, labels, ticks};

const STYLE: &str = include_str!("style.css");

const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const BOTTOM: f64 = 46.0;
const LEGEND_ROW: f64 = 20.0;
/// Mean width of a letter of the legend, in the units of the view box.
const LETTER: f64 = 7.0;
const SWATCH: f64 = 22.0;

/// How a series is drawn, and therefore how its legend entry looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Line,
    Area,
}

pub(super) struct LegendEntry {
    pub(super) name: String,
    pub(super) tone: Tone,
    pub(super) mark: Mark,
}

/// The empty plot: everything but the data.
pub(super) struct Frame {
    width: f64,
    height: f64,
    title: String,
    x_label: String,
    y_label: String,
    legend: Vec<LegendEntry>,
    pub(super) x: Scale,
    pub(super) y: Scale,
}

impl Frame {
    pub(super) fn new(
        size: (f64, f64),
        [title, x_label, y_label]: [&str; 3],
        x_domain: (f64, f64),
        y_domain: (f64, f64),
        legend: Vec<LegendEntry>,
    ) -> Self {
        let (width, height) = size;
        let rows = legend_positions(&legend, width)
            .last()
            .map_or(0.0, |&(_, row)| row + 1.0);
        let top = 14.0 + rows * LEGEND_ROW;
        Self {
            width,
            height,
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            y_label: y_label.to_owned(),
            legend,
            x: Scale {
                domain: x_domain,
                range: (LEFT, width - RIGHT),
            },
            y: Scale {
                domain: y_domain,
                range: (height - BOTTOM, top),
            },
        }
    }

    /// The finished SVG with `data` between grid and axes.
    pub(super) fn render(&self, data: &Markup) -> String {
        html! {
            svg xmlns="http://www.w3.org/2000/svg" class="cd-plot" role="img"
                aria-label=(self.title)
                viewBox=(format!("0 0 {} {}", self.width, self.height)) {
                style { (PreEscaped(STYLE)) }
                (self.legend())
                (self.horizontal_ticks())
                (self.vertical_ticks())
                (data)
                path class="cd-axis" d=(self.axes()) {}
                text x=(mid(self.x.range)) y=(tidy(self.height - 8.0)) text-anchor="middle" {
                    (self.x_label)
                }
                text x="16" y=(mid(self.y.range)) text-anchor="middle"
                    transform=(format!("rotate(-90 16 {})", mid(self.y.range))) {
                    (self.y_label)
                }
            }
        }
        .into_string()
    }

    fn axes(&self) -> String {
        let ((left, right), (bottom, top)) = (self.x.range, self.y.range);
        format!("M{left} {}V{bottom}H{right}", tidy(top))
    }

    fn horizontal_ticks(&self) -> Markup {
        let room = self.x.range.1 - self.x.range.0;
        let values = ticks(self.x.domain, (room / 75.0) as usize);
        let baseline = self.y.range.0;
        html! {
            @for (value, label) in values.iter().zip(labels(&values)) {
                @let x = tidy(self.x.at(*value));
                path class="cd-axis" d={ "M" (x) " " (baseline) "v5" } {}
                text x=(x) y=(tidy(baseline + 19.0)) text-anchor="middle" { (label) }
            }
        }
    }

    fn vertical_ticks(&self) -> Markup {
        let room = self.y.range.0 - self.y.range.1;
        let values = ticks(self.y.domain, (room / 42.0) as usize);
        let (left, right) = self.x.range;
        html! {
            @for (value, label) in values.iter().zip(labels(&values)) {
                @let y = self.y.at(*value);
                path class="cd-grid" d={ "M" (left) " " (tidy(y)) "H" (right) } {}
                text x=(tidy(left - 7.0)) y=(tidy(y + 4.5)) text-anchor="end" { (label) }
            }
        }
    }

    fn legend(&self) -> Markup {
        let positions = legend_positions(&self.legend, self.width);
        html! {
            @for (entry, (x, row)) in self.legend.iter().zip(positions) {
                @let y = 14.0 + row * LEGEND_ROW;
                (swatch(entry, x, y))
                text x=(tidy(x + SWATCH + 6.0)) y=(tidy(y + 4.5)) { (entry.name) }
            }
        }
    }
}

/// Left edge and row of each legend entry, wrapping at the right edge of the canvas.
fn legend_positions(legend: &[LegendEntry], width: f64) -> Vec<(f64, f64)> {
    let mut positions = Vec::with_capacity(legend.len());
    let (mut x, mut row) = (LEFT, 0.0);
    for entry in legend {
        let needed = SWATCH + 6.0 + entry.name.chars().count() as f64 * LETTER;
        if x > LEFT && x + needed > width - RIGHT {
            (x, row) = (LEFT, row + 1.0);
        }
        positions.push((x, row));
        x += needed + 16.0;
    }
    positions
}

fn swatch(entry: &LegendEntry, x: f64, y: f64) -> Markup {
    let tone = entry.tone.class();
    match entry.mark {
        Mark::Line => html! {
            path class={ "cd-line " (tone) } d=(format!("M{} {}h{SWATCH}", tidy(x), tidy(y))) {}
        },
        Mark::Area => html! {
            rect class={ "cd-area " (tone) } x=(tidy(x)) y=(tidy(y - 6.0)) width=(SWATCH) height="12" {}
        },
    }
}

fn mid((from, to): (f64, f64)) -> String {
    tidy(f64::midpoint(from, to))
}

/// A coordinate with at most one decimal: a tenth of a unit is below what a screen shows.
pub(super) fn tidy(coordinate: f64) -> String {
    let text = format!("{coordinate:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> LegendEntry {
        LegendEntry {
            name: name.to_owned(),
            tone: Tone::Clean,
            mark: Mark::Line,
        }
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!(tidy(3.0), "3");
        assert_eq!(tidy(-0.04), "0");
        assert_eq!(tidy(1.26), "1.3");
    }

    #[test]
    fn a_long_legend_wraps() {
        let legend = [entry("short"), entry("short"), entry(&"long ".repeat(10))];
        let rows: Vec<f64> = legend_positions(&legend, 400.0)
            .iter()
            .map(|place| place.1)
            .collect();
        assert_eq!(rows, [0.0, 0.0, 1.0]);
    }

    #[test]
    fn names_are_escaped() {
        let frame = Frame::new(
            (300.0, 200.0),
            ["a \"title\"", "<x>", "y & z"],
            (0.0, 1.0),
            (0.0, 1.0),
            vec![entry("<script>")],
        );
        let svg = frame.render(&html! {});
        assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script>"));
        assert!(svg.contains("&lt;x&gt;") && svg.contains("y &amp; z"));
        assert!(svg.contains("aria-label=\"a &quot;title&quot;\""));
    }
}
