//! Earlier calls: here, in this building, near by; and those that name the same plate,
//! phone or person. Each with what came of it.

use std::collections::HashSet;

use jiff::Timestamp;
use packet::glance::names_violence;
use packet::{Confidence, Finding, Mention, MentionWhat, QueryWhat, Subject, Topic};
use rusqlite::{Connection, Row, params};

use super::{Answer, Place, finding, lines};
use crate::log::{Ledger, LogError};
use crate::mentions;
use crate::search::place::{Point, way};
use crate::search::{self, terms_of};

/// As screens show it.
pub const SOURCE: &str = "Earlier calls";
/// What is near by.
pub const RADIUS_M: u32 = 100;
/// How long near by matters.
pub const NEAR_DAYS: i64 = 30;
/// Most earlier calls that one finding names, the newest first.
const NAMED_MAX: usize = 5;
/// Most that are looked at for one finding, the newest.
const LOOKED_AT_MAX: usize = 500;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// One earlier call.
#[derive(Debug, Clone)]
struct Call {
    call: i64,
    received_ms: i64,
    nature: String,
    open: bool,
    disposition: String,
}

const COLUMNS: &str = "c.call, c.received_ms, c.nature, c.open, coalesce(i.disposition, '')";

fn read(row: &Row<'_>) -> rusqlite::Result<Call> {
    Ok(Call {
        call: row.get(0)?,
        received_ms: row.get(1)?,
        nature: row.get(2)?,
        open: row.get(3)?,
        disposition: row.get(4)?,
    })
}

impl Call {
    fn line(&self) -> String {
        let when = Timestamp::from_millisecond(self.received_ms).map_or_else(
            |_| "?".to_owned(),
            |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        );
        let outcome = match (self.open, self.disposition.as_str()) {
            (true, _) => "open now",
            (false, "") => "closed",
            (false, disposition) => disposition,
        };
        format!("{when}: {} – {outcome}", self.nature)
    }

    fn is_violent(&self) -> bool {
        names_violence(&self.nature) || names_violence(&self.disposition)
    }
}

/// What happened at this address, in its building and near by before.
pub(super) fn at(connection: &Connection, place: &Place, now_ms: i64) -> Result<Answer, LogError> {
    let building = &place.address.building;
    let mut findings = Vec::new();
    if !building.is_empty() {
        let all = in_building(connection, place)?;
        let is_here = |(_, unit): &(Call, String)| same_unit(unit, &place.address.unit);
        let (here, beside): (Vec<_>, Vec<_>) = all.into_iter().partition(is_here);
        let [here, beside] =
            [here, beside].map(|calls| calls.into_iter().map(|(call, _)| call).collect::<Vec<_>>());
        findings.extend(told(&here, "here", Confidence::Exact, building, now_ms));
        findings.extend(told(
            &beside,
            "at other units of this building",
            Confidence::Partial,
            building,
            now_ms,
        ));
    }
    if let Some(point) = place.point {
        let near = near_by(connection, place, point, now_ms)?;
        let where_ = format!("within {RADIUS_M} m in {NEAR_DAYS} days");
        findings.extend(told(&near, &where_, Confidence::Nearby, building, now_ms));
    }
    let query = if building.is_empty() {
        "this place"
    } else {
        building
    };
    Ok(Answer::new(SOURCE, query, findings))
}

