//! What a hostile device can make: changes taken apart, altered, sealed and signed again.

use automerge::ExpandedChange;
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use forerunner_packet::document::Basis;
use forerunner_packet::signature::{MacKey, signing_input};
use forerunner_packet::{
    Actor, Admission, Author, CallId, CenterId, ChangeHash, Compartment, Composed, DeviceNumber,
    Document, DocumentId, Draft, Entry, Inspected, Note, Offer, Proof, Refusal, Written, admit,
    change_hash, compose,
};

pub(crate) const NOW_MS: i64 = 1_790_000_000_000;
const CENTER: CenterId = CenterId([8; 16]);

pub(crate) fn note(text: &str) -> Written {
    let note = Note {
        text: text.into(),
        by: "Diaz (4A12)".into(),
    };
    Written {
        entry: Entry::Note(note),
        clock_off_ms: Some(40),
        instead: None,
    }
}

/// The center's own, which no device has.
pub(crate) fn mac_key() -> MacKey {
    MacKey::new(&[6; 32])
}

/// A device with a certificate, which its holder may misuse.
pub(crate) struct Device {
    pub(crate) number: DeviceNumber,
    pub(crate) key: EcdsaKeyPair,
    pub(crate) actor: Actor,
    pub(crate) compartment: Compartment,
    pub(crate) opened: bool,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self::numbered(7)
    }

    pub(crate) fn numbered(number: u32) -> Self {
        let number = DeviceNumber(number);
        Self {
            number,
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            actor: Actor::new(Author::Device(number), [1, 2, 3, 4]),
            compartment: Compartment::Call,
            opened: false,
        }
    }

    pub(crate) fn document(&self) -> DocumentId {
        DocumentId::new(CallId(99), self.compartment)
    }

    pub(crate) fn sign(&self, bytes: Vec<u8>) -> Offer {
        // What has no hash cannot be signed: any signature will do.
        let hash = change_hash(&bytes).unwrap_or(ChangeHash([0; 32]));
        let input = signing_input(CENTER, self.document(), &hash);
        let signature = self
            .key
            .sign(&SystemRandom::new(), &input)
            .unwrap()
            .as_ref()
            .to_vec();
        Offer {
            document: self.document(),
            bytes,
            proof: Proof::Signature(signature),
        }
    }

    pub(crate) fn admit_at(
        &self,
        document: &mut Document,
        offer: &Offer,
        now_ms: i64,
    ) -> Result<Inspected, Refusal> {
        let admission = Admission {
            center: CENTER,
            device: self.number,
            public_key: self.key.public_key().as_ref(),
            now_ms,
            opened_by_device: self.opened,
            mac: &mac_key(),
        };
        admit(document, offer, &admission)
    }

    /// Gives these bytes back, with the center's word for what `vouched` says.
    pub(crate) fn give_back(
        &self,
        document: &mut Document,
        bytes: Vec<u8>,
        vouched: (DocumentId, ChangeHash),
    ) -> Result<Inspected, Refusal> {
        let offer = Offer {
            document: self.document(),
            bytes,
            proof: Proof::CenterMac(mac_key().mac(vouched.0, &vouched.1)),
        };
        self.admit_at(document, &offer, NOW_MS)
    }

    /// Signs these bytes and offers them.
    pub(crate) fn offer(
        &self,
        document: &mut Document,
        bytes: Vec<u8>,
    ) -> Result<Inspected, Refusal> {
        self.admit_at(document, &self.sign(bytes), NOW_MS)
    }

    pub(crate) fn write(&self, document: &Document, written: &Written) -> Composed {
        compose_on(self.actor, document.lineage().basis(self.actor), written)
    }

    /// A document in which this device and another have written.
    pub(crate) fn begun(&self) -> Document {
        let mut document = Document::new();
        let center = Actor::new(Author::Center(1), [5; 4]);
        for (actor, text) in [
            (center, "man with gun"),
            (self.actor, "on scene"),
            (center, "two exits"),
        ] {
            let change = compose_on(actor, document.lineage().basis(actor), &note(text));
            let inspected = forerunner_packet::inspect(&change.bytes).unwrap();
            document.apply(&inspected, &change.bytes).unwrap();
        }
        document
    }
}

pub(crate) fn compose_on(actor: Actor, basis: Basis, written: &Written) -> Composed {
    let Basis {
        deps,
        number,
        start_op,
    } = basis;
    compose(&Draft {
        actor,
        number,
        deps,
        start_op,
        time_ms: NOW_MS,
        written,
    })
    .unwrap()
}

/// The change with its operations or header altered, encoded by Automerge.
pub(crate) fn altered(bytes: &[u8], alter: impl FnOnce(&mut ExpandedChange)) -> Vec<u8> {
    let mut change = automerge::Change::try_from(bytes).unwrap().decode();
    alter(&mut change);
    automerge::Change::from(change).raw_bytes().to_vec()
}

/// A chunk of this type with a right checksum.
pub(crate) fn seal(chunk_type: u8, contents: &[u8]) -> Vec<u8> {
    let mut hashed = vec![chunk_type];
    write_unsigned(&mut hashed, contents.len() as u64);
    hashed.extend_from_slice(contents);
    let hash = digest::digest(&digest::SHA256, &hashed);
    let mut bytes = vec![0x85, 0x6f, 0x4a, 0x83];
    bytes.extend_from_slice(&hash.as_ref()[..4]);
    bytes.extend_from_slice(&hashed);
    bytes
}

/// What a chunk holds, when it is a change as we write them.
pub(crate) fn contents(bytes: &[u8]) -> Vec<u8> {
    let mut rest = &bytes[9..];
    let length = read_unsigned(&mut rest);
    assert_eq!(length, rest.len() as u64);
    rest.to_vec()
}

/// A change's contents taken apart: what stands before its columns, the columns, what follows.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) head: Vec<u8>,
    pub(crate) columns: Vec<(u64, Vec<u8>)>,
    pub(crate) extra: Vec<u8>,
}

impl Parts {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let contents = contents(bytes);
        let mut rest = &contents[..];
        let deps = read_unsigned(&mut rest);
        rest = &rest[32 * deps as usize..];
        let actor = read_unsigned(&mut rest);
        rest = &rest[actor as usize..];
        // number, first operation, time, message's length, count of other actors
        for _ in 0..5 {
            read_unsigned(&mut rest);
        }
        let head = contents[..contents.len() - rest.len()].to_vec();
        let count = read_unsigned(&mut rest);
        let specs: Vec<_> = (0..count)
            .map(|_| (read_unsigned(&mut rest), read_unsigned(&mut rest)))
            .collect();
        let mut columns = Vec::new();
        for (spec, length) in specs {
            let (column, left) = rest.split_at(length as usize);
            columns.push((spec, column.to_vec()));
            rest = left;
        }
        Self {
            head,
            columns,
            extra: rest.to_vec(),
        }
    }

    pub(crate) fn contents(&self) -> Vec<u8> {
        let mut out = self.head.clone();
        write_unsigned(&mut out, self.columns.len() as u64);
        for (spec, column) in &self.columns {
            write_unsigned(&mut out, *spec);
            write_unsigned(&mut out, column.len() as u64);
        }
        self.columns
            .iter()
            .for_each(|(_, column)| out.extend_from_slice(column));
        out.extend_from_slice(&self.extra);
        out
    }

    pub(crate) fn seal(&self) -> Vec<u8> {
        seal(1, &self.contents())
    }
}

pub(crate) fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn write_signed(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn read_unsigned(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
