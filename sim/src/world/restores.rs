//! Disks that are lost, and copies of earlier that take their place: a center's backup, a
//! device's folder of an earlier hour.
//!
//! What was written since is where others have it, or nowhere. The witness is told which:
//! of what nobody can have any more nothing is asked, of all else everything.

use std::collections::BTreeSet;
use std::path::PathBuf;

use packet::inspect;
use server::devices;
use server::log::begin_anew;

use super::World;
use super::center::{copy_files, remove_files};
use super::fault::{Fault, Step};
use super::officer::Left;
use super::witness::serial_of;

/// A copy of the center's log, taken while it ran.
#[derive(Debug, Clone)]
pub(super) struct Backup {
    file: PathBuf,
    head: u64,
}

impl World {
    /// A backup of the running center, in place of the last one.
    pub(super) fn back_up(&mut self) -> Step {
        if self.center.running.is_none() {
            return Ok(());
        }
        let file = self.center.copy_name();
        let name = file.display().to_string();
        let connection = self.center.connect().map_err(Fault::of_world)?;
        connection
            .execute("VACUUM INTO ?1", [&name])
            .map_err(Fault::of_world)?;
        let head = self.witness.page()?.head();
        self.note(&format!("C backup head={head}"));
        if let Some(old) = self.center.backup.replace(Backup { file, head }) {
            remove_files(&old.file);
        }
        Ok(())
    }

    /// The center's disk is lost; it starts from the last backup, in a new incarnation.
    pub(super) fn restore(&mut self) -> Step {
        let Some(backup) = self.center.backup.clone() else {
            return Ok(());
        };
        if self.center.running.is_none() {
            return Ok(());
        }
        let head = self.witness.page()?.head();
        let copy = self.center.copy_name();
        copy_files(&backup.file, &copy).map_err(Fault::of_world)?;
        self.note(&format!(
            "C disk lost at head={head}, restored at head={}",
            backup.head
        ));
        self.stats.restores += 1;
        self.crash_center(Some(copy))?;
        let mut connection = self.center.connect().map_err(Fault::of_world)?;
        let (surroundings, now_ms) = (self.center.surroundings(), self.center.wall_ms());
        begin_anew(&mut connection, &surroundings, now_ms).map_err(Fault::of_world)?;
        Ok(())
    }

    /// Who was revoked after the backup is in good standing again, until somebody revokes
    /// them once more.
    pub(super) fn revoke_again(&mut self) {
        let revoked = self.officers.iter().filter(|officer| officer.is_revoked);
        let numbers: Vec<_> = revoked.map(|officer| officer.number).collect();
        for number in numbers {
            self.desk_task("revoke again".into(), move |ledger| {
                devices::revoke(ledger, number).map(drop)
            });
        }
    }

    /// A backup of a device: all its files, in place of the last one.
    pub(super) fn back_up_device(&mut self, index: usize) -> Step {
        if self.officers[index].device.is_none() {
            return Ok(());
        }
        self.note(&format!("D{index} is backed up"));
        self.officers[index].back_up().map_err(Fault::of_world)
    }

    /// The device begins again with the store of its last backup, with what was sealed
    /// beside it then or with what is now.
    pub(super) fn restore_device(&mut self, index: usize) -> Step {
        let officer = &self.officers[index];
        if officer.device.is_none() || !officer.has_backup() {
            return Ok(());
        }
        let sealed_too = self.rng.bool();
        self.note(&format!(
            "D{index} is restored from its backup, sealed too: {sealed_too}"
        ));
        self.stats.device_restores += 1;
        self.crash_device(index, Left::OfBackup { sealed_too })
    }

    /// The device has started with a store of earlier: tells the witness what of its
    /// officer's entries is on it, is elsewhere, or is nowhere any more.
    pub(super) fn settle_intents_of_restored_device(
        &mut self,
        index: usize,
        sealed_too: bool,
    ) -> Step {
        let mut sealed = BTreeSet::new();
        if let Some(device) = &self.officers[index].device {
            for hash in device.orphans() {
                let offer = self.unseal(index, hash)?;
                let change = inspect(&offer.bytes).map_err(Fault::of_world)?;
                sealed.extend(serial_of(&change.written.entry).map(str::to_owned));
            }
        }
        let waiting = self.waiting_on(index)?;
        self.witness
            .device_restored(index, &waiting, &sealed, sealed_too);
        Ok(())
    }
}
