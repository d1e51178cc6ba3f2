//! The hot lists as a page: what is live, what has ended, a form to add, a button to clear.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::forms::fields_of;
use super::view::{BeatRowView, HotFormView, HotListPage, HotRowView};
use super::{Console, disclosure, pages, words};
use crate::api::allow;
use crate::beats::{self, BeatPacket};
use crate::clock;
use crate::hot_list::entry::EntryRequest;
use crate::hot_list::{self, HotKind, Listed, Which};
use crate::log::LogError;
use crate::policy::{Act, Actor};
use crate::problem::Problem;

/// Most entries on the page, the newest.
const ROWS_MAX: usize = 200;
const PLACE: &str = "/hot-list";

/// `GET /hot-list`
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeHotLists, "").await?;
    Ok(shown(
        &console,
        &actor,
        StatusCode::OK,
        None,
        HotFormView::default(),
    )
    .await)
}

async fn shown(
    console: &Arc<Console>,
    actor: &Actor,
    status: StatusCode,
    refused: Option<String>,
    form: HotFormView,
) -> Response {
    let read = console.center.log.readers().read(|connection| {
        let (total, listed) = hot_list::page(connection, Which::All, None, ROWS_MAX)?;
        Ok((total, listed, beats::packets(connection)?))
    });
    let ((total, listed, packets), open_calls) = match (read.await, console.open_calls(actor).await)
    {
        (Ok(read), Ok(open_calls)) => (read, open_calls),
        (Err(e), _) | (_, Err(e)) => return pages::failed(&e),
    };
    disclosure::listed(console, actor, Act::SeeHotLists, listed.len()).await;
    let page = HotListPage {
        header: console.header(open_calls),
        refused,
        form,
        not_shown: total.saturating_sub(listed.len() as u64),
        rows: listed.iter().map(|listed| row(console, listed)).collect(),
        beats: packets.into_iter().map(beat).collect(),
    };
    pages::html(status, &page)
}

fn row(console: &Console, listed: &Listed) -> HotRowView {
    let entry = &listed.entry;
    let ended = listed.ended_ms.map(|ms| {
        let why = listed.ended_by.as_deref().unwrap_or("ended");
        format!("{why}, {}", console.times.minute(ms))
    });
    HotRowView {
        id: listed.id,
        title: hot_list::title(listed),
        text: entry.text.clone(),
        danger: entry.danger,
        list: entry.list.clone(),
        by: format!("{} ({})", entry.author, entry.agency),
        added: console.times.minute(listed.added_ms),
        ends: console.times.minute(entry.ends.as_millisecond()),
        ended,
    }
}

fn beat(packet: BeatPacket) -> BeatRowView {
    BeatRowView {
        name: packet.name,
        packet: packet.call.to_string(),
        carried: packet.carried,
        changes: packet.changes,
        is_short: packet.is_short,
        given: packet.given,
    }
}

#[derive(Debug, Deserialize)]
struct EntryForm {
    kind: HotKind,
    list: String,
    agency: String,
    author: String,
    plate: String,
    state: String,
    name: String,
    date_of_birth: String,
    phone: String,
    vehicle: String,
    text: String,
    ends: String,
    /// A box that is not ticked is not sent.
    danger: Option<String>,
}

impl EntryForm {
    fn kept(&self) -> HotFormView {
        HotFormView {
            kind: self.kind.word().to_lowercase(),
            list: self.list.clone(),
            agency: self.agency.clone(),
            author: self.author.clone(),
            plate: self.plate.clone(),
            state: self.state.clone(),
            name: self.name.clone(),
            date_of_birth: self.date_of_birth.clone(),
            phone: self.phone.clone(),
            vehicle: self.vehicle.clone(),
            text: self.text.clone(),
            ends: self.ends.clone(),
            danger: self.danger.is_some(),
        }
    }

    fn request(self, times: &words::Times) -> Result<EntryRequest, String> {
        let filled = |text: String| Some(text).filter(|text| !text.trim().is_empty());
        let date_of_birth = match filled(self.date_of_birth) {
            Some(date) => Some(date.parse().map_err(|_| "The date of birth is no date.")?),
            None => None,
        };
        Ok(EntryRequest {
            kind: self.kind,
            list: Some(self.list),
            agency: Some(self.agency),
            author: Some(self.author),
            number: None,
            ends: times.local(&self.ends).ok_or("Say when it ends.")?,
            danger: self.danger.is_some(),
            text: self.text.replace("\r\n", "\n"),
            plate: filled(self.plate),
            state: filled(self.state),
            name: filled(self.name),
            date_of_birth,
            phone: filled(self.phone),
            vehicle: filled(self.vehicle),
            beats: Vec::new(),
        })
    }
}

/// `POST /hot-list`
pub(super) async fn add(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::AddHotListEntry, "").await?;
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let form: EntryForm = match fields_of(request).await {
        Ok(form) => form,
        Err(why) => {
            return Ok(shown(&console, &actor, bad, Some(why), HotFormView::default()).await);
        }
    };
    let kept = form.kept();
    let entry = form
        .request(&console.times)
        .and_then(|request| request.checked(clock::now_ms()).map_err(|e| e.to_string()));
    let entry = match entry {
        Ok(entry) => entry,
        Err(why) => return Ok(shown(&console, &actor, bad, Some(why), kept).await),
    };
    match hot_list::add_for(&console.center, entry, &actor.name).await {
        Ok(_) => Ok(Redirect::to(PLACE).into_response()),
        Err(LogError::Conflict(why)) => {
            Ok(shown(&console, &actor, StatusCode::CONFLICT, Some(why), kept).await)
        }
        Err(e) => {
            let why = Some(words::trouble(&e));
            Ok(shown(&console, &actor, StatusCode::SERVICE_UNAVAILABLE, why, kept).await)
        }
    }
}

/// `POST /hot-list/{id}/clear`
pub(super) async fn clear(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::ClearHotListEntry, &id).await?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let again = HotFormView::default();
    match hot_list::clear_for(&console.center, id, &actor.name, &actor.name).await {
        Ok(()) => Ok(Redirect::to(PLACE).into_response()),
        Err(LogError::Unknown { .. }) => {
            let why = Some("It has ended already.".into());
            Ok(shown(&console, &actor, StatusCode::NOT_FOUND, why, again).await)
        }
        Err(e) => {
            let why = Some(words::trouble(&e));
            Ok(shown(
                &console,
                &actor,
                StatusCode::SERVICE_UNAVAILABLE,
                why,
                again,
            )
            .await)
        }
    }
}
