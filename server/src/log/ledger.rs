//! What the writer can do within one commit.

use std::sync::Arc;
use std::time::Instant;

use packet::document::DOCUMENT_CHANGES_MAX;
use packet::sabotage::{Sabotage, is_on};
use packet::sealed::KEY_BYTES;
use packet::{
    Admission, Author, CallId, ChangeHash, Compartment, DeviceNumber, DocumentId, Draft, Entry,
    EntryId, Inspected, Offer, Proof, Refusal, Written, admit, change_hash, compose, inspect,
};
use rusqlite::{OptionalExtension, Transaction, params};

use sync::brief::{self, Place};
use sync::codec;

use super::LogError;
use super::Surroundings;
use super::documents::Documents;
use super::seal::{self, Part};
use crate::calls::LinksConfig;
use crate::intake::CallReport;
use crate::policy::{self, Act, On, Who};
use crate::triage::{Entity, Triage};

/// Why nothing more is taken.
const PURGED: &str = "this part of the packet was purged";

/// A change that the log took.
#[derive(Debug)]
pub struct Committed {
    pub seq: u64,
    pub document: DocumentId,
    pub id: EntryId,
    /// The device that wrote it; `None` where the center did.
    pub device: Option<DeviceNumber>,
    /// It was in this log before the center was restored: what it asked for was done.
    pub given_back: bool,
    pub received_ms: i64,
    pub bytes: Vec<u8>,
    pub mac: [u8; packet::signature::MAC_BYTES],
    /// Packed, as devices get it.
    pub brief: Option<Vec<u8>>,
    pub entry: Entry,
    /// By this process's clock, for measuring.
    pub at: Instant,
}

/// What is told after a commit, in the order of the log.
#[derive(Debug, Clone)]
pub enum Happening {
    Change(Arc<Committed>),
    /// A unit's devices may have this call's documents from now on.
    Granted {
        unit: String,
        call: CallId,
        from: u64,
        priority: u8,
        /// Whose call it is.
        agency: String,
        /// What it has besides the two documents that every packet has: the first and the
        /// last change of each.
        restricted: Vec<(DocumentId, u64, u64)>,
    },
    /// … and from now on no longer.
    Ended {
        unit: String,
        call: CallId,
    },
    /// A call is new, or what the board shows of it changed. `opened`: ask the sources.
    Call {
        call: CallId,
        open: bool,
        priority: u8,
        opened: bool,
        /// Whose it is, as far as is known.
        agency: String,
    },
    /// Somebody saw a document through this `seq`.
    Receipt(crate::receipts::Receipt),
    /// Devices have more of a document now.
    Delivered(DocumentId),
    /// A caution of this call waits for a person to release it, or no longer.
    Held(CallId),
    /// The device is no longer in good standing.
    DeviceRevoked(DeviceNumber),
}

/// Where an entry came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub seq: u64,
    pub id: EntryId,
    pub received_ms: i64,
}

/// Who offers a change, by certificate and shift.
#[derive(Debug, Clone)]
pub struct OfferedBy {
    pub device: DeviceNumber,
    pub public_key: Vec<u8>,
}

/// How a change came to the log.
enum Origin<'a> {
    Center,
    /// … that wrote it, by its signature.
    Device(&'a [u8]),
    GivenBack {
        by: DeviceNumber,
    },
}

/// One group's transaction and what happens in it.
#[derive(Debug)]
pub struct Ledger<'a> {
    transaction: &'a Transaction<'a>,
    documents: &'a mut Documents,
    surroundings: &'a Surroundings,
    head: u64,
    happenings: Vec<Happening>,
    /// Documents that the work at hand has touched.
    touched: Vec<DocumentId>,
    /// From where the work at hand was asked for.
    came_from: Option<String>,
    /// Something was purged.
    purged: bool,
}

/// What came of a group.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) happenings: Vec<Happening>,
    /// Something of the log was purged.
    pub(super) purged: bool,
}

