//! Documents whose lease is shorter than the shift: a key of each one's own.
//!
//! ```text
//!  host's key store: lease-keys ──opens──▶ sealed rows, in the store ◀──opens── store-key
//!                    lease-clock: how much is left of each
//! ```
//!
//! What they say is sealed (AES-256-GCM, a random key for each document) before it reaches
//! SQLite: so it is in no page, index, WAL or temporary file, and when the key has gone, no
//! other key on this device, and no copy of the database, brings it back. What stands beside
//! it in the open, under the store's key alone, is what syncing needs: documents, hashes,
//! authors' numbers, `seq`s, times of receipt.
//!
//! The keys lie beside the store's own and not in the store, so that one goes at the end of
//! its lease while the store is closed, too. **The key goes first, then the rows**: each is
//! durable before the next, and whatever finds rows without their key ends the lease again
//! ([`Store::settle_leases`]). The document stays granted and says of itself that nothing of
//! it is here, so the next contact brings it from its start.
//!
//! A key without a term is over, and so is a term without a key: a device that dies between
//! the two writes loses a document that comes anew, never keeps one for too long.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::rand;
use packet::sealed::{self, NONCE_BYTES};
use packet::{CallId, ChangeHash, Compartment, DocumentId};
use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};
use sync::frame::Lease;
use sync::limits::{LEASE_MINUTES_MAX, LEASE_MINUTES_MIN};
use zeroize::Zeroizing;

use super::connection::{KEY_BYTES, StoreKey, new_key};
use super::lineages::Lineages;
use super::meta::{document, get, set};
use super::read::documents_of;
use super::{Store, StoreError, attachments, lock};
use crate::identity::{KeyStore, KeyStoreError, SignerError};
use crate::lock::lease_clock::{KeptTerms, LeaseClock, Term};
use crate::lock::tries::Moment;

/// In the host's key store: the documents' keys …
pub(crate) const LEASE_KEYS: &str = "lease-keys";
/// … and how much is left of their leases.
pub(crate) const LEASE_CLOCK: &str = "lease-clock";
/// Most documents with keys of their own: they fit into one item of a key store. What comes
/// beyond them is as if its lease were over.
const LEASED_MAX: usize = 500;
/// The first byte of what is kept.
const FORM: u8 = 1;
const RECORD_BYTES: usize = DocumentId::BYTES + KEY_BYTES;
const MINUTE_MS: i64 = 60_000;
/// A document that no rule speaks of any more lasts as long as a shift can.
const LENGTH_MS_MAX: i64 = LEASE_MINUTES_MAX as i64 * MINUTE_MS;
/// The rules of the last welcome, in the store.
const RULES: &str = "leases";

/// How a document is kept: `documents.leased`.
pub(super) const UNDER_STORE_KEY: i64 = 0;
pub(super) const UNDER_OWN_KEY: i64 = 1;
/// Its lease has ended, and no contact has brought it anew.
pub(super) const IS_OVER: i64 = 2;

type Ring = BTreeMap<DocumentId, StoreKey>;

#[derive(Debug)]
pub(crate) struct Leases {
    keys: Arc<dyn KeyStore>,
    held: Mutex<Held>,
}

