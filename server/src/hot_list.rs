//! Hot lists: stolen plates, wanted and missing persons, lookouts ("BOLO"), each with the
//! list it comes from, an author and an end.
//!
//! What is listed is held against what packets name, both ways and within one commit:
//! whatever is logged (a call, a note, a query, a source's finding) against the entries
//! that are live, and a new entry against the packets of the calls that are open. So there
//! is no queue between the two in which a match could be lost. A match is a finding on the
//! packet, where the entry is a danger also a caution, and an alert to the units near by
//! ([`alerts`]). An entry that is cleared, replaced by its list or over withdraws all of
//! that, by [`crate::standing`].
//!
//! * [`names`]: what is named, what is looked for, and whether they are the same;
//! * [`entry`]: the shape of an entry and its limits;
//! * [`file`]: a whole list in one file, which replaces what that list had;
//! * `matching`: what is held against what; `alerts`: what is written then;
//! * `rows`: the entries as they are kept.

mod alerts;
pub mod entry;
pub mod file;
mod matching;
pub mod names;
mod rows;
mod soundex;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashSet;
use std::sync::Arc;

use crate::audit::{self, Record};
use crate::beats;
use crate::center::Center;
use crate::log::{Ledger, LogError};
use crate::plate_reads;
use crate::policy::Act;
use crate::standing::{self, Cause, WITHDRAWN_PER_COMMIT_MAX};
use crate::triage::Triage;

pub(crate) use alerts::{Met, cut, near, said, source, title};
pub use entry::{HotEntry, HotKind};
pub(crate) use matching::{calls_naming, logged, matches};
pub(crate) use rows::to_carry;
pub use rows::{Listed, PAGE_MAX, Which, live, page};
pub use soundex::soundex;

/// How a source of findings is called that comes from a list.
pub const SOURCE: &str = "Hot list";
/// Most entries that are live at a time, of all lists.
pub const ENTRIES_MAX: usize = 100_000;
/// Most entries of a list that are taken in one commit.
const TAKEN_PER_COMMIT_MAX: usize = 200;
/// Most entries that are ended in one commit.
pub const ENDED_PER_COMMIT_MAX: usize = 100;
/// How long an entry that has ended is kept, to be looked up.
pub const KEPT_ENDED_MS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// How a report is triaged: a plate that was read lately opens a packet.
pub type Triages<'a> = &'a dyn Fn(&crate::intake::CallReport) -> Triage;

/// Adds an entry and holds it against the packets of open calls and the plates that were
/// read. Returns its number.
///
/// # Errors
/// When the lists are full or the store fails.
pub fn add(
    ledger: &mut Ledger<'_>,
    entry: &HotEntry,
    triage: Triages<'_>,
) -> Result<i64, LogError> {
    if rows::count_live(ledger.sql())? >= ENTRIES_MAX {
        return Err(LogError::Conflict(format!(
            "{ENTRIES_MAX} entries are live, which is the most"
        )));
    }
    take(ledger, entry, triage)
}

fn take(ledger: &mut Ledger<'_>, entry: &HotEntry, triage: Triages<'_>) -> Result<i64, LogError> {
    let listed = rows::insert(ledger, entry)?;
    matching::entry_added(ledger, &listed)?;
    plate_reads::entry_added(ledger, &listed, triage)?;
    beats::entry_changed(ledger, &listed.entry)?;
    Ok(listed.id)
}

/// Clears an entry: all that was written from it is withdrawn.
///
/// # Errors
/// When it is not known or has ended ([`LogError::Unknown`]), or the store fails.
pub fn clear(ledger: &mut Ledger<'_>, id: i64, by: &str) -> Result<(), LogError> {
    let listed = rows::live(ledger.sql(), id, ledger.now_ms())?;
    let listed = listed.ok_or_else(|| LogError::Unknown {
        what: "live hot-list entry",
        id: id.to_string(),
    })?;
    end(ledger, &listed, &format!("cleared by {by}"))?;
    standing::withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX)?;
    Ok(())
}

fn end(ledger: &mut Ledger<'_>, listed: &Listed, why: &str) -> Result<(), LogError> {
    rows::end(ledger, listed.id, ledger.now_ms(), why)?;
    let by = format!("{SOURCE}: {}, {why}", listed.entry.list);
    standing::end(ledger, &Cause::hot(listed.id), None, &by)?;
    beats::entry_changed(ledger, &listed.entry)
}

/// Ends the entries whose end has come, at most so many, and forgets those that ended long
/// ago. What was written from them says its end itself. Returns how many ended.
///
/// # Errors
/// When the store fails.
pub fn expire(ledger: &mut Ledger<'_>, at_most: usize) -> Result<usize, LogError> {
    let over = rows::over(ledger.sql(), ledger.now_ms(), at_most)?;
    for listed in &over {
        rows::end(
            ledger,
            listed.id,
            listed.entry.ends.as_millisecond(),
            "its end has come",
        )?;
        beats::entry_changed(ledger, &listed.entry)?;
    }
    rows::forget(ledger, ledger.now_ms() - KEPT_ENDED_MS, at_most)?;
    standing::forget(ledger, ledger.now_ms() - KEPT_ENDED_MS, at_most)?;
    Ok(over.len())
}

