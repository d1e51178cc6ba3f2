//! What a device with a valid certificate and bad intent can hand in.
//!
//! Everything here is signed by the device's own key, with right checksums: the
//! signature step passes, and what stands behind it has to hold.

#![allow(clippy::unwrap_used)]

#[path = "hostile/columns.rs"]
mod columns;
#[path = "hostile/forge.rs"]
mod forge;
#[path = "hostile/frame.rs"]
mod frame;
#[path = "hostile/give_back.rs"]
mod give_back;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/mutations.rs"]
mod mutations;
#[path = "hostile/place.rs"]
mod place;
#[path = "hostile/rule.rs"]
mod rule;

use automerge::legacy::{ElementId, Key, MarkData, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, Automerge, ExpandedChange, ObjType, ScalarValue};
use forerunner_packet::admission::{WRITTEN_AHEAD_MS_MAX, WRITTEN_BEFORE_MS_MAX};
use forerunner_packet::change::{CHANGE_BYTES_MAX, OPS_MAX};
use forerunner_packet::{
    Actor, Author, CallId, Caution, ChangeHash, Compartment, DeviceNumber, Document, DocumentId,
    Entry, EntryId, Kind, Offer, Proof, Refusal, Written, inspect, may_write,
};
use forge::{
    Device, NOW_MS, Parts, altered, compose_on, contents, note, seal, write_signed, write_unsigned,
};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// Far above what one change of at most 12 KB needs, far below what a bomb takes.
const PEAK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The document must load again with every change that it says it has.
fn assert_sound(document: &Document) {
    let loaded = Automerge::load(&document.save()).unwrap();
    let changes = loaded.get_changes(&[]);
    assert_eq!(changes.len(), document.lineage().len());
    assert!(
        changes
            .iter()
            .all(|change| document.lineage().knows(&ChangeHash(change.hash().0)))
    );
}

/// Offers what should be refused: little memory, no trace, and the honest change is taken after it.
fn refusal(device: &Device, bytes: Vec<u8>) -> Refusal {
    let mut document = device.begun();
    let before = document.save();
    let (refusal, peak) = memory::peak_bytes(|| device.offer(&mut document, bytes).unwrap_err());
    assert!(peak < PEAK_BYTES_MAX, "{peak} bytes for {refusal:?}");
    assert_eq!(document.save(), before);
    let honest = device.write(&document, &note("honest"));
    device.offer(&mut document, honest.bytes).unwrap();
    assert_sound(&document);
    refusal
}

/// The refusal of an honest change whose decoded form was altered.
fn altered_refusal(alter: impl FnOnce(&mut ExpandedChange)) -> Refusal {
    let device = Device::new();
    let change = device.write(&device.begun(), &note("all clear"));
    refusal(&device, altered(&change.bytes, alter))
}

fn parts_refusal(alter: impl FnOnce(&mut Parts)) -> Refusal {
    let device = Device::new();
    let mut parts = Parts::read(&device.write(&device.begun(), &note("all clear")).bytes);
    alter(&mut parts);
    refusal(&device, parts.seal())
}

fn is_not_add_only(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::NotAddOnly(_))
}

fn is_malformed(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Malformed(_))
}
