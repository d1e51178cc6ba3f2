//! Calls that are open near by now.

use packet::{CallId, Finding, Topic};
use rusqlite::{Connection, params};

use super::{Answer, finding, lines};
use crate::log::LogError;
use crate::search::place::{Point, way};

/// As screens show it.
pub const SOURCE: &str = "Open calls";
/// What is near by.
pub const RADIUS_M: u32 = 500;
/// Most calls that the finding names, the nearest first.
const NAMED_MAX: usize = 5;
/// Most that are looked at.
const LOOKED_AT_MAX: usize = 500;

struct Near {
    metres: f64,
    line: String,
}

/// `named` is a condition on the calls that may be named, which stand in the query as `c`.
pub(super) fn open_calls(
    connection: &Connection,
    call: CallId,
    point: Point,
    named: &str,
    now_ms: i64,
) -> Result<Answer, LogError> {
    let around = point.around(RADIUS_M);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT nature, location, priority, south, west FROM call_places AS p
         JOIN calls AS c ON c.call = p.call
         WHERE south >= ?1 AND north <= ?2 AND west >= ?3 AND east <= ?4
         AND c.call <> ?5 AND open = 1 AND {named} ORDER BY received_ms DESC LIMIT {LOOKED_AT_MAX}"
    ))?;
    let rows = statement.query_map(
        params![
            around.south,
            around.north,
            around.west,
            around.east,
            call.0.cast_signed()
        ],
        |row| {
            let at = Point {
                latitude_e6: row.get(3)?,
                longitude_e6: row.get(4)?,
            };
            let metres = point.metres_to(at);
            let way = way(metres, point.bearing_to(at));
            let (nature, location): (String, String) = (row.get(0)?, row.get(1)?);
            let priority: u8 = row.get(2)?;
            Ok(Near {
                metres,
                line: format!("{way}: {nature}, {location}, priority {priority}"),
            })
        },
    )?;
    let mut near: Vec<Near> = rows.collect::<Result<_, _>>()?;
    near.retain(|near| near.metres <= f64::from(RADIUS_M));
    near.sort_by(|a, b| a.metres.total_cmp(&b.metres));
    let query = format!("within {RADIUS_M} m");
    let named: Vec<String> = near
        .iter()
        .take(NAMED_MAX)
        .map(|near| near.line.clone())
        .collect();
    let found = (!near.is_empty()).then(|| Finding {
        title: match near.len() {
            1 => format!("1 open call within {RADIUS_M} m"),
            count => format!("{count} open calls within {RADIUS_M} m"),
        },
        text: lines(&named),
        ..finding(SOURCE, Topic::Near, &query, now_ms)
    });
    Ok(Answer::new(SOURCE, &query, found.into_iter().collect()))
}
