//! The tables. A migration that was released is never edited: the next is added.

use rusqlite::{Connection, TransactionBehavior};

use super::{StoreError, words};

/// `user_version` is how many of these a store has had.
pub(super) const MIGRATIONS: [&str; 5] = [
    // `doc` is a document id in its nine bytes; so all of a call's documents stand
    // side by side. Unsigned 64-bit numbers are kept by their bits.
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
     CREATE TABLE documents (
         doc BLOB PRIMARY KEY,
         -- 0 not granted, 1 granted, 2 left over from before a reset
         standing INTEGER NOT NULL,
         -- where it stands when that is not the position
         apart INTEGER,
         -- this device's actor in it
         actor BLOB,
         -- this device opened the packet
         opened INTEGER NOT NULL DEFAULT 0
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE changes (
         n INTEGER PRIMARY KEY AUTOINCREMENT,
         hash BLOB NOT NULL UNIQUE,
         doc BLOB NOT NULL,
         -- NULL where this app cannot read the change
         entry TEXT,
         kind TEXT NOT NULL,
         fields TEXT,
         clock_off_ms INTEGER,
         max_op INTEGER,
         author_ms INTEGER,
         mine INTEGER NOT NULL,
         -- NULL until the center accepted it
         seq INTEGER,
         received_ms INTEGER,
         bytes BLOB NOT NULL,
         mac BLOB,
         -- of what this device wrote: to offer it again to a center that lost it
         signature BLOB
     ) STRICT;
     CREATE INDEX changes_by_document ON changes (doc, seq);
     CREATE TABLE outbox (
         n INTEGER PRIMARY KEY AUTOINCREMENT,
         hash BLOB NOT NULL UNIQUE,
         doc BLOB NOT NULL,
         entry TEXT NOT NULL,
         kind TEXT NOT NULL,
         -- the intent, to write it anew from
         fields TEXT NOT NULL,
         clock_off_ms INTEGER,
         author_ms INTEGER NOT NULL,
         bytes BLOB NOT NULL,
         signature BLOB NOT NULL,
         rewrites INTEGER NOT NULL DEFAULT 0,
         -- NULL while it is unsent
         refused TEXT
     ) STRICT;
     CREATE INDEX outbox_by_document ON outbox (doc);
     CREATE TABLE seen (
         doc BLOB NOT NULL, who TEXT NOT NULL, through INTEGER NOT NULL, at_ms INTEGER NOT NULL,
         PRIMARY KEY (doc, who)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE shown (
         doc BLOB PRIMARY KEY, through INTEGER NOT NULL, at_ms INTEGER NOT NULL,
         told INTEGER NOT NULL DEFAULT 0
     ) STRICT, WITHOUT ROWID;",
    // What the center had and lost: the order in which it is given back. NULL where the
    // center has it, or never had.
    "ALTER TABLE changes ADD COLUMN again INTEGER;
     CREATE INDEX changes_given_back ON changes (doc) WHERE again IS NOT NULL;",
    // A blob is named by its SHA-256 as entries write it.
    "-- what this device's attachment entries name, beside `changes`
     CREATE TABLE attached (
         hash BLOB PRIMARY KEY,
         doc BLOB NOT NULL,
         blob TEXT NOT NULL,
         thumbnail TEXT,
         total INTEGER NOT NULL,
         -- the center wrote it, so it has the whole
         confirmed INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     CREATE INDEX attached_by_blob ON attached (blob);
     CREATE INDEX attached_by_thumbnail ON attached (thumbnail) WHERE thumbnail IS NOT NULL;
     CREATE TABLE blobs (
         blob TEXT PRIMARY KEY,
         -- NULL until it is known
         total INTEGER,
         -- here, from the beginning on; all of them only after they were checked
         bytes INTEGER NOT NULL DEFAULT 0,
         wanted INTEGER NOT NULL DEFAULT 0,
         is_thumbnail INTEGER NOT NULL DEFAULT 0,
         -- counts up with each use
         used INTEGER NOT NULL DEFAULT 0
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE chunks (
         blob TEXT NOT NULL REFERENCES blobs ON DELETE CASCADE,
         at INTEGER NOT NULL,
         data BLOB NOT NULL,
         PRIMARY KEY (blob, at)
     ) STRICT;
     -- what this device attached and the center has not confirmed
     CREATE TABLE puts (
         doc BLOB NOT NULL,
         blob TEXT NOT NULL,
         -- its entry is at the center: the content may follow
         ready INTEGER NOT NULL DEFAULT 0,
         -- durable at the center
         bytes INTEGER NOT NULL DEFAULT 0,
         refused TEXT,
         PRIMARY KEY (doc, blob)
     ) STRICT, WITHOUT ROWID;",
    // 0 under the store's key; 1 under one of its own: its changes are of kind 'sealed' and
    // have no fields; 2 its lease has ended, and it has not come anew.
    "ALTER TABLE documents ADD COLUMN leased INTEGER NOT NULL DEFAULT 0;",
    words::TABLES,
];

pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let due = MIGRATIONS
        .get(version as usize..)
        .ok_or(StoreError::Damaged("a newer app wrote it"))?;
    for migration in due {
        transaction.execute_batch(migration)?;
    }
    // By the tables as they are in the end.
    if due.contains(&words::TABLES) {
        words::fill(&transaction)?;
    }
    transaction.pragma_update(None, "user_version", version + due.len() as u32)?;
    transaction.commit()?;
    Ok(())
}
