//! Cautions that are derived from a restricted record: *armed, caution*, without the record.
//!
//! `safety` is read by everybody who has the call, so what comes there of a source whose
//! findings stand in `records`, `juvenile` or `intel` is a release of it. It goes by itself
//! where the agency that owns the source has approved that before for what the record is
//! about (`releases` in `[[sources]]`); else it is held, and waits for a person who may
//! release it ([`crate::policy::Act::ReleaseCaution`] of the source). Either way it is on
//! record: by which rule or by whom, and when.

use packet::{CallId, Caution, Compartment, DocumentId, Entry};
use rusqlite::{Connection, OptionalExtension, params};

use super::config::{ReleaseRule, SourceConfig};
use super::map::Brings;
use crate::audit::{self, Record};
use crate::log::{Happening, Ledger, LogError};
use crate::policy::{Act, CENTER};

/// Most that wait of one call.
const HELD_PER_CALL_MAX: i64 = 64;

/// A caution that waits for a person.
#[derive(Debug, Clone)]
pub struct Held {
    pub number: i64,
    pub call: CallId,
    pub source: String,
    /// Whose the source is.
    pub agency: String,
    pub compartment: Compartment,
    pub caution: Caution,
    pub at_ms: i64,
}

/// The rule by which a caution of this answer goes by itself.
fn rule<'a>(source: &'a SourceConfig, brings: &Brings) -> Option<&'a ReleaseRule> {
    let is_of = |rule: &&ReleaseRule| brings.findings.iter().any(|f| f.topic == rule.topic);
    source.releases.iter().find(is_of)
}

/// Writes a caution of a source's answer, or holds it.
///
/// # Errors
/// When the entry breaks a limit or the store fails.
pub(super) fn write_or_hold(
    ledger: &mut Ledger<'_>,
    source: &SourceConfig,
    call: CallId,
    brings: &Brings,
    caution: &Caution,
) -> Result<(), LogError> {
    let safety = DocumentId::new(call, Compartment::Safety);
    if Ledger::carried().contains(&source.compartment) {
        ledger.append(safety, Entry::Caution(caution.clone()))?;
        return Ok(());
    }
    let place = source.compartment.name();
    let detail = match rule(source, brings) {
        Some(rule) => {
            let appended = ledger.append(safety, Entry::Caution(caution.clone()))?;
            format!(
                "{}, of {place}: released as {} by the rule that {} approved on {}",
                source.name, appended.seq, rule.approved_by, rule.on
            )
        }
        None => {
            hold(ledger, source, call, caution)?;
            format!("{}, of {place}: held for a person", source.name)
        }
    };
    record(ledger, "The center, by itself", call, true, detail)
}

fn hold(
    ledger: &mut Ledger<'_>,
    source: &SourceConfig,
    call: CallId,
    caution: &Caution,
) -> Result<(), LogError> {
    let text = serde_json::to_string(caution).map_err(|e| LogError::Store(e.to_string()))?;
    let number = call.0.cast_signed();
    // The same answer asked for again is the same caution.
    let is_there = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM held_cautions WHERE call = ?1 AND source = ?2 AND caution = ?3",
        )?
        .exists(params![number, source.name, text])?;
    let waiting: i64 = ledger
        .sql()
        .prepare_cached(
            "SELECT count(*) FROM held_cautions WHERE call = ?1 AND decided_ms IS NULL",
        )?
        .query_row([number], |row| row.get(0))?;
    if is_there || waiting >= HELD_PER_CALL_MAX {
        return Ok(());
    }
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO held_cautions (call, source, agency, compartment, caution, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            number,
            source.name,
            source.agency.as_deref().unwrap_or(CENTER),
            source.compartment as u8,
            text,
            ledger.now_ms()
        ])?;
    ledger.tell(Happening::Held(call));
    Ok(())
}

