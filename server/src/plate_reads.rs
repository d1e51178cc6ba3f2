//! Plate reads: what cameras along the road see.
//!
//! Each is held against the hot lists and against what the packets of open calls name. One
//! that matches is a finding on those packets; one that is listed and that no packet names
//! opens a packet, triaged like any call, and alerts the units near by. All others say
//! nothing of anybody that a police force has a reason to keep: they are deleted for good
//! after some hours (`[plate_reads] keep_hours`). Until then a call or an entry that comes
//! later finds them: *this plate was read there, 20 minutes ago*.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use packet::{
    CallId, Compartment, Confidence, DocumentId, Entry, EntryError, EntryId, Finding, Topic, entry,
    lookup,
};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Record};
use crate::beats;
use crate::calls;
use crate::center::Center;
use crate::hot_list::entry::{field, optional, trim};
use crate::hot_list::names::Named;
use crate::hot_list::{self, Listed, Met, Triages};
use crate::intake::report::{LATITUDE_DEGREES_MAX, LONGITUDE_DEGREES_MAX, in_range};
use crate::intake::{CallReport, CallStatus};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// As screens show it.
pub const SOURCE: &str = "Plate reader";
/// The nature of a packet that a read opens.
pub const NATURE: &str = "PLATE READ HIT";
/// Most reads in one request.
pub const READS_MAX: usize = 500;
/// Most reads that are taken in one commit.
const READS_PER_COMMIT_MAX: usize = 50;
/// Most reads that are deleted, and packets that are closed, in one commit.
pub const ENDED_PER_COMMIT_MAX: usize = 1_000;
/// One camera tells a packet of one plate so often at the most: a parked car is read all day.
const READ_AGAIN_MS: i64 = 5 * 60 * 1_000;
/// Most earlier reads that a packet is told of, the newest.
const SEEN_BEFORE_MAX: usize = 3;
/// Most reads that are looked through for one plate or a part of one.
const LOOKED_THROUGH_MAX: usize = 2_000;
/// So much of a plate's beginning must be known for its earlier reads to be looked for.
const BEGINS_CHARS_MIN: usize = 2;
/// A read that is older does not open a packet: the car is gone.
const OPENS_PACKET_MS_MAX: i64 = 30 * 60 * 1_000;
/// A packet that a read opened is closed when the plate was not read for so long.
pub const HIT_OPEN_MS: i64 = 2 * 60 * 60 * 1_000;
/// Below this a reader's own word is not enough to call a plate exact.
const SURE_MIN: f64 = 0.8;
/// How far ahead a camera's clock may be.
const AHEAD_MS_MAX: i64 = 5 * 60 * 1_000;
const NAME_CHARS_MAX: usize = 120;
const PLATE_CHARS_MAX: usize = 10;

/// `[plate_reads]` in the configuration: the policy of how long they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlateReadsConfig {
    /// Reads that match nothing are deleted for good after so many hours.
    pub keep_hours: u32,
}

impl Default for PlateReadsConfig {
    fn default() -> Self {
        Self { keep_hours: 24 }
    }
}

impl PlateReadsConfig {
    /// The longest that a center may be told to keep them: 30 days.
    const HOURS_MAX: u32 = 30 * 24;

    pub(crate) fn check(self) -> Result<(), String> {
        if (1..=Self::HOURS_MAX).contains(&self.keep_hours) {
            return Ok(());
        }
        Err(format!("hours from 1 to {}", Self::HOURS_MAX))
    }

    #[must_use]
    pub fn keep_ms(self) -> i64 {
        i64::from(self.keep_hours) * 60 * 60 * 1_000
    }
}

/// A read as it is given, and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlateRead {
    pub plate: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The camera's or the reader's id.
    pub camera: String,
    /// Where it looks, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Degrees, WGS 84; there is a longitude where there is a latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    /// When, by the camera's clock.
    pub read: Timestamp,
    /// How sure the reader is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