/// The newest calls of this building, each with the unit in it that it was about.
fn in_building(connection: &Connection, place: &Place) -> Result<Vec<(Call, String)>, LogError> {
    let named = &place.named;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, c.apartment FROM calls AS c LEFT JOIN call_outcomes AS i ON i.call = c.call
         WHERE c.address = ?1 AND c.call <> ?2 AND {named} ORDER BY c.received_ms DESC LIMIT {LOOKED_AT_MAX}"
    ))?;
    let rows = statement.query_map(
        params![place.address.building, place.call.0.cast_signed()],
        |row| Ok((read(row)?, row.get(5)?)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// `# 4` says that it is the fourth of something: an apartment or a suite alike.
fn same_unit(one: &str, other: &str) -> bool {
    let of = |unit: &str| {
        unit.strip_prefix('#')
            .map(|number| number.trim().to_owned())
    };
    let number = |unit: &str| unit.rsplit(' ').next().unwrap_or_default().to_owned();
    match (of(one), of(other)) {
        (None, None) | (Some(_), Some(_)) => one == other,
        (Some(bare), None) => bare == number(other),
        (None, Some(bare)) => bare == number(one),
    }
}

fn near_by(
    connection: &Connection,
    place: &Place,
    point: Point,
    now_ms: i64,
) -> Result<Vec<Call>, LogError> {
    let (around, named) = (point.around(RADIUS_M), &place.named);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, south, west FROM call_places AS p
         JOIN calls AS c ON c.call = p.call LEFT JOIN call_outcomes AS i ON i.call = p.call
         WHERE south >= ?1 AND north <= ?2 AND west >= ?3 AND east <= ?4
         AND c.call <> ?5 AND c.address <> ?6 AND c.received_ms >= ?7 AND {named}
         ORDER BY c.received_ms DESC LIMIT {LOOKED_AT_MAX}"
    ))?;
    let rows = statement.query_map(
        params![
            around.south,
            around.north,
            around.west,
            around.east,
            place.call.0.cast_signed(),
            place.address.building,
            now_ms - NEAR_DAYS * DAY_MS
        ],
        |row| {
            let at = Point {
                latitude_e6: row.get(5)?,
                longitude_e6: row.get(6)?,
            };
            Ok((read(row)?, at))
        },
    )?;
    let all: Vec<(Call, Point)> = rows.collect::<Result<_, _>>()?;
    let near = all
        .into_iter()
        .map(|(call, at)| (call, point.metres_to(at), point.bearing_to(at)))
        .filter(|(_, metres, _)| *metres <= f64::from(RADIUS_M))
        .map(|(call, metres, bearing)| Call {
            nature: format!("{} ({})", call.nature, way(metres, bearing)),
            ..call
        });
    Ok(near.collect())
}

/// One finding that names the newest, counts all, and says how many were violent.
fn told(
    calls: &[Call],
    place: &str,
    confidence: Confidence,
    query: &str,
    now_ms: i64,
) -> Option<Finding> {
    let newest = calls.first()?;
    let count = if calls.len() == LOOKED_AT_MAX {
        format!("{LOOKED_AT_MAX} or more earlier calls")
    } else if calls.len() == 1 {
        "1 earlier call".into()
    } else {
        format!("{} earlier calls", calls.len())
    };
    let violent = match calls.iter().filter(|call| call.is_violent()).count() {
        0 => String::new(),
        violent => format!(", {violent} with violence"),
    };
    let named: Vec<String> = calls.iter().take(NAMED_MAX).map(Call::line).collect();
    Some(Finding {
        title: format!("{count} {place}{violent}"),
        text: lines(&named),
        recorded_ms: Some(newest.received_ms),
        confidence,
        ..finding(SOURCE, Topic::Earlier, query, now_ms)
    })
}

/// Earlier calls that name what this packet's words name; `None` for what is not looked up.
pub(super) fn with_mention(
    connection: &Connection,
    place: &Place,
    mention: &Mention,
    now_ms: i64,
) -> Result<Option<Answer>, LogError> {
    with(connection, place, mention.what, &mention.value, now_ms)
}

/// As [`with_mention`], for a value alone.
pub(super) fn with(
    connection: &Connection,
    place: &Place,
    what: MentionWhat,
    value: &str,
    now_ms: i64,
) -> Result<Option<Answer>, LogError> {
    let (name, confidence) = match what {
        MentionWhat::Plate => ("plate", Confidence::Exact),
        MentionWhat::Phone => ("phone", Confidence::Exact),
        // Two people may have one name.
        MentionWhat::Person => ("person", Confidence::Partial),
        MentionWhat::PartialPlate
        | MentionWhat::Vehicle
        | MentionWhat::Address
        | MentionWhat::Weapon
        | MentionWhat::Danger => return Ok(None),
    };
    let query = format!("{name} {value}");
    let (named, in_words) = naming(connection, place, what, value)?;
    let mut findings = Vec::new();
    let with = format!("with {query}");
    findings.extend(told(&named, &with, confidence, &query, now_ms));
    let with = format!("whose words have {query}");
    findings.extend(told(&in_words, &with, Confidence::Partial, &query, now_ms));
    for finding in &mut findings {
        finding.title = super::cut(&finding.title, packet::entry::NAME_CHARS_MAX);
    }
    Ok(Some(Answer::new(SOURCE, &query, findings)))
}

