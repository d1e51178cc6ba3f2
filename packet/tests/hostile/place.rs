//! Who writes, where in the history, when, and which kind.

use super::*;

#[test]
fn an_honest_change_is_taken() {
    let device = Device::new();
    let mut document = device.begun();
    let change = device.write(&document, &note("subject in custody"));
    let taken = device.offer(&mut document, change.bytes).unwrap();
    assert_eq!((taken.hash, taken.id), (change.hash, change.id));
    assert!(document.lineage().knows(&change.hash));
    assert_sound(&document);
}

#[test]
fn an_actor_that_is_not_the_devices_is_refused() {
    let device = Device::new();
    for author in [Author::Center(1), Author::Device(DeviceNumber(8))] {
        let document = device.begun();
        let actor = Actor::new(author, [1, 2, 3, 4]);
        let change = compose_on(actor, document.lineage().basis(actor), &note("x"));
        assert_eq!(refusal(&device, change.bytes), Refusal::WrongActor);
    }
    let short = altered_refusal(|change| change.actor_id = ActorId::from(&[1_u8, 2][..]));
    assert!(is_malformed(&short), "{short:?}");
}

#[test]
fn a_reused_number_is_refused_and_the_honest_change_after_it_is_taken() {
    let device = Device::new();
    let mut document = device.begun();
    let basis = document.lineage().basis(device.actor);
    let first = compose_on(device.actor, basis.clone(), &note("man with gun"));
    let second = compose_on(device.actor, basis, &note("all clear"));
    device.offer(&mut document, first.bytes).unwrap();
    assert_eq!(
        device.offer(&mut document, second.bytes),
        Err(Refusal::WrongNumber {
            wanted: 3,
            found: 2
        })
    );
    assert_sound(&document);
    let honest = device.write(&document, &note("honest"));
    device.offer(&mut document, honest.bytes).unwrap();
    assert_sound(&document);
}

/// The same note, written anew by another actor of this device.
fn anew(document: &Document, actor: Actor, first: ChangeHash) -> forerunner_packet::Composed {
    let written = Written {
        instead: Some(first),
        ..note("man with gun")
    };
    compose_on(actor, document.lineage().basis(actor), &written)
}

#[test]
fn an_entry_that_was_written_anew_is_taken_once_whichever_of_its_changes_comes_first() {
    let device = Device::new();
    let actors = [[9; 4], [8; 4]].map(|random| Actor::new(device.actor.author(), random));
    let begun = device.begun();
    let first = device.write(&begun, &note("man with gun"));
    let again = actors.map(|actor| anew(&begun, actor, first.hash).bytes);
    assert_eq!(
        inspect(&again[0]).unwrap().written.instead,
        Some(first.hash)
    );
    let all = [first.bytes, again[0].clone(), again[1].clone()];
    for taken in &all {
        let mut document = device.begun();
        device.offer(&mut document, taken.clone()).unwrap();
        for other in all.iter().filter(|other| *other != taken) {
            assert_eq!(
                device.offer(&mut document, other.clone()),
                Err(Refusal::HasIt)
            );
        }
        assert_eq!(document.lineage().len(), begun.lineage().len() + 1);
        assert_sound(&document);
    }
}

#[test]
fn nobody_writes_instead_of_another() {
    let (victim, attacker) = (Device::new(), Device::numbered(8));
    let mut document = victim.begun();
    let honest = victim.write(&document, &note("man with gun"));
    let forged = anew(&document, attacker.actor, honest.hash);
    attacker.offer(&mut document, forged.bytes).unwrap();
    victim.offer(&mut document, honest.bytes).unwrap();
    assert_sound(&document);
}

#[test]
fn what_it_is_written_instead_of_must_be_a_hash() {
    let device = Device::new();
    let first = ChangeHash([0xab; 32]);
    let change = anew(&device.begun(), device.actor, first);
    for bad in ["", "AB", &first.to_string().to_uppercase()] {
        let forged = altered(&change.bytes, |change| {
            let field = |op: &&mut Op| op.key == Key::Map("instead".into());
            let op = change.operations.iter_mut().find(field).unwrap();
            op.action = OpType::Put(ScalarValue::Str(bad.into()));
        });
        let refusal = refusal(&device, forged);
        assert!(is_not_add_only(&refusal), "{refusal:?}");
    }
}

#[test]
fn what_a_change_says_of_its_place_must_be_exact() {
    let number = altered_refusal(|change| change.seq += 1);
    assert!(
        is_not_add_only(&number),
        "its key still has the old number: {number:?}"
    );
    let device = Device::new();
    let place = |alter: &dyn Fn(&mut forerunner_packet::document::Basis)| {
        let mut basis = device.begun().lineage().basis(device.actor);
        alter(&mut basis);
        refusal(&device, compose_on(device.actor, basis, &note("x")).bytes)
    };
    assert_eq!(
        place(&|basis| basis.number = 3),
        Refusal::WrongNumber {
            wanted: 2,
            found: 3
        }
    );
    assert_eq!(
        place(&|basis| basis.number = 1),
        Refusal::WrongNumber {
            wanted: 2,
            found: 1
        }
    );
    assert_eq!(
        place(&|basis| basis.deps.push(ChangeHash([7; 32]))),
        Refusal::UnknownDependency
    );
    assert!(matches!(
        place(&|basis| basis.start_op += 1),
        Refusal::StartOperation { .. }
    ));
    assert!(matches!(
        place(&|basis| basis.start_op -= 1),
        Refusal::StartOperation { .. }
    ));
    // Numbers its operations from 1 again, as if it had written nothing before.
    let again = place(&|basis| (basis.deps, basis.start_op) = (vec![], 1));
    assert_eq!(again, Refusal::SkipsOwnChange);
    let deps_max = altered_refusal(|change| {
        change.deps = (0..9).map(|i| automerge::ChangeHash([i; 32])).collect()
    });
    assert!(is_malformed(&deps_max), "{deps_max:?}");
    let twice = altered_refusal(|change| change.deps.push(change.deps[0]));
    assert!(is_malformed(&twice), "{twice:?}");
}