/// What a whole list came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replaced {
    pub added: usize,
    pub unchanged: usize,
    /// Entries of before that the list does not have any more, or has otherwise.
    pub ended: usize,
}

/// Entries of a whole list: those that it had already are left as they are, those that say
/// something else are replaced. Each has the list's own number.
fn take_some(
    ledger: &mut Ledger<'_>,
    entries: &[HotEntry],
    triage: Triages<'_>,
    replaced: &mut Replaced,
) -> Result<(), LogError> {
    for entry in entries {
        match rows::by_number(ledger.sql(), &entry.list, entry.number())? {
            Some(known) if known.entry == *entry => {
                replaced.unchanged += 1;
                continue;
            }
            Some(known) => {
                end(ledger, &known, "replaced by its list")?;
                replaced.ended += 1;
            }
            None => {}
        }
        take(ledger, entry, triage)?;
        replaced.added += 1;
    }
    standing::withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX)?;
    Ok(())
}

/// Ends entries of a list that are not among these numbers, at most so many. Returns how many.
fn drop_unlisted(
    ledger: &mut Ledger<'_>,
    list: &str,
    numbers: &HashSet<String>,
    at_most: usize,
) -> Result<usize, LogError> {
    let gone = rows::not_among(ledger.sql(), list, numbers, at_most)?;
    for listed in &gone {
        end(ledger, listed, "its list does not have it any more")?;
    }
    standing::withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX)?;
    Ok(gone.len())
}

fn record(who: &str, act: Act, object: String, detail: String) -> Record {
    Record {
        object,
        detail,
        ..Record::of(who, act)
    }
}

/// Adds an entry for somebody who may. It is on its way to the beats' devices when this
/// returns.
///
/// # Errors
/// As [`add`].
pub async fn add_for(center: &Arc<Center>, entry: HotEntry, who: &str) -> Result<i64, LogError> {
    let (writer, who) = (center.clone(), who.to_owned());
    let id = center
        .log
        .write(move |ledger| {
            let id = add(ledger, &entry, &|report| writer.triage(report))?;
            let record = record(
                &who,
                Act::AddHotListEntry,
                id.to_string(),
                entry.list.clone(),
            );
            audit::record(ledger, &record)?;
            Ok::<_, LogError>(id)
        })
        .await?;
    beats::tend(center).await?;
    Ok(id)
}

/// Clears an entry for somebody who may.
///
/// # Errors
/// As [`clear`].
pub async fn clear_for(center: &Arc<Center>, id: i64, who: &str, by: &str) -> Result<(), LogError> {
    let (who, by) = (who.to_owned(), by.to_owned());
    center
        .log
        .write(move |ledger| {
            clear(ledger, id, &by)?;
            audit::record(
                ledger,
                &record(&who, Act::ClearHotListEntry, id.to_string(), by),
            )
        })
        .await?;
    beats::tend(center).await
}

/// Takes a whole list in the place of what it had. In several commits, what is new first:
/// no busy moment of the log is longer for it, and whoever is killed midway sends the list
/// again.
///
/// # Errors
/// When there are too many entries or the store fails; what was taken by then stays.
pub async fn replace_for(
    center: &Arc<Center>,
    list: String,
    entries: Vec<HotEntry>,
    who: &str,
) -> Result<Replaced, LogError> {
    let of_list = list.clone();
    let others = center
        .log
        .readers()
        .read(move |connection| {
            Ok(rows::count_live(connection)? - rows::count_of(connection, &of_list)?)
        })
        .await?;
    if others + entries.len() > ENTRIES_MAX {
        return Err(LogError::Conflict(format!(
            "with these there would be {} live entries, at most {ENTRIES_MAX} are kept",
            others + entries.len()
        )));
    }
    let numbers: Arc<HashSet<String>> = Arc::new(
        entries
            .iter()
            .map(|entry| entry.number().to_owned())
            .collect(),
    );
    let mut replaced = Replaced::default();
    for some in entries.chunks(TAKEN_PER_COMMIT_MAX) {
        let (writer, some) = (center.clone(), some.to_vec());
        replaced = center
            .log
            .write(move |ledger| {
                let mut so_far = replaced;
                take_some(ledger, &some, &|report| writer.triage(report), &mut so_far)?;
                Ok::<_, LogError>(so_far)
            })
            .await?;
    }
    loop {
        let (list, numbers) = (list.clone(), numbers.clone());
        let gone = center
            .log
            .write(move |ledger| drop_unlisted(ledger, &list, &numbers, ENDED_PER_COMMIT_MAX))
            .await?;
        replaced.ended += gone;
        if gone < ENDED_PER_COMMIT_MAX {
            break;
        }
    }
    let detail = format!(
        "{} added, {} ended, {} as before",
        replaced.added, replaced.ended, replaced.unchanged
    );
    let record = record(who, Act::ReplaceHotList, list, detail);
    center
        .log
        .write(move |ledger| audit::record(ledger, &record))
        .await?;
    beats::tend(center).await?;
    Ok(replaced)
}
