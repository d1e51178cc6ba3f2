//! A beat's packets: opened, filled, given to its units, followed by another.

use std::collections::HashSet;

use packet::{
    CallId, CallState, Compartment, Confidence, DocumentId, Entry, Facts, Finding, Note, Topic,
    UnitState, UnitStatus, entry,
};
use rusqlite::{Connection, params};

use super::{BeatConfig, CHANGES_MAX, HOT_CARRIED_MAX, PREMISES_CARRIED_MAX, config};
use crate::calls;
use crate::hot_list::{self, Listed};
use crate::log::{Ledger, LogError};
use crate::premises::{self, Kept};
use crate::standing::{self, Cause, Role};

/// Who gives a beat's packet to a unit, as screens show it.
const CENTER: &str = "The center";
/// How urgent a beat's packet is: behind every live call's.
pub(super) const PRIORITY: u8 = 5;
/// As the device's facts name what is no call.
const CATEGORY: &str = "beat";
const MORE_IS_LISTED: &str = "More is listed than is carried here: what is not found on this \
                              device may still be listed. Ask the center.";

/// A packet that is not retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatPacket {
    pub call: CallId,
    pub beat: String,
    pub name: String,
    pub changes: i64,
    /// Its beat's units have it.
    pub given: bool,
    pub is_short: bool,
    /// What it carries now.
    pub carried: i64,
}

/// The packets of all beats.
///
/// # Errors
/// When the store fails.
pub fn packets(connection: &Connection) -> Result<Vec<BeatPacket>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT call, beat_packets.beat, config ->> '$.name', changes, given, is_short,
                (SELECT count(*) FROM standing WHERE standing.call = beat_packets.call AND withdrawn_ms IS NULL)
         FROM beat_packets JOIN beats ON beats.beat = beat_packets.beat
         WHERE retired_ms IS NULL ORDER BY beat_packets.beat, call",
    )?;
    let packets = statement.query_map([], |row| {
        Ok(BeatPacket {
            call: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
            beat: row.get(1)?,
            name: row.get(2)?,
            changes: row.get(3)?,
            given: row.get(4)?,
            is_short: row.get(5)?,
            carried: row.get(6)?,
        })
    })?;
    Ok(packets.collect::<Result<_, _>>()?)
}

/// A packet of a beat that units have, or that follows the one that they have.
struct Unretired {
    call: CallId,
    changes: i64,
    given: bool,
    is_short: bool,
}

fn of_beat(connection: &Connection, beat: &str) -> Result<Vec<Unretired>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT call, changes, given, is_short FROM beat_packets
         WHERE beat = ?1 AND retired_ms IS NULL ORDER BY call",
    )?;
    let packets = statement.query_map([beat], |row| {
        Ok(Unretired {
            call: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
            changes: row.get(1)?,
            given: row.get(2)?,
            is_short: row.get(3)?,
        })
    })?;
    Ok(packets.collect::<Result<_, _>>()?)
}

/// The packet that the beat's units have.
pub(super) fn given(connection: &Connection, beat: &str) -> Result<Vec<CallId>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT call FROM beat_packets WHERE beat = ?1 AND given = 1 AND retired_ms IS NULL",
    )?;
    let calls = statement.query_map([beat], |row| {
        Ok(CallId(row.get::<_, i64>(0)?.cast_unsigned()))
    })?;
    Ok(calls.collect::<Result<_, _>>()?)
}

/// Puts what is missing into the beat's packets, at most so many entries. True when nothing
/// is missing: then one that waited for it is given to the units.
pub(super) fn fill(
    ledger: &mut Ledger<'_>,
    beat: &BeatConfig,
    at_most: usize,
) -> Result<bool, LogError> {
    let mut all = of_beat(ledger.sql(), &beat.id)?;
    let is_grown = |packet: &Unretired| packet.changes > CHANGES_MAX;
    if all.is_empty() || (all.len() == 1 && is_grown(&all[0])) {
        open(ledger, beat)?;
        all = of_beat(ledger.sql(), &beat.id)?;
    }
    let (wanted, is_short) = wanted(ledger.sql(), &beat.id, ledger.now_ms())?;
    let mut room = at_most;
    for packet in &all {
        let has: HashSet<_> = standing::causes_in(ledger, packet.call, Role::Carried)?
            .into_iter()
            .collect();
        for one in &wanted {
            if has.contains(one.cause().as_str()) {
                continue;
            }
            if room == 0 {
                return Ok(false);
            }
            carry(ledger, packet.call, *one)?;
            room -= 1;
        }
        if is_short && !packet.is_short {
            say_that_more_is_listed(ledger, packet.call)?;
        }
    }
    if let Some(next) = all.iter().find(|packet| !packet.given) {
        give_instead(ledger, beat, next.call)?;
    }
    Ok(true)
}

