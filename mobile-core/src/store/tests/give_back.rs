//! A center that was restored from a backup, and the device that still has what it lost.

use super::*;

/// A device that had all of a log: theirs, mine, theirs; and wrote one more since.
fn held() -> Bench {
    let mut bench = Bench::granted();
    let (_, first) = bench.center("theirs, first");
    bench.apply(&[first]);
    bench.write("mine, second");
    let mine = bench.outbox().remove(0);
    bench.seq += 1;
    bench.apply(&[accepted(mine.hash, bench.seq)]);
    let (_, third) = bench.center("theirs, third");
    bench.apply(&[third, position(&[notes(), safety()])]);
    bench.write("mine, unsent");
    bench
}

const HELD: [&str; 4] = [
    "theirs, first",
    "mine, second",
    "theirs, third",
    "mine, unsent",
];

fn offered(bench: &Bench) -> Vec<String> {
    let text = |unsent: Unsent| match packet::inspect(&unsent.bytes).unwrap().written.entry {
        Entry::Note(note) => note.text,
        other => format!("{:?}", other.kind()),
    };
    bench.outbox().into_iter().map(text).collect()
}

fn reopened(mut bench: Bench) -> Bench {
    bench.store.pause().unwrap();
    let (store, set_aside) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
    assert!(set_aside.is_none());
    bench.store = store;
    bench
}

#[test]
fn another_log_is_offered_all_that_the_last_one_had_in_its_order_and_takes_it() {
    let bench = held();
    let applied = bench.apply(&[welcome(2, true)]);
    let outbox = bench.outbox();
    assert_eq!(offered(&bench), HELD);
    let by_mac: Vec<bool> = outbox
        .iter()
        .map(|unsent| matches!(unsent.proof, Proof::CenterMac(_)))
        .collect();
    assert_eq!(by_mac, [true, false, true, false]);
    let (told, _) = applied.outbox.unwrap();
    assert_eq!(told[&notes()], outbox, "the machine hears of it at once");
    assert_eq!(bench.sealed_files(), 2, "mine are sealed again");
    // The center knows nothing, and takes each where it comes.
    let mut document = Document::new();
    for unsent in &outbox {
        assert_eq!(bench.admit(&mut document, unsent), Ok(()));
    }
    let answers: Vec<_> = (1..)
        .zip(&outbox)
        .map(|(seq, u)| accepted(u.hash, seq))
        .collect();
    bench.apply(&[Operation::Grant(notes())]);
    bench.apply(&answers);
    assert!(bench.outbox().is_empty());
    assert_eq!(bench.sealed_files(), 0);
    assert_eq!(texts(&bench), HELD);
}

#[test]
fn what_is_written_after_all_was_given_back_is_offered_at_once() {
    let bench = held();
    let applied = bench.apply(&[welcome(2, true), Operation::Grant(notes())]);
    let (_, read_through) = applied.outbox.unwrap();
    let answers: Vec<_> = (1..)
        .zip(bench.outbox())
        .map(|(seq, unsent)| accepted(unsent.hash, seq))
        .collect();
    bench.apply(&answers);
    bench.write("mine, later");
    let (later, _) = bench.store.outbox_after(read_through).unwrap();
    assert_eq!(later, bench.outbox());
    assert_eq!(later.len(), 1);
}

#[test]
fn what_is_to_be_given_back_survives_a_restart() {
    let bench = held();
    bench.apply(&[welcome(2, true)]);
    let before = bench.outbox();
    let bench = reopened(bench);
    assert_eq!(bench.outbox(), before);
    assert_eq!(before.len(), 4);
    assert_eq!(texts(&bench), HELD);
}

#[test]
fn a_call_that_the_center_does_not_know_any_more_stays_whole_until_it_was_given_back() {
    let bench = held();
    bench.apply(&[welcome(2, true), position(&[])]);
    assert_eq!(texts(&bench), HELD, "the center has granted nothing");
    let outbox = bench.outbox();
    let (last, before) = outbox.split_last().unwrap();
    let (last_given_back, before) = before.split_last().unwrap();
    for (seq, unsent) in (1..).zip(before) {
        bench.apply(&[accepted(unsent.hash, seq)]);
        assert_eq!(texts(&bench), HELD);
    }
    // It was all given back, and not granted again: what was never at the center stays.
    bench.apply(&[accepted(last_given_back.hash, 3)]);
    assert_eq!(texts(&bench), ["mine, unsent"]);
    bench.apply(&[accepted(last.hash, 4)]);
    assert_eq!(texts(&bench), [""; 0]);
    assert!(bench.store.packets().unwrap().is_empty());
}

#[test]
fn a_call_that_is_granted_again_while_it_is_given_back_never_leaves() {
    let bench = held();
    bench.apply(&[welcome(2, true), position(&[])]);
    let outbox = bench.outbox();
    bench.apply(&[accepted(outbox[0].hash, 1), Operation::Grant(notes())]);
    for (seq, unsent) in (2..).zip(&outbox[1..]) {
        bench.apply(&[accepted(unsent.hash, seq)]);
        assert_eq!(texts(&bench), HELD);
    }
    bench.apply(&[position(&[notes()])]);
    assert_eq!(texts(&bench), HELD);
    assert_eq!(
        bench.store.load().unwrap().kept.documents,
        [(notes(), None)]
    );
}

