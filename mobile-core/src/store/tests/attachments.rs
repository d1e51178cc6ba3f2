//! What every store must do with the contents of attachments.

use aws_lc_rs::digest;
use packet::entry::ATTACHMENT_BYTES_MAX;
use packet::{Attachment, CallState, Facts};

use super::*;
use crate::store::ATTACHMENTS_BYTES_MAX;
use crate::store::attachments::{Blob, Content};
use crate::view::{self, AttachmentState, MineState};
use sync::frame::BlobId;

fn hash(content: &[u8]) -> Blob {
    let digest = digest::digest(&digest::SHA256, content);
    digest.as_ref().try_into().unwrap()
}

fn digits(content: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&hash(content))
}

fn attachment(content: &[u8], thumbnail: Option<&[u8]>) -> Attachment {
    Attachment {
        blob: digits(content),
        thumbnail: thumbnail.map(digits),
        media_type: "image/jpeg".into(),
        bytes: u32::try_from(content.len()).unwrap(),
        name: "plate.jpg".into(),
        by: "Diaz (4A12)".into(),
    }
}

fn facts(state: CallState) -> Entry {
    Entry::Facts(Facts {
        agency: "pd".into(),
        number: "26-1".into(),
        nature: "TRESPASS".into(),
        category: "other".into(),
        priority: 3,
        reason: String::new(),
        location: "400 W STATE ST".into(),
        latitude_e6: None,
        longitude_e6: None,
        district: None,
        narrative: None,
        received_ms: NOW_MS,
        state,
        disposition: None,
    })
}

impl Bench {
    fn attach(&self, content: &[u8]) -> Result<EntryId, StoreError> {
        let attachment = attachment(content, None);
        self.store
            .attach(&self.pen, notes(), attachment, content, NOW_MS)
    }

    fn confirms(&mut self, content: &[u8], thumbnail: Option<&[u8]>) {
        let (_, said) = self.says(Entry::Attachment(attachment(content, thumbnail)));
        let applied = self.apply(&[said]);
        assert!(applied.attachments, "the session must look again");
    }

    fn chunk(&self, content: &[u8], offset: u64, data: &[u8]) {
        self.piece(content, offset, data, content.len() as u64);
    }

    fn piece(&self, content: &[u8], offset: u64, data: &[u8], total: u64) {
        self.apply(&[Operation::Chunk {
            blob: BlobId(hash(content)),
            offset,
            total,
            bytes: data.to_vec(),
        }]);
    }

    fn have(&self, content: &[u8], bytes: u64, refused: Option<&str>) {
        self.apply(&[Operation::Have {
            blob: BlobId(hash(content)),
            bytes,
            refused: refused.map(ToOwned::to_owned),
        }]);
    }

    fn wants(&self) -> Vec<(Blob, u64)> {
        self.store.wants(64).unwrap()
    }

    fn puts(&self) -> Vec<(DocumentId, Blob, u64)> {
        self.store.puts(64).unwrap()
    }

    fn here(&self, content: &[u8]) -> Option<(Content, Option<Vec<u8>>)> {
        self.store.attachment(&digits(content)).unwrap()
    }

    /// How far the packet's only attachment has come, and its entry, as a screen shows it.
    fn shown(&self) -> (AttachmentState, Option<MineState>) {
        let rows = self.store.packet(call()).unwrap().unwrap();
        let contents = self.store.attachments(call()).unwrap();
        let packet = view::packet(call(), rows, &[], &contents);
        let mut entries = packet.entries.into_iter();
        let entry = entries.find(|entry| entry.attachment.is_some()).unwrap();
        let another = entries.find(|entry| entry.attachment.is_some());
        assert_eq!(another, None, "one attachment is shown once");
        (entry.attachment.unwrap().state, entry.mine)
    }

    fn sql(&self, sql: &str) {
        let work = |tx: &rusqlite::Transaction<'_>, _: &mut _| Ok(tx.execute_batch(sql)?);
        self.store.write(work).unwrap();
    }
}

