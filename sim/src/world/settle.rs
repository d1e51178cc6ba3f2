//! The end: all is healed, and everything comes to rest, the same everywhere.

use super::World;
use super::fault::{Fault, Invariant, Step, broken, must};
use super::network::HEALED;

/// How long a healed city may take to come to rest.
const SETTLE_MS_MAX: u64 = 15 * 60 * 1_000;
/// How often it is asked whether it has.
const LOOK_MS: u64 = 1_000;

impl World {
    pub(super) fn heal(&mut self) -> Step {
        self.note("all is healed");
        self.healing = true;
        self.center.crash_due = None;
        self.center.wall_off_ms = 0;
        self.center.set_clock(self.now_ms);
        self.room_on_disk(None)?;
        for index in 0..self.officers.len() {
            let officer = &mut self.officers[index];
            officer.crash_due = None;
            officer.wall_off_ms = 0;
            officer.network = HEALED;
            officer.no_network_until_ms = 0;
            let (is_hostile, is_on) = (officer.is_hostile, officer.device.is_some());
            self.room_on_disk(Some(index))?;
            if is_hostile {
                self.hang_up(index);
            } else if is_on && self.officers[index].wire.is_none() {
                self.plan_dial(index, 0);
            }
        }
        for wire in self.wires.values_mut() {
            wire.network = HEALED;
        }
        Ok(())
    }

    /// Waits until nothing is left to do, and looks at all of it.
    pub(super) fn settle(&mut self) -> Step {
        let until_ms = self.now_ms + SETTLE_MS_MAX;
        while self.now_ms < until_ms {
            self.until(self.now_ms + LOOK_MS)?;
            if self.is_all_settled()? {
                self.note("all is at rest");
                return self.check_end();
            }
        }
        let mut restless = Vec::new();
        for index in 0..self.officers.len() {
            if !self.is_settled(index)? {
                restless.push(format!("D{index}"));
            }
        }
        let what = format!("{} did not come to rest in time", restless.join(", "));
        Err(broken(Invariant::Converges, what))
    }

    fn is_all_settled(&self) -> Step<bool> {
        if self.center.running.is_none() {
            return Ok(false);
        }
        for index in 0..self.officers.len() {
            if !self.is_settled(index)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn check_end(&self) -> Step {
        for (index, officer) in self.officers.iter().enumerate() {
            if !officer.is_revoked && !officer.is_hostile {
                self.check_whole(index)?;
            }
        }
        let page = self.witness.page()?;
        for (serial, intent) in &self.witness.intents {
            let officer = &self.officers[intent.officer];
            if page.has_serial(serial) || officer.is_revoked || intent.is_lost {
                continue;
            }
            let is_refused = intent.refused_sealed || self.has_refused(intent.officer, serial)?;
            must(is_refused, Invariant::Durable, || {
                format!(
                    "entry {serial} of D{} was kept, and is nowhere at the end",
                    intent.officer
                )
            })?;
        }
        for (hash, holders) in &self.witness.owed {
            let mut good = holders.iter().filter(|h| !self.officers[**h].is_revoked);
            let holder = good.next();
            must(
                holder.is_none() || page.seq_of(hash).is_some(),
                Invariant::Durable,
                || {
                    format!(
                        "{hash}, which D{} had of a center that was lost, is nowhere at the end",
                        holder.copied().unwrap_or_default()
                    )
                },
            )?;
        }
        Ok(())
    }

    /// Whether the device shows the entry as refused, with its words.
    fn has_refused(&self, index: usize, serial: &str) -> Step<bool> {
        let Some(device) = &self.officers[index].device else {
            return Ok(false);
        };
        let pattern = format!("%{serial}\"%");
        device
            .look(|c| {
                let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE refused IS NOT NULL AND fields LIKE ?1)";
                c.query_row(sql, [&pattern], |row| row.get(0))
            })
            .map_err(Fault::of_world)
    }
}
