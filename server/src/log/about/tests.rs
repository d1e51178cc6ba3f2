#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use packet::CallId;

use super::super::{begin_anew_at, copy, schema};
use super::*;
use crate::audit::Record;
use crate::log::Ledger;
use crate::policy::{Act, Actor, Role};
use crate::retention::purge::purge;
use crate::search::tests::{Bench, note, report};

/// The bench's.
const KEY: [u8; 32] = [2; 32];

/// Tables without a word about a document that a purge has to reach, and why.
const NOT_ABOUT_DOCUMENTS: &[(&str, &str)] = &[
    ("audit", "who saw what stays"),
    ("audit_checkpoints", "the audit log"),
    ("audit_cosignatures", "the audit log"),
    ("audit_failures", "the audit log"),
    ("audit_nodes", "the audit log"),
    ("audit_reviews", "the audit log"),
    (
        "audit_subject_keys",
        "the audit log, which forgets by itself",
    ),
    ("audit_subjects", "the audit log, by keyed hashes"),
    ("bad_tries", "people"),
    ("beat_packets", "which packet a beat has"),
    ("beat_premises", "lists, by numbers"),
    ("beats", "configuration"),
    ("cad_files", "a CAD's own names"),
    ("cad_positions", "how far a CAD was read"),
    ("cad_rows", "how far a CAD was read"),
    ("carriers", "who had what stays"),
    ("console_sessions", "people"),
    ("contacts", "devices"),
    ("deliveries", "who had what stays"),
    ("devices", "devices"),
    ("enrolment_codes", "devices"),
    ("erase_orders", "devices"),
    ("erasures", "devices"),
    ("grants", "who had what stays"),
    ("holds", "why something was kept stays"),
    ("hot_keys", "a list, with ends of its own"),
    ("hot_list", "a list, with ends of its own"),
    ("meta", "the log itself"),
    ("passkeys", "people"),
    ("people", "people"),
    ("plate_reads", "hours, then deleted"),
    ("premises", "a list, with ends of its own"),
    ("purges", "what was purged, and why, stays"),
    ("receipts", "who had what stays"),
    ("retained", "why something was kept stays"),
    ("saved_searches", "what people look for"),
    ("shifts", "people"),
    ("sign_in_links", "people"),
];
/// … that the running store keeps sealed.
const SEALED_ALWAYS: &[&str] = &["changes", "chunks"];
/// … sealed under contents' own keys.
const OF_CONTENTS: &[&str] = &["contents"];
/// … whose rows are in the file of document keys.
const KEYS: &[&str] = &["document_keys", "content_keys"];
/// … that a backup is without (`search::index::leave_out`), and the tables under them.
const MADE_AGAIN: &[&str] = &[
    "call_outcomes",
    "call_places",
    "entry_words",
    "search_entries",
];

fn tables(connection: &Connection) -> Vec<String> {
    let mut names = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        .unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn is_made_again(table: &str) -> bool {
    let is_under = |of: &str| table == of || table.starts_with(&format!("{of}_"));
    MADE_AGAIN.iter().any(|of| is_under(of))
}

#[test]
fn whether_its_rows_are_about_documents_is_decided_for_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = schema::open(&folder.path().join("log.db"), &KEY).unwrap();
    let listed = TABLES.iter().map(|(table, _)| *table);
    let listed = listed.chain(NOT_ABOUT_DOCUMENTS.iter().map(|(table, _)| *table));
    let listed = listed.chain([SEALED_ALWAYS, OF_CONTENTS, KEYS].concat());
    let mut count = BTreeMap::<String, u32>::new();
    for table in listed.map(str::to_owned) {
        *count.entry(table).or_default() += 1;
    }
    for table in tables(&store) {
        if is_made_again(&table) {
            continue;
        }
        assert_eq!(
            count.remove(&table),
            Some(1),
            "{table}: is a row of it about a document? It belongs in one list of log::about or of its tests"
        );
    }
    assert!(count.is_empty(), "no such table any more: {count:?}");
}

/// In no word that is not about this document.
fn needle(document: DocumentId) -> String {
    format!(
        "zqx{:x}narwhal{}",
        document.call.0, document.compartment as u8
    )
}

fn blob(document: DocumentId) -> Vec<u8> {
    let mut blob = needle(document).into_bytes();
    blob.resize(32, b'.');
    blob
}

