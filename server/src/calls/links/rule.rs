//! When two calls are, or may be, about the same event: the rule, as `[links]` in the
//! configuration has its limits.
//!
//! **Calls of two CADs** are alike when they are near in place and in time and triage has
//! put them into the same category (or both say the same nature). `then` says whether a
//! person is asked, which is the default, or the link is made.
//!
//! **A packet that an officer opened and the call that dispatch enters** are the same, and
//! linked at once, when the officer has said the call's number; or when the officer's unit
//! is on the call and both are near in time and place. They may be the same, and a person
//! is asked, when the unit is on the call and they are near in time but nothing says how
//! near in place; or when they are near in time and place and alike, without the unit. One
//! that is linked already, as the officer's or as dispatch's side of an event, is not
//! proposed with another: a unit makes many stops in an evening.
//!
//! Near in place is a distance where both have a position, else the same building.

use packet::{Author, CallId, Compartment, DocumentId, Entry, LinkHow};
use rusqlite::{Row, params};
use serde::Deserialize;

use super::link;
use crate::log::{Ledger, LogError, document};
use crate::search::place::Point;
use crate::triage::CATEGORY_UNSORTED;

/// Most calls before it, and after it, that one is held against: those nearest in time.
const CANDIDATES_MAX: usize = 100;
/// Fewest characters of a number that is looked for in words: shorter ones are house numbers.
const NUMBER_CHARS_MIN: usize = 4;
/// Categories that say nothing of what happened.
const SAYS_NOTHING: [&str; 3] = ["", CATEGORY_UNSORTED, "officer"];
/// Who links by rule, as screens show it.
const CENTER: &str = "The center";

/// `[links]` in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinksConfig {
    /// How far apart calls of two CADs may be, in metres …
    pub within_m: u32,
    /// … and in seconds, by when they were received.
    pub within_s: u32,
    /// What comes of calls of two CADs that are alike.
    pub then: LinksThen,
    /// The same of an officer's own packet and dispatch's call.
    pub officer_within_m: u32,
    pub officer_within_s: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinksThen {
    Nothing,
    /// A person is asked.
    Propose,
    Link,
}

impl Default for LinksConfig {
    fn default() -> Self {
        Self {
            within_m: 200,
            within_s: 900,
            then: LinksThen::Propose,
            officer_within_m: 400,
            officer_within_s: 1_800,
        }
    }
}

/// Widest limits that say anything still.
const WITHIN_M_MAX: u32 = 5_000;
const WITHIN_S_MAX: u32 = 24 * 60 * 60;

impl LinksConfig {
    /// What is wrong with it: the field, and what was wanted.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        for (field, found, most, unit) in [
            ("within_m", self.within_m, WITHIN_M_MAX, "metres"),
            ("within_s", self.within_s, WITHIN_S_MAX, "seconds"),
            (
                "officer_within_m",
                self.officer_within_m,
                WITHIN_M_MAX,
                "metres",
            ),
            (
                "officer_within_s",
                self.officer_within_s,
                WITHIN_S_MAX,
                "seconds",
            ),
        ] {
            if !(1..=most).contains(&found) {
                return Err((field, format!("from 1 to {most} {unit}")));
            }
        }
        Ok(())
    }
}

/// What of a call says whether it is another's.
#[derive(Debug)]
struct Seen {
    call: CallId,
    agency: String,
    number: String,
    received_ms: i64,
    nature: String,
    category: String,
    address: String,
    point: Option<Point>,
}

const COLUMNS: &str = "call, agency, number, received_ms, nature, category, address";

