//! What is held against what: a packet's names against the entries, as each is logged, and
//! an entry against the names of the packets of open calls, as it is added.
//!
//! One place takes *what an entry of a packet names* ([`names_of`]).

use std::collections::{BTreeMap, BTreeSet};

use packet::{
    Author, CallId, CallState, Compartment, Confidence, DocumentId, Entry, EntryId, MentionWhat,
    Outcome, OutcomeState,
};
use rusqlite::{OptionalExtension, params};

use super::alerts::{self, Found};
use super::names::{Named, Sought};
use super::rows::{self, Listed};
use super::{SOURCE, words};
use crate::intake::CallReport;
use crate::log::{Committed, Ledger, LogError};
use crate::plate_reads;

/// Most entries that one name is shown to match; how many there are is said.
const MATCHES_MAX: usize = 5;
/// The key of a closed call's only row.
const FORGOTTEN: &str = "-";
/// As screens show what a query asked.
const ASKED: &str = "Hot lists";

/// Holds what was logged against the entries. A fault of what the center adds is no reason
/// not to take what somebody wrote: it is said in the center's log.
///
/// # Errors
/// When the store fails.
pub(crate) fn logged(ledger: &mut Ledger<'_>, change: &Committed) -> Result<(), LogError> {
    match hold(ledger, change) {
        Err(LogError::Entry(e)) => {
            tracing::error!(error = %e, document = %change.document, "what was found on a hot list could not be written");
            Ok(())
        }
        held => held,
    }
}

fn hold(ledger: &mut Ledger<'_>, change: &Committed) -> Result<(), LogError> {
    let call = change.document.call;
    if call.is_beat() || is_own(change) {
        return Ok(());
    }
    if let Entry::Facts(facts) = &change.entry {
        if change.document.compartment != Compartment::Call {
            return Ok(());
        }
        if facts.state == CallState::Closed {
            return forget(ledger, call);
        }
    }
    let mut names = names_of(ledger, call, &change.entry)?;
    if matches!(change.entry, Entry::Facts(_)) && was_forgotten(ledger, call)? {
        names.extend(named_before(ledger, call, change.seq)?);
    }
    let is_open = is_open(ledger, call)?;
    let mut found = Vec::new();
    for named in names {
        let is_news = !is_open || remember(ledger, change.document, &named)?;
        if change.given_back {
            continue;
        }
        let query = match &change.entry {
            Entry::Query(_) => Some(change.id),
            _ if is_news => None,
            _ => continue,
        };
        found.push((named, query));
    }
    for (named, query) in found {
        let met = matches(ledger, &named)?;
        let of = met.len();
        for (listed, how) in met.iter().take(MATCHES_MAX) {
            let found = Found {
                call,
                listed,
                how: *how,
                named: &named,
                of,
                answers: query,
            };
            alerts::found(ledger, &found)?;
        }
        let reads = plate_reads::seen_before(ledger, call, &named, query)?;
        if let (Some(query), Entry::Query(asked)) = (query, &change.entry) {
            let is_answered = of > 0 || reads > 0;
            outcome(ledger, change.document, query, &asked.value, is_answered)?;
        }
    }
    Ok(())
}

/// What this very module wrote, and the plate reads, name what is listed already.
fn is_own(change: &Committed) -> bool {
    match (&change.entry, change.id.actor.author()) {
        (Entry::Finding(finding), Author::Center(_)) => {
            finding.source.starts_with(SOURCE) || finding.source == plate_reads::SOURCE
        }
        (Entry::Caution(caution), Author::Center(_)) => caution.by.starts_with(SOURCE),
        _ => false,
    }
}

fn outcome(
    ledger: &mut Ledger<'_>,
    document: DocumentId,
    query: EntryId,
    asked: &str,
    is_answered: bool,
) -> Result<(), LogError> {
    if !ledger.has_room(document)? {
        return Ok(());
    }
    let outcome = Outcome {
        source: ASKED.into(),
        query: alerts::cut(asked, packet::entry::NAME_CHARS_MAX),
        state: if is_answered {
            OutcomeState::Answered
        } else {
            OutcomeState::NothingFound
        },
        took_ms: None,
        detail: None,
        as_of_ms: None,
        answers: Some(query),
    };
    ledger.append(document, Entry::Outcome(outcome))?;
    Ok(())
}

