//! The device's end of a session, without I/O.
//!
//! It holds what the device has (its position, its documents, its outbox) and says
//! what to send and what to store. The caller owns the clock, the socket and the
//! store, and keeps one promise: what [`Device::frame`] returns is committed, in
//! one transaction, before [`Device::committed`] is called. Only then does the
//! center hear that it was delivered. When a commit fails, the caller drops this
//! machine and makes it anew from what the store kept.

use std::collections::{BTreeMap, VecDeque};

use packet::sabotage::{Sabotage, is_on};
use packet::signature::MAC_BYTES;
use packet::{ChangeHash, Compartment, DocumentId, Proof};

use crate::at_most;
use crate::bundle::decode_down;
use crate::codec::{self, DICTIONARY_NEWEST, Unpacked};
use crate::frame::{
    Agreement, BlobId, Bye, ChangesFrame, ChunkFrame, DownFrame, FrameError, HaveFrame, Hello,
    LateFrame, Lease, OfferFrame, PartFrame, PutFrame, ShownFrame, Through, UpFrame, WantFrame,
    Welcome, decode, digest, encode,
};
use crate::life::{Life, Pulse};
use crate::limits::{
    CHANGES_PER_FRAME_MAX, CHUNK_BYTES_MAX, EXCEPTIONS_MAX, FRAMES_PER_MESSAGE_MAX, GRANTS_MAX,
    LEASES_MAX, OFFERS_IN_FLIGHT_MAX, PROTOCOL_VERSION, REPORT_CALM_BYTES_MAX, REPORT_CALM_MS_MAX,
    REPORT_HELD_MS_MIN, REPORT_MESSAGES_MAX, REPORT_MS_MAX, WANTS_MAX, WORDS_BYTES_MAX,
};
use crate::link::Link;
use crate::slices::{Joining, REST, SAFETY, Slices};

/// What a device kept of its last sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    pub incarnation: u64,
    pub position: u64,
    /// Given with the position: see [`Hello::digest`].
    pub digest: u64,
    /// The dictionary of the last session, to pack the outbox with before the reply.
    pub dictionary: u16,
    /// A brief could not be written out here: changes have to come whole this time.
    pub wants_whole: bool,
    /// The granted documents; the `seq` where one stands apart from the position.
    pub documents: Vec<(DocumentId, Option<u64>)>,
    /// The highest receipt number.
    pub receipts: u64,
    /// What is not yet accepted, in the order it was written.
    pub outbox: Vec<Unsent>,
}

/// A change that the center has not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsent {
    pub document: DocumentId,
    pub hash: ChangeHash,
    pub bytes: Vec<u8>,
    /// Another's change is given back with the center's MAC.
    pub proof: Proof,
}

/// A change as it came down, unpacked. A brief is written out by the store, which knows
/// what it stands on ([`crate::brief::restore`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub seq: u64,
    pub received_ms: i64,
    pub mac: [u8; MAC_BYTES],
    pub body: Unpacked,
}

/// Something for the device's store, in the order it has to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// The log's incarnation, the center's clock now, the session's dictionary, and the
    /// digest from now on. With `anew` every document is ungranted until it is granted
    /// again, and the position is 0.
    Welcome {
        incarnation: u64,
        center_now_ms: i64,
        dictionary: u16,
        digest: u64,
        anew: bool,
        /// From now on: which documents last for how long without a contact.
        leases: Vec<Lease>,
    },
    /// The document may be here; it stands apart, at 0, until its changes come.
    Grant(DocumentId),
    /// The document and its changes leave the device; its unsent changes stay.
    Revoke(DocumentId),
    /// The changes, and that the document now stands apart, at `through`.
    Changes {
        document: DocumentId,
        changes: Vec<Received>,
        through: u64,
    },
    /// Everything of the granted documents up to here is here: none stands apart.
    /// Documents that a reset left ungranted go now.
    Position { position: u64, digest: u64 },
    Accepted {
        hash: ChangeHash,
        seq: u64,
        received_ms: i64,
    },
    /// The device goes back to what was accepted, takes a new actor for this
    /// change's document and writes what follows anew ([`Device::rewritten`]).
    Refused {
        hash: ChangeHash,
        code: u16,
        reason: String,
    },
    /// Somebody saw entries of mine.
    Seen {
        number: u64,
        document: DocumentId,
        through: u64,
        who: String,
        at_ms: i64,
    },
    /// A piece of an attachment; none of `total` bytes where the center has nothing.
    Chunk {
        blob: BlobId,
        offset: u64,
        total: u64,
        bytes: Vec<u8>,
    },
    /// The center has so much of an attachment of mine, or why it does not take it.
    Have {
        blob: BlobId,
        bytes: u64,
        refused: Option<String>,
    },
}

