//! Documents under keys of their own, at a center that loses them.

use sync::frame::Lease;

use super::*;
use crate::store::leases::{IS_OVER, UNDER_OWN_KEY};

const LENGTH_MS: i64 = 60 * 60_000;

fn leased_welcome(incarnation: u64, anew: bool) -> Operation {
    let Operation::Welcome {
        center_now_ms,
        dictionary,
        digest,
        ..
    } = welcome(incarnation, anew)
    else {
        unreachable!("a welcome is one")
    };
    Operation::Welcome {
        incarnation,
        center_now_ms,
        dictionary,
        digest,
        anew,
        leases: vec![Lease {
            agency: "mallory-so".into(),
            compartment: Compartment::Call as u8,
            minutes: 60,
        }],
    }
}

/// A device that has the call's notes on a lease: one of them, from the center.
fn leased() -> (Bench, Composed) {
    let mut bench = Bench::new();
    bench.apply(&[leased_welcome(1, true), Operation::Grant(notes())]);
    let (change, came) = bench.center("QZ leased QZ");
    bench.apply(&[came, position(&[notes()])]);
    (bench, change)
}

fn how_kept(bench: &Bench) -> i64 {
    let read = |tx: &rusqlite::Transaction<'_>| super::super::leases::how_kept(tx, notes());
    bench.store.read(read).unwrap()
}

fn later(ms: i64) -> crate::lock::tries::Moment {
    crate::lock::tries::Moment {
        boot_ms: 0,
        wall_ms: NOW_MS + ms,
    }
}

#[test]
fn a_restored_center_is_given_back_what_is_leased_and_opened_for_it() {
    let (bench, change) = leased();
    assert_eq!(how_kept(&bench), UNDER_OWN_KEY);
    bench.apply(&[leased_welcome(2, true)]);
    let [unsent] = &bench.outbox()[..] else {
        panic!("one change is given back")
    };
    assert_eq!(unsent.bytes, change.bytes);
    assert!(matches!(unsent.proof, Proof::CenterMac(_)));
    assert_eq!(bench.admit(&mut Document::new(), unsent), Ok(()));
    // Taken, and granted again: it stays under its key.
    bench.apply(&[accepted(unsent.hash, 1), Operation::Grant(notes())]);
    bench.apply(&[position(&[notes()])]);
    assert_eq!(texts(&bench), ["QZ leased QZ"]);
    assert!(bench.outbox().is_empty());
    // Its lease ends before all is given back: then that cannot be.
    bench.apply(&[leased_welcome(3, true)]);
    assert!(bench.store.leases().pass(later(LENGTH_MS)));
    assert!(bench.outbox().is_empty());
}

#[test]
fn after_the_end_of_a_lease_the_hello_says_that_nothing_is_here() {
    let (mut bench, change) = leased();
    let before = bench.store.load().unwrap().kept;
    assert_eq!(before.documents, [(notes(), None)]);
    assert!(bench.store.leases().pass(later(LENGTH_MS)));
    assert!(bench.store.leases().forget_over().unwrap());
    assert!(bench.store.settle_leases().unwrap());
    let after = bench.store.load().unwrap().kept;
    assert_eq!(after.documents, [(notes(), Some(0))]);
    assert_eq!(
        (after.position, after.digest),
        (before.position, before.digest)
    );
    // A position without it does not make it be here.
    bench.apply(&[position(&[notes()])]);
    assert_eq!(bench.store.load().unwrap().kept.documents, after.documents);
    assert_eq!(how_kept(&bench), IS_OVER);
    bench.seq = 0;
    let again = bench.changes(&[change.bytes]);
    bench.apply(&[again, position(&[notes()])]);
    assert_eq!(texts(&bench), ["QZ leased QZ"]);
    assert_eq!(how_kept(&bench), UNDER_OWN_KEY);
    assert_eq!(bench.store.load().unwrap().kept.documents, before.documents);
}

#[test]
fn what_comes_of_a_document_whose_key_is_gone_is_not_kept_and_has_it_come_anew() {
    let (mut bench, _) = leased();
    assert!(bench.store.leases().pass(later(LENGTH_MS)));
    let (_, more) = bench.center("one more");
    let applied = bench.apply(&[more]);
    assert!(applied.comes_anew);
    assert!(texts(&bench).is_empty());
    assert_eq!(how_kept(&bench), IS_OVER);
    assert_eq!(
        bench.store.load().unwrap().kept.documents,
        [(notes(), Some(0))]
    );
}

#[test]
fn a_sealed_row_opens_nowhere_but_in_its_place() {
    let (bench, change) = leased();
    let leases = bench.store.leases();
    let sealed = leases
        .seal(notes(), change.hash, b"words")
        .unwrap()
        .unwrap();
    let opened = |document, hash| leases.unseal(document, hash, &sealed);
    assert_eq!(opened(notes(), change.hash).unwrap(), b"words");
    assert_eq!(opened(notes(), ChangeHash([1; 32])), None);
    assert_eq!(opened(safety(), change.hash), None);
    let again = leases
        .seal(notes(), change.hash, b"words")
        .unwrap()
        .unwrap();
    assert_ne!(sealed, again);
    assert_eq!(leases.seal(safety(), change.hash, b"words").unwrap(), None);
}

#[test]
fn keys_without_a_clock_and_a_clock_without_keys_are_over() {
    for gone in ["lease-clock", "lease-keys"] {
        let (bench, _) = leased();
        bench.store.pause().unwrap();
        bench.keys.erase(gone).unwrap();
        let (store, aside) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
        assert!(aside.is_none());
        assert!(store.packet(call()).unwrap().unwrap().is_empty(), "{gone}");
        assert!(bench.keys.load("lease-keys").unwrap().is_none());
        assert!(bench.keys.load("lease-clock").unwrap().is_none());
    }
}
