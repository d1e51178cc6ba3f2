//! What a device gives back to a center that was restored: others' changes, on the
//! center's own word, and what a hostile one makes of that.

use super::*;

/// The document as a device has it, oldest change first, and the center's that lost it.
fn held() -> (Device, Vec<(ChangeHash, Vec<u8>)>) {
    let device = Device::new();
    let mut document = Document::new();
    let center = Actor::new(Author::Center(1), [5; 4]);
    let other = Actor::new(Author::Device(DeviceNumber(8)), [3; 4]);
    let mut changes = Vec::new();
    for (actor, text) in [
        (center, "man with gun"),
        (other, "on scene"),
        (device.actor, "two exits"),
        (center, "one in custody"),
    ] {
        let change = compose_on(actor, document.lineage().basis(actor), &note(text));
        let inspected = inspect(&change.bytes).unwrap();
        document.apply(&inspected, &change.bytes).unwrap();
        changes.push((change.hash, change.bytes));
    }
    (device, changes)
}

#[test]
fn what_the_center_vouched_for_is_taken_back_whoever_wrote_it_and_however_old_it_is() {
    let (device, changes) = held();
    let mut document = Document::new();
    for (hash, bytes) in changes {
        let mac = forge::mac_key().mac(device.document(), &hash);
        let offer = Offer {
            document: device.document(),
            bytes,
            proof: Proof::CenterMac(mac),
        };
        let years_later_ms = NOW_MS + 10 * WRITTEN_BEFORE_MS_MAX;
        let taken = device.admit_at(&mut document, &offer, years_later_ms);
        assert_eq!(taken.unwrap().hash, hash);
    }
    assert_eq!(document.lineage().len(), 4);
    assert_sound(&document);
}

#[test]
fn a_kind_that_no_device_may_write_is_taken_back() {
    let device = Device::new();
    let fields = serde_json::json!({
        "kind": "outcome", "source": "Records", "query": "ABC123", "state": "answered",
    });
    let written = Written {
        entry: Entry::from_fields(fields.as_object().unwrap().clone()).unwrap(),
        clock_off_ms: None,
        instead: None,
    };
    let center = Actor::new(Author::Center(1), [5; 4]);
    let mut document = Document::new();
    let change = compose_on(center, document.lineage().basis(center), &written);
    let vouched = (device.document(), change.hash);
    device
        .give_back(&mut document, change.bytes, vouched)
        .unwrap();
}

#[test]
fn a_forged_mac_and_one_for_another_document_or_change_are_refused() {
    let (device, changes) = held();
    let (hash, bytes) = changes[0].clone();
    let refused = |vouched| {
        let mut document = Document::new();
        let refused = device.give_back(&mut document, bytes.clone(), vouched);
        assert!(document.lineage().is_empty());
        refused.unwrap_err()
    };
    let (id, compartment) = (device.document(), Compartment::Safety);
    assert_eq!(refused((id, changes[1].0)), Refusal::Mac);
    assert_eq!(
        refused((DocumentId::new(CallId(98), id.compartment), hash)),
        Refusal::Mac
    );
    assert_eq!(
        refused((DocumentId::new(id.call, compartment), hash)),
        Refusal::Mac
    );
    let right = forge::mac_key().mac(id, &hash);
    for at in 0..right.len() {
        let mut mac = right;
        mac[at] ^= 0x80;
        let offer = Offer {
            document: id,
            bytes: bytes.clone(),
            proof: Proof::CenterMac(mac),
        };
        let refused = device.admit_at(&mut Document::new(), &offer, NOW_MS);
        assert_eq!(refused, Err(Refusal::Mac), "byte {at}");
    }
}

#[test]
fn a_good_mac_opens_no_way_around_the_place_in_the_document() {
    let (device, changes) = held();
    let give = |document: &mut Document, index: usize| {
        let (hash, bytes) = changes[index].clone();
        device.give_back(document, bytes, (device.document(), hash))
    };
    let mut document = Document::new();
    assert_eq!(give(&mut document, 2), Err(Refusal::UnknownDependency));
    assert!(matches!(
        give(&mut document, 3),
        Err(Refusal::WrongNumber { .. })
    ));
    give(&mut document, 0).unwrap();
    // The same number again, and what was taken already.
    assert!(matches!(
        give(&mut document, 0),
        Err(Refusal::WrongNumber { .. })
    ));
    assert_sound(&document);
}

#[test]
fn what_the_center_never_could_have_taken_is_refused_though_its_mac_were_good() {
    let (device, changes) = held();
    let broken = [
        altered(&changes[0].1, |change| {
            change.operations[1].pred = vec![OpId(5, ActorId::from(&[1_u8; 8][..]))].into();
        }),
        altered(&changes[0].1, |change| {
            change.start_op = 5.try_into().unwrap();
        }),
        [changes[0].1.clone(), vec![0]].concat(),
    ];
    for bytes in broken {
        let mut document = Document::new();
        let hash = forerunner_packet::change_hash(&bytes).unwrap_or(ChangeHash([0; 32]));
        let refused = device.give_back(&mut document, bytes, (device.document(), hash));
        let refusal = refused.unwrap_err();
        assert_ne!(refusal, Refusal::Mac);
        assert!(document.lineage().is_empty(), "{refusal:?}");
    }
}