struct Held {
    clock: LeaseClock,
    /// `None` while the device is locked: then the keys are in the key store alone.
    ring: Option<Ring>,
    /// The ring is not as the key store has it.
    is_unsaved: bool,
    /// Keys have gone, and their rows may not have.
    is_unsettled: bool,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Leases {
    /// Those of a device whose store is closed. What is over by now is forgotten first.
    pub(crate) fn open(keys: Arc<dyn KeyStore>, now: Moment) -> Result<Self, StoreError> {
        let kept = keys.load(LEASE_CLOCK)?;
        // What cannot be read is over.
        let kept = kept.and_then(|kept| serde_json::from_slice::<KeptTerms>(&kept).ok());
        let clock = match &kept {
            Some(kept) => LeaseClock::load(kept, now),
            None => LeaseClock::new(now),
        };
        let leases = Self {
            keys,
            held: Mutex::new(Held {
                clock,
                ring: None,
                is_unsaved: false,
                is_unsettled: false,
            }),
        };
        leases.forget_over()?;
        Ok(leases)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    /// The store opens: its keys come into memory.
    pub(super) fn unlock(&self) -> Result<(), StoreError> {
        let ring = read_ring(self.keys.as_ref())?;
        self.held().ring = Some(ring);
        Ok(())
    }

    pub(super) fn lock(&self) {
        self.held().ring = None;
    }

    /// Runs the leases down to now; from then on nothing of what is over is read. Says
    /// whether there is something to forget.
    pub(crate) fn pass(&self, now: Moment) -> bool {
        let mut held = self.held();
        held.clock.pass(now);
        let over = held.clock.over();
        if let Some(ring) = &mut held.ring {
            ring.retain(|document, _| !over.contains(document));
        }
        !over.is_empty()
    }

    /// Takes the keys of what is over out of the key store; durable when this returns. Says
    /// whether rows may be left whose key has gone.
    pub(crate) fn forget_over(&self) -> Result<bool, StoreError> {
        let mut held = self.held();
        let over = held.clock.over();
        // Also those that no term speaks of.
        let mut ring = read_ring(self.keys.as_ref())?;
        let before = ring.len();
        ring.retain(|document, _| {
            held.clock
                .term(*document)
                .is_some_and(|term| term.left_ms > 0)
        });
        if ring.len() < before {
            write_ring(self.keys.as_ref(), &ring)?;
        }
        for document in &over {
            held.clock.forget(*document);
        }
        if !over.is_empty() {
            held.is_unsettled = true;
            write_clock(self.keys.as_ref(), &held.clock)?;
        }
        Ok(held.is_unsettled)
    }

    /// Keeps how much is left.
    pub(crate) fn keep(&self, now: Moment) -> Result<(), StoreError> {
        self.pass(now);
        let held = self.held();
        if held.clock.is_empty() {
            return Ok(());
        }
        Ok(write_clock(self.keys.as_ref(), &held.clock)?)
    }

    /// The center was heard, and grants what is here.
    pub(crate) fn renew(&self) {
        self.held().clock.renew();
    }

    pub(crate) fn term(&self, document: DocumentId) -> Option<Term> {
        self.held().clock.term(document)
    }

    /// How many of them are so.
    pub(crate) fn count(&self, is_so: fn(Term) -> bool) -> usize {
        let held = self.held();
        let documents = held.clock.documents();
        let terms = documents.filter_map(|document| held.clock.term(document));
        terms.filter(|term| is_so(*term)).count()
    }

    /// A document's own key, made now. `false` where there are too many.
    fn begin(&self, document: DocumentId, length_ms: i64) -> Result<bool, StoreError> {
        let key = new_key()?;
        let mut held = self.held();
        let Some(ring) = &mut held.ring else {
            return Err(StoreError::Locked);
        };
        if ring.len() >= LEASED_MAX && !ring.contains_key(&document) {
            return Ok(false);
        }
        ring.insert(document, key);
        held.clock.begin(document, length_ms);
        held.is_unsaved = true;
        Ok(true)
    }

    fn end(&self, document: DocumentId) {
        let mut held = self.held();
        let had = held
            .ring
            .as_mut()
            .is_some_and(|ring| ring.remove(&document).is_some());
        let had_term = held.clock.forget(document);
        held.is_unsaved |= had || had_term;
    }

    /// What has begun or ended is durable when this returns: before the rows are.
    pub(super) fn save(&self) -> Result<(), StoreError> {
        let mut held = self.held();
        let Some(ring) = held.ring.as_ref().filter(|_| held.is_unsaved) else {
            return Ok(());
        };
        write_clock(self.keys.as_ref(), &held.clock)?;
        write_ring(self.keys.as_ref(), ring)?;
        held.is_unsaved = false;
        Ok(())
    }

    pub(super) fn has_key(&self, document: DocumentId) -> bool {
        let held = self.held();
        held.ring
            .as_ref()
            .is_some_and(|ring| ring.contains_key(&document))
    }

    /// Under the document's key; `None` where there is none.
    pub(super) fn seal(
        &self,
        document: DocumentId,
        hash: ChangeHash,
        plain: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let held = self.held();
        let Some(key) = held.ring.as_ref().and_then(|ring| ring.get(&document)) else {
            return Ok(None);
        };
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce)
            .map_err(|_| SignerError::Failed("the machine gives no randomness".into()))?;
        let sealed = sealed::seal(key, &place(document, hash), nonce, plain);
        Ok(Some(sealed.map_err(|_| {
            StoreError::Damaged("a change that cannot be sealed")
        })?))
    }

    /// `None` where the key is gone, or this was sealed for another place.
    pub(super) fn unseal(
        &self,
        document: DocumentId,
        hash: ChangeHash,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        let held = self.held();
        let key = held.ring.as_ref()?.get(&document)?;
        sealed::open(key, &place(document, hash), sealed).ok()
    }
}

fn place(document: DocumentId, hash: ChangeHash) -> Vec<u8> {
    [&document.to_bytes()[..], &hash.0].concat()
}

fn read_ring(keys: &dyn KeyStore) -> Result<Ring, StoreError> {
    let Some(kept) = keys.load(LEASE_KEYS)? else {
        return Ok(Ring::new());
    };
    let kept = Zeroizing::new(kept);
    // What cannot be read opens nothing: those leases are over.
    let Some((&FORM, records)) = kept.split_first() else {
        return Ok(Ring::new());
    };
    let mut ring = Ring::new();
    for record in records.chunks_exact(RECORD_BYTES) {
        let (id, key) = record.split_at(DocumentId::BYTES);
        if let (Ok(id), Ok(key)) = (document(id), <[u8; KEY_BYTES]>::try_from(key)) {
            ring.insert(id, Zeroizing::new(key));
        }
    }
    Ok(ring)
}

fn write_ring(keys: &dyn KeyStore, ring: &Ring) -> Result<(), KeyStoreError> {
    if ring.is_empty() {
        return keys.erase(LEASE_KEYS);
    }
    let mut kept = Zeroizing::new(Vec::with_capacity(1 + ring.len() * RECORD_BYTES));
    kept.push(FORM);
    for (document, key) in ring {
        kept.extend_from_slice(&document.to_bytes());
        kept.extend_from_slice(&**key);
    }
    keys.save(LEASE_KEYS, &kept)
}

fn write_clock(keys: &dyn KeyStore, clock: &LeaseClock) -> Result<(), KeyStoreError> {
    if clock.is_empty() {
        return keys.erase(LEASE_CLOCK);
    }
    let kept = serde_json::to_vec(&clock.kept());
    let kept = kept.map_err(|error| KeyStoreError::Host(error.to_string()))?;
    keys.save(LEASE_CLOCK, &kept)
}

/// A rule of the center's, as the store keeps it.
#[derive(Serialize, Deserialize)]
struct Rule {
    agency: String,
    compartment: u8,
    minutes: u32,
}

/// Keeps the rules of a welcome. What was under the store's key, and is not to be, comes
/// anew under its own; what is here lasts as long as they say. Says which documents have to
/// come.
pub(super) fn rule(
    tx: &Transaction<'_>,
    lineages: &mut Lineages,
    leases: &Leases,
    rules: &[Lease],
) -> Result<Vec<DocumentId>, StoreError> {
    let rules: Vec<Rule> = rules
        .iter()
        .map(|rule| Rule {
            agency: rule.agency.clone(),
            compartment: rule.compartment,
            minutes: rule.minutes,
        })
        .collect();
    let kept = serde_json::to_string(&rules).map_err(|_| StoreError::Damaged("the leases"))?;
    let before: Option<String> = get(tx, RULES)?;
    if before.as_ref() == Some(&kept) || (before.is_none() && rules.is_empty()) {
        return Ok(Vec::new());
    }
    set(tx, RULES, kept)?;
    let mut statement =
        tx.prepare("SELECT doc, leased FROM documents WHERE standing > 0 AND leased < 2")?;
    let found = statement
        .query_and_then([], |row| {
            Ok((document(&row.get::<_, Vec<u8>>(0)?)?, row.get::<_, i64>(1)?))
        })?
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut to_come = Vec::new();
    for (id, leased) in found {
        match (length_ms(tx, id)?, leased) {
            (Some(length_ms), UNDER_OWN_KEY) => leases.held().clock.lasts(id, length_ms),
            (None, UNDER_OWN_KEY) => leases.held().clock.lasts(id, LENGTH_MS_MAX),
            (Some(_), _) => {
                end(tx, lineages, leases, id)?;
                to_come.push(id);
            }
            (None, _) => {}
        }
    }
    Ok(to_come)
}

/// How long this document lasts without a contact; `None`: as long as the shift. Whose call
/// it is, its facts say; where they have not come, the shortest that may be meant counts.
fn length_ms(tx: &Transaction<'_>, id: DocumentId) -> Result<Option<i64>, StoreError> {
    let Some(kept) = get::<String>(tx, RULES)? else {
        return Ok(None);
    };
    let rules: Vec<Rule> =
        serde_json::from_str(&kept).map_err(|_| StoreError::Damaged("the leases"))?;
    let mut rules: Vec<Rule> = rules
        .into_iter()
        .filter(|rule| Compartment::from_number(rule.compartment) == Some(id.compartment))
        .collect();
    if rules.is_empty() {
        return Ok(None);
    }
    if let Some(agency) = agency_of(tx, id.call)? {
        rules.retain(|rule| rule.agency == agency);
    }
    let minutes = rules.iter().map(|rule| rule.minutes).min();
    Ok(minutes
        .map(|minutes| i64::from(minutes.clamp(LEASE_MINUTES_MIN, LEASE_MINUTES_MAX)) * MINUTE_MS))
}

/// Whose call it is, as the center says.
fn agency_of(tx: &Transaction<'_>, call: CallId) -> Result<Option<String>, StoreError> {
    let found: Option<Option<String>> = tx
        .prepare_cached(
            "SELECT json_extract(fields, '$.agency') FROM changes
             WHERE doc BETWEEN ?1 AND ?2 AND kind = 'facts' AND seq IS NOT NULL AND fields IS NOT NULL
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(documents_of(call), |row| row.get(0))
        .optional()?;
    Ok(found.flatten())
}

/// What becomes of a document that is granted: whether it is kept under a key of its own.
/// Where it was not so far, what was here of it goes, since it comes from its start.
pub(super) fn granted(
    tx: &Transaction<'_>,
    lineages: &mut Lineages,
    leases: &Leases,
    id: DocumentId,
) -> Result<i64, StoreError> {
    let before = how_kept(tx, id)?;
    if before == UNDER_OWN_KEY && leases.has_key(id) {
        return Ok(UNDER_OWN_KEY);
    }
    let Some(length_ms) = length_ms(tx, id)? else {
        return Ok(UNDER_STORE_KEY);
    };
    end(tx, lineages, leases, id)?;
    Ok(match leases.begin(id, length_ms)? {
        true => UNDER_OWN_KEY,
        false => IS_OVER,
    })
}

/// Whether a change that came may be kept, and how. `None`: not now, the key is gone and
/// the document is not on its way from its start.
pub(super) fn takes(
    tx: &Transaction<'_>,
    lineages: &mut Lineages,
    leases: &Leases,
    id: DocumentId,
) -> Result<Option<i64>, StoreError> {
    let kept = how_kept(tx, id)?;
    Ok(match kept {
        UNDER_OWN_KEY if !leases.has_key(id) => None,
        // It comes from its start.
        IS_OVER => {
            let kept = granted(tx, lineages, leases, id)?;
            keep_as(tx, id, kept)?;
            Some(kept)
        }
        kept => Some(kept),
    })
}

pub(super) fn keep_as(tx: &Transaction<'_>, id: DocumentId, leased: i64) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE documents SET leased = ?2 WHERE doc = ?1")?
        .execute((id.to_bytes(), leased))?;
    Ok(())
}

pub(super) fn how_kept(tx: &Transaction<'_>, id: DocumentId) -> Result<i64, StoreError> {
    let kept = tx
        .prepare_cached("SELECT leased FROM documents WHERE doc = ?1")?
        .query_row([id.to_bytes()], |row| row.get(0))
        .optional()?;
    Ok(kept.unwrap_or(UNDER_STORE_KEY))
}

/// Nothing of the document is here any more, but what this device wrote and has not sent,
/// and what waits in the open to be given back to a restored center.
/// It stays granted, and comes from its start.
pub(super) fn end(
    tx: &Transaction<'_>,
    lineages: &mut Lineages,
    leases: &Leases,
    id: DocumentId,
) -> Result<(), StoreError> {
    leases.end(id);
    let key = id.to_bytes();
    tx.execute(
        "DELETE FROM changes WHERE doc = ?1 AND (again IS NULL OR kind = 'sealed')
         AND hash NOT IN (SELECT hash FROM outbox WHERE doc = ?1 AND refused IS NULL)",
        [key],
    )?;
    tx.execute(
        "UPDATE documents SET leased = 2, apart = 0 WHERE doc = ?1",
        [key],
    )?;
    // Not granted any more, and kept only to be given back.
    tx.execute(
        "DELETE FROM documents WHERE doc = ?1 AND standing = 0 AND opened = 0
         AND NOT EXISTS (SELECT 1 FROM outbox WHERE doc = ?1)",
        [key],
    )?;
    attachments::collect(tx)?;
    lineages.forget(id);
    Ok(())
}

/// The document has left the device: its key too, once no row needs it.
pub(super) fn left(
    tx: &Transaction<'_>,
    leases: &Leases,
    id: DocumentId,
) -> Result<(), StoreError> {
    let has_rows: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM changes WHERE doc = ?1 AND kind = 'sealed')")?
        .query_row([id.to_bytes()], |row| row.get(0))?;
    if !has_rows {
        leases.end(id);
        keep_as(tx, id, UNDER_STORE_KEY)?;
    }
    Ok(())
}

impl Store {
    pub(crate) fn leases(&self) -> &Leases {
        &self.0.leases
    }

