//! The center's end of a session: the real relay, fed as `server::session` feeds it, and
//! what is checked of each message that it sends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use packet::{ChangeHash, DeviceNumber, DocumentId, Offer, Refusal, change_hash};
use server::devices;
use server::hub::Place;
use server::log::{Appended, LogError, OfferedBy, slice};
use server::policy::{Act, Role, decide};
use server::receipts::{self, Holder, ReceiptKind};
use server::session::{admit_now, ended};
use server::shifts;
use sync::codec::Codec;
use sync::frame::{
    AcceptedFrame, Bye, ByeWhy, DownFrame, Hello, RefusedFrame, UpFrame, decode, encode,
};
use sync::limits::{FRAME_BYTES_MAX, WINDOW_BYTES_MAX, WINDOW_BYTES_START, WINDOW_MS};
use sync::relay::{Event as Asked, Granted, Next, Relay, Standing, Urgency};

use super::World;
use super::center::Answer;
use super::fault::{Fault, Invariant, Step, broken, must};
use super::queue::{End, Event};
use super::witness::Page;

/// As the center's own sessions have it.
const WRITES_MAX: usize = 128;

pub(super) struct Session {
    device: devices::Device,
    unit: Option<String>,
    role: Role,
    who: String,
    place: Place,
    relay: Relay,
    codec: Codec,
    /// Came and was not read yet: the relay holds the device back.
    inbox: VecDeque<Vec<u8>>,
    writes: usize,
    answered: BTreeSet<u64>,
    began_ms: u64,
    books: Books,
}

/// What the witness notes of a session.
#[derive(Default)]
struct Books {
    /// Sizes of what was sent and is not yet said to be delivered.
    under_way: VecDeque<usize>,
    under_way_bytes: usize,
    delivered: u64,
    /// How far each granted document was sent; not in it: its grant is still to be told.
    sent: BTreeMap<DocumentId, u64>,
    urgency: BTreeMap<DocumentId, Urgency>,
}

impl Books {
    fn sent(&mut self, bytes: usize) {
        self.under_way.push_back(bytes);
        self.under_way_bytes += bytes;
    }

    fn delivered(&mut self, frames: u64) {
        while self.delivered < frames {
            let Some(bytes) = self.under_way.pop_front() else {
                return;
            };
            self.under_way_bytes -= bytes;
            self.delivered += 1;
        }
    }

    fn granted(&mut self, granted: &Granted) {
        self.urgency
            .entry(granted.document)
            .or_insert(granted.urgency);
    }

    fn forget(&mut self, document: DocumentId) {
        self.sent.remove(&document);
        self.urgency.remove(&document);
    }

    /// A more urgent document than this one that has something to send.
    fn passed_over(
        &self,
        document: DocumentId,
        page: &Page,
        device: DeviceNumber,
    ) -> Option<DocumentId> {
        let own = self.urgency.get(&document)?;
        let more_urgent = self.urgency.iter().filter(|(_, urgency)| *urgency < own);
        more_urgent
            .map(|(other, _)| *other)
            .find(|other| match self.sent.get(other) {
                Some(through) => {
                    let rest = page.between(*other, *through, u64::MAX);
                    rest.iter().any(|seq| others_wrote(page, *seq, device))
                }
                None => true,
            })
    }
}

fn others_wrote(page: &Page, seq: u64, device: DeviceNumber) -> bool {
    page.at(seq).is_some_and(|seen| seen.device != Some(device))
}

/// The frames of a message.
pub(super) fn down_frames(bytes: &[u8]) -> Step<Vec<DownFrame>> {
    Ok(vec![decode(bytes).map_err(Fault::of_world)?])
}

pub(super) fn up_frames(bytes: &[u8]) -> Option<Vec<UpFrame>> {
    decode(bytes).ok().map(|frame| vec![frame])
}

