//! Accounts: made, disabled, enabled, locked by bad tries and released. Never deleted.

use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    CERTIFICATIONS_MAX, Certification, Disabled, NAME_CHARS_MAX, Person, PersonId, Post,
    WHY_CHARS_MAX, put_on_record, sessions,
};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// An account that nobody has used for so long is disabled (AC-2(3)).
pub const IDLE_MS_MAX: i64 = 90 * 24 * 60 * 60 * 1_000;
/// So many bad tries in so long lock an account (AC-7).
pub const BAD_TRIES_MAX: i64 = 5;
pub const BAD_TRIES_MS: i64 = 15 * 60 * 1_000;
/// Most accounts of one center.
pub const PEOPLE_MAX: i64 = 10_000;
/// As the audit log names who disables by time.
const THE_CENTER: &str = "the center";

/// What an account is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPerson {
    /// `None`: the center itself.
    pub agency: Option<String>,
    pub name: String,
    pub post: Post,
    pub certifications: Vec<Certification>,
}

/// A certification a line: a name and the day that it ends, such as `CJIS 2027-03-31`.
///
/// # Errors
/// Says which line is not like that.
pub fn certifications(text: &str) -> Result<Vec<Certification>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let read: Vec<_> = lines.map(certification).collect::<Result<_, _>>()?;
    if read.len() > CERTIFICATIONS_MAX {
        return Err(format!("certifications: at most {CERTIFICATIONS_MAX}"));
    }
    Ok(read)
}

fn certification(line: &str) -> Result<Certification, String> {
    let wanted =
        || format!("certifications: a name and a day a line, as CJIS 2027-03-31, not {line:?}");
    let (name, until) = line.rsplit_once(' ').ok_or_else(wanted)?;
    let (name, until) = (name.trim(), until.parse::<Date>().map_err(|_| wanted())?);
    if !(1..=40).contains(&name.chars().count()) {
        return Err(wanted());
    }
    Ok(Certification {
        name: name.to_owned(),
        until,
    })
}

