//! One page of the packets that match, the newest call first.

use std::collections::HashMap;

use packet::{CallId, Compartment, DocumentId, inspect};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::criteria::{Criteria, HITS_MAX};
use super::terms;
use crate::log::LogError;
use crate::policy::Sight;

/// Most packets on one page.
pub const PAGE_MAX: usize = 100;
/// Most entries that are shown of one packet, the newest.
const SHOWN_PER_PACKET_MAX: usize = 4;
/// Longest text that is shown of one entry, in characters.
const SHOWN_CHARS_MAX: usize = 240;

/// Which page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// [`Found::next`] of the page before.
    pub after: Option<After>,
    pub limit: usize,
}

/// Where a page ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    received_ms: i64,
    call: CallId,
}

impl std::fmt::Display for After {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.received_ms, self.call)
    }
}

impl std::str::FromStr for After {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (received_ms, call) = text.split_once('.').ok_or(())?;
        Ok(Self {
            received_ms: received_ms.parse().map_err(|_| ())?,
            call: call.parse().map_err(|_| ())?,
        })
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Packets on all pages.
    pub total: u64,
    /// Something that was asked is in more entries than are looked at: there may be more.
    pub at_least: bool,
    pub packets: Vec<FoundPacket>,
    pub next: Option<After>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPacket {
    pub call: CallId,
    pub agency: String,
    pub number: String,
    pub nature: String,
    pub location: String,
    pub priority: u8,
    pub open: bool,
    pub received_ms: i64,
    /// What came of it, once it is closed.
    pub disposition: String,
    /// The newest of its entries that have what was asked.
    pub entries: Vec<FoundEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    pub seq: u64,
    pub compartment: Compartment,
    pub kind: String,
    pub text: String,
    /// The center's receipt.
    pub received_ms: i64,
    /// A later entry corrects or withdraws it.
    pub corrected: bool,
}

/// Looks in what this reader may see, and in nothing else.
///
/// # Errors
/// When the store fails.
pub fn find(
    connection: &Connection,
    criteria: &Criteria,
    sight: &Sight,
    page: Page,
) -> Result<Found, LogError> {
    let limit = page.limit.clamp(1, PAGE_MAX);
    let mut condition = criteria.condition(sight);
    let total: u64 = connection
        .prepare(&format!(
            "SELECT count(*) FROM calls AS c WHERE {}",
            condition.sql()
        ))?
        .query_row(params_from_iter(&condition.values), |row| row.get(0))?;
    if let Some(after) = page.after {
        let received = condition.put(after.received_ms.into());
        let call = condition.put(after.call.0.cast_signed().into());
        condition.and(format!("(c.received_ms, c.call) < ({received}, {call})"));
    }
    let most = condition.put(Value::Integer(i64::try_from(limit + 1).unwrap_or(i64::MAX)));
    let mut statement = connection.prepare(&format!(
        "SELECT c.call, agency, number, nature, location, priority, open, received_ms, coalesce(disposition, '')
         FROM calls AS c LEFT JOIN call_outcomes AS i ON i.call = c.call
         WHERE {} ORDER BY c.received_ms DESC, c.call DESC LIMIT {most}",
        condition.sql()
    ))?;
    let mut packets: Vec<FoundPacket> = statement
        .query_map(params_from_iter(&condition.values), |row| {
            Ok(FoundPacket {
                call: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
                agency: row.get(1)?,
                number: row.get(2)?,
                nature: row.get(3)?,
                location: row.get(4)?,
                priority: row.get(5)?,
                open: row.get(6)?,
                received_ms: row.get(7)?,
                disposition: row.get(8)?,
                entries: Vec::new(),
            })
        })?
        .collect::<Result<_, _>>()?;
    let more = packets.len() > limit;
    packets.truncate(limit);
    let at_least = add_entries(connection, criteria, sight, &mut packets)?;
    let last = packets.last().filter(|_| more);
    Ok(Found {
        total,
        at_least,
        next: last.map(|packet| After {
            received_ms: packet.received_ms,
            call: packet.call,
        }),
        packets,
    })
}

/// Adds to each packet the entries that have what was asked. Says whether there were more
/// than are looked at.
fn add_entries(
    connection: &Connection,
    criteria: &Criteria,
    sight: &Sight,
    packets: &mut [FoundPacket],
) -> Result<bool, LogError> {
    let terms = criteria.terms();
    let places: HashMap<CallId, usize> = (0..)
        .zip(packets.iter())
        .map(|(at, packet)| (packet.call, at))
        .collect();
    let calls: Vec<String> = places
        .keys()
        .map(|call| call.0.cast_signed().to_string())
        .collect();
    let asked: Vec<String> = [
        &criteria.words,
        &criteria.person,
        &criteria.plate,
        &criteria.phone,
    ]
    .into_iter()
    .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
    .filter(|word| !word.is_empty())
    .map(str::to_lowercase)
    .collect();
    let mut at_least = false;
    for term in terms {
        let (whose, within) = sight.of_entries();
        let hits: usize = connection
            .prepare_cached(&format!(
                "SELECT count(*) FROM (SELECT 1 FROM entry_words AS w JOIN search_entries AS e ON e.seq = w.rowid {whose}
                 WHERE w.entry_words MATCH ?1 AND {within} LIMIT {HITS_MAX})"
            ))?
            .query_row([&term], |row| row.get(0))?;
        at_least |= hits == HITS_MAX;
        let mut statement = connection.prepare(&format!(
            "SELECT e.seq, e.call, e.corrected FROM entry_words AS w JOIN search_entries AS e ON e.seq = w.rowid {whose}
             WHERE w.entry_words MATCH ?1 AND {within} AND e.call IN ({})
             ORDER BY w.rowid DESC LIMIT {HITS_MAX}",
            calls.join(",")
        ))?;
        let mut rows = statement.query([&term])?;
        while let Some(row) = rows.next()? {
            let call = CallId(row.get::<_, i64>(1)?.cast_unsigned());
            let Some(packet) = places.get(&call).and_then(|at| packets.get_mut(*at)) else {
                continue;
            };
            let seq = row.get::<_, i64>(0)?.unsigned_abs();
            let is_there = packet.entries.iter().any(|entry| entry.seq == seq);
            if !is_there && packet.entries.len() < SHOWN_PER_PACKET_MAX {
                let entry = entry(connection, seq, row.get(2)?, &asked)?;
                packet.entries.push(entry);
            }
        }
    }
    for packet in packets {
        packet
            .entries
            .sort_by_key(|entry| std::cmp::Reverse(entry.seq));
    }
    Ok(at_least)
}

