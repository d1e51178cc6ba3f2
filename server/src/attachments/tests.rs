#![allow(clippy::unwrap_used)]

use packet::{Actor, Attachment, Author, CallId, Compartment, DeviceNumber, Entry, EntryId};
use packet::{Correction, DocumentId};
use tempfile::TempDir;

use super::image::tests::{photograph, png, zeros};
use super::*;
use crate::calls;
use crate::center::{Center, Running};
use crate::config::{AgencyConfig, Config};
use crate::intake::{CallReport, CallStatus};
use crate::log::{Logged, document};

const PIECE: usize = 700;

struct Bench {
    running: Running,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let running = Center::start(Config {
            name: "Test RTCC".into(),
            data: folder.path().into(),
            sync: any,
            console: any,
            console_tls: false,
            sign_in: crate::people::config::SignInConfig::default(),
            names: vec!["localhost".into()],
            triage: None,
            keep_closed_s: 1_800,
            key_exchange: crate::identity::KeyExchange::default(),
            limits: crate::config::LimitsConfig::default(),
            agencies: vec![AgencyConfig {
                id: "pd".into(),
                name: "City Police".into(),
                units: vec!["4A12".into(), "5B1".into()],
                officers: vec![],
            }],
            cads: vec![],
            links: crate::calls::LinksConfig::default(),
            sources: vec![],
            purposes: crate::config::default_purposes(),
            beats: vec![],
            plate_reads: crate::plate_reads::PlateReadsConfig::default(),
            cameras: vec![],
            video: None,
        })
        .await
        .unwrap();
        Self {
            running,
            _folder: folder,
        }
    }

    fn center(&self) -> &std::sync::Arc<Center> {
        &self.running.center
    }

    async fn call(&self, number: &str, units: &[&str]) -> CallId {
        let report = CallReport {
            agency: "pd".into(),
            number: number.into(),
            received: jiff::Timestamp::UNIX_EPOCH,
            updated: jiff::Timestamp::now(),
            nature: "TRESPASS".into(),
            location: "2900 W OKLAHOMA AV".into(),
            latitude: None,
            longitude: None,
            district: None,
            priority: None,
            narrative: vec![],
            plates: vec![],
            units: units.iter().map(|unit| (*unit).into()).collect(),
            status: CallStatus::Open,
        };
        self.center().report(report, "Dispatch").await.unwrap().call
    }

    /// What the log keeps beside a device's entry when it takes one.
    async fn entry(&self, call: CallId, device: DeviceNumber, content: &[u8], kind: &str) -> Blob {
        let blob = image::hash(content);
        let id = EntryId {
            actor: Actor::new(Author::Device(device), [1; 4]),
            number: u64::from(u32::from_be_bytes([blob[0], blob[1], blob[2], blob[3]])) + 1,
        };
        let attachment = Attachment {
            blob: digits(&blob),
            thumbnail: None,
            media_type: kind.into(),
            bytes: u32::try_from(content.len()).unwrap(),
            name: "plate".into(),
            by: "Diaz (4A12)".into(),
        };
        self.center()
            .log
            .write(move |ledger| named(ledger, words(call), id, &attachment))
            .await
            .unwrap();
        blob
    }

    async fn announce(
        &self,
        call: CallId,
        device: DeviceNumber,
        blob: Blob,
        content: &[u8],
    ) -> Have {
        let bytes = u32::try_from(content.len()).unwrap();
        announce(self.center(), device, words(call), blob, bytes)
            .await
            .unwrap()
    }

    async fn chunk(&self, device: DeviceNumber, blob: Blob, at: usize, data: &[u8]) -> Have {
        let at = u32::try_from(at).unwrap();
        chunk(self.center(), device, blob, at, data.to_vec())
            .await
            .unwrap()
    }

    /// Sends what the center does not have, and says what it answered last.
    async fn send(&self, call: CallId, device: DeviceNumber, blob: Blob, content: &[u8]) -> Have {
        let mut have = self.announce(call, device, blob, content).await;
        while have.refusal.is_none() && (have.bytes as usize) < content.len() {
            let at = have.bytes as usize;
            let end = content.len().min(at + PIECE);
            have = self.chunk(device, blob, at, &content[at..end]).await;
        }
        have
    }

    async fn logged(&self, call: CallId) -> Vec<Logged> {
        let readers = self.center().log.readers();
        readers
            .read(move |c| document(c, words(call)))
            .await
            .unwrap()
    }

    /// What the center says that it has.
    async fn confirmed(&self, call: CallId) -> Vec<Attachment> {
        let logged = self.logged(call).await;
        let attachment = |logged: Logged| match logged.inspected.written.entry {
            Entry::Attachment(attachment) => Some(attachment),
            _ => None,
        };
        logged.into_iter().filter_map(attachment).collect()
    }

    async fn corrections(&self, call: CallId) -> Vec<Correction> {
        let logged = self.logged(call).await;
        let correction = |logged: Logged| match logged.inspected.written.entry {
            Entry::Correction(correction) => Some(correction),
            _ => None,
        };
        logged.into_iter().filter_map(correction).collect()
    }

    async fn of_unit(&self, unit: &'static str, blob: Blob) -> Option<Found> {
        let readers = self.center().log.readers();
        readers
            .read(move |c| find_of_unit(c, &blob, unit))
            .await
            .unwrap()
    }

    async fn content(&self, found: &Found) -> Vec<u8> {
        let (content, bytes) = (found.content, found.bytes);
        let readers = self.center().log.readers();
        readers
            .read(move |c| piece(c, content, 0, bytes as usize))
            .await
            .unwrap()
    }

    async fn contents(&self) -> u32 {
        let count = |c: &rusqlite::Connection| {
            Ok(c.query_row("SELECT count(*) FROM contents", [], |row| row.get(0))?)
        };
        self.center().log.readers().read(count).await.unwrap()
    }
}

