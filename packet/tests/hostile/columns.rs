//! The columns of a change: lengths that lie, columns that no entry has, other spellings.

use super::*;

#[test]
fn a_column_that_expands_is_refused_in_every_column() {
    let specs: Vec<_> = {
        let device = Device::new();
        let change = device.write(&device.begun(), &note("x"));
        Parts::read(&change.bytes)
            .columns
            .into_iter()
            .map(|(spec, _)| spec)
            .collect()
    };
    assert_eq!(specs.len(), 8);
    for count in [OPS_MAX as i64 + 1, 1_000_000_000, i64::MAX] {
        for (index, spec) in specs.iter().enumerate() {
            let mut repeat = Vec::new();
            write_signed(&mut repeat, count);
            repeat.push(0);
            let mut literal = Vec::new();
            write_signed(&mut literal, -count);
            literal.extend([0; 40]);
            let mut nothing = vec![0];
            write_unsigned(&mut nothing, count as u64);
            let mut no_inserts = Vec::new();
            write_unsigned(&mut no_inserts, count as u64);
            for bomb in [repeat, literal, nothing, no_inserts] {
                let refused = parts_refusal(|parts| parts.columns[index].1 = bomb.clone());
                let named = match refused {
                    Refusal::TooManyOperations { operations, .. } => operations > OPS_MAX,
                    Refusal::Malformed(_) | Refusal::NotAddOnly(_) => true,
                    _ => false,
                };
                assert!(named, "column {spec:#x}, {bomb:?}: {refused:?}");
            }
            // All columns at once, so that they agree with each other.
            let refused = parts_refusal(|parts| {
                for (spec, column) in &mut parts.columns {
                    if *spec != 0x57 {
                        column.clear();
                        if *spec != 0x34 {
                            column.push(0);
                        }
                        write_unsigned(column, count as u64);
                    }
                }
            });
            assert!(
                matches!(refused, Refusal::TooManyOperations { .. }),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn a_run_of_no_length_is_refused() {
    assert!(is_malformed(&parts_refusal(
        |parts| parts.columns[4].1 = [0, 0].repeat(2_000)
    )));
    assert!(is_malformed(&parts_refusal(|parts| parts
        .columns
        .iter_mut()
        .for_each(|(_, c)| c.clear()))));
}

#[test]
fn a_column_that_no_entry_has_is_refused() {
    // Key by actor and counter, predecessors' actor and counter, expand, mark name, an unknown id.
    for (at, spec) in [
        (2, 0x11),
        (2, 0x13),
        (8, 0x71),
        (8, 0x73),
        (8, 0x94),
        (8, 0xa5),
        (8, 0xb2),
    ] {
        let refused = parts_refusal(|parts| parts.columns.insert(at, (spec, vec![])));
        assert!(is_not_add_only(&refused), "{spec:#x}: {refused:?}");
        let refused = parts_refusal(|parts| parts.columns.insert(at, (spec, vec![5, 0])));
        assert!(is_not_add_only(&refused), "{spec:#x}: {refused:?}");
    }
    for index in 0..8 {
        assert_eq!(
            parts_refusal(|parts| parts.columns[index].0 |= 8),
            Refusal::Compressed
        );
        parts_refusal(|parts| drop(parts.columns.remove(index)));
        let twice =
            parts_refusal(|parts| parts.columns.insert(index, parts.columns[index].clone()));
        assert!(is_not_add_only(&twice), "{twice:?}");
    }
    assert!(is_not_add_only(&parts_refusal(|parts| parts
        .columns
        .swap(0, 1))));
}

#[test]
fn lengths_that_do_not_add_up_are_refused() {
    for index in 0..8 {
        parts_refusal(|parts| parts.columns[index].1.push(0));
        parts_refusal(|parts| assert!(parts.columns[index].1.pop().is_some()));
    }
    assert!(is_malformed(&parts_refusal(|parts| parts.extra = vec![1])));
    // A count of dependencies that would be an allocation of exabytes.
    let refused = parts_refusal(|parts| {
        let mut head = Vec::new();
        write_unsigned(&mut head, u64::MAX / 32);
        head.extend_from_slice(&parts.head[1..]);
        parts.head = head;
    });
    assert!(is_malformed(&refused), "{refused:?}");
}

#[test]
fn the_same_change_in_another_encoding_is_refused() {
    // A run of two equal actions, spelt as two values: Automerge reads both alike.
    let device = Device::new();
    let mut document = device.begun();
    let change = device.write(&document, &note("x"));
    let mut parts = Parts::read(&change.bytes);
    let actions = &mut parts.columns[4].1;
    assert_eq!(actions[..], [0x7f, 0, 4, 1]);
    *actions = vec![0x7b, 0, 1, 1, 1, 1];
    let other = parts.seal();
    let read = |bytes: &[u8]| {
        automerge::Change::try_from(bytes)
            .unwrap()
            .decode()
            .operations
    };
    assert_eq!(read(&other), read(&change.bytes));
    assert_eq!(
        device.offer(&mut document, other),
        Err(Refusal::Malformed("it is not in its one form".into()))
    );
}
