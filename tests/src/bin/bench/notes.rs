//! Notes of a live call, sent one after the other, and when they came where.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use forerunner_tests::TestApi;
use packet::{CallId, Compartment, DocumentId, Entry};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::MissedTickBehavior;

use crate::light::{Came, Light};

/// As the peers' rigs have it.
const NOTE_CHARS: usize = 110;
const WORDS: &str = "caller reports male subject armed knife blue jacket north side building \
    camera shows vehicle plate white sedan east on Main Street prior calls officer safety \
    caution warrant confirmed dog premises door open rear alley two occupants RTCC drone \
    overhead no visual witness states fled foot toward park medical staged";
/// How long the last note may take to reach all.
const LAST_MAX: Duration = Duration::from_secs(120);
/// Silence after which nothing more is on its way.
const SETTLED: Duration = Duration::from_secs(1);

/// The note with this number, word for word as the peers' rigs write it.
pub(crate) fn text(number: u64) -> String {
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut x = number.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut text = String::new();
    while text.len() < NOTE_CHARS {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let at = (x >> 33) % words.len() as u64;
        text.push_str(words[usize::try_from(at).unwrap()]);
        text.push(' ');
    }
    text.truncate(NOTE_CHARS);
    // A form's text loses its last blank.
    text.trim_end().to_owned() + if text.ends_with(' ') { "." } else { "" }
}

/// An analyst's note, by the console's form.
pub(crate) async fn write(api: &TestApi, call: CallId, text: &str) {
    form(api, &format!("/calls/{call}/notes"), text).await;
}

/// An analyst's caution.
pub(crate) async fn warn(api: &TestApi, call: CallId, text: &str) {
    form(api, &format!("/calls/{call}/cautions"), text).await;
}

async fn form(api: &TestApi, path: &str, text: &str) {
    let answer = api.form(path, text).await.unwrap();
    assert!(answer.is_success(), "{answer:?}");
}

/// Sends notes from this number on, one after each pause; when each was sent.
pub(crate) async fn send(
    api: &TestApi,
    call: CallId,
    numbers: std::ops::Range<u64>,
    every: Duration,
) -> Vec<Instant> {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = Vec::new();
    for number in numbers {
        tick.tick().await;
        sent.push(Instant::now());
        write(api, call, &text(number)).await;
    }
    sent
}

/// Takes what comes until nothing has come for a while; the newest of it.
pub(crate) async fn settled(came: &mut UnboundedReceiver<Came>) -> u64 {
    let mut newest = 0;
    while let Ok(Some(change)) = tokio::time::timeout(SETTLED, came.recv()).await {
        newest = newest.max(change.seq);
    }
    newest
}

/// Writes a note to a call and waits until all of its devices stand at it: then none has
/// anything older to come, which takes thousands that come on together longer than a
/// moment of silence tells. The newest of what came.
///
/// # Errors
/// When they do not get there, in a sentence.
pub(crate) async fn caught_up(
    api: &TestApi,
    call: CallId,
    came: &mut UnboundedReceiver<Came>,
    devices: usize,
) -> Result<u64, String> {
    let document = DocumentId::new(call, Compartment::Call);
    write(api, call, &text(u64::MAX)).await;
    let deadline = tokio::time::Instant::now() + LAST_MAX;
    let mut stands: HashMap<usize, u64> = HashMap::new();
    // How many stand at the newest.
    let (mut newest, mut there) = (0, 0);
    while there < devices {
        let Ok(Some(change)) = tokio::time::timeout_at(deadline, came.recv()).await else {
            return Err(format!(
                "{there} of {devices} devices had caught up after {LAST_MAX:?}"
            ));
        };
        if change.document != document {
            continue;
        }
        let at = stands.entry(change.device).or_default();
        *at = change.seq.max(*at);
        if *at > newest {
            (newest, there) = (*at, 0);
        }
        there += usize::from(*at == newest);
    }
    Ok(newest.max(settled(came).await))
}

/// Takes so many changes of these documents.
///
/// # Errors
/// When they do not come, in a sentence.
pub(crate) async fn take(
    came: &mut UnboundedReceiver<Came>,
    is_wanted: impl Fn(&Came) -> bool,
    wanted: usize,
) -> Result<Vec<Came>, String> {
    let mut taken = Vec::with_capacity(wanted);
    let deadline = tokio::time::Instant::now() + LAST_MAX;
    while taken.len() < wanted {
        let next = tokio::time::timeout_at(deadline, came.recv()).await;
        let Ok(Some(change)) = next else {
            return Err(format!(
                "{} of {wanted} changes came to the devices within {LAST_MAX:?}",
                taken.len()
            ));
        };
        if is_wanted(&change) {
            taken.push(change);
        }
    }
    Ok(taken)
}

/// How long each took, in milliseconds: notes that were sent one after the other lie in
/// the log in that order.
///
/// # Panics
/// When others are among them.
pub(crate) fn took_ms(came: &[Came], sent: &[Instant]) -> Vec<f64> {
    let seqs: BTreeSet<u64> = came.iter().map(|change| change.seq).collect();
    assert_eq!(seqs.len(), sent.len(), "only the notes came");
    let sent: HashMap<u64, Instant> = seqs.into_iter().zip(sent.iter().copied()).collect();
    came.iter()
        .map(|change| change.at.duration_since(sent[&change.seq]).as_secs_f64() * 1_000.0)
        .collect()
}

/// Checks that each of these devices can read all of these notes.
pub(crate) fn check<'a>(
    lights: impl IntoIterator<Item = &'a Light>,
    numbers: std::ops::Range<u64>,
) {
    let wanted: BTreeSet<String> = numbers.map(text).collect();
    for light in lights {
        let note = |(_, _, entry)| match entry {
            Entry::Note(note) => Some(note.text),
            _ => None,
        };
        let found: BTreeSet<String> = light.read().into_iter().filter_map(note).collect();
        assert!(wanted.is_subset(&found), "device {} has all", light.index);
    }
}