#[test]
fn a_time_that_is_not_possible_is_refused() {
    let device = Device::new();
    let offer = device.sign(device.write(&device.begun(), &note("x")).bytes);
    // The author's clock is 40 ms ahead, and says so.
    let written_ms = NOW_MS - 40;
    let at = |now_ms: i64| {
        device
            .admit_at(&mut device.begun(), &offer, now_ms)
            .map(|_| ())
    };
    assert_eq!(at(written_ms - WRITTEN_AHEAD_MS_MAX), Ok(()));
    assert_eq!(
        at(written_ms - WRITTEN_AHEAD_MS_MAX - 1),
        Err(Refusal::Time)
    );
    assert_eq!(at(written_ms + WRITTEN_BEFORE_MS_MAX), Ok(()));
    assert_eq!(
        at(written_ms + WRITTEN_BEFORE_MS_MAX + 1),
        Err(Refusal::Time)
    );
    for time in [i64::MIN, -1, i64::MAX] {
        assert_eq!(altered_refusal(|change| change.time = time), Refusal::Time);
    }
    for off in [i64::MIN, i64::MAX] {
        let written = Written {
            clock_off_ms: Some(off),
            ..note("x")
        };
        assert_eq!(
            refusal(&device, device.write(&device.begun(), &written).bytes),
            Refusal::Time
        );
    }
}

#[test]
fn a_kind_that_a_device_may_not_write_is_refused_though_it_can_be_read() {
    let device = Device::new();
    let fields = serde_json::Map::from_iter([("url".into(), "rtsp://x".into())]);
    let unknown = Written {
        entry: Entry::Other {
            kind: "drone_feed".into(),
            fields,
        },
        clock_off_ms: None,
        instead: None,
    };
    let change = device.write(&device.begun(), &unknown);
    assert_eq!(inspect(&change.bytes).unwrap().written, unknown);
    let compartment = Compartment::Call;
    assert_eq!(
        refusal(&device, change.bytes),
        Refusal::MayNotWrite {
            kind: Kind::Other,
            compartment
        }
    );
    let caution = Written {
        entry: Entry::Caution(Caution {
            text: "dog".into(),
            by: "Diaz".into(),
            ends_ms: None,
        }),
        ..unknown
    };
    let change = device.write(&device.begun(), &caution);
    assert_eq!(
        refusal(&device, change.bytes),
        Refusal::MayNotWrite {
            kind: Kind::Caution,
            compartment
        }
    );
    let safety = Device {
        compartment: Compartment::Safety,
        ..Device::new()
    };
    let mut document = Document::new();
    let change = safety.write(&document, &caution);
    safety.offer(&mut document, change.bytes).unwrap();
}

#[test]
fn only_the_device_that_opened_a_packet_writes_its_facts() {
    let facts = serde_json::json!({
        "kind": "facts", "agency": "cedarport-pd", "nature": "TRAFFIC STOP", "category": "traffic", "priority": 4,
        "reason": "officer", "location": "100 N MAIN ST", "received_ms": 1, "state": "open",
    });
    let entry = Entry::from_fields(facts.as_object().unwrap().clone()).unwrap();
    let written = Written {
        entry,
        clock_off_ms: None,
        instead: None,
    };
    for opened in [false, true] {
        let device = Device {
            opened,
            ..Device::new()
        };
        let mut document = Document::new();
        let change = device.write(&document, &written);
        let taken = device.offer(&mut document, change.bytes);
        assert_eq!(taken.is_ok(), opened, "{taken:?}");
        assert_eq!(
            may_write(
                Author::Device(DeviceNumber(7)),
                Compartment::Call,
                Kind::Facts,
                opened
            ),
            opened
        );
    }
}

#[test]
fn every_refusal_has_its_own_code_and_one_plain_sentence() {
    let all = [
        Refusal::TooLarge {
            bytes: 2,
            bytes_max: 1,
        },
        Refusal::Signature,
        Refusal::Malformed("x".into()),
        Refusal::Compressed,
        Refusal::TooManyOperations {
            operations: 2,
            operations_max: 1,
        },
        Refusal::WrongActor,
        Refusal::WrongNumber {
            wanted: 1,
            found: 2,
        },
        Refusal::UnknownDependency,
        Refusal::SkipsOwnChange,
        Refusal::StartOperation {
            wanted: 1,
            found: 2,
        },
        Refusal::Time,
        Refusal::NotAddOnly("x".into()),
        Refusal::Entry(note(" ").entry.check().unwrap_err()),
        Refusal::MayNotWrite {
            kind: Kind::Finding,
            compartment: Compartment::Call,
        },
        Refusal::Inapplicable,
        Refusal::DocumentFull,
        Refusal::Policy("x".into()),
        Refusal::Mac,
        Refusal::HasIt,
    ];
    for (index, refusal) in all.iter().enumerate() {
        assert_eq!(usize::from(refusal.code()), index + 1);
        let sentence = refusal.to_string();
        assert!(
            sentence.ends_with('.') && !sentence.contains('{'),
            "{sentence}"
        );
    }
}
