#![allow(clippy::unwrap_used)]

use packet::{CallId, Caution, Compartment, Confidence, DocumentId, Entry, Finding, Note, Topic};

use super::due::{self, Due};
use super::{INTEL_DAYS_MAX, RetentionConfig, hold, purge};
use crate::intake::CallStatus;
use crate::log::{LogError, document, reach};
use crate::policy::{Actor, Role};
use crate::search::tests::{Bench, report};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// In no other word.
const NEEDLE: &str = "Zqxnarwhal";

fn ortega() -> Actor {
    Actor {
        name: "Lt. Ortega".into(),
        agency: Some("pd".into()),
        ..Actor::of(Role::Supervisor)
    }
}

fn finding() -> Entry {
    Entry::Finding(Finding {
        source: "Warrants".into(),
        title: format!("Wanted: {NEEDLE}"),
        text: "on record".into(),
        query: "person".into(),
        recorded_ms: None,
        answered_ms: 0,
        confidence: Confidence::Exact,
        topic: Topic::Wanted,
        link: None,
        ends_ms: None,
        answers: None,
    })
}

fn close(bench: &mut Bench, number: i64) {
    let mut closed = report(number, "FIGHT", "1 A ST");
    closed.status = CallStatus::Closed {
        disposition: String::new(),
    };
    closed.updated += jiff::SignedDuration::from_secs(1);
    bench.report(closed);
}

/// A closed call with a finding in `records`.
fn bench() -> (Bench, CallId, DocumentId) {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "FIGHT", "1 A ST"));
    let records = DocumentId::new(call, Compartment::Records);
    bench.append_to(records, finding());
    close(&mut bench, 1);
    (bench, call, records)
}

fn purge_it(bench: &mut Bench, document: DocumentId) -> Result<(), LogError> {
    bench.write(move |ledger| purge::purge(ledger, document, Some(&ortega()), "expunged by court"))
}

/// Every table's every value that has the needle in it, by table.
fn tables_with(bench: &Bench, needle: &str) -> Vec<String> {
    let needle = needle.to_lowercase().into_bytes();
    bench.read(|connection| {
        let mut tables = connection.prepare(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'",
        )?;
        let names: Vec<String> = tables
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut with = Vec::new();
        for name in names {
            let mut all = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
            let columns = all.column_count();
            let mut rows = all.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    let value = row.get_ref(column)?;
                    let bytes = match value {
                        rusqlite::types::ValueRef::Text(bytes)
                        | rusqlite::types::ValueRef::Blob(bytes) => bytes.to_ascii_lowercase(),
                        _ => continue,
                    };
                    if bytes.windows(needle.len()).any(|part| part == needle) {
                        with.push(name.clone());
                    }
                }
            }
        }
        with.dedup();
        Ok(with)
    })
}

