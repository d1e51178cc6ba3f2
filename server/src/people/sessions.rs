//! Sessions: what a browser proves with its cookie.
//!
//! The cookie is 256 random bits of which the store has the hash: whoever reads the store
//! cannot sign in with it. A session has a new token at sign-in and at each unlock, and
//! none that came from outside is ever taken on: there is nothing to fix beforehand.
//!
//! ```text
//! sign-in ─▶ Notice ─▶ Open ◀─▶ Locked
//!              └────────┴─────────┴────▶ over
//! ```
//!
//! **Moved.** A cookie is all that a thief needs, so what a browser does not change in the
//! middle of a day is looked at too. Another kind of browser or system is a copied cookie:
//! the session is over. Another address may be a laptop on another network: the session
//! locks, and its person unlocks it with a passkey, which the thief has not; that also
//! gives it a new token. Both are on record.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Person, PersonId, accounts, hash, new_secret, put_on_record};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// After so long everybody signs in again (IA-5).
pub const SESSION_MS_MAX: i64 = 12 * 60 * 60 * 1_000;
/// Without use for so long, a session locks (AC-11) …
pub const LOCK_MS: i64 = 30 * 60 * 1_000;
/// … and is over (SC-10). Dispatch consoles are exempt from both.
pub const END_MS: i64 = 60 * 60 * 1_000;
/// The last use is kept to within so long: earlier rather than later.
const SEEN_MS: i64 = 30 * 1_000;
/// Most sessions of one person at a time; then the oldest is over.
const SESSIONS_MAX: i64 = 8;
/// What is over is forgotten after so long; its record is in the audit log.
const FORGET_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// A session's number; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub i64);

/// Where requests come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Browser {
    /// Its kind and system, such as `Firefox on Windows`: no version, which changes.
    pub kind: String,
    pub address: Option<IpAddr>,
}

impl Browser {
    #[must_use]
    pub fn new(headers: &HeaderMap, address: Option<IpAddr>) -> Self {
        let said = headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Self {
            kind: kind(said),
            address: address.map(|address| address.to_canonical()),
        }
    }

    fn address_text(&self) -> String {
        self.address.map(|a| a.to_string()).unwrap_or_default()
    }
}

/// The first that matches: each kind's own mark stands before those that it claims besides.
fn kind(said: &str) -> String {
    let first = |marks: &[(&str, &'static str)]| {
        let found = marks.iter().find(|(mark, _)| said.contains(mark));
        found.map_or("another", |(_, name)| name)
    };
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iOS"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    format!("{browser} on {system}")
}

/// The same machine's address: all of IPv4, the network's part of IPv6 (RFC 8981 changes
/// the rest every day).
fn same_place(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(IpAddr::V6(one)), Ok(IpAddr::V6(other))) => one.octets()[..8] == other.octets()[..8],
        _ => one == other,
    }
}

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Signed in; the use notice has not been acknowledged (AC-8), and nothing is shown.
    Notice,
    Open,
    Locked,
    Over,
}

/// A session that has not been ended.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: SessionId,
    pub person: Person,
    noticed: bool,
    locked: bool,
    expires_ms: i64,
    seen_ms: i64,
    browser: String,
    address: String,
    exempt: bool,
}

/// What is odd about where a cookie came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// Another kind of browser: copied.
    Browser,
    /// Another address.
    Address,
}

impl Session {
    #[must_use]
    pub fn standing(&self, now_ms: i64) -> Standing {
        let idle_ms = now_ms - self.seen_ms;
        if now_ms >= self.expires_ms || (idle_ms >= END_MS && !self.exempt) {
            Standing::Over
        } else if self.locked || (idle_ms >= LOCK_MS && !self.exempt) {
            Standing::Locked
        } else if !self.noticed {
            Standing::Notice
        } else {
            Standing::Open
        }
    }

    #[must_use]
    pub fn moved(&self, to: &Browser) -> Option<Moved> {
        if self.browser != to.kind {
            Some(Moved::Browser)
        } else if !same_place(&self.address, &to.address_text()) {
            Some(Moved::Address)
        } else {
            None
        }
    }

    /// Whether that it is used is to be written down.
    #[must_use]
    pub fn is_seen_anew(&self, now_ms: i64) -> bool {
        now_ms - self.seen_ms >= SEEN_MS
    }
}

