//! The center's log, read as it lies in the data folder.

use std::path::Path;

use packet::{CallId, CenterId, Compartment, DocumentId, Entry, EntryId};
use rusqlite::Connection;
use server::identity::CenterKeys;
use server::log::{Log, LogError, LogOptions, document};

/// An entry with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    pub seq: u64,
    pub document: DocumentId,
    pub id: EntryId,
    pub entry: Entry,
    /// A device offered it.
    pub by_device: bool,
}

pub(crate) fn entries_of(c: &Connection, call: CallId) -> Result<Vec<LoggedEntry>, LogError> {
    let mut all = Vec::new();
    for compartment in Compartment::ALL {
        let id = DocumentId::new(call, compartment);
        all.extend(document(c, id)?.into_iter().map(|logged| LoggedEntry {
            seq: logged.seq,
            document: id,
            id: logged.inspected.id,
            by_device: logged.device.is_some(),
            entry: logged.inspected.written.entry,
        }));
    }
    all.sort_by_key(|logged| logged.seq);
    Ok(all)
}

/// The whole log of a center that does not run.
#[derive(Debug)]
pub struct LedgerCopy {
    /// In the order of the log.
    pub entries: Vec<LoggedEntry>,
    pub seqs: Vec<u64>,
    /// What SQLite says of its own pages.
    pub integrity: String,
    /// How many calls have each number of CAD's.
    pub numbers: Vec<(String, u32)>,
}

impl LedgerCopy {
    /// Reads all of it, with the keys beside it.
    #[must_use]
    pub fn read(data: &Path) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let keys = CenterKeys::open_or_create(&data.join("keys"), &names).unwrap();
        let options = LogOptions {
            center: CenterId(keys.center_id()),
            store_key: *keys.store_key(),
            mac_key: *keys.mac_key(),
        };
        let log = Log::open(&data.join("center.db"), &options, |_| ()).unwrap();
        let read = |c: &Connection| {
            let integrity = c.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            let mut statement = c.prepare("SELECT seq FROM changes ORDER BY seq")?;
            let seqs = statement
                .query_map([], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))?
                .collect::<Result<_, _>>()?;
            let mut statement =
                c.prepare("SELECT number, count(*) FROM calls WHERE number <> '' GROUP BY number")?;
            let numbers = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let mut statement = c.prepare("SELECT DISTINCT document FROM changes")?;
            let mut calls: Vec<CallId> = statement
                .query_map([], |row| row.get::<_, [u8; DocumentId::BYTES]>(0))?
                .map(|bytes| DocumentId::from_bytes(&bytes.unwrap()).unwrap().call)
                .collect();
            calls.sort();
            calls.dedup();
            let mut entries = Vec::new();
            for call in calls {
                entries.extend(entries_of(c, call)?);
            }
            entries.sort_by_key(|logged| logged.seq);
            Ok(Self {
                entries,
                seqs,
                integrity,
                numbers,
            })
        };
        log.readers().read_blocking(read).unwrap()
    }

    /// The entries of one call, in the order of the log.
    #[must_use]
    pub fn of_call(&self, call: CallId) -> Vec<&LoggedEntry> {
        let of_call = |logged: &&LoggedEntry| logged.document.call == call;
        self.entries.iter().filter(of_call).collect()
    }
}
