//! What stands beside the log about a document: rows that are kept because its entries say so,
//! and that have to go where it goes.
//!
//! [`TABLES`] is the one list of them. A purge deletes the document's rows by it ([`forget`]).
//! In a backup no such row stands in its table: each is sealed whole, under its document's key,
//! in one table of the copy ([`seal`]), and a restore that has the key puts it back ([`open`]).
//! Whole, because numbers tell too (whose saved search a packet was found by, which call is
//! linked with which), and because what is sealed must not meet a later version's migration.
//!
//! A row whose document has no key is in no backup: what is not about a document yet (an EIDO
//! that waits for its call), and what came in the moment that the copy was made.

use packet::{Compartment, DocumentId};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params, params_from_iter};
use serde_json::{Map, Value as Json, json};

use super::LogError;
use crate::retention::purge::PURGED_NATURE;

/// Which document a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// The one in its column `document`.
    Document,
    /// … beside a column `call`, by which rows are found.
    DocumentOfCall,
    /// The packet's own, of the call in its column `call`.
    Call,
    /// … of the compartment in its column `compartment`.
    Compartment,
    /// Its entry's: the change `seq`.
    Entry,
    /// The packet's own, of the call that the EIDO `id` is about.
    Eido,
}

/// Every table with rows about documents. What finds its document by another table's rows
/// comes before that. (The index of the search is not in it: it is made again.)
const TABLES: &[(&str, About)] = &[
    ("attachments", About::Document),
    ("calls", About::Call),
    ("cautions", About::Call),
    ("clips", About::Document),
    ("eido_links", About::Eido),
    ("eidos", About::Call),
    ("heard_units", About::Call),
    ("held_cautions", About::Compartment),
    ("links", About::Call),
    ("mentions", About::Entry),
    ("named", About::DocumentOfCall),
    ("notices", About::Entry),
    ("plate_hits", About::Call),
    ("refusals", About::Document),
    ("standing", About::Document),
    ("uploads", About::Document),
];

/// Of a call that was purged the row stays: it is by it that its other documents are found.
const STAYS_EMPTY: &str = "calls";
const EMPTY_CALLS: &str = "UPDATE calls SET number = '', report = '', nature = ?1, location = '', address = '', apartment = '', category = ''";

const CALL: u8 = Compartment::Call as u8;

impl About {
    /// The document of row `t`.
    fn document(self) -> String {
        match self {
            Self::Document | Self::DocumentOfCall => "t.document".into(),
            Self::Call => format!("document_of(t.call, {CALL})"),
            Self::Compartment => "document_of(t.call, t.compartment)".into(),
            Self::Entry => "(SELECT c.document FROM changes AS c WHERE c.seq = t.seq)".into(),
            Self::Eido => {
                format!("(SELECT document_of(e.call, {CALL}) FROM eidos AS e WHERE e.id = t.id)")
            }
        }
    }

    /// The rows of document ?1, which is compartment ?3 of call ?2.
    fn rows(self) -> String {
        match self {
            Self::Document => "document = ?1".into(),
            Self::DocumentOfCall => "call = ?2 AND document = ?1".into(),
            Self::Call => format!("call = ?2 AND ?3 = {CALL}"),
            Self::Compartment => "call = ?2 AND compartment = ?3".into(),
            Self::Entry => {
                "call = ?2 AND seq IN (SELECT seq FROM changes WHERE document = ?1)".into()
            }
            Self::Eido => {
                format!("?3 = {CALL} AND id IN (SELECT id FROM eidos WHERE call = ?2)")
            }
        }
    }
}