#[test]
fn a_purged_document_is_nowhere_and_that_it_was_is_on_record() {
    let (mut bench, call, records) = bench();
    let note = Entry::Note(Note {
        text: "stays".into(),
        by: "an analyst".into(),
    });
    bench.append(call, note);
    // Where words stand in the clear: in the index alone. (And the check finds them.)
    assert_eq!(tables_with(&bench, "narwhal"), ["entry_words_data"]);

    purge_it(&mut bench, records).unwrap();
    assert_eq!(tables_with(&bench, "narwhal"), Vec::<String>::new());
    let wal = bench.folder().join("log.db-wal");
    assert_eq!(std::fs::metadata(wal).unwrap().len(), 0, "pages of before");
    assert!(bench.read(|c| document(c, records)).is_empty());
    assert_eq!(bench.read(|c| reach(c, records)), None);
    let left: (i64, i64) = bench.read(|c| {
        let left =
            "SELECT count(*), coalesce(sum(length(bytes)), 0) FROM changes WHERE document = ?1";
        Ok(c.query_row(left, [records.to_bytes()], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?)
    });
    assert_eq!(left, (1, 0), "its place in the log stays, empty");
    // The packet's other documents are as they were, and after the center's next start too.
    let call_document = DocumentId::new(call, Compartment::Call);
    let entries = bench.read(|c| document(c, call_document)).len();
    let mut bench = bench.again();
    assert_eq!(bench.read(|c| document(c, call_document)).len(), entries);

    // Nothing is written into it any more, and purging again finds nothing.
    let again = bench.write(move |ledger| ledger.append(records, finding()));
    assert!(matches!(again, Err(LogError::Conflict(_))), "{again:?}");
    let twice = purge_it(&mut bench, records);
    assert!(matches!(twice, Err(LogError::Unknown { .. })), "{twice:?}");
    let purged = bench.read(|c| purge::purged(c, "pd"));
    assert_eq!(purged.len(), 1);
    assert_eq!(
        (
            purged[0].document,
            purged[0].by.as_str(),
            purged[0].why.as_str()
        ),
        (records, "Lt. Ortega", "expunged by court")
    );
    let (who, detail): (String, String) = bench.read(|c| {
        let sql = "SELECT who, detail FROM audit WHERE act = 'purge records'";
        Ok(c.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
    });
    assert_eq!(who, "Lt. Ortega");
    assert!(
        detail.ends_with("their key destroyed: expunged by court"),
        "{detail}"
    );
}

#[test]
fn what_the_center_purges_by_itself_is_no_persons_act() {
    let (mut bench, _, records) = bench();
    bench
        .write(move |ledger| purge::purge(ledger, records, None, "its period is over"))
        .unwrap();
    let (who, agency, policies): (String, Option<String>, Option<String>) = bench.read(|c| {
        let sql = "SELECT who, agency, policies FROM audit WHERE act = 'purge records'";
        Ok(c.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
    });
    assert_eq!((who.as_str(), agency), ("The center, by itself", None));
    assert!(policies.is_none_or(|policies| policies == "[]"));
}

#[test]
fn of_a_purged_call_number_nature_and_place_are_gone_too() {
    let (mut bench, call, _) = bench();
    bench.append(
        call,
        Entry::Caution(Caution {
            text: format!("{NEEDLE} at the door"),
            by: "an analyst".into(),
            ends_ms: None,
        }),
    );
    for compartment in [Compartment::Call, Compartment::Safety, Compartment::Records] {
        purge_it(&mut bench, DocumentId::new(call, compartment)).unwrap();
    }
    assert_eq!(tables_with(&bench, "narwhal"), Vec::<String>::new());
    // (The kept audit log names the call by its id.)
    assert_eq!(tables_with(&bench, "1 A ST"), Vec::<String>::new());
    let nature: String = bench.read(|c| {
        let sql = "SELECT nature FROM calls WHERE call = ?1";
        Ok(c.query_row(sql, [call.0.cast_signed()], |row| row.get(0))?)
    });
    assert_eq!(nature, purge::PURGED_NATURE);
}

#[test]
fn what_is_on_hold_or_of_an_open_call_is_purged_by_nobody() {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "FIGHT", "1 A ST"));
    let records = DocumentId::new(call, Compartment::Records);
    bench.append_to(records, finding());
    let open = purge_it(&mut bench, records);
    assert!(matches!(open, Err(LogError::Conflict(_))), "{open:?}");
    close(&mut bench, 1);

    let begin = move |ledger: &mut crate::log::Ledger<'_>| {
        hold::begin(ledger, records, &ortega(), "case 26-CF-9")
    };
    bench.write(begin).unwrap();
    assert!(matches!(bench.write(begin), Err(LogError::Conflict(_))));
    let held = purge_it(&mut bench, records);
    assert!(matches!(held, Err(LogError::Conflict(_))), "{held:?}");
    assert_eq!(bench.read(|c| document(c, records)).len(), 1);
    assert_eq!(
        bench.read(|c| hold::in_force(c, "pd"))[0].why,
        "case 26-CF-9"
    );

    let end = move |ledger: &mut crate::log::Ledger<'_>| {
        hold::end(ledger, records, &ortega(), "dismissed")
    };
    bench.write(end).unwrap();
    assert!(matches!(bench.write(end), Err(LogError::Conflict(_))));
    purge_it(&mut bench, records).unwrap();
    let on_record: Vec<String> = bench.read(|c| {
        let mut rows =
            c.prepare("SELECT detail FROM audit WHERE act = 'retain records' ORDER BY id")?;
        let rows = rows.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    assert_eq!(
        on_record,
        ["on hold: case 26-CF-9", "no longer on hold: dismissed"]
    );
}

#[test]
fn a_period_runs_from_the_first_entry_or_the_last_review_and_by_compartment() {
    let (mut bench, call, records) = bench();
    let intel = DocumentId::new(call, Compartment::Intel);
    let first_ms = bench.append_to(intel, finding()).received_ms;
    let config = RetentionConfig {
        records_days: Some(10),
        ..RetentionConfig::default()
    };
    let at = |bench: &Bench, days: i64| -> Vec<DocumentId> {
        let until_ms = first_ms + days * DAY_MS + 60_000;
        let found = bench.read(|c| due::before(c, &config, until_ms, Some("pd")));
        let elsewhere = bench.read(|c| due::before(c, &config, until_ms, Some("so")));
        assert_eq!(elsewhere, []);
        found
            .into_iter()
            .map(|Due { document, .. }| document)
            .collect()
    };
    assert_eq!(at(&bench, 9), []);
    assert_eq!(at(&bench, 10), [records]);
    let years = i64::from(INTEL_DAYS_MAX);
    assert_eq!(
        at(&bench, years),
        [records, intel],
        "and the packet's own are kept"
    );
    bench
        .write(move |ledger| {
            let reviewed_ms = ledger.now_ms() + 5 * DAY_MS;
            hold::retain(ledger, records, &ortega(), "still wanted")?;
            ledger
                .sql()
                .execute("UPDATE retained SET at_ms = ?1", [reviewed_ms])?;
            Ok(())
        })
        .unwrap();
    assert_eq!(at(&bench, 14), []);
    assert_eq!(at(&bench, 16), [records]);
    // What is on hold has no end, and takes nobody's place in the list.
    bench
        .write(move |ledger| hold::begin(ledger, records, &ortega(), "case 26-CF-9"))
        .unwrap();
    assert_eq!(at(&bench, 16), []);
}

#[test]
fn a_configuration_that_keeps_intelligence_for_longer_is_refused_by_its_field() {
    let refused = |config: RetentionConfig| config.check().unwrap_err().0;
    let longer = RetentionConfig {
        intel_days: INTEL_DAYS_MAX + 1,
        ..RetentionConfig::default()
    };
    assert_eq!(refused(longer), "retention.intel_days");
    let never = RetentionConfig {
        call_days: Some(0),
        ..RetentionConfig::default()
    };
    assert_eq!(refused(never), "retention.call_days");
    RetentionConfig::default().check().unwrap();
}