/// Begins a session; the token goes into the cookie and nowhere else.
///
/// # Errors
/// [`LogError::Conflict`] when the person is disabled or locked; or the store's.
pub fn begin(
    ledger: &mut Ledger<'_>,
    id: PersonId,
    by: &str,
    browser: &Browser,
    exempt: bool,
) -> Result<(SessionId, String), LogError> {
    let Some(person) = accounts::find(ledger.sql(), id)? else {
        return Err(LogError::Unknown {
            what: "such an account:",
            id: id.to_string(),
        });
    };
    if let Some(why) = accounts::barred(&person) {
        return Err(LogError::Conflict(why.into()));
    }
    let token = new_secret()?;
    let now_ms = ledger.now_ms();
    let sql = ledger.sql();
    sql.execute(
        "INSERT INTO console_sessions (token, person, began_ms, expires_ms, seen_ms, browser, address, exempt, by)
         VALUES (?1, ?2, ?3, ?4, ?3, ?5, ?6, ?7, ?8)",
        params![
            hash(&token),
            id.0,
            now_ms,
            now_ms + SESSION_MS_MAX,
            browser.kind,
            browser.address_text(),
            exempt,
            by
        ],
    )?;
    let session = SessionId(sql.last_insert_rowid());
    sql.execute(
        "UPDATE people SET seen_ms = ?2 WHERE person = ?1",
        params![id.0, now_ms],
    )?;
    sql.execute("DELETE FROM bad_tries WHERE person = ?1", [id.0])?;
    let too_many: Vec<i64> = sql
        .prepare_cached(
            "SELECT session FROM console_sessions WHERE person = ?1 AND ended_ms IS NULL
             ORDER BY session DESC LIMIT -1 OFFSET ?2",
        )?
        .query_map([id.0, SESSIONS_MAX], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for old in too_many {
        end(ledger, SessionId(old), "a newer session took its place")?;
    }
    let detail = format!(
        "session {} began: {by}, {} at {}",
        session.0,
        browser.kind,
        browser.address_text()
    );
    put_on_record(ledger, &person.name, Act::SignInAtConsole, id, true, detail)?;
    Ok((session, token))
}

/// The session that this token proves, unless it was ended.
///
/// # Errors
/// When the store fails.
pub fn find(connection: &Connection, token: &str) -> Result<Option<Session>, LogError> {
    read(connection, "token = ?1", &hash(token))
}

/// # Errors
/// When the store fails.
pub fn by_id(connection: &Connection, id: SessionId) -> Result<Option<Session>, LogError> {
    read(connection, "session = ?1", &id.0)
}

fn read(
    connection: &Connection,
    which: &str,
    value: &dyn rusqlite::ToSql,
) -> Result<Option<Session>, LogError> {
    let from = format!("FROM console_sessions WHERE {which} AND ended_ms IS NULL");
    let person = connection
        .prepare_cached(&format!("SELECT person {from}"))?
        .query_row([value], |row| row.get(0))
        .optional()?;
    let person = match person {
        Some(person) => accounts::find(connection, PersonId(person))?,
        None => None,
    };
    let Some(person) = person else {
        return Ok(None);
    };
    let session = connection
        .prepare_cached(&format!(
            "SELECT session, noticed_ms IS NOT NULL, locked_ms IS NOT NULL, expires_ms, seen_ms, browser, address, exempt {from}"
        ))?
        .query_row([value], |row| {
            Ok(Session {
                id: SessionId(row.get(0)?),
                person,
                noticed: row.get(1)?,
                locked: row.get(2)?,
                expires_ms: row.get(3)?,
                seen_ms: row.get(4)?,
                browser: row.get(5)?,
                address: row.get(6)?,
                exempt: row.get(7)?,
            })
        })
        .optional()?;
    Ok(session)
}

/// The notice was acknowledged: what the person may see is shown from now on.
///
/// # Errors
/// When the store fails.
pub fn acknowledge(ledger: &mut Ledger<'_>, session: &Session) -> Result<(), LogError> {
    let changed = ledger.sql().execute(
        "UPDATE console_sessions SET noticed_ms = ?2 WHERE session = ?1 AND noticed_ms IS NULL AND ended_ms IS NULL",
        params![session.id.0, ledger.now_ms()],
    )?;
    if changed == 0 {
        return Ok(());
    }
    record(
        ledger,
        &session.person,
        session.id,
        true,
        "use notice acknowledged",
    )
}

/// It is used: by a request, or by a hand at its page.
///
/// # Errors
/// When the store fails.
pub fn seen(ledger: &mut Ledger<'_>, session: &Session) -> Result<(), LogError> {
    let now_ms = ledger.now_ms();
    // What has become due meanwhile stays due.
    let sql = ledger.sql();
    let still = sql.execute(
        "UPDATE console_sessions SET seen_ms = ?2 WHERE session = ?1 AND ended_ms IS NULL AND locked_ms IS NULL AND (exempt OR seen_ms > ?3)",
        params![session.id.0, now_ms, now_ms - LOCK_MS],
    )?;
    if still > 0 {
        sql.execute(
            "UPDATE people SET seen_ms = ?2 WHERE person = ?1",
            params![session.person.id.0, now_ms],
        )?;
    }
    Ok(())
}

/// Nothing is shown until it is unlocked.
///
/// # Errors
/// When the store fails.
pub fn lock(ledger: &mut Ledger<'_>, id: SessionId, why: &str) -> Result<(), LogError> {
    let changed = ledger.sql().execute(
        "UPDATE console_sessions SET locked_ms = ?2 WHERE session = ?1 AND locked_ms IS NULL AND ended_ms IS NULL",
        params![id.0, ledger.now_ms()],
    )?;
    if changed == 0 {
        return Ok(());
    }
    match by_id(ledger.sql(), id)? {
        Some(session) => record(ledger, &session.person, id, true, &format!("locked: {why}")),
        None => Ok(()),
    }
}

/// Open again, for the browser that proved it, with a new token: the old one is worth
/// nothing from now on. Where it goes on is also whether it is at a dispatch console.
///
/// # Errors
/// [`LogError::Conflict`] when the person is disabled or locked; or the store's.
pub fn unlock(
    ledger: &mut Ledger<'_>,
    session: &Session,
    by: &str,
    browser: &Browser,
    exempt: bool,
) -> Result<String, LogError> {
    let now = by_id(ledger.sql(), session.id)?;
    let over = || LogError::Conflict("the session is over".into());
    let now_ms = ledger.now_ms();
    let session = now
        .filter(|session| session.standing(now_ms) != Standing::Over)
        .ok_or_else(over)?;
    if let Some(why) = accounts::barred(&session.person) {
        return Err(LogError::Conflict(why.into()));
    }
    let token = new_secret()?;
    ledger.sql().execute(
        "UPDATE console_sessions SET token = ?2, locked_ms = NULL, seen_ms = ?3, browser = ?4, address = ?5, exempt = ?6 WHERE session = ?1",
        params![session.id.0, hash(&token), now_ms, browser.kind, browser.address_text(),
            exempt],
    )?;
    ledger.sql().execute(
        "DELETE FROM bad_tries WHERE person = ?1",
        [session.person.id.0],
    )?;
    let detail = format!("unlocked: {by}, at {}", browser.address_text());
    record(ledger, &session.person, session.id, true, &detail)?;
    Ok(token)
}

/// Over, for good.
///
/// # Errors
/// When the store fails.
pub fn end(ledger: &mut Ledger<'_>, id: SessionId, why: &str) -> Result<(), LogError> {
    let Some(session) = by_id(ledger.sql(), id)? else {
        return Ok(());
    };
    ledger.sql().execute(
        "UPDATE console_sessions SET ended_ms = ?2 WHERE session = ?1",
        params![id.0, ledger.now_ms()],
    )?;
    record(ledger, &session.person, id, true, &format!("over: {why}"))
}

/// # Errors
/// When the store fails.
pub fn end_all_of(ledger: &mut Ledger<'_>, person: PersonId, why: &str) -> Result<(), LogError> {
    let open: Vec<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT session FROM console_sessions WHERE person = ?1 AND ended_ms IS NULL",
        )?
        .query_map([person.0], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    open.into_iter()
        .try_for_each(|session| end(ledger, SessionId(session), why))
}

/// A cookie that came from elsewhere, or was tried after its time: what became of it.
///
/// # Errors
/// When the store fails.
pub fn refuse(
    ledger: &mut Ledger<'_>,
    session: &Session,
    moved: Moved,
    browser: &Browser,
) -> Result<(), LogError> {
    let place = format!("{} at {}", browser.kind, browser.address_text());
    match moved {
        Moved::Browser => {
            let why = format!("its cookie came from another browser: {place}");
            record(ledger, &session.person, session.id, false, &why)?;
            end(ledger, session.id, "its cookie was copied")
        }
        Moved::Address => {
            let why = format!("its cookie came from another address: {place}");
            record(ledger, &session.person, session.id, false, &why)?;
            lock(ledger, session.id, "its cookie came from another address")
        }
    }
}

/// Locks and ends what is due. True when anything was.
///
/// # Errors
/// When the store fails.
pub fn end_due(ledger: &mut Ledger<'_>) -> Result<bool, LogError> {
    let now_ms = ledger.now_ms();
    let due = due(ledger.sql(), now_ms)?;
    for (id, locks) in &due {
        if *locks {
            lock(ledger, *id, "not used for 30 minutes")?;
        } else {
            end(ledger, *id, "12 hours, or an hour without use")?;
        }
    }
    ledger.sql().execute(
        "DELETE FROM console_sessions WHERE ended_ms < ?1",
        [now_ms - FORGET_MS],
    )?;
    Ok(!due.is_empty())
}

/// What [`end_due`] would do; reads only.
///
/// # Errors
/// When the store fails.
pub fn due(connection: &Connection, now_ms: i64) -> Result<Vec<(SessionId, bool)>, LogError> {
    let found = connection
        .prepare_cached(
            "SELECT session, expires_ms > ?1 AND (exempt OR seen_ms > ?2) FROM console_sessions
             WHERE ended_ms IS NULL AND
             (expires_ms <= ?1 OR (NOT exempt AND (seen_ms <= ?2 OR (seen_ms <= ?3 AND locked_ms IS NULL))))",
        )?
        .query_map(params![now_ms, now_ms - END_MS, now_ms - LOCK_MS], |row| {
            Ok((SessionId(row.get(0)?), row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn record(
    ledger: &Ledger<'_>,
    person: &Person,
    id: SessionId,
    allowed: bool,
    what: &str,
) -> Result<(), LogError> {
    let detail = format!("session {}: {what}", id.0);
    put_on_record(
        ledger,
        &person.name,
        Act::SignInAtConsole,
        person.id,
        allowed,
        detail,
    )
}