impl World {
    /// The upgrade request is here: the device's standing, and a session or a reason.
    pub(super) fn hello(&mut self, wire: u64, hello: &Hello) -> Step {
        let Some(link) = self.wires.get_mut(&wire) else {
            return Ok(());
        };
        if link.cut.is_some() || self.center.running.is_none() {
            return Ok(());
        }
        link.open_at_center = true;
        let officer = link.officer;
        let number = self.officers[officer].number;
        match self.open_session(wire, number, hello)? {
            Ok(session) => {
                self.note(&format!(
                    "C hello w{wire} {number} unit={} position={}",
                    session.unit.as_deref().unwrap_or("-"),
                    hello.position
                ));
                if session.unit.is_none() {
                    let at_ms = self.now_ms + 3_000;
                    self.queue.plan(at_ms, Event::SignOn { officer });
                }
                if let Some(running) = &mut self.center.running {
                    running.sessions.insert(wire, session);
                }
                self.stats.sessions += 1;
                self.answer_upgrade(wire);
                self.poll_session(wire)
            }
            Err(bye) => {
                self.note(&format!("C hello w{wire} {number} refused: {}", bye.reason));
                self.answer_upgrade(wire);
                self.send(wire, End::Center, encode(&DownFrame::Bye(bye)));
                self.close(wire, End::Center);
                Ok(())
            }
        }
    }

    fn answer_upgrade(&mut self, wire: u64) {
        /// The answer's head, as axum sends it.
        const UPGRADED_BYTES: usize = 160;
        if let Some(link) = self.wires.get_mut(&wire) {
            let at_ms = link.send(End::Center, UPGRADED_BYTES, self.now_ms, &mut self.rng);
            self.queue.plan(at_ms, Event::Up { wire });
        }
    }

    fn open_session(
        &mut self,
        wire: u64,
        number: DeviceNumber,
        hello: &Hello,
    ) -> Step<Result<Session, Bye>> {
        let wall_ms = self.center.wall_ms();
        let token = hello.shift.clone();
        let (device, shift) = self.center.read(|connection| {
            Ok((
                devices::find(connection, number)?,
                shifts::find(connection, number, &token, wall_ms)?,
            ))
        })?;
        let Some(device) = device.filter(|device| !device.revoked) else {
            return Ok(Err(Bye {
                why: ByeWhy::Standing,
                reason: "this device is not in good standing".into(),
                retry_after_ms: 60_000,
            }));
        };
        let role = if shift.is_some() {
            Role::Officer
        } else {
            Role::Device
        };
        let unit = shift.as_ref().map(|shift| shift.unit.clone());
        let Some(running) = &self.center.running else {
            return Err(broken(Invariant::World, "the center is down"));
        };
        let (place, head, mut granted) = running.hub.join(number, unit.as_deref());
        granted.retain(|g| decide(role, Act::Carry(g.document.compartment)));
        let (after, receipts) = (hello.position, hello.receipts);
        let (ended, seen) = self.center.read(|connection| {
            Ok((
                ended(connection, unit.as_deref(), after)?,
                receipts::seen_of(connection, number, receipts)?,
            ))
        })?;
        let mut books = Books::default();
        for granted in &granted {
            books.granted(granted);
            let exception = hello
                .exceptions
                .iter()
                .find(|e| e.document == granted.document);
            match exception {
                Some(exception) => books.sent.insert(granted.document, exception.through),
                None if granted.from <= hello.position => {
                    books.sent.insert(granted.document, hello.position)
                }
                None => None,
            };
        }
        let standing = Standing {
            incarnation: running.desk.incarnation(),
            head,
            center_now_ms: wall_ms,
            granted,
            ended,
        };
        let mut relay = match Relay::open(hello, standing, 0) {
            Ok(relay) => relay,
            Err(bye) => return Ok(Err(bye)),
        };
        seen.into_iter().for_each(|seen| relay.seen(seen));
        let held = relay.held();
        let who = shift.map_or_else(
            || device.label.clone(),
            |s| format!("{} ({})", s.officer, s.unit),
        );
        let mut session = Session {
            device,
            unit,
            role,
            who,
            place,
            relay,
            codec: Codec::new().map_err(Fault::of_world)?,
            inbox: VecDeque::new(),
            writes: 0,
            answered: BTreeSet::new(),
            began_ms: self.now_ms,
            books,
        };
        self.keep_receipts(wire, &mut session, ReceiptKind::Delivered, held, wall_ms);
        Ok(Ok(session))
    }

    fn keep_receipts(
        &mut self,
        wire: u64,
        session: &mut Session,
        kind: ReceiptKind,
        through: Vec<(DocumentId, u64)>,
        at_ms: i64,
    ) {
        if through.is_empty() {
            return;
        }
        let holder = Holder {
            device: Some(session.device.number),
            who: session.who.clone(),
        };
        session.writes += 1;
        self.task(
            move |ledger| {
                for (document, through) in &through {
                    receipts::add(ledger, kind, &holder, *document, *through, at_ms)?;
                }
                Ok::<_, LogError>(())
            },
            move |result, _| Answer::Kept { wire, result },
        );
    }

