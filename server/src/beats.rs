//! Beats: what an officer has before there is a call.
//!
//! Almost half of all calls are at an address that was seen before. So each beat has a
//! packet of its own, opened by the center like a call's: the premise cautions of its
//! places and the hot-list entries, each a finding that says when it ends. It is granted
//! to the beat's units at sign-on and travels, is received, counted and withdrawn like any
//! packet, behind all that is about a live call; on the device it is searched with no
//! signal. It is no call: no row among the calls, no source is asked about it, and a device
//! writes nothing into it but the tap on an alert.
//!
//! ```text
//! add, clear, end ─▶ the beat is stale ─▶ tend: some entries a commit ─▶ filled ─▶ given
//! ```
//!
//! What a packet carries is bounded ([`HOT_CARRIED_MAX`], [`PREMISES_CARRIED_MAX`]): what can
//! hurt first, then the newest; that more is listed is said in it, since on a device *not
//! found* must not read as *not listed*. A document only grows: one that has grown too far
//! ([`CHANGES_MAX`]) is followed by another, which is filled before the units get it in the
//! place of the first. All of this is kept in the store, so a kill in between is made good
//! by the next [`tend`].

mod config;
mod packets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use packet::CallId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::center::Center;
use crate::hot_list::HotEntry;
use crate::log::{Committed, Ledger, LogError};
use crate::premises::{self, Kept};

pub use config::BeatConfig;
pub(crate) use config::check;
pub(crate) use packets::sign_on;
pub use packets::{BeatPacket, packets};

/// Most beats of a center.
pub const BEATS_MAX: usize = 200;
/// Most hot-list entries that a beat's packet carries.
pub const HOT_CARRIED_MAX: usize = 400;
/// Most premise cautions that it carries.
pub const PREMISES_CARRIED_MAX: usize = 400;
/// A packet with more changes than this is followed by another.
pub const CHANGES_MAX: i64 = 2_000;
/// Most entries that are put into beats' packets in one commit.
pub const FILLED_PER_COMMIT_MAX: usize = 32;

/// Makes the store's beats those of the configuration, once at the start. What they carry
/// follows with [`tend_some`].
///
/// # Errors
/// When the store fails.
pub fn configure(ledger: &mut Ledger<'_>, beats: &[BeatConfig]) -> Result<(), LogError> {
    for beat in config::all(ledger.sql())? {
        if !beats.iter().any(|known| known.id == beat.id) {
            packets::retire_all(ledger, &beat.id)?;
            for table in ["beats", "beat_premises"] {
                ledger
                    .sql()
                    .execute(&format!("DELETE FROM {table} WHERE beat = ?1"), [&beat.id])?;
            }
        }
    }
    for beat in beats {
        config::keep(ledger, beat)?;
        packets::take_from_others(ledger, beat)?;
    }
    ledger.sql().execute("DELETE FROM beat_premises", [])?;
    premises::each_live(ledger, |ledger, kept| {
        beats
            .iter()
            .filter(|beat| covers(beat, kept))
            .try_for_each(|beat| premise_of(ledger, &beat.id, kept.id))
    })
}

fn covers(beat: &BeatConfig, kept: &Kept) -> bool {
    beat.covers(kept.premise.position(), kept.premise.district.as_deref())
}

fn premise_of(ledger: &Ledger<'_>, beat: &str, premise: i64) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("INSERT OR IGNORE INTO beat_premises (beat, premise) VALUES (?1, ?2)")?
        .execute(params![beat, premise])?;
    Ok(())
}

/// The entry is new or has ended: what the beats that it concerns carry is not what it
/// should be.
pub(crate) fn entry_changed(ledger: &Ledger<'_>, entry: &HotEntry) -> Result<(), LogError> {
    if entry.beats.is_empty() {
        ledger
            .sql()
            .prepare_cached("UPDATE beats SET stale = 1")?
            .execute([])?;
        return Ok(());
    }
    entry.beats.iter().try_for_each(|beat| stale(ledger, beat))
}

pub(crate) fn premise_added(ledger: &Ledger<'_>, kept: &Kept) -> Result<(), LogError> {
    for beat in config::all(ledger.sql())? {
        if covers(&beat, kept) {
            premise_of(ledger, &beat.id, kept.id)?;
            stale(ledger, &beat.id)?;
        }
    }
    Ok(())
}

pub(crate) fn premise_ended(ledger: &Ledger<'_>, premise: i64) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("DELETE FROM beat_premises WHERE premise = ?1")?
        .execute([premise])?;
    Ok(())
}

/// Something in a beat's packet was withdrawn: what had no room may have it now.
pub(crate) fn packet_changed(ledger: &Ledger<'_>, call: CallId) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "UPDATE beats SET stale = 1 WHERE beat = (SELECT beat FROM beat_packets WHERE call = ?1 AND retired_ms IS NULL)",
        )?
        .execute([call.0.cast_signed()])?;
    Ok(())
}

fn stale(ledger: &Ledger<'_>, beat: &str) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("UPDATE beats SET stale = 1 WHERE beat = ?1")?
        .execute([beat])?;
    Ok(())
}

/// Counts what a beat's packet has grown by.
///
/// # Errors
/// When the store fails.
pub(crate) fn logged(ledger: &Ledger<'_>, change: &Committed) -> Result<(), LogError> {
    if !change.document.call.is_beat() {
        return Ok(());
    }
    let call = change.document.call;
    let changes: Option<i64> = ledger
        .sql()
        .prepare_cached(
            "UPDATE beat_packets SET changes = changes + 1 WHERE call = ?1 RETURNING changes",
        )?
        .query_row([call.0.cast_signed()], |row| row.get(0))
        .optional()?;
    if changes.is_some_and(|changes| changes > CHANGES_MAX) {
        packet_changed(ledger, call)?;
    }
    Ok(())
}

/// Brings the packets of a stale beat nearer to what they should carry, some entries at a
/// time. False when no beat is stale any more.
///
/// # Errors
/// When the store fails.
pub fn tend_some(ledger: &mut Ledger<'_>) -> Result<bool, LogError> {
    let stale: Option<String> = ledger
        .sql()
        .prepare_cached("SELECT beat FROM beats WHERE stale = 1 LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(stale) = stale else {
        return Ok(false);
    };
    let beat = config::of(ledger.sql(), &stale)?;
    if packets::fill(ledger, &beat, FILLED_PER_COMMIT_MAX)? {
        ledger
            .sql()
            .prepare_cached("UPDATE beats SET stale = 0 WHERE beat = ?1")?
            .execute([&stale])?;
    }
    Ok(true)
}

/// Until no beat is stale.
///
/// # Errors
/// When the log cannot take it; the next call goes on where this one ended.
pub async fn tend(center: &Arc<Center>) -> Result<(), LogError> {
    while center.log.write(tend_some).await? {}
    Ok(())
}

/// The packets that the units of the beats at this place have.
pub(crate) fn packets_at(
    connection: &Connection,
    position: Option<(f64, f64)>,
    district: Option<&str>,
) -> Result<Vec<CallId>, LogError> {
    let mut packets = Vec::new();
    for beat in config::all(connection)? {
        if beat.covers(position, district) {
            packets.extend(packets::given(connection, &beat.id)?);
        }
    }
    Ok(packets)
}

/// Whose beat this place is in.
pub(crate) fn agency_at(
    connection: &Connection,
    position: Option<(f64, f64)>,
    district: Option<&str>,
) -> Result<Option<String>, LogError> {
    let beats = config::all(connection)?;
    let here = beats
        .into_iter()
        .find(|beat| beat.covers(position, district));
    Ok(here.map(|beat| beat.agency))
}
