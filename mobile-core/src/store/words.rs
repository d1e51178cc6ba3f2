//! The index of words: which packets an officer's search has to read.
//!
//! It stands in the store's own file, is written in the transaction of the row that it is
//! about, and is erased by a trigger in that of the row's erasure (`secure-delete`: what is
//! erased leaves no word in FTS5's pages). So it is never behind the rows nor ahead of them.
//!
//! **What is indexed** is `safety` and `call`. Whatever has a lease or a key of its own is
//! not: no index outlives a key. Those documents, and what the center refused, are read in
//! memory at each search.
//!
//! **The index only narrows.** Which entries match is decided by [`Asked::is_said_by`] alone,
//! over the packets that the index names: so a search with it finds exactly what a search
//! without it does, and whatever an officer types is at most slow, never an error. For that
//! the index must name no packet too few. A text says what is asked by its words ([`lookup`]):
//! each of them begins a word of the text, or all of a plate's characters stand in a row
//! across the marks that split it (`ABC123` in `ABC-123`). The first is a prefix in the
//! column `words`. For the second, the column `pieces` has each four characters in a row
//! that have a digit among them, and what is asked is found only where all of its own are.
//!
//! Marks on letters count for nothing, on either side: `Munoz` finds *Muñoz*. Words in
//! quotes stand one after the other.

use std::collections::BTreeSet;

use packet::lookup::{self, SQUEEZED_CHARS_MIN, WHOLE_CHARS_MAX};
use packet::{CallId, Compartment, DocumentId, Entry};
use rusqlite::Transaction;
use unicode_normalization::UnicodeNormalization;

use super::leases::Leases;
use super::meta::document;
use super::read::{IS_HIDDEN, documents_of};
use super::rows::{self, CHANGE_COLUMNS, Row};
use super::{Store, StoreError};

/// The migration that brings it; [`fill`] has to follow.
pub(super) const TABLES: &str = "
     -- by changes.n; both columns are words with blanks between them
     CREATE VIRTUAL TABLE searched USING fts5
         (words, pieces, detail = 'column', columnsize = 0, tokenize = 'ascii');
     INSERT INTO searched (searched, rank) VALUES ('secure-delete', 1);
     CREATE TRIGGER searched_erased AFTER DELETE ON changes BEGIN
         DELETE FROM searched WHERE rowid = old.n;
     END;
     -- what comes first, in a list and among what is found; and a list's own rows
     CREATE INDEX changes_newest ON changes (doc, coalesce(received_ms, author_ms, 0), again, mine);
     CREATE INDEX changes_listed ON changes (kind)
         WHERE kind IN ('facts', 'caution', 'acknowledgement', 'correction');";

/// Most words, and most pieces of each, that the index is asked for: the rest is decided in
/// the packets.
const ASKED_MAX: usize = 16;

/// Whether a document's words may stand in the index.
fn is_indexed(document: DocumentId) -> bool {
    matches!(
        document.compartment,
        Compartment::Safety | Compartment::Call
    )
}

/// Adds the change that was inserted last.
pub(super) fn add(
    tx: &Transaction<'_>,
    document: DocumentId,
    entry: &Entry,
) -> Result<(), StoreError> {
    match is_indexed(document) {
        true => put(tx, tx.last_insert_rowid(), entry),
        false => Ok(()),
    }
}

/// Adds all that was there before the index.
pub(super) fn fill(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let mut statement =
        tx.prepare("SELECT n, doc, kind, fields FROM changes WHERE fields IS NOT NULL")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if is_indexed(document(&row.get::<_, Vec<u8>>(1)?)?) {
            let written = rows::written(row.get(2)?, row.get(3)?, None);
            put(tx, row.get(0)?, &written.entry)?;
        }
    }
    Ok(())
}

fn put(tx: &Transaction<'_>, n: i64, entry: &Entry) -> Result<(), StoreError> {
    let Some(text) = text_of(entry) else {
        return Ok(());
    };
    let words = words(&text);
    let pieces: BTreeSet<String> = pieces(&words.concat()).into_iter().collect();
    let pieces: Vec<_> = pieces.into_iter().collect();
    tx.prepare_cached("INSERT INTO searched (rowid, words, pieces) VALUES (?1, ?2, ?3)")?
        .execute((n, words.join(" "), pieces.join(" ")))?;
    Ok(())
}

