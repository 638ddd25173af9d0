//! Histograms of one or more groups of images over common bins.

use maud::{Markup, html};

use super::frame::{Frame, LegendEntry, Mark, tidy};
use super::scale::{extent, rounded_up};
use super::{Tone, WIDE};

/// Images that form one overlay of a histogram.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name in the legend; the number of values is added to it.
    pub name: String,
    /// Colour.
    pub tone: Tone,
    /// One value per image; values that are not finite are left out.
    pub values: Vec<f64>,
}

/// A vertical line at a value, for example where a rule flags from.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker {
    /// Where it stands on the horizontal axis; not drawn unless finite.
    pub value: f64,
    /// Text beside it.
    pub label: String,
}

/// A histogram. With several groups the vertical axis is the share of each group, so that a few
/// poisoned images are as visible as thousands of clean ones; with one group it counts images.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// What the plot shows, read out by screen readers; not drawn.
    pub title: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Number of bins over the range of all values; 0 counts as 1.
    pub bins: usize,
    /// The overlays, first at the bottom.
    pub groups: Vec<Group>,
    /// A line to draw over them.
    pub marker: Option<Marker>,
}

impl Histogram {
    /// The plot as SVG text.
    pub fn to_svg(&self) -> String {
        let values = self.groups.iter().flat_map(|group| &group.values);
        let marked = self.marker.iter().map(|marker| &marker.value);
        let range = extent(values.chain(marked).copied());
        let heights: Vec<Vec<f64>> = self
            .groups
            .iter()
            .map(|group| self.heights(&group.values, range))
            .collect();
        let tallest = heights.iter().flatten().fold(0.0_f64, |a, &b| a.max(b));
        let tallest = if tallest > 0.0 { tallest } else { 1.0 };
        let frame = Frame::new(
            WIDE,
            [&self.title, &self.x_label, self.y_label()],
            range,
            // The head room keeps the marker's label clear of the bars.
            rounded_up((0.0, tallest * 1.08), 4),
            self.legend(),
        );
        let data = html! {
            @for (group, heights) in self.groups.iter().zip(&heights) {
                path class={ "cd-area " (group.tone.class()) } d=(outline(heights, &frame)) {}
            }
            @if let Some(marker) = self.marker.as_ref().filter(|marker| marker.value.is_finite()) {
                (marker_line(marker, &frame))
            }
        };
        frame.render(&data)
    }

    fn y_label(&self) -> &'static str {
        if self.groups.len() > 1 {
            "Share of the group (%)"
        } else {
            "Images"
        }
    }

    fn legend(&self) -> Vec<LegendEntry> {
        self.groups
            .iter()
            .map(|group| LegendEntry {
                name: format!("{} ({})", group.name, finite(&group.values).count()),
                tone: group.tone,
                mark: Mark::Area,
            })
            .collect()
    }

    fn heights(&self, values: &[f64], range: (f64, f64)) -> Vec<f64> {
        let counts = bin_counts(finite(values), range, self.bins.max(1));
        let total: usize = counts.iter().sum();
        let unit = if self.groups.len() > 1 {
            100.0 / total.max(1) as f64
        } else {
            1.0
        };
        counts
            .into_iter()
            .map(|count| count as f64 * unit)
            .collect()
    }
}

fn finite(values: &[f64]) -> impl Iterator<Item = f64> {
    values.iter().copied().filter(|value| value.is_finite())
}

fn bin_counts(
    values: impl Iterator<Item = f64>,
    (low, high): (f64, f64),
    bins: usize,
) -> Vec<usize> {
    let mut counts = vec![0; bins];
    for value in values {
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        counts[((share * bins as f64) as usize).min(bins - 1)] += 1;
    }
    counts
}