/// What one message asks of the caller.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// To be committed in one transaction, in this order.
    pub store: Vec<Store>,
    /// The center ends the session, and says why.
    pub bye: Option<Bye>,
}

/// What to do next on the link.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Send(Vec<u8>),
    /// Read at most so many bytes of this attachment from here on, then call
    /// [`Device::chunk`] before anything else.
    FetchChunk {
        blob: BlobId,
        offset: u64,
        bytes_max: usize,
    },
    /// Nothing until something happens or this time comes.
    Wait {
        until_ms: u64,
    },
    /// Nothing was heard for too long, or no session is open: dial.
    Dead,
}

#[derive(Debug)]
struct Session {
    life: Life,
    welcomed: bool,
    received: u64,
    committed: u64,
    reported: u64,
    /// The report of what came since the last one may wait; `None`: it is due.
    hold: Option<Hold>,
    /// The size of what came since the last report, and when the last of it came.
    unreported_bytes: usize,
    came_ms: u64,
    heads_due: bool,
    pong_due: bool,
    /// The offers under way, in the order they were sent.
    offered: VecDeque<ChangeHash>,
    /// What the center answered of what was sent: offers and pieces of attachments.
    answers: u64,
    requests: VecDeque<UpFrame>,
    uploads: VecDeque<Upload>,
    slices: Slices<()>,
    joining: Joining,
    /// The message that is being put together.
    message: Vec<u8>,
    frames: usize,
    link: Link,
}

/// Why, and until when, a report waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hold {
    until: Until,
    by_ms: u64,
}

/// What the report of a message may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Nothing: it is urgent, or asks for an answer.
    Now,
    /// More was announced.
    More,
    /// Nothing else was announced, and nothing of it is urgent.
    Calm,
}

/// An attachment on its way up. Its next piece follows the center's word on where to begin.
#[derive(Debug)]
struct Upload {
    blob: BlobId,
    total: u64,
    next: Option<u64>,
}

impl Session {
    fn new(now_ms: u64) -> Self {
        Self {
            life: Life::new(now_ms),
            welcomed: false,
            received: 0,
            committed: 0,
            reported: 0,
            hold: None,
            unreported_bytes: 0,
            came_ms: now_ms,
            heads_due: false,
            pong_due: false,
            offered: VecDeque::new(),
            answers: 0,
            requests: VecDeque::new(),
            uploads: VecDeque::new(),
            slices: Slices::default(),
            joining: Joining::default(),
            message: Vec::new(),
            frames: 0,
            link: Link::new(None),
        }
    }

    fn put(&mut self, frame: Vec<u8>) {
        self.message.extend(frame);
        self.frames += 1;
    }

    fn answered(&mut self, now_ms: u64) {
        self.answers += 1;
        self.link.answered(self.answers, now_ms);
    }

    /// Whether what was committed has to be reported now.
    fn owes_report(&self, now_ms: u64) -> bool {
        self.committed > self.reported && self.hold.is_none_or(|hold| hold.by_ms <= now_ms)
    }