impl PlateRead {
    /// The read in the form in which it is kept and compared.
    ///
    /// # Errors
    /// Names the first field that breaks a limit, and what was wanted.
    pub fn checked(mut self, now_ms: i64) -> Result<Self, EntryError> {
        self.plate = lookup::plate(&self.plate);
        if !(1..=PLATE_CHARS_MAX).contains(&self.plate.len()) {
            return Err(field("plate", "1 to 10 letters and digits"));
        }
        optional("state", &mut self.state, 2)?;
        self.state = self.state.map(|state| state.to_uppercase());
        trim("camera", &mut self.camera, NAME_CHARS_MAX)?;
        optional("place", &mut self.place, NAME_CHARS_MAX)?;
        optional("district", &mut self.district, NAME_CHARS_MAX)?;
        if self
            .latitude
            .is_some_and(|degrees| !in_range(degrees, LATITUDE_DEGREES_MAX))
        {
            return Err(field("latitude", "degrees from -90 to 90"));
        }
        if self
            .longitude
            .is_some_and(|degrees| !in_range(degrees, LONGITUDE_DEGREES_MAX))
            || self.latitude.is_some() != self.longitude.is_some()
        {
            return Err(field(
                "longitude",
                "degrees from -180 to 180, where there is a latitude and only there",
            ));
        }
        if self
            .confidence
            .is_some_and(|sure| !(0.0..=1.0).contains(&sure))
        {
            return Err(field("confidence", "a number from 0 to 1"));
        }
        if self.read.as_millisecond() > now_ms + AHEAD_MS_MAX {
            return Err(field("read", "a time that has come"));
        }
        Ok(self)
    }

    fn is_sure(&self) -> bool {
        self.confidence.is_none_or(|sure| sure >= SURE_MIN)
    }

    fn named(&self) -> Named {
        Named::Plate {
            plate: self.plate.clone(),
            state: self.state.clone(),
        }
    }

    fn place(&self) -> &str {
        self.place.as_deref().unwrap_or(&self.camera)
    }

    fn met(&self) -> Met {
        Met {
            position: self.latitude.zip(self.longitude),
            district: self.district.clone(),
            place: self.place().to_owned(),
            except: None,
        }
    }

    fn plate_and_state(&self) -> String {
        match &self.state {
            Some(state) => format!("{} {state}", self.plate),
            None => self.plate.clone(),
        }
    }
}

/// What reads came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    pub taken: usize,
    /// They came before, or are older than reads are kept.
    pub left_out: usize,
    /// The packets that were told of one, once each.
    pub calls: Vec<CallId>,
}

/// Takes reads: keeps them, and tells the packets that they belong to.
///
/// # Errors
/// When the store fails.
pub fn take(
    ledger: &mut Ledger<'_>,
    reads: &[PlateRead],
    keep_ms: i64,
    triage: Triages<'_>,
) -> Result<Taken, LogError> {
    let mut taken = Taken::default();
    for read in reads {
        let is_old = read.read.as_millisecond() <= ledger.now_ms() - keep_ms;
        if is_old || !insert(ledger, read)? {
            taken.left_out += 1;
            continue;
        }
        taken.taken += 1;
        for call in hold(ledger, read, triage)? {
            if !taken.calls.contains(&call) {
                taken.calls.push(call);
            }
        }
    }
    Ok(taken)
}

/// False when it is here already.
fn insert(ledger: &Ledger<'_>, read: &PlateRead) -> Result<bool, LogError> {
    let text = serde_json::to_string(read).map_err(|e| LogError::Store(e.to_string()))?;
    let added = ledger
        .sql()
        .prepare_cached("INSERT OR IGNORE INTO plate_reads (plate, read_ms, camera, read) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            read.plate,
            read.read.as_millisecond(),
            read.camera,
            text
        ])?;
    Ok(added > 0)
}

/// Holds a read against the lists and the open packets; the packets that it belongs to.
fn hold(
    ledger: &mut Ledger<'_>,
    read: &PlateRead,
    triage: Triages<'_>,
) -> Result<Vec<CallId>, LogError> {
    let naming = hot_list::calls_naming(ledger, &read.plate, read.state.as_deref())?;
    let mut opened = None;
    for (listed, how) in hot_list::matches(ledger, &read.named())? {
        let how = if read.is_sure() {
            how
        } else {
            Confidence::Partial
        };
        if naming.is_empty() && opened.is_none() && is_recent(ledger, read) {
            // With the packet the units near by are told, and the read is in it.
            opened = Some(open(ledger, read, &listed, how, triage)?);
            continue;
        }
        hot_list::near(ledger, &listed, how, &read.met())?;
        ledger
            .sql()
            .prepare_cached("UPDATE plate_hits SET read_ms = max(read_ms, ?2) WHERE hot = ?1")?
            .execute(params![listed.id, read.read.as_millisecond()])?;
    }
    if !was_read_lately(ledger, read)? {
        for (call, how) in &naming {
            write(ledger, *call, read, *how, None)?;
        }
    }
    Ok(naming
        .into_iter()
        .map(|(call, _)| call)
        .chain(opened)
        .collect())
}

