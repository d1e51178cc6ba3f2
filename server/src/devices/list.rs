//! All devices, and how each stands: what a supervisor looks at.

use packet::DeviceNumber;
use rusqlite::{Connection, Row, params};

use crate::log::LogError;

/// One device, with what is known of where it is and what it has.
#[derive(Debug, Clone)]
pub struct Standing {
    pub number: DeviceNumber,
    pub agency: String,
    pub label: String,
    pub mounted: bool,
    pub revoked_ms: Option<i64>,
    pub certificate_until_ms: Option<i64>,
    /// When it was last heard, in a session or without.
    pub heard_ms: Option<i64>,
    /// The newest session that it began.
    began_ms: Option<i64>,
    /// What it said of itself without a session, and when.
    said: Option<(String, i64)>,
    /// Entries that were sealed on it then.
    pub sealed: u64,
    /// The newest shift on it.
    pub shift: Option<ShiftOn>,
    pub order: Option<Order>,
    /// The newest receipt.
    pub erasure: Option<Receipt>,
}

#[derive(Debug, Clone)]
pub struct ShiftOn {
    pub officer: String,
    pub unit: String,
    pub began_ms: i64,
    /// It is neither over nor ended.
    pub is_on: bool,
    /// A PIN opens its store. `None`: the device did not say.
    pub pin: Option<bool>,
    store: Option<String>,
}

/// An order to erase that is not confirmed.
#[derive(Debug, Clone)]
pub struct Order {
    pub by: String,
    pub ordered_ms: i64,
}

/// A signed receipt, as far as a page shows it.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub received_ms: i64,
    pub at_ms: i64,
    pub why: String,
    pub sealed: u64,
    pub attachments_lost: Option<u64>,
    store: String,
}

/// How a device is, as far as the center can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was enrolled, and nobody has signed on since.
    New,
    /// An officer has it open.
    InUse,
    Locked,
    /// Too many bad PINs: it waits for a supervisor.
    LockedOut,
    /// What the last officer had on it is gone: its receipt is here.
    Erased,
    /// The shift is over, and no receipt has come.
    NotConfirmed,
    /// It was told to erase, or will be when it is next heard.
    Ordered,
}

impl Standing {
    #[must_use]
    pub fn state(&self) -> State {
        if self.order.is_some() {
            return State::Ordered;
        }
        let Some(shift) = &self.shift else {
            return State::New;
        };
        let erased = self.erasure.as_ref();
        if erased.is_some_and(|receipt| Some(&receipt.store) == shift.store.as_ref()) {
            return State::Erased;
        }
        // What it said without a session holds until it began one.
        let said = self.said.as_ref();
        let said = said.filter(|(_, ms)| *ms >= self.began_ms.unwrap_or(i64::MIN));
        match said.map(|(said, _)| said.as_str()) {
            Some("locked-out") => State::LockedOut,
            Some("locked") => State::Locked,
            _ if shift.is_on => State::InUse,
            _ => State::NotConfirmed,
        }
    }
}

/// The devices, those of one agency where that is named, by number, and how many there are.
///
/// # Errors
/// When the store fails.
pub fn list(
    connection: &Connection,
    agency: Option<&str>,
    now_ms: i64,
    limit: usize,
) -> Result<(u64, Vec<Standing>), LogError> {
    let total: i64 = connection.query_row(
        "SELECT count(*) FROM devices WHERE ?1 IS NULL OR agency = ?1",
        [agency],
        |row| row.get(0),
    )?;
    let mut statement = connection.prepare_cached(
        "SELECT devices.device, devices.agency, label, mounted, revoked_ms, certificate_until_ms,
                said, said_ms, sealed
         FROM devices WHERE ?1 IS NULL OR devices.agency = ?1 ORDER BY device LIMIT ?2",
    )?;
    let rows = statement.query_map(params![agency, limit], |row| {
        device(connection, row, now_ms)
    })?;
    Ok((total.unsigned_abs(), rows.collect::<Result<_, _>>()?))
}

