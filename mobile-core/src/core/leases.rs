//! Leases that are shorter than the shift: they run down, are said in good time, and end.

use packet::{CallId, Compartment, DocumentId};

use super::{Core, whole};
use crate::lock::SHIFT_WARNING_MS;
use crate::lock::lease_clock::Term;
use crate::store::{Store, StoreError};
use crate::{CoreError, ShiftLeft};

/// A lease is warned of in its last quarter, as a shift is in its last hour.
const WARNED_PARTS: i64 = 4;

/// A compartment of a packet that does not stay for the shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    pub compartment: Compartment,
    pub state: LeaseState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// It stays for as long as [`Core::lease_left`] says; each contact with the center
    /// begins that anew.
    Held,
    /// … which is not long: without a contact it leaves.
    EndsSoon,
    /// It has left this device. The next contact brings it again.
    Ended,
}

fn is_warned(term: Term) -> bool {
    term.left_ms <= (term.length_ms / WARNED_PARTS).min(SHIFT_WARNING_MS)
}

impl Core {
    /// How long this compartment of a packet stays on the device without a contact, by
    /// clocks that setting does not help. `None`: for as long as the shift, or it is not here.
    #[must_use]
    pub fn lease_left(&self, call: CallId, compartment: Compartment) -> Option<ShiftLeft> {
        self.pass_leases();
        let document = DocumentId::new(call, compartment);
        let term = self.0.store.leases().term(document)?;
        Some(ShiftLeft {
            ms: term.left_ms,
            is_warned: is_warned(term),
        })
    }

    /// Of how many documents the officer is told that they leave soon.
    pub(super) fn leases_warned(&self) -> usize {
        self.pass_leases();
        self.0.store.leases().count(is_warned)
    }

    /// As the packet shows them.
    pub(super) fn leases_of(&self, leased: Vec<(DocumentId, bool)>) -> Vec<Lease> {
        let leases = leased.into_iter().map(|(document, is_over)| {
            let left = self.lease_left(document.call, document.compartment);
            Lease {
                compartment: document.compartment,
                state: match left {
                    _ if is_over => LeaseState::Ended,
                    None | Some(ShiftLeft { ms: 0, .. }) => LeaseState::Ended,
                    Some(left) if left.is_warned => LeaseState::EndsSoon,
                    Some(_) => LeaseState::Held,
                },
            }
        });
        leases.collect()
    }

    /// Runs the leases down to now: from here on nothing is read whose lease is over.
    pub(crate) fn pass_leases(&self) {
        if self.0.store.leases().pass(self.moment()) {
            self.0.lock_due.notify_one();
        }
    }

    pub(super) fn is_lease_over(&self) -> bool {
        self.0.store.leases().pass(self.moment())
    }

    /// The center was heard, and all that it grants is here: each lease begins anew.
    pub(crate) fn renew_leases(&self) {
        self.pass_leases();
        self.0.store.leases().renew();
    }

    /// Keeps how much is left.
    pub(crate) fn keep_leases(&self) -> Result<(), CoreError> {
        Ok(self.0.store.leases().keep(self.moment())?)
    }

    /// Ends what is over: the keys, durably; then, where the store is open, the rows. A
    /// session that is open begins again, since it brings what is missing.
    pub(super) async fn end_leases(&self) -> Result<(), CoreError> {
        self.pass_leases();
        let core = self.clone();
        whole(async move {
            let forget = |store: &Store| store.leases().forget_over();
            if core.0.store.run(forget).await? {
                core.end_rows().await?;
            }
            Ok(())
        })
        .await
    }

    async fn end_rows(&self) -> Result<(), CoreError> {
        if !self.is_open() || self.0.gate.borrow().paused {
            // It is done when the store opens.
            return Ok(());
        }
        self.0.gate.send_modify(|gate| gate.standing += 1);
        // Else it would go on from where the document was.
        let session_is_over = self.0.in_session.lock().await;
        let ended = self.0.store.run(Store::settle_leases).await;
        drop(session_is_over);
        self.bump();
        match ended {
            Ok(_) | Err(StoreError::Locked | StoreError::Paused) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
