//! A device with a good certificate and bad intent; and an honest one that is refused.
//! Whatever it sends, it hears why or its session ends, the center goes on, and what
//! comes later and is good arrives.

#![allow(clippy::unwrap_used)]

use data_encoding::BASE64URL_NOPAD;
use forerunner_tests::{
    Ended, HostileDevice, HostileSession, TestCenter, TestDevice, note_texts, reseal,
};
use mobile_core::{EntryView, MineState, OpenPacket, Packet};
use packet::{
    Actor, Author, CallId, Compartment, Composed, Document, DocumentId, Entry, Note, Proof,
    change_hash, inspect,
};
use sync::codec;
use sync::frame::{
    Agreement, ByeWhy, DownFrame, Hello, OfferFrame, Through, UpFrame, decode_message, encode,
};
use sync::limits::{FRAME_BYTES_MAX, PROTOCOL_VERSION};

const SEED: u64 = 0x0f0e_0d0c;
/// Mutated frames, and mutated changes that are well sealed and well signed.
const FRAMES: u32 = 400;
const CHANGES: u32 = 400;

fn words(call: CallId) -> DocumentId {
    DocumentId::new(call, Compartment::Call)
}

/// A hostile device, with a packet of its own that nobody can deny it.
struct Stage {
    center: TestCenter,
    device: HostileDevice,
    /// The words of its own packet, as both have them.
    own: DocumentId,
    document: Document,
}

impl Stage {
    async fn set() -> Self {
        let center = TestCenter::start().await;
        let device = HostileDevice::on_duty(&center.api, "104", "1B2").await;
        let own = words(CallId::new(Author::Device(device.number), 77));
        Self {
            center,
            device,
            own,
            document: Document::new(),
        }
    }

    fn note(&self, text: &str) -> Composed {
        self.device.note(&self.document, self.device.actor, text)
    }

    /// The device's next note is good, and arrives.
    async fn a_good_note_arrives(&mut self, session: &mut HostileSession, text: &str) {
        let note = self.note(text);
        let offer = self.device.offer(self.own, &note.bytes);
        session.accepted(offer, &mut self.document).await;
        assert!(self.center.api.is_healthy().await);
        let notes = self.center.notes(self.own.call).await;
        assert_eq!(notes.iter().filter(|found| *found == text).count(), 1);
    }

    /// What the log has of the packet is what was accepted here.
    async fn both_have_the_same(&self) {
        let logged = self.center.entries(self.own.call).await;
        assert_eq!(logged.len(), self.document.lineage().len());
    }
}