/// One entry, with its words about what was asked.
///
/// # Errors
/// When the store fails or has no such change.
pub(super) fn entry(
    connection: &Connection,
    seq: u64,
    corrected: bool,
    asked: &[String],
) -> Result<FoundEntry, LogError> {
    let (document, bytes, received_ms): (Vec<u8>, Vec<u8>, i64) = connection
        .prepare_cached("SELECT document, bytes, received_ms FROM readable WHERE seq = ?1")?
        .query_row([seq.cast_signed()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    let unreadable = |e: String| LogError::Store(format!("change {seq}: {e}"));
    let document = DocumentId::from_bytes(&document).map_err(|e| unreadable(e.to_string()))?;
    let entry = inspect(&bytes)
        .map_err(|e| unreadable(e.to_string()))?
        .written
        .entry;
    Ok(FoundEntry {
        seq,
        compartment: document.compartment,
        kind: super::index::kind(&entry),
        text: about(&terms::of_entry(&entry), asked),
        received_ms,
        corrected,
    })
}

/// The words about the first place where one of those stands that were asked for.
fn about(text: &str, asked: &[String]) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    let lower: Vec<char> = chars
        .iter()
        .map(|c| c.to_lowercase().next().unwrap_or(*c))
        .collect();
    let stands_at = |word: &String| {
        let word: Vec<char> = word.chars().collect();
        lower.windows(word.len()).position(|here| here == word)
    };
    let first = asked.iter().filter_map(stands_at).min().unwrap_or(0);
    let from = first.saturating_sub(SHOWN_CHARS_MAX / 3);
    let to = (from + SHOWN_CHARS_MAX).min(chars.len());
    let piece: String = chars[from..to].iter().collect();
    let (before, after) = (
        if from > 0 { "…" } else { "" },
        if to < chars.len() { "…" } else { "" },
    );
    format!("{before}{}{after}", piece.trim())
}
