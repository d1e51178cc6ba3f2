//! What is written when something that is listed is met: a finding on the packet, a caution
//! where it is a danger, and an alert to the units near by.
//!
//! *Near by* are the units of open calls within [`NEAR_M_MAX`] and those of the beats that
//! it is in. They get a caution in `safety` where it is a danger, else a finding. What is
//! met on the move is old soon: an alert ends by itself after [`NEAR_MS_MAX`].

use packet::{CallId, Caution, Compartment, Confidence, DocumentId, Entry, EntryId, Finding};
use rusqlite::OptionalExtension;
use rusqlite::params;

use super::names::Named;
use super::{Listed, SOURCE};
use crate::beats;
use crate::log::{Ledger, LogError};
use crate::standing::{self, Cause, Role};

/// How far around a place its units are near by, in metres.
const NEAR_M_MAX: f64 = 1_500.0;
/// Most calls near by whose units are alerted, the nearest first.
const NEAR_CALLS_MAX: usize = 20;
/// How long an alert stands.
pub(super) const NEAR_MS_MAX: i64 = 2 * 60 * 60 * 1_000;
/// One packet is alerted of one entry so often at the most.
const NEAR_AGAIN_MS: i64 = 5 * 60 * 1_000;
const EARTH_M: f64 = 6_371_000.0;

/// A packet that names something that is listed.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) call: CallId,
    pub(super) listed: &'a Listed,
    pub(super) how: Confidence,
    pub(super) named: &'a Named,
    /// How many entries the name matches.
    pub(super) of: usize,
    /// The query that named it.
    pub(super) answers: Option<EntryId>,
}

/// Where something that is listed was met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Met {
    /// Degrees, WGS 84.
    pub(crate) position: Option<(f64, f64)>,
    pub(crate) district: Option<String>,
    /// In words: the address, the camera.
    pub(crate) place: String,
    /// This packet has it already.
    pub(crate) except: Option<CallId>,
}

/// Such as `Stolen: ABC123 WI`.
pub(crate) fn title(listed: &Listed) -> String {
    let (kind, wanted) = (listed.entry.kind.word(), listed.entry.wanted.text());
    let title = if wanted.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind}: {wanted}")
    };
    cut(&title, packet::entry::NAME_CHARS_MAX)
}

pub(crate) fn source(listed: &Listed) -> String {
    cut(
        &format!("{SOURCE}: {}", listed.entry.list),
        packet::entry::NAME_CHARS_MAX,
    )
}

/// What the entry says, who says it and until when.
pub(crate) fn said(listed: &Listed) -> String {
    let entry = &listed.entry;
    format!(
        "{}\nListed by {} ({}), until {}.",
        entry.text,
        entry.author,
        entry.agency,
        entry.ends.strftime("%Y-%m-%d %H:%M UTC")
    )
}

fn lead(how: Confidence) -> &'static str {
    match how {
        Confidence::Exact => "",
        Confidence::Partial => " A lead to verify: only a part matches.",
        Confidence::Phonetic => " A lead to verify: it sounds alike.",
        Confidence::Nearby => " A lead to verify: near by.",
    }
}

/// Writes that a packet names what is listed, unless it was written before and no less
/// surely.
pub(super) fn found(ledger: &mut Ledger<'_>, found: &Found<'_>) -> Result<(), LogError> {
    let (listed, call) = (found.listed, found.call);
    let cause = Cause::hot(listed.id);
    let is_exact = found.how == Confidence::Exact;
    if standing::was_written(ledger, &cause, call, Role::Found, is_exact, 0)? {
        return Ok(());
    }
    let among = match found.of {
        0 | 1 => String::new(),
        of => format!("\nOne of {of} entries that it matches."),
    };
    let finding = Finding {
        source: source(listed),
        title: title(listed),
        text: cut(
            &format!("{}{among}", said(listed)),
            packet::entry::TEXT_CHARS_MAX,
        ),
        query: cut(&found.named.text(), packet::entry::NAME_CHARS_MAX),
        recorded_ms: Some(listed.added_ms),
        answered_ms: ledger.now_ms(),
        confidence: found.how,
        topic: listed.entry.kind.topic(),
        link: None,
        ends_ms: Some(listed.entry.ends.as_millisecond()),
        answers: found.answers,
    };
    if listed.entry.danger {
        let caution = Caution {
            text: cut(
                &format!(
                    "{}. {}{}",
                    title(listed),
                    listed.entry.text,
                    lead(found.how)
                ),
                packet::entry::TEXT_CHARS_MAX,
            ),
            by: by(listed),
            ends_ms: finding.ends_ms,
        };
        let safety = DocumentId::new(call, Compartment::Safety);
        standing::write(
            ledger,
            safety,
            Entry::Caution(caution),
            &cause,
            Role::Found,
            is_exact,
        )?;
    }
    let document = DocumentId::new(call, Compartment::Call);
    standing::write(
        ledger,
        document,
        Entry::Finding(finding),
        &cause,
        Role::Found,
        is_exact,
    )?;
    let met = met_at(ledger, call)?;
    near(ledger, listed, found.how, &met)
}