/// What an entry of a packet names. The words of facts and notes are read already: what they
/// name stands behind them as mentions ([`crate::mentions`]), and comes here by itself.
fn names_of(ledger: &Ledger<'_>, call: CallId, entry: &Entry) -> Result<Vec<Named>, LogError> {
    let mut names = Vec::new();
    let words = |text: &str| Named::Words(text.to_owned());
    match entry {
        Entry::Facts(facts) => {
            names.extend(reported_plates(ledger, call)?);
            names.extend(facts.narrative.as_deref().map(words));
        }
        Entry::Note(note) => names.push(words(&note.text)),
        Entry::Caution(caution) => names.extend(named_in(ledger, &caution.text)),
        Entry::Finding(finding) => {
            let text = format!("{}\n{}", finding.title, finding.text);
            names.extend(named_in(ledger, &text));
        }
        Entry::Query(query) => names.extend(Named::asked(query)),
        Entry::Mention(mention) => names.extend(match mention.what {
            MentionWhat::Plate => Named::plate(&mention.value),
            MentionWhat::PartialPlate => partial(&mention.value),
            MentionWhat::Person => Named::person(&mention.value),
            MentionWhat::Phone => words::phone(&mention.value).map(Named::Phone),
            MentionWhat::Vehicle => Some(Named::Vehicle(mention.value.clone())),
            MentionWhat::Address | MentionWhat::Weapon | MentionWhat::Danger => None,
        }),
        _ => {}
    }
    Ok(names)
}

/// A part of a plate that does not say where in it it stands may stand anywhere.
fn partial(value: &str) -> Option<Named> {
    match Named::plate(value)? {
        Named::Plate { plate, state } => Some(Named::PartialPlate {
            plate: format!("*{plate}*"),
            state,
        }),
        other => Some(other),
    }
}

fn named_in(ledger: &Ledger<'_>, text: &str) -> Vec<Named> {
    let read = ledger.names_in(text);
    let mut names: Vec<Named> = read.iter().filter_map(Named::read).collect();
    names.push(Named::Words(text.to_owned()));
    names
}

