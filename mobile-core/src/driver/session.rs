//! One session: dial, say what is here, commit what comes, say that it was delivered.

mod attachments;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use packet::{ChangeHash, DocumentId};
use sync::device::{Device, Next, Store as Operation};
use sync::frame::{Bye, ByeWhy};
use sync::limits::SILENCE_MS_MAX;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::attachments::Told;
use super::{End, LinkState};
use crate::Core;
use crate::core::{Enrolled, Gate, Progress};
use crate::host::LogLevel;
use crate::net::{CONNECT_MS_MAX, Heard, Link, Method, NetError, ask, open};
use crate::store::{ShownRow, Store};

/// Most messages that one commit takes: they share its cost.
const BATCH_MESSAGES_MAX: usize = 64;
/// Most sealed files that are handed in at one contact.
const SEALED_UPLOADS_MAX: usize = 1_000;
/// The center gives a link up after [`SILENCE_MS_MAX`]. One that lives for twice as long
/// after something was said has carried it.
const CARRIED_MS: u64 = 2 * SILENCE_MS_MAX;
/// How long what came over a broken link may take from the socket to the session.
const LAST_WORDS_MS: u64 = 1_000;

struct Session<'a> {
    core: &'a Core,
    enrolled: Arc<Enrolled>,
    device: Device,
    link: Link,
    /// How far the machine knows the outbox.
    outbox_high: i64,
    /// What was told to have been shown in this session, and when (boot clock).
    told: BTreeMap<DocumentId, (ShownRow, u64)>,
    attachments: Told,
    welcomed: bool,
    /// The center has said in this session what it grants of what is here: at once, where it
    /// is as the device says; what it grants no longer comes with that.
    knows_grants: bool,
    /// Ends with the session.
    uploads: JoinSet<()>,
}

pub(super) async fn run(
    core: &Core,
    gate: &mut watch::Receiver<Gate>,
    stop: &CancellationToken,
) -> End {
    let dialed = tokio::select! {
        dialed = dial(core) => dialed,
        // The new state of the gate is looked at before the next dial.
        _ = gate.changed() => return failed("the network or the shift has changed"),
        () = stop.cancelled() => return failed("stopped"),
    };
    let mut session = match dialed {
        Ok(session) => session,
        Err(end) => return end,
    };
    let (why, bye) = match session.talk(gate, stop).await {
        Ok(bye) => (bye.reason.clone(), Some(bye)),
        Err(why) => (why, None),
    };
    End {
        why,
        welcomed: session.welcomed && bye.is_none(),
        no_way: false,
        standing: bye.as_ref().is_some_and(|bye| bye.why == ByeWhy::Standing),
        retry_after_ms: bye.map(|bye| bye.retry_after_ms),
    }
}

fn failed(why: impl ToString) -> End {
    End {
        why: why.to_string(),
        welcomed: false,
        no_way: false,
        standing: false,
        retry_after_ms: None,
    }
}

async fn dial(core: &Core) -> Result<Session<'_>, End> {
    let enrolled = core
        .enrolled()
        .ok_or_else(|| failed("this device is not enrolled"))?;
    count(&core.0.counters.dials, 1);
    // Anew from the store: so a commit that failed has no consequence here.
    let loaded = core.0.store.run(Store::load).await;
    let loaded = loaded.map_err(failed)?;
    let mut device = Device::new(loaded.kept);
    let token = core.shift().map(|shift| shift.token).unwrap_or_default();
    let token = BASE64URL_NOPAD
        .decode(token.as_bytes())
        .unwrap_or_else(|_| token.into_bytes());
    let connecting = async {
        let center = &enrolled.enrolment.center;
        let connector = &core.0.connector;
        let stream = connector.connect(center, enrolled.tls.clone()).await?;
        let hello = device.dial(token, core.0.clock.now_ms());
        open(stream, center, &hello).await
    };
    let link = tokio::time::timeout(Duration::from_millis(CONNECT_MS_MAX), connecting)
        .await
        .unwrap_or(Err(NetError::TimedOut))
        .map_err(|error| End {
            no_way: matches!(error, NetError::NoWay(_)),
            standing: matches!(
                error,
                NetError::Refused {
                    status: 401 | 403,
                    ..
                }
            ),
            ..failed(error)
        })?;
    Ok(Session {
        core,
        enrolled,
        device,
        link,
        outbox_high: loaded.outbox_high,
        told: BTreeMap::new(),
        attachments: Told::default(),
        welcomed: false,
        knows_grants: false,
        uploads: JoinSet::new(),
    })
}

