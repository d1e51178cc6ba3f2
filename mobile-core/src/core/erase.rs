//! The end of a shift, and the center's order: the key first, then all that it opened.
//!
//! Each step is durable before the next, and doing them again does what is left. So a
//! device that dies in between is erased when it next starts, before anything is opened:
//!
//! 1. what is to be done is put on record, beside the key;
//! 2. the key is erased, and those of single documents: from here on the store is noise;
//! 3. the store's files go, SQLite's own beside it and stores that were set aside as well;
//! 4. the receipt is signed and kept until the center has it;
//! 5. the record goes.
//!
//! What is sealed to the center stays: only the center reads it. What is lost is the
//! content of attachments that the center did not have yet, since it is not sealed.

use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use packet::custody::{ErasedWhy, Erasure, erasure_signing_input};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::lock::{PENDING, SHIFT_CLOCK, STORE_ID, load_json, name_store, save_json, store_name};
use super::{Core, Enrolled, keys_error, lock, replace, whole};
use crate::identity::{KeyStore, Signer};
use crate::lock::LockState;
use crate::net::Method;
use crate::store::{
    Contact, KEY_NAME, LEASE_CLOCK, LEASE_KEYS, Sealed, Store, erase_files, new_key,
};
use crate::{CoreError, LogLevel, StoreError};

/// In the host's key store: an erasure that was begun …
const ERASING: &str = "erasing";
/// … and the receipts that the center does not have yet.
const RECEIPTS: &str = "erasure-receipts";
/// Receipts that are kept, the newest: one a shift.
const RECEIPTS_MAX: usize = 32;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Erasing {
    store: String,
    why: ErasedWhy,
    order: Option<i64>,
    at_ms: i64,
    clock_off_ms: Option<i64>,
    attachments_lost: Option<u64>,
    /// The key and the files are gone; the receipt is not signed yet.
    is_done: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    store: String,
    order: Option<i64>,
    /// What was signed, as it stands.
    statement: String,
    /// In base64.
    signature: String,
}

/// Where a device keeps what it keeps.
pub(super) struct Place<'a> {
    pub(super) directory: &'a Path,
    pub(super) keys: &'a dyn KeyStore,
    pub(super) signer: &'a dyn Signer,
    /// A device of no center owes nobody a receipt.
    pub(super) enrolled: Option<&'a Enrolled>,
}