const COLUMNS: &str = "held, call, source, agency, compartment, caution, at_ms";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Held>> {
    let compartment = Compartment::ALL
        .into_iter()
        .find(|compartment| *compartment as i64 == row.get::<_, i64>(4).unwrap_or(-1));
    let caution: Option<Caution> = serde_json::from_str(&row.get::<_, String>(5)?).ok();
    let (Some(compartment), Some(caution)) = (compartment, caution) else {
        return Ok(None);
    };
    Ok(Some(Held {
        number: row.get(0)?,
        call: CallId(row.get::<_, i64>(1)?.cast_unsigned()),
        source: row.get(2)?,
        agency: row.get(3)?,
        compartment,
        caution,
        at_ms: row.get(6)?,
    }))
}

/// What waits, the oldest first: of this call, or of all that are open.
///
/// # Errors
/// When the store fails.
pub fn waiting(connection: &Connection, call: Option<CallId>) -> Result<Vec<Held>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM held_cautions AS h
         WHERE decided_ms IS NULL AND (?1 = h.call OR ?1 IS NULL AND EXISTS
             (SELECT 1 FROM calls WHERE calls.call = h.call AND open = 1))
         ORDER BY held LIMIT 200"
    ))?;
    let rows = statement.query_map([call.map(|call| call.0.cast_signed())], read)?;
    let all: Vec<Option<Held>> = rows.collect::<Result<_, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// One that waits, of this call.
///
/// # Errors
/// When the store fails.
pub fn find(connection: &Connection, call: CallId, number: i64) -> Result<Option<Held>, LogError> {
    let held = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM held_cautions
             WHERE held = ?1 AND call = ?2 AND decided_ms IS NULL"
        ))?
        .query_row(params![number, call.0.cast_signed()], read)
        .optional()?;
    Ok(held.flatten())
}

/// A person has decided: it is written into `safety`, or it is not. Who may is decided before.
///
/// # Errors
/// When it does not wait, or the store fails.
pub fn settle(
    ledger: &mut Ledger<'_>,
    call: CallId,
    number: i64,
    released: bool,
    by: &str,
) -> Result<(), LogError> {
    let held = find(ledger.sql(), call, number)?.ok_or_else(|| LogError::Unknown {
        what: "caution that waits",
        id: number.to_string(),
    })?;
    ledger
        .sql()
        .prepare_cached(
            "UPDATE held_cautions SET decided_ms = ?2, decided_by = ?3, released = ?4 WHERE held = ?1",
        )?
        .execute(params![number, ledger.now_ms(), by, released])?;
    let place = held.compartment.name();
    let detail = if released {
        let safety = DocumentId::new(call, Compartment::Safety);
        let appended = ledger.append(safety, Entry::Caution(held.caution))?;
        format!("{}, of {place}: released as {}", held.source, appended.seq)
    } else {
        format!("{}, of {place}: not released", held.source)
    };
    ledger.tell(Happening::Held(call));
    record(ledger, by, call, released, detail)
}

