//! What an officer writes. Each call returns after the commit, with or without a link.

use packet::{
    Acknowledgement, Author, CallId, CallState, Caution, Compartment, Correction, DocumentId,
    Entry, EntryError, EntryId, Facts, Note, Query, QueryWhat, Subject, UnitState, UnitStatus,
};

use super::Core;
use crate::shift::Shift;
use crate::store::{Intent, Store};
use crate::{CoreError, OpenPacket};

/// What dispatch would have said of a packet that an officer opens.
const OPENED_CATEGORY: &str = "officer";
const OPENED_PRIORITY: u8 = 3;

impl Core {
    /// # Errors
    /// [`CoreError::SignOnFirst`], what is wrong with the text, or why the device cannot
    /// write ([`CoreError::DiskFull`], [`CoreError::OutboxFull`], [`CoreError::Paused`]);
    /// so have all of these.
    pub async fn add_note(&self, call: CallId, text: &str) -> Result<EntryId, CoreError> {
        let by = self.signed_on()?.by();
        let note = Note {
            text: text.to_owned(),
            by,
        };
        self.write(call, Compartment::Call, Entry::Note(note)).await
    }

    /// # Errors
    /// As [`Core::add_note`].
    pub async fn add_caution(&self, call: CallId, text: &str) -> Result<EntryId, CoreError> {
        let by = self.signed_on()?.by();
        let caution = Caution {
            text: text.to_owned(),
            by,
            ends_ms: None,
        };
        self.write(call, Compartment::Safety, Entry::Caution(caution))
            .await
    }

    /// Asks the sources, once the center has it. `purpose` is one of the shift's codes;
    /// without one it is asked for the usual. `reason` is the officer's own words, which
    /// some sources want.
    ///
    /// # Errors
    /// As [`Core::add_note`]; what is wrong with the value or the purpose.
    pub async fn add_query(
        &self,
        call: CallId,
        what: QueryWhat,
        value: &str,
        purpose: Option<&str>,
        reason: Option<&str>,
    ) -> Result<EntryId, CoreError> {
        let shift = self.signed_on()?;
        let purpose = filled(purpose);
        let is_known = |code: &str| shift.purposes.iter().any(|known| known.code == code);
        if let Some(code) = purpose
            && !shift.purposes.is_empty()
            && !is_known(code)
        {
            let known: Vec<_> = shift.purposes.iter().map(|p| p.code.as_str()).collect();
            return Err(not_so("purpose", format!("one of {}", known.join(", "))));
        }
        let query = Query {
            what,
            value: asked("value", what, value)?,
            by: shift.by(),
            purpose: purpose.map(ToOwned::to_owned),
            reason: filled(reason).map(ToOwned::to_owned),
        };
        self.write(call, Compartment::Call, Entry::Query(query))
            .await
    }

    /// This unit on this call. Does not reach dispatch's own system.
    ///
    /// # Errors
    /// As [`Core::add_note`].
    pub async fn set_status(&self, call: CallId, status: UnitState) -> Result<EntryId, CoreError> {
        let shift = self.signed_on()?;
        let status = UnitStatus {
            by: shift.by(),
            unit: shift.unit,
            status,
        };
        self.write(call, Compartment::Call, Entry::UnitStatus(status))
            .await
    }

    /// The officer's tap on a caution.
    ///
    /// # Errors
    /// As [`Core::add_note`]; [`CoreError::NotHere`] when the caution is not on the device.
    pub async fn acknowledge(&self, call: CallId, caution: EntryId) -> Result<EntryId, CoreError> {
        let shift = self.signed_on()?;
        self.must_have(DocumentId::new(call, Compartment::Safety), caution)
            .await?;
        let tap = Acknowledgement {
            of: caution,
            by: shift.by(),
            unit: shift.unit,
        };
        self.write(call, Compartment::Safety, Entry::Acknowledgement(tap))
            .await
    }

