//! The center's end of a session: the real relay, fed as `server::session` feeds it, and
//! what is checked of each message that it sends.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use packet::{ChangeHash, Compartment, DeviceNumber, DocumentId, Offer, Refusal, change_hash};
use server::devices;
use server::hub::Place;
use server::log::{Appended, Ledger, LogError, OfferedBy, slice};
use server::policy::{Carries, Role, built_in};
use server::receipts::{self, Batch, Carrier, Report};
use server::session::{admit_now, ended};
use server::shifts;
use sync::Handshake;
use sync::frame::{
    AcceptedFrame, Agreement, Bye, ByeWhy, ChangesFrame, DownFrame, Hello, LateFrame, RefusedFrame,
    UpFrame, digest, encode,
};
use sync::limits::{
    FRAME_BYTES_MAX, HANDSHAKE_BYTES_MIN, WINDOW_BYTES_MAX, WINDOW_BYTES_START, WINDOW_MS,
};
use sync::relay::{Event as Asked, Granted, Next, Relay, Standing, Urgency};

use super::World;
use super::center::Answer;
use super::event::{End, Event};
use super::fault::{Fault, Invariant, Step, broken, must};
use super::messages::{Joined, Messages};
use super::witness::Page;

/// As the center's own sessions have it.
const WRITES_MAX: usize = 128;

pub(super) struct Session {
    device: devices::Device,
    unit: Option<String>,
    role: Role,
    who: String,
    carries: Carries,
    place: Place,
    relay: Relay,
    /// Came and was not read yet: the relay holds the device back.
    inbox: VecDeque<Vec<u8>>,
    writes: usize,
    answered: BTreeSet<u64>,
    began_ms: u64,
    books: Books,
}