#[test]
fn a_half_sent_attachment_is_never_shown_as_sent_and_is_kept_until_the_center_has_it() {
    let mut bench = Bench::granted();
    let content = vec![7; 150_000];
    bench.attach(&content).unwrap();
    let sending = |bytes_at_center| AttachmentState::Sending { bytes_at_center };
    assert_eq!(bench.shown(), (sending(0), Some(MineState::OnDevice)));
    assert_eq!(bench.puts(), [], "its entry is not at the center yet");

    let applied = bench.apply(&[accepted(bench.outbox()[0].hash, 1)]);
    assert!(applied.attachments, "the session must look again");
    assert_eq!(bench.puts(), [(notes(), hash(&content), 150_000)]);
    assert_eq!(bench.shown(), (sending(0), Some(MineState::OnDevice)));
    let blob = hash(&content);
    let piece = |from, most| bench.store.chunk_of(&blob, from, most).unwrap().len();
    assert_eq!(
        (piece(0, 70_000), piece(149_999, 9), piece(150_000, 9)),
        (70_000, 1, 0)
    );

    assert_eq!(bench.store.packets().unwrap()[&call()].unsent, 1);
    bench.have(&content, 70_000, None);
    assert_eq!(bench.shown(), (sending(70_000), Some(MineState::OnDevice)));
    // All of it is there: the center's own entry says so, and nothing else does.
    bench.have(&content, 150_000, None);
    assert_eq!(bench.shown(), (sending(150_000), Some(MineState::OnDevice)));
    bench.confirms(&content, None);
    assert_eq!(
        bench.shown(),
        (AttachmentState::Here, Some(MineState::AtCenter))
    );
    assert_eq!(bench.store.packets().unwrap()[&call()].unsent, 0);
    assert_eq!(bench.puts(), []);
}

#[test]
fn what_was_attached_survives_a_restart_and_is_not_readable_in_the_files() {
    let bench = Bench::granted();
    let content = b"PLAINTEXT-OF-AN-IMAGE".repeat(100);
    bench.attach(&content).unwrap();
    bench.apply(&[accepted(bench.outbox()[0].hash, 1)]);
    bench.store.pause().unwrap();
    for file in fs::read_dir(bench.dir.path().join("store")).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"PLAINTEXT"));
    }
    let (store, _) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
    assert_eq!(store.puts(64).unwrap().len(), 1);
    assert_eq!(store.chunk_of(&hash(&content), 0, 9_999).unwrap(), content);
}

#[test]
fn a_thumbnail_is_asked_for_by_itself_and_the_whole_when_the_officer_asks() {
    let mut bench = Bench::granted();
    let (content, thumbnail) = (vec![1; 3_000], vec![2; 500]);
    bench.confirms(&content, Some(&thumbnail));
    assert_eq!(bench.wants(), [(hash(&thumbnail), 0)]);
    assert_eq!(bench.shown(), (AttachmentState::AtCenter, None));
    bench.chunk(&thumbnail, 0, &thumbnail[..200]);
    assert_eq!(bench.wants(), [(hash(&thumbnail), 200)]);
    bench.chunk(&thumbnail, 200, &thumbnail[200..]);
    assert_eq!(bench.wants(), []);
    assert_eq!(bench.here(&thumbnail).unwrap().1, Some(thumbnail.clone()));
    // Nobody asked for the whole: what comes of it all the same is not kept.
    bench.chunk(&content, 0, &content);
    assert_eq!(bench.here(&content).unwrap().0.bytes, 0);

    assert!(bench.store.fetch(&digits(&content)).unwrap());
    assert_eq!(bench.shown(), (AttachmentState::Coming, None));
    bench.chunk(&content, 0, &content[..1_000]);
    // A gap is passed over, an overlap is cut.
    bench.chunk(&content, 2_000, &content[2_000..]);
    bench.chunk(&content, 500, &content[500..1_500]);
    assert_eq!(bench.wants(), [(hash(&content), 1_500)]);
    assert_eq!(
        bench.here(&content).unwrap().1,
        None,
        "half an image is none"
    );
    bench.chunk(&content, 1_500, &content[1_500..]);
    assert_eq!(bench.shown(), (AttachmentState::Here, None));
    assert_eq!(bench.here(&content).unwrap().1, Some(content.clone()));
    assert!(!bench.store.fetch(&digits(&content)).unwrap());
}