/// The closed outline of bars standing side by side.
fn outline(heights: &[f64], frame: &Frame) -> String {
    let (left, right) = frame.x.range;
    let width = (right - left) / heights.len() as f64;
    let bars: String = heights
        .iter()
        .enumerate()
        .flat_map(|(bin, &height)| {
            let end = left + width * (bin + 1) as f64;
            [
                "V".to_owned(),
                tidy(frame.y.at(height)),
                "H".to_owned(),
                tidy(end),
            ]
        })
        .collect();
    let floor = tidy(frame.y.at(0.0));
    format!("M{} {floor}{bars}V{floor}Z", tidy(left))
}

fn marker_line(marker: &Marker, frame: &Frame) -> Markup {
    let x = frame.x.at(marker.value);
    let (bottom, top) = frame.y.range;
    let right_half = x > f64::midpoint(frame.x.range.0, frame.x.range.1);
    let (anchor, label_x) = if right_half {
        ("end", x - 7.0)
    } else {
        ("start", x + 7.0)
    };
    html! {
        path class="cd-marker" d={ "M" (tidy(x)) " " (bottom) "V" (tidy(top)) } {}
        text class="cd-strong" x=(tidy(label_x)) y=(tidy(top + 9.0)) text-anchor=(anchor) {
            (marker.label)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, tone: Tone, values: &[f64]) -> Group {
        Group {
            name: name.to_owned(),
            tone,
            values: values.to_vec(),
        }
    }

    fn histogram(groups: Vec<Group>) -> Histogram {
        Histogram {
            title: "Scores".into(),
            x_label: "Score".into(),
            bins: 4,
            groups,
            marker: None,
        }
    }

    #[test]
    fn both_ends_fall_into_a_bin() {
        let counts = bin_counts([0.0, 0.1, 0.5, 0.99, 1.0].into_iter(), (0.0, 1.0), 4);
        assert_eq!(counts, [2, 0, 1, 2]);
        assert_eq!(bin_counts([3.0].into_iter(), (3.0, 3.0), 2).len(), 2);
    }

    #[test]
    fn groups_are_shares_and_a_single_group_is_counts() {
        let clean = group("clean", Tone::Clean, &[0.0, 0.1, 0.2, 1.0]);
        let single = histogram(vec![clean.clone()]);
        assert_eq!(
            single.heights(&clean.values, (0.0, 1.0)),
            [3.0, 0.0, 0.0, 1.0]
        );
        assert!(single.to_svg().contains(">Images</text>"));
        let poisoned = group("poisoned", Tone::Poisoned, &[0.9]);
        let both = histogram(vec![clean.clone(), poisoned]);
        assert_eq!(
            both.heights(&clean.values, (0.0, 1.0)),
            [75.0, 0.0, 0.0, 25.0]
        );
        assert!(both.to_svg().contains("Share of the group (%)"));
        assert!(both.to_svg().contains("poisoned (1)"));
    }

    #[test]
    fn what_is_not_finite_is_not_drawn() {
        let mut plot = histogram(vec![group(
            "all",
            Tone::Clean,
            &[f64::NAN, f64::INFINITY, 1.0, 2.0],
        )]);
        plot.marker = Some(Marker {
            value: f64::NAN,
            label: "nowhere".into(),
        });
        let svg = plot.to_svg();
        assert!(svg.contains("all (2)"));
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("nowhere"));
    }

    #[test]
    fn a_marker_outside_the_values_widens_the_axis() {
        let mut plot = histogram(vec![group("all", Tone::Clean, &[0.0, 1.0])]);
        plot.marker = Some(Marker {
            value: 2.0,
            label: "flagged from here".into(),
        });
        let svg = plot.to_svg();
        assert!(svg.contains(">2.0</text>") && svg.contains("flagged from here"));
    }

    #[test]
    fn nothing_to_show_is_an_empty_plot() {
        let svg = histogram(vec![group("all", Tone::Clean, &[])]).to_svg();
        assert!(svg.contains("all (0)") && !svg.contains("NaN"));
    }
}