/// A name as screens and records show it, or what is wanted.
///
/// # Errors
/// In one sentence.
pub fn checked_name(name: &str) -> Result<String, String> {
    let name = name.trim();
    let good =
        (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.contains(char::is_control);
    if good {
        Ok(name.to_owned())
    } else {
        Err(format!(
            "name: 1 to {NAME_CHARS_MAX} characters in one line"
        ))
    }
}

/// Makes an account. A name stands once in an agency: entries and records name people.
///
/// # Errors
/// [`LogError::Conflict`] names the field; or the store's.
pub fn add(ledger: &mut Ledger<'_>, new: &NewPerson, by: &str) -> Result<PersonId, LogError> {
    let name = checked_name(&new.name).map_err(LogError::Conflict)?;
    let (count, namesakes): (i64, i64) = ledger.sql().query_row(
        "SELECT count(*), coalesce(sum(name = ?1 COLLATE NOCASE AND agency IS ?2), 0) FROM people",
        params![name, new.agency],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if count >= PEOPLE_MAX {
        return Err(LogError::Conflict(format!(
            "The center has {PEOPLE_MAX} accounts, and keeps no more."
        )));
    }
    if namesakes > 0 {
        return Err(LogError::Conflict(format!(
            "name: somebody of this agency is called {name} already; entries would not tell them apart"
        )));
    }
    let mut handle = [0; 16];
    aws_lc_rs::rand::fill(&mut handle).map_err(|_| LogError::Store("no randomness".into()))?;
    let certifications =
        serde_json::to_string(&new.certifications).map_err(|e| LogError::Store(e.to_string()))?;
    ledger.sql().execute(
        "INSERT INTO people (handle, agency, name, role, certifications, added_ms, added_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![handle, new.agency, name, new.post.name(), certifications, ledger.now_ms(), by],
    )?;
    let id = PersonId(ledger.sql().last_insert_rowid());
    let detail = format!("added: {}, {}", name, new.post.name());
    put_on_record(ledger, by, Act::ChangePeople, id, true, detail)?;
    Ok(id)
}

/// Other certifications than before.
///
/// # Errors
/// When the person is not known, or the store's.
pub fn certify(
    ledger: &mut Ledger<'_>,
    id: PersonId,
    certifications: &[Certification],
    by: &str,
) -> Result<(), LogError> {
    let text = serde_json::to_string(certifications).map_err(|e| LogError::Store(e.to_string()))?;
    let changed = ledger.sql().execute(
        "UPDATE people SET certifications = ?2 WHERE person = ?1",
        params![id.0, text],
    )?;
    known(changed, id)?;
    put_on_record(
        ledger,
        by,
        Act::ChangePeople,
        id,
        true,
        format!("certified: {text}"),
    )
}

/// Nobody signs in with it any more, and its sessions end now.
///
/// # Errors
/// When the person is not known, or no reason is given; or the store's.
pub fn disable(ledger: &mut Ledger<'_>, id: PersonId, by: &str, why: &str) -> Result<(), LogError> {
    let why = why.trim();
    if !(1..=WHY_CHARS_MAX).contains(&why.chars().count()) || why.contains(char::is_control) {
        return Err(LogError::Conflict(format!(
            "why: 1 to {WHY_CHARS_MAX} characters in one line"
        )));
    }
    let changed = ledger.sql().execute(
        "UPDATE people SET disabled_ms = ?2, disabled_by = ?3, disabled_why = ?4 WHERE person = ?1 AND disabled_ms IS NULL",
        params![id.0, ledger.now_ms(), by, why],
    )?;
    known(changed, id)?;
    sessions::end_all_of(ledger, id, "the account was disabled")?;
    put_on_record(
        ledger,
        by,
        Act::ChangePeople,
        id,
        true,
        format!("disabled: {why}"),
    )
}

/// Back in use: 90 days from now until it would be disabled again.
///
/// # Errors
/// When the person is not known or not disabled, or the store's.
pub fn enable(ledger: &mut Ledger<'_>, id: PersonId, by: &str) -> Result<(), LogError> {
    let changed = ledger.sql().execute(
        "UPDATE people SET disabled_ms = NULL, disabled_by = NULL, disabled_why = NULL, enabled_ms = ?2 WHERE person = ?1 AND disabled_ms IS NOT NULL",
        params![id.0, ledger.now_ms()],
    )?;
    known(changed, id)?;
    put_on_record(ledger, by, Act::ChangePeople, id, true, "enabled".into())
}

/// The bad tries are forgotten, and the person may sign in again.
///
/// # Errors
/// When the person is not known or not locked, or the store's.
pub fn release(ledger: &mut Ledger<'_>, id: PersonId, by: &str) -> Result<(), LogError> {
    let changed = ledger.sql().execute(
        "UPDATE people SET locked_ms = NULL WHERE person = ?1 AND locked_ms IS NOT NULL",
        [id.0],
    )?;
    known(changed, id)?;
    ledger
        .sql()
        .execute("DELETE FROM bad_tries WHERE person = ?1", [id.0])?;
    put_on_record(ledger, by, Act::ChangePeople, id, true, "released".into())
}

fn known(changed: usize, id: PersonId) -> Result<(), LogError> {
    if changed == 0 {
        return Err(LogError::Unknown {
            what: "such an account:",
            id: id.to_string(),
        });
    }
    Ok(())
}

/// Counts a bad try, whatever it was that failed. True when it was one too many.
///
/// # Errors
/// When the store fails.
pub fn bad_try(ledger: &mut Ledger<'_>, id: PersonId, why: &str) -> Result<bool, LogError> {
    let now_ms = ledger.now_ms();
    let sql = ledger.sql();
    sql.execute(
        "DELETE FROM bad_tries WHERE person = ?1 AND at_ms <= ?2",
        params![id.0, now_ms - BAD_TRIES_MS],
    )?;
    sql.execute(
        "INSERT INTO bad_tries (person, at_ms) VALUES (?1, ?2)",
        params![id.0, now_ms],
    )?;
    let tries: i64 = sql.query_row(
        "SELECT count(*) FROM bad_tries WHERE person = ?1",
        [id.0],
        |row| row.get(0),
    )?;
    let locks = tries >= BAD_TRIES_MAX
        && sql.execute(
            "UPDATE people SET locked_ms = ?2 WHERE person = ?1 AND locked_ms IS NULL",
            params![id.0, now_ms],
        )? > 0;
    let who = find(sql, id)?.map_or_else(|| id.to_string(), |person| person.name);
    put_on_record(
        ledger,
        &who,
        Act::SignInAtConsole,
        id,
        false,
        format!("refused: {why}"),
    )?;
    if locks {
        let detail = format!("locked: {tries} bad tries in {} min", BAD_TRIES_MS / 60_000);
        put_on_record(ledger, THE_CENTER, Act::ChangePeople, id, true, detail)?;
    }
    Ok(locks)
}

/// Disables what nobody has used for 90 days; says how many.
///
/// # Errors
/// When the store fails.
pub fn disable_idle(ledger: &mut Ledger<'_>) -> Result<usize, LogError> {
    let before_ms = ledger.now_ms() - IDLE_MS_MAX;
    let idle: Vec<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT person FROM people WHERE disabled_ms IS NULL
             AND max(added_ms, coalesce(enabled_ms, 0), coalesce(seen_ms, 0)) <= ?1",
        )?
        .query_map([before_ms], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for person in &idle {
        disable(
            ledger,
            PersonId(*person),
            THE_CENTER,
            "not used for 90 days",
        )?;
    }
    Ok(idle.len())
}

const COLUMNS: &str = "person, agency, name, role, certifications, disabled_ms, disabled_by, disabled_why, locked_ms, seen_ms, added_ms, oidc_claim, oidc_subject IS NOT NULL";

fn person(row: &Row<'_>) -> rusqlite::Result<Person> {
    let role: String = row.get(3)?;
    let certifications: String = row.get(4)?;
    let unreadable = |column, what: &str| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            what.to_owned().into(),
        )
    };
    let disabled_ms: Option<i64> = row.get(5)?;
    Ok(Person {
        id: PersonId(row.get(0)?),
        agency: row.get(1)?,
        name: row.get(2)?,
        post: role.parse().map_err(|()| unreadable(3, "no such role"))?,
        certifications: serde_json::from_str(&certifications)
            .map_err(|_| unreadable(4, "no certifications"))?,
        disabled: match disabled_ms {
            Some(since_ms) => Some(Disabled {
                since_ms,
                by: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
                why: row.get::<_, Option<String>>(7)?.unwrap_or_default(),
            }),
            None => None,
        },
        locked_ms: row.get(8)?,
        seen_ms: row.get(9)?,
        added_ms: row.get(10)?,
        claim: row.get(11)?,
        is_bound: row.get(12)?,
    })
}

