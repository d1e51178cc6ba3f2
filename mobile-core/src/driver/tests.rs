//! A device and its center, over whole sessions.

#![allow(clippy::unwrap_used)]

mod center;
mod contact;
mod locking;

use std::sync::Arc;
use std::time::Duration;

use packet::{
    Author, CallId, CallState, Caution, Compartment, DocumentId, Entry, Facts, Note, UnitState,
};
use tempfile::TempDir;

use super::LinkState;
use crate::identity::{FileKeyStore, KeyStore};
use crate::{
    CancellationToken, Core, CoreError, MineState, OpenPacket, Options, Packet, SystemClock,
    Ticket, TracingLogger,
};
use center::{Center, DEVICE, ToCenter, safety};

/// Far beyond what anything here takes: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

struct Officer {
    dir: TempDir,
    center: Arc<Center>,
    core: Core,
    driver: CancellationToken,
}

/// A clock that is half a second ahead of the center's, and more by so many days.
#[derive(Debug)]
struct Clock(SystemClock, i64);

impl crate::BootClock for Clock {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn wall_ms(&self) -> i64 {
        1_790_000_000_000 + 500 + self.1 * 86_400_000
    }
}

fn open(dir: &TempDir, center: &Arc<Center>) -> crate::Opened {
    open_later(dir, center, 0)
}

fn open_later(dir: &TempDir, center: &Arc<Center>, days: i64) -> crate::Opened {
    let keys = FileKeyStore::open(&dir.path().join("keys")).unwrap();
    let options = Options {
        directory: dir.path().to_owned(),
        keys: Arc::new(keys),
        signer: None,
        clock: Arc::new(Clock(SystemClock::new(), days)),
        log: Arc::new(TracingLogger),
    };
    Core::open_with(options, Arc::new(ToCenter(center.clone()))).unwrap()
}

impl Officer {
    /// Enrolled, signed on, and with a session.
    async fn on_duty(center: &Arc<Center>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let core = open(&dir, center).core;
        let ticket = Ticket {
            center: "center.example:8443".into(),
            ca: center.ca.clone(),
            code: "once".into(),
        };
        core.enrol(&ticket).await.unwrap();
        core.sign_on("1234", "4A12").await.unwrap();
        let driver = core.start();
        let officer = Self {
            dir,
            center: center.clone(),
            core,
            driver,
        };
        officer.online().await;
        officer
    }

    async fn online(&self) {
        let mut link = self.core.link();
        let online = link.wait_for(|link| matches!(link, LinkState::Online { .. }));
        tokio::time::timeout(PATIENCE, online)
            .await
            .unwrap()
            .unwrap();
    }

    async fn offline(&self) -> String {
        let mut link = self.core.link();
        let offline = link.wait_for(|link| matches!(link, LinkState::Offline { .. }));
        let state = tokio::time::timeout(PATIENCE, offline)
            .await
            .unwrap()
            .unwrap()
            .clone();
        match state {
            LinkState::Offline { why, .. } => why,
            LinkState::Online { .. } => unreachable!(),
        }
    }

    /// Waits until this is true of the packet.
    async fn packet(&self, call: CallId, is_so: impl Fn(&Packet) -> bool) -> Packet {
        let mut changes = self.core.changes();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if let Some(packet) = self.core.packet(call).await.unwrap()
                    && is_so(&packet)
                {
                    return packet;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap()
    }

    async fn until(&self, is_so: impl Fn(&center::State) -> bool) {
        tokio::time::timeout(PATIENCE, self.center.until(is_so))
            .await
            .unwrap();
    }
}

fn call() -> CallId {
    CallId::new(Author::Center(1 << 31), 5)
}

fn notes() -> DocumentId {
    DocumentId::new(call(), Compartment::Call)
}

fn facts() -> Entry {
    Entry::Facts(Facts {
        agency: "cedarport-pd".into(),
        number: "26-1".into(),
        nature: "SHOTS FIRED".into(),
        category: "weapons".into(),
        priority: 1,
        reason: "nature".into(),
        location: "100 N MAIN ST".into(),
        latitude_e6: None,
        longitude_e6: None,
        district: None,
        narrative: None,
        received_ms: 1,
        state: CallState::Open,
        disposition: None,
    })
}

fn caution(text: &str) -> Entry {
    Entry::Caution(Caution {
        text: text.into(),
        by: "an analyst".into(),
        ends_ms: None,
    })
}

fn mine(packet: &Packet) -> Vec<MineState> {
    packet
        .entries
        .iter()
        .filter_map(|entry| entry.mine.clone())
        .collect()
}

#[tokio::test]
async fn a_note_from_a_dead_zone_comes_to_the_center_and_back_comes_who_saw_it() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    let packet = officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    assert_eq!(packet.facts.unwrap().nature, "SHOTS FIRED");

