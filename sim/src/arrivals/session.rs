//! The center's end of a session: the real relay, fed as `server::session` feeds it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use packet::{ChangeHash, DeviceNumber, DocumentId, Offer, Refusal, change_hash};
use server::contacts::Contact;
use server::devices;
use server::hub::Place;
use server::log::{Appended, LogError, OfferedBy, slice};
use server::policy::{Carries, Role, built_in};
use server::receipts::{self, Carrier, Report};
use server::session::{admit_now, ended};
use server::shifts;
use sync::Handshake;
use sync::frame::{AcceptedFrame, Bye, ByeWhy, DownFrame, Hello, RefusedFrame, encode};
use sync::limits::HANDSHAKE_BYTES_MIN;
use sync::relay::{Event as Asked, Next, Relay, Standing};

use super::center::Answer;
use super::event::End;
use super::wire::Load;
use super::{City, Step};

/// The answer's head to an upgrade request, as axum sends it.
const UPGRADED_BYTES: usize = 160;
/// As `server::session` has it: beyond it nothing is read.
const WRITES_MAX: usize = 128;

pub(super) struct Session {
    device: devices::Device,
    role: Role,
    who: String,
    carrier: Arc<Carrier>,
    place: Place,
    relay: Relay,
    writes: usize,
    /// Came and was not read yet: the relay holds the device back.
    inbox: VecDeque<Vec<u8>>,
    answered: BTreeSet<u64>,
    contact: Contact,
    began_ms: u64,
}

impl City {
    /// The upgrade request is here: a session, or a reason.
    pub(super) fn hello(&mut self, wire: u64, hello: &Hello) -> Step {
        let Some(link) = self.wires.get_mut(&wire) else {
            return Ok(());
        };
        link.open_at_center = true;
        let (number, dialled_ms) = (self.officers[link.officer].number, link.dialled_ms);
        self.send(wire, End::Center, Load::Upgraded(UPGRADED_BYTES), 0);
        match self.open_session(number, hello, dialled_ms)? {
            Ok(session) => {
                let report = Report {
                    delivered: session.relay.held().into_iter().collect(),
                    contact: Some(session.contact),
                    ..Report::default()
                };
                self.say(&session.carrier.clone(), report);
                self.center.sessions.insert(wire, session);
                self.stats.sessions += 1;
                self.poll_session(wire)
            }
            Err(bye) => {
                let bye = encode(&DownFrame::Bye(bye));
                self.send(wire, End::Center, Load::Message(bye), 0);
                self.close(wire, End::Center);
                Ok(())
            }
        }
    }