/// What of an entry is searched.
fn text_of(entry: &Entry) -> Option<String> {
    Some(match entry {
        Entry::Finding(finding) => [
            finding.title.as_str(),
            &finding.text,
            &finding.query,
            &finding.source,
        ]
        .join("\n"),
        Entry::Caution(caution) => format!("{}\n{}", caution.text, caution.by),
        Entry::Note(note) => format!("{}\n{}", note.text, note.by),
        Entry::Query(query) => query.value.clone(),
        Entry::Mention(mention) => format!("{}\n{}", mention.value, mention.words),
        Entry::Facts(facts) => [
            facts.nature.as_str(),
            &facts.location,
            &facts.number,
            facts.narrative.as_deref().unwrap_or_default(),
        ]
        .join("\n"),
        _ => return None,
    })
}

/// Without the marks on its letters.
fn bare(text: &str) -> String {
    let is_mark = |c: &char| ('\u{300}'..='\u{36f}').contains(c);
    let unmarked = text.nfd().filter(|c| !is_mark(c));
    // Those that Unicode does not take apart.
    let plain = |c| match c {
        'ł' => 'l',
        'Ł' => 'L',
        'ø' => 'o',
        'Ø' => 'O',
        'đ' => 'd',
        'Đ' => 'D',
        c => c,
    };
    unmarked.map(plain).collect()
}

fn words(text: &str) -> Vec<String> {
    match text.is_ascii() {
        true => lookup::words(text),
        false => lookup::words(&bare(text)),
    }
}

/// Each so many characters in a row that have a digit among them.
fn pieces(squeezed: &str) -> Vec<String> {
    let all: Vec<char> = squeezed.chars().collect();
    let has_digit = |piece: &&[char]| piece.iter().any(char::is_ascii_digit);
    let pieces = all.windows(SQUEEZED_CHARS_MIN).filter(has_digit);
    pieces.map(|piece| piece.iter().collect()).collect()
}

/// What an officer looks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Words in quotes.
    phrases: Vec<Vec<String>>,
    /// The others, as they were typed but for the marks on their letters.
    loose: String,
}

impl Asked {
    /// `None` where there is no word in it.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bare = bare(text);
        let mut parts = bare.split(['"', '\u{201c}', '\u{201d}']);
        let mut loose = parts.next().unwrap_or_default().to_owned();
        let mut phrases = Vec::new();
        while let Some(quoted) = parts.next() {
            // A quote that is not closed is a mark like any other.
            match parts.next() {
                Some(behind) => {
                    phrases.push(lookup::words(quoted));
                    loose.push(' ');
                    loose.push_str(behind);
                }
                None => {
                    loose.push(' ');
                    loose.push_str(quoted);
                }
            }
        }
        phrases.retain(|words| !words.is_empty());
        let is_empty = phrases.is_empty() && lookup::words(&loose).is_empty();
        (!is_empty).then_some(Self { phrases, loose })
    }

    /// Whether the entry says it: each word in quotes in its place, and of the others what
    /// [`lookup::says`] wants.
    pub(crate) fn is_said_by(&self, entry: &Entry) -> bool {
        let Some(text) = text_of(entry) else {
            return false;
        };
        let text = words(&text);
        let says = |words: &Vec<String>| {
            text.windows(words.len())
                .any(|part| part == words.as_slice())
        };
        self.phrases.iter().all(says) && lookup::says(&text, &self.loose)
    }

    /// The same in FTS5's own language, or less than it: what says this is among what that
    /// finds. Every word is a string in quotes, and holds letters and digits alone.
    fn in_fts(&self) -> String {
        let phrases = self.phrases.iter().flatten();
        let mut all: Vec<String> = phrases.take(ASKED_MAX).map(|word| whole(word)).collect();
        let chunks = self.loose.split_whitespace().map(lookup::words);
        let chunks = chunks.filter(|words| !words.is_empty()).take(ASKED_MAX);
        let each: Vec<String> = chunks
            .map(|words| {
                let each = words.iter().take(ASKED_MAX).map(|word| begun(word));
                either(and(each), across(&words))
            })
            .collect();
        if !each.is_empty() {
            let together = across(&lookup::words(&self.loose));
            all.push(either(and(each.into_iter()), together));
        }
        and(all.into_iter())
    }
}

/// A word of the text.
fn whole(word: &str) -> String {
    format!("words : \"{word}\"")
}