    /// A message came whole, and what follows from that for its report.
    fn came(&mut self, bytes: usize, until: Until, now_ms: u64) {
        let is_first = self.received == self.reported;
        self.received += 1;
        self.unreported_bytes += bytes;
        self.came_ms = now_ms;
        let by_ms = match self.hold {
            // Something that came before it is urgent, or waits for something else.
            _ if !is_first && self.hold.is_none_or(|hold| hold.until != until) => None,
            Some(hold) if !is_first => Some(hold.by_ms),
            _ => match until {
                Until::Now => None,
                Until::More => Some(now_ms + REPORT_MS_MAX),
                // The first answer is the first measure of the link.
                Until::Calm if self.reported == 0 => None,
                Until::Calm => Some(now_ms + REPORT_CALM_MS_MAX),
            },
        };
        let has_room = match until {
            Until::Now => false,
            Until::More => self.received - self.reported < REPORT_MESSAGES_MAX,
            Until::Calm => self.unreported_bytes <= REPORT_CALM_BYTES_MAX,
        };
        self.hold = by_ms
            .filter(|_| has_room)
            .map(|by_ms| Hold { until, by_ms });
    }

    /// *Delivered*, of all that is committed.
    fn report(&mut self, now_ms: u64) -> UpFrame {
        self.reported = self.committed;
        self.unreported_bytes = 0;
        self.hold = None;
        let (messages, held_ms) = (self.reported, now_ms.saturating_sub(self.came_ms));
        if held_ms < REPORT_HELD_MS_MIN {
            UpFrame::Delivered(messages)
        } else {
            UpFrame::DeliveredLate(LateFrame { messages, held_ms })
        }
    }
}

/// The device's state machine. One for each store; sessions come and go within it.
#[derive(Debug)]
pub struct Device {
    incarnation: u64,
    position: u64,
    digest: u64,
    dictionary: u16,
    wants_whole: bool,
    documents: BTreeMap<DocumentId, Option<u64>>,
    receipts: u64,
    outbox: Vec<Unsent>,
    /// What was read and not yet reported: what is read offline is told later.
    shown: BTreeMap<DocumentId, (u64, i64)>,
    session: Option<Session>,
}

impl Device {
    #[must_use]
    pub fn new(kept: Kept) -> Self {
        Self {
            incarnation: kept.incarnation,
            position: kept.position,
            digest: kept.digest,
            dictionary: kept.dictionary,
            wants_whole: kept.wants_whole,
            documents: kept.documents.into_iter().collect(),
            receipts: kept.receipts,
            outbox: kept.outbox,
            shown: BTreeMap::new(),
            session: None,
        }
    }

    /// Begins a session: the hello for the upgrade request. A session that was open ends.
    pub fn dial(&mut self, shift: Vec<u8>, now_ms: u64) -> Hello {
        self.session = Some(Session::new(now_ms));
        let mut exceptions: Vec<Through> = self
            .documents
            .iter()
            .filter_map(|(&document, &apart)| {
                Some(Through {
                    document,
                    through: apart?,
                })
            })
            .collect();
        // What is behind the position (it has to come anew) goes first: nobody else would
        // know. What does not fit is sent again: it is either ahead of the position, or was
        // granted after it and counts as new.
        exceptions.sort_by_key(|exception| exception.through);
        exceptions.truncate(EXCEPTIONS_MAX);
        Hello {
            version: PROTOCOL_VERSION,
            position: self.position,
            digest: self.digest,
            dictionary: if self.wants_whole {
                1
            } else {
                DICTIONARY_NEWEST
            },
            receipts: self.receipts,
            shift,
            exceptions,
        }
    }

    /// The link is gone. What was offered and not answered will be offered again.
    pub fn hang_up(&mut self) {
        self.session = None;
    }