    /// Ends what has rows and no key, and forgets keys that have no document. Says whether
    /// anything has ended.
    pub(crate) fn settle_leases(&self) -> Result<bool, StoreError> {
        let leases = &self.0.leases;
        let listed = |tx: &Transaction<'_>| {
            let mut statement = tx.prepare_cached("SELECT doc FROM documents WHERE leased = 1")?;
            statement
                .query_and_then([], |row| document(&row.get::<_, Vec<u8>>(0)?))?
                .collect::<Result<Vec<_>, StoreError>>()
        };
        let here = self.read(listed)?;
        let known: Vec<DocumentId> = {
            let held = leases.held();
            let ring = held.ring.iter().flat_map(|ring| ring.keys().copied());
            ring.chain(held.clock.documents()).collect()
        };
        let is_even =
            here.iter().all(|id| leases.has_key(*id)) && known.iter().all(|id| here.contains(id));
        if is_even {
            leases.held().is_unsettled = false;
            return Ok(false);
        }
        let ended = self.write(|tx, lineages| {
            let here = listed(tx)?;
            let (kept, over): (Vec<_>, Vec<_>) =
                here.into_iter().partition(|id| leases.has_key(*id));
            for id in known.iter().filter(|id| !kept.contains(id)) {
                leases.end(*id);
            }
            leases.save()?;
            for id in &over {
                end(tx, lineages, leases, *id)?;
            }
            Ok(!over.is_empty())
        })?;
        leases.held().is_unsettled = false;
        Ok(ended)
    }

    /// The call's documents that are kept, or were, under keys of their own; and whether
    /// their lease has ended.
    pub(crate) fn leased(&self, call: CallId) -> Result<Vec<(DocumentId, bool)>, StoreError> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT doc, leased FROM documents
                 WHERE doc BETWEEN ?1 AND ?2 AND leased > 0 AND standing > 0",
            )?
            .query_and_then(documents_of(call), |row| {
                let id = document(&row.get::<_, Vec<u8>>(0)?)?;
                let leased: i64 = row.get(1)?;
                Ok((id, leased == IS_OVER || !self.0.leases.has_key(id)))
            })?
            .collect()
        })
    }
}
