//! `GET /v1/search`: a page of the packets that match.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use jiff::tz::TimeZone;
use packet::{CallId, Compartment, DocumentId};
use serde::{Deserialize, Serialize};

use super::{allow, caller};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::log::LogError;
use crate::policy::{Act, Sight};
use crate::problem::Problem;
use crate::search::{Criteria, Found, FoundEntry, FoundPacket, Page, SearchRequest, Wrong, find};

/// Packets on a page, where nobody says how many.
const PAGE_DEFAULT: usize = 25;

#[derive(Debug, Deserialize)]
pub(super) struct PageRequest {
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct FoundView {
    /// How many there are on all pages.
    total: u64,
    /// There may be more: what was asked is in more entries than are looked at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    at_least: bool,
    packets: Vec<PacketView>,
    /// To be given as `after` for the next page; absent on the last.
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct PacketView {
    id: CallId,
    agency: String,
    number: String,
    nature: String,
    location: String,
    priority: u8,
    open: bool,
    /// By CAD's clock.
    received_ms: i64,
    #[serde(skip_serializing_if = "String::is_empty")]
    disposition: String,
    /// The newest of its entries that have what was asked.
    entries: Vec<EntryView>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    seq: u64,
    compartment: &'static str,
    kind: String,
    text: String,
    /// The center's receipt.
    center_ms: i64,
    /// A later entry corrects or withdraws it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    corrected: bool,
}

/// `GET /v1/search?words=…&person=…&plate=…&phone=…&address=…&latitude=…&longitude=…&radius_m=…&from=…&to=…&state=…`.
pub(super) async fn search(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<SearchRequest>, QueryRejection>,
    page: Result<Query<PageRequest>, QueryRejection>,
) -> Result<Json<FoundView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::Search, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("words", e.body_text()))?;
    let Query(page) = page.map_err(|e| Problem::bad_field("limit", e.body_text()))?;
    let criteria = Criteria::of(&request, &TimeZone::UTC)?;
    let after = page
        .after
        .map(|after| after.parse())
        .transpose()
        .map_err(|()| Problem::bad_field("after", "`next` of the page before"))?;
    let page = Page {
        after,
        limit: page.limit.unwrap_or(PAGE_DEFAULT),
    };
    let sight = Sight::of(&center.policies, &caller, Act::SearchIn);
    let asked = criteria.clone();
    let found = center
        .log
        .readers()
        .read(move |connection| find(connection, &asked, &sight, page))
        .await?;
    disclose(&center, &caller.name, &criteria, &found).await?;
    Ok(Json(found.into()))
}

/// Puts on record what was asked, and each packet that was shown. What cannot be put on
/// record is not given.
pub(crate) async fn disclose(
    center: &Center,
    who: &str,
    criteria: &Criteria,
    found: &Found,
) -> Result<(), LogError> {
    center.metrics.searches.inc();
    let record = |act, object: String, detail: String| Record {
        object,
        detail,
        ..Record::of(who, act)
    };
    let (total, shown) = (found.total, found.packets.len());
    let mut records = vec![Record {
        detail: format!("{}: {total} found, {shown} shown", criteria.on_record()),
        subjects: criteria.subjects(),
        ..Record::of(who, Act::Search)
    }];
    for packet in &found.packets {
        // That it is there, and what the call itself says, is shown of each.
        let mut shown = vec![(Compartment::Call, Vec::new())];
        for entry in &packet.entries {
            match shown.iter_mut().find(|(of, _)| *of == entry.compartment) {
                Some((_, seqs)) => seqs.push(entry.seq.to_string()),
                None => shown.push((entry.compartment, vec![entry.seq.to_string()])),
            }
        }
        records.extend(shown.into_iter().map(|(compartment, seqs)| {
            let document = DocumentId::new(packet.call, compartment);
            let detail = format!("found: {}", seqs.join(", "));
            record(Act::SearchIn(compartment), document.to_string(), detail)
        }));
    }
    center
        .log
        .write(move |ledger| {
            records
                .iter()
                .try_for_each(|record| audit::record(ledger, record))
        })
        .await
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::bad_field(wrong.field, wrong.wanted)
    }
}

impl From<Found> for FoundView {
    fn from(found: Found) -> Self {
        Self {
            total: found.total,
            at_least: found.at_least,
            packets: found.packets.into_iter().map(Into::into).collect(),
            next: found.next.map(|next| next.to_string()),
        }
    }
}

impl From<FoundPacket> for PacketView {
    fn from(packet: FoundPacket) -> Self {
        Self {
            id: packet.call,
            agency: packet.agency,
            number: packet.number,
            nature: packet.nature,
            location: packet.location,
            priority: packet.priority,
            open: packet.open,
            received_ms: packet.received_ms,
            disposition: packet.disposition,
            entries: packet.entries.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<FoundEntry> for EntryView {
    fn from(entry: FoundEntry) -> Self {
        Self {
            seq: entry.seq,
            compartment: entry.compartment.name(),
            kind: entry.kind,
            text: entry.text,
            center_ms: entry.received_ms,
            corrected: entry.corrected,
        }
    }
}
