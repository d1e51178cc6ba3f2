//! What the center says, in one transaction.

mod give_back;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest;
use packet::sabotage::{Sabotage, is_on};
use packet::{Author, ChangeHash, DocumentId, Entry, EntryId, Refusal, change_hash, inspect};
use rusqlite::{OptionalExtension, Transaction};
use sync::brief::{self, BriefError, Place, Standing};
use sync::codec::Unpacked;
use sync::device::{Received, Store as Operation, Unsent};

use super::leases::{self, IS_OVER, Leases, UNDER_OWN_KEY};
use super::meta::{WANTS_WHOLE, contact, document, get_u64, set, set_u64};
use super::write::Desk;
use super::{Blob, Contact, Pen, Store, StoreError, attachments, rows, words};

/// How often an entry is written anew when it is only its place in the document that
/// the center did not take. After that it counts as refused.
pub(super) const REWRITES_MAX: u32 = 3;

/// What the sync machine must be told after the commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// After a refusal, or when another log is given back what is here: all that is unsent
    /// now, of every document that was written anew or has unsent work, and how far that
    /// reads the outbox.
    pub(crate) outbox: Option<(BTreeMap<DocumentId, Vec<Unsent>>, i64)>,
    /// A document has to come anew, whole: the session begins again.
    pub(crate) comes_anew: bool,
    /// There may be other attachments to ask for, or to send, than before.
    pub(crate) attachments: bool,
    /// Of these the center has all, or does not take them.
    pub(crate) sent: Vec<Blob>,
    pub(crate) contact: Contact,
}

impl Store {
    /// Applies the operations in their order, in one transaction.
    pub(crate) fn apply(
        &self,
        pen: &Pen,
        operations: &[Operation],
        wall_ms: i64,
    ) -> Result<Applied, StoreError> {
        let mut newly_sealed = Vec::new();
        let mut done = Vec::new();
        let applied = self.write(|tx, lineages| {
            let desk = Desk {
                tx,
                lineages,
                pen,
                sealed: &self.0.sealed,
                newly_sealed: &mut newly_sealed,
            };
            let mut session = Session {
                desk,
                leases: &self.0.leases,
                wall_ms,
                done: &mut done,
                rewritten: BTreeSet::new(),
                come_anew: BTreeSet::new(),
                wants_whole: false,
                attachments: false,
                sent: Vec::new(),
            };
            for operation in operations {
                session.apply(operation)?;
            }
            session.finish()
        });
        let gone = if applied.is_ok() { done } else { newly_sealed };
        gone.iter().for_each(|hash| self.0.sealed.remove(hash));
        applied
    }
}

struct Session<'a> {
    desk: Desk<'a>,
    leases: &'a Leases,
    wall_ms: i64,
    /// Whose sealed files go after the commit.
    done: &'a mut Vec<ChangeHash>,
    /// The documents of which the machine must hear all that is unsent.
    rewritten: BTreeSet<DocumentId>,
    /// These have to come anew, …
    come_anew: BTreeSet<DocumentId>,
    /// … with their changes whole.
    wants_whole: bool,
    attachments: bool,
    sent: Vec<Blob>,
}

/// An entry of the outbox, to be written anew.
struct Waiting {
    n: i64,
    hash: ChangeHash,
    id: EntryId,
    kind: String,
    fields: String,
    clock_off_ms: Option<i64>,
    author_ms: i64,
    bytes: Vec<u8>,
}

