use super::super::Unkept;
use super::*;
use crate::identity::CenterKeys;

fn keys(folder: &Path) -> CenterKeys {
    CenterKeys::open_or_create(&folder.join("keys"), &["localhost".into()]).unwrap()
}

fn shown(n: u32) -> Record {
    Record {
        object: format!("{n:016x}/call"),
        stretch: Some((0, 5)),
        subjects: Subject::read("plate", "ABC123").into_iter().collect(),
        purpose: Some("C".into()),
        ..Record::of("Analyst", Act::SeePacket)
    }
}

#[tokio::test]
async fn what_could_not_be_entered_waits_over_a_restart_is_told_and_is_entered() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    {
        let unkept = Unkept::open(folder.path(), 0);
        assert_eq!(unkept.alert(), None);
        unkept.keep(&keys, &[shown(1), shown(2)], &LogError::Full);
        let alert = unkept.alert().unwrap();
        assert!(
            alert.lasts && alert.text.contains("its disk is full"),
            "{alert:?}"
        );
        assert!(alert.text.contains("2 records wait"), "{alert:?}");
    }
    // Nothing of it can be read beside the log.
    let file = std::fs::read(folder.path().join("audit-unkept")).unwrap();
    assert_eq!(
        file.len(),
        1024 * 1024,
        "its room is there before it is needed"
    );
    for plain in ["Analyst", "ABC123", "SeePacket"] {
        assert!(
            !file
                .windows(plain.len())
                .any(|part| part == plain.as_bytes()),
            "{plain}"
        );
    }
    let unkept = Unkept::open(folder.path(), 0);
    assert_eq!(unkept.waiting(), 2);
    unkept.keep(&keys, &[shown(3)], &LogError::Full);
    assert_eq!(unkept.enter(&keys, &bench.log).await.unwrap(), 3);
    assert_eq!(unkept.waiting(), 0);
    let entered = bench
        .read(|c| {
            let criteria = find::Criteria {
                subject: Subject::read("plate", "abc 123"),
                ..find::Criteria::default()
            };
            find::find(
                c,
                &criteria,
                &find::Sight::of(&crate::policy::built_in(), &Actor::of(Role::Auditor)),
                None,
                10,
            )
        })
        .await;
    let entries = &entered.entries;
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[2].object, format!("{:016x}/call", 1));
    assert_eq!((entries[2].after, entries[2].through), (Some(0), Some(5)));
    assert_eq!(bench.verify().await.faults, []);
    // It is told until somebody who may has seen it, also after a restart.
    let alert = unkept.alert().unwrap();
    assert!(!alert.lasts, "{alert:?}");
    let unseen = bench.read(review::unseen_failures).await;
    assert_eq!(unseen, 1);
    assert!(Unkept::open(folder.path(), unseen).alert().is_some());
    let by = Actor {
        name: "R. Auditor".into(),
        ..Actor::of(Role::Auditor)
    };
    let seen = bench
        .log
        .write(move |ledger| review::see_failures(ledger, &by));
    seen.await.unwrap();
    unkept.seen();
    assert_eq!(unkept.alert(), None);
    assert_eq!(bench.read(review::unseen_failures).await, 0);
}

#[tokio::test]
async fn what_finds_no_room_beside_the_log_either_is_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let keys = keys(folder.path());
    let unkept = Unkept::open(folder.path(), 0);
    let long = Record {
        detail: "x".repeat(40_000),
        ..shown(1)
    };
    let many: Vec<Record> = (0..40).map(|_| long.clone()).collect();
    unkept.keep(&keys, &many, &LogError::Full);
    let waiting = unkept.waiting();
    assert!((20..40).contains(&waiting), "{waiting}");
    let alert = unkept.alert().unwrap().text;
    assert!(
        alert.contains(&format!("{} found no room anywhere", 40 - waiting)),
        "{alert}"
    );
}