#[test]
fn what_does_not_fit_its_hash_or_its_size_is_not_kept() {
    let mut bench = Bench::granted();
    let content = vec![1; 3_000];
    bench.confirms(&content, None);
    bench.store.fetch(&digits(&content)).unwrap();
    bench.chunk(&content, 0, &[1; 3_001]);
    assert_eq!(bench.here(&content).unwrap().0.bytes, 0);
    bench.piece(&content, 0, &[1; 10], u64::from(ATTACHMENT_BYTES_MAX) + 1);
    assert_eq!(bench.here(&content).unwrap().0.bytes, 0);
    bench.chunk(&content, 0, &content[..2_000]);
    bench.chunk(&content, 2_000, &[9; 1_000]);
    let (here, whole) = bench.here(&content).unwrap();
    assert_eq!((here.bytes, whole), (0, None));
    assert_eq!(bench.wants(), [], "not for ever");
    assert!(
        bench.store.fetch(&digits(&content)).unwrap(),
        "but once more"
    );
}

#[test]
fn what_the_center_does_not_have_is_not_waited_for_and_what_is_on_its_way_is_not_asked_for() {
    let mut bench = Bench::granted();
    let content = vec![1; 3_000];
    // Another device's entry: its content is still being sent.
    let other = Actor::new(Author::Device(DeviceNumber(8)), [1; 4]);
    let written = Written {
        entry: Entry::Attachment(attachment(&content, None)),
        clock_off_ms: None,
        instead: None,
    };
    let change = compose(&Draft {
        actor: other,
        number: 1,
        deps: vec![],
        start_op: 1,
        time_ms: NOW_MS,
        written: &written,
    })
    .unwrap();
    bench.written.add(change.hash, change.id, change.max_op);
    let came = bench.changes(&[change.bytes]);
    bench.apply(&[came]);
    assert_eq!(bench.shown(), (AttachmentState::OnItsWay, None));
    bench.store.fetch(&digits(&content)).unwrap();
    assert_eq!(bench.wants(), []);
    bench.confirms(&content, None);
    assert_eq!(bench.wants(), [(hash(&content), 0)]);
    bench.piece(&content, 0, &[], 0);
    assert_eq!(bench.wants(), []);
    assert_eq!(bench.shown(), (AttachmentState::AtCenter, None));
    assert!(matches!(
        bench.store.fetch(&digits(b"no packet names this")),
        Err(StoreError::NotHere)
    ));
}

#[test]
fn what_the_center_does_not_take_is_kept_and_says_why() {
    let bench = Bench::granted();
    let content = vec![7; 1_000];
    bench.attach(&content).unwrap();
    bench.apply(&[accepted(bench.outbox()[0].hash, 1)]);
    bench.have(&content, 0, Some("It is no image."));
    let reason = "It is no image.".to_owned();
    let (state, mine) = bench.shown();
    assert_eq!(
        state,
        AttachmentState::Refused {
            reason: reason.clone()
        }
    );
    assert_eq!(mine, Some(MineState::Refused { reason }));
    assert_eq!(bench.puts(), []);
    assert_eq!(bench.here(&content).unwrap().1, Some(content));
}

#[test]
fn an_attachment_whose_entry_is_refused_is_kept_and_not_sent() {
    let bench = Bench::granted();
    let content = vec![7; 1_000];
    bench.attach(&content).unwrap();
    let refusal = Refusal::Policy("not on this call".into());
    bench.apply(&[refused(bench.outbox()[0].hash, &refusal)]);
    assert_eq!(bench.puts(), []);
    assert_eq!(bench.here(&content).unwrap().1, Some(content));
    let (_, mine) = bench.shown();
    assert!(matches!(mine, Some(MineState::Refused { .. })));
}

#[test]
fn a_packet_that_leaves_takes_its_contents_along_but_what_is_unsent() {
    let mut bench = Bench::granted();
    let (theirs, thumbnail, mine) = (vec![1; 900], vec![2; 300], vec![3; 800]);
    bench.confirms(&theirs, Some(&thumbnail));
    bench.chunk(&thumbnail, 0, &thumbnail);
    bench.store.fetch(&digits(&theirs)).unwrap();
    bench.chunk(&theirs, 0, &theirs);
    bench.attach(&mine).unwrap();
    bench.apply(&[accepted(bench.outbox()[0].hash, 1)]);
    bench.apply(&[Operation::Revoke(notes()), Operation::Revoke(safety())]);
    assert_eq!(bench.here(&theirs), None);
    assert_eq!(bench.here(&thumbnail), None);
    let chunks_of = |content: &[u8]| {
        let chunk = bench.store.chunk_of(&hash(content), 0, 9_999).unwrap();
        chunk.len()
    };
    assert_eq!((chunks_of(&theirs), chunks_of(&thumbnail)), (0, 0));
    assert_eq!(bench.puts(), [(notes(), hash(&mine), 800)]);
    assert_eq!(chunks_of(&mine), 800);
    // The center's entry does not come here any more: its word alone ends it.
    bench.have(&mine, 400, None);
    assert_eq!(chunks_of(&mine), 800);
    bench.have(&mine, 800, None);
    assert_eq!((bench.puts(), chunks_of(&mine)), (vec![], 0));
}

