//! `docs/performance.md`: the table of a whole run, between two marks; the words around it
//! are written by hand.

use std::path::Path;
use std::time::Duration;

use jiff::Zoned;

use crate::row::{Row, table};

const BEGIN: &str = "<!-- The table: written by the benchmark. -->\n";
const END: &str = "<!-- The table's end. -->\n";

/// Puts this run's table into the page.
///
/// # Panics
/// When the page has no marks.
pub(crate) fn rewrite(page: &Path, rows: &[Row], took: Duration) {
    let text = std::fs::read_to_string(page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let (run, table) = (run(took), table(rows));
    let text = format!("{before}{BEGIN}{run}\n{table}{END}{after}");
    std::fs::write(page, text).unwrap();
}

/// When it was, on what, and for how long.
fn run(took: Duration) -> String {
    let day = Zoned::now().strftime("%-d %B %Y");
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let minutes = took.as_secs() / 60;
    format!("One run with `--peers` on {day}: {minutes} minutes, {processors} processors.\n")
}