fn is_recent(ledger: &Ledger<'_>, read: &PlateRead) -> bool {
    read.read.as_millisecond() >= ledger.now_ms() - OPENS_PACKET_MS_MAX
}

/// The same plate at the same camera a moment before.
fn was_read_lately(ledger: &Ledger<'_>, read: &PlateRead) -> Result<bool, LogError> {
    let read_ms = read.read.as_millisecond();
    let was = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM plate_reads WHERE plate = ?1 AND camera = ?2 AND read_ms >= ?3 AND read_ms < ?4",
        )?
        .exists(params![
            read.plate,
            read.camera,
            read_ms - READ_AGAIN_MS,
            read_ms
        ])?;
    Ok(was)
}

/// Opens a packet for a plate that is listed and that no packet names. What is listed is
/// found on it as on any call, for it names the plate; where the reader is in doubt it is a
/// part of a plate that it names.
fn open(
    ledger: &mut Ledger<'_>,
    read: &PlateRead,
    listed: &Listed,
    how: Confidence,
    triage: Triages<'_>,
) -> Result<CallId, LogError> {
    let now_ms = ledger.now_ms();
    let time = |ms| Timestamp::from_millisecond(ms).map_err(|e| LogError::Store(e.to_string()));
    let reader = match read.confidence {
        Some(sure) => format!(" The reader is {:.0} % sure.", sure * 100.0),
        None => String::new(),
    };
    let doubt = if how == Confidence::Exact {
        ""
    } else {
        " A lead to verify."
    };
    let agency = beats::agency_at(ledger.sql(), read.met().position, read.district.as_deref())?;
    let report = CallReport {
        agency: agency.unwrap_or_else(|| listed.entry.agency.clone()),
        number: format!("PR-{}", next_hit(ledger)?),
        received: read.read,
        updated: time(now_ms)?,
        nature: NATURE.into(),
        location: read.place().to_owned(),
        latitude: read.latitude,
        longitude: read.longitude,
        district: read.district.clone(),
        priority: listed.entry.danger.then_some(1),
        narrative: vec![format!(
            "{} was read at {}. On a hot list as {}.{reader}{doubt}",
            // Words name a plate for certain, or not at all.
            if read.is_sure() {
                read.plate_and_state()
            } else {
                "A plate".into()
            },
            read.place(),
            listed.entry.kind.word().to_lowercase()
        )],
        plates: vec![if read.is_sure() {
            read.plate_and_state()
        } else {
            let state = read.state.as_deref().unwrap_or_default();
            format!("{}* {state}", read.plate)
        }],
        units: Vec::new(),
        status: CallStatus::Open,
    };
    let triage = triage(&report);
    let call = calls::report(ledger, &report, &triage)?.call;
    ledger
        .sql()
        .prepare_cached(
            "INSERT OR REPLACE INTO plate_hits (call, hot, read_ms) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            call.0.cast_signed(),
            listed.id,
            read.read.as_millisecond()
        ])?;
    Ok(call)
}