impl Seen {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let point = (row.get::<_, Option<i32>>(7)?, row.get::<_, Option<i32>>(8)?);
        Ok(Self {
            call: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
            agency: row.get(1)?,
            number: row.get(2)?,
            received_ms: row.get(3)?,
            nature: row.get(4)?,
            category: row.get(5)?,
            address: row.get(6)?,
            point: match point {
                (Some(latitude_e6), Some(longitude_e6)) => Some(Point {
                    latitude_e6,
                    longitude_e6,
                }),
                _ => None,
            },
        })
    }

    fn is_officers(&self) -> bool {
        self.number.is_empty() && matches!(self.call.author(), Author::Device(_))
    }

    fn is_within_s(&self, other: &Self, within_s: u32) -> bool {
        self.received_ms.abs_diff(other.received_ms) <= u64::from(within_s) * 1_000
    }

    /// How near the two are in place, in words; `None` where they are not. `Err` where
    /// nothing says.
    fn place(&self, other: &Self, within_m: u32) -> Result<Option<String>, ()> {
        if let (Some(here), Some(there)) = (self.point, other.point) {
            let metres = here.metres_to(there);
            return Ok((metres <= f64::from(within_m)).then(|| format!("{metres:.0} m")));
        }
        if !self.address.is_empty() && self.address == other.address {
            return Ok(Some("at the same address".into()));
        }
        Err(())
    }

    fn time(&self, other: &Self) -> String {
        match self.received_ms.abs_diff(other.received_ms) / 1_000 {
            seconds @ 0..=119 => format!("{seconds} s"),
            seconds => format!("{} min", seconds / 60),
        }
    }

    /// What both are, where that is the same.
    fn alike(&self, other: &Self) -> Option<String> {
        if self.category == other.category && !SAYS_NOTHING.contains(&self.category.as_str()) {
            return Some(format!("both {}", self.category));
        }
        self.nature
            .eq_ignore_ascii_case(&other.nature)
            .then(|| format!("both {}", self.nature))
    }
}

/// Holds a call against those that may be the same, and links or proposes.
pub(in crate::calls) fn look(ledger: &mut Ledger<'_>, call: CallId) -> Result<(), LogError> {
    let Some(config) = ledger.linking() else {
        return Ok(());
    };
    let Some(this) = seen(ledger, call)? else {
        return Ok(());
    };
    let within_s = config.within_s.max(config.officer_within_s);
    for other in others(ledger, &this, within_s)? {
        // Each packet says why: whoever has the one would know of the other.
        let both = ledger.may_name(&this.agency, &other.agency)
            && ledger.may_name(&other.agency, &this.agency);
        if !both {
            continue;
        }
        let found = match (this.is_officers(), other.is_officers()) {
            (true, false) => officers(ledger, &config, &this, &other)?,
            (false, true) => officers(ledger, &config, &other, &this)?,
            (false, false) => of_two_cads(&config, &this, &other),
            (true, true) => None,
        };
        if let Some((how, why)) = found {
            match link(ledger, this.call, other.call, how, &why, CENTER) {
                // That there are too many links of one call hinders nothing else.
                Ok(_) | Err(LogError::Conflict(_)) => {}
                Err(e) => return Err(e),
            }
        }
    }
    Ok(())
}

fn of_two_cads(config: &LinksConfig, this: &Seen, other: &Seen) -> Option<(LinkHow, String)> {
    let how = match config.then {
        LinksThen::Nothing => return None,
        LinksThen::Propose => LinkHow::Proposed,
        LinksThen::Link => LinkHow::Rule,
    };
    let are_two =
        this.agency != other.agency && !this.number.is_empty() && !other.number.is_empty();
    if !are_two || !this.is_within_s(other, config.within_s) {
        return None;
    }
    let alike = this.alike(other)?;
    let place = this.place(other, config.within_m).ok().flatten()?;
    Some((
        how,
        format!("{place} and {} apart, {alike}", this.time(other)),
    ))
}

fn officers(
    ledger: &Ledger<'_>,
    config: &LinksConfig,
    officers: &Seen,
    dispatched: &Seen,
) -> Result<Option<(LinkHow, String)>, LogError> {
    if officers.agency != dispatched.agency
        || dispatched.number.is_empty()
        || !officers.is_within_s(dispatched, config.officer_within_s)
    {
        return Ok(None);
    }
    if is_said(ledger, officers.call, &dispatched.number)? {
        let why = "the officer has said dispatch's number".to_owned();
        return Ok(Some((LinkHow::Rule, why)));
    }
    let time = officers.time(dispatched);
    let place = officers.place(dispatched, config.officer_within_m);
    let unit = unit_of_both(ledger, officers.call, dispatched.call)?;
    let perhaps = match (unit, place) {
        (Some(unit), Ok(Some(place))) => {
            let why = format!("{unit} is on both, {place} and {time} apart");
            return Ok(Some((LinkHow::Rule, why)));
        }
        (Some(unit), Err(())) => Some(format!(
            "{unit} is on both, {time} apart; nothing says how near they are"
        )),
        (None, Ok(Some(place))) => {
            let alike = officers.alike(dispatched);
            alike.map(|alike| format!("{place} and {time} apart, {alike}"))
        }
        (_, Ok(None)) | (None, Err(())) => None,
    };
    let Some(why) = perhaps else {
        return Ok(None);
    };
    let is_settled = has_its_other(ledger, officers)? || has_its_other(ledger, dispatched)?;
    Ok((!is_settled).then_some((LinkHow::Proposed, why)))
}

