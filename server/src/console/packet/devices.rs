//! How far the packet has come on each device: *delivered* and *shown* from the
//! receipts, *acknowledged* from the packet's own entries.

use std::collections::HashMap;

use ::packet::{Acknowledgement, Compartment, DeviceNumber, DocumentId, Entry, EntryId};

use super::{Beside, Read};
use crate::console::view::{AcknowledgementView, ReceiptView};
use crate::console::words::Times;
use crate::receipts::{ReceiptKind, SHOWN_ON_A_PAGE_MAX};

/// Most devices beside one entry; what the others have is counted.
const DEVICES_SHOWN_MAX: usize = 12;

/// A document through here, on one device, since then.
#[derive(Debug)]
struct Step {
    through: u64,
    at: String,
}

#[derive(Debug)]
struct Tap {
    device: Option<DeviceNumber>,
    unit: String,
    view: AcknowledgementView,
}

/// The devices that should have the packet, and those that have had it.
#[derive(Debug)]
pub(super) struct Devices {
    /// In the order in which they are shown.
    names: Vec<(DeviceNumber, String)>,
    steps: HashMap<(DocumentId, ReceiptKind, DeviceNumber), Vec<Step>>,
    taps: HashMap<(Compartment, EntryId), Vec<Tap>>,
}

impl Devices {
    pub(super) fn new(documents: &[Read], beside: &Beside, times: &Times) -> Self {
        let mut devices = Self {
            names: Vec::new(),
            steps: HashMap::new(),
            taps: HashMap::new(),
        };
        for on in &beside.signed_on {
            devices.name(on.device, || format!("{} {}", on.unit, on.label));
        }
        let documents = documents.iter().zip(&beside.receipts);
        for (read, receipts) in documents {
            let is_cut = receipts.len() >= SHOWN_ON_A_PAGE_MAX;
            for receipt in receipts {
                let Some(device) = receipt.device else {
                    continue;
                };
                if receipt.kind == ReceiptKind::Delivered {
                    devices.name(device, || receipt.who.clone());
                }
                let at = times.second(receipt.at_ms, beside.now_ms);
                let key = (read.document, receipt.kind, device);
                let steps = devices.steps.entry(key).or_default();
                if steps
                    .last()
                    .is_none_or(|last| last.through < receipt.through)
                {
                    // Older receipts are not here: it may have come that far before.
                    let at = if is_cut && steps.is_empty() {
                        format!("by {at}")
                    } else {
                        at
                    };
                    steps.push(Step {
                        through: receipt.through,
                        at,
                    });
                }
            }
            for logged in &read.entries {
                if let Entry::Acknowledgement(tap) = &logged.inspected.written.entry {
                    let time = times.second(logged.received_ms, beside.now_ms);
                    devices.tapped(read.document, logged.device, tap, time);
                }
            }
        }
        devices
    }

    fn name(&mut self, device: DeviceNumber, name: impl FnOnce() -> String) {
        if self.names.iter().all(|(known, _)| *known != device) {
            self.names.push((device, name()));
        }
    }

    fn tapped(
        &mut self,
        document: DocumentId,
        device: Option<DeviceNumber>,
        tap: &Acknowledgement,
        time: String,
    ) {
        if let Some(device) = device {
            self.name(device, || tap.unit.clone());
        }
        let taps = self.taps.entry((document.compartment, tap.of)).or_default();
        taps.push(Tap {
            device,
            unit: tap.unit.clone(),
            view: AcknowledgementView {
                officer: tap.by.clone(),
                time,
            },
        });
    }

    /// How far one entry has come, device by device.
    pub(super) fn of(
        &self,
        document: DocumentId,
        seq: u64,
        id: EntryId,
        author: Option<DeviceNumber>,
    ) -> Vec<ReceiptView> {
        let none = Vec::new();
        let taps = self.taps.get(&(document.compartment, id)).unwrap_or(&none);
        let mut all: Vec<ReceiptView> = self
            .names
            .iter()
            .map(|(device, name)| ReceiptView {
                device: name.clone(),
                delivered: if author == Some(*device) {
                    Some("(written there)".into())
                } else {
                    self.reached(document, ReceiptKind::Delivered, *device, seq)
                },
                shown: self.reached(document, ReceiptKind::Shown, *device, seq),
                acknowledged: taps
                    .iter()
                    .find(|tap| tap.device == Some(*device))
                    .map(|tap| tap.view.clone()),
            })
            .collect();
        // By no device that is known: the tap is told all the same.
        all.extend(
            taps.iter()
                .filter(|tap| tap.device.is_none())
                .map(|tap| ReceiptView {
                    device: tap.unit.clone(),
                    delivered: None,
                    shown: None,
                    acknowledged: Some(tap.view.clone()),
                }),
        );
        shortened(all)
    }

    fn reached(
        &self,
        document: DocumentId,
        kind: ReceiptKind,
        device: DeviceNumber,
        seq: u64,
    ) -> Option<String> {
        let steps = self.steps.get(&(document, kind, device))?;
        let first = steps.partition_point(|step| step.through < seq);
        steps.get(first).map(|step| step.at.clone())
    }
}

/// At most [`DEVICES_SHOWN_MAX`], those with a tap first, and one that counts the rest.
fn shortened(mut all: Vec<ReceiptView>) -> Vec<ReceiptView> {
    if all.len() <= DEVICES_SHOWN_MAX {
        return all;
    }
    all.sort_by_key(|receipt| receipt.acknowledged.is_none());
    let rest = all.split_off(DEVICES_SHOWN_MAX);
    let count = |has: fn(&ReceiptView) -> bool| rest.iter().filter(|receipt| has(receipt)).count();
    let words = |count: usize| (count > 0).then(|| format!("on {count} of them"));
    all.push(ReceiptView {
        device: format!("{} more devices", rest.len()),
        delivered: words(count(|receipt| receipt.delivered.is_some())),
        shown: words(count(|receipt| receipt.shown.is_some())),
        acknowledged: None,
    });
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn receipt(number: usize) -> ReceiptView {
        ReceiptView {
            device: format!("MDT {number}"),
            delivered: number.is_multiple_of(2).then(|| "12:00:00".into()),
            shown: None,
            acknowledged: (number == 40).then(|| AcknowledgementView {
                officer: "Diaz".into(),
                time: "12:00:01".into(),
            }),
        }
    }

    #[test]
    fn of_many_devices_some_are_named_and_the_rest_are_counted() {
        let few: Vec<_> = (0..DEVICES_SHOWN_MAX).map(receipt).collect();
        assert_eq!(shortened(few).len(), DEVICES_SHOWN_MAX);
        let many = shortened((0..50).map(receipt).collect());
        assert_eq!(many.len(), DEVICES_SHOWN_MAX + 1);
        assert_eq!(many[0].device, "MDT 40");
        let rest = many.last().unwrap();
        assert_eq!(rest.device, "38 more devices");
        assert_eq!(rest.delivered.as_deref(), Some("on 18 of them"));
        assert_eq!(rest.shown, None);
    }
}
