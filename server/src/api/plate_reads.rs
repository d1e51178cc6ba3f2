//! Plate reads: what cameras along the road see.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use packet::EntryError;
use serde::Deserialize;
use serde_json::Value;

use super::{allow, caller, read_json};
use crate::center::Center;
use crate::clock;
use crate::plate_reads::{self, PlateRead, READS_MAX, Taken};
use crate::policy::Act;
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchRequest {
    reads: Vec<PlateRead>,
}

/// `POST /v1/plate-reads`: one read, or `{"reads": […]}`. A read that came before changes
/// nothing.
pub(super) async fn report(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Taken>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::ReportPlateReads, "").await?;
    let body = super::calls::body_of(body)?;
    let value: Value = read_json(&body)?;
    let (reads, is_batch) = if value.get("reads").is_some() {
        (read_json::<BatchRequest>(&body)?.reads, true)
    } else {
        (vec![read_json::<PlateRead>(&body)?], false)
    };
    if !(1..=READS_MAX).contains(&reads.len()) {
        return Err(Problem::bad_field(
            "reads",
            format!("1 to {READS_MAX} reads"),
        ));
    }
    let now_ms = clock::now_ms();
    let mut checked = Vec::with_capacity(reads.len());
    for (at, read) in reads.into_iter().enumerate() {
        checked.push(read.checked(now_ms).map_err(|e| match e {
            EntryError::Field { field, wanted } if is_batch => {
                Problem::bad_field(format!("reads[{at}].{field}"), wanted)
            }
            e => e.into(),
        })?);
    }
    Ok(Json(
        plate_reads::take_for(&center, checked, &caller.name).await?,
    ))
}