    officer.core.set_link(false);
    assert!(!officer.offline().await.is_empty());
    let id = officer
        .core
        .add_note(call(), "two men left in a car")
        .await
        .unwrap();
    let packet = officer.core.packet(call()).await.unwrap().unwrap();
    let entry = packet.entries.last().unwrap();
    assert_eq!((entry.id, &entry.mine), (id, &Some(MineState::OnDevice)));
    assert_eq!(entry.written.clock_off_ms, Some(500));
    let Entry::Note(Note { by, .. }) = &entry.written.entry else {
        panic!("{entry:?}")
    };
    assert_eq!(by, "Diaz (4A12)");
    assert_eq!(officer.core.outbox_len().await.unwrap(), 1);
    assert!(center.notes().is_empty());

    officer.core.set_link(true);
    officer
        .packet(call(), |packet| mine(packet) == [MineState::AtCenter])
        .await;
    assert_eq!(center.notes(), ["two men left in a car"]);
    assert_eq!(officer.core.outbox_len().await.unwrap(), 0);

    center.look_at(notes());
    let is_seen = |packet: &Packet| packet.entries.iter().any(|e| !e.shown_to.is_empty());
    let packet = officer.packet(call(), is_seen).await;
    let seen: Vec<_> = packet.entries.iter().map(|e| e.shown_to.len()).collect();
    assert_eq!(seen, [0, 1], "of what the officer wrote only");
    assert!(officer.core.last_contact_ms().is_some());
}

#[tokio::test]
async fn a_caution_waits_for_a_tap_of_this_unit() {
    let center = Center::new();
    center.write(notes(), facts());
    center.write(safety(call()), caution("man with gun"));
    let officer = Officer::on_duty(&center).await;
    let is_caution = |entry: &crate::EntryView| matches!(entry.written.entry, Entry::Caution(_));
    let packet = officer
        .packet(call(), |p| p.entries.iter().any(is_caution))
        .await;
    let caution = packet
        .entries
        .iter()
        .find(|entry| is_caution(entry))
        .unwrap()
        .id;
    let summary = officer.core.packets().await.unwrap().remove(0);
    assert_eq!((summary.cautions, summary.unacknowledged), (1, 1));

    let tap = officer.core.acknowledge(call(), caution).await.unwrap();
    let summary = officer.core.packets().await.unwrap().remove(0);
    assert_eq!((summary.cautions, summary.unacknowledged), (1, 0));
    let packet = officer
        .packet(call(), |p| mine(p) == [MineState::AtCenter])
        .await;
    let entry = packet.entries.iter().find(|entry| entry.id == tap).unwrap();
    assert_eq!(entry.document, safety(call()));
    officer
        .core
        .set_status(call(), UnitState::OnScene)
        .await
        .unwrap();
    let withdrawn = officer
        .core
        .correct(safety(call()), caution, None)
        .await
        .unwrap();
    let packet = officer.core.packet(call()).await.unwrap().unwrap();
    let entry = packet
        .entries
        .iter()
        .find(|entry| entry.id == caution && entry.document == safety(call()))
        .unwrap();
    assert_eq!(entry.corrected_by, Some(withdrawn));
    assert_eq!(officer.core.packets().await.unwrap()[0].cautions, 0);
}

#[tokio::test]
async fn what_is_refused_stays_on_the_screen_and_what_follows_arrives() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    officer.core.set_link(false);
    for text in ["first", "forbidden", "second", "third"] {
        officer.core.add_note(call(), text).await.unwrap();
    }
    officer.core.set_link(true);
    let is_done = |packet: &Packet| !mine(packet).contains(&MineState::OnDevice);
    let packet = officer.packet(call(), is_done).await;
    assert_eq!(center.notes(), ["first", "second", "third"]);
    let refused = packet.entries.last().unwrap();
    assert!(
        matches!(&refused.mine, Some(MineState::Refused { reason }) if reason.contains("not this"))
    );
    assert!(matches!(&refused.written.entry, Entry::Note(note) if note.text == "forbidden"));
}

#[tokio::test]
async fn a_packet_that_is_opened_offline_reaches_the_center_whole() {
    let center = Center::new();
    let officer = Officer::on_duty(&center).await;
    officer.core.set_link(false);
    officer.offline().await;
    let open = OpenPacket {
        nature: "TRAFFIC STOP".into(),
        location: "5th and Oak".into(),
        plate: Some("ABC123".into()),
        note: Some("broken light".into()),
    };
    let call = officer.core.open_packet(open).await.unwrap();
    assert_eq!(call.author(), Author::Device(DEVICE));
    let summary = officer.core.packets().await.unwrap().remove(0);
    assert!(summary.opened_here);
    assert_eq!((summary.call, summary.unsent), (call, 4));
    assert_eq!(summary.facts.unwrap().nature, "TRAFFIC STOP");
    officer.core.set_link(true);
    officer
        .packet(call, |packet| mine(packet) == vec![MineState::AtCenter; 4])
        .await;
    assert_eq!(center.notes(), ["broken light"]);
    // The center has granted it meanwhile: nothing is there twice.
    officer.core.add_note(call, "warned").await.unwrap();
    let packet = officer
        .packet(call, |p| !mine(p).contains(&MineState::OnDevice))
        .await;
    assert_eq!(packet.entries.len(), 5);
}