/// Deletes what stands beside the log about a document that is purged.
pub(crate) fn forget(connection: &Connection, document: DocumentId) -> Result<(), LogError> {
    let (id, call) = (document.to_bytes(), document.call.0.cast_signed());
    let compartment = document.compartment as u8;
    let all: [&dyn rusqlite::ToSql; 3] = [&id, &call, &compartment];
    for (table, about) in TABLES {
        if *table == STAYS_EMPTY {
            continue;
        }
        let mut delete =
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE {}", about.rows()))?;
        let wanted = delete.parameter_count();
        delete.execute(&all[..wanted])?;
    }
    if document.compartment == Compartment::Call {
        connection
            .prepare_cached(&format!("{EMPTY_CALLS} WHERE call = ?2"))?
            .execute(params![PURGED_NATURE, call])?;
        // What another packet says of being linked with it.
        connection
            .prepare_cached("DELETE FROM links WHERE other = ?1")?
            .execute([call])?;
    }
    Ok(())
}

/// Before a copy of a running center's log: each document that a row is about gets a key, also
/// one that has no change yet (what a device offered may have been refused from the first).
pub(super) fn give_keys(connection: &Connection) -> rusqlite::Result<()> {
    for (table, about) in TABLES {
        // Read first: the center that is running waits for none of it.
        let mut without = connection.prepare(&format!(
            "SELECT DISTINCT document FROM (SELECT {} AS document FROM {table} AS t)
             WHERE document IS NOT NULL AND document NOT IN (SELECT document FROM document_keys)
                 AND document NOT IN (SELECT document FROM purges)",
            about.document()
        ))?;
        let without = without.query_map([], |row| row.get(0))?;
        let without: Vec<Vec<u8>> = without.collect::<Result<_, _>>()?;
        for document in without {
            connection.execute(
                "INSERT OR IGNORE INTO document_keys SELECT ?1, fresh_key()",
                [document],
            )?;
        }
    }
    Ok(())
}

/// Takes all of it out of its tables, and keeps it sealed, in a copy of the log that has its
/// keys still. Of contents, whose rows are sealed under the contents' own keys, it stays who
/// names them: only what nobody does may be without a key.
pub(super) fn seal(copy: &Connection) -> Result<(), LogError> {
    copy.execute_batch(
        "CREATE TABLE sealed_rows (owner ANY NOT NULL, name TEXT NOT NULL, row BLOB NOT NULL) STRICT;
         CREATE TABLE content_names AS
             SELECT content, document FROM contents JOIN attachments USING (blob) WHERE contents.device IS NULL
             UNION SELECT content, document FROM contents JOIN attachments ON thumbnail = contents.blob
                 WHERE contents.device IS NULL;",
    )?;
    for (table, about) in TABLES {
        let keys = format!("document_keys AS k ON k.document = {}", about.document());
        seal_table(copy, table, "document", &keys)?;
        if *table == STAYS_EMPTY {
            copy.execute(EMPTY_CALLS, [PURGED_NATURE])?;
        } else {
            copy.execute(&format!("DELETE FROM {table}"), [])?;
        }
    }
    seal_table(
        copy,
        "contents",
        "content",
        "content_keys AS k USING (content)",
    )?;
    copy.execute("DELETE FROM contents", [])?;
    Ok(())
}

fn seal_table(copy: &Connection, table: &str, owner: &str, keys: &str) -> Result<(), LogError> {
    let mut kept = copy.prepare(
        "INSERT INTO sealed_rows (owner, name, row) VALUES (?1, ?2, sealed(?3, ?1, ?2, 3, ?4))",
    )?;
    let mut rows = copy.prepare(&format!(
        "SELECT t.*, k.{owner}, k.key FROM {table} AS t CROSS JOIN {keys}"
    ))?;
    let names: Vec<String> = rows.column_names().map(str::to_owned).collect();
    let columns = names.len() - 2;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let packed = packed(row, &names[..columns])?;
        let (owner, key): (Value, Value) = (row.get(columns)?, row.get(columns + 1)?);
        kept.execute(params![owner, table, key, packed])?;
    }
    Ok(())
}