fn words(call: CallId) -> DocumentId {
    DocumentId::new(call, Compartment::Call)
}

const MINE: DeviceNumber = DeviceNumber(7);
const OTHER: DeviceNumber = DeviceNumber(8);

#[tokio::test]
async fn an_upload_goes_on_where_it_stopped_and_counts_only_when_it_is_whole() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content = png(&photograph(60, 40));
    let blob = bench.entry(call, MINE, &content, "image/png").await;
    assert_eq!(bench.announce(call, MINE, blob, &content).await.bytes, 0);
    let (first, rest) = content.split_at(PIECE);
    assert_eq!(bench.chunk(MINE, blob, 0, first).await.bytes, 700);
    // A gap is not kept; what is there already is passed over.
    assert_eq!(
        bench.chunk(MINE, blob, 900, &rest[200..300]).await.bytes,
        700
    );
    assert_eq!(
        bench.chunk(MINE, blob, 500, &content[500..750]).await.bytes,
        750
    );
    assert_eq!(bench.confirmed(call).await, []);
    assert_eq!(bench.of_unit("4A12", blob).await, None);

    // The link broke here: the device asks again.
    assert_eq!(bench.announce(call, MINE, blob, &content).await.bytes, 750);
    let have = bench.send(call, MINE, blob, &content).await;
    assert_eq!(
        have,
        Have {
            bytes: content.len() as u32,
            refusal: None
        }
    );
    let confirmed = bench.confirmed(call).await;
    assert_eq!(confirmed.len(), 1);
    assert_eq!(confirmed[0].blob, digits(&blob));
    let found = bench.of_unit("4A12", blob).await.unwrap();
    assert_eq!(bench.content(&found).await, content);
    let thumbnail = found.thumbnail.unwrap();
    assert_eq!(confirmed[0].thumbnail, Some(digits(&thumbnail)));
    let thumbnail = bench.of_unit("4A12", thumbnail).await.unwrap();
    assert_eq!(thumbnail.media_type, "image/jpeg");
    assert!(bench.content(&thumbnail).await.starts_with(b"\xff\xd8"));
    // Told once: asking again adds nothing.
    assert_eq!(bench.send(call, MINE, blob, &content).await, have);
    assert_eq!(bench.confirmed(call).await.len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_its_hash_is_taken_back_and_the_packet_says_why() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content = b"the letter of a tenant".to_vec();
    let blob = bench.entry(call, MINE, &content, "text/plain").await;
    bench.announce(call, MINE, blob, &content).await;
    let forged = vec![b'x'; content.len()];
    let have = bench.chunk(MINE, blob, 0, &forged).await;
    assert!(have.refusal.unwrap().contains("does not fit the hash"));
    assert_eq!(bench.confirmed(call).await, []);
    assert_eq!(bench.of_unit("4A12", blob).await, None);
    assert_eq!(bench.contents().await, 0);
    let corrections = bench.corrections(call).await;
    assert_eq!(corrections.len(), 1);
    assert!(
        corrections[0]
            .text
            .as_ref()
            .unwrap()
            .starts_with("Not taken.")
    );
    // … also not in a second try.
    let again = bench.announce(call, MINE, blob, &content).await;
    assert!(again.refusal.is_some());
}

