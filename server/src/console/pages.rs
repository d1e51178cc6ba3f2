//! The board and a packet, as they are when they are opened.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::packet::{Known, Look};
use super::view::{BoardPage, NoticePage, PacketPage};
use super::{Console, disclosure, words};
use crate::api::{allow, find_call};
use crate::log::LogError;
use crate::policy::{Act, Actor};
use crate::problem::Problem;

/// A recording is asked for from so long before the call.
const CLIP_BEFORE_MS: i64 = 5 * 60 * 1_000;

/// `GET /`
pub(super) async fn board(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeBoard, "").await?;
    let (reading, sight) = (console.clone(), console.sight(&actor));
    let read = console
        .center
        .log
        .readers()
        .read(move |connection| {
            reading
                .board
                .read(connection, &reading.center, &reading.times, &sight)
        })
        .await;
    let (board, open_calls) = match read {
        Ok(read) => read,
        Err(e) => return Ok(failed(&e)),
    };
    disclosure::board(&console, &actor, "page".into()).await;
    let page = BoardPage {
        header: console.header(open_calls),
        board,
    };
    Ok(html(StatusCode::OK, &page))
}

/// `GET /calls/{id}`
pub(super) async fn packet(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let Some(call) = find_call(&console.center, &actor, Act::SeePacket, &id).await? else {
        return Ok(not_known());
    };
    let look = Known::new(call, console.sight(&actor)).look(&console).await;
    let (
        known,
        Look {
            packet,
            linked,
            open_calls,
        },
    ) = match look {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(not_known()),
        Err(e) => return Ok(failed(&e)),
    };
    disclosure::packet(&console, &actor, &known.stretches(0)).await;
    disclosure::linked(&console, &actor, call, &linked).await;
    let page = PacketPage {
        clip_from: console
            .times
            .for_box(packet.facts.received_ms - CLIP_BEFORE_MS),
        header: console.header(open_calls),
        packet,
    };
    Ok(html(StatusCode::OK, &page))
}

fn not_known() -> Response {
    let page = NoticePage {
        title: "No such call".into(),
        text: "The center knows no call with this address. It may have been mistyped.".into(),
    };
    html(StatusCode::NOT_FOUND, &page)
}

pub(super) fn failed(error: &LogError) -> Response {
    tracing::error!(%error, "a page could not be read");
    let page = NoticePage {
        title: "This page cannot be shown now".into(),
        text: words::trouble(error),
    };
    html(StatusCode::SERVICE_UNAVAILABLE, &page)
}

/// A template as an answer.
pub(super) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
