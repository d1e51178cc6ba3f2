//! Criminal intelligence on devices (28 CFR Part 23): shown, and never kept.
//!
//! It is in no session and so in no store: an officer asks for that of one call, and has it as
//! the answer. That they asked is on record before they have it. Who may not see it hears
//! what they hear who may, of a call that has none.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use packet::{CallId, Compartment, DocumentId};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::read_json;
use super::session::in_good_standing;
use crate::accept::Peer;
use crate::audit::{self, Record};
use crate::center::Center;
use crate::clock;
use crate::log::LogError;
use crate::policy::{Act, Actor, On, Role, Who, agency_of};
use crate::problem::Problem;
use crate::shifts;

/// Most bytes of changes in an answer, the newest: what is left out is counted.
const BYTES_MAX: usize = 128 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LookRequest {
    /// The token of the shift that the device works in, in base64url.
    shift: String,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct IntelView {
    /// In the order of the log.
    changes: Vec<ChangeView>,
    /// How many are older, and were left out.
    earlier: usize,
}

#[derive(Debug, Serialize)]
struct ChangeView {
    seq: u64,
    received_ms: i64,
    /// In base64.
    bytes: String,
}

/// What a look at a call came to.
struct Looked {
    asker: Who,
    /// As the audit log names the officer.
    who: String,
    allowed: bool,
    /// The first and the last change that are given.
    stretch: Option<(u64, u64)>,
    view: IntelView,
}

/// `POST /v1/calls/{id}/intel` with `{"shift"}`
pub(super) async fn look(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Json<IntelView>, Problem> {
    let (device, _) = in_good_standing(&center, &peer).await?;
    let request: LookRequest = read_json(&body)?;
    let wanted = || Problem::bad_field("shift", "the token of the shift, in base64url");
    let token = BASE64URL_NOPAD
        .decode(request.shift.as_bytes())
        .map_err(|_| wanted())?;
    let number = device.number;
    let shift = center
        .log
        .readers()
        .read(move |connection| shifts::find(connection, number, &token, clock::now_ms()))
        .await?
        .filter(|_| device.erase_order.is_none());
    let Some(shift) = shift else {
        let actor = Actor::of(Role::Device);
        center
            .denied(&actor, Act::Show(Compartment::Intel), id)
            .await;
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "Not signed on",
            "The officer's shift is over.",
        ));
    };
    let call: CallId = id.parse().map_err(|_| Problem::not_found())?;
    let document = DocumentId::new(call, Compartment::Intel);
    let policies = center.policies.clone();
    let reading = center.log.readers().read(move |connection| {
        if !is_of_unit(connection, call, &shift.unit)? {
            return Ok(None);
        }
        let agency = agency_of(connection, call)?.unwrap_or_default();
        let asker = policies.officer(&shift, &device.agency);
        let act = Act::Show(Compartment::Intel);
        let allowed = policies.decide(&asker, act, On::call(act, &agency));
        let (stretch, view) = match allowed {
            true => changes(connection, document)?,
            false => Default::default(),
        };
        Ok::<_, LogError>(Some(Looked {
            asker,
            who: shift.by(),
            allowed,
            stretch,
            view,
        }))
    });
    // Another unit's call is answered like one that never was.
    let looked = reading.await?.ok_or_else(Problem::not_found)?;
    let record = Record {
        device: Some(number),
        object: document.to_string(),
        allowed: looked.allowed,
        stretch: looked.stretch.map(|(first, last)| (first - 1, last)),
        asker: Some(looked.asker),
        ..Record::of(looked.who, Act::Show(Compartment::Intel))
    };
    center
        .log
        .write(move |ledger| audit::record(ledger, &record))
        .await?;
    Ok(Json(looked.view))
}

/// Whether this unit has the call now.
fn is_of_unit(connection: &Connection, call: CallId, unit: &str) -> Result<bool, LogError> {
    let mut granted = connection
        .prepare_cached("SELECT 1 FROM grants WHERE unit = ?1 AND call = ?2 AND to_seq IS NULL")?;
    Ok(granted.exists(params![unit, call.0.cast_signed()])?)
}

/// The newest changes of a document, as many as fit.
fn changes(
    connection: &Connection,
    document: DocumentId,
) -> Result<(Option<(u64, u64)>, IntelView), LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, received_ms, bytes FROM readable WHERE document = ?1 ORDER BY seq DESC",
    )?;
    let mut rows = statement.query([document.to_bytes()])?;
    let (mut view, mut room) = (IntelView::default(), BYTES_MAX);
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(2)?;
        if view.earlier > 0 || bytes.len() > room {
            view.earlier += 1;
            continue;
        }
        room -= bytes.len();
        view.changes.push(ChangeView {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            received_ms: row.get(1)?,
            bytes: BASE64.encode(&bytes),
        });
    }
    view.changes.reverse();
    let ends = view.changes.first().zip(view.changes.last());
    Ok((ends.map(|(first, last)| (first.seq, last.seq)), view))
}
