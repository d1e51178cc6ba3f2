//! The audit log: who saw or did what, from where and why, and what was decided (CJIS
//! AU-2, AU-3); append-only, so that nobody can say afterwards that it was otherwise (AU-9).
//!
//! One thing after another, each in a file:
//!
//! - [`record`] writes an entry in the commit of what it is about: both stand or fall
//!   together. An entry is a row ([`entry`]) with the hash of its leaf beside it; that is
//!   all that a commit pays for.
//! - The rows are the leaves of a Merkle tree as in RFC 6962 ([`tree`]). Once a second, when
//!   there is something new, the center signs how many there are and the tree's root: a
//!   *checkpoint* ([`note`], [`stored`], [`keep`]). From then on no entry before it can be
//!   changed, taken away or moved without its showing, by anybody who has the checkpoint.
//! - Agencies have it: as *witnesses* they cosign checkpoints, each against the one that they
//!   cosigned before ([`witness`]).
//! - [`verify`] holds a log, a backup or an export against its checkpoints and says which
//!   entry is not as it was written.
//! - Whom and what somebody looked up is a keyed hash ([`subjects`]): found by who asks for
//!   it, and forgotten when its key is destroyed.
//! - [`find`], [`export`] and [`review`] are what auditors do with it.
//! - What cannot be written, because the disk is full, waits beside the log, and everybody
//!   at the console is told ([`unkept`], AU-5).

pub(crate) mod came_from;
pub mod entry;
pub mod export;
pub mod find;
pub mod keep;
pub mod note;
pub mod offline;
pub mod review;
pub mod stored;
pub mod strangers;
pub mod subjects;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod unkept;
pub mod verify;
pub mod witness;

use std::collections::BTreeMap;
use std::sync::Arc;

use packet::DeviceNumber;
use rusqlite::{Connection, TransactionBehavior};

pub use entry::Entry;
pub use subjects::Subject;
pub use unkept::Unkept;

use crate::log::{Ledger, LogError};
use crate::policy::{Act, Actor, CENTER, On, Who};
use crate::receipts::{Carrier, Rows};
use entry::GivenTo;

/// Longest detail of an entry, and reason, in characters.
const TEXT_CHARS_MAX: usize = 1_000;

/// One thing to be entered. Made by [`Record::of`] or [`Record::by`], and filled in.
///
/// No plate, name, phone or other words by which a person is found stand in `object` or
/// `detail`: those go into `subjects`.
#[derive(Debug, Clone)]
pub struct Record {
    /// The person, the system or the device, as the center knows it.
    pub who: String,
    pub agency: Option<String>,
    pub device: Option<DeviceNumber>,
    pub act: Act,
    /// The document, call or device that it was done to.
    pub object: String,
    /// From which `seq` to which of the document: after, through.
    pub stretch: Option<(u64, u64)>,
    pub allowed: bool,
    /// What else there is to say.
    pub detail: String,
    /// Who or what was looked up.
    pub subjects: Vec<Subject>,
    pub purpose: Option<String>,
    pub reason: Option<String>,
    /// Who asked: the entry says by which policies that was decided, and which agency got what
    /// is another's. `None`: nobody did, or it is told apart.
    pub asker: Option<Who>,
}

impl Record {
    /// Something that this one did, and might.
    #[must_use]
    pub fn of(who: impl Into<String>, act: Act) -> Self {
        Self {
            who: who.into(),
            agency: None,
            device: None,
            act,
            object: String::new(),
            stretch: None,
            allowed: true,
            detail: String::new(),
            subjects: Vec::new(),
            purpose: None,
            reason: None,
            asker: None,
        }
    }

    /// … that this actor did.
    #[must_use]
    pub fn by(actor: &Actor, act: Act) -> Self {
        Self {
            agency: actor.agency.clone(),
            asker: Some(Who::from(actor)),
            ..Self::of(actor.name.clone(), act)
        }
    }
}

/// Records it in the transaction at hand: what is done and its record stand or fall together.
///
/// # Errors
/// When the store fails.
pub fn record(ledger: &Ledger<'_>, record: &Record) -> Result<(), LogError> {
    let mut entry = entry_of(ledger.sql(), record, ledger.came_from(), ledger.now_ms())?;
    if let Some(asker) = &record.asker {
        Asked::of(ledger, record)?
            .decided(ledger, asker)
            .fill(&mut entry);
    }
    entry::insert(ledger.sql(), &entry, None)
}

/// Records that all these carriers were given the same: one entry for those of one agency of
/// whom the same policies decided it, which the store's view `audit_by_person` shows as a
/// line each. `given.who` is not asked for.
///
/// # Errors
/// When the store fails.
pub(crate) fn record_given(
    ledger: &Ledger<'_>,
    carriers: &[Arc<Carrier>],
    rows: &mut Rows,
    given: &Record,
) -> Result<(), LogError> {
    let asked = Asked::of(ledger, given)?;
    let mut alike: BTreeMap<Decided, Vec<Arc<Carrier>>> = BTreeMap::new();
    for carrier in carriers {
        let decided = asked.decided(ledger, carrier.carries.now().who());
        alike.entry(decided).or_default().push(carrier.clone());
    }
    for (decided, carriers) in alike {
        let named = carriers.iter().map(|carrier| GivenTo {
            device: carrier.device.0,
            who: carrier.who.clone(),
        });
        let mut entry = Entry {
            who: format!("{} devices", carriers.len()),
            carriers: named.collect(),
            ..entry_of(ledger.sql(), given, None, ledger.now_ms())?
        };
        decided.fill(&mut entry);
        let rows = rows.list(ledger, &carriers)?;
        entry::insert(ledger.sql(), &entry, Some(&rows))?;
    }
    Ok(())
}

