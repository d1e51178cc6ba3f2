//! `[[beats]]` in the configuration, and what a beat covers.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::BEATS_MAX;
use crate::config::AgencyConfig;
use crate::log::{Ledger, LogError};

/// Most corners of a beat's area.
const CORNERS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 80;

/// A beat: where it is, and whose units work there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeatConfig {
    pub id: String,
    /// As screens show it.
    pub name: String,
    pub agency: String,
    /// Districts, as dispatch names them in its calls.
    #[serde(default)]
    pub districts: Vec<String>,
    /// Its corners in order, as `[latitude, longitude]` in degrees, WGS 84. Without it only
    /// what names one of the districts is in the beat.
    #[serde(default)]
    pub area: Vec<[f64; 2]>,
    pub units: Vec<String>,
}

impl BeatConfig {
    /// Whether something at this place is in the beat.
    pub(super) fn covers(&self, position: Option<(f64, f64)>, district: Option<&str>) -> bool {
        position.is_some_and(|position| is_inside(&self.area, position))
            || district.is_some_and(|district| self.districts.iter().any(|own| own == district))
    }
}

/// Whether a line from there to the east crosses the border an odd number of times.
fn is_inside(area: &[[f64; 2]], (latitude, longitude): (f64, f64)) -> bool {
    let mut inside = false;
    for (at, [lat, lon]) in area.iter().enumerate() {
        let [before_lat, before_lon] = area[(at + area.len() - 1) % area.len()];
        if (*lat > latitude) != (before_lat > latitude) {
            let along = (latitude - lat) / (before_lat - lat);
            if longitude < lon + along * (before_lon - lon) {
                inside = !inside;
            }
        }
    }
    inside
}

/// Holds the beats against each other and against the agencies.
///
/// # Errors
/// The beat and the field that does not hold, and what was wanted.
pub(crate) fn check(
    beats: &[BeatConfig],
    agencies: &[AgencyConfig],
) -> Result<(), (String, String)> {
    if beats.len() > BEATS_MAX {
        return Err(("beats".into(), format!("at most {BEATS_MAX}")));
    }
    let mut ids = HashSet::new();
    for beat in beats {
        let wrong =
            |field: &str, wanted: String| Err((format!("beats.{}.{field}", beat.id), wanted));
        if !ids.insert(&beat.id) {
            return wrong("id", "an id that stands once".into());
        }
        for (field, text) in [("id", &beat.id), ("name", &beat.name)] {
            if !(1..=NAME_CHARS_MAX).contains(&text.trim().chars().count()) {
                return wrong(field, format!("text of 1 to {NAME_CHARS_MAX} characters"));
            }
        }
        let Some(agency) = agencies.iter().find(|agency| agency.id == beat.agency) else {
            return wrong("agency", "one of the agencies".into());
        };
        if let Some(unit) = beat.units.iter().find(|unit| !agency.units.contains(unit)) {
            return wrong("units", format!("units of its agency, which {unit} is not"));
        }
        let is_degrees = |[lat, lon]: &[f64; 2]| lat.abs() <= 90.0 && lon.abs() <= 180.0;
        let is_area =
            (3..=CORNERS_MAX).contains(&beat.area.len()) && beat.area.iter().all(is_degrees);
        if !beat.area.is_empty() && !is_area {
            return wrong(
                "area",
                format!("3 to {CORNERS_MAX} corners as [latitude, longitude]"),
            );
        }
        if beat.area.is_empty() && beat.districts.is_empty() {
            return wrong("districts", "districts, or an area".into());
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<BeatConfig, LogError> {
    serde_json::from_str(text).map_err(|e| LogError::Store(format!("a beat cannot be read: {e}")))
}

pub(super) fn all(connection: &Connection) -> Result<Vec<BeatConfig>, LogError> {
    let mut statement = connection.prepare_cached("SELECT config FROM beats")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(parse(&row.get::<_, String>(0)?)?);
    }
    Ok(all)
}

pub(super) fn of(connection: &Connection, beat: &str) -> Result<BeatConfig, LogError> {
    let text: String = connection
        .prepare_cached("SELECT config FROM beats WHERE beat = ?1")?
        .query_row([beat], |row| row.get(0))?;
    parse(&text)
}

pub(super) fn keep(ledger: &Ledger<'_>, beat: &BeatConfig) -> Result<(), LogError> {
    let text = serde_json::to_string(beat).map_err(|e| LogError::Store(e.to_string()))?;
    ledger
        .sql()
        .prepare_cached("INSERT OR REPLACE INTO beats (beat, config, stale) VALUES (?1, ?2, 1)")?
        .execute(params![beat.id, text])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn beat() -> BeatConfig {
        BeatConfig {
            id: "N1".into(),
            name: "North 1".into(),
            agency: "pd".into(),
            districts: vec!["5".into()],
            area: vec![[43.0, -88.0], [43.1, -88.0], [43.1, -87.9], [43.0, -87.9]],
            units: vec!["1A".into()],
        }
    }

    #[test]
    fn a_beat_covers_its_area_and_its_districts() {
        let beat = beat();
        for (position, district, is_in) in [
            (Some((43.05, -87.95)), None, true),
            (Some((43.15, -87.95)), None, false),
            (Some((43.05, -88.05)), None, false),
            (Some((43.15, -87.95)), Some("5"), true),
            (None, Some("6"), false),
            (None, None, false),
        ] {
            assert_eq!(
                beat.covers(position, district),
                is_in,
                "{position:?} {district:?}"
            );
        }
        let bent = BeatConfig {
            // A bay open to the east.
            area: vec![
                [0.0, 0.0],
                [0.0, 4.0],
                [1.0, 4.0],
                [1.0, 1.0],
                [3.0, 1.0],
                [3.0, 4.0],
                [4.0, 4.0],
                [4.0, 0.0],
            ],
            ..beat
        };
        assert!(!bent.covers(Some((2.0, 2.0)), None));
        assert!(bent.covers(Some((2.0, 0.5)), None) && bent.covers(Some((0.5, 3.0)), None));
    }

    #[test]
    fn a_beat_that_does_not_hold_is_named_with_its_field() {
        let agency = AgencyConfig {
            id: "pd".into(),
            name: "Police".into(),
            units: vec!["1A".into()],
            officers: vec![],
        };
        let agencies = [agency];
        check(&[beat()], &agencies).unwrap();
        type Breaks = fn(&mut BeatConfig);
        let broken: [(&str, Breaks); 6] = [
            ("beats.N1.name", |b| b.name = " ".into()),
            ("beats.N1.agency", |b| b.agency = "so".into()),
            ("beats.N1.units", |b| b.units = vec!["9Z".into()]),
            ("beats.N1.area", |b| b.area.truncate(2)),
            ("beats.N1.area", |b| b.area[0] = [91.0, 0.0]),
            ("beats.N1.districts", |b| {
                (b.area, b.districts) = (vec![], vec![]);
            }),
        ];
        for (field, breaks) in broken {
            let mut beat = beat();
            breaks(&mut beat);
            assert_eq!(check(&[beat], &agencies).unwrap_err().0, field);
        }
        assert_eq!(
            check(&[beat(), beat()], &agencies).unwrap_err().0,
            "beats.N1.id"
        );
    }
}