#[tokio::test]
async fn a_decompression_bomb_is_refused_with_its_size_in_words() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let bomb = zeros(20_000, 20_000, 20_000 * 20_001);
    let blob = bench.entry(call, MINE, &bomb, "image/png").await;
    bench.announce(call, MINE, blob, &bomb).await;
    let have = bench.chunk(MINE, blob, 0, &bomb).await;
    assert!(have.refusal.unwrap().contains("20000 × 20000 pixels"));
    assert_eq!(bench.contents().await, 0);
    let correction = bench.corrections(call).await.pop().unwrap();
    assert!(correction.text.unwrap().contains("20000 × 20000 pixels"));
}

#[tokio::test]
async fn a_hash_alone_opens_nothing() {
    let bench = Bench::start().await;
    let theirs = bench.call("26-1", &["4A12"]).await;
    let mine = bench.call("26-2", &["5B1"]).await;
    let content = b"what only 4A12 may have".to_vec();
    let blob = bench.entry(theirs, MINE, &content, "text/plain").await;
    bench.send(theirs, MINE, blob, &content).await;
    assert!(bench.of_unit("4A12", blob).await.is_some());
    assert_eq!(bench.of_unit("5B1", blob).await, None);

    // Another device names the hash in its own unit's call, and says that it has it.
    bench.entry(mine, OTHER, &content, "text/plain").await;
    let have = bench.announce(mine, OTHER, blob, &content).await;
    assert_eq!(have.bytes, 0, "it would learn that the center has it");
    assert_eq!(bench.of_unit("5B1", blob).await, None);
    // Only who sends the content shows that it had it. It is kept once.
    bench.send(mine, OTHER, blob, &content).await;
    assert!(bench.of_unit("5B1", blob).await.is_some());
    assert_eq!(bench.contents().await, 1);
    // Known to have it, a device need not send it again for another call.
    let other = bench.call("26-3", &["5B1"]).await;
    bench.entry(other, OTHER, &content, "text/plain").await;
    let have = bench.announce(other, OTHER, blob, &content).await;
    assert_eq!(have.bytes as usize, content.len());
    assert_eq!(bench.confirmed(other).await.len(), 1);
}

#[tokio::test]
async fn one_device_cannot_spoil_anothers_upload() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content = b"the same photograph".to_vec();
    let blob = bench.entry(call, MINE, &content, "text/plain").await;
    bench.entry(call, OTHER, &content, "text/plain").await;
    bench.announce(call, OTHER, blob, &content).await;
    bench.chunk(OTHER, blob, 0, b"rubbish").await;
    let have = bench.send(call, MINE, blob, &content).await;
    assert_eq!(have.bytes as usize, content.len());
    let rubbish = vec![b'x'; content.len() - 7];
    let have = bench.chunk(OTHER, blob, 7, &rubbish).await;
    assert!(have.refusal.is_some());
    let found = bench.of_unit("4A12", blob).await.unwrap();
    assert_eq!(bench.content(&found).await, content);
}

#[tokio::test]
async fn only_what_an_entry_names_is_taken_and_no_more_of_it() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content = vec![5; 100];
    let blob = image::hash(&content);
    let have = bench.announce(call, MINE, blob, &content).await;
    assert!(have.refusal.unwrap().contains("No entry"));
    let have = bench.chunk(MINE, blob, 0, &content).await;
    assert!(have.refusal.unwrap().contains("not announced"));
    bench.entry(call, MINE, &content, "text/plain").await;
    let have = bench.announce(call, MINE, blob, &content[1..]).await;
    assert!(have.refusal.unwrap().contains("another size"));
    bench.announce(call, MINE, blob, &content).await;
    let have = bench.chunk(MINE, blob, 50, &content[..51]).await;
    assert!(have.refusal.unwrap().contains("More was sent"));
    // The same entry of somebody else is no leave to send.
    let have = bench.announce(call, OTHER, blob, &content).await;
    assert!(have.refusal.unwrap().contains("No entry"));
}

#[tokio::test]
async fn a_device_may_not_leave_too_much_unfinished() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    for n in 0..=UNFINISHED_MAX {
        let content = n.to_be_bytes();
        let blob = bench.entry(call, MINE, &content, "text/plain").await;
        let have = bench.announce(call, MINE, blob, &content).await;
        assert_eq!(have.refusal.is_some(), n == UNFINISHED_MAX, "{n}");
    }
}

