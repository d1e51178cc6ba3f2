//! Who packets are given to: a device, and who is signed on to it.
//!
//! Receipts and the audit log name hundreds of them at once, again and again. So each is
//! written out once, and then named by the number of its row.

use std::sync::{Arc, OnceLock};

use packet::DeviceNumber;
use rusqlite::params;

use crate::log::{Ledger, LogError};
use crate::policy::Carries;

/// A device and who is signed on to it.
#[derive(Debug)]
pub struct Carrier {
    pub device: DeviceNumber,
    /// The device as people call it.
    pub screen: String,
    /// The officer with the unit; the device where nobody is signed on.
    pub who: String,
    /// By what it is decided what it is given.
    pub carries: Carries,
    /// Its row, once that is durable.
    row: OnceLock<i64>,
}

impl Carrier {
    #[must_use]
    pub fn new(device: DeviceNumber, screen: String, who: String, carries: Carries) -> Arc<Self> {
        Arc::new(Self {
            device,
            screen,
            who,
            carries,
            row: OnceLock::new(),
        })
    }
}

/// The rows that one piece of work found or made; they count when it is committed.
#[derive(Debug, Default)]
pub(crate) struct Rows(Vec<(Arc<Carrier>, i64)>);

impl Rows {
    /// The numbers of their rows, as JSON.
    pub(crate) fn list(
        &mut self,
        ledger: &Ledger<'_>,
        carriers: &[Arc<Carrier>],
    ) -> Result<String, LogError> {
        let mut json = String::with_capacity(2 + 6 * carriers.len());
        json.push('[');
        for carrier in carriers {
            if json.len() > 1 {
                json.push(',');
            }
            json.push_str(&self.row(ledger, carrier)?.to_string());
        }
        json.push(']');
        Ok(json)
    }

    fn row(&mut self, ledger: &Ledger<'_>, carrier: &Arc<Carrier>) -> Result<i64, LogError> {
        if let Some(row) = carrier.row.get() {
            return Ok(*row);
        }
        let row = ledger
            .sql()
            .prepare_cached(
                "INSERT INTO carriers (device, screen, who) VALUES (?1, ?2, ?3)
                 ON CONFLICT (device, screen, who) DO UPDATE SET device = device RETURNING carrier",
            )?
            .query_row(
                params![carrier.device.0, carrier.screen, carrier.who],
                |row| row.get(0),
            )?;
        self.0.push((carrier.clone(), row));
        Ok(row)
    }

    /// They are durable: nobody asks for them again.
    pub(super) fn committed(self) {
        for (carrier, row) in self.0 {
            carrier.row.get_or_init(|| row);
        }
    }
}