    /// Whether the center has answered this session's hello.
    #[must_use]
    pub fn is_welcomed(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.welcomed)
    }

    /// A change was written here and is in the store: offer it.
    pub fn written(&mut self, unsent: Unsent) {
        self.outbox.push(unsent);
    }

    /// After a refusal: all that is unsent of this document now.
    pub fn rewritten(&mut self, document: DocumentId, unsent: Vec<Unsent>) {
        self.outbox.retain(|old| old.document != document);
        self.outbox.extend(unsent);
    }

    /// The document was on a lit, unlocked screen through this `seq`. Told once there
    /// is a link; not kept in the store, and only of granted documents.
    pub fn shown(&mut self, document: DocumentId, through: u64, at_ms: i64) {
        if self.documents.contains_key(&document) {
            self.shown.insert(document, (through, at_ms));
        }
    }

    /// Asks for an attachment from here on, for as long as this session lives.
    pub fn want(&mut self, blob: BlobId, offset: u64) {
        self.request(UpFrame::Want(WantFrame { blob, offset }));
    }

    pub fn unwant(&mut self, blob: BlobId) {
        self.request(UpFrame::Unwant(blob));
    }

    fn request(&mut self, request: UpFrame) {
        if let Some(session) = &mut self.session
            && session.requests.len() < 2 * WANTS_MAX
        {
            session.requests.push_back(request);
        }
    }

    /// Sends an attachment of `total` bytes, for as long as this session lives: from where
    /// the center says that it has it.
    pub fn put(&mut self, document: DocumentId, blob: BlobId, total: u64) {
        if let Some(session) = &mut self.session
            && session.uploads.len() < WANTS_MAX
            && session.uploads.iter().all(|upload| upload.blob != blob)
        {
            session.uploads.push_back(Upload {
                blob,
                total,
                next: None,
            });
            session.requests.push_back(UpFrame::Put(PutFrame {
                document,
                blob,
                bytes: total,
            }));
        }
    }

    /// What [`Next::FetchChunk`] asked for; with no bytes the attachment is given up.
    pub fn chunk(&mut self, blob: BlobId, offset: u64, bytes: Vec<u8>, now_ms: u64) {
        let Some(session) = &mut self.session else {
            return;
        };
        let Some(at) = session.uploads.iter().position(|up| up.blob == blob) else {
            return;
        };
        if bytes.is_empty() {
            session.uploads.remove(at);
            return;
        }
        let Some(upload) = session.uploads.get_mut(at) else {
            return;
        };
        upload.next = Some(offset.saturating_add(bytes.len() as u64));
        let frame = encode(&UpFrame::Chunk(ChunkFrame {
            blob,
            offset,
            total: upload.total,
            bytes,
        }));
        session.link.sent(frame.len(), now_ms);
        session.put(frame);
    }

    /// Bytes came, of whatever kind: the link lives.
    pub fn heard(&mut self, now_ms: u64) {
        if let Some(session) = &mut self.session {
            session.life.heard(now_ms);
        }
    }

    /// Takes a message from the center.
    ///
    /// # Errors
    /// When it breaks the protocol: close, and dial again. What came before it is good.
    pub fn message(&mut self, bytes: &[u8], now_ms: u64) -> Result<Effects, FrameError> {
        let frames = decode_down(bytes)?;
        let session = self
            .session
            .as_mut()
            .ok_or(FrameError::OutOfTurn("no session is open"))?;
        session.life.heard(now_ms);
        let mut effects = Effects::default();
        let mut until = Until::Now;
        for frame in frames {
            let frame = match frame {
                DownFrame::Part(part) => {
                    if !part.last {
                        until = Until::More;
                    }
                    let joined = match &mut self.session {
                        Some(session) => session.joining.part(part)?,
                        None => None,
                    };
                    match joined {
                        Some(whole) => decode(&whole)?,
                        None => continue,
                    }
                }
                frame => frame,
            };
            until = waits(&frame).unwrap_or(until);
            self.frame(frame, &mut effects, now_ms)?;
        }
        // A message that could not be taken is never reported as delivered.
        if let Some(session) = &mut self.session {
            session.came(bytes.len(), until, now_ms);
            if is_on(Sabotage::DeliverBeforeCommit) {
                session.committed = session.received;
            }
        }
        Ok(effects)
    }

    fn frame(
        &mut self,
        frame: DownFrame,
        effects: &mut Effects,
        now_ms: u64,
    ) -> Result<(), FrameError> {
        let session = self
            .session
            .as_mut()
            .ok_or(FrameError::OutOfTurn("no session is open"))?;
        if !session.welcomed && !matches!(frame, DownFrame::Welcome(_) | DownFrame::Bye(_)) {
            return Err(FrameError::OutOfTurn("the welcome comes first"));
        }
        match frame {
            DownFrame::Welcome(_) if session.welcomed => {
                return Err(FrameError::OutOfTurn("a second welcome"));
            }
            DownFrame::Welcome(welcome) => {
                let leases = welcome.leases.as_deref().unwrap_or_default();
                at_most("leases", leases.len(), LEASES_MAX)?;
                for lease in leases {
                    at_most("agency", lease.agency.len(), WORDS_BYTES_MAX)?;
                }
                self.welcome(&welcome, effects);
            }
            DownFrame::Grant(grant) => {
                at_most("granted documents", self.documents.len(), GRANTS_MAX)?;
                self.documents.insert(grant.document, Some(0));
                effects.store.push(Store::Grant(grant.document));
            }
            DownFrame::Revoke(document) => {
                self.documents.remove(&document);
                self.shown.remove(&document);
                effects.store.push(Store::Revoke(document));
            }
            DownFrame::Changes(changes) => self.changes(changes, effects)?,
            DownFrame::Position(position) => self.at(position, effects),
            DownFrame::Accepted(accepted) => {
                self.answered(accepted.hash, now_ms);
                effects.store.push(Store::Accepted {
                    hash: accepted.hash,
                    seq: accepted.seq,
                    received_ms: accepted.received_ms,
                });
            }
            DownFrame::Refused(refused) => {
                at_most("reason", refused.reason.len(), WORDS_BYTES_MAX)?;
                self.answered(refused.hash, now_ms);
                effects.store.push(Store::Refused {
                    hash: refused.hash,
                    code: refused.code,
                    reason: refused.reason,
                });
            }
            DownFrame::Seen(seen) => {
                at_most("who", seen.who.len(), WORDS_BYTES_MAX)?;
                self.receipts = self.receipts.max(seen.number);
                effects.store.push(Store::Seen {
                    number: seen.number,
                    document: seen.document,
                    through: seen.through,
                    who: seen.who,
                    at_ms: seen.at_ms,
                });
            }
            DownFrame::Chunk(chunk) => {
                at_most("bytes of an attachment", chunk.bytes.len(), CHUNK_BYTES_MAX)?;
                effects.store.push(Store::Chunk {
                    blob: chunk.blob,
                    offset: chunk.offset,
                    total: chunk.total,
                    bytes: chunk.bytes,
                });
            }
            DownFrame::Have(have) => self.have(have, effects, now_ms)?,
            DownFrame::Got => session.answered(now_ms),
            DownFrame::Ping => session.pong_due = true,
            DownFrame::Pong => {}
            DownFrame::Bye(bye) => {
                at_most("reason", bye.reason.len(), WORDS_BYTES_MAX)?;
                effects.bye = Some(bye);
            }
            DownFrame::Part(_) => return Err(FrameError::OutOfTurn("a part within a part")),
            DownFrame::Bundle(_) => return Err(FrameError::OutOfTurn("a bundle within a part")),
        }
        Ok(())
    }

    fn welcome(&mut self, welcome: &Welcome, effects: &mut Effects) {
        let is_other_log = welcome.incarnation != self.incarnation;
        let is_anew = match welcome.agreement {
            Agreement::Agreed => false,
            Agreement::Compare => is_other_log,
            Agreement::Anew => true,
        };
        if let Some(session) = &mut self.session {
            session.welcomed = true;
            session.heads_due = welcome.agreement == Agreement::Compare;
        }
        self.incarnation = welcome.incarnation;
        self.dictionary = welcome.dictionary;
        if is_anew {
            self.position = 0;
            self.digest = digest(welcome.incarnation, []);
            self.documents.clear();
            self.shown.clear();
        } else if welcome.agreement == Agreement::Compare {
            // What is here changes before the next position is told: until then no
            // center may take the last one for the truth.
            self.digest = 0;
        }
        effects.store.push(Store::Welcome {
            incarnation: welcome.incarnation,
            center_now_ms: welcome.now_ms,
            dictionary: welcome.dictionary,
            digest: self.digest,
            anew: is_anew,
            leases: welcome.leases.clone().unwrap_or_default(),
        });
    }

    fn have(
        &mut self,
        have: HaveFrame,
        effects: &mut Effects,
        now_ms: u64,
    ) -> Result<(), FrameError> {
        let reason = have.refused.as_deref().unwrap_or_default();
        at_most("reason", reason.len(), WORDS_BYTES_MAX)?;
        if let Some(session) = &mut self.session {
            session.answered(now_ms);
            let at = session.uploads.iter().position(|up| up.blob == have.blob);
            if let Some(at) = at {
                if have.refused.is_some() || have.bytes >= session.uploads[at].total {
                    session.uploads.remove(at);
                } else {
                    // What is under way goes on: only the first answer says where to begin.
                    session.uploads[at].next.get_or_insert(have.bytes);
                }
            }
        }
        effects.store.push(Store::Have {
            blob: have.blob,
            bytes: have.bytes,
            refused: have.refused,
        });
        Ok(())
    }

    fn changes(&mut self, frame: ChangesFrame, effects: &mut Effects) -> Result<(), FrameError> {
        at_most("changes", frame.changes.len(), CHANGES_PER_FRAME_MAX)?;
        let (through, position) = (frame.through(), frame.position());
        let apart = self
            .documents
            .get_mut(&frame.document)
            .ok_or(FrameError::OutOfTurn(
                "changes of a document that was not granted",
            ))?;
        let mut changes = Vec::with_capacity(frame.changes.len());
        for item in frame.changes {
            changes.push(Received {
                seq: item.seq,
                received_ms: item.received_ms,
                mac: item.mac,
                body: codec::unpack(&item.body)?,
            });
        }
        *apart = Some(through);
        effects.store.push(Store::Changes {
            document: frame.document,
            changes,
            through,
        });
        if let Some(position) = position {
            self.at(position, effects);
        }
        Ok(())
    }

    fn at(&mut self, position: u64, effects: &mut Effects) {
        self.position = position;
        self.wants_whole = false;
        self.documents.values_mut().for_each(|apart| *apart = None);
        self.digest = digest(self.incarnation, self.documents.keys().copied());
        effects.store.push(Store::Position {
            position,
            digest: self.digest,
        });
    }

    fn answered(&mut self, hash: ChangeHash, now_ms: u64) {
        self.outbox.retain(|unsent| unsent.hash != hash);
        if let Some(session) = &mut self.session
            && let Some(at) = session.offered.iter().position(|offered| *offered == hash)
        {
            session.offered.remove(at);
            session.answered(now_ms);
        }
    }

    /// All that the messages so far asked to store is durable.
    pub fn committed(&mut self) {
        if let Some(session) = &mut self.session {
            session.committed = session.received;
        }
    }

    /// What to do next; to be asked again after everything that happens, and whenever
    /// the link has taken the last message.
    pub fn next(&mut self, now_ms: u64) -> Next {
        let Some(session) = &mut self.session else {
            return Next::Dead;
        };
        loop {
            let is_full = session.message.len() >= session.link.frame_bytes();
            if is_full || session.frames >= FRAMES_PER_MESSAGE_MAX {
                return send(session);
            }
            let frame = if let Some(frame) = next_frame(session, &mut self.shown, now_ms) {
                frame
            } else if session.heads_due {
                session.heads_due = false;
                encode(&UpFrame::Heads(heads(&self.documents, self.position)))
            } else if let Some(frame) = next_offer(&self.outbox, session, self.dictionary, now_ms) {
                frame
            } else if !session.message.is_empty() {
                return send(session);
            } else {
                break;
            };
            session.put(frame);
        }
        if session.welcomed
            && session.link.has_room()
            && let Some((blob, offset)) = next_piece(session)
        {
            let bytes_max = session.link.frame_bytes().min(CHUNK_BYTES_MAX);
            return Next::FetchChunk {
                blob,
                offset,
                bytes_max,
            };
        }
        let report_ms = match session.hold {
            Some(hold) if session.committed > session.reported => hold.by_ms,
            _ => u64::MAX,
        };
        match session.life.pulse(now_ms, session.link.expected()) {
            Pulse::Ask => {
                session.put(encode(&UpFrame::Ping));
                send(session)
            }
            Pulse::Wait { until_ms } => Next::Wait {
                until_ms: until_ms.min(report_ms),
            },
            Pulse::Dead => Next::Dead,
        }
    }
}