/// The first and the last change of a document; `None` where it has none, or was purged.
///
/// # Errors
/// When the store fails.
pub(crate) fn reach(
    connection: &rusqlite::Connection,
    document: DocumentId,
) -> Result<Option<(u64, u64)>, LogError> {
    let found: Option<(Option<i64>, Option<i64>)> = connection
        .prepare_cached(
            "SELECT (SELECT min(seq) FROM changes WHERE document = ?1),
                    (SELECT max(seq) FROM changes WHERE document = ?1)
             WHERE EXISTS (SELECT 1 FROM document_keys WHERE document = ?1)",
        )?
        .query_row([document.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (first, last) = found.unwrap_or_default();
    Ok(first
        .zip(last)
        .map(|(first, last)| (first.unsigned_abs(), last.unsigned_abs())))
}

pub(super) fn head(connection: &rusqlite::Connection) -> Result<u64, LogError> {
    let head: i64 = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM changes")?
        .query_row([], |row| row.get(0))?;
    Ok(head.unsigned_abs())
}

impl<'a> Ledger<'a> {
    pub(super) fn new(
        transaction: &'a Transaction<'a>,
        documents: &'a mut Documents,
        surroundings: &'a Surroundings,
    ) -> Result<Self, LogError> {
        let head = head(transaction)?;
        Ok(Self {
            transaction,
            documents,
            surroundings,
            head,
            happenings: Vec::new(),
            touched: Vec::new(),
            came_from: None,
            purged: false,
        })
    }

    /// What happened in the group, to be told after its commit.
    ///
    /// # Errors
    /// When there is nothing left to commit.
    pub(super) fn finish(self) -> Result<Done, LogError> {
        if self.is_lost() {
            return Err(LogError::Full);
        }
        Ok(Done {
            happenings: self.happenings,
            purged: self.purged,
        })
    }

    /// The transaction is gone: SQLite takes all of it back when the disk is full. Any
    /// statement can find that out, one that only opens or closes a savepoint too: before
    /// it the full-text index writes what it has gathered.
    fn is_lost(&self) -> bool {
        self.transaction.is_autocommit()
    }

    /// Runs one piece of work; an error takes back all that it did. After a full disk that
    /// may be the whole group: what came before is taken back with it, and nothing that
    /// follows may run outside a transaction.
    pub(super) fn in_savepoint<T, E: From<LogError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.is_lost() {
            return Err(LogError::Full.into());
        }
        let (head, happened) = (self.head, self.happenings.len());
        self.touched.clear();
        self.run("SAVEPOINT work")?;
        let worked = work(self).and_then(|value| {
            self.run("RELEASE work")?;
            Ok(value)
        });
        match worked {
            _ if self.is_lost() => Err(LogError::Full.into()),
            Ok(value) => Ok(value),
            Err(error) => {
                self.head = head;
                self.happenings.truncate(happened);
                for document in self.touched.drain(..) {
                    self.documents.forget(document);
                }
                self.run("ROLLBACK TO work")?;
                self.run("RELEASE work")?;
                Err(error)
            }
        }
    }

    /// A piece of the work at hand that may fail by itself: an error takes back what the
    /// piece did and nothing else.
    ///
    /// # Errors
    /// The piece's own, or the store's.
    pub fn attempt<T, E: From<LogError>>(
        &mut self,
        piece: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let around = std::mem::take(&mut self.touched);
        let done = self.in_savepoint(piece);
        let by_piece = std::mem::replace(&mut self.touched, around);
        self.touched.extend(by_piece);
        done
    }

    /// Parsing it each time would cost more than what it does.
    fn run(&self, statement: &str) -> Result<(), LogError> {
        self.transaction.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    /// The store itself, for tables that are not the log's.
    #[must_use]
    pub fn sql(&self) -> &Transaction<'a> {
        self.transaction
    }

    /// The center's clock now: milliseconds since 1970, UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.surroundings.clock.now_ms()
    }

    /// What words name, by the rules in force.
    #[must_use]
    pub fn names_in(&self, words: &str) -> Vec<Entity> {
        self.surroundings.names_in(words)
    }

    /// What triage says of a call, where somebody triages here.
    #[must_use]
    pub(crate) fn triage(&self, report: &CallReport) -> Option<Triage> {
        self.surroundings.triage(report)
    }

    /// Within which limits calls are linked, where they are.
    #[must_use]
    pub(crate) fn linking(&self) -> Option<LinksConfig> {
        self.surroundings.links()
    }

    /// Whose call this is; the center's own where nothing is known of it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn agency_of(&self, call: CallId) -> Result<String, LogError> {
        let agency = policy::agency_of(self.transaction, call)?;
        Ok(agency.unwrap_or_else(|| policy::CENTER.to_owned()))
    }

    /// Whether this one may do this to a call.
    ///
    /// # Errors
    /// When the store fails.
    pub fn may(&self, who: &Who, act: Act, call: CallId) -> Result<bool, LogError> {
        let Some(policies) = self.surroundings.policies() else {
            return Ok(policy::decide(who.role, act));
        };
        Ok(policies.decide(who, act, On::call(act, &self.agency_of(call)?)))
    }

    /// Whether this one may do this, and by which policies; `None` where a simulated city
    /// has none.
    pub(crate) fn decided_by(
        &self,
        who: &Who,
        act: Act,
        on: On<'_>,
    ) -> Option<(bool, Arc<[String]>)> {
        let policies = self.surroundings.policies()?;
        Some(policies.decided_by(who, act, on))
    }

    /// Whether what is written into a packet of one agency may name a call of another.
    #[must_use]
    pub fn may_name(&self, of: &str, other: &str) -> bool {
        let policies = self.surroundings.policies();
        policies.is_none_or(|policies| policies.may_name(of, other))
    }

    /// From where the work at hand was asked for, where that is known.
    #[must_use]
    pub(crate) fn came_from(&self) -> Option<&str> {
        self.came_from.as_deref()
    }

    pub(super) fn comes_from(&mut self, address: Option<String>) {
        self.came_from = address;
    }

    /// The last `seq` given.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head
    }

    /// A document was purged: it is in no memory either, and after the commit what was
    /// written before is in no file beside the log's own.
    pub(crate) fn forgets(&mut self, document: DocumentId) {
        self.touched.push(document);
        self.documents.forget(document);
        self.purged = true;
    }

    /// To be told after the commit.
    pub fn tell(&mut self, happening: Happening) {
        self.happenings.push(happening);
    }

    /// A number that no call of this log has.
    ///
    /// # Errors
    /// When the store fails.
    pub fn new_call(&mut self) -> Result<CallId, LogError> {
        let issuer = CallId::new(self.documents.author, 0).0.cast_signed();
        let last: Option<i64> = self.transaction.query_row(
            "SELECT max(call) FROM calls WHERE call >= ?1 AND call < ?1 + ?2",
            [issuer, i64::from(CallId::BEATS_FIRST)],
            |row| row.get(0),
        )?;
        Ok(CallId(last.unwrap_or(issuer).cast_unsigned() + 1))
    }

    /// … and one that no beat's packet has.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn new_beat_packet(&mut self) -> Result<CallId, LogError> {
        let first = CallId::new(self.documents.author, CallId::BEATS_FIRST)
            .0
            .cast_signed();
        let last: Option<i64> = self.transaction.query_row(
            "SELECT max(call) FROM beat_packets WHERE call >= ?1 AND call <= ?1 + 2147483647",
            [first],
            |row| row.get(0),
        )?;
        Ok(CallId(last.unwrap_or(first).cast_unsigned() + 1))
    }

    /// Whether a document takes another change.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn has_room(&mut self, document: DocumentId) -> Result<bool, LogError> {
        let known = self.documents.get(self.transaction, document)?;
        Ok(known.lineage().len() < DOCUMENT_CHANGES_MAX)
    }

    /// The center writes an entry.
    ///
    /// # Errors
    /// When the entry breaks a limit or the store fails.
    pub fn append(&mut self, document: DocumentId, entry: Entry) -> Result<Appended, LogError> {
        let actor = self.documents.actor(document);
        let known = self.documents.get(self.transaction, document)?;
        let basis = known.lineage().basis(actor);
        let written = Written {
            entry,
            clock_off_ms: None,
            instead: None,
        };
        let now_ms = self.surroundings.clock.now_ms();
        let composed = compose(&Draft {
            actor,
            number: basis.number,
            deps: basis.deps,
            start_op: basis.start_op,
            time_ms: now_ms,
            written: &written,
        })?;
        let unreadable =
            |e: Refusal| LogError::Store(format!("the center's own change was refused: {e}"));
        let inspected = inspect(&composed.bytes).map_err(unreadable)?;
        known
            .apply(&inspected, &composed.bytes)
            .map_err(unreadable)?;
        self.log(document, inspected, composed.bytes, &Origin::Center)
    }

    /// A device offers a change: admitted, it gets its place in the log. A change that
    /// the log has is answered with the place that it has.
    ///
    /// # Errors
    /// The store's; a refusal is a result, and what was refused is kept for audit.
    pub fn admit(
        &mut self,
        offer: &Offer,
        by: &OfferedBy,
        allowed: Result<(), Refusal>,
    ) -> Result<Result<Appended, Refusal>, LogError> {
        if let Ok(hash) = change_hash(&offer.bytes)
            && let Some(known) = self.find(offer.document, &hash)?
            && !is_on(Sabotage::LogTwice)
        {
            return Ok(Ok(known));
        }
        // Its bytes are not kept either.
        if self.is_purged(offer.document)? {
            return Ok(Err(Refusal::Policy(PURGED.into())));
        }
        let (center, now_ms) = (self.documents.center, self.now_ms());
        let (document, mac) = self
            .documents
            .for_judging(self.transaction, offer.document)?;
        let admission = Admission {
            center,
            device: by.device,
            public_key: &by.public_key,
            now_ms,
            opened_by_device: offer.document.call.author() == Author::Device(by.device),
            mac,
        };
        let admitted = allowed.and_then(|()| admit(document, offer, &admission));
        match admitted {
            Ok(inspected) => {
                let origin = match &offer.proof {
                    Proof::Signature(signature) => Origin::Device(signature),
                    Proof::CenterMac(_) => Origin::GivenBack { by: by.device },
                };
                self.log(offer.document, inspected, offer.bytes.clone(), &origin)
                    .map(Ok)
            }
            Err(refusal) => {
                self.quarantine(offer, by.device, &refusal)?;
                Ok(Err(refusal))
            }
        }
    }

    fn find(&self, document: DocumentId, hash: &ChangeHash) -> Result<Option<Appended>, LogError> {
        let found: Option<(i64, i64, Vec<u8>)> = self
            .transaction
            .prepare_cached(
                "SELECT seq, received_ms, bytes FROM readable WHERE hash = ?1 AND document = ?2",
            )?
            .query_row(params![hash.0, document.to_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        found
            .map(|(seq, received_ms, bytes)| {
                let id = inspect(&bytes)
                    .map_err(|e| LogError::Store(e.to_string()))?
                    .id;
                Ok(Appended {
                    seq: seq.unsigned_abs(),
                    id,
                    received_ms,
                })
            })
            .transpose()
    }

    fn quarantine(
        &mut self,
        offer: &Offer,
        device: DeviceNumber,
        refusal: &Refusal,
    ) -> Result<(), LogError> {
        /// Most refused changes that are kept for audit, the newest.
        const REFUSALS_MAX: i64 = 10_000;
        self.transaction
            .prepare_cached(
                "INSERT INTO refusals (at_ms, device, document, bytes, signature, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.now_ms(),
                device.0,
                offer.document.to_bytes(),
                offer.bytes,
                offer.proof.bytes(),
                refusal.to_string()
            ])?;
        let newest = self.transaction.last_insert_rowid();
        self.transaction
            .prepare_cached("DELETE FROM refusals WHERE id <= ?1")?
            .execute([newest - REFUSALS_MAX])?;
        Ok(())
    }

    fn log(
        &mut self,
        document: DocumentId,
        inspected: Inspected,
        bytes: Vec<u8>,
        origin: &Origin<'_>,
    ) -> Result<Appended, LogError> {
        self.touched.push(document);
        let seq = self.head + 1;
        let device = match inspected.id.actor.author() {
            Author::Device(device) => Some(device),
            Author::Center(_) => None,
        };
        let (signature, given_back_by) = match origin {
            Origin::Center => (None, None),
            Origin::Device(signature) => (Some(*signature), None),
            Origin::GivenBack { by } => (None, Some(by.0)),
        };
        let received_ms = self.now_ms();
        let mac = self.documents.mac.mac(document, &inspected.hash);
        let brief = self.brief(document, &inspected, Place { seq, received_ms })?;
        let key = self.key_of(document)?;
        let sealed = |part, plain: &[u8]| {
            let nonce = self.surroundings.random();
            seal::seal(&key, document, &inspected.hash.0, part, nonce, plain)
        };
        let sealed_brief = brief.as_deref().map(|brief| sealed(Part::Brief, brief));
        self.transaction
            .prepare_cached(
                "INSERT INTO changes (seq, document, hash, bytes, mac, device, signature, received_ms, brief, given_back_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                seq.cast_signed(),
                document.to_bytes(),
                inspected.hash.0,
                sealed(Part::Bytes, &bytes)?,
                mac,
                device.map(|device| device.0),
                signature,
                received_ms,
                sealed_brief.transpose()?,
                given_back_by
            ])?;
        self.head = seq;
        let id = inspected.id;
        let change = Arc::new(Committed {
            seq,
            document,
            id,
            device,
            given_back: given_back_by.is_some(),
            received_ms,
            bytes,
            mac,
            brief,
            entry: inspected.written.entry.clone(),
            at: Instant::now(),
        });
        // Told before what comes of it: that may be changes of its own, whose place is later.
        self.happenings.push(Happening::Change(change.clone()));
        crate::search::index::add(self.transaction, seq, document, id, &change.entry)?;
        if given_back_by.is_some() {
            crate::calls::given_back(self, seq, document, &inspected)?;
        } else if let Entry::Query(query) = &change.entry {
            crate::enrich::own::clips::add(self, document, id, query)?;
        }
        let given_back = given_back_by.is_some();
        crate::calls::count(
            self,
            seq,
            document,
            id,
            &change.entry,
            received_ms,
            given_back,
        )?;
        crate::standing::logged(self, &change)?;
        crate::beats::logged(self, &change)?;
        crate::premises::logged(self, &change)?;
        crate::hot_list::logged(self, &change)?;
        Ok(Appended {
            seq,
            id,
            received_ms,
        })
    }

    /// The number and the key of a content that begins: neither is ever used again.
    pub(crate) fn fresh_content(&self) -> (i64, [u8; KEY_BYTES]) {
        let content = i64::from_be_bytes(self.surroundings.random()) & i64::MAX;
        (content, self.surroundings.random())
    }

    /// The key of a document's contents, made with its first change.
    fn key_of(&self, document: DocumentId) -> Result<[u8; KEY_BYTES], LogError> {
        let id = document.to_bytes();
        let known = self
            .transaction
            .prepare_cached("SELECT key FROM document_keys WHERE document = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        if let Some(key) = known {
            return Ok(key);
        }
        if self.is_purged(document)? {
            return Err(LogError::Conflict(PURGED.into()));
        }
        let key: [u8; KEY_BYTES] = self.surroundings.random();
        self.transaction
            .prepare_cached("INSERT INTO document_keys VALUES (?1, ?2)")?
            .execute(params![id, key])?;
        Ok(key)
    }

    fn is_purged(&self, document: DocumentId) -> Result<bool, LogError> {
        let mut statement = self
            .transaction
            .prepare_cached("SELECT 1 FROM purges WHERE document = ?1")?;
        Ok(statement.exists([document.to_bytes()])?)
    }

    /// What devices get of a change: worked out once, here, where what it stands on is at hand.
    fn brief(
        &mut self,
        document: DocumentId,
        change: &Inspected,
        place: Place,
    ) -> Result<Option<Vec<u8>>, LogError> {
        let lineage = self.documents.get(self.transaction, document)?.lineage();
        let mut statement = self
            .transaction
            .prepare_cached("SELECT seq FROM changes WHERE hash = ?1")?;
        let mut standing = Vec::with_capacity(change.deps.len());
        for dep in &change.deps {
            let seq: i64 = statement.query_row([dep.0], |row| row.get(0))?;
            standing.extend(lineage.entry(dep).map(|id| (seq.unsigned_abs(), id)));
        }
        let brief = brief::abridge(change, place, &standing);
        Ok(brief.and_then(|brief| codec::pack_brief(&brief)))
    }

    /// The last change of a document, 0 when it has none.
    ///
    /// # Errors
    /// When the store fails.
    pub fn last(&self, document: DocumentId) -> Result<u64, LogError> {
        let last: Option<i64> = self
            .transaction
            .prepare_cached("SELECT max(seq) FROM changes WHERE document = ?1")?
            .query_row([document.to_bytes()], |row| row.get(0))?;
        Ok(last.unwrap_or(0).unsigned_abs())
    }

    /// The compartments that every packet has: what is not restricted.
    #[must_use]
    pub fn carried() -> [Compartment; 2] {
        [Compartment::Safety, Compartment::Call]
    }
}