/// The calls, other than this one, in which the value was named or asked for; and those in
/// whose words alone it stands. The one place where packets are looked up by such a value.
fn naming(
    connection: &Connection,
    place: &Place,
    what: MentionWhat,
    value: &str,
) -> Result<(Vec<Call>, Vec<Call>), LogError> {
    let mut known = HashSet::new();
    let mut all = mentioning(connection, place, what, value)?;
    if let Some(term) = terms_of(what, value) {
        all.extend(saying(connection, place, &term)?);
    }
    let mut of = |is_named: bool| -> Vec<Call> {
        let mut calls: Vec<Call> = all
            .iter()
            .filter(|(found, named)| *named == is_named && known.insert(found.call))
            .map(|(found, _)| found.clone())
            .collect();
        calls.sort_by_key(|call| std::cmp::Reverse(call.received_ms));
        calls.truncate(LOOKED_AT_MAX);
        calls
    };
    let named = of(true);
    Ok((named, of(false)))
}

/// By the index of what words name ([`mentions`]), but for what was withdrawn.
fn mentioning(
    connection: &Connection,
    place: &Place,
    what: MentionWhat,
    value: &str,
) -> Result<Vec<(Call, bool)>, LogError> {
    let named = &place.named;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM mentions AS m JOIN calls AS c ON c.call = m.call
         LEFT JOIN call_outcomes AS i ON i.call = m.call
         WHERE m.what = ?1 AND m.key = ?2 AND m.call <> ?3 AND {named}
         AND NOT EXISTS (SELECT 1 FROM search_entries AS e WHERE e.seq = m.seq AND e.corrected = 1)
         ORDER BY c.received_ms DESC LIMIT {LOOKED_AT_MAX}"
    ))?;
    let rows = statement.query_map(
        params![
            mentions::name(what),
            mentions::key(what, &in_one_form(what, value)),
            place.call.0.cast_signed()
        ],
        read,
    )?;
    let calls: Vec<Call> = rows.collect::<Result<_, _>>()?;
    Ok(calls.into_iter().map(|call| (call, true)).collect())
}

/// As a mention has it, whoever typed it.
fn in_one_form(what: MentionWhat, value: &str) -> String {
    let asked = match what {
        MentionWhat::Plate => QueryWhat::Plate,
        MentionWhat::Phone => QueryWhat::Phone,
        MentionWhat::Person => QueryWhat::Person,
        _ => return value.to_owned(),
    };
    Subject::parse(asked, value).map_or_else(|_| value.to_owned(), |subject| subject.shown())
}

/// By the words of entries: a query names what it asks about, all else only has it.
fn saying(
    connection: &Connection,
    place: &Place,
    term: &str,
) -> Result<Vec<(Call, bool)>, LogError> {
    let named = &place.named;
    let within = search::sql_list(&Ledger::carried());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS}, e.kind = 'query' FROM entry_words AS w
         JOIN search_entries AS e ON e.seq = w.rowid
         JOIN calls AS c ON c.call = e.call LEFT JOIN call_outcomes AS i ON i.call = e.call
         WHERE w.entry_words MATCH ?1 AND e.compartment IN ({within}) AND e.corrected = 0
         AND e.call <> ?2 AND {named} ORDER BY w.rowid DESC LIMIT {LOOKED_AT_MAX}"
    ))?;
    let rows = statement.query_map(params![term, place.call.0.cast_signed()], |row| {
        Ok((read(row)?, row.get::<_, bool>(5)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_the_unit_that_has_it() {
        for (one, other, same) in [
            ("APT 4", "# 4", true),
            ("# 4", "STE 4", true),
            ("APT 4", "STE 4", false),
            ("# 4", "# 5", false),
            ("", "", true),
            ("", "# 4", false),
            ("LOWR", "LOWR", true),
            ("LOWR", "UPPR", false),
        ] {
            assert_eq!(same_unit(one, other), same, "{one} {other}");
            assert_eq!(same_unit(other, one), same, "{other} {one}");
        }
    }
}