    pub(super) fn poll_all_sessions(&mut self) -> Step {
        let wires: Vec<u64> = match &self.center.running {
            Some(running) => running.sessions.keys().copied().collect(),
            None => return Ok(()),
        };
        wires
            .into_iter()
            .try_for_each(|wire| self.poll_session(wire))
    }

    /// Does all that this session can do now.
    pub(super) fn poll_session(&mut self, wire: u64) -> Step {
        let taken = match &mut self.center.running {
            Some(running) => running.sessions.remove(&wire),
            None => None,
        };
        let Some(mut session) = taken else {
            return Ok(());
        };
        let goes_on = self.drive(wire, &mut session)?;
        if goes_on {
            if let Some(running) = &mut self.center.running {
                running.sessions.insert(wire, session);
            }
        } else {
            self.close(wire, End::Center);
        }
        Ok(())
    }

    /// False when the session is over.
    fn drive(&mut self, wire: u64, session: &mut Session) -> Step<bool> {
        loop {
            session.take_news();
            while session.relay.takes_frames()
                && session.writes < WRITES_MAX
                && let Some(bytes) = session.inbox.pop_front()
            {
                self.session_message(wire, session, &bytes);
            }
            let Some(link) = self.wires.get_mut(&wire) else {
                return Ok(false);
            };
            let room_ms = link.room_ms(End::Center, self.now_ms);
            if room_ms > self.now_ms {
                self.plan_poll(wire, End::Center, room_ms);
                return Ok(true);
            }
            let session_ms = self.now_ms - session.began_ms;
            match session.relay.next(session_ms) {
                Next::Send(bytes) => self.send_down(wire, session, bytes)?,
                Next::Fetch {
                    document,
                    after,
                    session_head,
                    bytes_max,
                } => {
                    let found = self.fetch(session, document, after, session_head, bytes_max)?;
                    let framed =
                        session
                            .relay
                            .fetched(document, &found.changes, found.through, session_ms);
                    if let Some(bytes) = framed {
                        self.send_down(wire, session, bytes)?;
                    }
                }
                Next::Over => return Ok(false),
                Next::Wait { until_ms } => {
                    self.plan_poll(wire, End::Center, session.began_ms + until_ms);
                    return Ok(true);
                }
            }
        }
    }

    fn fetch(
        &mut self,
        session: &mut Session,
        document: DocumentId,
        after: u64,
        session_head: u64,
        bytes_max: usize,
    ) -> Step<server::log::Slice> {
        let answered = session.answered.range(after.max(session_head) + 1..);
        let skip: BTreeSet<u64> = answered.copied().collect();
        let dictionary = session.relay.dictionary();
        let Some(running) = &self.center.running else {
            return Err(broken(Invariant::World, "the center is down"));
        };
        let recent = running.desk.recent().slice(
            document,
            after,
            bytes_max,
            &skip,
            dictionary,
            &mut session.codec,
        );
        match recent {
            Some(found) => Ok(found),
            None => self.center.read(|connection| {
                let codec = &mut session.codec;
                slice(
                    connection, document, after, bytes_max, &skip, dictionary, codec,
                )
            }),
        }
    }

    /// Sends a message down, and holds it against what the witness knows.
    fn send_down(&mut self, wire: u64, session: &mut Session, bytes: Vec<u8>) -> Step {
        must(bytes.len() <= FRAME_BYTES_MAX, Invariant::Bounded, || {
            format!("a message of {} bytes", bytes.len())
        })?;
        let frames = down_frames(&bytes)?;
        self.note(&format!(
            "C w{wire} sends {} B {}",
            bytes.len(),
            names(&frames)
        ));
        let share = bytes.len() / frames.len().max(1);
        for frame in &frames {
            self.check_down(session, frame)?;
            session.books.sent(share);
        }
        let bits_per_s = self
            .wires
            .get(&wire)
            .map_or(0, |link| link.network.bits_per_s);
        session.check_window(bits_per_s, bytes.len())?;
        self.stats.bytes_down += bytes.len() as u64;
        self.send(wire, End::Center, bytes);
        Ok(())
    }