fn by(listed: &Listed) -> String {
    cut(
        &format!("{}: {}", source(listed), listed.entry.author),
        packet::entry::NAME_CHARS_MAX,
    )
}

/// Where a call is, by its last report.
fn met_at(ledger: &Ledger<'_>, call: CallId) -> Result<Met, LogError> {
    let met = ledger
        .sql()
        .prepare_cached(
            "SELECT location, report ->> '$.latitude', report ->> '$.longitude', report ->> '$.district'
             FROM calls WHERE call = ?1 AND report <> ''",
        )?
        .query_row([call.0.cast_signed()], |row| {
            Ok(Met {
                place: row.get(0)?,
                position: row
                    .get::<_, Option<f64>>(1)?
                    .zip(row.get::<_, Option<f64>>(2)?),
                district: row.get(3)?,
                except: Some(call),
            })
        })
        .optional()?;
    Ok(met.unwrap_or_default())
}

/// Alerts the units near by.
pub(crate) fn near(
    ledger: &mut Ledger<'_>,
    listed: &Listed,
    how: Confidence,
    met: &Met,
) -> Result<(), LogError> {
    let mut packets = beats::packets_at(ledger.sql(), met.position, met.district.as_deref())?;
    if let Some(position) = met.position {
        packets.extend(calls_near(ledger, position)?);
    }
    packets.retain(|packet| Some(*packet) != met.except);
    let (cause, now_ms) = (Cause::hot(listed.id), ledger.now_ms());
    let ends_ms = listed.entry.ends.as_millisecond().min(now_ms + NEAR_MS_MAX);
    for packet in packets {
        // The units there have it as their own, or were told a moment ago.
        if standing::was_written(ledger, &cause, packet, Role::Found, false, 0)?
            || standing::was_written(
                ledger,
                &cause,
                packet,
                Role::Near,
                false,
                now_ms - NEAR_AGAIN_MS,
            )?
        {
            continue;
        }
        let text = format!(
            "Near by, at {}. {}{}",
            met.place,
            listed.entry.text,
            lead(how)
        );
        let document = standing::document_of(packet, listed.entry.danger);
        let entry = if listed.entry.danger {
            Entry::Caution(Caution {
                text: cut(
                    &format!("{}. {text}", title(listed)),
                    packet::entry::TEXT_CHARS_MAX,
                ),
                by: by(listed),
                ends_ms: Some(ends_ms),
            })
        } else {
            Entry::Finding(Finding {
                source: source(listed),
                title: title(listed),
                text: cut(&text, packet::entry::TEXT_CHARS_MAX),
                query: cut(&met.place, packet::entry::NAME_CHARS_MAX),
                recorded_ms: Some(now_ms),
                answered_ms: now_ms,
                confidence: Confidence::Nearby,
                topic: listed.entry.kind.topic(),
                link: None,
                ends_ms: Some(ends_ms),
                answers: None,
            })
        };
        standing::write(ledger, document, entry, &cause, Role::Near, false)?;
    }
    Ok(())
}

/// The open calls within reach that a unit is on, the nearest first.
fn calls_near(ledger: &Ledger<'_>, position: (f64, f64)) -> Result<Vec<CallId>, LogError> {
    let mut statement = ledger.sql().prepare_cached(
        "SELECT call, report ->> '$.latitude', report ->> '$.longitude' FROM calls
         WHERE open = 1 AND report <> '' AND report ->> '$.latitude' IS NOT NULL
           AND EXISTS (SELECT 1 FROM grants WHERE grants.call = calls.call AND to_seq IS NULL)",
    )?;
    let mut rows = statement.query(params![])?;
    let mut near = Vec::new();
    while let Some(row) = rows.next()? {
        let metres = metres(position, (row.get(1)?, row.get(2)?));
        if metres <= NEAR_M_MAX {
            near.push((metres, CallId(row.get::<_, i64>(0)?.cast_unsigned())));
        }
    }
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    near.truncate(NEAR_CALLS_MAX);
    Ok(near.into_iter().map(|(_, call)| call).collect())
}

/// Between two positions in degrees, over the ground (the haversine formula).
pub(crate) fn metres(one: (f64, f64), other: (f64, f64)) -> f64 {
    let (lat, other_lat) = (one.0.to_radians(), other.0.to_radians());
    let (by_lat, by_lon) = (other_lat - lat, (other.1 - one.1).to_radians());
    let half =
        (by_lat / 2.0).sin().powi(2) + lat.cos() * other_lat.cos() * (by_lon / 2.0).sin().powi(2);
    2.0 * EARTH_M * half.sqrt().min(1.0).asin()
}

/// The whole stays in the list.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousandth_of_a_degree_north_is_a_hundred_and_eleven_metres() {
        let far = metres((43.0, -87.9), (43.001, -87.9));
        assert!((far - 111.2).abs() < 0.1, "{far}");
        assert!(metres((43.0, -87.9), (43.0, -87.9)) < 0.001);
    }
}