/// What was asked, as the policies see it.
struct Asked {
    act: Act,
    /// Whose the call is, where it is about one.
    whose: Option<String>,
    allowed: bool,
}

/// Whose person asked, by which policies it was done or denied, and which agency is given what
/// is another's (AU-3(1), 5.1.3).
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Decided {
    agency: Option<Arc<str>>,
    policies: Arc<[String]>,
    receiver: Option<Arc<str>>,
}

impl Asked {
    fn of(ledger: &Ledger<'_>, record: &Record) -> Result<Self, LogError> {
        let call = entry::call_of(&record.object);
        // What was shown of a document was decided for its compartment.
        let act = match (record.act, entry::compartment_of(&record.object)) {
            (Act::SeePacket, Some(compartment)) => Act::Show(compartment),
            (act, _) => act,
        };
        Ok(Self {
            act,
            whose: call.map(|call| ledger.agency_of(call)).transpose()?,
            allowed: record.allowed,
        })
    }

    fn decided(&self, ledger: &Ledger<'_>, asker: &Who) -> Decided {
        let agency = (&*asker.agency != CENTER).then(|| asker.agency.clone());
        // What these are done to is a source, which the record does not name.
        if matches!(self.act, Act::AskSource | Act::ReleaseCaution) {
            return Decided {
                agency,
                ..Decided::default()
            };
        }
        let whose = self.whose.as_deref().unwrap_or(&asker.agency);
        let policies = ledger
            .decided_by(asker, self.act, On::call(self.act, whose))
            // Else something else decided: that it is too late, or who asked what for.
            .filter(|(allowed, _)| *allowed == self.allowed)
            .map(|(_, by)| by);
        let is_given = matches!(
            self.act,
            Act::Show(_)
                | Act::Carry(_)
                | Act::SearchIn(_)
                | Act::Release(_)
                | Act::SeePacket
                | Act::FetchAttachment
        );
        let receiver = (is_given && self.allowed && whose != &*asker.agency)
            .then(|| agency.clone())
            .flatten();
        Decided {
            agency,
            policies: policies.unwrap_or_default(),
            receiver,
        }
    }
}

impl Decided {
    fn fill(self, entry: &mut Entry) {
        entry.agency = self.agency.map(|agency| agency.to_string());
        entry.policies = self.policies.to_vec();
        entry.receiver = self.receiver.map(|agency| agency.to_string());
    }
}

/// As [`record`], for who works on the log's store while no center runs on it, or beside one.
///
/// # Errors
/// When the store fails, or is of an older version: that center enters nothing like this.
pub(crate) fn record_in(
    connection: &mut Connection,
    record: &Record,
    now_ms: i64,
) -> Result<(), LogError> {
    if connection
        .prepare("SELECT leaf FROM audit LIMIT 0")
        .is_err()
    {
        return Err(LogError::Store(
            "the log is of an older version: start its center with this one first".into(),
        ));
    }
    // The number of an entry follows from the one before: nobody writes between.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    enter(&transaction, record, None, now_ms)?;
    transaction.commit()?;
    Ok(())
}

fn enter(
    connection: &Connection,
    record: &Record,
    came_from: Option<&str>,
    now_ms: i64,
) -> Result<(), LogError> {
    let entry = entry_of(connection, record, came_from, now_ms)?;
    entry::insert(connection, &entry, None)
}

fn entry_of(
    connection: &Connection,
    record: &Record,
    came_from: Option<&str>,
    now_ms: i64,
) -> Result<Entry, LogError> {
    let short = |text: &str| -> String { text.chars().take(TEXT_CHARS_MAX).collect() };
    let mut subjects = Vec::with_capacity(record.subjects.len());
    for subject in &record.subjects {
        subjects.push(subjects::hash(connection, subject)?);
    }
    Ok(Entry {
        act: record.act.name(),
        after: record.stretch.map(|(after, _)| after),
        agency: record.agency.clone(),
        allowed: record.allowed,
        at_ms: now_ms,
        carriers: Vec::new(),
        detail: short(&record.detail),
        device: record.device.map(|device| device.0),
        from: came_from.map(str::to_owned),
        id: entry::last(connection)? + 1,
        object: short(&record.object),
        policies: Vec::new(),
        purpose: record.purpose.clone(),
        reason: record.reason.as_deref().map(short),
        receiver: None,
        subjects,
        through: record.stretch.map(|(_, through)| through),
        who: record.who.clone(),
    })
}

/// Destroys the key of a subject's hashes, and puts on record that somebody had one
/// destroyed, not whose. Says whether there was one.
///
/// # Errors
/// When the store fails.
pub fn forget(
    connection: &mut Connection,
    subject: &Subject,
    by: &Record,
    now_ms: i64,
) -> Result<bool, LogError> {
    // What is deleted is overwritten.
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let was_known = subjects::forget(&transaction, subject)?;
    let detail = if was_known {
        "a subject's key was destroyed"
    } else {
        "nobody had looked the subject up"
    };
    let record = Record {
        detail: detail.into(),
        ..by.clone()
    };
    enter(&transaction, &record, None, now_ms)?;
    transaction.commit()?;
    Ok(was_known)
}