/// A row about the document in every table that may have one, with its needle in each column
/// that takes words or bytes; and a content, whole.
fn fill(ledger: &Ledger<'_>, document: DocumentId, seq: u64) -> Result<(), LogError> {
    let needle = needle(document);
    let is_packets_own = document.compartment == Compartment::Call;
    for (table, about) in TABLES {
        if matches!(about, About::Call | About::Eido) && !is_packets_own {
            continue;
        }
        let mut columns = ledger
            .sql()
            .prepare("SELECT name, type FROM pragma_table_info(?1) ORDER BY cid")?;
        let columns: Vec<(String, String)> = columns
            .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let value = |name: &str, kind: &str| match (name, kind) {
            ("document", _) => Value::Blob(document.to_bytes().to_vec()),
            ("call", _) => Value::Integer(document.call.0.cast_signed()),
            ("compartment", _) => Value::Integer((document.compartment as u8).into()),
            ("seq", _) => Value::Integer(seq.cast_signed()),
            ("agency", _) => Value::Text("pd".into()),
            ("open", _) => Value::Integer(0),
            ("blob" | "thumbnail", _) => Value::Blob(blob(document)),
            (_, "TEXT") => Value::Text(format!("{needle} {name}")),
            (_, "BLOB") => Value::Blob(needle.clone().into_bytes()),
            // Of keys, too: each document's is another.
            _ => Value::Integer(1_000 + seq.cast_signed()),
        };
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let values = columns.iter().map(|(name, kind)| value(name, kind));
        ledger.sql().execute(
            &format!(
                "INSERT OR REPLACE INTO {table} ({}) VALUES ({})",
                names.join(", "),
                vec!["?"; names.len()].join(", ")
            ),
            params_from_iter(values),
        )?;
    }
    content(ledger, &blob(document), &needle, None)
}

fn content(
    ledger: &Ledger<'_>,
    blob: &[u8],
    words: &str,
    device: Option<u32>,
) -> Result<(), LogError> {
    let (content, key) = ledger.fresh_content();
    let sql = ledger.sql();
    sql.execute(
        "INSERT INTO contents VALUES (?1, ?2, ?3, ?4, ?4, 0)",
        params![content, blob, device, words.len()],
    )?;
    sql.execute(
        "INSERT INTO content_keys VALUES (?1, ?2)",
        params![content, key],
    )?;
    sql.execute(
        "INSERT INTO chunks SELECT ?1, 0, sealed(?2, ?1, 0, 2, ?3)",
        params![content, key, words.as_bytes()],
    )?;
    Ok(())
}

type Rows = BTreeMap<String, BTreeSet<String>>;

/// Every row of every table, and of what the log's and contents' sealed bytes are.
fn rows(store: &Connection) -> Rows {
    let mut all = Rows::new();
    let sources = tables(store).into_iter().chain([
        "readable".to_owned(),
        "(SELECT content, opened(key, content, at, 2, data) AS chunk FROM chunks JOIN content_keys USING (content))".to_owned(),
    ]);
    for table in sources {
        // What holds no row of its own is read by the tables under it.
        if table == "entry_words" || table == "call_places" {
            continue;
        }
        let mut statement = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values = (0..columns).map(|at| match row.get_ref(at).unwrap() {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    // As bytes are, so that what stands in them is found.
                    bytes.iter().map(|byte| char::from(*byte)).collect()
                }
                other => format!("{other:?}"),
            });
            let row = values.collect::<Vec<String>>().join("|").to_lowercase();
            all.entry(table.clone()).or_default().insert(row);
        }
    }
    all
}

/// The rows that say something about it, with their tables; the index is made again.
fn about(rows: &Rows, document: DocumentId) -> BTreeSet<(String, String)> {
    let needle = needle(document);
    let with = rows.iter().flat_map(|(table, rows)| {
        let with = rows.iter().filter(|row| row.contains(&needle));
        with.map(|row| (table.clone(), row.clone()))
    });
    with.filter(|(table, _)| !is_made_again(table)).collect()
}

struct Center {
    bench: Bench,
    documents: Vec<DocumentId>,
}

impl Center {
    /// Two closed calls with every compartment, and a row about each document wherever one
    /// can be.
    fn new() -> Self {
        let mut bench = Bench::new();
        let calls = [1, 2].map(|n| bench.report(report(n, "FIGHT", "1 A ST")));
        let mut documents = Vec::new();
        for call in calls {
            for compartment in Compartment::ALL {
                let document = DocumentId::new(call, compartment);
                let seq = bench.append_to(document, note(&needle(document))).seq;
                bench
                    .write(move |ledger| fill(ledger, document, seq))
                    .unwrap();
                documents.push(document);
            }
        }
        Self { bench, documents }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.folder().join(name)
    }

    /// The backup and its file of keys.
    fn back_up(&self, name: &str) -> (PathBuf, PathBuf) {
        let (to, keys) = (self.path(name), self.path(&format!("{name}.keys")));
        let record = Record::of("an operator", Act::Backup);
        copy(&self.path("log.db"), &KEY, &to, &keys, &record).unwrap();
        (to, keys)
    }