fn record(
    ledger: &Ledger<'_>,
    who: &str,
    call: CallId,
    allowed: bool,
    detail: String,
) -> Result<(), LogError> {
    audit::record(
        ledger,
        &Record {
            object: call.to_string(),
            allowed,
            detail,
            ..Record::of(who, Act::ReleaseCaution)
        },
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use packet::{Confidence, Finding, Topic};

    use super::*;
    use crate::enrich::config::{Asks, ReleaseRule};
    use crate::enrich::map::Gives;
    use crate::log::document;
    use crate::search::tests::{Bench, report};

    fn source(rule: Option<Topic>) -> SourceConfig {
        let mut source =
            SourceConfig::over_http("Warrants", Asks::Person, Gives::Records, String::new());
        source.agency = Some("pd".into());
        source.compartment = Compartment::Records;
        source.releases = rule
            .into_iter()
            .map(|topic| ReleaseRule {
                topic,
                approved_by: "Lt. Ortega".into(),
                on: "2026-11-01".parse().unwrap(),
            })
            .collect();
        source
    }

    fn answer() -> Brings {
        Brings {
            findings: vec![Finding {
                source: "Warrants".into(),
                title: "Wanted for armed robbery".into(),
                text: "on record".into(),
                query: "person".into(),
                recorded_ms: None,
                answered_ms: 0,
                confidence: Confidence::Exact,
                topic: Topic::Wanted,
                link: None,
                ends_ms: None,
                answers: None,
            }],
            cautions: vec![Caution {
                text: "Armed, caution".into(),
                by: "Warrants".into(),
                ends_ms: None,
            }],
            left_out: 0,
        }
    }

    fn bring(bench: &mut Bench, source: SourceConfig, call: CallId) {
        let write = bench.write(move |ledger| {
            let brings = answer();
            write_or_hold(ledger, &source, call, &brings, &brings.cautions[0])
        });
        write.unwrap();
    }

    fn cautions(bench: &Bench, call: CallId) -> usize {
        let safety = DocumentId::new(call, Compartment::Safety);
        let logged = bench.read(|connection| document(connection, safety));
        let is_caution = |entry: &Entry| matches!(entry, Entry::Caution(_));
        let entries = logged.iter().map(|logged| &logged.inspected.written.entry);
        entries.filter(|entry| is_caution(entry)).count()
    }

    fn on_record(bench: &Bench) -> Vec<(String, bool, String)> {
        bench.read(|connection| {
            let mut statement = connection
                .prepare("SELECT who, allowed, detail FROM audit WHERE act = 'ReleaseCaution'")?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    #[test]
    fn what_the_agency_approved_goes_by_itself_and_by_which_rule_is_on_record() {
        let mut bench = Bench::new();
        let call = bench.report(report(1, "FIGHT", "1 A ST"));
        bring(&mut bench, source(Some(Topic::Wanted)), call);
        assert_eq!(cautions(&bench, call), 1);
        assert!(bench.read(|c| waiting(c, None)).is_empty());
        let (_, allowed, detail) = on_record(&bench).remove(0);
        assert!(
            allowed && detail.contains("approved on 2026-11-01"),
            "{detail}"
        );
        assert!(detail.contains("Lt. Ortega"), "{detail}");
    }

    #[test]
    fn all_else_waits_for_a_person_once_and_their_word_is_on_record() {
        let mut bench = Bench::new();
        let call = bench.report(report(1, "FIGHT", "1 A ST"));
        for rule in [None, Some(Topic::Stolen)] {
            bring(&mut bench, source(rule), call);
        }
        assert_eq!(cautions(&bench, call), 0);
        let held = bench.read(|c| waiting(c, Some(call)));
        assert_eq!(held.len(), 1);
        let number = held[0].number;
        let elsewhere = bench.report(report(2, "FIGHT", "2 A ST"));
        let not_of_it = bench.write(move |l| settle(l, elsewhere, number, true, "Novak"));
        assert!(matches!(not_of_it, Err(LogError::Unknown { .. })));

        bench
            .write(move |l| settle(l, call, number, true, "Novak"))
            .unwrap();
        assert_eq!(cautions(&bench, call), 1);
        assert!(bench.read(|c| waiting(c, Some(call))).is_empty());
        let again = bench.write(move |l| settle(l, call, number, false, "Novak"));
        assert!(matches!(again, Err(LogError::Unknown { .. })));
        let (who, allowed, detail) = on_record(&bench).pop().unwrap();
        assert_eq!((who.as_str(), allowed), ("Novak", true));
        assert!(
            detail.contains("Warrants, of records: released as"),
            "{detail}"
        );
    }

    #[test]
    fn what_is_not_released_is_on_record_and_nowhere_else() {
        let mut bench = Bench::new();
        let call = bench.report(report(1, "FIGHT", "1 A ST"));
        bring(&mut bench, source(None), call);
        let number = bench.read(|c| waiting(c, Some(call)))[0].number;
        bench
            .write(move |l| settle(l, call, number, false, "Novak"))
            .unwrap();
        assert_eq!(cautions(&bench, call), 0);
        let (_, allowed, detail) = on_record(&bench).pop().unwrap();
        assert!(!allowed && detail.ends_with("not released"), "{detail}");
        // The same answer again does not ask again.
        bring(&mut bench, source(None), call);
        assert!(bench.read(|c| waiting(c, Some(call))).is_empty());
    }
}
