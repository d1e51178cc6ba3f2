//! Followers, and contacts within a budget, over whole sessions.

use super::{Center, Officer, PATIENCE, call, caution, facts, notes, open, safety};
use crate::core::{Budget, Ended, ListNews, PacketNews, Synced};
use crate::{CancellationToken, Core, CoreError, LinkState, MineState, Ticket};
use futures_util::FutureExt;
use packet::CallId;
use std::sync::Arc;
use std::time::Duration;

const AMPLE: Budget = Budget {
    // Under the patience of these tests: one that does not end reports why.
    ms_max: 30_000,
    bytes_max: 10_000_000,
    call: None,
};

/// Enrolled and signed on, and nobody keeps a session.
async fn off_line(center: &Arc<Center>) -> (tempfile::TempDir, Core) {
    let dir = tempfile::tempdir().unwrap();
    let core = open(&dir, center).core;
    let ticket = Ticket {
        center: "center.example:8443".into(),
        ca: center.ca.clone(),
        code: "once".into(),
    };
    core.enrol(&ticket).await.unwrap();
    core.sign_on("1234", "4A12").await.unwrap();
    (dir, core)
}

async fn contact(core: &Core, budget: Budget) -> Synced {
    let synced = core.sync_once(budget, CancellationToken::new());
    let synced = tokio::time::timeout(PATIENCE, synced).await.unwrap();
    synced.unwrap()
}

async fn in_time<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap()
}

#[tokio::test]
async fn a_follower_hears_what_is_and_then_what_changes_and_a_dropped_wait_loses_nothing() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    officer.core.set_link(false);
    officer.offline().await;
    let mut follower = officer.core.follow_packet(call());
    let PacketNews::Whole { packet, .. } = in_time(follower.next()).await.unwrap() else {
        panic!("the first is not the whole");
    };
    assert_eq!(packet.entries.len(), 1);

    officer.core.add_note(call(), "one").await.unwrap();
    officer.core.add_note(call(), "two").await.unwrap();
    // Waits that are given up, at whichever await: nothing of it is lost.
    let mut news = None;
    for _ in 0..20 {
        news = news.or(follower.next().now_or_never());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let news = match news {
        Some(news) => news.unwrap(),
        None => in_time(follower.next()).await.unwrap(),
    };
    let PacketNews::Changed { entries, .. } = news else {
        panic!("the second is no difference");
    };
    let places: Vec<_> = entries.placed.iter().map(|(at, _)| *at).collect();
    assert_eq!((places, entries.removed.len()), (vec![1, 2], 0), "merged");
    // Nothing changes, so nothing is told.
    let calm = tokio::time::timeout(Duration::from_millis(300), follower.next()).await;
    assert!(calm.is_err(), "{calm:?}");
}

#[tokio::test]
async fn who_follows_what_is_not_here_hears_that_and_hears_when_it_comes() {
    let center = Center::new();
    let officer = Officer::on_duty(&center).await;
    let mut follower = officer.core.follow_packet(call());
    let mut list = officer.core.follow_packets();
    assert_eq!(in_time(follower.next()).await.unwrap(), PacketNews::NotHere);
    assert_eq!(
        in_time(list.next()).await.unwrap(),
        ListNews::Whole(Vec::new())
    );
    center.write(notes(), facts());
    let news = in_time(follower.next()).await.unwrap();
    assert!(matches!(news, PacketNews::Whole { .. }), "{news:?}");
    let news = in_time(list.next()).await.unwrap();
    let ListNews::Changed(difference) = news else {
        panic!("{news:?}")
    };
    assert_eq!(difference.placed.len(), 1);
}

#[tokio::test]
async fn followers_wait_while_the_store_is_closed() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    officer.core.pause().await.unwrap();
    let mut follower = officer.core.follow_packet(call());
    let closed = tokio::time::timeout(Duration::from_millis(200), follower.next()).await;
    assert!(closed.is_err(), "{closed:?}");
    officer.core.resume().await.unwrap();
    let news = in_time(follower.next()).await.unwrap();
    assert!(matches!(news, PacketNews::Whole { .. }), "{news:?}");
}