/// A word of the text, or its beginning.
fn begun(word: &str) -> String {
    let is_short = word.chars().count() <= WHOLE_CHARS_MAX;
    format!("{}{}", whole(word), if is_short { "" } else { " *" })
}

/// These words in a row, across what splits them in the text; as [`lookup::says`] takes it.
fn across(words: &[String]) -> Option<String> {
    let pieces = pieces(&words.concat()).into_iter().take(ASKED_MAX);
    let pieces: Vec<_> = pieces
        .map(|piece| format!("pieces : \"{piece}\""))
        .collect();
    (!pieces.is_empty()).then(|| and(pieces.into_iter()))
}

fn and(terms: impl Iterator<Item = String>) -> String {
    let terms: Vec<_> = terms.map(|term| format!("({term})")).collect();
    terms.join(" AND ")
}

fn either(one: String, other: Option<String>) -> String {
    match other {
        Some(other) => format!("({one}) OR ({other})"),
        None => one,
    }
}

impl Store {
    /// The packets that may have an entry that says this, those of beats first, the newest
    /// next.
    pub(crate) fn calls_that_may_say(&self, asked: &Asked) -> Result<Vec<CallId>, StoreError> {
        self.read(|tx| {
            let mut calls = indexed(tx, asked)?;
            calls.extend(beside_the_index(tx, &self.0.leases, asked)?);
            in_order(tx, calls)
        })
    }

    /// All packets, in the same order.
    pub(crate) fn calls(&self) -> Result<Vec<CallId>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT doc FROM changes UNION SELECT doc FROM outbox UNION SELECT doc FROM documents",
            )?;
            let calls = statement.query_and_then([], |row| {
                Ok(document(&row.get::<_, Vec<u8>>(0)?)?.call)
            })?;
            let calls = calls.collect::<Result<_, StoreError>>()?;
            in_order(tx, calls)
        })
    }
}

fn indexed(tx: &Transaction<'_>, asked: &Asked) -> Result<BTreeSet<CallId>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT DISTINCT doc FROM changes
         WHERE n IN (SELECT rowid FROM searched WHERE searched MATCH ?1)",
    )?;
    let calls = statement.query_and_then([asked.in_fts()], |row| {
        Ok(document(&row.get::<_, Vec<u8>>(0)?)?.call)
    })?;
    calls.collect()
}

/// Reads the documents that are not indexed, and what the center refused.
fn beside_the_index(
    tx: &Transaction<'_>,
    leases: &Leases,
    asked: &Asked,
) -> Result<BTreeSet<CallId>, StoreError> {
    let says = |row: &Row| asked.is_said_by(&row.written.entry);
    let mut calls = BTreeSet::new();
    let mut statement = tx.prepare_cached("SELECT DISTINCT doc FROM changes")?;
    let documents = statement
        .query_and_then([], |row| document(&row.get::<_, Vec<u8>>(0)?))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {CHANGE_COLUMNS} FROM changes
         WHERE doc = ?1 AND (fields IS NOT NULL OR kind = 'sealed')"
    ))?;
    for id in documents.into_iter().filter(|id| !is_indexed(*id)) {
        for row in statement.query_and_then([id.to_bytes()], |row| rows::change(row, leases))? {
            if row?.is_some_and(|row| says(&row)) {
                calls.insert(id.call);
                break;
            }
        }
    }
    let mut statement = tx.prepare_cached(&format!(
        "SELECT {} FROM outbox WHERE refused IS NOT NULL",
        rows::REFUSED_COLUMNS
    ))?;
    for row in statement.query_and_then([], rows::refused)? {
        let row = row?;
        if says(&row) {
            calls.insert(row.document.call);
        }
    }
    Ok(calls)
}

fn in_order(tx: &Transaction<'_>, calls: BTreeSet<CallId>) -> Result<Vec<CallId>, StoreError> {
    let mut statement = tx.prepare_cached(&format!(
        "SELECT coalesce(max(coalesce(received_ms, author_ms, 0)), 0) FROM changes
         WHERE doc BETWEEN ?1 AND ?2 AND NOT {IS_HIDDEN}"
    ))?;
    let mut ordered = Vec::with_capacity(calls.len());
    for call in calls {
        let newest_ms: i64 = statement.query_row(documents_of(call), |row| row.get(0))?;
        ordered.push((!call.is_beat(), -newest_ms, call));
    }
    ordered.sort_unstable();
    Ok(ordered.into_iter().map(|(.., call)| call).collect())
}