/// Finishes an erasure that was begun, if there is one. `step` is told before each step.
pub(super) fn finish(
    place: &Place<'_>,
    step: &mut dyn FnMut(&'static str),
) -> Result<(), CoreError> {
    let Some(mut erasing) = load_json::<Erasing>(place.keys, ERASING)? else {
        return Ok(());
    };
    let gone = |error: crate::identity::KeyStoreError| keys_error(&error);
    if !erasing.is_done {
        step("the key");
        place.keys.erase(KEY_NAME).map_err(gone)?;
        step("the documents' own keys");
        place.keys.erase(LEASE_KEYS).map_err(gone)?;
        place.keys.erase(LEASE_CLOCK).map_err(gone)?;
        step("the shift");
        place.keys.erase(PENDING).map_err(gone)?;
        place.keys.erase(SHIFT_CLOCK).map_err(gone)?;
        // The receipt ends the shift of the store of this name: the next one has another.
        place.keys.erase(STORE_ID).map_err(gone)?;
        erase_files(place.directory, step).map_err(StoreError::from)?;
        erasing.is_done = true;
        step("the record of it");
        save_json(place.keys, ERASING, &erasing)?;
    }
    if let Some(enrolled) = place.enrolled {
        step("the receipt");
        keep_receipt(place, enrolled, &erasing)?;
    }
    step("the end of the record");
    place.keys.erase(ERASING).map_err(gone)
}

fn keep_receipt(
    place: &Place<'_>,
    enrolled: &Enrolled,
    erasing: &Erasing,
) -> Result<(), CoreError> {
    let mut receipts: Vec<Receipt> = load_json(place.keys, RECEIPTS)?.unwrap_or_default();
    if receipts.iter().any(|kept| kept.store == erasing.store) {
        return Ok(());
    }
    let sealed = Sealed::open(place.directory).and_then(|sealed| sealed.all());
    let erasure = Erasure {
        device: enrolled.enrolment.device,
        center: HEXLOWER.encode(&enrolled.enrolment.center_id.0),
        store: erasing.store.clone(),
        why: erasing.why,
        order: erasing.order,
        at_ms: erasing.at_ms,
        clock_off_ms: erasing.clock_off_ms,
        sealed: sealed.map_err(StoreError::from)?.len() as u64,
        attachments_lost: erasing.attachments_lost,
    };
    let statement = serde_json::to_string(&erasure).map_err(|e| keys_error(&e))?;
    let input = erasure_signing_input(statement.as_bytes());
    let signature = place.signer.sign(&input).map_err(|e| keys_error(&e))?;
    receipts.push(Receipt {
        store: erasing.store.clone(),
        order: erasing.order,
        statement,
        signature: BASE64.encode(&signature),
    });
    let too_many = receipts.len().saturating_sub(RECEIPTS_MAX);
    receipts.drain(..too_many);
    save_json(place.keys, RECEIPTS, &receipts)
}

impl Core {
    /// Ends the shift: all that this device was given goes, its key first. What was written
    /// here and not sent stays sealed to the center, and goes up at the next contact, as
    /// does a signed receipt. Needs no link, and works on a locked device too.
    ///
    /// # Errors
    /// [`CoreError::AttachmentsUnsent`] while that would lose attachments; when the disk or
    /// the host's key store fails: it is done then when the device is next opened.
    pub async fn sign_off(&self) -> Result<(), CoreError> {
        if self.is_open() {
            self.must_lose_nothing().await?;
        }
        self.sign_off_anyway().await
    }

    /// Whether an open device could be erased without losing an attachment.
    pub(super) async fn must_lose_nothing(&self) -> Result<(), CoreError> {
        match self.0.store.run(Store::unsent_attachments).await? {
            0 => Ok(()),
            count => Err(CoreError::AttachmentsUnsent { count }),
        }
    }

    /// As [`Core::sign_off`], and attachments that the center does not have are lost.
    ///
    /// # Errors
    /// When the disk or the host's key store fails.
    pub async fn sign_off_anyway(&self) -> Result<(), CoreError> {
        self.erase(ErasedWhy::EndOfShift, None).await?;
        let Some(enrolled) = self.enrolled() else {
            return Ok(());
        };
        let nothing = json!({});
        let told = self.ask_as(&enrolled, Method::DELETE, "/v1/shifts", &nothing);
        if let Err(error) = told.await {
            let words = format!("the center does not know yet of the sign-off: {error}");
            self.0.log.log(LogLevel::Info, &words);
            return Ok(());
        }
        self.hand_in_receipts().await;
        Ok(())
    }

    pub(super) async fn erase(&self, why: ErasedWhy, order: Option<i64>) -> Result<(), CoreError> {
        let core = self.clone();
        whole(async move { core.erase_all(why, order).await }).await
    }

    async fn erase_all(&self, why: ErasedWhy, order: Option<i64>) -> Result<(), CoreError> {
        let mut custody = self.0.custody.lock().await;
        let was_open = self.is_open();
        self.0.gate.send_modify(|gate| gate.locked = true);
        // What a session still has in its hands must not get into the next store.
        let session_is_over = self.0.in_session.lock().await;
        let attachments_lost = match was_open {
            true => Some(self.0.store.run(Store::unsent_attachments).await?),
            false => None,
        };
        replace(&self.0.shift, None);
        let closed = self.0.store.run(Store::lock).await;
        if let Err(error) = closed {
            // It goes all the same.
            tracing::warn!(%error, "the store did not close well before it was erased");
        }
        let keys = self.0.keys.as_ref();
        let erasing = Erasing {
            store: store_name(keys)?.unwrap_or_default(),
            why,
            order,
            at_ms: self.0.clock.wall_ms(),
            clock_off_ms: self.clock_off_ms(),
            attachments_lost,
            is_done: false,
        };
        save_json(keys, ERASING, &erasing)?;
        let core = self.clone();
        let now_ms = self.0.clock.wall_ms();
        let finishing = tokio::task::spawn_blocking(move || {
            let enrolled = core.enrolled();
            let keys = core.0.keys.as_ref();
            finish(
                &Place {
                    directory: &core.0.directory,
                    keys,
                    signer: core.0.signer.as_ref(),
                    enrolled: enrolled.as_deref(),
                },
                &mut |_| (),
            )?;
            let key = new_key()?;
            name_store(keys)?;
            keys.save(KEY_NAME, &*key).map_err(|e| keys_error(&e))?;
            core.0.store.unlock(key, now_ms)?;
            Ok::<_, CoreError>(core.0.store.sealed().all().map_err(StoreError::from)?)
        });
        let sealed = finishing.await.map_err(|e| keys_error(&e))??;
        custody.under_pin = None;
        custody.pending = None;
        custody.tries.good();
        self.keep_tries(&custody)?;
        *lock(&self.0.shift_clock) = None;
        *lock(&self.0.orphans) = sealed;
        replace(&self.0.contact, Contact::default());
        let open = LockState::Open { has_pin: false };
        self.0.lock_state.send_replace(open);
        drop(session_is_over);
        self.0.gate.send_modify(|gate| {
            gate.locked = false;
            gate.standing += 1;
        });
        self.bump();
        Ok(())
    }

    /// Whether this order of the center's was carried out and the center does not know.
    pub(super) fn has_receipt_of(&self, order: i64) -> Result<bool, CoreError> {
        let receipts: Option<Vec<Receipt>> = load_json(self.0.keys.as_ref(), RECEIPTS)?;
        let mut receipts = receipts.into_iter().flatten();
        Ok(receipts.any(|receipt| receipt.order == Some(order)))
    }

    /// Hands in the receipts that the center does not have. What it does not take for good
    /// is not handed in again.
    pub(crate) async fn hand_in_receipts(&self) {
        let keys = self.0.keys.as_ref();
        let receipts: Vec<Receipt> = match load_json(keys, RECEIPTS) {
            Ok(Some(receipts)) => receipts,
            _ => return,
        };
        let Some(enrolled) = self.enrolled() else {
            return;
        };
        for receipt in receipts {
            let body = json!({
                "statement": receipt.statement,
                "signature": receipt.signature,
            });
            let handed = self.ask_as(&enrolled, Method::POST, "/v1/erasures", &body);
            match handed.await {
                Ok(_) | Err(CoreError::Refused { status: 422, .. }) => {
                    let kept: Option<Vec<Receipt>> = load_json(keys, RECEIPTS).unwrap_or_default();
                    let mut kept = kept.unwrap_or_default();
                    kept.retain(|other| *other != receipt);
                    if let Err(error) = save_json(keys, RECEIPTS, &kept) {
                        tracing::warn!(%error, "a receipt is handed in again later");
                    }
                }
                Err(error) => {
                    let words = format!("the center does not have the receipt yet: {error}");
                    self.0.log.log(LogLevel::Info, &words);
                    return;
                }
            }
        }
    }

    pub(crate) fn owes_receipts(&self) -> bool {
        let receipts: Result<Option<Vec<Receipt>>, _> = load_json(self.0.keys.as_ref(), RECEIPTS);
        receipts.is_ok_and(|receipts| receipts.is_some_and(|receipts| !receipts.is_empty()))
    }
}
