//! What is on this laptop before there is a call, and the search of it: no network.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;
use crate::pages::{cannot_read, html};
use crate::present::{Look, found as present_found};

/// Where the page is.
pub(crate) const PLACE: &str = "/beat";

pub(crate) async fn page(State(app): State<App>) -> Response {
    match Look::take_with_beat(&app).await {
        Ok(look) => (StatusCode::OK, html(&look.desk(false))).into_response(),
        Err(error) => cannot_read(&error),
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct FoundQuery {
    #[serde(default)]
    words: String,
}

/// `GET /beat/found?words=…`
pub(crate) async fn found(State(app): State<App>, Query(query): Query<FoundQuery>) -> Response {
    match present_found(&app, &query.words).await {
        Ok(found) => html(&found),
        Err(error) => cannot_read(&error),
    }
}