#[test]
fn whole_images_of_closed_calls_give_way_first_then_the_oldest_and_never_thumbnails_or_unsent() {
    let mut bench = Bench::granted();
    let content = |n: u8| vec![n; 1_000];
    for n in 1..=3 {
        bench.confirms(&content(n), Some(&[n; 50]));
        bench.chunk(&[n; 50], 0, &[n; 50]);
        bench.store.fetch(&digits(&content(n))).unwrap();
        bench.chunk(&content(n), 0, &content(n));
    }
    bench.attach(&content(4)).unwrap();
    // The first and third stand in a call that is open, the second in one that is closed.
    let closed = DocumentId::new(CallId(9), Compartment::Call);
    let (_, opened) = bench.says(facts(CallState::Open));
    bench.apply(&[opened]);
    let (_, said) = bench.says(facts(CallState::Closed));
    bench.apply(&[said]);
    let place = data_encoding::HEXLOWER.encode(&closed.to_bytes());
    bench.sql(&format!(
        "UPDATE changes SET doc = x'{place}' WHERE kind = 'facts' AND json_extract(fields, '$.state') = 'closed';
         UPDATE attached SET doc = x'{place}' WHERE blob = '{}';",
        digits(&content(2))
    ));
    let is_here = |bench: &Bench| {
        [1, 2, 3, 4].map(|n| {
            bench
                .here(&content(n))
                .is_some_and(|(here, _)| here.is_whole)
        })
    };
    assert_eq!(is_here(&bench), [true; 4]);
    // As if the whole ones were as large as the device may hold.
    let fill = |bench: &Bench, bytes: u64| {
        bench.sql(&format!(
            "UPDATE blobs SET total = {bytes}, bytes = {bytes} WHERE total = 1000 OR total > 100000"
        ));
    };
    fill(&bench, ATTACHMENTS_BYTES_MAX / 4);
    bench.attach(b"a small one").unwrap();
    assert_eq!(is_here(&bench), [true, false, true, true]);
    fill(&bench, ATTACHMENTS_BYTES_MAX / 3);
    bench.attach(b"another small one").unwrap();
    assert_eq!(is_here(&bench), [false, false, true, true]);
    fill(&bench, ATTACHMENTS_BYTES_MAX);
    let full = bench.attach(b"one more");
    assert!(matches!(full, Err(StoreError::AttachmentsFull)), "{full:?}");
    assert!(is_here(&bench)[3], "it is unsent");
    for n in 1..=3 {
        let thumbnail = bench.here(&[n; 50]).unwrap();
        assert!(thumbnail.0.is_whole, "{n}");
    }
    let texts = texts(&bench);
    assert_eq!(texts.len(), 7, "what was not taken has no entry: {texts:?}");
}

#[test]
fn a_center_that_lost_it_gets_an_attachment_again() {
    let mut bench = Bench::granted();
    let content = vec![7; 1_000];
    bench.attach(&content).unwrap();
    let hash_of_entry = bench.outbox()[0].hash;
    bench.apply(&[accepted(hash_of_entry, 1)]);
    bench.have(&content, 1_000, None);
    bench.confirms(&content, None);
    assert_eq!(bench.puts(), []);
    bench.apply(&[welcome(2, true), Operation::Grant(notes())]);
    assert_eq!(bench.puts(), [], "its entry goes first");
    bench.apply(&[accepted(hash_of_entry, 1)]);
    assert_eq!(bench.puts(), [(notes(), hash(&content), 1_000)]);
    let (state, mine) = bench.shown();
    assert_eq!(state, AttachmentState::Sending { bytes_at_center: 0 });
    assert_eq!(mine, Some(MineState::OnDevice));
    // The center's entry was given back to it, and does not come again: its word ends it.
    bench.have(&content, 1_000, None);
    assert_eq!(bench.puts(), []);
}