#[tokio::test]
async fn a_unit_that_left_the_call_gets_nothing_any_more() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content = b"a letter".to_vec();
    let blob = bench.entry(call, MINE, &content, "text/plain").await;
    bench.send(call, MINE, blob, &content).await;
    assert!(bench.of_unit("4A12", blob).await.is_some());
    let leave = bench
        .center()
        .log
        .write(move |l| calls::release(l, call, "4A12"));
    leave.await.unwrap();
    // As if there were no such thing.
    assert_eq!(bench.of_unit("4A12", blob).await, None);
    assert_eq!(bench.of_unit("4A12", [9; 32]).await, None);
}

#[tokio::test]
async fn what_nobody_finishes_is_swept_and_what_is_whole_stays() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let (whole, half) = (b"whole".to_vec(), b"half".to_vec());
    let blob = bench.entry(call, MINE, &whole, "text/plain").await;
    bench.send(call, MINE, blob, &whole).await;
    let unfinished = bench.entry(call, MINE, &half, "text/plain").await;
    bench.announce(call, MINE, unfinished, &half).await;
    bench.chunk(MINE, unfinished, 0, b"ha").await;
    let swept = bench.center().log.write(|ledger| sweep(ledger, i64::MAX));
    assert_eq!(swept.await.unwrap(), 1);
    assert_eq!(bench.contents().await, 1);
    assert!(bench.of_unit("4A12", blob).await.is_some());
    // It begins anew, and still ends well.
    assert_eq!(bench.announce(call, MINE, unfinished, &half).await.bytes, 0);
    let have = bench.send(call, MINE, unfinished, &half).await;
    assert_eq!(have.bytes, 4);
}

#[tokio::test]
async fn a_piece_is_cut_across_chunks_of_any_size() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content: Vec<u8> = (0..=255).collect();
    let blob = bench.entry(call, MINE, &content, "text/plain").await;
    bench.announce(call, MINE, blob, &content).await;
    let mut at = 0;
    for size in [1, 2, 50, 3, 100, 100] {
        bench.chunk(MINE, blob, at, &content[at..at + size]).await;
        at += size;
    }
    let found = bench.of_unit("4A12", blob).await.unwrap();
    for (from, most) in [
        (0, 256),
        (0, 1),
        (2, 52),
        (52, 4),
        (255, 9),
        (256, 9),
        (999, 9),
    ] {
        let readers = bench.center().log.readers();
        let id = found.content;
        let read = readers
            .read(move |c| piece(c, id, from, most))
            .await
            .unwrap();
        let from = (from as usize).min(256);
        assert_eq!(
            read,
            content[from..(from + most).min(256)],
            "{from}, {most}"
        );
    }
}

#[tokio::test]
async fn a_file_that_comes_whole_is_named_with_its_thumbnail_in_one_entry() {
    let bench = Bench::start().await;
    let call = bench.call("26-1", &["4A12"]).await;
    let content = png(&photograph(400, 300));
    let file = |content: &[u8], name: &str| File {
        content: content.into(),
        media_type: "image/png".into(),
        name: name.into(),
        by: "Analyst".into(),
    };
    let added = add(bench.center(), call, file(&content, "a.png"), "analyst");
    let added = added.await.unwrap();
    let confirmed = bench.confirmed(call).await;
    assert_eq!(confirmed.len(), 1);
    assert_eq!(confirmed[0].thumbnail, added.thumbnail.as_ref().map(digits));
    let found = bench.of_unit("4A12", added.blob).await.unwrap();
    assert_eq!(bench.content(&found).await, content);

    for (content, name) in [
        (zeros(20_000, 20_000, 100), "bomb.png"),
        (content.clone(), "../a.png"),
        (Vec::new(), "empty.png"),
        (
            vec![0; packet::entry::ATTACHMENT_BYTES_MAX as usize + 1],
            "large.png",
        ),
    ] {
        let refused = add(bench.center(), call, file(&content, name), "analyst").await;
        assert!(refused.is_err(), "{name}");
    }
    let nowhere = CallId(17);
    let refused = add(bench.center(), nowhere, file(&content, "a.png"), "analyst").await;
    assert!(matches!(
        refused,
        Err(AttachmentError::Log(LogError::Unknown { .. }))
    ));
    assert_eq!(bench.confirmed(call).await.len(), 1);
    assert_eq!(bench.contents().await, 2);
}
