//! What is held against a device's disk after each of its commits and starts.

use std::collections::{BTreeMap, BTreeSet};

use packet::{ChangeHash, DocumentId};
use rusqlite::Connection;
use sync::device::Store as Operation;
use sync::frame::DownFrame;

use super::World;
use super::fault::{Fault, Invariant, Step, broken, must};
use super::witness::{Page, serial_of};

/// A document as a device's store has it.
#[derive(Debug)]
struct Held {
    document: DocumentId,
    /// It stands apart from the position: granted after it.
    apart: bool,
    through: u64,
    count: u64,
    sum: u64,
}

/// What a device's store says of itself.
#[derive(Debug)]
struct Disk {
    incarnation: u64,
    position: u64,
    held: Vec<Held>,
    /// Documents with changes that may not be here.
    stray: Vec<DocumentId>,
    /// Changes that a restored log is still to be given back.
    owed: u32,
    /// Serial, hash, and whether it was refused, of all that waits.
    outbox: BTreeMap<String, (String, bool)>,
    /// Serials of its own that came down to it and are given back with the center's mark: an
    /// older store's outbox may have had them too.
    given_back: BTreeSet<String>,
}

fn number(c: &Connection, name: &str) -> rusqlite::Result<u64> {
    let mut statement = c.prepare_cached("SELECT max(value) FROM meta WHERE name = ?1")?;
    let value: Option<i64> = statement.query_row([name], |row| row.get(0))?;
    Ok(value.unwrap_or(0).cast_unsigned())
}

fn document(bytes: &[u8]) -> DocumentId {
    // A store that held anything else would have failed before.
    DocumentId::from_bytes(bytes).unwrap_or(DocumentId::new(
        packet::CallId(0),
        packet::Compartment::Call,
    ))
}

fn held(c: &Connection, position: u64) -> rusqlite::Result<Vec<Held>> {
    let mut statement = c.prepare_cached(
        "SELECT d.doc, coalesce(d.apart, ?1) AS through,
                (SELECT count(*) FROM changes WHERE doc = d.doc AND seq <= coalesce(d.apart, ?1)),
                (SELECT total(seq) FROM changes WHERE doc = d.doc AND seq <= coalesce(d.apart, ?1)),
                d.apart IS NOT NULL
         FROM documents AS d WHERE d.standing = 1",
    )?;
    let rows = statement.query_map([position.cast_signed()], |row| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a sum of small numbers
        Ok(Held {
            document: document(&row.get::<_, Vec<u8>>(0)?),
            through: row.get::<_, i64>(1)?.cast_unsigned(),
            count: row.get::<_, i64>(2)?.cast_unsigned(),
            sum: row.get::<_, f64>(3)? as u64,
            apart: row.get(4)?,
        })
    })?;
    rows.collect()
}

fn outbox(c: &Connection) -> rusqlite::Result<BTreeMap<String, (String, bool)>> {
    let mut statement =
        c.prepare_cached("SELECT fields, lower(hex(hash)), refused IS NOT NULL FROM outbox")?;
    let mut rows = statement.query([])?;
    let mut all = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if let Some(serial) = serial_in(&row.get::<_, String>(0)?) {
            all.insert(serial, (row.get(1)?, row.get(2)?));
        }
    }
    Ok(all)
}

fn given_back(c: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = c.prepare_cached(
        "SELECT fields FROM changes WHERE again IS NOT NULL AND mine = 1 AND signature IS NULL",
    )?;
    let fields = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut all = BTreeSet::new();
    for fields in fields {
        all.extend(serial_in(&fields?));
    }
    Ok(all)
}

/// The serial in an entry's fields as a store keeps them.
fn serial_in(fields: &str) -> Option<String> {
    let fields = serde_json::from_str(fields).ok()?;
    let entry = packet::Entry::from_fields(fields).ok()?;
    serial_of(&entry).map(str::to_owned)
}

/// What can be given back with the center's mark.
const HELD: &str = "SELECT hash FROM changes
     WHERE (seq IS NOT NULL OR again IS NOT NULL) AND length(mac) = 16";
const OWED: &str = "SELECT count(*) FROM changes WHERE again IS NOT NULL";

fn disk(c: &Connection) -> rusqlite::Result<Disk> {
    let position = number(c, "position")?;
    let mut statement = c.prepare_cached(
        "SELECT DISTINCT doc FROM changes
         WHERE doc NOT IN (SELECT doc FROM documents WHERE standing > 0 OR opened = 1)
           AND hash NOT IN (SELECT hash FROM outbox WHERE refused IS NULL) AND again IS NULL",
    )?;
    let stray = statement
        .query_map([], |row| Ok(document(&row.get::<_, Vec<u8>>(0)?)))?
        .collect::<Result<_, _>>()?;
    Ok(Disk {
        incarnation: number(c, "incarnation")?,
        position,
        held: held(c, position)?,
        stray,
        owed: c.query_row(OWED, [], |row| row.get(0))?,
        outbox: outbox(c)?,
        given_back: given_back(c)?,
    })
}