/// What the witness notes of a session.
struct Books {
    /// Sizes of what was sent and is not yet said to be delivered.
    under_way: VecDeque<usize>,
    under_way_bytes: usize,
    delivered: u64,
    down: Messages<DownFrame>,
    up: Messages<UpFrame>,
    /// How far each granted document was sent; not in it: its grant is still to be told.
    sent: BTreeMap<DocumentId, u64>,
    urgency: BTreeMap<DocumentId, Urgency>,
    /// Whether what the device says it has is what the log knows it to have.
    agreement: Agreement,
    /// What the device offered in this session and was answered: its own, and what it gave
    /// back of others'.
    answered: BTreeSet<u64>,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            delivered: 0,
            down: Messages::default(),
            up: Messages::default(),
            sent: BTreeMap::new(),
            urgency: BTreeMap::new(),
            agreement: Agreement::Anew,
            answered: BTreeSet::new(),
        }
    }
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
        self.urgency.insert(granted.document, granted.urgency);
    }

    fn raised(&mut self, document: DocumentId, urgency: Urgency) {
        if let Some(known) = self.urgency.get_mut(&document) {
            *known = urgency;
        }
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
    ) -> Option<(DocumentId, u64)> {
        let own = self.urgency.get(&document)?;
        let more_urgent = self.urgency.iter().filter(|(_, urgency)| *urgency < own);
        more_urgent.map(|(other, _)| *other).find_map(|other| {
            let through = self.sent.get(&other).copied().unwrap_or(0);
            let rest = page.between(other, through, u64::MAX);
            let owed = rest.iter().find(|seq| self.owes(page, **seq, device))?;
            Some((other, *owed))
        })
    }

    /// Whether the device has to be sent this change to have it.
    fn owes(&self, page: &Page, seq: u64, device: DeviceNumber) -> bool {
        let is_others = page.at(seq).is_some_and(|seen| seen.device != Some(device));
        is_others && !self.answered.contains(&seq)
    }

    /// Something that can hurt, and has something to send.
    fn safety_waits(&self, page: &Page, device: DeviceNumber) -> Option<DocumentId> {
        let safety = Urgency::of(Compartment::Call, true, 0);
        let hurts = self
            .urgency
            .iter()
            .filter(|(_, urgency)| **urgency < safety);
        hurts.map(|(document, _)| *document).find(|document| {
            let through = self.sent.get(document).copied().unwrap_or(0);
            let rest = page.between(*document, through, u64::MAX);
            rest.iter().any(|seq| self.owes(page, *seq, device))
        })
    }
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
        let carries = Carries::new(built_in(), shift.clone(), &device.agency);
        let hub = &running.hub;
        let (place, head, granted) = hub.join(number, unit.as_deref(), carries.clone());
        let (after, receipts) = (hello.position, hello.receipts);
        let (ended, seen) = self.center.read(|connection| {
            Ok((
                ended(connection, unit.as_deref(), after, &carries.now())?,
                receipts::seen_of(connection, number, receipts)?,
            ))
        })?;
        let mut books = Books {
            agreement: self.expected(unit.as_deref(), hello)?,
            ..Books::default()
        };
        for granted in &granted {
            books.granted(granted);
            let exception = hello
                .exceptions
                .iter()
                .find(|e| e.document == granted.document);
            match exception {
                _ if books.agreement != Agreement::Agreed => None,
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
        let dialled_ms = self.wires.get(&wire).map_or(0, |link| link.dialled_ms);
        let handshake = Handshake {
            bytes: HANDSHAKE_BYTES_MIN,
            ms: self.now_ms - dialled_ms,
        };
        let mut relay = match Relay::open(hello, standing, Some(handshake), 0) {
            Ok(relay) => relay,
            Err(bye) => return Ok(Err(bye)),
        };
        seen.into_iter().for_each(|seen| relay.seen(seen));
        let held = relay.held();
        let who = shift.map_or_else(|| device.label.clone(), |shift| shift.by());
        let mut session = Session {
            device,
            unit,
            role,
            who,
            carries,
            place,
            relay,
            inbox: VecDeque::new(),
            writes: 0,
            answered: BTreeSet::new(),
            began_ms: self.now_ms,
            books,
        };
        let report = Report {
            delivered: held.into_iter().collect(),
            ..Report::default()
        };
        self.report(wire, &mut session, report, wall_ms);
        Ok(Ok(session))
    }

    /// Whether what the device says it has is what this log knows it to have.
    fn expected(&self, unit: Option<&str>, hello: &Hello) -> Step<Agreement> {
        let page = self.witness.page()?;
        let at = hello.position;
        let calls = unit.map(|unit| page.calls_at(unit, at)).unwrap_or_default();
        let documents = calls.into_iter().flat_map(|call| {
            Ledger::carried().map(|compartment| DocumentId::new(call, compartment))
        });
        let is_same =
            at <= page.head() && hello.digest == digest(self.witness.incarnation, documents);
        Ok(if is_same {
            Agreement::Agreed
        } else if at == 0 && hello.exceptions.is_empty() {
            Agreement::Anew
        } else {
            Agreement::Compare
        })
    }

    fn report(&mut self, wire: u64, session: &mut Session, report: Report, at_ms: i64) {
        if report.is_empty() {
            return;
        }
        let carrier = Carrier::new(
            session.device.number,
            session.device.label.clone(),
            session.who.clone(),
            session.carries.clone(),
        );
        let mut batch = Batch::default();
        batch.add(&carrier, report, at_ms);
        session.writes += 1;
        self.task(
            // The carrier is this report's alone: nobody asks for its row again.
            move |ledger| batch.write(ledger).map(drop),
            move |result: Result<(), LogError>, _| Answer::Kept { wire, result },
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
                    self.check_fetched(session, document, &found)?;
                    session
                        .relay
                        .fetched(document, &found.changes, found.through);
                }
                Next::FetchChunk { blob, offset, .. } => {
                    session.relay.chunk(blob, offset, Vec::new(), 0);
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
        let recent = running
            .desk
            .recent()
            .slice(document, after, bytes_max, &skip, dictionary);
        match recent {
            Some(found) => Ok(found),
            None => self.center.read(|connection| {
                slice(connection, document, after, bytes_max, &skip, dictionary)
            }),
        }
    }

    /// Sends a message down, and holds it against what the witness knows.
    fn send_down(&mut self, wire: u64, session: &mut Session, bytes: Vec<u8>) -> Step {
        must(bytes.len() <= FRAME_BYTES_MAX, Invariant::Bounded, || {
            format!("a message of {} bytes", bytes.len())
        })?;
        let joined = session.books.down.read(&bytes).map_err(Fault::of_world)?;
        self.note(&format!(
            "C w{wire} sends {} B {}",
            bytes.len(),
            names(&joined)
        ));
        for joined in &joined {
            match joined {
                Joined::Frame(frame) => self.check_down(session, frame)?,
                Joined::Part(lane) => session.check_part(*lane, self.witness.page()?)?,
            }
        }
        session.books.sent(bytes.len());
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
            DownFrame::Welcome(welcome) => {
                let (said, wanted) = (welcome.agreement, session.books.agreement);
                must(said == wanted, Invariant::Order, || {
                    format!("{number} is told {said:?} where it is {wanted:?}")
                })?;
            }
            DownFrame::Grant(grant) => {
                granted(grant.document)?;
                session.check_urgency(grant.document, page)?;
                session.books.sent.entry(grant.document).or_insert(0);
            }
            DownFrame::Revoke(document) => session.books.forget(*document),
            DownFrame::Changes(frame) => granted(frame.document)?,
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

    /// What is about to be sent of a document: that it is its turn, and that nothing is
    /// left out but what the device itself wrote.
    fn check_fetched(
        &self,
        session: &mut Session,
        document: DocumentId,
        found: &server::log::Slice,
    ) -> Step {
        let page = self.witness.page()?;
        let number = session.device.number;
        session.check_urgency(document, page)?;
        let after = session.books.sent.insert(document, found.through);
        let wanted = page.between(document, after.unwrap_or(0), found.through);
        let mut sent = found.changes.iter().map(|change| change.seq).peekable();
        for seq in wanted {
            let is_there = sent.next_if_eq(seq).is_some();
            must(
                is_there || !session.books.owes(page, *seq, number),
                Invariant::Order,
                || format!("{number} is not sent {seq} of {document}"),
            )?;
        }
        must(sent.next().is_none(), Invariant::Order, || {
            format!("{number} is sent what {document} does not have")
        })
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
        let asked = match session.relay.message(bytes, session_ms) {
            Ok(asked) => asked,
            Err(e) => {
                self.note(&format!("C w{wire} protocol broken: {e}"));
                session.relay.close(ByeWhy::Protocol, &e.to_string(), 1_000);
                return;
            }
        };
        let head = self.witness.page().map_or(0, Page::head);
        for joined in session.books.up.read(bytes).unwrap_or_default() {
            match joined {
                Joined::Frame(
                    UpFrame::Delivered(messages)
                    | UpFrame::DeliveredLate(LateFrame { messages, .. }),
                ) => session.books.delivered(messages),
                Joined::Frame(UpFrame::Heads(heads)) => {
                    for head_of in heads.iter().filter(|h| h.through <= head) {
                        if session.books.urgency.contains_key(&head_of.document) {
                            session.books.sent.insert(head_of.document, head_of.through);
                        }
                    }
                }
                _ => {}
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
            Asked::Delivered { through, .. } => {
                let report = Report {
                    delivered: through.into_iter().collect(),
                    ..Report::default()
                };
                self.report(wire, session, report, wall_ms);
            }
            Asked::Shown {
                document,
                through,
                at_ms,
            } => {
                let report = Report {
                    shown: [(document, (through, at_ms))].into(),
                    ..Report::default()
                };
                self.report(wire, session, report, wall_ms);
            }
            Asked::Want { .. } => {}
            Asked::Put { blob, .. } | Asked::Chunk { blob, .. } => {
                session.relay.have(blob, 0, Some("not here".into()));
            }
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
                self.witness.refused(&hash, refusal);
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
                session.books.answered.insert(appended.seq);
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
            self.books.granted(granted);
            self.relay.grant(granted);
        }
        for document in news.ended {
            self.relay.revoke(document);
            self.books.forget(document);
        }
        for (document, urgency) in news.urgency {
            self.books.raised(document, urgency);
            self.relay.urgency(document, urgency);
        }
        self.relay.grown(news.head, &news.grown);
        news.seen.into_iter().for_each(|seen| self.relay.seen(seen));
        if let Some((why, reason)) = news.close {
            self.relay.close(why, &reason, 0);
        }
    }

    fn check_urgency(&self, document: DocumentId, page: &Page) -> Step {
        match self.books.passed_over(document, page, self.device.number) {
            Some((more_urgent, seq)) => Err(broken(
                Invariant::UrgentFirst,
                format!("{document} is sent while {seq} of {more_urgent} waits"),
            )),
            None => Ok(()),
        }
    }

    /// A part of what cannot hurt goes only where nothing waits that can.
    fn check_part(&self, lane: u8, page: &Page) -> Step {
        if lane == 0 {
            return Ok(());
        }
        match self.books.safety_waits(page, self.device.number) {
            Some(waits) => Err(broken(
                Invariant::UrgentFirst,
                format!("a part of something else is sent while {waits} has something to send"),
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

fn names(joined: &[Joined<DownFrame>]) -> String {
    joined.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn name(joined: &Joined<DownFrame>) -> String {
    let frame = match joined {
        Joined::Frame(frame) => frame,
        Joined::Part(lane) => return format!("part:{lane}"),
    };
    match frame {
        DownFrame::Welcome(welcome) => format!("welcome:{:?}", welcome.agreement),
        DownFrame::Grant(_) => "grant".into(),
        DownFrame::Revoke(_) => "revoke".into(),
        DownFrame::Changes(c) => changes_name(c),
        DownFrame::Position(p) => format!("position:{p}"),
        DownFrame::Accepted(a) => format!("accepted:{}", a.seq),
        DownFrame::Refused(r) => format!("refused:{}", r.code),
        DownFrame::Seen(_) => "seen".into(),
        DownFrame::Ping => "ping".into(),
        DownFrame::Pong => "pong".into(),
        DownFrame::Bye(bye) => format!("bye:{:?}", bye.why),
        DownFrame::Got => "got".into(),
        DownFrame::Part(_) | DownFrame::Chunk(_) | DownFrame::Have(_) | DownFrame::Bundle(_) => {
            "other".into()
        }
    }
}

fn changes_name(changes: &ChangesFrame) -> String {
    let (count, through) = (changes.changes.len(), changes.through());
    match changes.position() {
        Some(position) => format!("changes:{count}..{through} position:{position}"),
        None => format!("changes:{count}..{through}"),
    }
}
