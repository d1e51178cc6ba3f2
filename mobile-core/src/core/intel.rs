//! Criminal intelligence (28 CFR Part 23): shown where there is a link, and never kept.
//!
//! The center is asked for it each time, beside the session, so that nothing of it comes to
//! what writes the store. What it answers is the caller's, to be shown and let go: this
//! library keeps nothing of it, not in memory either.

use data_encoding::BASE64;
use packet::{CallId, Compartment, DocumentId, inspect};
use serde::Deserialize;
use serde_json::json;

use super::Core;
use super::enrol::unfit;
use crate::net::Method;
use crate::store::{Row, Standing};
use crate::view::{self, EntryView};
use crate::{CoreError, LinkState};

#[derive(Deserialize)]
struct IntelAnswer {
    changes: Vec<Change>,
    earlier: u64,
}

#[derive(Deserialize)]
struct Change {
    seq: u64,
    received_ms: i64,
    bytes: String,
}

/// What the center has shown of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intel {
    /// In the order of the log. None: there is nothing, or the officer may not see it.
    pub entries: Vec<EntryView>,
    /// How many are older, and did not fit into the answer.
    pub earlier: u64,
}

impl Core {
    /// Asks the center for the criminal intelligence of a call that the unit has; waits for
    /// the network. The center puts on record that it was asked. Show it while there is a
    /// link and the device is open, and keep it nowhere: it may be on no disk.
    ///
    /// # Errors
    /// [`CoreError::Unreachable`] without a link; [`CoreError::Locked`];
    /// [`CoreError::SignOnFirst`]; [`CoreError::Refused`] where the unit does not have the
    /// call.
    pub async fn intel(&self, call: CallId) -> Result<Intel, CoreError> {
        self.must_be_open()?;
        let shift = self.shift().ok_or(CoreError::SignOnFirst)?;
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        if let LinkState::Offline { why, .. } = &*self.link().borrow() {
            return Err(CoreError::Unreachable(why.clone()));
        }
        let path = format!("/v1/calls/{call}/intel");
        let body = json!({"shift": shift.token});
        let answer = self.ask_as(&enrolled, Method::POST, &path, &body).await?;
        // It may have been locked meanwhile.
        self.must_be_open()?;
        let answer: IntelAnswer =
            serde_json::from_slice(&answer).map_err(|e| unfit(&e.to_string()))?;
        let document = DocumentId::new(call, Compartment::Intel);
        let rows = answer
            .changes
            .into_iter()
            .map(|change| row(document, &change));
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Intel {
            entries: view::packet(call, rows, &[], &[]).entries,
            earlier: answer.earlier,
        })
    }
}

fn row(document: DocumentId, change: &Change) -> Result<Row, CoreError> {
    let bytes = BASE64
        .decode(change.bytes.as_bytes())
        .map_err(|e| unfit(&e.to_string()))?;
    let inspected = inspect(&bytes).map_err(|e| unfit(&e.to_string()))?;
    Ok(Row {
        document,
        id: inspected.id,
        author_ms: inspected.time_ms,
        written: inspected.written,
        received_ms: Some(change.received_ms),
        seq: Some(change.seq),
        mine: false,
        standing: Standing::AtCenter,
    })
}