/// One of them.
///
/// # Errors
/// When the store fails.
pub fn one(
    connection: &Connection,
    number: DeviceNumber,
    now_ms: i64,
) -> Result<Option<Standing>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT device, agency, label, mounted, revoked_ms, certificate_until_ms, said, said_ms,
                sealed
         FROM devices WHERE device = ?1",
    )?;
    let mut rows = statement.query_map([number.0], |row| device(connection, row, now_ms))?;
    Ok(rows.next().transpose()?)
}

fn device(connection: &Connection, row: &Row<'_>, now_ms: i64) -> rusqlite::Result<Standing> {
    let number = DeviceNumber(row.get(0)?);
    let said: Option<String> = row.get(6)?;
    let said_ms: Option<i64> = row.get(7)?;
    let (began_ms, heard_ms): (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT max(began_ms), max(coalesce(heard_ms, began_ms)) FROM contacts WHERE device = ?1",
        )?
        .query_row([number.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Standing {
        number,
        agency: row.get(1)?,
        label: row.get(2)?,
        mounted: row.get(3)?,
        revoked_ms: row.get(4)?,
        certificate_until_ms: row.get(5)?,
        heard_ms: heard_ms.max(said_ms),
        began_ms,
        said: said.zip(said_ms),
        sealed: row.get::<_, Option<i64>>(8)?.unwrap_or(0).unsigned_abs(),
        shift: shift(connection, number, now_ms)?,
        order: order(connection, number)?,
        erasure: erasure(connection, number)?,
    })
}

fn first<T>(mut found: Vec<T>) -> Option<T> {
    (!found.is_empty()).then(|| found.swap_remove(0))
}

fn shift(
    connection: &Connection,
    number: DeviceNumber,
    now_ms: i64,
) -> rusqlite::Result<Option<ShiftOn>> {
    let mut statement = connection.prepare_cached(
        "SELECT officer, unit, began_ms, expires_ms > ?2 AND ended_ms IS NULL, pin, store
         FROM shifts WHERE device = ?1 ORDER BY began_ms DESC, ended_ms IS NULL DESC LIMIT 1",
    )?;
    let rows = statement.query_map(params![number.0, now_ms], |row| {
        Ok(ShiftOn {
            officer: row.get(0)?,
            unit: row.get(1)?,
            began_ms: row.get(2)?,
            is_on: row.get(3)?,
            pin: row.get(4)?,
            store: row.get(5)?,
        })
    })?;
    Ok(first(rows.collect::<Result<_, _>>()?))
}

fn order(connection: &Connection, number: DeviceNumber) -> rusqlite::Result<Option<Order>> {
    let mut statement = connection.prepare_cached(
        "SELECT ordered_by, ordered_ms FROM erase_orders
         WHERE device = ?1 AND confirmed_ms IS NULL ORDER BY number LIMIT 1",
    )?;
    let rows = statement.query_map([number.0], |row| {
        Ok(Order {
            by: row.get(0)?,
            ordered_ms: row.get(1)?,
        })
    })?;
    Ok(first(rows.collect::<Result<_, _>>()?))
}

fn erasure(connection: &Connection, number: DeviceNumber) -> rusqlite::Result<Option<Receipt>> {
    let mut statement = connection.prepare_cached(
        "SELECT received_ms, at_ms, why, sealed, attachments_lost, store FROM erasures
         WHERE device = ?1 ORDER BY received_ms DESC LIMIT 1",
    )?;
    let rows = statement.query_map([number.0], |row| {
        Ok(Receipt {
            received_ms: row.get(0)?,
            at_ms: row.get(1)?,
            why: row.get(2)?,
            sealed: row.get::<_, i64>(3)?.unsigned_abs(),
            attachments_lost: row.get::<_, Option<i64>>(4)?.map(i64::unsigned_abs),
            store: row.get(5)?,
        })
    })?;
    Ok(first(rows.collect::<Result<_, _>>()?))
}