fn broke_the_protocol(ended: &Ended) -> &str {
    match ended {
        Ended::Bye(bye) if bye.why == ByeWhy::Protocol => &bye.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hello_that_is_not_one_opens_no_session() {
    let mut stage = Stage::set().await;
    let hello = |hello: &Hello| BASE64URL_NOPAD.encode(&encode(hello));
    let good = stage.device.hello();
    let other_version = Hello {
        version: 9,
        ..good.clone()
    };
    let mut session = stage.device.dial(&hello(&other_version)).await.unwrap();
    let Ended::Bye(bye) = session.end().await else {
        panic!("no word")
    };
    assert_eq!(bye.why, ByeWhy::Version);
    assert!(
        bye.reason.contains('9') && bye.reason.contains(&PROTOCOL_VERSION.to_string()),
        "{}",
        bye.reason
    );

    let through = Through {
        document: stage.own,
        through: 1,
    };
    let too_many = Hello {
        exceptions: vec![through; 65],
        ..good.clone()
    };
    let too_long = Hello {
        shift: vec![7; 5_000],
        ..good.clone()
    };
    let cut = &encode(&good)[..10];
    for bad in [
        hello(&too_many),
        hello(&too_long),
        BASE64URL_NOPAD.encode(cut),
        "not base64url!".into(),
        String::new(),
    ] {
        assert_eq!(stage.device.dial(&bad).await.unwrap_err(), 422, "{bad}");
    }
    let huge = BASE64URL_NOPAD.encode(&vec![7; 40_000]);
    assert_eq!(stage.device.dial(&huge).await.unwrap_err(), 431);

    // A position that nobody gave: it is asked what it has, document by document.
    let made_up = Hello {
        position: u64::MAX,
        receipts: u64::MAX,
        digest: 3,
        dictionary: 99,
        ..good
    };
    let mut session = stage.device.dial(&hello(&made_up)).await.unwrap();
    let DownFrame::Welcome(welcome) = session.next().await.unwrap() else {
        panic!("the welcome comes first")
    };
    assert_eq!(welcome.agreement, Agreement::Compare);
    session.send(encode(&UpFrame::Heads(vec![]))).await;
    stage
        .a_good_note_arrives(&mut session, "after the hellos")
        .await;
}

#[tokio::test]
async fn a_shift_that_the_center_did_not_give_carries_nothing() {
    let stage = Stage::set().await;
    let call = stage.center.api.call("26-1", &["1B2"]).await;
    let forged = Hello {
        shift: vec![7; 32],
        ..stage.device.hello()
    };
    let hello = BASE64URL_NOPAD.encode(&encode(&forged));
    let mut session = stage.device.dial(&hello).await.unwrap();
    stage.center.note(call, "not for you").await;
    session.send(encode(&UpFrame::Ping)).await;
    loop {
        match session.next().await.unwrap() {
            DownFrame::Pong => break,
            DownFrame::Welcome(_) | DownFrame::Position(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_frame_that_breaks_the_protocol_ends_the_session_with_a_reason() {
    let mut stage = Stage::set().await;
    let note = stage.note("good");
    let offer = stage.device.offer(stage.own, &note.bytes);
    let whole = encode(&UpFrame::Offer(offer.clone()));
    let with_body = |body: Vec<u8>| {
        let offer = OfferFrame {
            body,
            ..offer.clone()
        };
        encode(&UpFrame::Offer(offer))
    };
    let bomb = codec::pack(&vec![0; 50_000_000], 1);
    assert!(bomb.len() < FRAME_BYTES_MAX);
    // Chunk type 2: Automerge's deflated change.
    let mut compressed = note.bytes.clone();
    compressed[8] = 2;
    let mut checksum = note.bytes.clone();
    checksum[5] ^= 1;
    for (what, frame) in [
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("empty", vec![]),
        ("with bytes left over", [whole.as_slice(), &[0]].concat()),
        ("garbage", vec![0xff; 100]),
        ("nested without end", vec![0x81; 10_000]),
        ("of an unknown kind", vec![0x82, 0x18, 99, 0x80]),
        (
            "a text of a length that is not there",
            vec![
                0x82, 0, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            ],
        ),
        (
            "more delivered than was sent",
            encode(&UpFrame::Delivered(u64::MAX)),
        ),
        ("an offer without a body", with_body(vec![])),
        (
            "an offer by an unknown dictionary",
            with_body(vec![9, 1, 2]),
        ),
        ("an offer over the limit", with_body(vec![0; 20_000])),
        ("a zstd bomb", with_body(bomb)),
        (
            "a zstd body of noise",
            with_body([&[1], [0xa5; 300].as_slice()].concat()),
        ),
        (
            "a compressed chunk",
            with_body([&[0], compressed.as_slice()].concat()),
        ),
        (
            "a chunk with a wrong checksum",
            with_body([&[0], checksum.as_slice()].concat()),
        ),
        ("no chunk at all", with_body(vec![0; 200])),
    ] {
        let mut session = stage.device.session().await;
        session.send(frame).await;
        let ended = session.end().await;
        let reason = broke_the_protocol(&ended);
        assert!(!reason.is_empty(), "{what}");
    }
    for oversized in [FRAME_BYTES_MAX + 1, 3_000_000] {
        let mut session = stage.device.session().await;
        session.send(vec![0; oversized]).await;
        session.end().await;
    }
    let mut session = stage.device.session().await;
    session.send_text("hello?").await;
    stage
        .a_good_note_arrives(&mut session, "after the frames")
        .await;
    stage.both_have_the_same().await;
}

#[tokio::test]
async fn a_change_that_is_not_allowed_is_refused_with_a_reason_and_the_next_good_one_arrives() {
    let mut stage = Stage::set().await;
    let foreign = words(stage.center.api.call("26-1", &["1A1"]).await);
    let granted = words(stage.center.api.call("26-2", &["1B2"]).await);
    let mut session = stage.device.session().await;
    stage.a_good_note_arrives(&mut session, "first").await;
    let device = &stage.device;
    let (empty, own) = (Document::new(), stage.own);
    let good = stage.note("good");

    let mut wrongly_signed = device.offer(own, &good.bytes);
    wrongly_signed.proof = device.offer(foreign, &good.bytes).proof;
    let mut unsigned = device.offer(own, &good.bytes);
    unsigned.proof = Proof::Signature(vec![]);
    let mut endless_signature = device.offer(own, &good.bytes);
    endless_signature.proof = Proof::Signature(vec![0x30; 10_000]);
    let other = Actor::new(Author::Device(packet::DeviceNumber(9_999)), [1; 4]);
    let center = Actor::new(Author::Center(1 << 31), [1; 4]);
    let again = device.note(&empty, device.actor, "number one, again");
    // A number ahead: stands on a change that was never offered.
    let mut ahead = stage.document.clone();
    ahead
        .apply(&inspect(&good.bytes).unwrap(), &good.bytes)
        .unwrap();
    let ahead = device.note(&ahead, device.actor, "too early");
    let finding = Entry::Finding(packet::Finding {
        source: "RMS".into(),
        title: "made up".into(),
        text: "made up".into(),
        query: "x".into(),
        recorded_ms: None,
        answered_ms: 1,
        confidence: packet::Confidence::Exact,
        topic: packet::Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    });
    let unknown_kind = Entry::Other {
        kind: "override".into(),
        fields: serde_json::Map::new(),
    };
    let facts = stage
        .center
        .entries(granted.call)
        .await
        .swap_remove(0)
        .entry;
    let caution = Entry::Caution(packet::Caution {
        text: "in the wrong part".into(),
        by: "x".into(),
        ends_ms: None,
    });
    let write = |document: &Document, entry| device.write(document, device.actor, entry).bytes;
    let intel = DocumentId::new(own.call, Compartment::Intel);
    let center_call = words(CallId::new(Author::Center(1 << 31), 12_345));
    let is = |wanted: &'static [u16]| wanted;
    for (what, codes, offer) in [
        ("wrongly signed", is(&[2]), wrongly_signed),
        ("not signed", is(&[2]), unsigned),
        ("with an endless signature", is(&[2]), endless_signature),
        (
            "by another device's actor",
            is(&[6]),
            device.offer(own, &device.note(&stage.document, other, "x").bytes),
        ),
        (
            "by the center's actor",
            is(&[6]),
            device.offer(own, &device.note(&stage.document, center, "x").bytes),
        ),
        (
            "with a number that was used",
            is(&[7]),
            device.offer(own, &again.bytes),
        ),
        (
            "with a number ahead",
            is(&[7, 8]),
            device.offer(own, &ahead.bytes),
        ),
        (
            "a finding",
            is(&[14, 17]),
            device.offer(own, &write(&stage.document, finding)),
        ),
        (
            "an unknown kind",
            is(&[14, 17]),
            device.offer(own, &write(&stage.document, unknown_kind)),
        ),
        (
            "a caution among the words",
            is(&[14]),
            device.offer(own, &write(&stage.document, caution)),
        ),
        (
            "facts of another's call",
            is(&[14]),
            device.offer(granted, &write(&empty, facts)),
        ),
        (
            "into intel",
            is(&[14]),
            device.offer(intel, &device.note(&empty, device.actor, "x").bytes),
        ),
        (
            "into a call of another unit",
            is(&[17]),
            device.offer(foreign, &device.note(&empty, device.actor, "x").bytes),
        ),
        (
            "into a call that is not",
            is(&[17]),
            device.offer(center_call, &device.note(&empty, device.actor, "x").bytes),
        ),
    ] {
        let refused = session.refused(offer).await;
        assert!(codes.contains(&refused.code), "{what}: {refused:?}");
        assert!(!refused.reason.is_empty(), "{what}");
    }
    stage.a_good_note_arrives(&mut session, "second").await;
    // On the center's own document too.
    let mut known = Document::new();
    let note = stage
        .device
        .note(&known, stage.device.actor, "allowed here");
    let offer = stage.device.offer(granted, &note.bytes);
    session.accepted(offer.clone(), &mut known).await;
    // Said again, it is accepted again and there once.
    session.offer(offer).await;
    let said_again = session.answer(note.hash).await.unwrap().unwrap();
    let logged = stage.center.entries(granted.call).await;
    let ours: Vec<_> = logged.iter().filter(|logged| logged.by_device).collect();
    assert_eq!((ours.len(), ours[0].seq), (1, said_again.seq));
    assert_eq!(stage.center.notes(foreign.call).await, [""; 0]);
    stage.both_have_the_same().await;
}

/// One way to spoil bytes.
fn spoil(bytes: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut spoiled = bytes.to_vec();
    let at = random.usize(..bytes.len());
    match random.u8(..7) {
        0 => spoiled.truncate(at),
        1 => spoiled[at] ^= 1 << random.u8(..8),
        2 => {
            (0..random.u8(2..9)).for_each(|_| spoiled[random.usize(..bytes.len())] = random.u8(..))
        }
        3 => spoiled.insert(at, random.u8(..)),
        4 => drop(spoiled.remove(at)),
        5 => {
            let again = spoiled[at..].to_vec();
            spoiled.extend(again);
        }
        _ => {
            let end = (at + random.usize(1..9)).min(bytes.len());
            let byte = [0x00, 0x7f, 0x80, 0xff][random.usize(..4)];
            spoiled[at..end].fill(byte);
        }
    }
    spoiled
}

#[tokio::test]
async fn no_spoiled_frame_stops_the_center_or_gets_into_the_log() {
    println!("hostile: seed {SEED}");
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut stage = Stage::set().await;
    let mut session = stage.device.session().await;
    let (mut refused, mut ended) = (0, 0);
    for n in 0..FRAMES {
        let note = stage.note(&format!("spoiled {n}"));
        let mut offer = stage.device.offer(stage.own, &note.bytes);
        if n % 2 == 0 {
            offer.body = codec::pack(&note.bytes, 1);
        }
        let frame = spoil(&encode(&UpFrame::Offer(offer)), &mut random);
        let frames: Vec<UpFrame> = decode_message(&frame).unwrap_or_default();
        let offers = frames.iter().filter(|f| matches!(f, UpFrame::Offer(_)));
        let mut due = offers.count();
        session.send(frame).await;
        session.send(encode(&UpFrame::Ping)).await;
        // Until the pong the session has read the frame; the answer may come after it.
        let mut pong = false;
        while due > 0 || !pong {
            match session.next().await {
                Ok(DownFrame::Pong) => pong = true,
                Ok(DownFrame::Refused(why)) => {
                    assert!(!why.reason.is_empty());
                    refused += 1;
                    due -= 1;
                }
                // Spoiled where it does not matter: the very change that was signed.
                Ok(DownFrame::Accepted(accepted)) => {
                    assert_eq!(accepted.hash, note.hash);
                    let change = inspect(&note.bytes).unwrap();
                    // Offered twice in one message, it is accepted twice.
                    if !stage.document.lineage().knows(&note.hash) {
                        stage.document.apply(&change, &note.bytes).unwrap();
                    }
                    due -= 1;
                }
                Ok(_) => {}
                Err(how) => {
                    if let Ended::Bye(bye) = how {
                        assert_eq!(bye.why, ByeWhy::Protocol, "{bye:?}");
                        assert!(!bye.reason.is_empty());
                    }
                    ended += 1;
                    session = stage.device.session().await;
                    break;
                }
            }
        }
        if n % 50 == 0 {
            assert!(stage.center.api.is_healthy().await);
        }
    }
    println!(
        "hostile: of {FRAMES} spoiled frames {refused} were refused, {ended} ended the session"
    );
    assert!(refused > 0 && ended > 0);
    stage
        .a_good_note_arrives(&mut session, "after all frames")
        .await;
    stage.both_have_the_same().await;
}

#[tokio::test]
async fn no_spoiled_change_that_is_well_sealed_and_signed_stops_the_center() {
    println!("hostile: seed {SEED}");
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut stage = Stage::set().await;
    let mut session = stage.device.session().await;
    let (mut refused, mut accepted, mut ended) = (0, 0, 0);
    for n in 0..CHANGES {
        let note = stage.note(&format!("spoiled inside {n}"));
        // The header of magic, checksum, type and length stays; the checksum is put right.
        let head = if note.bytes[9] < 0x80 { 10 } else { 11 };
        let inside = spoil(&note.bytes[head..], &mut random);
        let mut bytes = note.bytes[..9].to_vec();
        let mut length = inside.len();
        while length >= 0x80 {
            bytes.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend(inside);
        let bytes = reseal(&bytes);
        let Ok(hash) = change_hash(&bytes) else {
            panic!("it is well sealed")
        };
        session.offer(stage.device.offer(stage.own, &bytes)).await;
        match session.answer(hash).await {
            Ok(Err(why)) => {
                assert!(!why.reason.is_empty());
                refused += 1;
            }
            // Another text is a good change; then it is one for everybody.
            Ok(Ok(_)) => {
                let change = inspect(&bytes).unwrap();
                stage.document.apply(&change, &bytes).unwrap();
                accepted += 1;
            }
            Err(how) => {
                assert!(!broke_the_protocol(&how).is_empty());
                ended += 1;
                session = stage.device.session().await;
            }
        }
    }
    println!(
        "hostile: of {CHANGES} spoiled changes {refused} were refused, {accepted} were good, {ended} ended the session"
    );
    assert!(refused > accepted);
    stage
        .a_good_note_arrives(&mut session, "after all changes")
        .await;
    stage.both_have_the_same().await;
    // And the log can be read again from nothing.
    stage.center.stop().await;
    stage.center.start_again().await;
    let mut session = stage.device.session().await;
    stage
        .a_good_note_arrives(&mut session, "after a restart")
        .await;
}

fn state_of<'a>(packet: &'a Packet, text: &str) -> Option<&'a MineState> {
    let is_it = |entry: &&EntryView| matches!(&entry.written.entry, Entry::Note(Note { text: found, .. }) if found == text);
    packet.entries.iter().find(is_it)?.mine.as_ref()
}

fn is_refused(packet: &Packet, text: &str) -> bool {
    matches!(state_of(packet, text), Some(MineState::Refused { .. }))
}

#[tokio::test]
async fn a_refused_note_stays_on_the_officers_screen_with_the_reason_and_later_ones_arrive() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let other = TestDevice::on_duty(&center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, |p| p.facts.is_some()).await;
    device.cut().await;
    // The laptop's clock jumps ahead by an hour, and back again.
    device.core.add_note(call, "first").await.unwrap();
    device.clock.set_off_ms(3_600_000);
    device.core.add_note(call, "from the future").await.unwrap();
    device.clock.set_off_ms(0);
    device.core.add_note(call, "second").await.unwrap();
    device.core.add_note(call, "third").await.unwrap();
    device.core.set_link(true);

    let packet = device
        .packet(call, |packet| {
            let at_center = |text| state_of(packet, text) == Some(&MineState::AtCenter);
            is_refused(packet, "from the future")
                && ["first", "second", "third"].into_iter().all(at_center)
        })
        .await;
    let Some(MineState::Refused { reason }) = state_of(&packet, "from the future") else {
        unreachable!("it was waited for")
    };
    assert!(reason.contains("clock"), "{reason}");
    center.has_notes(call, &["first", "second", "third"]).await;
    device.has_sent_all().await;
    let id = device.core.add_note(call, "fourth").await.unwrap();
    device.is_at_center(call, id).await;
    let packet = other.packet(call, |p| note_texts(p).len() == 4).await;
    assert_eq!(note_texts(&packet), ["first", "second", "third", "fourth"]);
}

#[tokio::test]
async fn a_note_to_a_call_that_the_unit_had_long_ago_is_refused_and_kept_for_the_officer() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let other = center.api.call("26-2", &["1A1"]).await;
    for call in [call, other] {
        device.packet(call, |p| p.facts.is_some()).await;
    }
    device.cut().await;
    device
        .core
        .add_note(call, "a month too late")
        .await
        .unwrap();
    device.core.add_note(other, "in time").await.unwrap();
    center.api.release(call, "1A1").await;
    center
        .execute("UPDATE grants SET ended_ms = 1 WHERE ended_ms IS NOT NULL")
        .await;
    device.core.set_link(true);
    center.has_notes(other, &["in time"]).await;
    let packet = device
        .packet(call, |packet| is_refused(packet, "a month too late"))
        .await;
    assert_eq!(packet.facts, None, "the rest of the packet has left");
    assert_eq!(center.notes(call).await, [""; 0]);
    // Opening packets and writing go on.
    let open = OpenPacket {
        nature: "ON VIEW".into(),
        location: "5th and Oak".into(),
        plate: None,
        note: Some("goes on".into()),
    };
    let own = device.core.open_packet(open).await.unwrap();
    center.has_notes(own, &["goes on"]).await;
}