fn reported_plates(ledger: &Ledger<'_>, call: CallId) -> Result<Vec<Named>, LogError> {
    let report: Option<String> = ledger
        .sql()
        .prepare_cached("SELECT report FROM calls WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| row.get(0))
        .optional()?;
    // A packet that an officer opened has none.
    let report = report.and_then(|report| serde_json::from_str::<CallReport>(&report).ok());
    let plates = report.map(|report| report.plates).unwrap_or_default();
    Ok(plates
        .iter()
        .filter_map(|plate| Named::plate(plate))
        .collect())
}

fn is_open(ledger: &Ledger<'_>, call: CallId) -> Result<bool, LogError> {
    let open = ledger
        .sql()
        .prepare_cached("SELECT open FROM calls WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| row.get(0))
        .optional()?;
    Ok(open.unwrap_or(false))
}

/// Whether what the packet named was forgotten when its call was closed, which it is not any
/// more. Asked once: the mark is taken away.
fn was_forgotten(ledger: &Ledger<'_>, call: CallId) -> Result<bool, LogError> {
    let marks = ledger
        .sql()
        .prepare_cached("DELETE FROM named WHERE call = ?1 AND key = ?2")?
        .execute(params![call.0.cast_signed(), FORGOTTEN])?;
    Ok(marks > 0)
}

/// Keeps what a packet of an open call names, under the document that does, with which it goes.
/// Whether that is news.
fn remember(ledger: &Ledger<'_>, document: DocumentId, named: &Named) -> Result<bool, LogError> {
    let Some(key) = named.key() else {
        return Ok(true);
    };
    let text = serde_json::to_string(named).map_err(|e| LogError::Store(e.to_string()))?;
    let call = document.call.0.cast_signed();
    let is_known = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM named WHERE call = ?1 AND key = ?2 AND named = ?3")?
        .exists(params![call, key, text])?;
    ledger
        .sql()
        .prepare_cached(
            "INSERT OR IGNORE INTO named (call, document, key, named) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![call, document.to_bytes(), key, text])?;
    Ok(!is_known)
}

/// What a packet named before its call was closed, now that the call is open again.
fn named_before(ledger: &Ledger<'_>, call: CallId, before: u64) -> Result<Vec<Named>, LogError> {
    let mut names = Vec::new();
    for logged in crate::log::document(ledger.sql(), DocumentId::new(call, Compartment::Call))? {
        if logged.seq < before && !matches!(logged.inspected.written.entry, Entry::Facts(_)) {
            names.extend(names_of(ledger, call, &logged.inspected.written.entry)?);
        }
    }
    Ok(names)
}

/// Nothing is told to a call that is over.
fn forget(ledger: &Ledger<'_>, call: CallId) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("DELETE FROM named WHERE call = ?1")?
        .execute([call.0.cast_signed()])?;
    ledger
        .sql()
        .prepare_cached("INSERT INTO named (call, document, key, named) VALUES (?1, ?2, ?3, '')")?
        .execute(params![
            call.0.cast_signed(),
            DocumentId::new(call, Compartment::Call).to_bytes(),
            FORGOTTEN
        ])?;
    Ok(())
}

/// The live entries that may be meant by a name, the surest first, what can hurt before
/// what cannot.
pub(crate) fn matches(
    ledger: &Ledger<'_>,
    named: &Named,
) -> Result<Vec<(Listed, Confidence)>, LogError> {
    let mut ids = BTreeSet::new();
    if matches!(named, Named::Words(_)) && !has_kind(ledger, "S:")? {
        return Ok(Vec::new());
    }
    for sought in named.keys() {
        let mut statement = match &sought {
            Sought::Key(_) => ledger
                .sql()
                .prepare_cached("SELECT key, hot FROM hot_keys WHERE key = ?1")?,
            Sought::Kind(_) => ledger.sql().prepare_cached(
                "SELECT key, hot FROM hot_keys WHERE key >= ?1 AND key < substr(?1, 1, 1) || ';'",
            )?,
        };
        let key = match &sought {
            Sought::Key(key) => key.as_str(),
            Sought::Kind(kind) => kind,
        };
        let mut rows = statement.query([key])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            if may_be(&key, named) {
                ids.insert(row.get::<_, i64>(1)?);
            }
        }
    }
    let mut met = Vec::new();
    for id in ids {
        if let Some(listed) = rows::live(ledger.sql(), id, ledger.now_ms())?
            && let Some(how) = listed.entry.wanted.is_meant(named)
        {
            met.push((listed, how));
        }
    }
    met.sort_by_key(|(listed, how)| (*how != Confidence::Exact, !listed.entry.danger, -listed.id));
    Ok(met)
}

/// Before an entry is read: thousands of plates are of one kind.
fn may_be(key: &str, named: &Named) -> bool {
    let listed = key.get(2..).unwrap_or_default();
    match named {
        Named::Plate { plate, .. } => packet::lookup::plate_fits(listed, plate),
        Named::PartialPlate { plate, .. } => packet::lookup::plate_fits(plate, listed),
        _ => true,
    }
}

fn has_kind(ledger: &Ledger<'_>, kind: &str) -> Result<bool, LogError> {
    let has = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM hot_keys WHERE key >= ?1 AND key < substr(?1, 1, 1) || ';'")?
        .exists([kind])?;
    Ok(has)
}

/// Holds a new entry against what the packets of open calls name.
pub(super) fn entry_added(ledger: &mut Ledger<'_>, listed: &Listed) -> Result<(), LogError> {
    let mut met: BTreeMap<i64, (Named, Confidence)> = BTreeMap::new();
    for sought in listed.entry.wanted.sought() {
        for (call, named) in named_under(ledger, &sought)? {
            let Some(how) = listed.entry.wanted.is_meant(&named) else {
                continue;
            };
            let best = met.entry(call).or_insert((named.clone(), how));
            if how == Confidence::Exact {
                *best = (named, how);
            }
        }
    }
    for (call, (named, how)) in met {
        let found = Found {
            call: CallId(call.cast_unsigned()),
            listed,
            how,
            named: &named,
            of: 1,
            answers: None,
        };
        alerts::found(ledger, &found)?;
    }
    Ok(())
}

fn named_under(ledger: &Ledger<'_>, sought: &Sought) -> Result<Vec<(i64, Named)>, LogError> {
    let mut statement = match sought {
        Sought::Key(_) => ledger
            .sql()
            .prepare_cached("SELECT DISTINCT call, named FROM named WHERE key = ?1")?,
        Sought::Kind(_) => ledger.sql().prepare_cached(
            "SELECT DISTINCT call, named FROM named WHERE key >= ?1 AND key < substr(?1, 1, 1) || ';'",
        )?,
    };
    let key = match sought {
        Sought::Key(key) => key.as_str(),
        Sought::Kind(kind) => kind,
    };
    let mut rows = statement.query([key])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let named: String = row.get(1)?;
        let named = serde_json::from_str(&named).map_err(|e| LogError::Store(e.to_string()))?;
        found.push((row.get(0)?, named));
    }
    Ok(found)
}

/// The open calls whose packets name this plate, a part of it or its state at odds with
/// none.
pub(crate) fn calls_naming(
    ledger: &Ledger<'_>,
    plate: &str,
    state: Option<&str>,
) -> Result<Vec<(CallId, Confidence)>, LogError> {
    let as_listed = super::names::Wanted {
        plate: Some(plate.to_owned()),
        state: state.map(str::to_owned),
        ..Default::default()
    };
    let mut calls: BTreeMap<i64, Confidence> = BTreeMap::new();
    for sought in as_listed.sought() {
        for (call, named) in named_under(ledger, &sought)? {
            if let Some(how) = as_listed.is_meant(&named) {
                let best = calls.entry(call).or_insert(how);
                if how == Confidence::Exact {
                    *best = how;
                }
            }
        }
    }
    Ok(calls
        .into_iter()
        .map(|(call, how)| (CallId(call.cast_unsigned()), how))
        .collect())
}
