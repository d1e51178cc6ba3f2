//! Writing an entry: the change, the outbox and the entry in one transaction, and
//! before its commit a durable file that only the center can open.

use std::sync::Arc;

use packet::sabotage::{Sabotage, is_on};
use packet::signature::signing_input;
use packet::{
    Actor, Attachment, Author, CallId, CenterId, ChangeHash, DeviceNumber, DocumentId, Draft,
    Entry, EntryError, EntryId, Proof, Written, compose,
};
use rusqlite::{OptionalExtension, Transaction};
use sync::device::Unsent;
use sync::frame::{OfferFrame, SEALED_INFO, UpFrame, encode};

use super::lineages::Lineages;
use super::meta::contact;
use super::{OUTBOX_ENTRIES_MAX, Sealed, Store, StoreError, attachments, leases, rows, words};
use crate::identity::{Signer, seal_to_center};

/// Whose hand writes here: what a change is signed and sealed with.
#[derive(Debug, Clone)]
pub(crate) struct Pen {
    pub(crate) device: DeviceNumber,
    pub(crate) center: CenterId,
    pub(crate) sealing_key: Vec<u8>,
    pub(crate) signer: Arc<dyn Signer>,
}

#[derive(Debug, Clone)]
pub(crate) struct Intent {
    pub(crate) document: DocumentId,
    pub(crate) entry: Entry,
}

/// A change that was just made, stored and sealed.
pub(super) struct Made {
    pub(super) id: EntryId,
    pub(super) unsent: Unsent,
    pub(super) signature: Vec<u8>,
}

/// What writing within one transaction needs. Remembers which files it sealed, so
/// that they go when the transaction does not commit.
pub(super) struct Desk<'a> {
    pub(super) tx: &'a Transaction<'a>,
    pub(super) lineages: &'a mut Lineages,
    pub(super) pen: &'a Pen,
    pub(super) sealed: &'a Sealed,
    pub(super) newly_sealed: &'a mut Vec<ChangeHash>,
}

impl Store {
    /// Writes these entries, all or none. `opens` makes their packet this device's own.
    pub(crate) fn write_entries(
        &self,
        pen: &Pen,
        intents: &[Intent],
        author_ms: i64,
        opens: bool,
    ) -> Result<Vec<EntryId>, StoreError> {
        self.at_desk(pen, |desk| desk.write_all(intents, author_ms, opens))
    }

    /// Writes an attachment's entry, and keeps its content until the center has it whole.
    pub(crate) fn attach(
        &self,
        pen: &Pen,
        document: DocumentId,
        attachment: Attachment,
        content: &[u8],
        author_ms: i64,
    ) -> Result<EntryId, StoreError> {
        let blob = attachment.blob.clone();
        let entry = Entry::Attachment(attachment);
        let intents = [Intent { document, entry }];
        self.at_desk(pen, |desk| {
            let ids = desk.write_all(&intents, author_ms, false)?;
            attachments::keep_own(desk.tx, document, &blob, content)?;
            ids.first().copied().ok_or(StoreError::NotHere)
        })
    }