/// A row as JSON, by its columns' names: bytes as `{"hex": …}`.
fn packed(row: &Row<'_>, names: &[String]) -> Result<Vec<u8>, LogError> {
    let mut object = Map::new();
    for (at, name) in names.iter().enumerate() {
        let value = match row.get_ref(at)? {
            ValueRef::Null => Json::Null,
            ValueRef::Integer(number) => number.into(),
            ValueRef::Real(number) => number.into(),
            ValueRef::Text(_) => row.get::<_, String>(at)?.into(),
            ValueRef::Blob(bytes) => json!({"hex": data_encoding::HEXLOWER.encode(bytes)}),
        };
        object.insert(name.clone(), value);
    }
    serde_json::to_vec(&object).map_err(|e| LogError::Store(e.to_string()))
}

/// What [`packed`] made.
fn unpacked(packed: &[u8]) -> Result<Vec<(String, Value)>, LogError> {
    let unreadable = |why: String| LogError::Store(format!("a row of the backup: {why}"));
    let object: Map<String, Json> =
        serde_json::from_slice(packed).map_err(|e| unreadable(e.to_string()))?;
    let mut columns = Vec::with_capacity(object.len());
    for (name, value) in object {
        let value = match value {
            Json::Null => Value::Null,
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => Value::Real(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Value::Text(text),
            other => {
                let hex = other["hex"].as_str().unwrap_or_default().as_bytes();
                let bytes = data_encoding::HEXLOWER.decode(hex);
                Value::Blob(bytes.map_err(|e| unreadable(e.to_string()))?)
            }
        };
        columns.push((name, value));
    }
    Ok(columns)
}

/// Whether this copy has rows that [`seal`] took out; one of an earlier version has not.
pub(super) fn is_sealed(copy: &Connection) -> rusqlite::Result<bool> {
    copy.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'sealed_rows'")?
        .exists([])
}

/// Puts back into its tables what has a key in this copy now, and drops what may be without
/// one: rows of documents that were purged, contents that nobody else names. What then is in
/// `sealed_rows` still should have had a key.
pub(super) fn open(copy: &Connection) -> Result<(), LogError> {
    // Its key may live on where a later document names the same content.
    copy.execute_batch(
        "DELETE FROM content_keys WHERE content IN (SELECT content FROM content_names)
             AND content NOT IN (SELECT content FROM content_names
                 WHERE document NOT IN (SELECT document FROM purges));",
    )?;
    let mut opened = copy.prepare(
        "SELECT name, opened(coalesce(d.key, c.key), owner, name, 3, row) FROM sealed_rows
         LEFT JOIN document_keys AS d ON d.document = owner
         LEFT JOIN content_keys AS c ON c.content = owner
         WHERE coalesce(d.key, c.key) IS NOT NULL",
    )?;
    let mut rows = opened.query([])?;
    while let Some(row) = rows.next()? {
        let table: String = row.get(0)?;
        let columns = unpacked(&row.get::<_, Vec<u8>>(1)?)?;
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        // An empty row stands where a call's was.
        let sql = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({})",
            quoted(&table),
            names.join(", "),
            vec!["?"; names.len()].join(", ")
        );
        let values = columns.into_iter().map(|(_, value)| value);
        copy.prepare_cached(&sql)?
            .execute(params_from_iter(values))?;
    }
    copy.execute_batch(
        "DELETE FROM sealed_rows WHERE owner IN (SELECT document FROM document_keys)
             OR owner IN (SELECT content FROM content_keys) OR owner IN (SELECT document FROM purges);
         DELETE FROM content_names WHERE document IN (SELECT document FROM purges);
         DELETE FROM sealed_rows WHERE typeof(owner) = 'integer'
             AND owner NOT IN (SELECT content FROM content_names);
         DELETE FROM chunks WHERE content NOT IN (SELECT content FROM content_keys)
             AND content NOT IN (SELECT content FROM content_names);",
    )?;
    Ok(())
}

/// As SQL names it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