    fn open_session(
        &mut self,
        number: DeviceNumber,
        hello: &Hello,
        dialled_ms: u64,
    ) -> Step<Result<Session, Bye>> {
        let (wall_ms, token) = (self.center.wall_ms(), hello.shift.clone());
        let (device, shift) = self.center.readers().read_blocking(|connection| {
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
        let (role, unit) = match &shift {
            Some(shift) => (Role::Officer, Some(shift.unit.clone())),
            None => (Role::Device, None),
        };
        let carries = Carries::new(built_in(), shift.clone(), &device.agency);
        let hub = &self.center.hub;
        let (place, head, granted) = hub.join(number, unit.as_deref(), carries.clone());
        let (after, receipts) = (hello.position, hello.receipts);
        let (ended, seen) = self.center.readers().read_blocking(|connection| {
            Ok((
                ended(connection, unit.as_deref(), after, &carries.now())?,
                receipts::seen_of(connection, number, receipts)?,
            ))
        })?;
        let standing = Standing {
            incarnation: self.center.incarnation(),
            head,
            center_now_ms: wall_ms,
            granted,
            ended,
        };
        let handshake = Handshake {
            bytes: HANDSHAKE_BYTES_MIN,
            ms: self.now_ms - dialled_ms,
        };
        let mut relay = match Relay::open(hello, standing, Some(handshake), 0) {
            Ok(relay) => relay,
            Err(bye) => return Ok(Err(bye)),
        };
        seen.into_iter().for_each(|seen| relay.seen(seen));
        let (screen, who) = shift.map_or_else(
            || (device.label.clone(), device.label.clone()),
            |shift| (format!("{} {}", shift.unit, device.label), shift.by()),
        );
        Ok(Ok(Session {
            carrier: Carrier::new(number, screen, who.clone(), carries),
            device,
            role,
            who,
            place,
            relay,
            writes: 0,
            inbox: VecDeque::new(),
            answered: BTreeSet::new(),
            contact: Contact {
                began_ms: wall_ms,
                heard_ms: None,
            },
            began_ms: self.now_ms,
        }))
    }

    /// Does all that this session can do now.
    pub(super) fn poll_session(&mut self, wire: u64) -> Step {
        let Some(mut session) = self.center.sessions.remove(&wire) else {
            return Ok(());
        };
        if self.drive(wire, &mut session)? {
            self.center.sessions.insert(wire, session);
        } else {
            self.end_session(session);
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
            let now_ms = self.now_ms;
            let Some(link) = self.wires.get_mut(&wire) else {
                return Ok(false);
            };
            match link.room_ms(End::Center, now_ms) {
                Some(room_ms) if room_ms <= now_ms => {}
                Some(room_ms) => {
                    self.plan_poll(wire, End::Center, room_ms);
                    return Ok(true);
                }
                None => {
                    // A full buffer is no sign of life: the center looks after its time.
                    let until_ms = now_ms + 1_000;
                    self.plan_poll(wire, End::Center, until_ms);
                    return Ok(true);
                }
            }
            match session.relay.next(now_ms - session.began_ms) {
                Next::Send(bytes) => {
                    self.stats.bytes_down += bytes.len() as u64;
                    self.send(wire, End::Center, Load::Message(bytes), 0);
                }
                Next::Fetch {
                    document,
                    after,
                    session_head,
                    bytes_max,
                } => self.fetch(session, document, after, session_head, bytes_max)?,
                // Nobody attaches anything here.
                Next::FetchChunk { blob, offset, .. } => {
                    session.relay.chunk(blob, offset, Vec::new(), 0);
                }
                Next::Over => return Ok(false),
                Next::Wait { until_ms } => {
                    let until_ms = session.began_ms.saturating_add(until_ms);
                    self.plan_poll(wire, End::Center, until_ms);
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
    ) -> Step {
        let answered = session.answered.range(after.max(session_head) + 1..);
        let skip: BTreeSet<u64> = answered.copied().collect();
        let dictionary = session.relay.dictionary();
        let recent = self.center.recent();
        let found = match recent.slice(document, after, bytes_max, &skip, dictionary) {
            Some(found) => found,
            None => self.center.readers().read_blocking(|connection| {
                slice(connection, document, after, bytes_max, &skip, dictionary)
            })?,
        };
        session
            .relay
            .fetched(document, &found.changes, found.through);
        if found.changes.is_empty() {
            return Ok(());
        }
        let mut report = Report::default();
        report.sends(document, after, found.through);
        self.say(&session.carrier.clone(), report);
        Ok(())
    }

    /// A message from the device came out of the wire.
    pub(super) fn arrived_up(&mut self, wire: u64, bytes: Vec<u8>) -> Step {
        self.stats.bytes_up += bytes.len() as u64;
        let (now_ms, wall_ms) = (self.now_ms, self.center.wall_ms());
        let Some(session) = self.center.sessions.get_mut(&wire) else {
            return Ok(());
        };
        session.relay.heard(now_ms - session.began_ms);
        session.contact.heard_ms = Some(wall_ms);
        session.inbox.push_back(bytes);
        self.poll_session(wire)
    }

    fn session_message(&mut self, wire: u64, session: &mut Session, bytes: &[u8]) {
        let session_ms = self.now_ms - session.began_ms;
        match session.relay.message(bytes, session_ms) {
            Ok(asked) => asked
                .into_iter()
                .for_each(|asked| self.asked(wire, session, asked)),
            Err(e) => session.relay.close(ByeWhy::Protocol, &e.to_string(), 1_000),
        }
    }

    fn asked(&mut self, wire: u64, session: &mut Session, asked: Asked) {
        let mut report = Report::default();
        match asked {
            Asked::Offer(offer) => return self.offer(wire, session, offer),
            Asked::Delivered { through, .. } => report.delivered.extend(through),
            Asked::Shown {
                document,
                through,
                at_ms,
            } => drop(report.shown.insert(document, (through, at_ms))),
            Asked::Want { .. } => return,
            Asked::Put { blob, .. } | Asked::Chunk { blob, .. } => {
                return session.relay.have(blob, 0, Some("not here".into()));
            }
        }
        self.say(&session.carrier.clone(), report);
    }

    fn offer(&mut self, wire: u64, session: &mut Session, offer: Offer) {
        let Ok(hash) = change_hash(&offer.bytes) else {
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
            move |result: Result<_, LogError>| {
                Some(match result {
                    Ok(result) => Answer::Offer { wire, hash, result },
                    Err(e) => Answer::Failed(e),
                })
            },
        );
    }

    pub(super) fn offer_answered(
        &mut self,
        wire: u64,
        hash: ChangeHash,
        result: Result<Appended, Refusal>,
    ) {
        let Some(session) = self.center.sessions.get_mut(&wire) else {
            return;
        };
        session.writes -= 1;
        match result {
            Ok(appended) => {
                session.answered.insert(appended.seq);
                session.relay.accepted(AcceptedFrame {
                    hash,
                    seq: appended.seq,
                    received_ms: appended.received_ms,
                });
            }
            Err(refusal) => session.relay.refused(RefusedFrame {
                hash,
                code: refusal.code(),
                reason: refusal.to_string(),
            }),
        }
    }

    /// The session at the center's end of this wire is over.
    pub(super) fn drop_session(&mut self, wire: u64) {
        if let Some(session) = self.center.sessions.remove(&wire) {
            self.end_session(session);
        }
    }

    fn end_session(&mut self, session: Session) {
        let heard_ms = session.contact.heard_ms.unwrap_or(session.contact.began_ms);
        let report = Report {
            contact: Some(Contact {
                heard_ms: Some(heard_ms),
                ..session.contact
            }),
            ..Report::default()
        };
        self.say(&session.carrier, report);
    }
}

impl Session {
    fn take_news(&mut self) {
        let news = self.place.take();
        for granted in &news.granted {
            self.relay.grant(granted);
        }
        for document in news.ended {
            self.relay.revoke(document);
        }
        for (document, urgency) in news.urgency {
            self.relay.urgency(document, urgency);
        }
        self.relay.grown(news.head, &news.grown);
        news.seen.into_iter().for_each(|seen| self.relay.seen(seen));
        if let Some((why, reason)) = news.close {
            self.relay.close(why, &reason, 0);
        }
    }
}