impl World {
    fn disk(&self, index: usize) -> Step<Option<Disk>> {
        match &self.officers[index].device {
            Some(device) => device.look(disk).map(Some).map_err(Fault::of_world),
            None => Ok(None),
        }
    }

    /// After a commit of what was heard, or a start.
    pub(super) fn check_device(
        &mut self,
        index: usize,
        heard: &[Operation],
        had_before: Option<BTreeSet<String>>,
    ) -> Step {
        let Some(disk) = self.disk(index)? else {
            return Ok(());
        };
        let empty = Page::default();
        let page = self.witness.pages.get(&disk.incarnation).unwrap_or(&empty);
        for operation in heard {
            if let Operation::Accepted { hash, seq, .. } = operation {
                must(page.seq_of(hash) == Some(*seq), Invariant::Durable, || {
                    format!("D{index} was told {seq} for a change that the log has elsewhere")
                })?;
            }
        }
        disk.held
            .iter()
            .try_for_each(|held| check_held(index, held, page))?;
        if let Some(stray) = disk.stray.first() {
            let what = format!("D{index} still has something of {stray}");
            return Err(broken(Invariant::Denied, what));
        }
        if heard
            .iter()
            .any(|o| matches!(o, Operation::Position { .. }))
        {
            self.check_position(index, &disk, page)?;
        }
        self.check_outbox(index, &disk, had_before)
    }

    /// What is here at its position was granted then. What the same commit brought after the
    /// position stands apart from it.
    fn check_position(&self, index: usize, disk: &Disk, page: &Page) -> Step {
        let unit = &self.officers[index].unit;
        for held in disk.held.iter().filter(|held| !held.apart) {
            let call = held.document.call;
            let had = page.had_at(unit, call, disk.position);
            must(had, Invariant::Denied, || {
                format!(
                    "D{index} stands at {} with {}, which {unit} did not have then",
                    disk.position, held.document
                )
            })?;
        }
        Ok(())
    }

    /// Whatever an officer was told is kept, is somewhere.
    fn check_outbox(
        &mut self,
        index: usize,
        disk: &Disk,
        had_before: Option<BTreeSet<String>>,
    ) -> Step {
        let officer = &self.officers[index];
        if disk.incarnation == 0 {
            return Ok(());
        }
        // The log as the device knows it, and as it is: a store of earlier may know another.
        let known = [disk.incarnation, self.witness.incarnation];
        let pages = known.map(|incarnation| self.witness.pages.get(&incarnation));
        let is_at_center = |serial: &str| pages.iter().flatten().any(|p| p.has_serial(serial));
        for (serial, intent) in &mut self.witness.intents {
            if intent.officer != index || intent.is_off_device || intent.is_lost {
                continue;
            }
            match disk.outbox.get(serial) {
                Some((_, true)) => {}
                Some((hash, false)) => {
                    // A store of earlier has in its outbox what was accepted since.
                    must(
                        officer.sealed_file(hash).exists()
                            || intent.is_unsealed
                            || is_at_center(serial),
                        Invariant::Durable,
                        || format!("D{index}'s unsent entry {serial} is not sealed"),
                    )?;
                }
                None if is_at_center(serial) || disk.given_back.contains(serial) => {}
                None => match &had_before {
                    // The log that had it is lost, and it had left the device.
                    Some(had) if !had.contains(serial) => intent.is_lost = true,
                    _ => {
                        let what = format!(
                            "D{index}'s entry {serial} of {} is neither on the device nor at the center",
                            intent.document
                        );
                        return Err(broken(Invariant::NoWedge, what));
                    }
                },
            }
        }
        Ok(())
    }

    /// The store is about to be lost: what waits in it is in sealed files from then on.
    pub(super) fn settle_intents_of_lost_store(&mut self, index: usize) -> Step {
        if let Some(disk) = self.disk(index)? {
            let waiting = disk
                .outbox
                .into_iter()
                .filter(|(_, (_, is_refused))| !is_refused);
            let waiting = waiting.map(|(serial, _)| serial).collect();
            self.witness.store_lost(index, &waiting);
        }
        Ok(())
    }

    /// The serials of what waits in the device's outbox, refused or not.
    pub(super) fn waiting_on(&self, index: usize) -> Step<BTreeSet<String>> {
        let disk = self.disk(index)?;
        Ok(disk
            .into_iter()
            .flat_map(|disk| disk.outbox.into_keys())
            .collect())
    }