#[test]
fn what_comes_down_need_not_be_given_back() {
    let mut bench = held();
    bench.apply(&[welcome(2, true), Operation::Grant(notes())]);
    let [first, ..] = &bench.outbox()[..] else {
        panic!("it has something to give back")
    };
    bench.seq = 0;
    let down = bench.changes(std::slice::from_ref(&first.bytes));
    bench.apply(&[down]);
    assert_eq!(offered(&bench), &HELD[1..]);
    assert_eq!(texts(&bench), HELD);
}

#[test]
fn of_a_revoked_call_others_changes_are_given_back_and_not_shown() {
    let bench = held();
    bench.apply(&[welcome(2, true), Operation::Revoke(notes())]);
    assert_eq!(offered(&bench), HELD);
    assert_eq!(texts(&bench), ["mine, second", "mine, unsent"]);
    assert_eq!(bench.store.outbox_len().unwrap(), 2, "others' are not mine");
    for (seq, unsent) in (1..).zip(bench.outbox()) {
        bench.apply(&[accepted(unsent.hash, seq)]);
    }
    assert!(bench.outbox().is_empty());
    bench.apply(&[position(&[])]);
    assert!(bench.store.packet(call()).unwrap().is_none());
}

#[test]
fn what_others_wrote_goes_when_it_is_refused_and_mine_behind_it_is_written_anew() {
    let bench = held();
    bench.apply(&[welcome(2, true), Operation::Grant(notes())]);
    let before = bench.outbox();
    let mut document = Document::new();
    // The center takes nothing but what stands on nothing that was refused.
    bench.apply(&[refused(before[0].hash, &Refusal::Mac)]);
    for _ in 0..8 {
        let Some(next) = bench.outbox().into_iter().next() else {
            break;
        };
        match bench.admit(&mut document, &next) {
            Ok(()) => bench.apply(&[accepted(next.hash, 1)]),
            Err(refusal) => bench.apply(&[refused(next.hash, &refusal)]),
        };
    }
    assert!(bench.outbox().is_empty());
    assert_eq!(document.lineage().len(), 2);
    assert_eq!(texts(&bench), ["mine, second", "mine, unsent"]);
    assert!(
        bench
            .packet()
            .iter()
            .all(|(_, standing)| *standing == Standing::AtCenter)
    );
}

#[test]
fn what_i_wrote_and_only_got_back_from_the_center_is_given_back_by_its_mac_and_kept_when_refused() {
    let bench = Bench::granted();
    bench.write("mine, from before the store was lost");
    let mine = bench.outbox().remove(0);
    let (other, _) = (Bench::new(), ());
    let mut anew = Bench {
        pen: bench.pen.clone(),
        ..other
    };
    anew.apply(&[welcome(1, true), Operation::Grant(notes())]);
    let down = anew.changes(std::slice::from_ref(&mine.bytes));
    anew.apply(&[down, position(&[notes()])]);
    anew.apply(&[welcome(2, true)]);
    let [given_back] = &anew.outbox()[..] else {
        panic!("one is given back")
    };
    assert!(matches!(given_back.proof, Proof::CenterMac(_)));
    assert_eq!(anew.admit(&mut Document::new(), given_back), Ok(()));
    anew.apply(&[refused(given_back.hash, &Refusal::Policy("no".into()))]);
    assert!(anew.outbox().is_empty());
    assert!(matches!(
        &anew.packet()[..],
        [(text, Standing::Refused(_))] if text == "mine, from before the store was lost"
    ));
}

#[test]
fn a_center_that_is_lost_once_more_is_given_back_the_rest_behind_what_it_had_taken() {
    let bench = held();
    bench.apply(&[welcome(2, true), Operation::Grant(notes())]);
    let outbox = bench.outbox();
    bench.apply(&[accepted(outbox[0].hash, 901), accepted(outbox[1].hash, 902)]);
    bench.apply(&[welcome(3, true)]);
    assert_eq!(offered(&bench), HELD);
}

#[test]
fn receipts_of_the_lost_log_do_not_count_for_the_new_one() {
    let bench = held();
    bench.apply(&[Operation::Seen {
        number: 70,
        document: notes(),
        through: 900,
        who: "an analyst".into(),
        at_ms: 1,
    }]);
    bench.store.show(call(), 5).unwrap();
    bench.apply(&[welcome(2, true)]);
    assert!(bench.store.seen(call()).unwrap().is_empty());
    assert!(bench.store.untold().unwrap().is_empty());
    assert_eq!(bench.store.load().unwrap().kept.receipts, 0);
}

#[test]
fn a_change_without_a_hash_of_its_own_is_never_given_back() {
    let mut bench = Bench::granted();
    let unreadable = bench.changes(&[b"not a change".to_vec()]);
    bench.apply(&[unreadable]);
    bench.apply(&[welcome(2, true)]);
    assert!(bench.outbox().is_empty());
}

#[test]
fn a_store_of_the_first_version_is_brought_up_to_date() {
    let bench = held();
    bench
        .store
        .write(|tx, _| {
            tx.execute_batch(
                "ALTER TABLE documents DROP COLUMN leased;
                 DROP INDEX changes_given_back; DROP INDEX changes_newest; DROP INDEX changes_listed;
                 ALTER TABLE changes DROP COLUMN again;
                 DROP TABLE attached; DROP TABLE chunks; DROP TABLE blobs; DROP TABLE puts;
                 DROP TRIGGER searched_erased; DROP TABLE searched;
                 PRAGMA user_version = 1",
            )?;
            Ok(())
        })
        .unwrap();
    let bench = reopened(bench);
    assert_eq!(texts(&bench), HELD);
    bench.apply(&[welcome(2, true)]);
    assert_eq!(offered(&bench), HELD);
}
