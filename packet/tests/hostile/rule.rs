//! The add-only rule: operations that would do more than add one entry.

use super::*;

type Alter = Box<dyn FnOnce(&mut ExpandedChange)>;

fn put_again(change: &ExpandedChange) -> Op {
    change.operations.last().unwrap().clone()
}

#[test]
fn overwriting_another_entry_is_refused() {
    // The first entry of the document is the center's "man with gun".
    let center = ActorId::from(&Actor::new(Author::Center(1), [5; 4]).0[..]);
    let theirs = || ObjectId::Id(OpId(1, center.clone()));
    let into = altered_refusal(|change| change.operations.last_mut().unwrap().obj = theirs());
    assert!(is_not_add_only(&into), "{into:?}");
    let pred = altered_refusal(|change| {
        let put = change.operations.last_mut().unwrap();
        put.obj = theirs();
        put.pred = vec![OpId(5, center.clone())].into();
    });
    assert!(is_not_add_only(&pred), "{pred:?}");
    let own = ActorId::from(&Device::new().actor.0[..]);
    let earlier = altered_refusal(|change| {
        change.operations.last_mut().unwrap().obj = ObjectId::Id(OpId(6, own.clone()))
    });
    assert!(is_not_add_only(&earlier), "{earlier:?}");
    let root = altered_refusal(|change| change.operations.last_mut().unwrap().obj = ObjectId::Root);
    assert!(is_not_add_only(&root), "{root:?}");
    let preceded =
        altered_refusal(|change| change.operations[0].pred = vec![OpId(1, own.clone())].into());
    assert!(is_not_add_only(&preceded), "{preceded:?}");
}

#[test]
fn a_key_that_is_not_the_changes_own_is_refused() {
    let device = Device::new();
    let center = Actor::new(Author::Center(1), [5; 4]);
    for id in [
        EntryId {
            actor: center,
            number: 1,
        },
        EntryId {
            actor: device.actor,
            number: 1,
        },
        EntryId {
            actor: device.actor,
            number: 3,
        },
    ] {
        let refused =
            altered_refusal(|change| change.operations[0].key = Key::Map(id.to_string().into()));
        assert!(is_not_add_only(&refused), "{refused:?}");
    }
}

#[test]
fn operations_that_no_entry_has_are_refused() {
    let cases: Vec<(&str, Alter)> = vec![
        (
            "one field twice",
            Box::new(|c| c.operations.push(put_again(c))),
        ),
        ("out of order", Box::new(|c| c.operations.swap(1, 2))),
        (
            "two entries",
            Box::new(|c| c.operations.push(c.operations[0].clone())),
        ),
        (
            "a map in a field",
            Box::new(|c| c.operations[2].action = OpType::Make(ObjType::Map)),
        ),
        (
            "a list",
            Box::new(|c| c.operations[0].action = OpType::Make(ObjType::List)),
        ),
        (
            "a text",
            Box::new(|c| c.operations[0].action = OpType::Make(ObjType::Text)),
        ),
        (
            "a table",
            Box::new(|c| c.operations[0].action = OpType::Make(ObjType::Table)),
        ),
        (
            "delete",
            Box::new(|c| c.operations[2].action = OpType::Delete),
        ),
        (
            "increment",
            Box::new(|c| c.operations[2].action = OpType::Increment(1)),
        ),
        (
            "mark end",
            Box::new(|c| c.operations[2].action = OpType::MarkEnd(false)),
        ),
        ("insert", Box::new(|c| c.operations[2].insert = true)),
        (
            "a place in a list",
            Box::new(|c| c.operations[2].key = Key::Seq(ElementId::Head)),
        ),
        (
            "no entry at all",
            Box::new(|c| drop(c.operations.remove(0))),
        ),
        (
            "a field without a name",
            Box::new(|c| c.operations[1].key = Key::Map("".into())),
        ),
        (
            "mark begin",
            Box::new(|c| {
                let mark = MarkData {
                    name: "bold".into(),
                    value: ScalarValue::Null,
                    expand: true,
                };
                c.operations[2].action = OpType::MarkBegin(mark);
            }),
        ),
    ];
    for (name, alter) in cases {
        let refused = altered_refusal(alter);
        assert!(is_not_add_only(&refused), "{name}: {refused:?}");
    }
    for value in [
        ScalarValue::Null,
        ScalarValue::Uint(1),
        ScalarValue::F64(1.0),
        ScalarValue::F64(f64::NAN),
        ScalarValue::Timestamp(1),
        ScalarValue::counter(1),
        ScalarValue::Bytes(vec![1]),
        ScalarValue::Unknown {
            type_code: 12,
            bytes: vec![1],
        },
    ] {
        let refused =
            altered_refusal(|change| change.operations[2].action = OpType::Put(value.clone()));
        assert!(
            is_not_add_only(&refused) || is_malformed(&refused),
            "{value:?}: {refused:?}"
        );
    }
    assert!(is_malformed(&altered_refusal(
        |change| change.message = Some("hello".into())
    )));
    assert!(is_malformed(&altered_refusal(|change| change
        .extra_bytes =
        vec![1, 1, 1])));
    assert!(is_malformed(&altered_refusal(|change| change
        .operations
        .clear())));
}