impl Session<'_> {
    fn now_ms(&self) -> u64 {
        self.core.0.clock.now_ms()
    }

    /// Until the center says bye, or the link, the gate or the store ends it.
    async fn talk(
        &mut self,
        gate: &mut watch::Receiver<Gate>,
        stop: &CancellationToken,
    ) -> Result<Bye, String> {
        loop {
            if self.link.up.is_closed() {
                return self.last_words().await;
            }
            let now_ms = self.now_ms();
            let mut until_ms = now_ms + SILENCE_MS_MAX;
            let mut link_is_full = false;
            let mut piece = None;
            match self.link.up.try_reserve() {
                Ok(room) => match self.device.next(now_ms) {
                    Next::Send(frame) => {
                        let counters = &self.core.0.counters;
                        count(&counters.frames_sent, 1);
                        count(&counters.bytes_sent, frame.len());
                        self.progress(|progress| progress.messages += 1);
                        room.send(frame);
                        continue;
                    }
                    Next::FetchChunk {
                        blob,
                        offset,
                        bytes_max,
                    } => piece = Some((blob, offset, bytes_max)),
                    Next::Wait { until_ms: wait } => until_ms = wait,
                    Next::Dead => return Err("the center is silent".into()),
                },
                Err(_) => link_is_full = true,
            }
            if let Some((blob, offset, bytes_max)) = piece {
                self.send_piece(blob, offset, bytes_max).await?;
                continue;
            }
            let up = self.link.up.clone();
            let room = async { drop(up.reserve().await) };
            let nap = Duration::from_millis(until_ms.saturating_sub(now_ms));
            tokio::select! {
                heard = self.link.down.recv() => {
                    if let Some(bye) = self.hear(heard).await? {
                        return Ok(bye);
                    }
                }
                () = room, if link_is_full => {}
                () = self.core.0.work.notified() => self.take_work().await?,
                () = tokio::time::sleep(nap) => {}
                _ = gate.changed() => return Err("the network or the shift has changed".into()),
                () = stop.cancelled() => return Err("stopped".into()),
            }
            count(&self.core.0.counters.wake_ups, 1);
        }
    }

    /// What the center had said before a link that takes nothing more broke: it may be why.
    async fn last_words(&mut self) -> Result<Bye, String> {
        let wait = Duration::from_millis(LAST_WORDS_MS);
        loop {
            let heard = tokio::time::timeout(wait, self.link.down.recv()).await;
            let heard = heard.map_err(|_| "the link broke")?;
            if let Some(bye) = self.hear(heard).await? {
                return Ok(bye);
            }
        }
    }

    fn progress(&self, change: impl FnOnce(&mut Progress)) {
        self.core.0.progress.send_modify(change);
    }

    /// Takes what was received so far, and commits it as one.
    async fn hear(&mut self, first: Option<Heard>) -> Result<Option<Bye>, String> {
        let mut operations = Vec::new();
        let mut next = Some(first.unwrap_or_else(|| Heard::Closed("the link broke".into())));
        let (mut frames, mut ended) = (0, None);
        while let Some(heard) = next.take() {
            let now_ms = self.now_ms();
            match heard {
                Heard::Life => self.device.heard(now_ms),
                Heard::Closed(why) => ended = Some(Err(why)),
                Heard::Frame(bytes) => {
                    frames += 1;
                    let counters = &self.core.0.counters;
                    count(&counters.frames_received, 1);
                    count(&counters.bytes_received, bytes.len());
                    self.progress(|progress| progress.messages += 1);
                    match self.device.message(&bytes, now_ms) {
                        Ok(effects) => {
                            operations.extend(effects.store);
                            ended = effects.bye.map(Ok);
                        }
                        // What came before it is good.
                        Err(error) => ended = Some(Err(error.to_string())),
                    }
                }
            }
            if ended.is_none() && frames < BATCH_MESSAGES_MAX {
                next = self.link.down.try_recv().ok();
            }
        }
        self.commit(operations).await?;
        if frames > 0 {
            self.device.committed();
        }
        match ended {
            Some(end) => end.map(Some),
            None => {
                self.after_commit().await?;
                if self.knows_grants {
                    self.core.renew_leases();
                }
                Ok(None)
            }
        }
    }

    async fn commit(&mut self, operations: Vec<Operation>) -> Result<(), String> {
        if operations.is_empty() {
            return Ok(());
        }
        self.attachments.hear(&operations);
        let is_told_all = is_told_all(&operations);
        let is_agreed = operations.iter().any(is_agreed);
        let is_reset =
            |operation: &Operation| matches!(operation, Operation::Welcome { anew: true, .. });
        let resets = operations
            .iter()
            .filter(|operation| is_reset(operation))
            .count();
        self.core.pass_leases();
        let enrolled = self.enrolled.clone();
        let wall_ms = self.core.0.clock.wall_ms();
        let applied = self
            .core
            .0
            .store
            .run(move |store| store.apply(&enrolled.pen, &operations, wall_ms))
            .await
            .map_err(|error| error.to_string())?;
        count(&self.core.0.counters.commits, 1);
        count(&self.core.0.counters.resets, resets);
        self.core.set_contact(applied.contact);
        if let Some((outbox, high)) = applied.outbox {
            for (document, unsent) in outbox {
                self.device.rewritten(document, unsent);
            }
            self.outbox_high = self.outbox_high.max(high);
        }
        self.attachments_ended(&applied.sent);
        if applied.attachments {
            self.core.0.work.notify_one();
        }
        self.core.bump();
        if !self.knows_grants && (is_agreed || is_told_all == Some(true)) {
            self.knows_grants = true;
            self.core.renew_leases();
            if let Err(error) = self.core.keep_leases() {
                tracing::warn!(%error, "how much is left of leases was not kept");
            }
        }
        self.progress(|progress| {
            progress.is_told_all = is_told_all.unwrap_or(progress.is_told_all);
        });
        if applied.comes_anew {
            return Err("a document has to come anew".into());
        }
        Ok(())
    }

    async fn after_commit(&mut self) -> Result<(), String> {
        if !self.welcomed && self.device.is_welcomed() {
            self.welcomed = true;
            self.core.anchor_shift();
            count(&self.core.0.counters.sessions, 1);
            let since_ms = self.core.0.clock.wall_ms();
            self.core
                .0
                .link
                .send_replace(LinkState::Online { since_ms });
            self.progress(|progress| progress.welcomed = true);
            self.hand_in_sealed();
            self.renew();
            self.take_work().await?;
        }
        self.forget_told().await
    }

    /// What was written or shown since the last look.
    async fn take_work(&mut self) -> Result<(), String> {
        let after = self.outbox_high;
        let read = move |store: &Store| Ok((store.outbox_after(after)?, store.untold()?));
        let ((unsent, high), untold) = self
            .core
            .0
            .store
            .run(read)
            .await
            .map_err(|error| error.to_string())?;
        self.outbox_high = high;
        unsent
            .into_iter()
            .for_each(|unsent| self.device.written(unsent));
        if !self.welcomed {
            return Ok(());
        }
        self.tell_attachments().await?;
        let now_ms = self.now_ms();
        for row in untold {
            if self.told.get(&row.document).map(|(told, _)| *told) != Some(row) {
                self.device.shown(row.document, row.through, row.at_ms);
                self.told.insert(row.document, (row, now_ms));
            }
        }
        Ok(())
    }

    /// What the link has surely carried need not be told again.
    async fn forget_told(&mut self) -> Result<(), String> {
        let before_ms = self.now_ms().saturating_sub(CARRIED_MS);
        let carried: Vec<ShownRow> = self
            .told
            .values()
            .filter(|(_, told_ms)| *told_ms < before_ms)
            .map(|(row, _)| *row)
            .collect();
        if carried.is_empty() {
            return Ok(());
        }
        self.told.retain(|_, (_, told_ms)| *told_ms >= before_ms);
        let told = self.core.0.store.run(move |store| store.told(&carried));
        told.await.map_err(|error| error.to_string())
    }

    fn hand_in_sealed(&mut self) {
        let core = self.core.clone();
        let enrolled = self.enrolled.clone();
        self.uploads
            .spawn(async move { hand_in_sealed(&core, &enrolled).await });
    }

    /// The next handshake takes the new certificate; this session goes on.
    fn renew(&mut self) {
        let core = self.core.clone();
        self.uploads.spawn(async move {
            if let Err(error) = core.renew_if_due().await {
                let words = format!("the certificate was not renewed: {error}");
                core.0.log.log(LogLevel::Warning, &words);
            }
        });
    }
}