impl Session<'_> {
    fn apply(&mut self, operation: &Operation) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        match operation {
            Operation::Welcome {
                incarnation,
                center_now_ms,
                dictionary,
                digest,
                anew,
                leases: rules,
            } => {
                set(tx, "clock_off_ms", self.wall_ms - center_now_ms)?;
                set_u64(tx, "dictionary", u64::from(*dictionary))?;
                let before = get_u64(tx, "incarnation")?;
                set_u64(tx, "incarnation", *incarnation)?;
                set_u64(tx, "digest", *digest)?;
                if *anew {
                    let is_other = before != 0 && before != *incarnation;
                    self.reset(is_other && !is_on(Sabotage::IgnoreIncarnation))?;
                }
                let to_come = leases::rule(tx, self.desk.lineages, self.leases, rules)?;
                if !anew {
                    self.come_anew.extend(to_come);
                }
                Ok(())
            }
            Operation::Grant(document) => {
                let leased = leases::granted(tx, self.desk.lineages, self.leases, *document)?;
                tx.prepare_cached(
                    "INSERT INTO documents (doc, standing, apart, leased) VALUES (?1, 1, 0, ?2)
                     ON CONFLICT (doc) DO UPDATE SET standing = 1, apart = 0, leased = ?2",
                )?
                .execute((document.to_bytes(), leased))?;
                Ok(())
            }
            Operation::Revoke(document) => self.ungrant(*document),
            Operation::Changes {
                document,
                changes,
                through,
            } => {
                let kept = leases::takes(tx, self.desk.lineages, self.leases, *document)?;
                let Some(kept) = kept else {
                    // Its lease ended under this session's hands.
                    leases::end(tx, self.desk.lineages, self.leases, *document)?;
                    self.come_anew.insert(*document);
                    return Ok(());
                };
                if kept == IS_OVER {
                    return Ok(());
                }
                for change in changes {
                    if !self.received(*document, change, kept)? {
                        self.ask_anew(*document);
                        return Ok(());
                    }
                }
                tx.prepare_cached("UPDATE documents SET apart = ?2 WHERE doc = ?1")?
                    .execute((document.to_bytes(), through.cast_signed()))?;
                Ok(())
            }
            Operation::Position { position, digest } => self.position(*position, *digest),
            Operation::Accepted {
                hash,
                seq,
                received_ms,
            } => self.accepted(*hash, *seq, *received_ms),
            Operation::Refused { hash, code, reason } => self.refused(*hash, *code, reason),
            Operation::Chunk {
                blob,
                offset,
                total,
                bytes,
            } => {
                self.attachments |= attachments::received(tx, &blob.0, *offset, bytes, *total)?;
                Ok(())
            }
            Operation::Have {
                blob,
                bytes,
                refused,
            } => self.have(&blob.0, *bytes, refused.as_deref()),
            Operation::Seen {
                number,
                document,
                through,
                who,
                at_ms,
            } => {
                set_u64(tx, "receipts", get_u64(tx, "receipts")?.max(*number))?;
                tx.prepare_cached(
                    "INSERT INTO seen (doc, who, through, at_ms) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (doc, who) DO UPDATE SET through = excluded.through, at_ms = excluded.at_ms
                     WHERE excluded.through >= seen.through",
                )?
                .execute((document.to_bytes(), who, through.cast_signed(), at_ms))?;
                Ok(())
            }
        }
    }

    fn have(&mut self, blob: &Blob, bytes: u64, refused: Option<&str>) -> Result<(), StoreError> {
        if attachments::at_center(self.desk.tx, blob, bytes, refused)? {
            self.attachments = true;
            self.sent.push(*blob);
        }
        Ok(())
    }

    fn finish(self) -> Result<Applied, StoreError> {
        self.mark_anew()?;
        // Keys before rows, those that go and those that come.
        self.leases.save()?;
        let tx = self.desk.tx;
        let mut contact = contact(tx)?;
        if let Some(off_ms) = contact.clock_off_ms {
            contact.last_ms = Some(self.wall_ms - off_ms);
            set(tx, "last_contact_ms", contact.last_ms)?;
        }
        let outbox = if self.rewritten.is_empty() {
            None
        } else {
            let (all, high) = super::read::all_unsent(tx, self.leases)?;
            let mut outbox: BTreeMap<DocumentId, Vec<Unsent>> =
                self.rewritten.iter().map(|id| (*id, Vec::new())).collect();
            for unsent in all {
                outbox.entry(unsent.document).or_default().push(unsent);
            }
            Some((outbox, high))
        };
        Ok(Applied {
            outbox,
            comes_anew: !self.come_anew.is_empty(),
            attachments: self.attachments,
            sent: self.sent,
            contact,
        })
    }

    /// All is granted and sent anew. With another log, nothing of what is here counts as
    /// being there: all of it is given back.
    fn reset(&mut self, other_log: bool) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        set_u64(tx, "position", 0)?;
        tx.execute(
            "UPDATE documents SET standing = 2, apart = NULL WHERE standing = 1",
            [],
        )?;
        if !other_log {
            return Ok(());
        }
        attachments::send_again(tx)?;
        self.give_back()
    }

    fn ungrant(&mut self, document: DocumentId) -> Result<(), StoreError> {
        let key = document.to_bytes();
        let tx = self.desk.tx;
        tx.execute(
            "UPDATE documents SET standing = 0, opened = 0, apart = NULL, actor = NULL WHERE doc = ?1",
            [key],
        )?;
        tx.execute("DELETE FROM seen WHERE doc = ?1", [key])?;
        tx.execute("DELETE FROM shown WHERE doc = ?1", [key])?;
        if is_on(Sabotage::KeepRevoked) {
            return Ok(());
        }
        self.sweep(document)
    }

    /// Takes what may not be here off the device, all but what is unsent or to be given back.
    fn sweep(&mut self, document: DocumentId) -> Result<(), StoreError> {
        let key = document.to_bytes();
        let tx = self.desk.tx;
        tx.execute(
            "DELETE FROM changes WHERE doc = ?1 AND again IS NULL
             AND hash NOT IN (SELECT hash FROM outbox WHERE doc = ?1 AND refused IS NULL)",
            [key],
        )?;
        tx.execute(
            "DELETE FROM documents WHERE doc = ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE doc = ?1)
             AND NOT EXISTS (SELECT 1 FROM changes WHERE doc = ?1)",
            [key],
        )?;
        leases::left(tx, self.leases, document)?;
        attachments::collect(tx)?;
        self.desk.lineages.forget(document);
        Ok(())
    }

    fn position(&mut self, position: u64, digest: u64) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        set_u64(tx, "position", position)?;
        set_u64(tx, "digest", digest)?;
        set_u64(tx, WANTS_WHOLE, 0)?;
        tx.execute(
            "UPDATE documents SET apart = NULL WHERE standing = 1 AND apart IS NOT NULL AND leased <> 2",
            [],
        )?;
        // Left over from before a reset; or opened here, taken into the log, and by this
        // position no longer granted: its grant began and ended while the device was away.
        let mut statement = tx.prepare_cached(
            "SELECT doc FROM documents WHERE standing = 2 OR (opened = 1 AND standing = 0 AND EXISTS
                 (SELECT 1 FROM changes WHERE changes.doc = documents.doc AND seq <= ?1))",
        )?;
        let left = statement
            .query_and_then([position.cast_signed()], |row| {
                document(&row.get::<_, Vec<u8>>(0)?)
            })?
            .collect::<Result<Vec<_>, _>>()?;
        for id in left {
            // The center may not know the call yet that it is being given back.
            if !self.is_given_back(id.call)? {
                self.ungrant(id)?;
            }
        }
        Ok(())
    }

    /// A brief that cannot be written out here: something that it stands on is missing, or
    /// this build writes changes otherwise. The document comes again from its start, with
    /// its changes whole.
    fn ask_anew(&mut self, document: DocumentId) {
        self.wants_whole = true;
        self.come_anew.insert(document);
    }

    /// Whatever else was said of these documents in the same breath, a position among it.
    fn mark_anew(&self) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        if self.wants_whole {
            set_u64(tx, WANTS_WHOLE, 1)?;
        }
        for document in &self.come_anew {
            tx.prepare_cached("UPDATE documents SET apart = 0 WHERE doc = ?1")?
                .execute([document.to_bytes()])?;
        }
        Ok(())
    }

    /// The change's bytes, written out where a brief came.
    fn bytes(
        &self,
        document: DocumentId,
        change: &Received,
    ) -> Result<Result<Vec<u8>, BriefError>, StoreError> {
        let brief = match &change.body {
            Unpacked::Change(bytes) => return Ok(Ok(bytes.clone())),
            Unpacked::Brief(brief) => brief,
        };
        let place = Place {
            seq: change.seq,
            received_ms: change.received_ms,
        };
        let mut failed = None;
        let restored = brief::restore(brief, place, |seq| {
            standing(self.desk.tx, document, seq).unwrap_or_else(|error| {
                failed = Some(error);
                None
            })
        });
        match failed {
            Some(error) => Err(error),
            None => Ok(restored.map(|composed| composed.bytes)),
        }
    }

    /// Whether the change could be read.
    fn received(
        &mut self,
        document: DocumentId,
        change: &Received,
        kept: i64,
    ) -> Result<bool, StoreError> {
        let tx = self.desk.tx;
        let Ok(bytes) = self.bytes(document, change)? else {
            return Ok(false);
        };
        let inspected = inspect(&bytes);
        let hash = match &inspected {
            Ok(inspected) => inspected.hash,
            Err(_) => change_hash(&bytes).unwrap_or_else(|_| digest_of(&bytes)),
        };
        // What has no hash of its own could not be told apart when it is given back.
        let mac = change_hash(&bytes).ok().map(|_| &change.mac);
        let known = tx
            .prepare_cached(
                "UPDATE changes SET seq = ?2, received_ms = ?3, mac = ?4, again = NULL WHERE hash = ?1",
            )?
            .execute((
                hash.0,
                change.seq.cast_signed(),
                change.received_ms,
                mac,
            ))?;
        if known > 0 {
            // Of another log before: only now does it count in a history again.
            if let Ok(inspected) = inspected {
                let (id, max_op) = (inspected.id, inspected.max_op);
                self.desk.lineages.add(document, hash, id, max_op);
            }
            return Ok(true);
        }
        if kept == UNDER_OWN_KEY {
            return self.received_sealed(document, change, hash, &bytes);
        }
        let Ok(inspected) = inspected else {
            tx.prepare_cached(
                "INSERT INTO changes (hash, doc, kind, mine, seq, received_ms, bytes, mac)
                 VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                hash.0,
                document.to_bytes(),
                rows::UNREADABLE,
                change.seq.cast_signed(),
                change.received_ms,
                &bytes,
                mac,
            ))?;
            return Ok(true);
        };
        let (kind, fields) = rows::fields(&inspected.written.entry)?;
        let mine = inspected.id.actor.author() == Author::Device(self.desk.pen.device);
        tx.prepare_cached(
            "INSERT INTO changes (hash, doc, entry, kind, fields, clock_off_ms, max_op, author_ms, mine, seq, received_ms, bytes, mac)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(rusqlite::params![
            hash.0,
            document.to_bytes(),
            inspected.id.to_string(),
            kind,
            fields,
            inspected.written.clock_off_ms,
            inspected.max_op.cast_signed(),
            inspected.time_ms,
            mine,
            change.seq.cast_signed(),
            change.received_ms,
            bytes,
            mac,
        ])?;
        words::add(tx, document, &inspected.written.entry)?;
        if let Entry::Attachment(attachment) = &inspected.written.entry {
            attachments::named(tx, document, hash, inspected.id, attachment)?;
            self.attachments = true;
        }
        self.desk
            .lineages
            .add(document, hash, inspected.id, inspected.max_op);
        Ok(true)
    }

    /// One of a document with a key of its own: what it says is under that key.
    fn received_sealed(
        &mut self,
        document: DocumentId,
        change: &Received,
        hash: ChangeHash,
        bytes: &[u8],
    ) -> Result<bool, StoreError> {
        let Some(sealed) = self.leases.seal(document, hash, bytes)? else {
            return Ok(false);
        };
        let inspected = inspect(bytes).ok();
        let mine = inspected.as_ref().is_some_and(|inspected| {
            inspected.id.actor.author() == Author::Device(self.desk.pen.device)
        });
        let mac = change_hash(bytes).ok().map(|_| &change.mac);
        self.desk
            .tx
            .prepare_cached(
                "INSERT INTO changes (hash, doc, entry, kind, max_op, mine, seq, received_ms, bytes, mac)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                hash.0,
                document.to_bytes(),
                inspected.as_ref().map(|inspected| inspected.id.to_string()),
                rows::SEALED,
                inspected.as_ref().map(|inspected| inspected.max_op.cast_signed()),
                mine,
                change.seq.cast_signed(),
                change.received_ms,
                sealed,
                mac,
            ))?;
        if let Some(inspected) = inspected {
            let (id, max_op) = (inspected.id, inspected.max_op);
            self.desk.lineages.add(document, hash, id, max_op);
        }
        Ok(true)
    }

    fn accepted(&mut self, hash: ChangeHash, seq: u64, received_ms: i64) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        self.done.push(hash);
        tx.prepare_cached("DELETE FROM outbox WHERE hash = ?1")?
            .execute([hash.0])?;
        let place: Option<Vec<u8>> = tx
            .prepare_cached(
                "UPDATE changes SET seq = ?2, received_ms = ?3, again = NULL WHERE hash = ?1 RETURNING doc",
            )?
            .query_row((hash.0, seq.cast_signed(), received_ms), |row| row.get(0))
            .optional()?;
        self.attachments |= attachments::entry_accepted(tx, hash)?;
        let Some(place) = place else { return Ok(()) };
        let id = document(&place)?;
        // What stayed only because it was unsent goes now.
        let stays: bool = tx
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM documents WHERE doc = ?1 AND (standing > 0 OR opened = 1))",
            )?
            .query_row([&place], |row| row.get(0))?;
        if !stays {
            self.sweep(id)?;
        }
        self.let_go(id.call)
    }

    fn refused(&mut self, hash: ChangeHash, code: u16, reason: &str) -> Result<(), StoreError> {
        if self.is_not_taken_back(hash)? {
            return Ok(());
        }
        let tx = self.desk.tx;
        let found: Option<(i64, Vec<u8>, u32, Option<i64>)> = tx
            .prepare_cached(
                "SELECT n, doc, rewrites, clock_off_ms FROM outbox WHERE hash = ?1 AND refused IS NULL",
            )?
            .query_row([hash.0], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()?;
        // It was written anew since: the answer names a change that is no more.
        let Some((n, place, rewrites, clock_off_ms)) = found else {
            return Ok(());
        };
        let id = document(&place)?;
        if code == Refusal::HasIt.code() {
            return self.is_there(hash, id, n);
        }
        let again = rewrites < REWRITES_MAX
            && (is_about_place(code) || (code == Refusal::Time.code() && clock_off_ms.is_none()));
        if again {
            tx.execute(
                "UPDATE outbox SET rewrites = rewrites + 1 WHERE n = ?1",
                [n],
            )?;
        } else {
            tx.execute("UPDATE outbox SET refused = ?2 WHERE n = ?1", (n, reason))?;
            if is_on(Sabotage::ForgetRefused) {
                tx.execute("DELETE FROM outbox WHERE n = ?1", [n])?;
            }
            attachments::entry_refused(tx, hash, reason)?;
            tx.execute("DELETE FROM changes WHERE hash = ?1", [hash.0])?;
            self.done.push(hash);
        }
        self.rewritten.insert(id);
        self.rewrite(id, n)?;
        self.let_go(id.call)
    }

    /// The log has this entry, from a change that is or is not here. The document comes
    /// again, with that one; what was written behind this one stands on nothing now.
    fn is_there(&mut self, hash: ChangeHash, id: DocumentId, n: i64) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        tx.execute("DELETE FROM outbox WHERE n = ?1", [n])?;
        tx.execute("DELETE FROM changes WHERE hash = ?1", [hash.0])?;
        self.done.push(hash);
        attachments::entry_accepted(tx, hash)?;
        self.come_anew.insert(id);
        self.rewritten.insert(id);
        self.rewrite(id, n)?;
        self.let_go(id.call)
    }

    /// A new actor writes what is unsent of this document from here on anew. Each says which
    /// change it was first: that one may have got to the center, or may get there yet.
    fn rewrite(&mut self, document: DocumentId, from: i64) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        if is_on(Sabotage::DropSuccessors) {
            let behind = "DELETE FROM outbox WHERE doc = ?1 AND n > ?2 AND refused IS NULL";
            tx.execute(behind, (document.to_bytes(), from))?;
        }
        let waiting = waiting(tx, document, from)?;
        for old in &waiting {
            tx.execute("DELETE FROM changes WHERE hash = ?1", [old.hash.0])?;
            self.done.push(old.hash);
        }
        self.desk.lineages.forget(document);
        let actor = self.desk.new_actor(document)?;
        let clock_off_ms = contact(tx)?.clock_off_ms;
        let mut renamed: BTreeMap<EntryId, EntryId> = BTreeMap::new();
        for old in waiting {
            let mut written = rows::written(
                old.kind,
                Some(old.fields),
                old.clock_off_ms.or(clock_off_ms),
            );
            if let Entry::Correction(packet::Correction { of, .. })
            | Entry::Acknowledgement(packet::Acknowledgement { of, .. }) = &mut written.entry
            {
                *of = renamed.get(of).copied().unwrap_or(*of);
            }
            let before = inspect(&old.bytes).ok();
            let first = before.and_then(|before| before.written.instead);
            written.instead = Some(first.unwrap_or(old.hash));
            let made = self.desk.make(document, actor, &written, old.author_ms)?;
            renamed.insert(old.id, made.id);
            let (_, fields) = rows::fields(&written.entry)?;
            tx.execute(
                "UPDATE outbox SET hash = ?2, entry = ?3, fields = ?4, clock_off_ms = ?5, bytes = ?6, signature = ?7
                 WHERE n = ?1",
                (
                    old.n,
                    made.unsent.hash.0,
                    made.id.to_string(),
                    fields,
                    written.clock_off_ms,
                    &made.unsent.bytes,
                    &made.signature,
                ),
            )?;
        }
        Ok(())
    }
}

