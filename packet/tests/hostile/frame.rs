//! The signature and the chunk around a change.

use super::*;

#[test]
fn taking_a_change_apart_and_sealing_it_again_changes_nothing() {
    let device = Device::new();
    let bytes = device.write(&device.begun(), &note("x")).bytes;
    assert_eq!(Parts::read(&bytes).seal(), bytes);
    assert_eq!(altered(&bytes, |_| ()), bytes);
}

#[test]
fn a_signature_by_another_device_or_for_another_document_is_refused() {
    let (device, other) = (Device::new(), Device::new());
    let mut document = device.begun();
    let bytes = device.write(&document, &note("x")).bytes;
    let forged = other.sign(bytes.clone());
    assert_eq!(
        device.admit_at(&mut document, &forged, NOW_MS),
        Err(Refusal::Signature)
    );
    let mut moved = device.sign(bytes.clone());
    moved.document.compartment = Compartment::Safety;
    assert_eq!(
        device.admit_at(&mut document, &moved, NOW_MS),
        Err(Refusal::Signature)
    );
    let mut long = device.sign(bytes);
    long.proof = Proof::Signature(vec![0x30; 152]);
    assert_eq!(
        device.admit_at(&mut document, &long, NOW_MS),
        Err(Refusal::Signature)
    );
}

#[test]
fn chunks_that_are_not_plain_changes_are_refused() {
    let device = Device::new();
    let long = note(&"a long and dull text ".repeat(40));
    let change = device.write(&device.begun(), &long);
    let deflated = automerge::Change::try_from(&change.bytes[..])
        .unwrap()
        .bytes()
        .to_vec();
    assert_eq!(deflated[8], 2);
    assert_eq!(refusal(&device, deflated), Refusal::Compressed);
    let saved = device.begun().save();
    assert_eq!(saved[8], 0);
    assert!(is_malformed(&refusal(&device, saved.clone())));
    let loaded = Automerge::load(&saved).unwrap();
    let hashes: Vec<_> = loaded
        .get_changes(&[])
        .iter()
        .map(automerge::Change::hash)
        .collect();
    let bundle = loaded.bundle(hashes).unwrap().bytes().to_vec();
    assert_eq!(bundle[8], 3);
    assert!(is_malformed(&refusal(&device, bundle)));
    for chunk_type in [0, 3, 4, 255] {
        assert!(is_malformed(&refusal(
            &device,
            seal(chunk_type, &contents(&change.bytes))
        )));
    }
}

#[test]
fn a_chunk_with_a_wrong_frame_is_refused() {
    let device = Device::new();
    let bytes = device.write(&device.begun(), &note("x")).bytes;
    let with = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] ^= value;
        bytes
    };
    assert!(is_malformed(&refusal(&device, with(0, 1))));
    assert_eq!(
        refusal(&device, with(4, 1)),
        Refusal::Malformed("its checksum is wrong".into())
    );
    let mut trailing = bytes.clone();
    trailing.push(0);
    assert!(is_malformed(&refusal(&device, trailing.clone())));
    // Two changes in one frame.
    assert!(is_malformed(&refusal(
        &device,
        [bytes.clone(), bytes.clone()].concat()
    )));
    // A length spelt longer than it need be.
    let mut long = bytes[..9].to_vec();
    let body = contents(&bytes);
    assert!((0x80..0x4000).contains(&body.len()));
    long.extend([bytes[9], bytes[10] | 0x80, 0]);
    long.extend(body);
    assert!(is_malformed(&refusal(&device, long)));
    for length in 0..bytes.len() {
        assert!(
            is_malformed(&refusal(&device, bytes[..length].to_vec())),
            "{length}"
        );
    }
}

#[test]
fn a_change_that_is_too_large_is_refused() {
    let refused = parts_refusal(|parts| parts.extra = vec![0; CHANGE_BYTES_MAX]);
    assert!(
        matches!(
            refused,
            Refusal::TooLarge {
                bytes_max: CHANGE_BYTES_MAX,
                ..
            }
        ),
        "{refused:?}"
    );
}
