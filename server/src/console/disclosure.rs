//! Puts on record what a page was given.

use std::sync::Arc;

use packet::{CallId, DocumentId};

use super::Console;
use crate::audit::Record;
use crate::policy::{Act, Actor};

/// A stretch of a document: after this `seq`, through that one.
pub(super) type Stretch = (DocumentId, u64, u64);

fn record(actor: &Actor, act: Act, object: String, detail: String) -> Record {
    Record {
        object,
        detail,
        ..Record::by(actor, act)
    }
}

/// The board was shown, or is being shown: `detail` says which.
pub(super) async fn board(console: &Arc<Console>, actor: &Actor, detail: String) {
    keep(
        console,
        vec![record(actor, Act::SeeBoard, String::new(), detail)],
    )
    .await;
}

/// So much of what is listed was shown.
pub(super) async fn listed(console: &Arc<Console>, actor: &Actor, act: Act, count: usize) {
    let detail = format!("{count} shown");
    keep(console, vec![record(actor, act, String::new(), detail)]).await;
}

/// These stretches were sent to a page.
pub(super) async fn packet(console: &Arc<Console>, actor: &Actor, stretches: &[Stretch]) {
    let records = stretches
        .iter()
        .map(|(document, after, through)| Record {
            stretch: Some((*after, *through)),
            ..record(actor, Act::SeePacket, document.to_string(), String::new())
        })
        .collect();
    keep(console, records).await;
}

/// What these calls are was shown with one that they are linked with.
pub(super) async fn linked(console: &Arc<Console>, actor: &Actor, with: CallId, calls: &[CallId]) {
    let records = calls
        .iter()
        .map(|call| {
            record(
                actor,
                Act::SeePacket,
                call.to_string(),
                format!("linked with {with}"),
            )
        })
        .collect();
    keep(console, records).await;
}

/// With a full disk reading goes on: what then cannot stand in the audit log waits beside it.
async fn keep(console: &Arc<Console>, records: Vec<Record>) {
    console.center.put_on_record(records).await;
}