/// The document's change with this `seq`, for what stands on it.
fn standing(
    tx: &Transaction<'_>,
    document: DocumentId,
    seq: u64,
) -> Result<Option<Standing>, StoreError> {
    let found = tx
        .prepare_cached(
            "SELECT hash, entry, max_op FROM changes
             WHERE doc = ?1 AND seq = ?2 AND entry IS NOT NULL",
        )?
        .query_row((document.to_bytes(), seq.cast_signed()), |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        })
        .optional()?;
    let Some((hash, entry, max_op)) = found else {
        return Ok(None);
    };
    Ok(Some(Standing {
        hash: ChangeHash(hash),
        id: entry
            .parse()
            .map_err(|_| StoreError::Damaged("an entry's id"))?,
        max_op: max_op.cast_unsigned(),
    }))
}

fn waiting(
    tx: &Transaction<'_>,
    document: DocumentId,
    from: i64,
) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT n, hash, entry, kind, fields, clock_off_ms, author_ms, bytes FROM outbox
         WHERE doc = ?1 AND n >= ?2 AND refused IS NULL ORDER BY n",
    )?;
    statement
        .query_and_then((document.to_bytes(), from), |row| {
            Ok(Waiting {
                n: row.get(0)?,
                hash: ChangeHash(row.get(1)?),
                id: row
                    .get::<_, String>(2)?
                    .parse()
                    .map_err(|_| StoreError::Damaged("an entry's id"))?,
                kind: row.get(3)?,
                fields: row.get(4)?,
                clock_off_ms: row.get(5)?,
                author_ms: row.get(6)?,
                bytes: row.get(7)?,
            })
        })?
        .collect()
}

/// Whether the center found fault with where the entry stands, not with what it says: a
/// center that was restored from a backup lacks what the entry stands on.
fn is_about_place(code: u16) -> bool {
    let (wanted, found) = (0, 0);
    [
        Refusal::WrongNumber { wanted, found },
        Refusal::UnknownDependency,
        Refusal::SkipsOwnChange,
        Refusal::StartOperation { wanted, found },
    ]
    .iter()
    .any(|refusal| refusal.code() == code)
}

fn digest_of(bytes: &[u8]) -> ChangeHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    ChangeHash(hash)
}
