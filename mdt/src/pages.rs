//! The two pages, and the files that they ask for.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use mobile_core::CoreError;
use packet::CallId;

use crate::app::App;
use crate::assets::ASSETS;
use crate::beat;
use crate::present::Look;

pub(crate) async fn desk(State(app): State<App>) -> Response {
    page(&app, None, false).await
}

pub(crate) async fn call(State(app): State<App>, Path(call): Path<String>) -> Response {
    let call: Option<CallId> = call.parse().ok();
    if call.is_some_and(CallId::is_beat) {
        return Redirect::to(beat::PLACE).into_response();
    }
    page(&app, call, true).await
}

async fn page(app: &App, open: Option<CallId>, names_a_call: bool) -> Response {
    match Look::take(app, open).await {
        Ok(look) => {
            let is_missing = names_a_call && look.packet.is_none();
            let status = if is_missing {
                StatusCode::NOT_FOUND
            } else {
                StatusCode::OK
            };
            (status, html(&look.desk(is_missing))).into_response()
        }
        Err(error) => cannot_read(&error),
    }
}

/// The templates' only failure is a formatter's, which strings do not have.
pub(crate) fn html(view: &impl Template) -> Response {
    match view.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::warn!(%error, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(crate) fn cannot_read(error: &CoreError) -> Response {
    tracing::warn!(%error, "the store could not be read");
    let text = "This laptop's store cannot be read now. Reload the page to try again.\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    let asset = ASSETS
        .iter()
        .find(|asset| asset.path.strip_prefix("/assets/") == Some(name.as_str()));
    match asset {
        Some(asset) => ([(CONTENT_TYPE, asset.content_type)], asset.body).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