    /// When the center is another than before: what the device has of its own. The witness
    /// is told what it has of the center's.
    pub(super) fn own_before_reset(
        &mut self,
        index: usize,
        frames: &[DownFrame],
    ) -> Step<Option<BTreeSet<String>>> {
        let new = frames.iter().find_map(|frame| match frame {
            DownFrame::Welcome(welcome) => Some(welcome.incarnation),
            _ => None,
        });
        let (Some(new), Some(device)) = (new, &self.officers[index].device) else {
            return Ok(None);
        };
        let own = device.look(|c| {
            let before = number(c, "incarnation")?;
            if before == new {
                return Ok(None);
            }
            let mut statement = c.prepare(
                "SELECT fields FROM changes WHERE mine = 1 AND signature IS NOT NULL
                 UNION ALL SELECT fields FROM outbox",
            )?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            let mut own = BTreeSet::new();
            for fields in rows {
                own.extend(serial_in(&fields?));
            }
            let mut statement = c.prepare(HELD)?;
            let held = statement.query_map([], |row| row.get(0).map(ChangeHash))?;
            Ok(Some((own, held.collect::<Result<Vec<_>, _>>()?)))
        });
        let own = own.map_err(Fault::of_world)?;
        Ok(own.map(|(own, held)| {
            self.witness.owes(index, &held);
            own
        }))
    }

    /// All changes of a device's documents, one by one, against the log.
    pub(super) fn check_whole(&self, index: usize) -> Step {
        let page = self.witness.page()?;
        let Some(device) = &self.officers[index].device else {
            return Ok(());
        };
        let unit = &self.officers[index].unit;
        let rows: Vec<(DocumentId, u64, ChangeHash)> = device
            .look(|c| {
                let mut statement =
                    c.prepare("SELECT doc, seq, hash FROM changes WHERE seq IS NOT NULL")?;
                let rows = statement.query_map([], |row| {
                    let id = document(&row.get::<_, Vec<u8>>(0)?);
                    let seq = row.get::<_, i64>(1)?.cast_unsigned();
                    Ok((id, seq, ChangeHash(row.get(2)?)))
                })?;
                rows.collect()
            })
            .map_err(Fault::of_world)?;
        let mut counts: BTreeMap<DocumentId, usize> = BTreeMap::new();
        for (id, seq, hash) in rows {
            *counts.entry(id).or_default() += 1;
            let here = page
                .at(seq)
                .is_some_and(|s| s.hash == hash && s.document == id);
            must(here, Invariant::Order, || {
                format!("D{index} has {seq} of {id} otherwise than the log")
            })?;
            must(page.has_now(unit, id.call), Invariant::Denied, || {
                format!("D{index} has {id} at the end, which {unit} does not have")
            })?;
        }
        for call in page.calls_of(unit) {
            for compartment in server::log::Ledger::carried() {
                let id = DocumentId::new(call, compartment);
                let (has, wanted) = (counts.get(&id).copied().unwrap_or(0), page.of(id).len());
                must(has == wanted, Invariant::Converges, || {
                    format!("D{index} has {has} of {wanted} changes of {id} at the end")
                })?;
            }
        }
        Ok(())
    }

    /// Whether nothing is left to do for this device: it has all, and nothing waits.
    pub(super) fn is_settled(&self, index: usize) -> Step<bool> {
        let officer = &self.officers[index];
        if officer.is_revoked || officer.is_hostile {
            return Ok(true);
        }
        let (true, Some(disk)) = (officer.is_at_rest(), self.disk(index)?) else {
            return Ok(false);
        };
        let page = self.witness.page()?;
        let waits = disk.outbox.values().any(|(_, is_refused)| !is_refused);
        let calls: BTreeSet<_> = disk.held.iter().map(|held| held.document.call).collect();
        Ok(!waits
            && disk.owed == 0
            && disk.incarnation == self.witness.incarnation
            && calls == page.calls_of(&officer.unit)
            && disk
                .held
                .iter()
                .all(|held| held.count == page.of(held.document).len() as u64)
            && officer
                .device
                .as_ref()
                .is_none_or(|d| d.orphans().is_empty()))
    }
}

/// All that the log has of a document through its position is here, and nothing else.
fn check_held(index: usize, held: &Held, page: &Page) -> Step {
    let wanted = page.between(held.document, 0, held.through);
    let same = held.count == wanted.len() as u64 && held.sum == wanted.iter().sum::<u64>();
    must(same, Invariant::Order, || {
        format!(
            "D{index} stands at {} of {} with {} of {} changes",
            held.through,
            held.document,
            held.count,
            wanted.len()
        )
    })
}