fn send(session: &mut Session) -> Next {
    session.frames = 0;
    Next::Send(std::mem::take(&mut session.message))
}

/// What is small and due: signs of life, reports, requests.
fn next_frame(
    session: &mut Session,
    shown: &mut BTreeMap<DocumentId, (u64, i64)>,
    now_ms: u64,
) -> Option<Vec<u8>> {
    if std::mem::take(&mut session.pong_due) {
        return Some(encode(&UpFrame::Pong));
    }
    if session.owes_report(now_ms) {
        return Some(encode(&session.report(now_ms)));
    }
    if !session.welcomed {
        return None;
    }
    if let Some((document, (through, at_ms))) = shown.pop_first() {
        return Some(encode(&UpFrame::Shown(ShownFrame {
            document,
            through,
            at_ms,
        })));
    }
    let request = session.requests.pop_front()?;
    let frame = encode(&request);
    // The center answers a put; the others it does.
    if matches!(request, UpFrame::Put(_)) {
        session.link.sent(frame.len(), now_ms);
    }
    Some(frame)
}

fn heads(documents: &BTreeMap<DocumentId, Option<u64>>, position: u64) -> Vec<Through> {
    let head = |(&document, apart): (&DocumentId, &Option<u64>)| Through {
        document,
        through: apart.unwrap_or(position),
    };
    documents.iter().map(head).collect()
}