    fn check_down(&self, session: &mut Session, frame: &DownFrame) -> Step {
        let page = self.witness.page()?;
        let number = session.device.number;
        let unit = session.unit.clone();
        let granted = |id: DocumentId| {
            let unit = unit.as_deref();
            let has = unit.is_some_and(|unit| page.has_now(unit, id.call));
            must(has, Invariant::Denied, || {
                format!("{number} is sent something of {id}, which its unit does not have")
            })
        };
        match frame {
            DownFrame::Welcome(welcome) if welcome.reset => session.books.sent.clear(),
            DownFrame::Grant(grant) => {
                granted(grant.document)?;
                session.check_urgency(grant.document, page)?;
                session.books.sent.insert(grant.document, 0);
            }
            DownFrame::Revoke(document) => session.books.forget(*document),
            DownFrame::Changes(frame) => {
                granted(frame.document)?;
                session.check_urgency(frame.document, page)?;
                let after = session.books.sent.insert(frame.document, frame.through);
                let wanted = page.between(frame.document, after.unwrap_or(0), frame.through);
                let mut found = frame.changes.iter().map(|change| change.seq).peekable();
                for seq in wanted {
                    let is_there = found.next_if_eq(seq).is_some();
                    must(
                        is_there || !others_wrote(page, *seq, number),
                        Invariant::Order,
                        || format!("{number} is not sent {seq} of {}", frame.document),
                    )?;
                }
                must(found.next().is_none(), Invariant::Order, || {
                    format!("{number} is sent what {} does not have", frame.document)
                })?;
            }
            DownFrame::Seen(seen) => granted(seen.document)?,
            DownFrame::Accepted(accepted) => {
                let seq = page.seq_of(&accepted.hash);
                must(seq == Some(accepted.seq), Invariant::Durable, || {
                    format!(
                        "{number} is told {} for what the log has as {seq:?}",
                        accepted.seq
                    )
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A message from the device came out of the wire.
    pub(super) fn arrived_up(&mut self, wire: u64, bytes: Vec<u8>) -> Step {
        self.stats.bytes_up += bytes.len() as u64;
        let session = match &mut self.center.running {
            Some(running) => running.sessions.get_mut(&wire),
            None => None,
        };
        let Some(session) = session else {
            return Ok(());
        };
        session.relay.heard(self.now_ms - session.began_ms);
        session.inbox.push_back(bytes);
        self.poll_session(wire)
    }

    fn session_message(&mut self, wire: u64, session: &mut Session, bytes: &[u8]) {
        let session_ms = self.now_ms - session.began_ms;
        let asked = match session.relay.frame(bytes, session_ms) {
            Ok(asked) => vec![asked],
            Err(e) => {
                self.note(&format!("C w{wire} protocol broken: {e}"));
                session.relay.close(ByeWhy::Protocol, &e.to_string(), 1_000);
                return;
            }
        };
        for frame in up_frames(bytes).unwrap_or_default() {
            if let UpFrame::Delivered(frames) = frame {
                session.books.delivered(frames);
            }
        }
        for asked in asked {
            self.asked(wire, session, asked);
        }
    }

    fn asked(&mut self, wire: u64, session: &mut Session, asked: Asked) {
        let wall_ms = self.center.wall_ms();
        match asked {
            Asked::Offer(offer) => self.offer(wire, session, offer),
            Asked::Delivered(through) => {
                self.keep_receipts(wire, session, ReceiptKind::Delivered, through, wall_ms);
            }
            Asked::Shown {
                document,
                through,
                at_ms,
            } => {
                let through = vec![(document, through)];
                self.keep_receipts(wire, session, ReceiptKind::Shown, through, at_ms);
            }
            Asked::Nothing => {}
        }
    }

    fn offer(&mut self, wire: u64, session: &mut Session, offer: Offer) {
        let Ok(hash) = change_hash(&offer.bytes) else {
            self.note(&format!("C w{wire} offers no change"));
            session.relay.close(ByeWhy::Protocol, "no change", 1_000);
            return;
        };
        session.writes += 1;
        let by = OfferedBy {
            device: session.device.number,
            public_key: session.device.public_key.clone(),
        };
        let (who, role) = (session.who.clone(), session.role);
        self.task(
            move |ledger| admit_now(ledger, &offer, &by, who, role),
            move |result, on_disk| Answer::Offer {
                wire,
                hash,
                on_disk: match &result {
                    Ok(Ok(appended)) => on_disk(&hash) == Some(appended.seq),
                    _ => true,
                },
                result,
            },
        );
    }

    pub(super) fn offer_answered(
        &mut self,
        wire: u64,
        hash: ChangeHash,
        result: Result<Result<Appended, Refusal>, LogError>,
        on_disk: bool,
    ) -> Step {
        must(on_disk, Invariant::Durable, || {
            "a change was answered before it was on the center's disk".into()
        })?;
        match &result {
            Ok(Ok(appended)) => self.note(&format!("C w{wire} accepted {}", appended.seq)),
            Ok(Err(refusal)) => {
                self.stats.refused += 1;
                self.note(&format!("C w{wire} refused: {refusal}"));
            }
            Err(e) => self.note(&format!("C w{wire} not written: {e}")),
        }
        let Some(session) = self.session(wire) else {
            return Ok(());
        };
        session.writes -= 1;
        match result {
            Ok(Ok(appended)) => {
                session.answered.insert(appended.seq);
                session.relay.accepted(AcceptedFrame {
                    hash,
                    seq: appended.seq,
                    received_ms: appended.received_ms,
                });
            }
            Ok(Err(refusal)) => session.relay.refused(RefusedFrame {
                hash,
                code: refusal.code(),
                reason: refusal.to_string(),
            }),
            Err(e) => session.relay.close(ByeWhy::Busy, &e.to_string(), 5_000),
        }
        Ok(())
    }

    pub(super) fn kept(&mut self, wire: u64, result: Result<(), LogError>) -> Step {
        if let Some(session) = self.session(wire) {
            session.writes -= 1;
            if let Err(e) = result {
                session.relay.close(ByeWhy::Busy, &e.to_string(), 5_000);
            }
        }
        Ok(())
    }

    fn session(&mut self, wire: u64) -> Option<&mut Session> {
        self.center.running.as_mut()?.sessions.get_mut(&wire)
    }
}

impl Session {
    fn take_news(&mut self) {
        let news = self.place.take();
        for granted in &news.granted {
            if decide(self.role, Act::Carry(granted.document.compartment)) {
                self.books.granted(granted);
                self.relay.grant(granted);
            }
        }
        for document in news.ended {
            self.relay.revoke(document);
            self.books.forget(document);
        }
        self.relay.grown(news.head, &news.grown);
        news.seen.into_iter().for_each(|seen| self.relay.seen(seen));
        if let Some((why, reason)) = news.close {
            self.relay.close(why, &reason, 0);
        }
    }

    fn check_urgency(&self, document: DocumentId, page: &Page) -> Step {
        match self.books.passed_over(document, page, self.device.number) {
            Some(more_urgent) => Err(broken(
                Invariant::UrgentFirst,
                format!("{document} is sent while {more_urgent} has something to send"),
            )),
            None => Ok(()),
        }
    }

    /// At most a moment of the link is under way, and one message.
    fn check_window(&self, bits_per_s: u64, message: usize) -> Step {
        let moment = (bits_per_s / 8 * WINDOW_MS / 1_000).min(WINDOW_BYTES_MAX);
        // Small answers go out beside the window: a pong, what was accepted.
        let most = WINDOW_SLACK * moment.max(WINDOW_BYTES_START) as usize + message;
        must(
            self.books.under_way_bytes <= most,
            Invariant::Bounded,
            || {
                format!(
                    "{} bytes are under way to {}, at most {most} may be",
                    self.books.under_way_bytes, self.device.number
                )
            },
        )
    }
}

/// How far what is under way may be from the link's true moment: a session knows the
/// link only by what comes back.
const WINDOW_SLACK: usize = 2;

fn names(frames: &[DownFrame]) -> String {
    let name = |frame: &DownFrame| match frame {
        DownFrame::Welcome(welcome) if welcome.reset => "reset".to_owned(),
        DownFrame::Welcome(_) => "welcome".to_owned(),
        DownFrame::Grant(_) => "grant".to_owned(),
        DownFrame::Revoke(_) => "revoke".to_owned(),
        DownFrame::Changes(c) => format!("changes:{}..{}", c.changes.len(), c.through),
        DownFrame::Position(p) => format!("position:{p}"),
        DownFrame::Accepted(a) => format!("accepted:{}", a.seq),
        DownFrame::Refused(r) => format!("refused:{}", r.code),
        DownFrame::Seen(_) => "seen".to_owned(),
        DownFrame::Ping => "ping".to_owned(),
        DownFrame::Pong => "pong".to_owned(),
        DownFrame::Bye(bye) => format!("bye:{:?}", bye.why),
    };
    frames.iter().map(name).collect::<Vec<_>>().join(" ")
}
