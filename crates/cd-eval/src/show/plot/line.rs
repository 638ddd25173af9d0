//! Curves.

use maud::{Markup, html};

use super::Tone;
use super::frame::{Frame, LegendEntry, Mark, tidy};
use super::scale::{Scale, extent};

/// One curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Colour and dash.
    pub tone: Tone,
    /// (x, y) in drawing order; a point that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
}

/// A plot of curves.
#[derive(Debug, Clone, PartialEq)]
pub struct LinePlot {
    /// What the plot shows, read out by screen readers; not drawn.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of the vertical axis.
    pub y_label: String,
    /// Ends of the horizontal axis; `None` fits the data.
    pub x_range: Option<(f64, f64)>,
    /// Ends of the vertical axis; `None` fits the data.
    pub y_range: Option<(f64, f64)>,
    /// Width and height in the units of the view box, in which letters are 13 high.
    pub size: (f64, f64),
    /// The curves, first at the bottom.
    pub lines: Vec<Line>,
}

impl LinePlot {
    /// The plot as SVG text.
    pub fn to_svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x_range = usable(self.x_range).unwrap_or_else(|| extent(points().map(|point| point.0)));
        let y_range = usable(self.y_range).unwrap_or_else(|| extent(points().map(|point| point.1)));
        let legend = self
            .lines
            .iter()
            .map(|line| LegendEntry {
                name: line.name.clone(),
                tone: line.tone,
                mark: Mark::Line,
            })
            .collect();
        let frame = Frame::new(
            self.size,
            [&self.title, &self.x_label, &self.y_label],
            x_range,
            y_range,
            legend,
        );
        frame.render(&self.curves(&frame))
    }

    fn curves(&self, frame: &Frame) -> Markup {
        html! {
            @for line in &self.lines {
                path class={ "cd-line " (line.tone.class()) }
                    d=(path(&line.points, &frame.x, &frame.y)) {}
            }
        }
    }
}

fn usable(range: Option<(f64, f64)>) -> Option<(f64, f64)> {
    range.filter(|(low, high)| low.is_finite() && high.is_finite() && low < high)
}

/// Path data. Points that a screen cannot tell from the one before are left out, so that a curve of
/// 50,000 points stays small; the last point of a run is always drawn.
fn path(points: &[(f64, f64)], x: &Scale, y: &Scale) -> String {
    const VISIBLE: f64 = 0.4;
    let mut data = String::new();
    let mut drawn: Option<(f64, f64)> = None;
    for (index, &(px, py)) in points.iter().enumerate() {
        if !(px.is_finite() && py.is_finite()) {
            drawn = None;
            continue;
        }
        let (px, py) = (x.at(px), y.at(py));
        let ends_run = points
            .get(index + 1)
            .is_none_or(|next| !(next.0.is_finite() && next.1.is_finite()));
        let near = |(dx, dy): (f64, f64)| (px - dx).abs() < VISIBLE && (py - dy).abs() < VISIBLE;
        if drawn.is_some_and(near) && !ends_run {
            continue;
        }
        data.push(if drawn.is_some() { 'L' } else { 'M' });
        data.push_str(&tidy(px));
        data.push(' ');
        data.push_str(&tidy(py));
        drawn = Some((px, py));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Scale = Scale {
        domain: (0.0, 1.0),
        range: (0.0, 100.0),
    };

    #[test]
    fn gaps_interrupt_the_line() {
        let points = [(0.0, 0.0), (0.5, f64::NAN), (0.6, 0.6), (1.0, 1.0)];
        assert_eq!(path(&points, &UNIT, &UNIT), "M0 0M60 60L100 100");
    }

    #[test]
    fn dense_curves_are_thinned_but_keep_their_ends() {
        let points: Vec<(f64, f64)> = (0..=50_000)
            .map(|index| (f64::from(index) / 50_000.0, f64::from(index) / 50_000.0))
            .collect();
        let data = path(&points, &UNIT, &UNIT);
        assert!(data.len() < 4000, "{} bytes", data.len());
        assert!(data.starts_with("M0 0L") && data.ends_with("L100 100"));
    }

    #[test]
    fn a_plot_without_data_is_still_a_plot() {
        let plot = LinePlot {
            title: "nothing".into(),
            x_label: "x".into(),
            y_label: "y".into(),
            x_range: Some((f64::NAN, 1.0)),
            y_range: None,
            size: (300.0, 200.0),
            lines: Vec::new(),
        };
        assert!(plot.to_svg().contains("viewBox=\"0 0 300 200\""));
        assert!(!plot.to_svg().contains("NaN"));
    }
}