/// The most urgent change that is not under way, if the link has room for it; or a part
/// of one that is too long for the link.
fn next_offer(
    outbox: &[Unsent],
    session: &mut Session,
    dictionary: u16,
    now_ms: u64,
) -> Option<Vec<u8>> {
    if !session.link.has_room() {
        return None;
    }
    let room = session
        .link
        .frame_bytes()
        .saturating_sub(session.message.len());
    for lane in [SAFETY, REST] {
        if let Some((part, _)) = session.slices.next(lane, room) {
            return Some(send_part(session, part, now_ms));
        }
        if session.offered.len() >= OFFERS_IN_FLIGHT_MAX && !is_on(Sabotage::GrowOffers) {
            continue;
        }
        // The first of the lane: order within a document is kept.
        let Some(offer) = outbox
            .iter()
            .find(|unsent| lane_of(unsent) == lane && !session.offered.contains(&unsent.hash))
        else {
            continue;
        };
        let frame = encode(&UpFrame::Offer(OfferFrame {
            document: offer.document,
            body: codec::pack(&offer.bytes, dictionary),
            proof: offer.proof.clone(),
        }));
        session.offered.push_back(offer.hash);
        if frame.len() <= 2 * session.link.frame_bytes() {
            session.link.sent(frame.len(), now_ms);
            return Some(frame);
        }
        session.slices.begin(lane, frame, ());
        let (part, _) = session.slices.next(lane, room)?;
        return Some(send_part(session, part, now_ms));
    }
    None
}