/// The center welcomes a device that has what it is known to have.
fn is_agreed(operation: &Operation) -> bool {
    // Where it has yet to say what it has, its digest is 0 until then.
    matches!(operation, Operation::Welcome { anew: false, digest, .. } if *digest != 0)
}

/// What the center says of what is left: `None` where it says nothing of it.
fn is_told_all(operations: &[Operation]) -> Option<bool> {
    operations
        .iter()
        .rev()
        .find_map(|operation| match operation {
            Operation::Position { .. } => Some(true),
            Operation::Grant(_) | Operation::Changes { .. } => Some(false),
            _ => None,
        })
}

/// Sealed entries whose store is gone, or closed, go to the center as they are. One may stand
/// on another that is handed in after it (a disk's clock is coarse), so what is refused is
/// handed in again for as long as that brings the center others.
pub(super) async fn hand_in_sealed(core: &Core, enrolled: &Enrolled) {
    let mut left = crate::core::lock(&core.0.orphans).clone();
    left.truncate(SEALED_UPLOADS_MAX);
    loop {
        let before = left.len();
        let mut refused = Vec::new();
        for hash in left {
            match hand_in(core, enrolled, hash).await {
                Ok(()) => {
                    core.0.store.sealed().remove(&hash);
                    crate::core::lock(&core.0.orphans).retain(|orphan| *orphan != hash);
                }
                Err(NetError::Refused { .. }) => refused.push(hash),
                Err(_) => {}
            }
        }
        if refused.is_empty() || refused.len() == before {
            // What the center itself did not take stays on the disk until the next start.
            crate::core::lock(&core.0.orphans).retain(|orphan| !refused.contains(orphan));
            return;
        }
        left = refused;
    }
}

async fn hand_in(core: &Core, enrolled: &Enrolled, hash: ChangeHash) -> Result<(), NetError> {
    let load = move |store: &Store| Ok(store.sealed().load(&hash)?);
    let sealed = core.0.store.run(load).await;
    let sealed = sealed.map_err(|error| NetError::Answer(error.to_string()))?;
    let (center, tls) = (&enrolled.enrolment.center, enrolled.tls.clone());
    let kind = "application/octet-stream";
    let connector = core.0.connector.as_ref();
    let path = "/v1/sealed";
    let taken = ask(connector, center, tls, Method::POST, path, kind, sealed).await;
    if let Err(error) = &taken {
        let words = format!("a sealed entry was not taken: {error}");
        core.0.log.log(LogLevel::Warning, &words);
    }
    taken.map(drop)
}

fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}
