//! Searching what is on the device, with no signal.
//!
//! The index of words says which packets to read; those are read whole, since what was
//! withdrawn, or has ended by the center's clock as well as this device knows it, is not
//! found. It is asked one transaction, the packets are read in others: what comes in between
//! is found by the next search.

use packet::lookup::StatedPlate;
use packet::{CallId, Confidence, Correction, Entry, Finding, QueryWhat, Topic, lookup};

use super::Core;
use crate::store::{Asked, Store};
use crate::view::{EntryView, Found, Packet, packet as view_of};
use crate::{CoreError, StoreError};

/// Most entries that a search gives, those of beats first, the newest of each packet first.
pub const FOUND_MAX: usize = 100;

impl Core {
    /// The entries on this device that have all these words in them: an address, a plate, a
    /// name, each also by its beginning, with or without the marks on letters; words in
    /// quotes one after the other. At most [`FOUND_MAX`].
    ///
    /// # Errors
    /// [`CoreError::SignOnFirst`]; when the store is closed ([`Core::pause`]) or cannot be read.
    pub async fn find(&self, words: &str) -> Result<Vec<Found>, CoreError> {
        self.find_in(words, Store::calls_that_may_say).await
    }

    /// As [`Core::find`], reading every packet: what the index is measured against.
    ///
    /// # Errors
    /// As [`Core::find`].
    #[doc(hidden)]
    pub async fn find_by_reading_all(&self, words: &str) -> Result<Vec<Found>, CoreError> {
        self.find_in(words, |store, _| store.calls()).await
    }

    async fn find_in(
        &self,
        words: &str,
        calls: fn(&Store, &Asked) -> Result<Vec<CallId>, StoreError>,
    ) -> Result<Vec<Found>, CoreError> {
        self.signed_on()?;
        self.must_be_open()?;
        let Some(asked) = Asked::read(words) else {
            return Ok(Vec::new());
        };
        let now_ms = self.center_now_ms();
        let found = self.0.store.run(move |store| {
            let calls = calls(store, &asked)?;
            found_in(store, calls, &asked, now_ms)
        });
        Ok(found.await?)
    }

    /// What the beats' packets on this device know about the place and the plates of this
    /// packet, and that it does not say itself.
    ///
    /// # Errors
    /// When the store is closed ([`Core::pause`]) or cannot be read.
    pub async fn known_about(&self, call: CallId) -> Result<Vec<Found>, CoreError> {
        let Some(about) = self.packet(call).await?.filter(|_| !call.is_beat()) else {
            return Ok(Vec::new());
        };
        let (place, plates) = (place_of(&about), plates_of(&about));
        let now_ms = self.center_now_ms();
        let mut known = Vec::new();
        for packet in self.packets_of(CallId::is_beat).await? {
            let is_known = |entry: &&EntryView| match &entry.written.entry {
                Entry::Finding(finding) => {
                    is_about(finding, &place, &plates) && !is_said(&about, finding)
                }
                _ => false,
            };
            let standing = standing(&packet, now_ms).filter(is_known);
            known.extend(standing.map(|entry| Found::new(&packet, entry)));
        }
        known.truncate(FOUND_MAX);
        Ok(known)
    }

    fn center_now_ms(&self) -> i64 {
        self.0.clock.wall_ms() - self.clock_off_ms().unwrap_or(0)
    }

    /// Of these calls: beats' packets first, the newest calls next.
    async fn packets_of(&self, wanted: fn(CallId) -> bool) -> Result<Vec<Packet>, CoreError> {
        self.must_be_open()?;
        let read = move |store: &Store| {
            let mut calls: Vec<(CallId, i64)> = store
                .packets()?
                .into_iter()
                .filter(|(call, _)| wanted(*call))
                .map(|(call, rows)| (call, rows.newest_ms))
                .collect();
            calls.sort_by_key(|(call, newest_ms)| (!call.is_beat(), -newest_ms, *call));
            let mut packets = Vec::with_capacity(calls.len());
            for (call, _) in calls {
                if let Some(rows) = store.packet(call)? {
                    packets.push(view_of(call, rows, &[], &[]));
                }
            }
            Ok(packets)
        };
        Ok(self.0.store.run(read).await?)
    }
}

/// Of these packets in their order: in each the newest first.
pub(crate) fn found_in(
    store: &Store,
    calls: Vec<CallId>,
    asked: &Asked,
    now_ms: i64,
) -> Result<Vec<Found>, StoreError> {
    let mut found = Vec::new();
    for call in calls {
        let Some(rows) = store.packet(call)? else {
            continue;
        };
        let packet = view_of(call, rows, &[], &[]);
        let standing = standing(&packet, now_ms);
        let standing = standing.filter(|entry| asked.is_said_by(&entry.written.entry));
        found.extend(standing.map(|entry| Found::new(&packet, entry)));
        if found.len() >= FOUND_MAX {
            found.truncate(FOUND_MAX);
            break;
        }
    }
    Ok(found)
}

/// The entries that still hold, the newest first.
fn standing(packet: &Packet, now_ms: i64) -> impl Iterator<Item = &EntryView> {
    packet.entries.iter().rev().filter(move |entry| {
        let ends_ms = match &entry.written.entry {
            Entry::Finding(finding) => finding.ends_ms,
            Entry::Caution(caution) => caution.ends_ms,
            _ => None,
        };
        ends_ms.is_none_or(|ends_ms| ends_ms > now_ms) && !is_withdrawn(packet, entry)
    })
}

fn is_withdrawn(packet: &Packet, entry: &EntryView) -> bool {
    entry.corrected_by.is_some_and(|by| {
        packet.entries.iter().any(|other| {
            other.id == by
                && other.document == entry.document
                && matches!(
                    &other.written.entry,
                    Entry::Correction(Correction { text: None, .. })
                )
        })
    })
}

fn place_of(packet: &Packet) -> String {
    let facts = packet.facts.as_ref();
    facts.map_or_else(String::new, |facts| lookup::place(&facts.location))
}

fn plates_of(packet: &Packet) -> Vec<StatedPlate> {
    let named = packet
        .entries
        .iter()
        .filter_map(|entry| match &entry.written.entry {
            Entry::Query(query) if query.what == QueryWhat::Plate => Some(&query.value),
            Entry::Mention(mention) if mention.what == packet::MentionWhat::Plate => {
                Some(&mention.value)
            }
            _ => None,
        });
    named.filter_map(|text| StatedPlate::read(text)).collect()
}

fn is_about(finding: &Finding, place: &str, plates: &[StatedPlate]) -> bool {
    match finding.topic {
        Topic::Premise => !place.is_empty() && lookup::place(&finding.query) == place,
        Topic::Stolen | Topic::Wanted | Topic::Missing | Topic::Bolo
            if finding.confidence == Confidence::Exact =>
        {
            // A plate comes first in what is listed, if there is one.
            let listed = finding.query.split(',').next().unwrap_or_default();
            StatedPlate::read(listed)
                .is_some_and(|listed| plates.iter().any(|plate| listed.may_be(plate)))
        }
        _ => false,
    }
}

/// Whether the packet has from the center what the beat knows.
fn is_said(packet: &Packet, known: &Finding) -> bool {
    packet
        .entries
        .iter()
        .any(|entry| match &entry.written.entry {
            Entry::Caution(caution) => known.text.starts_with(caution.text.as_str()),
            Entry::Finding(finding) => {
                finding.source == known.source && finding.title == known.title
            }
            _ => false,
        })
}