    fn at_desk<T>(
        &self,
        pen: &Pen,
        work: impl FnOnce(&mut Desk<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut newly_sealed = Vec::new();
        let written = self.write(|tx, lineages| {
            work(&mut Desk {
                tx,
                lineages,
                pen,
                sealed: &self.0.sealed,
                newly_sealed: &mut newly_sealed,
            })
        });
        if written.is_err() {
            // The officer is told that nothing was kept: so nothing is.
            newly_sealed
                .iter()
                .for_each(|hash| self.0.sealed.remove(hash));
        }
        written
    }
}

impl Desk<'_> {
    fn write_all(
        &mut self,
        intents: &[Intent],
        author_ms: i64,
        opens: bool,
    ) -> Result<Vec<EntryId>, StoreError> {
        let waiting: u32 = self
            .tx
            .query_row("SELECT count(*) FROM outbox", [], |row| row.get(0))?;
        if waiting as usize + intents.len() > OUTBOX_ENTRIES_MAX {
            return Err(StoreError::OutboxFull);
        }
        let clock_off_ms = contact(self.tx)?.clock_off_ms;
        let mut ids = Vec::with_capacity(intents.len());
        for intent in intents {
            if !opens && !is_here(self.tx, intent.document.call)? {
                return Err(StoreError::NotHere);
            }
            if leases::how_kept(self.tx, intent.document)? != leases::UNDER_STORE_KEY {
                // It would lie in the outbox, under no key that ends.
                return Err(StoreError::Entry(EntryError::Field {
                    field: "document",
                    wanted: "one without a lease of its own: correct this at the console".into(),
                }));
            }
            let actor = self.actor(intent.document, opens)?;
            let written = Written {
                entry: intent.entry.clone(),
                clock_off_ms,
                instead: None,
            };
            let made = self.make(intent.document, actor, &written, author_ms)?;
            let (kind, fields) = rows::fields(&written.entry)?;
            self.tx
                .prepare_cached(
                    "INSERT INTO outbox (hash, doc, entry, kind, fields, clock_off_ms, author_ms, bytes, signature)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute((
                    made.unsent.hash.0,
                    intent.document.to_bytes(),
                    made.id.to_string(),
                    kind,
                    fields,
                    clock_off_ms,
                    author_ms,
                    &made.unsent.bytes,
                    &made.signature,
                ))?;
            ids.push(made.id);
        }
        Ok(ids)
    }

    /// This device's actor in the document, made at its first entry there.
    fn actor(&self, document: DocumentId, opens: bool) -> Result<Actor, StoreError> {
        let kept: Option<Option<[u8; 8]>> = self
            .tx
            .prepare_cached("SELECT actor FROM documents WHERE doc = ?1")?
            .query_row([document.to_bytes()], |row| row.get(0))
            .optional()?;
        if opens {
            self.tx.execute(
                "INSERT INTO documents (doc, standing, opened) VALUES (?1, 0, 1)
                 ON CONFLICT (doc) DO UPDATE SET opened = 1",
                [document.to_bytes()],
            )?;
        }
        match kept.flatten() {
            Some(actor) => Ok(Actor(actor)),
            None => self.new_actor(document),
        }
    }

    pub(super) fn new_actor(&self, document: DocumentId) -> Result<Actor, StoreError> {
        let random = fastrand::u32(..).to_be_bytes();
        let actor = Actor::new(Author::Device(self.pen.device), random);
        self.tx
            .prepare_cached(
                "INSERT INTO documents (doc, standing, actor) VALUES (?1, 0, ?2)
                 ON CONFLICT (doc) DO UPDATE SET actor = excluded.actor",
            )?
            .execute((document.to_bytes(), actor.0))?;
        Ok(actor)
    }

    /// Composes, signs, seals and stores a change; the outbox's row is the caller's.
    pub(super) fn make(
        &mut self,
        document: DocumentId,
        actor: Actor,
        written: &Written,
        author_ms: i64,
    ) -> Result<Made, StoreError> {
        let basis = self.lineages.of(self.tx, document)?.basis(actor);
        let composed = compose(&Draft {
            actor,
            number: basis.number,
            deps: basis.deps,
            start_op: basis.start_op,
            time_ms: author_ms,
            written,
        })?;
        let input = signing_input(self.pen.center, document, &composed.hash);
        let signature = self.pen.signer.sign(&input)?;
        let unsent = Unsent {
            document,
            hash: composed.hash,
            proof: Proof::Signature(signature.clone()),
            bytes: composed.bytes,
        };
        self.seal(document, unsent.hash, &unsent.bytes, &signature)?;
        let (kind, fields) = rows::fields(&written.entry)?;
        self.tx
            .prepare_cached(
                "INSERT INTO changes (hash, doc, entry, kind, fields, clock_off_ms, max_op, author_ms, mine, bytes, signature)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?10)",
            )?
            .execute((
                unsent.hash.0,
                document.to_bytes(),
                composed.id.to_string(),
                kind,
                fields,
                written.clock_off_ms,
                composed.max_op.cast_signed(),
                author_ms,
                &unsent.bytes,
                &signature,
            ))?;
        words::add(self.tx, document, &written.entry)?;
        if let Entry::Attachment(attachment) = &written.entry {
            attachments::named(self.tx, document, unsent.hash, composed.id, attachment)?;
        }
        self.lineages
            .add(document, unsent.hash, composed.id, composed.max_op);
        Ok(Made {
            id: composed.id,
            unsent,
            signature,
        })
    }

    /// To the center's key, on the disk.
    pub(super) fn seal(
        &mut self,
        document: DocumentId,
        hash: ChangeHash,
        bytes: &[u8],
        signature: &[u8],
    ) -> Result<(), StoreError> {
        // Raw: whoever opens this knows no dictionary for certain.
        let body = [&[0], bytes].concat();
        let proof = Proof::Signature(signature.to_vec());
        let plaintext = encode(&UpFrame::Offer(OfferFrame {
            document,
            body,
            proof,
        }));
        let aad = self.pen.device.0.to_be_bytes();
        let sealed = seal_to_center(&self.pen.sealing_key, SEALED_INFO, &aad, &plaintext)?;
        self.newly_sealed.push(hash);
        if is_on(Sabotage::SkipSealing) {
            return Ok(());
        }
        Ok(self.sealed.put(&hash, &sealed)?)
    }
}

/// Whether the device has, or opened, anything of this packet.
fn is_here(tx: &Transaction<'_>, call: CallId) -> Result<bool, StoreError> {
    let (first, last) = super::read::documents_of(call);
    Ok(tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM documents WHERE doc BETWEEN ?1 AND ?2 AND (standing > 0 OR opened = 1))",
        )?
        .query_row((first, last), |row| row.get(0))?)
}
