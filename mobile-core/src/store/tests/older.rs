//! Stores of each past schema, with real rows, open with this version and are searched.
//!
//! A store that the version of schema 3 wrote lies beside the Python package's tests. Of the
//! schemas before it no store was kept, so theirs are made here: the tables as their version
//! made them (the first so many of [`MIGRATIONS`]), and in them that store's rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use packet::{CallId, Compartment, DocumentId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::super::schema::MIGRATIONS;
use super::super::words::Asked;
use super::super::{Intent, Standing, Store, connection};
use super::{NOW_MS, note};
use crate::core::found_in;
use crate::identity::{FileKeyStore, KeyStore};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/python/tests/older_stores/3")
}

fn call() -> CallId {
    fs::read_to_string(fixture().join("call"))
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

struct Older {
    dir: TempDir,
    keys: Arc<dyn KeyStore>,
    key: connection::StoreKey,
}

impl Older {
    /// The store of schema 3, as it was written.
    fn third() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["store", "sealed"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            for file in fs::read_dir(fixture().join("device").join(folder)).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), dir.path().join(folder).join(file.file_name())).unwrap();
            }
        }
        let keys = FileKeyStore::open(&dir.path().join("keys")).unwrap();
        let kept = fs::read(fixture().join("keys/store-key")).unwrap();
        keys.save(connection::KEY_NAME, &kept).unwrap();
        Self {
            dir,
            keys: Arc::new(keys),
            key: connection::StoreKey::new(kept.try_into().unwrap()),
        }
    }

    fn file(&self) -> PathBuf {
        connection::file_in(self.dir.path())
    }

    /// … and its rows in the tables of an earlier schema.
    fn of(schema: usize) -> Self {
        let older = Self::third();
        if schema == 3 {
            return older;
        }
        let third = older.dir.path().join("third.db");
        fs::rename(older.file(), &third).unwrap();
        let made = connection::reopen(&older.file(), &older.key).unwrap();
        for migration in &MIGRATIONS[..schema] {
            made.execute_batch(migration).unwrap();
        }
        made.pragma_update(None, "user_version", u32::try_from(schema).unwrap())
            .unwrap();
        let attach = format!(
            "ATTACH '{}' AS third KEY \"x'{}'\"",
            third.display(),
            HEXLOWER.encode(&*older.key)
        );
        made.execute_batch(&attach).unwrap();
        for table in ["meta", "documents", "changes", "outbox", "seen", "shown"] {
            let columns = columns(&made, table);
            made.execute_batch(&format!(
                "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM third.{table};"
            ))
            .unwrap();
        }
        // Neither version knew of attachments.
        made.execute_batch("DELETE FROM main.changes WHERE kind = 'attachment'; DETACH third;")
            .unwrap();
        connection::close(made).unwrap();
        fs::remove_file(third).unwrap();
        older
    }
}

fn columns(connection: &Connection, table: &str) -> String {
    let sql = format!("SELECT group_concat(name) FROM pragma_table_info('{table}')");
    connection.query_row(&sql, [], |row| row.get(0)).unwrap()
}

fn found(store: &Store, words: &str) -> usize {
    let asked = Asked::read(words).unwrap();
    let calls = store.calls_that_may_say(&asked).unwrap();
    found_in(store, calls, &asked, NOW_MS).unwrap().len()
}

#[test]
fn a_store_of_each_past_schema_opens_with_all_that_is_in_it_and_is_searched() {
    for schema in 1..MIGRATIONS.len().min(4) {
        let older = Older::of(schema);
        let version: usize = connection::reopen(&older.file(), &older.key)
            .unwrap()
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, schema);
        let (store, set_aside) = Store::open(older.dir.path(), older.keys.clone(), NOW_MS).unwrap();
        assert_eq!(set_aside, None, "schema {schema}");

        let rows = store.packet(call()).unwrap().unwrap();
        let standing = |text: &str| {
            let mut rows = rows.iter();
            let row = rows.find(|row| {
                serde_json::to_string(&row.written.entry.to_fields().unwrap())
                    .unwrap()
                    .contains(text)
            });
            row.unwrap_or_else(|| panic!("schema {schema}: {text}"))
                .standing
                .clone()
        };
        assert_eq!(standing("ALARM"), Standing::AtCenter);
        assert_eq!(standing("at the center"), Standing::AtCenter);
        assert_eq!(standing("only on this device"), Standing::OnDevice);
        assert_eq!(standing("dog in the yard"), Standing::OnDevice);
        assert_eq!(store.outbox_len().unwrap(), 2);
        assert_eq!(store.sealed().all().unwrap().len(), 2);
        assert!(store.shift().unwrap().is_some());

        // The index has what was there before it.
        assert_eq!(found(&store, "dog yard"), 1, "schema {schema}");
        assert_eq!(found(&store, "only devi"), 1, "schema {schema}");
        assert_eq!(found(&store, "alarm"), 2, "schema {schema}: both facts");

        // And it is written to as any other.
        let pen = super::Bench::new().pen;
        let document = DocumentId::new(call(), Compartment::Call);
        let intents = [Intent {
            document,
            entry: note("by the newer version"),
        }];
        store.write_entries(&pen, &intents, NOW_MS, false).unwrap();
        assert_eq!(store.outbox_len().unwrap(), 3);
        assert_eq!(found(&store, "newer"), 1);
    }
}

/// A store that had its steps has the tables that those made, and no others.
#[test]
fn no_migration_that_was_released_was_edited() {
    let released = ["94a4da617e943907", "7a463486757794d3", "6f60eb0aa6c3c216"];
    for (migration, hash) in MIGRATIONS.iter().zip(released) {
        let found = digest::digest(&digest::SHA256, migration.as_bytes());
        assert_eq!(HEXLOWER.encode(&found.as_ref()[..8]), hash);
    }
}

#[test]
fn a_store_of_a_newer_version_is_set_aside_and_not_touched() {
    let older = Older::third();
    let newer = u32::try_from(MIGRATIONS.len()).unwrap() + 1;
    let file = connection::reopen(&older.file(), &older.key).unwrap();
    file.pragma_update(None, "user_version", newer).unwrap();
    connection::close(file).unwrap();
    let before = fs::read(older.file()).unwrap();
    let (_, set_aside) = Store::open(older.dir.path(), older.keys.clone(), NOW_MS).unwrap();
    let aside = set_aside.expect("it is set aside");
    assert_eq!(fs::read(aside.join("packets.db")).unwrap(), before);
}