#[tokio::test]
async fn one_contact_brings_what_waits_both_ways_and_the_next_finds_nothing_to_do() {
    let center = Center::new();
    center.write(notes(), facts());
    let (_dir, core) = off_line(&center).await;
    let first = contact(&core, AMPLE).await;
    assert_eq!(first.ended, Ended::CaughtUp);
    core.add_note(call(), "written between").await.unwrap();
    let second = contact(&core, AMPLE).await;
    assert!(matches!(second.ended, Ended::CaughtUp | Ended::Quiet));
    assert_eq!(
        (second.unsent, center.notes()),
        (Some(0), vec!["written between".into()])
    );
    let packet = core.packet(call()).await.unwrap().unwrap();
    assert_eq!(
        packet.entries.last().unwrap().mine,
        Some(MineState::AtCenter)
    );
    let third = contact(&core, AMPLE).await;
    assert!(matches!(third.ended, Ended::CaughtUp | Ended::Quiet));
    assert_eq!(core.packet(call()).await.unwrap().unwrap(), packet);
    assert!(matches!(*core.link().borrow(), LinkState::Offline { .. }));
}

#[tokio::test]
async fn a_contact_ends_as_its_budget_says_and_what_came_is_kept() {
    let center = Center::new();
    center.write(notes(), facts());
    let (_dir, core) = off_line(&center).await;
    let no_time = Budget { ms_max: 0, ..AMPLE };
    assert_eq!(contact(&core, no_time).await.ended, Ended::TimeSpent);
    let no_bytes = Budget {
        bytes_max: 0,
        ..AMPLE
    };
    assert_eq!(contact(&core, no_bytes).await.ended, Ended::BytesSpent);
    let wanted = Budget {
        call: Some(call()),
        ..AMPLE
    };
    contact(&core, wanted).await;
    assert!(core.packet(call()).await.unwrap().is_some());
    center.state.lock().unwrap().unreachable = true;
    let ended = contact(&core, AMPLE).await.ended;
    assert!(
        matches!(&ended, Ended::NoLink { why } if !why.is_empty()),
        "{ended:?}"
    );
    core.pause().await.unwrap();
    let closed = core.sync_once(AMPLE, CancellationToken::new()).await;
    assert!(matches!(closed, Err(CoreError::Paused)), "{closed:?}");
}

/// As an app does whose task the system ends: by dropping, by its token, by closing.
#[tokio::test]
async fn a_contact_that_is_ended_anywhere_leaves_a_device_that_is_whole() {
    let center = Center::new();
    center.write(notes(), facts());
    let (_dir, core) = off_line(&center).await;
    contact(&core, AMPLE).await;
    let mut written = Vec::new();
    for n in 0..60_u64 {
        let text = format!("note {n}");
        core.add_note(call(), &text).await.unwrap();
        written.push(text);
        center.write(safety(call()), caution(&format!("caution {n}")));
        let moment = Duration::from_micros(fastrand::u64(..12_000));
        let cancelled = CancellationToken::new();
        let synced = core.sync_once(AMPLE, cancelled.clone());
        match n % 3 {
            0 => {
                let _ = tokio::time::timeout(moment, synced).await;
            }
            1 => {
                let (synced, ()) = tokio::join!(synced, async {
                    tokio::time::sleep(moment).await;
                    cancelled.cancel();
                });
                synced.unwrap();
            }
            _ => {
                let (synced, paused) = tokio::join!(synced, async {
                    tokio::time::sleep(moment).await;
                    core.pause().await
                });
                synced.unwrap();
                paused.unwrap();
                core.resume().await.unwrap();
            }
        }
    }
    let last = contact(&core, AMPLE).await;
    assert_eq!(last.unsent, Some(0), "{last:?}");
    let mut at_center = center.notes();
    at_center.sort();
    written.sort();
    assert_eq!(at_center, written, "each is there, and once");
    let packet = core.packet(call()).await.unwrap().unwrap();
    assert_eq!(packet.entries.len(), 1 + 60 + 60);
}

#[tokio::test]
async fn a_push_says_whether_its_packet_is_here() {
    let center = Center::new();
    center.write(notes(), facts());
    let (_dir, core) = off_line(&center).await;
    let payload = format!("forerunner:1:{}", call());
    let woken = core.woken_by(&payload).await.unwrap();
    assert_eq!((woken.call, woken.is_here), (Some(call()), false));
    contact(&core, AMPLE).await;
    assert!(core.woken_by(&payload).await.unwrap().is_here);
    let nothing = core.woken_by("what is this").await.unwrap();
    assert_eq!((nothing.call, nothing.is_here), (None::<CallId>, false));
}