/// Whether an officer's packet is linked with dispatch's call already, or the other way round.
fn has_its_other(ledger: &Ledger<'_>, seen: &Seen) -> Result<bool, LogError> {
    let has = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM links JOIN calls ON calls.call = links.other
             WHERE links.call = ?1 AND undone_by IS NULL AND how <> ?2
             AND agency = ?3 AND (number = '') <> ?4",
        )?
        .exists(params![
            seen.call.0.cast_signed(),
            LinkHow::Proposed as u8,
            seen.agency,
            seen.number.is_empty()
        ])?;
    Ok(has)
}

/// A unit that is or was on both.
fn unit_of_both(ledger: &Ledger<'_>, a: CallId, b: CallId) -> Result<Option<String>, LogError> {
    let unit = ledger
        .sql()
        .prepare_cached(
            "SELECT min(a.unit) FROM grants AS a JOIN grants AS b ON b.unit = a.unit WHERE a.call = ?1 AND b.call = ?2",
        )?
        .query_row([a.0.cast_signed(), b.0.cast_signed()], |row| row.get(0))?;
    Ok(unit)
}

/// Whether an officer's packet names this number, as a whole word.
fn is_said(ledger: &Ledger<'_>, call: CallId, number: &str) -> Result<bool, LogError> {
    if number.chars().count() < NUMBER_CHARS_MIN || !number.contains(|c: char| c.is_ascii_digit()) {
        return Ok(false);
    }
    let entries = document(ledger.sql(), DocumentId::new(call, Compartment::Call))?;
    Ok(entries
        .iter()
        .any(|logged| match &logged.inspected.written.entry {
            // A device may claim a number; that is the officer's word too.
            Entry::Facts(facts) => {
                facts.number.eq_ignore_ascii_case(number)
                    || names(&facts.nature, number)
                    || names(&facts.location, number)
            }
            Entry::Note(note) => names(&note.text, number),
            _ => false,
        }))
}

fn names(words: &str, number: &str) -> bool {
    words
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .any(|word| word.trim_matches('-').eq_ignore_ascii_case(number))
}

fn seen(ledger: &Ledger<'_>, call: CallId) -> Result<Option<Seen>, LogError> {
    let mut statement = ledger.sql().prepare_cached(&format!(
        "SELECT c.*, south, west FROM (SELECT {COLUMNS} FROM calls WHERE call = ?1) AS c
         LEFT JOIN call_places AS p ON p.call = c.call"
    ))?;
    let mut found = statement.query_map([call.0.cast_signed()], Seen::of)?;
    Ok(found.next().transpose()?)
}

/// Those that were received within this time of it and may be the same, the nearest first.
/// By the index on the time, and no more rows than that: a replay tells thousands at once.
fn others(ledger: &Ledger<'_>, this: &Seen, within_s: u32) -> Result<Vec<Seen>, LogError> {
    let within_ms = i64::from(within_s) * 1_000;
    let mut statement = ledger.sql().prepare_cached(&format!(
        "SELECT c.*, south, west FROM (
            SELECT * FROM (SELECT {COLUMNS} FROM calls WHERE received_ms BETWEEN ?2 - ?3 AND ?2
                           ORDER BY received_ms DESC LIMIT {CANDIDATES_MAX} + 1)
            UNION ALL
            SELECT * FROM (SELECT {COLUMNS} FROM calls WHERE received_ms > ?2 AND received_ms <= ?2 + ?3
                           ORDER BY received_ms LIMIT {CANDIDATES_MAX})
         ) AS c LEFT JOIN call_places AS p ON p.call = c.call
         WHERE c.call <> ?1 AND (agency <> ?4 OR (number = '') <> ?5)"
    ))?;
    let others = statement.query_map(
        params![
            this.call.0.cast_signed(),
            this.received_ms,
            within_ms,
            this.agency,
            this.number.is_empty()
        ],
        Seen::of,
    )?;
    let mut others: Vec<Seen> = others.collect::<Result<_, _>>()?;
    others.sort_by_key(|other| (other.received_ms.abs_diff(this.received_ms), other.call));
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_said_as_a_whole_word_alone() {
        assert!(names("CAD 26-00123, on scene", "26-00123"));
        assert!(names("(26-00123)", "26-00123"));
        assert!(!names("plate 126-001234", "26-00123"));
        assert!(!names("26-00123-7", "26-00123"));
    }
}
