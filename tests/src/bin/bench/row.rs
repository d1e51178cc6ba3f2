//! A benchmark's result: rows, one table, JSON.

use std::collections::BTreeMap;

use serde::Serialize;

/// One row. Less is better; `None` where nothing was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) work: String,
    pub(crate) figure: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: Option<f64>,
    pub(crate) goal: Option<f64>,
    pub(crate) limit: Option<f64>,
    pub(crate) peers: BTreeMap<String, Option<f64>>,
}

impl Row {
    pub(crate) fn new(work: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            work: work.into(),
            figure: figure.into(),
            unit: "",
            ours: None,
            goal: None,
            limit: None,
            peers: BTreeMap::new(),
        }
    }

    pub(crate) fn ours(mut self, ours: f64, unit: &'static str) -> Self {
        // Three places are more than any of this can be measured to.
        self.ours = Some((ours * 1_000.0).round() / 1_000.0);
        self.unit = unit;
        self
    }

    pub(crate) fn goal(mut self, goal: f64) -> Self {
        self.goal = Some(goal);
        self
    }

    pub(crate) fn limit(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The best of the peers that were measured.
    pub(crate) fn best_peer(&self) -> Option<(&str, f64)> {
        let measured = self
            .peers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), (*value)?)));
        measured.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }
}

fn shown(value: Option<f64>) -> String {
    match value {
        None => "–".into(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// The table, in Markdown, its columns lined up.
pub(crate) fn table(rows: &[Row]) -> String {
    let heads = [
        "work",
        "figure",
        "unit",
        "ours",
        "goal",
        "limit",
        "peers",
        "ours / best peer",
    ];
    let mut cells = vec![heads.map(str::to_owned)];
    cells.push(["---", "---", "---", "--:", "--:", "--:", "---", "--:"].map(str::to_owned));
    for row in rows {
        let peers = row
            .peers
            .iter()
            .map(|(name, value)| format!("{name} {}", shown(*value)));
        let peers: Vec<_> = peers.collect();
        let ratio = row
            .best_peer()
            .and_then(|(_, best)| Some(format!("{:.2}", row.ours? / best)));
        cells.push([
            row.work.clone(),
            row.figure.clone(),
            row.unit.to_owned(),
            shown(row.ours),
            shown(row.goal),
            shown(row.limit),
            peers.join(", "),
            ratio.unwrap_or_else(|| "–".into()),
        ]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..heads.len()).filter_map(width).collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    cells.iter().map(line).collect()
}

/// The middle one; of an even number, the higher of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// As the peers' rigs count it: the value at this place of the sorted ones.
pub(crate) fn quantile(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let at = (sorted.len() as f64 * quantile) as usize;
    sorted[at.min(sorted.len() - 1)]
}
