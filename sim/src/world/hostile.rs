//! A device with a good certificate, an officer's shift, and a bad holder.
//!
//! It reports nothing as delivered, and what it offers is wrong in one way each. What the
//! log must never take is told to the witness before it is sent.

use mobile_core::identity::Signer;
use packet::signature::{MAC_BYTES, signing_input};
use packet::{
    Actor, Author, CallId, ChangeHash, Compartment, DeviceNumber, DocumentId, Draft, Entry,
    Lineage, Note, Proof, Written, compose,
};
use sync::frame::{Hello, OfferFrame, UpFrame, encode};
use sync::limits::{FRAME_BYTES_MAX, PROTOCOL_VERSION};

use super::World;
use super::event::{End, Event};
use super::fault::{Fault, Step};
use super::network::Wire;

/// What it does, as it stands in the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attack {
    /// Nothing is wrong with it.
    None,
    OthersSignature,
    NumberAhead,
    NumberAgain,
    UnknownDependency,
    OthersActor,
    StartOperation,
    CallItNeverHad,
    BeatsPacket,
    FromTheFuture,
    Finding,
    FalseMark,
    FlippedBits,
    DeliveredUnsent,
    Garbage,
    TooLong,
}

const ATTACKS: [Attack; 16] = [
    Attack::None,
    Attack::OthersSignature,
    Attack::NumberAhead,
    Attack::NumberAgain,
    Attack::UnknownDependency,
    Attack::OthersActor,
    Attack::StartOperation,
    Attack::CallItNeverHad,
    Attack::BeatsPacket,
    Attack::FromTheFuture,
    Attack::Finding,
    Attack::FalseMark,
    Attack::FlippedBits,
    Attack::DeliveredUnsent,
    Attack::Garbage,
    Attack::TooLong,
];

impl Attack {
    /// Why no log may take it.
    fn forges(self) -> Option<&'static str> {
        match self {
            Self::OthersSignature => Some("its signature is of something else"),
            Self::NumberAhead => Some("its number is not the next"),
            Self::NumberAgain => Some("its number was used before"),
            Self::UnknownDependency => Some("it stands on nothing"),
            Self::OthersActor => Some("its actor is another's"),
            Self::StartOperation => Some("its operations do not begin where they must"),
            Self::CallItNeverHad => Some("its author never had the call"),
            Self::BeatsPacket => Some("a beat's packet is no call"),
            Self::FromTheFuture => Some("its time is to come"),
            Self::FalseMark => Some("it is given back to a center that never had it"),
            Self::Finding => Some("no device writes a finding"),
            _ => None,
        }
    }
}

impl World {
    pub(super) fn attack(&mut self) -> Step {
        let Some(index) = self.officers.iter().position(|officer| officer.is_hostile) else {
            return Ok(());
        };
        if self.healing {
            return Ok(());
        }
        let in_ms = self.rng.u64(500..8_000);
        self.queue.plan(self.now_ms + in_ms, Event::Attack);
        let open = self.officers[index]
            .wire
            .filter(|wire| self.wires.contains_key(wire));
        match open {
            Some(wire) => self.attack_on(index, wire),
            None => {
                self.hostile_dial(index);
                Ok(())
            }
        }
    }

    fn hostile_dial(&mut self, index: usize) {
        self.next_wire += 1;
        let id = self.next_wire;
        let officer = &mut self.officers[index];
        officer.wire = Some(id);
        let hello = Hello {
            version: PROTOCOL_VERSION,
            position: self.rng.u64(..200),
            exceptions: vec![],
            digest: self.rng.u64(..),
            dictionary: self.rng.u16(..3),
            receipts: self.rng.u64(..100),
            shift: officer.token.clone(),
        };
        self.wires
            .insert(id, Wire::new(index, officer.network, self.now_ms));
        let hello = Box::new(hello);
        self.queue
            .plan(self.now_ms + 50, Event::Hello { wire: id, hello });
        self.note(&format!("D{index} (hostile) dials w{id}"));
    }