    fn restore(&self, backup: &Path, keys: Option<&Path>) -> Result<Connection, LogError> {
        let to = self.path("restored.db");
        for left in ["restored.db-wal", "restored.db-shm"] {
            let _ = std::fs::remove_file(self.path(left));
        }
        std::fs::copy(backup, &to).unwrap();
        let record = Record::of("an operator", Act::Restore);
        begin_anew_at(&to, &KEY, 0, keys, &record)?;
        Ok(schema::connect(&to, &KEY).unwrap())
    }

    fn rows(&self) -> Rows {
        self.bench.read(|store| Ok(rows(store)))
    }
}

#[test]
fn a_backup_says_nothing_of_any_document_and_a_restore_has_every_row_again() {
    let center = Center::new();
    let (backup, keys) = center.back_up("backup.db");
    let before = center.rows();
    let in_backup = rows(&schema::connect(&backup, &KEY).unwrap());
    for document in &center.documents {
        let said: BTreeSet<_> = about(&before, *document)
            .into_iter()
            .map(|(table, _)| table)
            .collect();
        // (The check does find what is there.)
        for (table, of) in TABLES {
            let is_about = !matches!(of, About::Call | About::Eido)
                || document.compartment == Compartment::Call;
            // Two have numbers only; that they are empty in the backup is looked at below.
            let is_about = is_about && !["notices", "plate_hits"].contains(table);
            assert_eq!(said.contains(*table), is_about, "{table} {document}");
        }
        assert!(said.contains("contents") && said.contains("readable"));
        let needle = needle(*document);
        for (table, rows) in &in_backup {
            let clear: Vec<_> = rows.iter().filter(|row| row.contains(&needle)).collect();
            assert!(clear.is_empty(), "{table}: {clear:?}");
        }
    }
    let empty = TABLES.iter().map(|(table, _)| *table);
    for table in empty
        .chain(["contents"])
        .filter(|table| *table != STAYS_EMPTY)
    {
        assert_eq!(in_backup.get(table), None, "numbers tell too");
    }

    let restored = rows(&center.restore(&backup, Some(&keys)).unwrap());
    let changed = ["meta", "audit", "audit_nodes"];
    let kept = |rows: &Rows| -> Rows {
        let mut kept = rows.clone();
        kept.retain(|table, _| !changed.contains(&table.as_str()) && !is_made_again(table));
        kept
    };
    let (wanted, found) = (kept(&before), kept(&restored));
    for (table, rows) in &wanted {
        assert_eq!(found.get(table), Some(rows), "{table}");
    }
    assert_eq!(found, wanted);
}

#[test]
fn of_what_was_purged_an_old_backup_has_nothing_and_of_the_rest_all() {
    let mut center = Center::new();
    let (backup, old_keys) = center.back_up("backup.db");
    let before = center.rows();
    let purged: Vec<DocumentId> = center
        .documents
        .iter()
        .copied()
        .filter(|document| {
            let is_first = document.call == center.documents[0].call;
            is_first && document.compartment != Compartment::Safety
                || document.compartment == Compartment::Records
        })
        .collect();
    for document in purged.clone() {
        let by = Actor::of(Role::Supervisor);
        center
            .bench
            .write(move |ledger| purge(ledger, document, Some(&by), "expunged"))
            .unwrap();
    }
    let (later, keys) = center.back_up("later.db");
    for (from, keys, is_gone) in [
        (&backup, &old_keys, false),
        (&backup, &keys, true),
        (&later, &keys, true),
    ] {
        let restored = rows(&center.restore(from, Some(keys)).unwrap());
        for document in &center.documents {
            let found = about(&restored, *document);
            if is_gone && purged.contains(document) {
                assert_eq!(found, BTreeSet::new(), "{document}");
            } else {
                assert_eq!(found, about(&before, *document), "{document}");
            }
        }
        assert_eq!(restored["calls"].len(), 2, "their rows stay");
    }
    // In the running store too, its index with it.
    for (table, rows) in center.rows() {
        for document in &purged {
            let left = rows.iter().find(|row| row.contains(&needle(*document)));
            assert_eq!(left, None, "{table}");
        }
    }
}