#[test]
fn fields_that_are_not_the_kinds_are_refused() {
    let entry = |refusal: Refusal| matches!(refusal, Refusal::Entry(_));
    // note: by, kind, off, text
    assert!(entry(altered_refusal(|change| drop(
        change.operations.pop()
    ))));
    assert!(entry(altered_refusal(
        |change| change.operations[1].key = Key::Map("bz".into())
    )));
    assert!(entry(altered_refusal(|change| change.operations[4]
        .action =
        OpType::Put(ScalarValue::Int(1)))));
    let long = ScalarValue::Str("x".repeat(2_001).into());
    assert!(entry(altered_refusal(|change| change.operations[4]
        .action =
        OpType::Put(long))));
    let off = altered_refusal(|change| {
        change.operations[3].action = OpType::Put(ScalarValue::Str("0".into()))
    });
    assert!(is_not_add_only(&off), "{off:?}");
    let wide = altered_refusal(|change| {
        for index in 0..OPS_MAX {
            let mut put = put_again(change);
            put.key = Key::Map(format!("z{index:02}").into());
            change.operations.push(put);
        }
    });
    assert!(
        matches!(wide, Refusal::TooManyOperations { .. }),
        "{wide:?}"
    );
}

#[test]
fn a_field_that_says_nothing_is_not_written_out() {
    // A packet that an officer opened has no number of CAD's: the field is left out. Written
    // out empty it reads the same, and would be another change when it is written anew.
    let device = Device {
        compartment: Compartment::Call,
        opened: true,
        ..Device::new()
    };
    let facts = Written {
        entry: Entry::from_fields(
            serde_json::json!({
                "kind": "facts", "agency": "cedarport-pd", "nature": "ON VIEW", "category": "stop",
                "priority": 3, "reason": "on view", "location": "5th and Oak",
                "received_ms": NOW_MS, "state": "open",
            })
            .as_object()
            .unwrap()
            .clone(),
        )
        .unwrap(),
        clock_off_ms: None,
        instead: None,
    };
    let mut document = device.begun();
    let honest = device.write(&document, &facts).bytes;
    let written_out = altered(&honest, |change| {
        let mut number = put_again(change);
        number.key = Key::Map("number".into());
        number.action = OpType::Put(ScalarValue::Str("".into()));
        let next = |op: &Op| op.key == Key::Map("priority".into());
        let at = change.operations.iter().position(next).unwrap();
        change.operations.insert(at, number);
    });
    let refused = device.offer(&mut document, written_out).unwrap_err();
    assert!(is_not_add_only(&refused), "{refused:?}");
    device.offer(&mut document, honest).unwrap();
}