/// Something that a beat's packet should carry.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Hot(i64),
    Premise(i64),
}

impl Wanted {
    fn cause(self) -> Cause {
        match self {
            Self::Hot(id) => Cause::hot(id),
            Self::Premise(id) => Cause::premise(id),
        }
    }
}

/// All that a beat's packet should carry, and whether there is more than it takes.
fn wanted(
    connection: &Connection,
    beat: &str,
    now_ms: i64,
) -> Result<(Vec<Wanted>, bool), LogError> {
    let mut premises = premises::to_carry(connection, beat, now_ms, PREMISES_CARRIED_MAX + 1)?;
    let mut entries = hot_list::to_carry(connection, beat, now_ms, HOT_CARRIED_MAX + 1)?;
    let is_short = premises.len() > PREMISES_CARRIED_MAX || entries.len() > HOT_CARRIED_MAX;
    premises.truncate(PREMISES_CARRIED_MAX);
    entries.truncate(HOT_CARRIED_MAX);
    let premises = premises.into_iter().map(Wanted::Premise);
    let entries = entries.into_iter().map(Wanted::Hot);
    Ok((premises.chain(entries).collect(), is_short))
}

fn carry(ledger: &mut Ledger<'_>, call: CallId, wanted: Wanted) -> Result<(), LogError> {
    let now_ms = ledger.now_ms();
    let found = match wanted {
        Wanted::Hot(id) => hot_list::live(ledger.sql(), id, now_ms)?
            .map(|listed| (of_entry(&listed, now_ms), listed.entry.danger)),
        Wanted::Premise(id) => {
            premises::live(ledger.sql(), id, now_ms)?.map(|kept| (of_premise(&kept, now_ms), true))
        }
    };
    let Some((finding, can_hurt)) = found else {
        return Ok(());
    };
    let document = standing::document_of(call, can_hurt);
    let entry = Entry::Finding(finding);
    standing::write(
        ledger,
        document,
        entry,
        &wanted.cause(),
        Role::Carried,
        true,
    )
}

fn of_entry(listed: &Listed, now_ms: i64) -> Finding {
    Finding {
        source: hot_list::source(listed),
        title: hot_list::title(listed),
        text: hot_list::cut(&hot_list::said(listed), entry::TEXT_CHARS_MAX),
        query: hot_list::cut(&listed.entry.wanted.text(), entry::NAME_CHARS_MAX),
        recorded_ms: Some(listed.added_ms),
        answered_ms: now_ms,
        confidence: Confidence::Exact,
        topic: listed.entry.kind.topic(),
        link: None,
        ends_ms: Some(listed.entry.ends.as_millisecond()),
        answers: None,
    }
}

fn of_premise(kept: &Kept, now_ms: i64) -> Finding {
    let premise = &kept.premise;
    Finding {
        source: "Premise".into(),
        title: hot_list::cut(&premise.location, entry::NAME_CHARS_MAX),
        text: format!(
            "{}\nSet by {}, until {}.",
            premise.text,
            premise.set_by,
            premise.ends.strftime("%Y-%m-%d %H:%M UTC")
        ),
        query: hot_list::cut(&premise.location, entry::NAME_CHARS_MAX),
        recorded_ms: Some(kept.added_ms),
        answered_ms: now_ms,
        confidence: Confidence::Exact,
        topic: Topic::Premise,
        link: None,
        ends_ms: Some(premise.ends.as_millisecond()),
        answers: None,
    }
}

fn say_that_more_is_listed(ledger: &mut Ledger<'_>, call: CallId) -> Result<(), LogError> {
    let note = Note {
        text: MORE_IS_LISTED.into(),
        by: CENTER.into(),
    };
    ledger.append(DocumentId::new(call, Compartment::Call), Entry::Note(note))?;
    ledger
        .sql()
        .prepare_cached("UPDATE beat_packets SET is_short = 1 WHERE call = ?1")?
        .execute([call.0.cast_signed()])?;
    Ok(())
}

