//! The table as a picture: each goal is 1, on a logarithmic axis. Left of it is better.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::row::Row;

const WIDTH_PX: i32 = 1_100;
const ROW_PX: i32 = 30;
const LEFT_PX: i32 = 540;
const RIGHT_PX: i32 = 40;
const TOP_PX: i32 = 60;
const BOTTOM_PX: i32 = 50;
/// The axis, in tens: from a hundredth of the goal to a hundred times the goal.
const DECADES: i32 = 2;

const OURS: RGBColor = RGBColor(0, 94, 162);
const PEER: RGBColor = RGBColor(200, 80, 20);
const LIMIT: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Where this ratio lies; what is beyond the axis lies at its end.
#[allow(clippy::cast_possible_truncation)]
fn x_of(ratio: f64) -> i32 {
    let decades = f64::from(DECADES);
    let place = (ratio.max(1e-9).log10().clamp(-decades, decades) + decades) / (2.0 * decades);
    LEFT_PX + (place * f64::from(WIDTH_PX - LEFT_PX - RIGHT_PX)) as i32
}

/// Draws the rows that have a goal.
pub(crate) fn draw(file: &Path, rows: &[Row]) {
    let measured = |row: &&Row| row.goal.is_some_and(|goal| goal > 0.0) && row.ours.is_some();
    let rows: Vec<&Row> = rows.iter().filter(measured).collect();
    let bottom = TOP_PX + ROW_PX * i32::try_from(rows.len()).unwrap();
    let size = (
        u32::try_from(WIDTH_PX).unwrap(),
        u32::try_from(bottom + BOTTOM_PX).unwrap(),
    );
    let root = SVGBackend::new(file, size).into_drawing_area();
    root.fill(&WHITE).unwrap();
    for decade in -DECADES..=DECADES {
        let ratio = 10_f64.powi(decade);
        let style = if decade == 0 { BLACK } else { GRID };
        let line = vec![(x_of(ratio), TOP_PX - 10), (x_of(ratio), bottom)];
        root.draw(&PathElement::new(line, style.stroke_width(1)))
            .unwrap();
        let label = if decade == 0 {
            "goal".to_owned()
        } else {
            format!("× {ratio}")
        };
        text(
            &root,
            &label,
            (x_of(ratio), bottom + 12),
            12,
            BLACK,
            HPos::Center,
        );
    }
    for (at, (label, color)) in [
        ("ours", OURS),
        ("best peer", PEER),
        ("limit (yardstick)", LIMIT),
    ]
    .into_iter()
    .enumerate()
    {
        let x = LEFT_PX + i32::try_from(at).unwrap() * 130;
        root.draw(&Circle::new((x, 20), 5, color.filled())).unwrap();
        text(&root, label, (x + 10, 20), 13, BLACK, HPos::Left);
    }
    text(
        &root,
        "less is better; logarithmic",
        (20, 20),
        13,
        BLACK,
        HPos::Left,
    );
    for (y, row) in (TOP_PX + ROW_PX / 2..).step_by(30).zip(&rows) {
        draw_row(&root, y, row);
    }
    root.present().unwrap();
}

type Root<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_row(root: &Root<'_>, y: i32, row: &Row) {
    let (Some(goal), Some(ours)) = (row.goal, row.ours) else {
        return;
    };
    let label = format!("{}: {}", row.work, row.figure);
    text(root, &label, (LEFT_PX - 12, y), 12, BLACK, HPos::Right);
    let bar = Rectangle::new(
        [(x_of(1.0), y - 5), (x_of(ours / goal), y + 5)],
        OURS.mix(0.35).filled(),
    );
    root.draw(&bar).unwrap();
    if let Some(limit) = row.limit {
        let x = x_of(limit / goal);
        let tick = vec![(x, y - 9), (x, y + 9)];
        root.draw(&PathElement::new(tick, LIMIT.stroke_width(3)))
            .unwrap();
    }
    if let Some((_, best)) = row.best_peer() {
        root.draw(&Circle::new((x_of(best / goal), y), 5, PEER.filled()))
            .unwrap();
    }
    root.draw(&Circle::new((x_of(ours / goal), y), 5, OURS.filled()))
        .unwrap();
}

fn text(root: &Root<'_>, words: &str, at: (i32, i32), px: i32, color: RGBColor, anchor: HPos) {
    let style = ("sans-serif", px).into_font().color(&color);
    let style = style.pos(Pos::new(anchor, VPos::Center));
    root.draw(&Text::new(words.to_owned(), at, style)).unwrap();
}
