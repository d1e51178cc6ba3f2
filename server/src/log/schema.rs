//! The log's tables. SQLCipher, WAL, `synchronous=FULL`.

use std::path::Path;

use data_encoding::HEXLOWER;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Surroundings, seal};
use crate::address;

/// Each step takes the store from the version that is its index to the next.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY,
    document BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL,
    mac BLOB NOT NULL,
    -- Of a device's change; NULL where the center wrote.
    device INTEGER,
    signature BLOB,
    received_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX changes_by_document ON changes (document, seq);
CREATE INDEX changes_by_device ON changes (device, document, seq) WHERE device IS NOT NULL;
CREATE TABLE calls (
    call INTEGER PRIMARY KEY,
    agency TEXT NOT NULL,
    number TEXT NOT NULL,
    -- The report as it last came, to tell news from a repetition.
    report TEXT NOT NULL,
    -- CAD's clock; and the center's at the last report.
    updated_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    open INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    nature TEXT NOT NULL,
    location TEXT NOT NULL,
    address TEXT NOT NULL,
    -- Whether the sources have been asked.
    asked INTEGER NOT NULL DEFAULT 0,
    findings INTEGER NOT NULL DEFAULT 0,
    cautions INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX calls_by_number ON calls (agency, number) WHERE number <> '';
CREATE INDEX calls_open ON calls (priority, received_ms) WHERE open = 1;
CREATE INDEX calls_by_address ON calls (address, received_ms);
CREATE TABLE cautions (
    call INTEGER NOT NULL,
    -- An entry's id is its document's: the center's second entry has the same one in every call.
    entry TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    settled_ms INTEGER,
    PRIMARY KEY (call, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX cautions_waiting ON cautions (call) WHERE settled_ms IS NULL;
CREATE TABLE grants (
    unit TEXT NOT NULL,
    call INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER,
    ended_ms INTEGER,
    PRIMARY KEY (unit, call, from_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_call ON grants (call);
CREATE INDEX grants_ended ON grants (unit, to_seq) WHERE to_seq IS NOT NULL;
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    document BLOB NOT NULL,
    through INTEGER NOT NULL,
    -- NULL: an analyst's screen.
    device INTEGER,
    who TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX receipts_by_document ON receipts (document, kind, who, through);
CREATE TABLE devices (
    device INTEGER PRIMARY KEY,
    agency TEXT NOT NULL,
    label TEXT NOT NULL,
    public_key BLOB NOT NULL,
    revoked_ms INTEGER
) STRICT;
CREATE TABLE enrolment_codes (
    code BLOB PRIMARY KEY,
    agency TEXT NOT NULL,
    label TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE shifts (
    token BLOB PRIMARY KEY,
    device INTEGER NOT NULL,
    officer TEXT NOT NULL,
    badge TEXT NOT NULL,
    unit TEXT NOT NULL,
    agency TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    ended_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX shifts_by_device ON shifts (device, unit);
CREATE INDEX shifts_open ON shifts (unit) WHERE ended_ms IS NULL;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    device INTEGER,
    act TEXT NOT NULL,
    object TEXT NOT NULL,
    allowed INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE TABLE refusals (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    device INTEGER NOT NULL,
    document BLOB NOT NULL,
    bytes BLOB NOT NULL,
    signature BLOB NOT NULL,
    reason TEXT NOT NULL
) STRICT;
",
    "
-- The change's brief (sync::brief), packed: what devices get. NULL: it has none, and goes as it is.
ALTER TABLE changes ADD COLUMN brief BLOB;
",
    "
-- The device that gave the change back to a restored log, on the center's own MAC.
ALTER TABLE changes ADD COLUMN given_back_by INTEGER;
",
    "
-- What attachment entries name, beside the log.
CREATE TABLE attachments (
    document BLOB NOT NULL,
    entry TEXT NOT NULL,
    call INTEGER NOT NULL,
    -- NULL: the center says so, and has it.
    device INTEGER,
    blob BLOB NOT NULL,
    thumbnail BLOB,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    name TEXT NOT NULL,
    by TEXT NOT NULL,
    PRIMARY KEY (document, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachments_by_blob ON attachments (blob);
CREATE INDEX attachments_by_thumbnail ON attachments (thumbnail) WHERE thumbnail IS NOT NULL;
-- How far a device's attachment has come: neither done nor refused is under way.
CREATE TABLE uploads (
    blob BLOB NOT NULL,
    device INTEGER NOT NULL,
    document BLOB NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    refused TEXT,
    PRIMARY KEY (blob, device, document)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
    content INTEGER PRIMARY KEY,
    blob BLOB NOT NULL,
    -- Whose unfinished upload it is; NULL for what is whole and checked.
    device INTEGER,
    bytes INTEGER NOT NULL,
    -- Durable from the beginning on.
    stored INTEGER NOT NULL DEFAULT 0,
    touched_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX contents_whole ON contents (blob) WHERE device IS NULL;
CREATE UNIQUE INDEX contents_unfinished ON contents (device, blob) WHERE device IS NOT NULL;
CREATE TABLE chunks (
    content INTEGER NOT NULL,
    at INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (content, at)
) STRICT;
",
    "
-- A device and who was signed on to it, as receipts and the audit log name them.
CREATE TABLE carriers (
    carrier INTEGER PRIMARY KEY,
    device INTEGER NOT NULL,
    -- The device as people call it, and the person.
    screen TEXT NOT NULL,
    who TEXT NOT NULL,
    UNIQUE (device, screen, who)
) STRICT;
-- These devices had the document through here, durably.
CREATE TABLE deliveries (
    delivery INTEGER PRIMARY KEY,
    document BLOB NOT NULL,
    through INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    -- JSON: a list of carriers.
    carriers TEXT NOT NULL
) STRICT;
CREATE INDEX deliveries_by_document ON deliveries (document);
-- JSON: of a record that is many carriers' at once; NULL: it is one person's.
ALTER TABLE audit ADD COLUMN carriers TEXT;
-- The audit log with one line a person.
CREATE VIEW audit_by_person AS
    SELECT id, at_ms, who, device, act, object, allowed, detail
    FROM audit WHERE carriers IS NULL
    UNION ALL
    SELECT audit.id, audit.at_ms, carrier.who, carrier.device, act, object, allowed, detail
    FROM audit, json_each(audit.carriers) AS each
    JOIN carriers AS carrier ON carrier.carrier = each.value;
",
    "
-- What dispatch has said of each unit of a call, the last word by time.
CREATE TABLE heard_units (
    call INTEGER NOT NULL,
    unit TEXT NOT NULL,
    on_ms INTEGER NOT NULL,
    is_on INTEGER NOT NULL,
    doing_ms INTEGER,
    -- packet::UnitState as a number.
    doing INTEGER,
    PRIMARY KEY (call, unit)
) STRICT, WITHOUT ROWID;
",
    "
-- Files of a CAD's folder that were read, as they were then.
CREATE TABLE cad_files (
    agency TEXT NOT NULL,
    name TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    modified_ms INTEGER NOT NULL,
    PRIMARY KEY (agency, name)
) STRICT, WITHOUT ROWID;
-- The highest key that was read of a CAD's view …
CREATE TABLE cad_positions (agency TEXT PRIMARY KEY, key INTEGER NOT NULL) STRICT, WITHOUT ROWID;
-- … and the rows near it, which are asked for again.
CREATE TABLE cad_rows (
    agency TEXT NOT NULL,
    key INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (agency, key, digest)
) STRICT, WITHOUT ROWID;
",
    "
-- When a device was in session: one row a session. NULL: it lasts, or the center did not see its end.
CREATE TABLE contacts (
    device INTEGER NOT NULL,
    began_ms INTEGER NOT NULL,
    heard_ms INTEGER,
    PRIMARY KEY (device, began_ms)
) STRICT, WITHOUT ROWID;
-- 0: it began before this was kept.
ALTER TABLE shifts ADD COLUMN began_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX shifts_by_unit ON shifts (unit, began_ms);
CREATE INDEX calls_by_received ON calls (received_ms);
",
    "
-- `address` is the building's key by Publication 28 (crate::address) from here on; the apartment
-- within it, '' where none is said.
ALTER TABLE calls ADD COLUMN apartment TEXT NOT NULL DEFAULT '';
UPDATE calls SET address = address_building(location), apartment = address_unit(location);
",
    "
-- What the center wrote because of something that ends: the entry, and when it is withdrawn.
CREATE TABLE standing (
    document BLOB NOT NULL,
    entry TEXT NOT NULL,
    call INTEGER NOT NULL,
    -- Why it was written, such as `hot 12` or `premise 3`. NULL: it was given back to a restored log.
    cause TEXT,
    role TEXT,
    is_exact INTEGER NOT NULL DEFAULT 1,
    written_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    -- Who ended it before its time.
    ended_by TEXT,
    withdrawn_ms INTEGER,
    PRIMARY KEY (document, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_due ON standing (ends_ms) WHERE withdrawn_ms IS NULL;
CREATE INDEX standing_by_cause ON standing (cause, call);
CREATE INDEX standing_by_call ON standing (call);
CREATE INDEX standing_withdrawn ON standing (withdrawn_ms) WHERE withdrawn_ms IS NOT NULL;
-- Who and what is looked for. Of a row only its end is ever changed.
CREATE TABLE hot_list (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list TEXT NOT NULL,
    -- The list's own number of it; empty: it has none.
    number TEXT NOT NULL,
    danger INTEGER NOT NULL,
    -- JSON: as it was given.
    entry TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    ended_by TEXT
) STRICT;
CREATE INDEX hot_list_live ON hot_list (danger DESC, id DESC) WHERE ended_ms IS NULL;
CREATE INDEX hot_list_due ON hot_list (ends_ms) WHERE ended_ms IS NULL;
CREATE INDEX hot_list_by_list ON hot_list (list, number) WHERE ended_ms IS NULL;
-- By what an entry that is live is found.
CREATE TABLE hot_keys (
    key TEXT NOT NULL,
    hot INTEGER NOT NULL,
    PRIMARY KEY (key, hot)
) STRICT, WITHOUT ROWID;
CREATE INDEX hot_keys_by_entry ON hot_keys (hot);
-- What the packets of open calls name, for what is listed or read later.
CREATE TABLE named (
    call INTEGER NOT NULL,
    key TEXT NOT NULL,
    -- JSON: hot_list::names::Named.
    named TEXT NOT NULL,
    PRIMARY KEY (call, key, named)
) STRICT, WITHOUT ROWID;
CREATE INDEX named_by_key ON named (key);
-- Kept for some hours, then deleted.
CREATE TABLE plate_reads (
    id INTEGER PRIMARY KEY,
    plate TEXT NOT NULL,
    read_ms INTEGER NOT NULL,
    camera TEXT NOT NULL,
    -- JSON: as it was given.
    read TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX plate_reads_once ON plate_reads (plate, camera, read_ms);
CREATE INDEX plate_reads_by_time ON plate_reads (read_ms);
-- Packets that the center opened for a read, until it closes them.
CREATE TABLE plate_hits (
    call INTEGER PRIMARY KEY,
    hot INTEGER NOT NULL,
    read_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX plate_hits_by_entry ON plate_hits (hot);
-- Cautions that are kept with a place.
CREATE TABLE premises (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    address TEXT NOT NULL,
    -- JSON: as it was given.
    premise TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    ended_by TEXT
) STRICT;
CREATE INDEX premises_by_address ON premises (address) WHERE ended_ms IS NULL;
CREATE INDEX premises_due ON premises (ends_ms) WHERE ended_ms IS NULL;
-- The configuration's beats.
CREATE TABLE beats (
    beat TEXT PRIMARY KEY,
    -- JSON: as it is configured.
    config TEXT NOT NULL,
    -- What its packet carries is not what it should.
    stale INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;
CREATE TABLE beat_premises (
    beat TEXT NOT NULL,
    premise INTEGER NOT NULL,
    PRIMARY KEY (beat, premise)
) STRICT, WITHOUT ROWID;
CREATE INDEX beat_premises_by_premise ON beat_premises (premise);
-- A beat's packets: the one that its units have, and one that is being filled to follow it.
CREATE TABLE beat_packets (
    call INTEGER PRIMARY KEY,
    beat TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    changes INTEGER NOT NULL DEFAULT 0,
    -- Its units have it.
    given INTEGER NOT NULL DEFAULT 0,
    -- It was said that more is listed than it carries.
    is_short INTEGER NOT NULL DEFAULT 0,
    retired_ms INTEGER
) STRICT;
CREATE INDEX beat_packets_by_beat ON beat_packets (beat) WHERE retired_ms IS NULL;
",
    "
-- What is looked things up in, kept in the commit of each change (server::search::index).
-- What came of a call, as its last facts say.
CREATE TABLE call_outcomes (call INTEGER PRIMARY KEY, disposition TEXT NOT NULL) STRICT;
-- Millionths of a degree: a call is a point.
CREATE VIRTUAL TABLE call_places USING rtree_i32 (call, south, north, west, east);
CREATE TABLE search_entries (
    seq INTEGER PRIMARY KEY,
    call INTEGER NOT NULL,
    compartment INTEGER NOT NULL,
    entry TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- A later entry corrects or withdraws it.
    corrected INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX search_entries_by_entry ON search_entries (call, compartment, entry);
-- Without the words themselves: those are in the changes.
CREATE VIRTUAL TABLE entry_words USING fts5 (words, content = '', tokenize = 'unicode61 remove_diacritics 2');
-- What was logged before there was an index is added at the next opening.
INSERT INTO meta SELECT 'unindexed_through', max(seq) FROM changes HAVING max(seq) IS NOT NULL;
CREATE TABLE saved_searches (
    -- Never given twice: a notice is on its way while a search is forgotten.
    search INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON: server::search::Criteria.
    criteria TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    -- Entries through here were there when it was saved.
    after_seq INTEGER NOT NULL,
    -- Notices that there was no room for.
    untold INTEGER NOT NULL DEFAULT 0,
    UNIQUE (owner, name)
) STRICT;
CREATE TABLE notices (
    notice INTEGER PRIMARY KEY,
    search INTEGER NOT NULL,
    call INTEGER NOT NULL,
    -- The entry; 0 for the call's facts, which come again with each update.
    subject INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    seen_ms INTEGER,
    UNIQUE (search, call, subject)
) STRICT;
CREATE INDEX notices_unseen ON notices (search) WHERE seen_ms IS NULL;
-- Recordings that somebody asked a video system for.
CREATE TABLE clips (
    clip INTEGER PRIMARY KEY,
    -- The query that asks.
    document BLOB NOT NULL,
    entry TEXT NOT NULL,
    value TEXT NOT NULL,
    asked_ms INTEGER NOT NULL,
    -- When it is looked at next; NULL: it has come to its end.
    due_ms INTEGER,
    -- As the video system calls it; NULL: it was not asked yet.
    job TEXT,
    -- Failures in a row.
    failures INTEGER NOT NULL DEFAULT 0,
    UNIQUE (document, entry)
) STRICT;
CREATE INDEX clips_due ON clips (due_ms) WHERE due_ms IS NOT NULL;
",
    "
-- What packets name, beside their Mention entries (crate::mentions tells the columns).
CREATE TABLE mentions (
    call INTEGER NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (call, what, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX mentions_by_key ON mentions (what, key);
",
    "
CREATE INDEX hot_list_ended ON hot_list (ended_ms) WHERE ended_ms IS NOT NULL;
CREATE INDEX premises_ended ON premises (ended_ms) WHERE ended_ms IS NOT NULL;
-- Of calls from before, what they named is read when they are next spoken of.
INSERT INTO named (call, key, named)
    SELECT call, '-', '' FROM calls WHERE NOT EXISTS (SELECT 1 FROM named WHERE named.call = calls.call);
",
    "
-- What was said of an incident by EIDO, all messages together, under the document's $id.
CREATE TABLE eidos (
    id TEXT PRIMARY KEY,
    -- NULL: nothing says yet what it is about.
    call INTEGER,
    updated_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    written TEXT NOT NULL
) STRICT;
CREATE INDEX eidos_by_call ON eidos (call) WHERE call IS NOT NULL;
CREATE INDEX eidos_awaited ON eidos (seen_ms) WHERE call IS NULL;
",
    "
ALTER TABLE calls ADD COLUMN category TEXT NOT NULL DEFAULT '';
-- Calls that are, or may be, about the same event: a row either way.
CREATE TABLE links (
    call INTEGER NOT NULL,
    other INTEGER NOT NULL,
    -- packet::LinkHow as a number.
    how INTEGER NOT NULL,
    why TEXT NOT NULL,
    by TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    -- The link's entry in the call's document.
    entry TEXT NOT NULL,
    -- Who has undone it.
    undone_by TEXT,
    PRIMARY KEY (call, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX calls_by_number_alone ON calls (number) WHERE number <> '';
CREATE INDEX calls_closed ON calls (seen_ms) WHERE open = 0;
",
    "
-- What an incident's EIDO says of its being linked with another.
CREATE TABLE eido_links (
    id TEXT NOT NULL,
    other TEXT NOT NULL,
    PRIMARY KEY (id, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX eido_links_by_other ON eido_links (other);
",
    "
-- Fixed in a vehicle: it does not lock for want of use.
ALTER TABLE devices ADD COLUMN mounted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE enrolment_codes ADD COLUMN mounted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN certificate_until_ms INTEGER;
-- Shared with the device: of it are the codes that give an officer the tries of the PIN back.
ALTER TABLE devices ADD COLUMN release_secret BLOB;
-- How often a supervisor has released it.
ALTER TABLE devices ADD COLUMN releases INTEGER NOT NULL DEFAULT 0;
-- How it last said that it is, without a session, and what was sealed on it.
ALTER TABLE devices ADD COLUMN said TEXT;
ALTER TABLE devices ADD COLUMN said_ms INTEGER;
ALTER TABLE devices ADD COLUMN sealed INTEGER;
-- Of which of the device's stores the shift is, and whether a PIN opens that.
ALTER TABLE shifts ADD COLUMN store TEXT;
ALTER TABLE shifts ADD COLUMN pin INTEGER;
CREATE TABLE erase_orders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    device INTEGER NOT NULL,
    ordered_ms INTEGER NOT NULL,
    ordered_by TEXT NOT NULL,
    confirmed_ms INTEGER
) STRICT;
CREATE INDEX erase_orders_open ON erase_orders (device) WHERE confirmed_ms IS NULL;
-- The devices' signed receipts, as they came.
CREATE TABLE erasures (
    device INTEGER NOT NULL,
    store TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    why TEXT NOT NULL,
    erase_order INTEGER,
    -- By the device's clock, less what it was off by.
    at_ms INTEGER NOT NULL,
    sealed INTEGER NOT NULL,
    attachments_lost INTEGER,
    statement TEXT NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (device, store)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasures_by_time ON erasures (device, received_ms);
",
    "
-- Never deleted: entries and records name people.
CREATE TABLE people (
    person INTEGER PRIMARY KEY,
    -- By which authenticators know the account.
    handle BLOB NOT NULL UNIQUE,
    -- NULL: the center itself.
    agency TEXT,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    certifications TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    added_by TEXT NOT NULL,
    enabled_ms INTEGER,
    disabled_ms INTEGER,
    disabled_by TEXT,
    disabled_why TEXT,
    -- Too many bad tries, until a supervisor releases.
    locked_ms INTEGER,
    seen_ms INTEGER,
    -- By which claim the agency's provider names the person, as a supervisor says; and who
    -- that turned out to be at the first sign-in.
    oidc_claim TEXT,
    oidc_issuer TEXT,
    oidc_subject TEXT
) STRICT;
CREATE UNIQUE INDEX people_by_subject ON people (oidc_issuer, oidc_subject);
CREATE TABLE passkeys (
    number INTEGER PRIMARY KEY,
    credential BLOB NOT NULL UNIQUE,
    person INTEGER NOT NULL,
    label TEXT NOT NULL,
    -- The public key and its counter, as the WebAuthn library keeps them.
    passkey TEXT NOT NULL,
    added_ms INTEGER NOT NULL,
    used_ms INTEGER,
    withdrawn_ms INTEGER,
    withdrawn_by TEXT
) STRICT;
CREATE INDEX passkeys_by_person ON passkeys (person);
CREATE TABLE sign_in_links (
    link BLOB PRIMARY KEY,
    person INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE bad_tries (person INTEGER NOT NULL, at_ms INTEGER NOT NULL) STRICT;
CREATE INDEX bad_tries_by_person ON bad_tries (person, at_ms);
CREATE TABLE console_sessions (
    -- Never given twice, though what is long over is deleted.
    session INTEGER PRIMARY KEY AUTOINCREMENT,
    token BLOB NOT NULL UNIQUE,
    person INTEGER NOT NULL,
    began_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    noticed_ms INTEGER,
    locked_ms INTEGER,
    ended_ms INTEGER,
    browser TEXT NOT NULL,
    address TEXT NOT NULL,
    -- At a dispatch console.
    exempt INTEGER NOT NULL,
    -- What it was signed in with.
    by TEXT NOT NULL
) STRICT;
CREATE INDEX console_sessions_open ON console_sessions (person) WHERE ended_ms IS NULL;
CREATE INDEX console_sessions_over ON console_sessions (ended_ms) WHERE ended_ms IS NOT NULL;
",
    "
-- The audit log is a Merkle tree from here on (crate::audit tells the columns); what is there
-- already is entered as it stands at the next opening.
ALTER TABLE audit ADD COLUMN agency TEXT;
ALTER TABLE audit ADD COLUMN after_seq INTEGER;
ALTER TABLE audit ADD COLUMN through_seq INTEGER;
-- JSON: a list.
ALTER TABLE audit ADD COLUMN subjects TEXT;
ALTER TABLE audit ADD COLUMN purpose TEXT;
ALTER TABLE audit ADD COLUMN reason TEXT;
ALTER TABLE audit ADD COLUMN came_from TEXT;
-- JSON: a list.
ALTER TABLE audit ADD COLUMN policies TEXT;
ALTER TABLE audit ADD COLUMN receiver TEXT;
-- The hash of the row's leaf (audit::entry).
ALTER TABLE audit ADD COLUMN leaf BLOB;
-- Read off the object: only looked up by.
ALTER TABLE audit ADD COLUMN call INTEGER;
CREATE INDEX audit_by_time ON audit (at_ms);
CREATE INDEX audit_by_who ON audit (who);
CREATE INDEX audit_by_call ON audit (call) WHERE call IS NOT NULL;
CREATE INDEX audit_by_device ON audit (device) WHERE device IS NOT NULL;
CREATE INDEX audit_by_purpose ON audit (purpose) WHERE purpose IS NOT NULL;
CREATE INDEX audit_denied ON audit (at_ms) WHERE allowed = 0;
-- What was looked up, as entries name it.
CREATE TABLE audit_subjects (
    subject TEXT NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY (subject, id)
) STRICT, WITHOUT ROWID;
-- The key of a subject's hashes, until it is forgotten.
CREATE TABLE audit_subject_keys (
    found_by BLOB PRIMARY KEY,
    key BLOB NOT NULL,
    subject TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- Whole subtrees of 256 leaves, of 256 of those, and so on.
CREATE TABLE audit_nodes (
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_checkpoints (
    size INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    origin TEXT NOT NULL,
    -- As it was signed (c2sp.org/tlog-checkpoint).
    note TEXT NOT NULL
) STRICT;
CREATE TABLE audit_cosignatures (
    size INTEGER NOT NULL,
    witness TEXT NOT NULL,
    agency TEXT NOT NULL,
    -- The witness's clock.
    time_s INTEGER NOT NULL,
    line TEXT NOT NULL,
    received_ms INTEGER NOT NULL,
    PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_reviews (
    review INTEGER PRIMARY KEY,
    -- Entries after here …
    after INTEGER NOT NULL,
    -- … through here.
    through INTEGER NOT NULL,
    by TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    found TEXT NOT NULL
) STRICT;
-- When what is to be on record could not be written, and who has seen that it was so.
CREATE TABLE audit_failures (
    failure INTEGER PRIMARY KEY,
    began_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    why TEXT NOT NULL,
    -- Entered since.
    late INTEGER NOT NULL,
    -- For which there was no room anywhere.
    lost INTEGER NOT NULL,
    seen_by TEXT,
    seen_ms INTEGER
) STRICT;
DROP VIEW audit_by_person;
CREATE VIEW audit_by_person AS
    SELECT id, at_ms, who, device, act, object, allowed,
        CASE WHEN through_seq IS NULL THEN detail ELSE after_seq || '..' || through_seq END AS detail
    FROM audit WHERE carriers IS NULL
    UNION ALL
    SELECT audit.id, audit.at_ms, carrier.who, carrier.device, act, object, allowed,
        CASE WHEN through_seq IS NULL THEN detail ELSE after_seq || '..' || through_seq END AS detail
    FROM audit, json_each(audit.carriers) AS each
    JOIN carriers AS carrier ON carrier.carrier = each.value;
",
    "
-- Cautions that were derived from a restricted record, and whether a person has released them.
CREATE TABLE held_cautions (
    held INTEGER PRIMARY KEY AUTOINCREMENT,
    call INTEGER NOT NULL,
    source TEXT NOT NULL,
    -- Whose the source is.
    agency TEXT NOT NULL,
    compartment INTEGER NOT NULL,
    -- JSON: packet::Caution.
    caution TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    -- NULL: it waits.
    decided_ms INTEGER,
    decided_by TEXT,
    released INTEGER
) STRICT;
CREATE INDEX held_waiting ON held_cautions (call) WHERE decided_ms IS NULL;
",
    "
-- What is kept of a document's changes is sealed under its key (log::seal). A purge destroys
-- the key; a backup has none of them.
CREATE TABLE document_keys (document BLOB PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO document_keys SELECT document, fresh_key() FROM (SELECT DISTINCT document FROM changes);
UPDATE changes SET bytes = sealed(key, changes.document, hash, 0, bytes),
        brief = sealed(key, changes.document, hash, 1, brief)
    FROM document_keys WHERE document_keys.document = changes.document;
CREATE VIEW readable AS
    SELECT seq, changes.document, hash, mac, device, signature, received_ms, given_back_by,
        opened(key, changes.document, hash, 0, bytes) AS bytes,
        brief IS NOT NULL AS has_brief,
        opened(key, changes.document, hash, 1, brief) AS brief
    FROM changes JOIN document_keys ON document_keys.document = changes.document;
-- Never deleted: nothing is ever written into such a document again.
CREATE TABLE purges (
    document BLOB PRIMARY KEY,
    call INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL,
    -- The first and the last change that it had.
    from_seq INTEGER NOT NULL,
    through_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Documents that are not purged, whatever their age.
CREATE TABLE holds (
    hold INTEGER PRIMARY KEY AUTOINCREMENT,
    document BLOB NOT NULL,
    call INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL,
    ended_ms INTEGER,
    ended_by TEXT,
    ended_why TEXT
) STRICT;
CREATE UNIQUE INDEX holds_open ON holds (document) WHERE ended_ms IS NULL;
-- What is taken out of the words' index is physically gone.
INSERT INTO entry_words (entry_words, rank) VALUES ('secure-delete', 1);
-- That somebody has looked at a document, and why it is kept for another period.
CREATE TABLE retained (
    document BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    by TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (document, at_ms)
) STRICT, WITHOUT ROWID;
",
    "
-- An attachment's content is sealed under a key of its own, which goes with it (log::seal).
CREATE TABLE content_keys (content INTEGER PRIMARY KEY, key BLOB NOT NULL) STRICT;
INSERT INTO content_keys SELECT content, fresh_key() FROM contents;
UPDATE chunks SET data = sealed(key, chunks.content, at, 2, data)
    FROM content_keys WHERE content_keys.content = chunks.content;
-- What a packet names goes with the document that names it, which may be a restricted one.
CREATE TABLE named_by (
    call INTEGER NOT NULL,
    document BLOB NOT NULL,
    key TEXT NOT NULL,
    -- JSON: hot_list::names::Named.
    named TEXT NOT NULL,
    PRIMARY KEY (call, key, named, document)
) STRICT, WITHOUT ROWID;
INSERT INTO named_by SELECT call, document_of(call, 1), key, named FROM named;
DROP TABLE named;
ALTER TABLE named_by RENAME TO named;
CREATE INDEX named_by_key ON named (key);
",
];

/// Of the writer's pages, in memory. Each page that is not there is read, decrypted and
/// authenticated: with SQLite's own 2 MB, receipts of ten thousand devices kept the writer
/// at that, half of its time in SHA-512.
const CACHE_KIB: i64 = 64 * 1024;

/// Most prepared statements that a connection keeps: more than there are.
const STATEMENTS_MAX: usize = 256;

/// Opens with the key, checks that it fits, and brings the tables up to date.
pub(super) fn open(path: &Path, key: &[u8; 32]) -> Result<Connection, String> {
    let mut connection = connect(path, key).map_err(|e| why_not_opened(&e))?;
    know_addresses(&connection).map_err(|e| e.to_string())?;
    migrate(&mut connection).map_err(|e| e.to_string())?;
    let cache = connection.pragma_update(None, "cache_size", -CACHE_KIB);
    cache.map_err(|e| e.to_string())?;
    // Of what is deleted nothing is left in pages that are written anyway.
    let delete = connection.pragma_update(None, "secure_delete", "FAST");
    delete.map_err(|e| e.to_string())?;
    Ok(connection)
}

pub(super) fn why_not_opened(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => {
            "it was written with another key, or is damaged".to_owned()
        }
        _ => error.to_string(),
    }
}

pub(super) fn connect(path: &Path, key: &[u8; 32]) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(&format!("PRAGMA key = \"x'{}'\";", HEXLOWER.encode(key)))?;
    // Reads the first page: a wrong key is told here, not later.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    // EXTRA is FULL where there is a WAL. Before there is one it also makes the end of the
    // rollback journal durable: one that a power cut brings back takes back the whole store.
    connection.execute_batch(
        "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
    )?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    seal::teach(&connection)?;
    Ok(connection)
}

/// Of a file that nobody writes: nothing is locked, and nothing made beside it.
pub(super) fn connect_to_read(path: &Path, key: &[u8; 32]) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    // What a URI would read otherwise (RFC 3986).
    let path = path.to_string_lossy();
    let path = path
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let connection = Connection::open_with_flags(format!("file:{path}?immutable=1"), flags)?;
    connection.execute_batch(&format!("PRAGMA key = \"x'{}'\";", HEXLOWER.encode(key)))?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA temp_store = MEMORY;")?;
    seal::teach(&connection)?;
    Ok(connection)
}

/// Lets a migration recompute the keys of what is stored.
fn know_addresses(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("address_building", 1, flags, |arguments| {
        Ok(address::normalise(&arguments.get::<String>(0)?).building)
    })?;
    connection.create_scalar_function("address_unit", 1, flags, |arguments| {
        Ok(address::normalise(&arguments.get::<String>(0)?).unit)
    })
}

fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let at: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (version, step) in MIGRATIONS.iter().enumerate().skip(at) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The id of this log: random, made with it.
pub(super) fn incarnation(
    connection: &mut Connection,
    surroundings: &Surroundings,
) -> rusqlite::Result<u64> {
    let kept: Option<i64> = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'incarnation'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(kept) = kept {
        return Ok(kept.unsigned_abs());
    }
    let fresh = fresh_incarnation(surroundings.random());
    connection.execute(
        "INSERT INTO meta VALUES ('incarnation', ?1)",
        params![fresh.cast_signed()],
    )?;
    Ok(fresh)
}

/// 62 random bits: SQLite's integers are signed, and zero means that a device has none.
pub(super) fn fresh_incarnation(random: [u8; 8]) -> u64 {
    (u64::from_be_bytes(random) >> 2) | 1
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A store of the version before the step that has this word in it.
    pub(in crate::log) fn older(path: &Path, key: &[u8; 32], word: &str) -> Connection {
        let mut old = connect(path, key).unwrap();
        let before = MIGRATIONS.iter().position(|step| step.contains(word));
        let before = before.unwrap();
        let transaction = old.transaction().unwrap();
        know_addresses(&transaction).unwrap();
        for step in &MIGRATIONS[..before] {
            transaction.execute_batch(step).unwrap();
        }
        transaction
            .pragma_update(None, "user_version", before)
            .unwrap();
        transaction.commit().unwrap();
        old
    }

    #[test]
    fn a_store_from_before_publication_28_gets_its_keys_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("center.db");
        {
            let old = older(&path, &[7; 32], "address_building");
            old.execute(
                "INSERT INTO calls (call, agency, number, report, updated_ms, seen_ms, received_ms, open, priority, nature, location, address)
                 VALUES (1, 'pd', '1', '', 0, 0, 0, 1, 3, 'FIGHT', '5237 North 35th Street Apt 4, Milwaukee', '5237 NORTH 35TH STREET APT 4')",
                [],
            )
            .unwrap();
        }
        let store = open(&path, &[7; 32]).unwrap();
        let (address, unit): (String, String) = store
            .query_row("SELECT address, apartment FROM calls", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(
            (address.as_str(), unit.as_str()),
            ("5237 N 35TH ST", "APT 4")
        );
    }
}