/// The number behind `PR-`: that of the calls which the center opened so far.
fn next_hit(ledger: &Ledger<'_>) -> Result<i64, LogError> {
    let last: Option<i64> = ledger
        .sql()
        .prepare_cached("SELECT value FROM meta WHERE name = 'plate_hit'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let next = last.unwrap_or(0) + 1;
    ledger
        .sql()
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('plate_hit', ?1)")?
        .execute([next])?;
    Ok(next)
}

fn write(
    ledger: &mut Ledger<'_>,
    call: CallId,
    read: &PlateRead,
    how: Confidence,
    answers: Option<EntryId>,
) -> Result<(), LogError> {
    let document = DocumentId::new(call, Compartment::Call);
    if !ledger.has_room(document)? {
        tracing::error!(%document, "a document is full: a plate read cannot be written into it");
        return Ok(());
    }
    let reader = match read.confidence {
        Some(sure) => format!(", the reader is {:.0} % sure", sure * 100.0),
        None => String::new(),
    };
    let camera = match &read.place {
        Some(place) => format!("{place} ({})", read.camera),
        None => read.camera.clone(),
    };
    let title = format!("{} was read", read.plate_and_state());
    let recorded_ms = Some(read.read.as_millisecond());
    // The words of a packet that was opened for a read name its plate too.
    let is_told = crate::log::document(ledger.sql(), document)?
        .iter()
        .any(|logged| match &logged.inspected.written.entry {
            Entry::Finding(told) => {
                told.source == SOURCE && told.title == title && told.recorded_ms == recorded_ms
            }
            _ => false,
        });
    if is_told && answers.is_none() {
        return Ok(());
    }
    let finding = Finding {
        source: SOURCE.into(),
        title,
        text: format!(
            "{} by the camera's clock at {camera}{reader}.",
            read.read.strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
        query: hot_list::cut(&read.plate_and_state(), entry::NAME_CHARS_MAX),
        recorded_ms,
        answered_ms: ledger.now_ms(),
        confidence: if read.is_sure() {
            how
        } else {
            Confidence::Partial
        },
        topic: Topic::Vehicle,
        link: None,
        ends_ms: None,
        answers,
    };
    ledger.append(document, Entry::Finding(finding))?;
    Ok(())
}

/// Tells a packet of the newest reads of a plate that it names. Returns how many.
///
/// # Errors
/// When an entry breaks a limit or the store fails.
pub(crate) fn seen_before(
    ledger: &mut Ledger<'_>,
    call: CallId,
    named: &Named,
    answers: Option<EntryId>,
) -> Result<usize, LogError> {
    let (Named::Plate { plate, state } | Named::PartialPlate { plate, state }) = named else {
        return Ok(0);
    };
    let wanted = hot_list::names::Wanted {
        plate: Some(plate.clone()),
        state: state.clone(),
        ..Default::default()
    };
    let mut told = 0;
    for read in reads_of(ledger, plate)? {
        if told == SEEN_BEFORE_MAX {
            break;
        }
        if let Some(how) = wanted.is_meant(&read.named()) {
            write(ledger, call, &read, how, answers)?;
            told += 1;
        }
    }
    Ok(told)
}

/// The reads of a plate that are still kept, the newest first. Of a part of a plate only
/// where it is known how the plate begins: else it would be all reads of a day that are
/// looked through.
fn reads_of(ledger: &Ledger<'_>, plate: &str) -> Result<Vec<PlateRead>, LogError> {
    let begins: String = plate
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect();
    let is_whole = begins.len() == plate.len();
    if !is_whole && begins.len() < BEGINS_CHARS_MIN {
        return Ok(Vec::new());
    }
    let mut statement = ledger.sql().prepare_cached(
        "SELECT plate, read FROM plate_reads WHERE plate >= ?1 AND plate <= ?2 LIMIT ?3",
    )?;
    let last = if is_whole {
        begins.clone()
    } else {
        format!("{begins}~")
    };
    let mut rows = statement.query(params![begins, last, LOOKED_THROUGH_MAX])?;
    let mut reads: Vec<PlateRead> = Vec::new();
    while let Some(row) = rows.next()? {
        if lookup::plate_fits(plate, &row.get::<_, String>(0)?) {
            let text: String = row.get(1)?;
            reads.push(serde_json::from_str(&text).map_err(|e| LogError::Store(e.to_string()))?);
        }
    }
    reads.sort_by_key(|read| std::cmp::Reverse(read.read));
    Ok(reads)
}

/// An entry that is new finds the newest read of its plate: where no packet names it, a
/// packet is opened while the car may be near; of an older read the beat is told.
///
/// # Errors
/// When the store fails.
pub(crate) fn entry_added(
    ledger: &mut Ledger<'_>,
    listed: &Listed,
    triage: Triages<'_>,
) -> Result<(), LogError> {
    let Some(plate) = listed.entry.wanted.plate.clone() else {
        return Ok(());
    };
    for read in reads_of(ledger, &plate)? {
        let Some(how) = listed.entry.wanted.is_meant(&read.named()) else {
            continue;
        };
        let how = if read.is_sure() {
            how
        } else {
            Confidence::Partial
        };
        let naming = hot_list::calls_naming(ledger, &read.plate, read.state.as_deref())?;
        if naming.is_empty() && is_recent(ledger, &read) {
            open(ledger, &read, listed, how, triage)?;
        } else {
            hot_list::near(ledger, listed, how, &read.met())?;
        }
        return Ok(());
    }
    Ok(())
}

/// Deletes the reads that are older than they are kept, for good, at most so many. Returns
/// how many.
///
/// # Errors
/// When the store fails.
pub fn forget(ledger: &Ledger<'_>, keep_ms: i64, at_most: usize) -> Result<usize, LogError> {
    let forgotten = ledger
        .sql()
        .prepare_cached(
            "DELETE FROM plate_reads WHERE id IN (SELECT id FROM plate_reads WHERE read_ms <= ?1 ORDER BY read_ms LIMIT ?2)",
        )?
        .execute(params![ledger.now_ms() - keep_ms, at_most])?;
    Ok(forgotten)
}

/// Closes the packets that a read opened when it was long ago, or when what was listed has
/// ended: no dispatcher will. Returns how many.
///
/// # Errors
/// When the store fails.
pub fn close_old(
    ledger: &mut Ledger<'_>,
    at_most: usize,
    triage: Triages<'_>,
) -> Result<usize, LogError> {
    let over: Vec<(i64, Option<String>, bool)> = ledger
        .sql()
        .prepare_cached(
            "SELECT plate_hits.call, calls.report, hot_list.id IS NULL FROM plate_hits
             LEFT JOIN calls ON calls.call = plate_hits.call AND calls.open = 1
             LEFT JOIN hot_list ON hot_list.id = plate_hits.hot AND hot_list.ended_ms IS NULL
             WHERE read_ms <= ?1 OR hot_list.id IS NULL OR calls.call IS NULL LIMIT ?2",
        )?
        .query_map(params![ledger.now_ms() - HIT_OPEN_MS, at_most], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (call, report, has_ended) in &over {
        let report = report
            .as_ref()
            .and_then(|report| serde_json::from_str::<CallReport>(report).ok());
        if let Some(mut report) = report {
            let disposition = if *has_ended {
                "The listing has ended"
            } else {
                "Not read again"
            };
            report.updated = Timestamp::from_millisecond(ledger.now_ms())
                .map_err(|e| LogError::Store(e.to_string()))?
                .max(report.updated);
            report.status = CallStatus::Closed {
                disposition: disposition.into(),
            };
            let triage = triage(&report);
            calls::report(ledger, &report, &triage)?;
        }
        ledger
            .sql()
            .prepare_cached("DELETE FROM plate_hits WHERE call = ?1")?
            .execute([call])?;
    }
    Ok(over.len())
}

/// Takes reads for somebody who may.
///
/// # Errors
/// As [`take`]; what was taken by then stays.
pub async fn take_for(
    center: &Arc<Center>,
    reads: Vec<PlateRead>,
    who: &str,
) -> Result<Taken, LogError> {
    let keep_ms = center.config.plate_reads.keep_ms();
    let mut all = Taken::default();
    for some in reads.chunks(READS_PER_COMMIT_MAX) {
        let (writer, some, who) = (center.clone(), some.to_vec(), who.to_owned());
        let taken = center
            .log
            .write(move |ledger| {
                let taken = take(ledger, &some, keep_ms, &|report| writer.triage(report))?;
                let record = Record {
                    object: format!("{} reads", taken.taken),
                    detail: format!("{} packets told", taken.calls.len()),
                    ..Record::of(who, Act::ReportPlateReads)
                };
                audit::record(ledger, &record)?;
                Ok::<_, LogError>(taken)
            })
            .await?;
        center.metrics.plate_reads.inc_by(taken.taken as u64);
        center
            .metrics
            .plate_read_hits
            .inc_by(taken.calls.len() as u64);
        all.taken += taken.taken;
        all.left_out += taken.left_out;
        for call in taken.calls {
            if !all.calls.contains(&call) {
                all.calls.push(call);
            }
        }
    }
    Ok(all)
}