    /// Corrects an entry of this document, or withdraws it when there is no text.
    ///
    /// # Errors
    /// As [`Core::add_note`]; [`CoreError::NotHere`] when the entry is not on the device.
    pub async fn correct(
        &self,
        document: DocumentId,
        of: EntryId,
        text: Option<&str>,
    ) -> Result<EntryId, CoreError> {
        let by = self.signed_on()?.by();
        self.must_have(document, of).await?;
        let correction = Correction {
            of,
            text: text.map(ToOwned::to_owned),
            by,
        };
        let correction = Entry::Correction(correction);
        self.write(document.call, document.compartment, correction)
            .await
    }

    /// Opens a packet on this device: a stop, an on-view.
    ///
    /// # Errors
    /// As [`Core::add_note`].
    pub async fn open_packet(&self, open: OpenPacket) -> Result<CallId, CoreError> {
        let shift = self.signed_on()?;
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let call = CallId::new(Author::Device(enrolled.enrolment.device), fastrand::u32(..));
        let by = shift.by();
        let facts = self.facts(&open, &shift);
        let mut intents = vec![
            intent(call, Compartment::Safety, Entry::Facts(facts.clone())),
            intent(call, Compartment::Call, Entry::Facts(facts)),
        ];
        if let Some(plate) = OpenPacket::filled(&open.plate) {
            let query = Query {
                what: QueryWhat::Plate,
                value: asked("plate", QueryWhat::Plate, plate)?,
                by: by.clone(),
                purpose: None,
                reason: None,
            };
            intents.push(intent(call, Compartment::Call, Entry::Query(query)));
        }
        if let Some(text) = OpenPacket::filled(&open.note) {
            let note = Note {
                text: text.to_owned(),
                by,
            };
            intents.push(intent(call, Compartment::Call, Entry::Note(note)));
        }
        self.write_all(intents, true).await?;
        Ok(call)
    }

    fn facts(&self, open: &OpenPacket, shift: &Shift) -> Facts {
        let now_ms = self.0.clock.wall_ms() - self.clock_off_ms().unwrap_or(0);
        Facts {
            agency: shift.agency.clone(),
            number: String::new(),
            nature: open.nature.trim().to_owned(),
            category: OPENED_CATEGORY.into(),
            priority: OPENED_PRIORITY,
            reason: format!("opened by {}", shift.by()),
            location: open.location.trim().to_owned(),
            latitude_e6: None,
            longitude_e6: None,
            district: None,
            narrative: None,
            received_ms: now_ms,
            state: CallState::Open,
            disposition: None,
        }
    }

    pub(super) fn signed_on(&self) -> Result<Shift, CoreError> {
        self.must_be_open()?;
        self.shift().ok_or(CoreError::SignOnFirst)
    }

    async fn must_have(&self, document: DocumentId, id: EntryId) -> Result<(), CoreError> {
        let has = move |store: &Store| store.has(document, id);
        let has = self.0.store.run(has).await?;
        has.then_some(()).ok_or(CoreError::NotHere)
    }

    async fn write(
        &self,
        call: CallId,
        compartment: Compartment,
        entry: Entry,
    ) -> Result<EntryId, CoreError> {
        let ids = self
            .write_all(vec![intent(call, compartment, entry)], false)
            .await?;
        ids.first().copied().ok_or(CoreError::NotHere)
    }

    async fn write_all(
        &self,
        intents: Vec<Intent>,
        opens: bool,
    ) -> Result<Vec<EntryId>, CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let author_ms = self.0.clock.wall_ms();
        let ids = self
            .0
            .store
            .run(move |store| store.write_entries(&enrolled.pen, &intents, author_ms, opens))
            .await?;
        self.bump();
        self.0.work.notify_one();
        Ok(ids)
    }
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The words of a query in the form in which they are looked up. A recording is named by
/// its camera, as the center names it.
fn asked(field: &'static str, what: QueryWhat, value: &str) -> Result<String, CoreError> {
    if what == QueryWhat::Clip {
        return Ok(value.to_owned());
    }
    let subject = Subject::parse(what, value).map_err(|e| not_so(field, e.to_string()))?;
    Ok(subject.shown())
}

fn not_so(field: &'static str, wanted: String) -> CoreError {
    CoreError::Entry(EntryError::Field { field, wanted })
}

fn intent(call: CallId, compartment: Compartment, entry: Entry) -> Intent {
    Intent {
        document: DocumentId::new(call, compartment),
        entry,
    }
}