/// # Errors
/// When the store fails.
pub fn find(connection: &Connection, id: PersonId) -> Result<Option<Person>, LogError> {
    let found = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM people WHERE person = ?1"))?
        .query_row([id.0], person)
        .optional()?;
    Ok(found)
}

/// All, by agency and name; `agency` narrows it to one.
///
/// # Errors
/// When the store fails.
pub fn all(connection: &Connection, agency: Option<&str>) -> Result<Vec<Person>, LogError> {
    let people = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM people WHERE ?1 IS NULL OR agency = ?1 ORDER BY agency, name COLLATE NOCASE"
        ))?
        .query_map([agency], person)?
        .collect::<Result<_, _>>()?;
    Ok(people)
}

/// The 16 bytes by which authenticators know the account: no name, no number.
pub(crate) fn handle(connection: &Connection, id: PersonId) -> Result<[u8; 16], LogError> {
    let handle = connection
        .prepare_cached("SELECT handle FROM people WHERE person = ?1")?
        .query_row([id.0], |row| row.get(0))?;
    Ok(handle)
}

/// Why this person may not sign in now, as the audit log says it.
pub(crate) fn barred(person: &Person) -> Option<&'static str> {
    if person.disabled.is_some() {
        Some("the account is disabled")
    } else if person.locked_ms.is_some() {
        Some("the account is locked")
    } else {
        None
    }
}