#[tokio::test]
async fn the_sealed_outbox_of_a_lost_store_is_handed_in_at_the_next_contact() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    officer.core.set_link(false);
    officer.offline().await;
    officer
        .core
        .add_note(call(), "lost with the key")
        .await
        .unwrap();
    officer.driver.cancel();
    officer.core.pause().await.unwrap();
    let keys = FileKeyStore::open(&officer.dir.path().join("keys")).unwrap();
    keys.erase("store-key").unwrap();

    let opened = open(&officer.dir, &center);
    assert!(opened.set_aside.is_some());
    assert!(opened.core.is_enrolled() && opened.core.shift().is_none());
    let _driver = opened.core.start();
    officer.until(|state| state.sealed.len() == 1).await;
    let opened_again = open(&officer.dir, &center);
    let is_gone = || {
        std::fs::read_dir(officer.dir.path().join("sealed"))
            .unwrap()
            .count()
            == 0
    };
    let gone = async {
        while !is_gone() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert!(opened_again.set_aside.is_none());
}

#[tokio::test]
async fn what_was_shown_without_a_link_is_told_when_there_is_one() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    officer.core.set_link(false);
    officer.offline().await;
    officer.core.shown(call()).await.unwrap();
    officer.core.shown(call()).await.unwrap();
    officer.core.set_link(true);
    officer.until(|state| state.shown == [(notes(), 1)]).await;
}

#[tokio::test]
async fn a_suspended_app_holds_no_session_and_comes_back() {
    let center = Center::new();
    center.write(notes(), facts());
    let officer = Officer::on_duty(&center).await;
    officer
        .packet(call(), |packet| packet.facts.is_some())
        .await;
    officer.core.pause().await.unwrap();
    officer.offline().await;
    assert!(matches!(
        officer.core.packets().await,
        Err(CoreError::Paused)
    ));
    let written = officer.core.add_note(call(), "no").await;
    assert!(matches!(written, Err(CoreError::Paused)));
    officer.core.resume().await.unwrap();
    officer.online().await;
    officer.core.add_note(call(), "back").await.unwrap();
    officer
        .packet(call(), |packet| mine(packet) == [MineState::AtCenter])
        .await;
    assert_eq!(officer.core.metrics().sessions, 2);
}

#[tokio::test]
async fn a_center_that_says_bye_is_heard_and_a_new_shift_dials_at_once() {
    let center = Center::new();
    let officer = Officer::on_duty(&center).await;
    officer.core.set_link(false);
    officer.offline().await;
    center.state.lock().unwrap().bye = Some("the shift has ended");
    officer.core.set_link(true);
    let mut link = officer.core.link();
    let bye = link.wait_for(
        |link| matches!(link, LinkState::Offline { why, .. } if why == "the shift has ended"),
    );
    tokio::time::timeout(PATIENCE, bye).await.unwrap().unwrap();
    // It would stay away for an hour; the new shift does not.
    officer.core.sign_on("1234", "4A13").await.unwrap();
    officer.online().await;
    let shifts = center.state.lock().unwrap().shifts.clone();
    assert_eq!(shifts.last().unwrap(), b"4A13");
}

#[tokio::test]
async fn without_a_shift_nothing_is_written_and_without_a_center_nobody_signs_on() {
    let center = Center::new();
    let dir = tempfile::tempdir().unwrap();
    let core = open(&dir, &center).core;
    assert!(matches!(
        core.sign_on("1234", "4A12").await,
        Err(CoreError::NotEnrolled)
    ));
    let officer = Officer::on_duty(&center).await;
    let unknown = officer.core.sign_on("0000", "4A12").await.unwrap_err();
    assert_eq!(unknown.to_string(), "No officer has this badge.");
    officer.core.sign_off().await.unwrap();
    assert_eq!(center.state.lock().unwrap().signed_off, 1);
    let error = officer.core.add_note(call(), "x").await.unwrap_err();
    assert_eq!(error.to_string(), "sign on first");
    center.state.lock().unwrap().unreachable = true;
    let unreachable = officer.core.sign_on("1234", "4A12").await;
    assert!(matches!(unreachable, Err(CoreError::Unreachable(_))));
}

#[tokio::test]
async fn a_certificate_is_renewed_when_it_is_a_day_old() {
    let center = Center::new();
    let officer = Officer::on_duty(&center).await;
    officer.driver.cancel();
    officer.offline().await;
    assert_eq!(center.state.lock().unwrap().certified, 1);
    officer.core.pause().await.unwrap();
    let core = open_later(&officer.dir, &center, 2).core;
    let _driver = core.start();
    officer.until(|state| state.certified == 2).await;
}
