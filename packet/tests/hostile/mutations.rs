//! Honest changes, altered at random at every depth.

use super::*;

#[test]
fn the_memory_count_sees_a_bomb() {
    let (bomb, peak) = memory::peak_bytes(|| vec![1_u8; 2 * PEAK_BYTES_MAX]);
    assert!(peak >= bomb.len());
}

/// What a byte string is turned into: a flip, a cut, an insertion, a splice of itself.
fn mutate(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=bytes.len());
        let length = random.usize(0..=8.min(bytes.len() - at));
        match random.u8(0..5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let new: Vec<_> = (0..random.usize(1..6)).map(|_| random.u8(..)).collect();
                bytes.splice(at..at, new).for_each(drop);
            }
            _ => {
                let from = random.usize(0..=bytes.len());
                let copy = bytes[from..(from + 12).min(bytes.len())].to_vec();
                bytes.splice(at..at + length, copy).for_each(drop);
            }
        }
    }
}

/// Altered at one of three depths: the bytes of the contents, one column, the operations.
fn mutated(random: &mut fastrand::Rng, good: &[u8]) -> Vec<u8> {
    match random.u8(0..4) {
        0 => {
            let mut contents = contents(good);
            mutate(random, &mut contents);
            seal(1, &contents)
        }
        1 => {
            let mut parts = Parts::read(good);
            mutate(random, &mut parts.head);
            parts.seal()
        }
        2 => {
            let mut parts = Parts::read(good);
            let index = random.usize(0..parts.columns.len());
            mutate(random, &mut parts.columns[index].1);
            parts.seal()
        }
        _ => altered(good, |change| {
            let from = random.usize(0..change.operations.len());
            let to = random.usize(0..change.operations.len());
            let other = change.operations[from].clone();
            let own = change.actor_id.clone();
            let put = &mut change.operations[to];
            match random.u8(0..7) {
                0 => put.obj = ObjectId::Id(OpId(random.u64(1..40), own)),
                1 => put.pred = vec![OpId(random.u64(1..40), own)].into(),
                2 => put.key = other.key,
                3 => put.action = other.action,
                4 => {
                    put.action =
                        OpType::Put(ScalarValue::Str(random.alphanumeric().to_string().into()))
                }
                5 => put.key = Key::Map(random.alphabetic().to_string().into()),
                _ => drop(change.operations.remove(to)),
            }
        }),
    }
}

#[test]
fn two_thousand_mutations_neither_panic_nor_swell_nor_spoil_the_document() {
    const MUTATIONS: usize = 2_000;
    let device = Device::new();
    let begun = device.begun();
    let good: Vec<_> = [
        "x",
        "on scene, two subjects detained",
        "\u{1f693} é ü",
        &"long ".repeat(200),
    ]
    .iter()
    .map(|text| device.write(&begun, &note(text)).bytes)
    .collect();
    let mut random = fastrand::Rng::with_seed(2);
    let mut refusals = std::collections::BTreeMap::new();
    let mut taken = 0;
    for round in 0..MUTATIONS {
        let bytes = mutated(&mut random, &good[round % good.len()]);
        let offer = device.sign(bytes);
        let mut document = begun.clone();
        let (result, peak) = memory::peak_bytes(|| device.admit_at(&mut document, &offer, NOW_MS));
        assert!(
            peak < PEAK_BYTES_MAX,
            "round {round}: {peak} bytes, {result:?}"
        );
        match result {
            Ok(_) => {
                taken += 1;
                assert_sound(&document);
                let next = device.write(&document, &note("next"));
                device.offer(&mut document, next.bytes).unwrap();
                assert_sound(&document);
            }
            Err(refusal) => *refusals.entry(refusal.code()).or_insert(0) += 1,
        }
    }
    // The mutations reach every depth: some are honest notes with another letter in them.
    assert!(taken > MUTATIONS / 50, "{taken} taken, {refusals:?}");
    assert!(refusals.len() >= 8, "{taken} taken, {refusals:?}");
    assert!(
        !refusals.contains_key(&Refusal::Inapplicable.code()),
        "the gates before Automerge leak: {refusals:?}"
    );
}
