//! A stolen device: what is read from its folder, byte by byte, by whoever has it.
//!
//! Each kind of restricted entry holds words that are nowhere else. Every byte of every file
//! in the device's folder (database, WAL, shared memory, sealed entries, key files, whatever
//! a crash left) is looked through for them, in the encodings in which they could lie there.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use forerunner_tests::{TestCenter, TestDevice, noise_png, until};
use mobile_core::{CoreError, LockState, LockedWhy, Packet};
use packet::entry::Topic;
use packet::{CallId, Confidence, Entry, Finding, QueryWhat, UnitState};

const PIN: &str = "482916";
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Words that stand in an entry of each kind, and nowhere else.
const WORDS: [&str; 9] = [
    "QZNOTEWORDSQZ",
    "QZMYNOTEQZ",
    "QZCAUTIONQZ",
    "QZMYCAUTIONQZ",
    "QZTITLEQZ",
    "QZFINDINGQZ",
    "QZOKONKWOQZ",
    "QZ-4471-QZ",
    "QZREASONQZ",
];

/// What must not be found: text in each of its encodings, and pieces of pictures as they are.
struct Needles(Vec<(String, Vec<u8>)>);

impl Needles {
    fn of_text(text: &str) -> Vec<(String, Vec<u8>)> {
        let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
        let mut needles = vec![
            (format!("{text} in UTF-8"), text.as_bytes().to_vec()),
            (format!("{text} in UTF-16"), utf16(u16::to_le_bytes)),
            (
                format!("{text} in UTF-16, big endian"),
                utf16(u16::to_be_bytes),
            ),
            (
                format!("{text} in hexadecimal"),
                HEXLOWER.encode(text.as_bytes()).into_bytes(),
            ),
        ];
        // In base64 it looks different by where in a group of three bytes it begins. What
        // depends on its neighbours is left off.
        for before in 0..3 {
            let padded = [&b"\0\0"[..before], text.as_bytes()].concat();
            let whole = padded.len() / 3 * 3;
            for encoded in [
                BASE64.encode(&padded[..whole]),
                BASE64URL_NOPAD.encode(&padded[..whole]),
            ] {
                let piece = encoded[if before == 0 { 0 } else { 4 }..].to_owned();
                needles.push((format!("{text} in base64"), piece.into_bytes()));
            }
        }
        needles
    }

    fn new(blobs: &[&[u8]]) -> Self {
        let mut needles: Vec<_> = WORDS.iter().flat_map(|word| Self::of_text(word)).collect();
        for blob in blobs {
            // Pieces from all over it; past what all pictures of a kind have in common.
            for at in (blob.len() / 5..blob.len() - 24).step_by(blob.len() / 5) {
                needles.push((format!("a picture at {at}"), blob[at..at + 24].to_vec()));
            }
        }
        Self(needles)
    }

    /// What of it is in this folder, and how many bytes were looked through.
    fn found_in(&self, folder: &Path) -> (Vec<String>, usize) {
        let (mut found, mut bytes_read) = (Vec::new(), 0);
        for file in files(folder) {
            let bytes = fs::read(&file).unwrap();
            bytes_read += bytes.len();
            let name = file.strip_prefix(folder).unwrap().display();
            for (what, needle) in &self.0 {
                let first = needle[0];
                let is_there = bytes
                    .windows(needle.len())
                    .any(|window| window[0] == first && window == needle);
                if is_there {
                    found.push(format!("{what} in {name}"));
                }
            }
        }
        (found, bytes_read)
    }

