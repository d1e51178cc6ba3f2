//! What was sealed on a device whose store is gone: handed in as it is, by certificate.

use packet::{Offer, Refusal, change_hash, inspect};
use server::devices;
use server::log::OfferedBy;
use server::policy::Role;
use server::session::admit_now;
use sync::codec::{self, Unpacked};
use sync::frame::{SEALED_INFO, UpFrame, decode};

use super::World;
use super::fault::{Fault, Step};
use super::witness::serial_of;

impl World {
    /// Hands in all orphans, again for as long as that brings the center others.
    pub(super) fn hand_in_sealed(&mut self, index: usize) -> Step {
        loop {
            let orphans = match &self.officers[index].device {
                Some(device) if device.is_welcomed() => device.orphans().to_vec(),
                _ => return Ok(()),
            };
            if orphans.is_empty() || self.officers[index].is_revoked {
                return Ok(());
            }
            let before = orphans.len();
            let mut left = 0;
            for hash in orphans {
                let Some(is_taken) = self.hand_in(index, &hash)? else {
                    return Ok(());
                };
                if !is_taken {
                    left += 1;
                }
            }
            if left == before {
                self.give_orphans_up(index)?;
                return Ok(());
            }
        }
    }

    /// As `POST /v1/sealed` does; `None` when the center cannot be reached.
    fn hand_in(&mut self, index: usize, hash: &packet::ChangeHash) -> Step<Option<bool>> {
        let number = self.officers[index].number;
        let offer = self.unseal(index, hash)?;
        let Some(_) = &self.center.running else {
            return Ok(None);
        };
        let device = self.center.read(|c| devices::find(c, number))?;
        let Some(device) = device.filter(|d| !d.revoked) else {
            return Ok(None);
        };
        let by = OfferedBy {
            device: number,
            public_key: device.public_key,
        };
        let admitted = self
            .write_now(move |ledger| admit_now(ledger, &offer, &by, device.label, Role::Device))?;
        let Some(admitted) = admitted else {
            return Ok(None);
        };
        self.note(&match &admitted {
            Ok(appended) => format!("D{index} hands in what is now {}", appended.seq),
            Err(refusal) => format!("D{index} hands in what is refused: {refusal}"),
        });
        let is_there = matches!(&admitted, Ok(_) | Err(Refusal::HasIt));
        if is_there && let Some(device) = &mut self.officers[index].device {
            device.handed_in(hash);
        }
        Ok(Some(is_there))
    }

    pub(super) fn unseal(&self, index: usize, hash: &packet::ChangeHash) -> Step<Offer> {
        let officer = &self.officers[index];
        let Some(device) = &officer.device else {
            return Err(Fault::of_world("a device that is off hands something in"));
        };
        let sealed = device.sealed(hash).map_err(Fault::of_world)?;
        let aad = officer.number.0.to_be_bytes();
        let opened = self.center.keys.unseal(SEALED_INFO, &aad, &sealed);
        let opened = opened.map_err(Fault::of_world)?;
        let frame: UpFrame = decode(&opened).map_err(Fault::of_world)?;
        let UpFrame::Offer(frame) = frame else {
            return Err(Fault::of_world("something else than an offer was sealed"));
        };
        let unpacked = codec::unpack(&frame.body).map_err(Fault::of_world)?;
        let Unpacked::Change(bytes) = unpacked else {
            return Err(Fault::of_world("something else than a change was sealed"));
        };
        change_hash(&bytes).map_err(Fault::of_world)?;
        Ok(Offer {
            document: frame.document,
            bytes,
            proof: frame.proof,
        })
    }

    /// The center itself does not take them: they stay on the disk until the next start.
    fn give_orphans_up(&mut self, index: usize) -> Step {
        let orphans = match &self.officers[index].device {
            Some(device) => device.orphans().to_vec(),
            None => return Ok(()),
        };
        for hash in &orphans {
            let offer = self.unseal(index, hash)?;
            let change = inspect(&offer.bytes).map_err(Fault::of_world)?;
            if let Some(serial) = serial_of(&change.written.entry)
                && let Some(intent) = self.witness.intents.get_mut(serial)
            {
                intent.refused_sealed = true;
            }
        }
        if let Some(device) = &mut self.officers[index].device {
            device.give_orphans_up();
        }
        Ok(())
    }
}