    fn attack_on(&mut self, index: usize, wire: u64) -> Step {
        let attack = ATTACKS[self.rng.usize(..ATTACKS.len())];
        self.note(&format!("D{index} (hostile) {attack:?}"));
        let bytes = match attack {
            Attack::DeliveredUnsent => encode(&UpFrame::Delivered(1 << 40)),
            Attack::Garbage => {
                let mut garbage = vec![0; self.rng.usize(1..400)];
                self.rng.fill(&mut garbage);
                garbage
            }
            Attack::TooLong => vec![0x82; FRAME_BYTES_MAX + 1],
            Attack::FlippedBits => {
                let mut bytes = match self.forged_offer(index, Attack::None)? {
                    Some(offer) => encode(&UpFrame::Offer(offer)),
                    None => return Ok(()),
                };
                for _ in 0..self.rng.usize(1..4) {
                    let at = self.rng.usize(..bytes.len());
                    bytes[at] ^= 1 << self.rng.u8(..8);
                }
                bytes
            }
            _ => match self.forged_offer(index, attack)? {
                Some(offer) => encode(&UpFrame::Offer(offer)),
                None => return Ok(()),
            },
        };
        self.send(wire, End::Device, bytes);
        Ok(())
    }

    /// A note in a document that it may write to, wrong in this way.
    fn forged_offer(&mut self, index: usize, attack: Attack) -> Step<Option<OfferFrame>> {
        let (number, unit) = {
            let officer = &self.officers[index];
            (officer.number, officer.unit.clone())
        };
        let calls = self.witness.page()?.calls_of(&unit);
        let (Some(call), Some(_)) = (calls.first(), &self.center.running) else {
            return Ok(None);
        };
        let call = match attack {
            Attack::CallItNeverHad => CallId::new(Author::Center(1 << 31), 0x7fff_0000),
            Attack::BeatsPacket => CallId::new(Author::Center(1 << 31), CallId::BEATS_FIRST),
            _ => *call,
        };
        let document = DocumentId::new(call, Compartment::Call);
        let logged = self.center.read(|c| server::log::document(c, document))?;
        let mut lineage = Lineage::default();
        for change in logged {
            let change = change.inspected;
            lineage.add(change.hash, change.id, change.max_op);
        }
        let author = match attack {
            Attack::OthersActor => Author::Device(DeviceNumber(number.0 - 1)),
            _ => Author::Device(number),
        };
        let actor = Actor::new(author, [6; 4]);
        let mut basis = lineage.basis(actor);
        let mut time_ms = self.center.wall_ms();
        match attack {
            Attack::NumberAhead => basis.number += 1,
            // Of an actor that has written before; else it is no more than a beginning.
            Attack::NumberAgain if basis.number == 1 => return Ok(None),
            Attack::NumberAgain => basis.number -= 1,
            Attack::UnknownDependency => basis.deps = vec![ChangeHash([7; 32])],
            Attack::StartOperation => basis.start_op += 1,
            Attack::FromTheFuture => time_ms += 24 * 60 * 60 * 1_000,
            _ => {}
        }
        let text = format!("forged {}", self.now_ms);
        let by = "nobody".to_owned();
        let written = Written {
            entry: match attack {
                Attack::Finding => super::script::finding(text),
                _ => Entry::Note(Note { text, by }),
            },
            clock_off_ms: Some(0),
            instead: None,
        };
        let composed = compose(&Draft {
            actor,
            number: basis.number,
            deps: basis.deps,
            start_op: basis.start_op,
            time_ms,
            written: &written,
        });
        let composed = composed.map_err(Fault::of_world)?;
        // A restored log cannot say who had which call: there this is taken.
        let is_unknown = attack == Attack::CallItNeverHad && self.stats.restores > 0;
        if let Some(why) = attack.forges().filter(|_| !is_unknown) {
            self.witness.forged.insert(composed.hash, why);
        }
        let signed = match attack {
            Attack::OthersSignature => DocumentId::new(call, Compartment::Safety),
            _ => document,
        };
        let center = packet::CenterId(self.center.keys.center_id());
        let input = signing_input(center, signed, &composed.hash);
        let signature = self.hostile_signer.sign(&input).map_err(Fault::of_world)?;
        Ok(Some(OfferFrame {
            document,
            body: [&[0], composed.bytes.as_slice()].concat(),
            proof: match attack {
                Attack::FalseMark => Proof::CenterMac([9; MAC_BYTES]),
                _ => Proof::Signature(signature),
            },
        }))
    }
}