fn open(ledger: &mut Ledger<'_>, beat: &BeatConfig) -> Result<(), LogError> {
    let call = ledger.new_beat_packet()?;
    ledger
        .sql()
        .prepare_cached("INSERT INTO beat_packets (call, beat, opened_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![call.0.cast_signed(), beat.id, ledger.now_ms()])?;
    let facts = Facts {
        agency: beat.agency.clone(),
        number: String::new(),
        nature: hot_list::cut(&beat.name, entry::NAME_CHARS_MAX),
        category: CATEGORY.into(),
        priority: PRIORITY,
        reason: String::new(),
        location: format!("Beat {}", beat.id),
        latitude_e6: None,
        longitude_e6: None,
        district: None,
        narrative: None,
        received_ms: ledger.now_ms(),
        state: CallState::Open,
        disposition: None,
    };
    for compartment in Ledger::carried() {
        ledger.append(
            DocumentId::new(call, compartment),
            Entry::Facts(facts.clone()),
        )?;
    }
    Ok(())
}

/// The units get the new packet, and the old one leaves their devices: in one commit, so
/// none is without.
fn give_instead(ledger: &mut Ledger<'_>, beat: &BeatConfig, next: CallId) -> Result<(), LogError> {
    let mut units: Vec<String> = Vec::new();
    for old in given(ledger.sql(), &beat.id)? {
        for unit in units_with(ledger, old)? {
            take_from(ledger, old, &unit)?;
            units.push(unit);
        }
        retire(ledger, old)?;
    }
    for unit in &beat.units {
        if is_signed_on(ledger, unit)? && !units.contains(unit) {
            units.push(unit.clone());
        }
    }
    ledger
        .sql()
        .prepare_cached("UPDATE beat_packets SET given = 1 WHERE call = ?1")?
        .execute([next.0.cast_signed()])?;
    for unit in units {
        give(ledger, next, &unit)?;
    }
    Ok(())
}

fn retire(ledger: &mut Ledger<'_>, call: CallId) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("UPDATE beat_packets SET retired_ms = ?2, given = 0 WHERE call = ?1")?
        .execute(params![call.0.cast_signed(), ledger.now_ms()])?;
    standing::retire(ledger, call)
}

/// The beat is no more: its packets leave the devices.
pub(super) fn retire_all(ledger: &mut Ledger<'_>, beat: &str) -> Result<(), LogError> {
    for packet in of_beat(ledger.sql(), beat)? {
        for unit in units_with(ledger, packet.call)? {
            take_from(ledger, packet.call, &unit)?;
        }
        retire(ledger, packet.call)?;
    }
    Ok(())
}

/// Takes the beat's packets from units that are not its own any more.
pub(super) fn take_from_others(ledger: &mut Ledger<'_>, beat: &BeatConfig) -> Result<(), LogError> {
    for packet in of_beat(ledger.sql(), &beat.id)? {
        for unit in units_with(ledger, packet.call)? {
            if !beat.units.contains(&unit) {
                take_from(ledger, packet.call, &unit)?;
            }
        }
    }
    Ok(())
}

/// Gives a unit that signs on the packets of its beats.
///
/// # Errors
/// When the store fails.
pub(crate) fn sign_on(ledger: &mut Ledger<'_>, unit: &str) -> Result<(), LogError> {
    for beat in config::all(ledger.sql())? {
        if beat.units.iter().any(|own| own == unit) {
            for call in given(ledger.sql(), &beat.id)? {
                if !units_with(ledger, call)?.iter().any(|has| has == unit) {
                    give(ledger, call, unit)?;
                }
            }
        }
    }
    Ok(())
}

fn units_with(ledger: &Ledger<'_>, call: CallId) -> Result<Vec<String>, LogError> {
    let units = ledger
        .sql()
        .prepare_cached("SELECT unit FROM grants WHERE call = ?1 AND to_seq IS NULL")?
        .query_map([call.0.cast_signed()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(units)
}

fn is_signed_on(ledger: &Ledger<'_>, unit: &str) -> Result<bool, LogError> {
    let is = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM shifts WHERE unit = ?1 AND ended_ms IS NULL AND expires_ms > ?2",
        )?
        .exists(params![unit, ledger.now_ms()])?;
    Ok(is)
}

/// A grant stands where its unit was named, as on a call.
fn give(ledger: &mut Ledger<'_>, call: CallId, unit: &str) -> Result<(), LogError> {
    let seq = say(ledger, call, unit, UnitState::Assigned)?;
    calls::grant(ledger, call, unit, seq, PRIORITY)
}

fn take_from(ledger: &mut Ledger<'_>, call: CallId, unit: &str) -> Result<(), LogError> {
    let seq = say(ledger, call, unit, UnitState::Clear)?;
    calls::end_grant(ledger, call, unit, seq)
}

fn say(
    ledger: &mut Ledger<'_>,
    call: CallId,
    unit: &str,
    status: UnitState,
) -> Result<u64, LogError> {
    let status = UnitStatus {
        unit: unit.to_owned(),
        status,
        by: CENTER.into(),
    };
    let document = DocumentId::new(call, Compartment::Call);
    Ok(ledger.append(document, Entry::UnitStatus(status))?.seq)
}
