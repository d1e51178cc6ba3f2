//! Two plots as SVG, drawn here and needing nothing in the browser: bars, and curves of
//! shares. Text and axes have the page's own colour.

use std::fmt::Write as _;

use askama::Template;

/// The drawing's width, and the height of a curve's.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
/// Room left of a curve, and below it.
const LEFT: f64 = 44.0;
const BELOW: f64 = 40.0;
const ABOVE: f64 = 10.0;
/// Where bars begin, and the room for what is written behind them.
const BARS_LEFT: f64 = 250.0;
const BARS_RIGHT: f64 = 120.0;
const ROW: f64 = 24.0;
/// Most ticks of an axis.
const TICKS_MAX: f64 = 8.0;
/// Told apart by all common kinds of eyes (Okabe and Ito), the most urgent first.
const COLOURS: [&str; 6] = [
    "#d55e00", "#e69f00", "#009e73", "#56b4e9", "#cc79a7", "#8c8c8c",
];

/// A row of a plot of bars.
#[derive(Debug, Clone)]
pub struct Bar {
    pub label: String,
    pub value: f64,
    /// As it is written behind the bar.
    pub words: String,
}

/// Bars, one below the other.
#[derive(Debug, Clone, Template)]
#[template(path = "bars.html")]
pub struct Bars {
    title: String,
    height: f64,
    rows: Vec<BarRow>,
}

#[derive(Debug, Clone)]
struct BarRow {
    label: String,
    words: String,
    text_y: String,
    y: String,
    width: String,
    after: String,
}

impl Bars {
    #[must_use]
    pub fn new(title: &str, bars: &[Bar]) -> Self {
        let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let room = WIDTH - BARS_LEFT - BARS_RIGHT;
        let mut y = 4.0;
        let rows = bars.iter().map(|bar| {
            let width = if most > 0.0 {
                (bar.value / most * room).max(1.0)
            } else {
                1.0
            };
            let row = BarRow {
                label: bar.label.clone(),
                words: bar.words.clone(),
                text_y: place(y + 13.0),
                y: place(y),
                width: place(width),
                after: place(BARS_LEFT + width + 6.0),
            };
            y += ROW;
            row
        });
        let rows: Vec<BarRow> = rows.collect();
        Self {
            title: title.to_owned(),
            height: y,
            rows,
        }
    }
}

/// A curve of [`Curves`]: of how many values it is the shares.
#[derive(Debug, Clone)]
pub struct Curve<'a> {
    pub name: String,
    /// In any order.
    pub values: &'a [f64],
    /// Of so many in all: those without a value are below every value.
    pub of: usize,
}

/// For each x the share that has at least x: how many calls had all that long before.
#[derive(Debug, Clone, Template)]
#[template(path = "curves.html")]
pub struct Curves {
    title: String,
    x_label: String,
    bottom: f64,
    lines: Vec<Line>,
    x_ticks: Vec<Tick>,
    y_ticks: Vec<Tick>,
}

#[derive(Debug, Clone)]
struct Line {
    name: String,
    colour: &'static str,
    points: String,
    legend_x: String,
    legend_text_x: String,
}

#[derive(Debug, Clone)]
struct Tick {
    at: String,
    /// A little below, for its text.
    text_at: String,
    label: String,
}

impl Curves {
    /// `x_max`: where the plot ends; what lies beyond is not drawn.
    #[must_use]
    pub fn new(title: &str, x_label: &str, x_max: f64, curves: &[Curve<'_>]) -> Self {
        let x_max = if x_max > 0.0 { x_max } else { 1.0 };
        let bottom = HEIGHT - BELOW;
        let x_of = |value: f64| LEFT + value.min(x_max) / x_max * (WIDTH - LEFT - 10.0);
        let y_of = |share: f64| bottom - share * (bottom - ABOVE);
        let lines = curves.iter().enumerate().map(|(number, curve)| {
            let legend_x = LEFT + number as f64 * 110.0;
            Line {
                name: curve.name.clone(),
                colour: COLOURS[number % COLOURS.len()],
                points: steps(curve, x_max, x_of, y_of),
                legend_x: place(legend_x),
                legend_text_x: place(legend_x + 16.0),
            }
        });
        let step = nice_step(x_max);
        let x_ticks = (0..)
            .map(|n| f64::from(n) * step)
            .take_while(|x| *x <= x_max)
            .map(|x| Tick {
                at: place(x_of(x)),
                text_at: place(bottom + 14.0),
                label: format!("{x}"),
            });
        let y_ticks = [0, 25, 50, 75, 100].map(|percent| Tick {
            at: place(y_of(f64::from(percent) / 100.0)),
            text_at: place(y_of(f64::from(percent) / 100.0) + 4.0),
            label: format!("{percent}%"),
        });
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            bottom,
            lines: lines.collect(),
            x_ticks: x_ticks.collect(),
            y_ticks: y_ticks.into(),
        }
    }
}

/// Most steps of one line.
const STEPS: usize = 200;

#[allow(clippy::cast_precision_loss)] // counts of calls
fn steps(
    curve: &Curve<'_>,
    x_max: f64,
    x_of: impl Fn(f64) -> f64,
    y_of: impl Fn(f64) -> f64,
) -> String {
    let mut sorted = curve.values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut points = String::new();
    for step in 0..=STEPS {
        let x = x_max * step as f64 / STEPS as f64;
        let below = sorted.partition_point(|value| *value < x);
        let share = (sorted.len() - below) as f64 / curve.of.max(1) as f64;
        // Writing into a `String` cannot fail.
        let _ = write!(points, "{},{} ", place(x_of(x)), place(y_of(share)));
    }
    points
}

/// 1, 2 or 5 times a power of ten, so that there are few ticks.
fn nice_step(x_max: f64) -> f64 {
    let least = x_max / TICKS_MAX;
    let ten = 10_f64.powf(least.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0];
    let step = times.into_iter().find(|times| times * ten >= least);
    step.unwrap_or(10.0) * ten
}

/// A tenth of a pixel is enough.
fn place(at: f64) -> String {
    format!("{at:.1}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        for (x_max, step) in [(600.0, 100.0), (1_000.0, 200.0), (9.0, 2.0), (0.7, 0.1)] {
            assert!((nice_step(x_max) - step).abs() < 1e-9, "{x_max}");
        }
    }

    #[test]
    fn a_curve_falls_from_those_that_have_a_value_to_none() {
        let values = [10.0, 20.0, 30.0];
        let curve = Curve {
            name: "<all>".into(),
            values: &values,
            of: 4,
        };
        let svg = Curves::new("t", "s", 40.0, &[curve]).render().unwrap();
        // Three of four at the left, nobody at the right.
        let points = svg.split("points=\"").nth(1).unwrap();
        let points: Vec<&str> = points
            .split('"')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        assert_eq!(points.first(), Some(&"44.0,62.5"));
        assert_eq!(points.last(), Some(&"630.0,220.0"));
        assert!(svg.contains("&#60;all&#62;"));
    }

    #[test]
    fn the_longest_bar_fills_its_room_and_no_bar_is_nothing() {
        let bar = |value: f64| Bar {
            label: "b".into(),
            value,
            words: "w".into(),
        };
        let svg = Bars::new("t", &[bar(4.0), bar(1.0)]).render().unwrap();
        assert!(svg.contains("width=\"270.0\"") && svg.contains("width=\"67.5\""));
        assert!(Bars::new("t", &[]).render().unwrap().contains("Nothing"));
        assert!(!svg.contains("style="));
    }
}
