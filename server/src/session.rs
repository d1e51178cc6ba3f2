//! One device's session: the relay's state machine on a WebSocket.
//!
//! Each field of [`Session`] lives as long as the socket. It ends when the link does,
//! when the relay says so, when the hub closes it (a device revoked, another session
//! of the same device) or when the center stops; what was committed stays.

mod attachments;
mod offers;

use std::collections::{BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::FuturesOrdered;
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use packet::{Compartment, DocumentId};
use sync::Handshake;
use sync::frame::{BlobId, Bye, ByeWhy, DownFrame, FrameError, Hello, encode};
use sync::relay::{Ended, Event, Next, Relay, Standing};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use attachments::Uploaded;
use offers::Written;
pub use offers::{admit, admit_now};

use crate::audit::Record;
use crate::center::Center;
use crate::clock;
use crate::contacts::Contact;
use crate::devices::Device;
use crate::hub::Place;
use crate::log::{Ledger, LogError, reach, slice};
use crate::policy::{Act, Carries, Carrying, Role, agency_of};
use crate::receipts::{self, Carrier, Report};
use crate::shifts::Shift;
use crate::turns::Turn;

/// Most of this session's writes that wait for the log; beyond it nothing is read.
const WRITES_MAX: usize = 128;
/// A session looks after its certificate at least so often …
const WAIT_MS_MAX: u64 = 30_000;
/// … and so often after a report that there was no room for.
const REPORT_AGAIN_MS: u64 = 500;
/// How long the link may take one frame.
const SEND_MS_MAX: u64 = 60_000;
/// Most grants that ended since a device's position; with more it starts anew.
const ENDED_MAX: usize = 4_096;

/// Who speaks in this session.
#[derive(Debug, Clone)]
pub struct Speaker {
    pub device: Device,
    /// When the device's certificate ends, and the session with it.
    pub certificate_ends_ms: i64,
    pub shift: Option<Shift>,
    /// What the time before the session says of the link.
    pub handshake: Handshake,
}

impl Speaker {
    fn role(&self) -> Role {
        if self.shift.is_some() {
            Role::Officer
        } else {
            Role::Device
        }
    }

    fn who(&self) -> String {
        self.shift
            .as_ref()
            .map_or_else(|| self.device.label.clone(), Shift::by)
    }

    /// The device as the console names it.
    fn screen(&self) -> String {
        match &self.shift {
            Some(shift) => format!("{} {}", shift.unit, self.device.label),
            None => self.device.label.clone(),
        }
    }
}

struct Session {
    center: Arc<Center>,
    speaker: Speaker,
    place: Place,
    /// What its device may have; the hub asks it for each grant.
    carries: Carries,
    relay: Relay,
    /// In the order they were asked for: answers keep the order of the offers.
    writes: FuturesOrdered<BoxFuture<'static, Written>>,
    /// Pieces of attachments, in their order.
    uploads: FuturesOrdered<BoxFuture<'static, Uploaded>>,
    /// Attachments of which it is on record that this session was given them, or not.
    recorded: BTreeSet<BlobId>,
    /// What this device offered in this session and was told it is in the log, by `seq`:
    /// not sent down again.
    answered: BTreeSet<u64>,
    /// As receipts and the audit log name it.
    carrier: Arc<Carrier>,
    /// What is not handed in yet.
    report: Report,
    delivered: HashMap<DocumentId, u64>,
    contact: Contact,
    began: Instant,
    /// The turn to read from the disk that was asked for, and the one that it has.
    asked: Option<BoxFuture<'static, Turn>>,
    turn: Turn,
}

/// What a session begins with.
#[derive(Debug)]
pub struct Opening {
    pub center: Arc<Center>,
    pub speaker: Speaker,
    pub hello: Hello,
}

/// Runs a session to its end.
///
/// Thousands of these lie idle: what a session needs only now and then (its opening, reads
/// from the disk) is in a box of its own and not in each one's state.
pub async fn run(opening: Box<Opening>, socket: &mut WebSocket, stop: CancellationToken) {
    let who = opening.speaker.screen();
    match Box::pin(Session::open(*opening)).await {
        Ok(mut session) => {
            session.drive(socket, stop).await;
            Box::pin(session.end()).await;
        }
        Err(bye) => {
            tracing::info!(device = %who, reason = %bye.reason, "a session was not opened");
            let _ = socket
                .send(Message::Binary(encode(&DownFrame::Bye(bye)).into()))
                .await;
        }
    }
    let _ = socket.send(Message::Close(None)).await;
}

impl Session {
    async fn open(opening: Opening) -> Result<Box<Self>, Bye> {
        let Opening {
            center,
            speaker,
            hello,
        } = opening;
        let busy = |reason: String| Bye {
            why: ByeWhy::Busy,
            reason,
            retry_after_ms: 2_000,
        };
        let unit = speaker.shift.as_ref().map(|shift| shift.unit.clone());
        let carries = Carries::new(
            center.policies.clone(),
            speaker.shift.clone(),
            &speaker.device.agency,
        );
        let (place, head, granted) =
            center
                .hub
                .join(speaker.device.number, unit.as_deref(), carries.clone());
        let carried = carries.clone();
        let (device, after, receipts) = (speaker.device.number, hello.position, hello.receipts);
        let (ended, seen) = center
            .log
            .readers()
            .read(move |connection| {
                Ok((
                    ended(connection, unit.as_deref(), after, &carried.now())?,
                    receipts::seen_of(connection, device, receipts)?,
                ))
            })
            .await
            .map_err(|e| busy(e.to_string()))?;
        let standing = Standing {
            incarnation: center.log.incarnation(),
            head,
            center_now_ms: clock::now_ms(),
            granted,
            ended,
        };
        let mut relay = Relay::open(&hello, standing, Some(speaker.handshake), 0)?;
        relay.lease(carries.now().leases());
        seen.into_iter().for_each(|seen| relay.seen(seen));
        let carrier = Carrier::new(
            speaker.device.number,
            speaker.screen(),
            speaker.who(),
            carries.clone(),
        );
        let mut session = Box::new(Self {
            center,
            speaker,
            place,
            carries,
            relay,
            writes: FuturesOrdered::new(),
            uploads: FuturesOrdered::new(),
            recorded: BTreeSet::new(),
            answered: BTreeSet::new(),
            carrier,
            report: Report::default(),
            delivered: HashMap::new(),
            contact: Contact {
                began_ms: clock::now_ms(),
                heard_ms: None,
            },
            began: Instant::now(),
            asked: None,
            turn: None,
        });
        let opened = session.record(
            Act::OpenSession,
            session.speaker.device.number.to_string(),
            String::new(),
        );
        session.report.records.push(opened);
        session.report.contact = Some(session.contact);
        session.report.delivered.extend(session.relay.held());
        Ok(session)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn drive(&mut self, socket: &mut WebSocket, stop: CancellationToken) {
        let mut stopping = false;
        let (stopped, alarm) = (stop.cancelled(), tokio::time::sleep(Duration::ZERO));
        tokio::pin!(stopped, alarm);
        loop {
            if self.report.is_due() {
                self.center.reports.hand_in(&self.carrier, &mut self.report);
            }
            let until_ms = match self.relay.next(self.now_ms()) {
                Next::Send(frame) => {
                    if !send(socket, frame).await {
                        return;
                    }
                    continue;
                }
                Next::Fetch {
                    document,
                    after,
                    session_head,
                    bytes_max,
                } => {
                    let fetched = self.fetch(document, after, session_head, bytes_max);
                    match fetched.await {
                        Ok(true) => continue,
                        Ok(false) => {}
                        Err(e) => {
                            self.relay.close(ByeWhy::Busy, &e.to_string(), 2_000);
                            continue;
                        }
                    }
                    // It waits for its turn; what there is goes now.
                    if let Some(message) = self.relay.flush(self.now_ms()) {
                        if !send(socket, message).await {
                            return;
                        }
                        continue;
                    }
                    u64::MAX
                }
                Next::FetchChunk {
                    blob,
                    offset,
                    bytes_max,
                } => {
                    if let Err(e) = Box::pin(self.fetch_chunk(blob, offset, bytes_max)).await {
                        self.relay.close(ByeWhy::Busy, &e.to_string(), 2_000);
                    }
                    continue;
                }
                Next::Over => return,
                Next::Wait { until_ms } => {
                    // What it was asked for came another way, or was taken back meanwhile.
                    self.turn = None;
                    until_ms
                }
            };
            self.set(alarm.as_mut(), until_ms);
            let waiting = self.writes.len().max(self.uploads.len());
            let reads =
                self.relay.takes_frames() && waiting.max(self.report.records.len()) < WRITES_MAX;
            tokio::select! {
                // What was answered is known before the news of it: it is not sent down again.
                biased;
                Some(written) = self.writes.next(), if !self.writes.is_empty() => self.written(written),
                Some(uploaded) = self.uploads.next(), if !self.uploads.is_empty() => self.uploaded(uploaded),
                turn = next_turn(&mut self.asked), if self.asked.is_some() => {
                    self.asked = None;
                    self.turn = turn;
                }
                () = self.place.news() => self.take_news(),
                message = socket.recv(), if reads => match message {
                    Some(Ok(message)) => self.message(message),
                    Some(Err(_)) | None => return,
                },
                () = alarm.as_mut() => self.check_certificate(),
                () = stopped.as_mut(), if !stopping => {
                    stopping = true;
                    self.relay.close(ByeWhy::Busy, "the center is stopping", 500);
                }
            }
        }
    }

    /// Has the session looked after no later than at this time. An alarm that is too early
    /// costs one look; setting it anew for each message costs more.
    fn set(&self, alarm: Pin<&mut Sleep>, until_ms: u64) {
        let wait_max_ms = if self.report.is_due() {
            // There was no room for it.
            REPORT_AGAIN_MS
        } else {
            WAIT_MS_MAX
        };
        let wait_ms = until_ms.saturating_sub(self.now_ms()).clamp(1, wait_max_ms);
        let until = Instant::now() + Duration::from_millis(wait_ms);
        if alarm.is_elapsed() || until < alarm.deadline() {
            alarm.reset(until);
        }
    }

    fn check_certificate(&mut self) {
        let shift_ends_ms = self
            .speaker
            .shift
            .as_ref()
            .map_or(i64::MAX, |shift| shift.expires_ms);
        if clock::now_ms() >= self.speaker.certificate_ends_ms.min(shift_ends_ms) {
            self.relay.close(
                ByeWhy::Standing,
                "the device's certificate or the officer's shift has ended",
                0,
            );
        }
    }

    fn take_news(&mut self) {
        let news = self.place.take();
        for granted in &news.granted {
            self.relay.grant(granted);
        }
        news.ended
            .into_iter()
            .for_each(|document| self.relay.revoke(document));
        for (document, urgency) in news.urgency {
            self.relay.urgency(document, urgency);
        }
        self.relay.grown(news.head, &news.grown);
        news.seen.into_iter().for_each(|seen| self.relay.seen(seen));
        if let Some((why, reason)) = news.close {
            self.relay.close(why, &reason, 0);
        }
    }

    async fn fetch(
        &mut self,
        document: DocumentId,
        after: u64,
        session_head: u64,
        bytes_max: usize,
    ) -> Result<bool, LogError> {
        // Not all that is this device's own: what it had sealed, and handed in apart, it
        // may have lost.
        let answered = self.answered.range(after.max(session_head) + 1..);
        let skip: BTreeSet<u64> = answered.copied().collect();
        let dictionary = self.relay.dictionary();
        let recent = self.center.log.recent();
        let found = match recent.slice(document, after, bytes_max, &skip, dictionary) {
            Some(found) => found,
            None => {
                let can_hurt =
                    document.compartment == Compartment::Safety && !document.call.is_beat();
                if !can_hurt && !self.has_turn() {
                    return Ok(false);
                }
                let read = move |connection: &rusqlite::Connection| {
                    slice(connection, document, after, bytes_max, &skip, dictionary)
                };
                let found = Box::pin(self.center.log.readers().read(read)).await?;
                self.turn = None;
                found
            }
        };
        if !found.changes.is_empty() {
            self.report.sends(document, after, found.through);
        }
        self.relay.fetched(document, &found.changes, found.through);
        Ok(true)
    }

    /// Whether this session may read from the disk now; asks for its turn where it may not.
    fn has_turn(&mut self) -> bool {
        if self.turn.is_none() && self.asked.is_none() {
            self.asked = self.center.turns.ask();
            if self.asked.is_none() {
                // Not all of them at the same moment again; a device adds chance of its own.
                let later_ms = u64::from(self.speaker.device.number.0 % 10) * 1_000;
                let reason = "more devices come back than the center serves at a time";
                self.relay.close(ByeWhy::Busy, reason, 5_000 + later_ms);
                return false;
            }
        }
        self.turn.is_some()
    }

    fn message(&mut self, message: Message) {
        let now_ms = self.now_ms();
        self.relay.heard(now_ms);
        self.contact.heard_ms = Some(self.contact.began_ms.saturating_add_unsigned(now_ms));
        let Message::Binary(bytes) = message else {
            return;
        };
        self.center.metrics.bytes_up.inc_by(bytes.len() as u64);
        match self.relay.message(&bytes, now_ms) {
            Ok(events) => events.into_iter().for_each(|event| self.event(event)),
            Err(e) => self.break_off(&e),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Offer(offer) => self.offer(offer),
            Event::Delivered { through, held_ms } => {
                self.measure(&through, Duration::from_millis(held_ms));
                self.report.delivered.extend(through);
            }
            Event::Shown {
                document,
                through,
                at_ms,
            } => {
                self.report.shown.insert(document, (through, at_ms));
            }
            // The relay remembers it, and asks for the pieces.
            Event::Want { .. } => {}
            Event::Put {
                document,
                blob,
                bytes,
            } => self.put(document, blob, bytes),
            Event::Chunk {
                blob,
                offset,
                bytes,
            } => self.piece(blob, offset, bytes),
        }
    }

    fn break_off(&mut self, error: &FrameError) {
        tracing::warn!(device = %self.speaker.screen(), %error, "a session broke the protocol");
        self.center.metrics.protocol_errors.inc();
        self.relay
            .close(ByeWhy::Protocol, &error.to_string(), 1_000);
    }

    fn measure(&mut self, through: &[(DocumentId, u64)], held: Duration) {
        for &(document, through) in through {
            let before = self.delivered.insert(document, through);
            let after = before.unwrap_or(through.saturating_sub(1));
            // What comes first has waited for the grant, or for the device.
            let held = before.map(|_| held);
            for change in self.center.log.recent().committed(document, after, through) {
                self.center.metrics.delivered(&change, held);
            }
        }
    }

    fn record(&self, act: Act, object: String, detail: String) -> Record {
        Record {
            device: Some(self.speaker.device.number),
            object,
            detail,
            asker: Some(self.carries.now().who().clone()),
            ..Record::of(self.speaker.who(), act)
        }
    }

    async fn end(&mut self) {
        let heard_ms = self.contact.heard_ms.unwrap_or(self.contact.began_ms);
        self.report.contact = Some(Contact {
            heard_ms: Some(heard_ms),
            ..self.contact
        });
        self.center
            .reports
            .hand_in_last(&self.carrier, std::mem::take(&mut self.report))
            .await;
        // What came whole is looked at, though its device may not hear of it today.
        while self.uploads.next().await.is_some() {}
        while self.writes.next().await.is_some() {}
        tracing::debug!(device = %self.speaker.screen(), "a session ended");
    }
}

async fn next_turn(asked: &mut Option<BoxFuture<'static, Turn>>) -> Turn {
    match asked {
        Some(asked) => asked.await,
        None => std::future::pending().await,
    }
}

async fn send(socket: &mut WebSocket, frame: Vec<u8>) -> bool {
    let sending = socket.send(Message::Binary(frame.into()));
    tokio::pin!(sending);
    // Nearly always the kernel takes it at once, and no clock is needed.
    if let Some(sent) = sending.as_mut().now_or_never() {
        return sent.is_ok();
    }
    let sent = tokio::time::timeout(Duration::from_millis(SEND_MS_MAX), sending);
    matches!(sent.await, Ok(Ok(())))
}

/// What of a unit's grants that ended after this position the device may have had; one more than a session takes
/// makes the digests differ, so the device starts anew.
///
/// # Errors
/// When the store fails.
pub fn ended(
    connection: &rusqlite::Connection,
    unit: Option<&str>,
    after: u64,
    carrying: &Carrying<'_>,
) -> Result<Vec<Ended>, LogError> {
    let Some(unit) = unit else {
        return Ok(Vec::new());
    };
    let mut statement = connection
        .prepare_cached("SELECT call, from_seq, to_seq FROM grants WHERE unit = ?1 AND to_seq > ?2 ORDER BY to_seq LIMIT ?3")?;
    let rows = statement.query_map(
        rusqlite::params![unit, after.cast_signed(), ENDED_MAX],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        },
    )?;
    let mut all = Vec::new();
    for row in rows {
        let (call, from, to) = row?;
        let (from, to) = (from.unsigned_abs(), to.unsigned_abs());
        let call = packet::CallId(call.cast_unsigned());
        let agency = agency_of(connection, call)?.unwrap_or_default();
        for compartment in Compartment::ALL {
            if !carrying.may_have(&agency, compartment) {
                continue;
            }
            let document = DocumentId::new(call, compartment);
            let first = if Ledger::carried().contains(&compartment) {
                Some(0)
            } else {
                // Of a restricted one the device was told when there was something in it.
                let found = reach(connection, document)?;
                found.map(|(first, _)| first).filter(|first| *first <= to)
            };
            all.extend(first.map(|first| Ended {
                document,
                from: from.max(first),
                to,
            }));
        }
    }
    Ok(all)
}