/// Each part gets an answer of its own; the last one's is the offer's.
fn send_part(session: &mut Session, part: PartFrame, now_ms: u64) -> Vec<u8> {
    let frame = encode(&UpFrame::Part(part));
    session.link.sent(frame.len(), now_ms);
    frame
}

fn lane_of(unsent: &Unsent) -> u8 {
    match unsent.document.compartment {
        Compartment::Safety => SAFETY,
        _ => REST,
    }
}

/// Where the first attachment that may go on goes on.
fn next_piece(session: &Session) -> Option<(BlobId, u64)> {
    let next = |upload: &Upload| {
        let next = upload.next.filter(|next| *next < upload.total)?;
        Some((upload.blob, next))
    };
    session.uploads.iter().find_map(next)
}

/// What the report of this frame may wait for; `None` where the frame says nothing of it.
fn waits(frame: &DownFrame) -> Option<Until> {
    match frame {
        DownFrame::Changes(changes) if changes.document.compartment == Compartment::Safety => {
            Some(Until::Now)
        }
        DownFrame::Changes(changes) if changes.ahead.is_none() => Some(Until::More),
        DownFrame::Changes(_) => Some(Until::Calm),
        DownFrame::Chunk(chunk) => {
            let reached = chunk.offset.saturating_add(chunk.bytes.len() as u64);
            Some(if reached < chunk.total {
                Until::More
            } else {
                Until::Now
            })
        }
        DownFrame::Welcome(_) | DownFrame::Part(_) => None,
        _ => Some(Until::Now),
    }
}