#[test]
fn a_content_without_a_key_is_told_while_a_document_names_it_and_else_dropped() {
    let mut center = Center::new();
    let document = center.documents[0];
    let unfinished = |ledger: &mut Ledger<'_>| content(ledger, &[9; 32], "half", Some(7));
    center.bench.write(unfinished).unwrap();
    let (with_it, _) = center.back_up("with.db");
    // It comes to nothing.
    let dropped = |ledger: &mut Ledger<'_>| {
        ledger.sql().execute_batch(
            "DELETE FROM content_keys WHERE content IN (SELECT content FROM contents WHERE device = 7);
             DELETE FROM chunks WHERE content IN (SELECT content FROM contents WHERE device = 7);
             DELETE FROM contents WHERE device = 7;",
        )?;
        Ok(())
    };
    center.bench.write(dropped).unwrap();
    let (_, keys) = center.back_up("without.db");
    let restored = center.restore(&with_it, Some(&keys)).unwrap();
    let count = |sql: &str| -> i64 { restored.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM contents"), 10);
    assert_eq!(count("SELECT count(*) FROM chunks"), 10);
    drop(restored);

    let one_more = move |ledger: &mut Ledger<'_>| {
        ledger.sql().execute(
            "UPDATE attachments SET thumbnail = ?1 WHERE document = ?2",
            params![[8_u8; 32], document.to_bytes()],
        )?;
        content(ledger, &[8; 32], "small", None)
    };
    center.bench.write(one_more).unwrap();
    let (newer, _) = center.back_up("newer.db");
    let why = center.restore(&newer, Some(&keys)).unwrap_err().to_string();
    assert!(
        why.contains("no key of 1 of") && why.contains("older than this backup"),
        "{why}"
    );
    let why = center.restore(&newer, None).unwrap_err().to_string();
    assert!(why.contains("--document-keys"), "{why}");
}

#[test]
fn a_backup_of_before_rows_were_sealed_is_restored_and_purged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (gone, stays) = [1, 2]
        .map(|n| DocumentId::new(CallId(n), Compartment::Call))
        .into();
    {
        let old = schema::tests::older(&path("old.db"), &KEY, "content_keys");
        for (document, hash) in [(gone, [1_u8; 32]), (stays, [2_u8; 32])] {
            let (id, call) = (document.to_bytes(), document.call.0.cast_signed());
            old.execute("INSERT INTO document_keys SELECT ?1, fresh_key()", [id])
                .unwrap();
            old.execute(
                "INSERT INTO changes (document, hash, bytes, mac, received_ms) SELECT ?1, ?2, sealed(key, document, ?2, 0, x'00'), x'', 0 FROM document_keys WHERE document = ?1",
                params![id, hash],
            )
            .unwrap();
            old.execute(
                "INSERT INTO mentions SELECT ?1, 'plate', ?2, ?2, last_insert_rowid()",
                params![call, needle(document)],
            )
            .unwrap();
        }
        old.execute_batch(
            "INSERT INTO contents VALUES (5, zeroblob(32), NULL, 3, 3, 0);
             INSERT INTO chunks VALUES (5, 0, x'616263');
             INSERT INTO meta VALUES ('keys_are_elsewhere', 1);",
        )
        .unwrap();
        let new = schema::connect(&path("old.keys"), &KEY).unwrap();
        new.execute_batch(
            "CREATE TABLE document_keys (document, key); CREATE TABLE purges (document, call, at_ms, by, why, from_seq, through_seq);",
        )
        .unwrap();
        let mut keys = old
            .prepare("SELECT document, key FROM document_keys")
            .unwrap();
        let mut keys = keys.query([]).unwrap();
        while let Some(row) = keys.next().unwrap() {
            let (document, key): (Vec<u8>, Vec<u8>) = (row.get(0).unwrap(), row.get(1).unwrap());
            let (table, row) = if document == gone.to_bytes() {
                (
                    "purges VALUES (?1, 1, 0, '', ?2, 1, 1)",
                    Value::Text("expunged".into()),
                )
            } else {
                ("document_keys VALUES (?1, ?2)", Value::Blob(key))
            };
            new.execute(&format!("INSERT INTO {table}"), params![document, row])
                .unwrap();
        }
        old.execute("DELETE FROM document_keys", []).unwrap();
    }
    let record = Record::of("an operator", Act::Restore);
    begin_anew_at(&path("old.db"), &KEY, 0, Some(&path("old.keys")), &record).unwrap();
    let restored = rows(&schema::connect(&path("old.db"), &KEY).unwrap());
    assert_eq!(about(&restored, gone), BTreeSet::new());
    assert_eq!(restored["mentions"].len(), 1);
    assert_eq!(restored["readable"].len(), 1);
    let chunk = restored
        .iter()
        .find(|(table, _)| table.contains("chunk FROM"));
    assert_eq!(
        chunk.unwrap().1,
        &BTreeSet::from(["integer(5)|abc".to_owned()])
    );
    let clear = restored["chunks"].iter().any(|row| row.contains("abc"));
    assert!(!clear, "it is sealed from here on");
}