    /// Nothing of it is there; and the same scan finds what is laid beside it.
    fn must_not_be_in(&self, folder: &Path, when: &str) {
        let (found, bytes_read) = self.found_in(folder);
        assert!(found.is_empty(), "{when}: {found:#?}");
        println!("{when}: {bytes_read} bytes read, nothing found");
        let control = folder.join("control");
        for (what, needle) in &self.0 {
            fs::write(&control, [b"before".as_slice(), needle, b"behind"].concat()).unwrap();
            let (found, _) = self.found_in(folder);
            assert!(!found.is_empty(), "the scan is blind to {what}");
        }
        fs::remove_file(control).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

struct Stage {
    center: TestCenter,
    device: TestDevice,
    call: CallId,
    needles: Needles,
}

fn finding() -> Entry {
    Entry::Finding(Finding {
        source: "records".into(),
        title: "QZTITLEQZ".into(),
        text: "QZFINDINGQZ, wanted as QZOKONKWOQZ".into(),
        query: "QZ-4471-QZ".into(),
        recorded_ms: None,
        answered_ms: 1,
        confidence: Confidence::Exact,
        topic: Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    })
}

/// The pictures of the packet: (whole, thumbnail).
fn pictures(packet: &Packet) -> Vec<(String, Option<String>)> {
    let attachments = packet
        .entries
        .iter()
        .filter_map(|entry| entry.attachment.as_ref());
    attachments
        .map(|view| (view.blob.clone(), view.thumbnail.clone()))
        .collect()
}

impl Stage {
    /// An officer's device in the middle of a call, with all kinds of entries on it, some of
    /// them its own and not sent.
    async fn set() -> Self {
        let center = TestCenter::start().await;
        let device = TestDevice::with_pin(&center.api, PIN).await;
        device.core.sign_on("101", "1A1").await.unwrap();
        device.online().await;
        let call = center.api.call("26-1", &["1A1"]).await;
        device.packet(call, |packet| packet.facts.is_some()).await;
        center.note(call, "QZNOTEWORDSQZ").await;
        center.caution(call, "QZCAUTIONQZ").await;
        center
            .center()
            .write(call, finding(), "a test")
            .await
            .unwrap();
        let theirs = noise_png(200, 150);
        let path = format!("/v1/calls/{call}/attachments?name=scene.png");
        center
            .api
            .upload(&path, "image/png", &theirs)
            .await
            .unwrap();
        let has_all = |packet: &Packet| {
            let has = |word: &str| {
                packet
                    .entries
                    .iter()
                    .any(|entry| format!("{entry:?}").contains(word))
            };
            ["QZNOTEWORDSQZ", "QZCAUTIONQZ", "QZFINDINGQZ"]
                .iter()
                .all(|word| has(word))
                && pictures(packet)
                    .iter()
                    .any(|(_, thumbnail)| thumbnail.is_some())
        };
        let packet = device.packet(call, has_all).await;
        let (whole, thumbnail) = pictures(&packet).remove(0);
        device.core.fetch(&whole).await.unwrap();
        for blob in [&whole, thumbnail.as_ref().unwrap()] {
            until("the picture is on the device", async || {
                let found = device.core.attachment(blob).await.unwrap();
                found.and_then(|found| found.content).map(drop)
            })
            .await;
        }
        let thumbnail = thumbnail.unwrap();
        let small = device.core.attachment(&thumbnail).await.unwrap().unwrap();
        device.cut().await;
        let mine = noise_png(90, 60);
        let core = &device.core;
        core.add_note(call, "QZMYNOTEQZ").await.unwrap();
        core.add_caution(call, "QZMYCAUTIONQZ").await.unwrap();
        core.set_status(call, UnitState::OnScene).await.unwrap();
        core.add_query(
            call,
            QueryWhat::Person,
            "QZOKONKWOQZ",
            None,
            Some("QZREASONQZ"),
        )
        .await
        .unwrap();
        core.attach(call, mine.clone(), "image/png", "mine.png")
            .await
            .unwrap();
        let needles = Needles::new(&[&theirs, &small.content.unwrap(), &mine]);
        Self {
            center,
            device,
            call,
            needles,
        }
    }

    /// The words are all on the device, while it is open.
    async fn has_all_words(&self) {
        let packet = self.device.core.packet(self.call).await.unwrap().unwrap();
        let shown = format!("{packet:?}");
        for word in WORDS {
            assert!(shown.contains(word), "{word} is not on the device");
        }
    }

    fn must_not_be_read(&self, when: &str) {
        self.needles.must_not_be_in(self.device.folder(), when);
    }
}

#[tokio::test]
async fn a_device_that_is_stolen_while_locked_gives_nothing_and_its_pin_gives_all() {
    let stage = Stage::set().await;
    stage.has_all_words().await;
    // In use: the store, its WAL and what is sealed are open, and still not to be read.
    stage.must_not_be_read("while it is in use");
    stage.device.core.lock().await.unwrap();
    stage.must_not_be_read("while it is locked");
    assert!(matches!(
        stage.device.core.packet(stage.call).await,
        Err(CoreError::Locked)
    ));
    // With the PIN it opens: so it was there to be found.
    stage.device.core.unlock(PIN).await.unwrap();
    stage.has_all_words().await;
}

#[tokio::test]
async fn a_device_that_is_stolen_after_the_end_of_a_shift_gives_nothing() {
    let stage = Stage::set().await;
    let unsent = stage.device.core.sign_off().await;
    assert!(
        matches!(unsent, Err(CoreError::AttachmentsUnsent { count: 1 })),
        "{unsent:?}"
    );
    stage.has_all_words().await;
    let sealed = stage.device.sealed_files();
    assert!(sealed >= 5, "{sealed}");
    let key = fs::read(stage.device.folder().join("keys/store-key.key")).unwrap();
    stage.device.core.sign_off_anyway().await.unwrap();
    stage.must_not_be_read("after the end of the shift");
    assert_eq!(stage.device.sealed_files(), sealed);
    assert!(stage.device.core.packets().await.unwrap().is_empty());
    for file in files(stage.device.folder()) {
        let bytes = fs::read(&file).unwrap();
        let is_there = bytes.windows(key.len()).any(|window| window == key);
        assert!(!is_there, "the key is still in {}", file.display());
    }
    // What was written and not sent reaches the center all the same, and the receipt.
    stage.device.core.set_link(true);
    stage
        .center
        .has_notes(stage.call, &["QZNOTEWORDSQZ", "QZMYNOTEQZ"])
        .await;
    until("the center has the receipt", async || {
        let devices = stage.center.api.get("/v1/devices").await.unwrap();
        (devices.body["devices"][0]["state"] == "erased").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_device_that_is_stolen_after_its_shift_ran_out_gives_nothing() {
    let stage = Stage::set().await;
    stage.device.clock.set_off_ms(13 * HOUR_MS);
    stage.device.core.tend().await.unwrap();
    let state = stage.device.core.lock_state().borrow().clone();
    let LockState::Locked { why, .. } = state else {
        panic!("{state:?}");
    };
    assert_eq!(why, LockedWhy::ShiftOver);
    stage.must_not_be_read("after its shift ran out");
    let opened = stage.device.core.unlock(PIN).await;
    assert!(matches!(opened, Err(CoreError::ShiftOver)), "{opened:?}");
    // Nothing was erased: with a new sign-on, and the PIN, it is as it was.
    stage.device.clock.set_off_ms(0);
    stage.device.core.set_link(true);
    stage.device.core.sign_on("101", "1A1").await.unwrap();
    stage.device.core.unlock(PIN).await.unwrap();
    stage.has_all_words().await;
}

/// All 32 bytes in a row that the key files hold, as they are and out of base64.
fn candidates(keys: &Path) -> Vec<[u8; 32]> {
    let mut all = Vec::new();
    for file in files(keys) {
        let bytes = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let decoded = text
            .split(['"', ',', ':', '{', '}'])
            .filter_map(|piece| BASE64.decode(piece.as_bytes()).ok());
        for piece in std::iter::once(bytes.clone()).chain(decoded) {
            all.extend(
                piece
                    .windows(32)
                    .map(|window| <[u8; 32]>::try_from(window).unwrap()),
            );
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

fn opens(file: &Path, key: &[u8; 32]) -> bool {
    let store = rusqlite::Connection::open(file).unwrap();
    let key = format!("PRAGMA key = \"x'{}'\"", HEXLOWER.encode(key));
    store.execute_batch(&key).unwrap();
    store
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .is_ok()
}

#[tokio::test]
async fn the_key_files_alone_do_not_open_the_store() {
    let center = TestCenter::start().await;
    let device = TestDevice::with_pin(&center.api, PIN).await;
    device.core.lock().await.unwrap();
    let (keys, file) = (
        device.folder().join("keys"),
        device.folder().join("store/packets.db"),
    );
    let tried = candidates(&keys);
    assert!(tried.len() > 500, "{}", tried.len());
    assert!(!tried.iter().any(|key| opens(&file, key)));
    println!("{} keys from the key files open nothing", tried.len());
    // Without a PIN one of them does: so trying them is no idle exercise.
    let open = TestDevice::enrolled(&center.api, "no PIN").await;
    let folder = open.close().await.unwrap();
    let tried = candidates(&folder.path().join("keys"));
    let file = folder.path().join("store/packets.db");
    assert!(tried.iter().any(|key| opens(&file, key)));
}
