//! Whether the center is up, what it counts, and what its API is.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use serde::Serialize;

use super::{allow, caller};
use crate::center::Center;
use crate::log::LogError;
use crate::policy::Act;
use crate::problem::Problem;

#[derive(Debug, Serialize)]
pub(super) struct HealthView {
    status: &'static str,
    /// The log's last `seq`.
    head: u64,
}

/// `GET /healthz`: 200 when the log can be written, 503 with the reason when not.
pub(super) async fn healthz(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
) -> Result<Json<HealthView>, Problem> {
    allow(&center, &caller(&center, &headers), Act::SeeHealth, "").await?;
    let head = center
        .log
        .write(|ledger| Ok::<_, LogError>(ledger.head()))
        .await?;
    Ok(Json(HealthView { status: "ok", head }))
}

/// `GET /metrics`: OpenMetrics text, as Prometheus reads it.
pub(super) async fn metrics(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    allow(&center, &caller(&center, &headers), Act::SeeHealth, "").await?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok((
        [(header::CONTENT_TYPE, content_type)],
        center.metrics.text(),
    ))
}

/// `GET /v1/openapi.json`.
pub(super) async fn openapi(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    allow(
        &center,
        &caller(&center, &headers),
        Act::SeeApiDescription,
        "",
    )
    .await?;
    Ok((
        [(header::CONTENT_TYPE, "application/json")],
        include_str!("../../openapi.json"),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use serde_json::Value;

    #[test]
    fn the_description_has_exactly_the_routes_that_there_are() {
        let description: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
        let described: BTreeSet<(String, String)> = description["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, verbs)| {
                verbs
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(|verb| (verb.clone(), path.clone()))
            })
            .collect();
        let routes: BTreeSet<(String, String)> = super::super::ROUTES
            .iter()
            .map(|(verb, path)| ((*verb).to_owned(), (*path).to_owned()))
            .collect();
        assert_eq!(described, routes);
    }
}
