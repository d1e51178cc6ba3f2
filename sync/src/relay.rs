//! The center's end of one session, without I/O.
//!
//! A relay loads no document and keeps no change: it knows, for each document that
//! the device may have, through which `seq` it was sent and what the log's last one
//! is. When the link has room it names the most urgent document that has something
//! to send, the caller fetches a slice of it, already packed, and the relay frames
//! it. So a slow device costs a position, not memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use packet::sabotage::{Sabotage, is_on};
use packet::{Compartment, DocumentId, Offer};

use crate::at_most;
use crate::bundle::Bundle;
use crate::codec::{self, DICTIONARY_NEWEST, Unpacked};
use crate::frame::{
    AcceptedFrame, Agreement, BlobId, Bye, ByeWhy, ChangeItem, ChunkFrame, DownFrame, FrameError,
    GrantFrame, HaveFrame, Hello, Lease, PutFrame, RefusedFrame, SeenFrame, Through, UpFrame,
    Welcome, decode, decode_message, digest, encode, encode_changes,
};
use crate::life::{Life, Pulse};
use crate::limits::{
    ANSWERS_QUEUE_MAX, CHANGES_PER_FRAME_MAX, CHUNK_BYTES_MAX, EXCEPTIONS_MAX,
    FRAMES_PER_MESSAGE_MAX, GRANTS_MAX, PROTOCOL_VERSION, REPORT_MS_MAX, SEEN_QUEUE_MAX, WANTS_MAX,
};
use crate::link::{Handshake, Link};
use crate::slices::{Joining, REST, SAFETY, Slices};

/// Room that is left in a message, below which nothing more is fetched for it.
const FETCH_BYTES_MIN: usize = 128;

/// How urgent a document is; lower goes first. Compartment before call: what can
/// hurt at any of my doors goes before the words about the worst of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Urgency(u16);

impl Urgency {
    /// `priority` is the call's, 1 to 5; a closed call's documents go last.
    #[must_use]
    pub fn of(compartment: Compartment, live: bool, priority: u8) -> Self {
        let class = match (compartment, live) {
            (Compartment::Safety, true) => 0,
            (_, true) => 1,
            (Compartment::Safety, false) => 2,
            (_, false) => 3,
        };
        Self(class << 8 | u16::from(priority))
    }

    /// What can hurt at a door that is live now.
    fn is_safety(self) -> bool {
        self.0 >> 8 == 0
    }
}

/// A document that the device may have.
#[derive(Debug, Clone, Copy)]
pub struct Granted {
    pub document: DocumentId,
    /// The `seq` of the change that granted it (its unit's assignment).
    pub from: u64,
    /// The last change of the document, by `seq`.
    pub last: u64,
    pub urgency: Urgency,
}

/// A grant that ended after the device's position.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    pub document: DocumentId,
    pub from: u64,
    pub to: u64,
}

/// What the center knows when a device says hello.
#[derive(Debug, Clone)]
pub struct Standing {
    pub incarnation: u64,
    /// The log's last `seq`.
    pub head: u64,
    /// Milliseconds since 1970, UTC.
    pub center_now_ms: i64,
    pub granted: Vec<Granted>,
    pub ended: Vec<Ended>,
}

/// A change of the log as all its receivers get it: a [`ChangeItem`], encoded once.
#[derive(Debug, Clone)]
pub struct PackedChange {
    pub seq: u64,
    encoded: Arc<[u8]>,
}

impl PackedChange {
    #[must_use]
    pub fn new(item: &ChangeItem) -> Self {
        Self {
            seq: item.seq,
            encoded: encode(item).into(),
        }
    }

    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }
}

/// What a frame from the device asks of the caller.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Admit it, then call [`Relay::accepted`] or [`Relay::refused`].
    Offer(Offer),
    /// The device has these documents through these `seq`s, durably.
    Delivered {
        through: Vec<(DocumentId, u64)>,
        /// It had the last of them so long before it said so.
        held_ms: u64,
    },
    /// The document was on a lit, unlocked screen.
    Shown {
        document: DocumentId,
        through: u64,
        at_ms: i64,
    },
    /// The device asks for this attachment, from here on: [`Next::FetchChunk`] follows.
    Want { blob: BlobId, offset: u64 },
    /// The device has an attachment for this document. Answer with [`Relay::have`].
    Put {
        document: DocumentId,
        blob: BlobId,
        bytes: u64,
    },
    /// A piece of it. Keep it, then answer with [`Relay::have`].
    Chunk {
        blob: BlobId,
        offset: u64,
        bytes: Vec<u8>,
    },
}

/// What to do next on the link.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Send(Vec<u8>),
    /// Fetch changes of this document after `after`, about `bytes_max` bytes of them
    /// ([`PackedChange::encoded`]) but at least one, without what this device offered
    /// after `session_head`; then call [`Relay::fetched`] before anything else.
    Fetch {
        document: DocumentId,
        after: u64,
        session_head: u64,
        bytes_max: usize,
    },
    /// Read at most so many bytes of this attachment from here on, then call
    /// [`Relay::chunk`] before anything else.
    FetchChunk {
        blob: BlobId,
        offset: u64,
        bytes_max: usize,
    },
    /// Nothing until something happens or this time comes.
    Wait {
        until_ms: u64,
    },
    /// The session is over: close the link.
    Over,
}

/// What the next thing in the message is.
enum Choice {
    Frame(DownFrame),
    /// A frame's last part, and what that brings.
    Brings(DownFrame, DocumentId, u64),
    Ask(Next),
    Nothing,
}

#[derive(Debug)]
struct Reach {
    grant_due: bool,
    through: u64,
    last: u64,
    /// What the device itself offered after this it was answered while it had the
    /// document, so it has it. Earlier ones may have left it with an earlier grant.
    own_after: u64,
    urgency: Urgency,
}

impl Reach {
    fn is_pending(&self) -> bool {
        self.grant_due || self.last > self.through
    }
}

/// The center's state machine for one session of one device.
#[derive(Debug)]
pub struct Relay {
    head: u64,
    /// The newest change of the device's own that it was answered.
    accepted: u64,
    /// `None` after a reset: even an empty log's position has to be told.
    position_sent: Option<u64>,
    /// The newest grant: a position before it would not be the documents'.
    granted_from: u64,
    dictionary: u16,
    welcome: Option<Welcome>,
    reach: BTreeMap<DocumentId, Reach>,
    pending: BTreeSet<(Urgency, DocumentId)>,
    /// The device has yet to say what it has: no document is sent before.
    comparing: bool,
    revokes: VecDeque<DocumentId>,
    answers: VecDeque<DownFrame>,
    haves: VecDeque<HaveFrame>,
    seen: VecDeque<SeenFrame>,
    /// The attachments that the device asks for, and from where on.
    wants: VecDeque<(BlobId, u64)>,
    slices: Slices<(DocumentId, u64)>,
    joining: Joining,
    /// The message that is being put together, and what it brings.
    message: Vec<u8>,
    frames: usize,
    brings: Vec<(DocumentId, u64)>,
    /// What is in the message after [`Relay::message`]'s frames, where the link is slow.
    bundle: Bundle,
    /// Nothing was sent yet.
    is_first: bool,
    /// What each message under way brings, beside [`Link`]'s bytes.
    under_way: VecDeque<Vec<(DocumentId, u64)>>,
    link: Link,
    life: Life,
    pong_due: bool,
    bye: Option<Bye>,
    over: bool,
}

impl Relay {
    /// Opens a session for a device whose standing was checked. `handshake`: what is known
    /// of the link from the time before.
    ///
    /// # Errors
    /// When the center does not speak the device's version: what to send before closing.
    pub fn open(
        hello: &Hello,
        standing: Standing,
        handshake: Option<Handshake>,
        now_ms: u64,
    ) -> Result<Self, Bye> {
        if hello.version != PROTOCOL_VERSION {
            return Err(Bye {
                why: ByeWhy::Version,
                reason: format!(
                    "this center speaks version {PROTOCOL_VERSION}, the device {}",
                    hello.version
                ),
                retry_after_ms: 3_600_000,
            });
        }
        let agreement = agreement(hello, &standing);
        let agreed = agreement == Agreement::Agreed;
        let dictionary = hello.dictionary.min(DICTIONARY_NEWEST);
        let mut relay = Self {
            head: standing.head,
            accepted: 0,
            position_sent: agreed.then_some(hello.position),
            granted_from: 0,
            dictionary,
            welcome: Some(Welcome {
                incarnation: standing.incarnation,
                now_ms: standing.center_now_ms,
                agreement,
                dictionary,
                leases: None,
            }),
            reach: BTreeMap::new(),
            pending: BTreeSet::new(),
            comparing: agreement == Agreement::Compare,
            revokes: VecDeque::new(),
            answers: VecDeque::new(),
            haves: VecDeque::new(),
            seen: VecDeque::new(),
            wants: VecDeque::new(),
            slices: Slices::default(),
            joining: Joining::default(),
            message: Vec::new(),
            frames: 0,
            brings: Vec::new(),
            bundle: Bundle::default(),
            is_first: true,
            under_way: VecDeque::new(),
            link: Link::new(handshake),
            life: Life::new(now_ms),
            pong_due: false,
            bye: None,
            over: false,
        };
        for granted in standing.granted.iter().take(GRANTS_MAX) {
            let exception = hello
                .exceptions
                .iter()
                .find(|e| e.document == granted.document);
            let (through, grant_due) = match exception {
                _ if !agreed => (0, true),
                Some(exception) => (exception.through, false),
                None if granted.from <= hello.position => (hello.position, false),
                None => (0, true),
            };
            relay.reach(granted, through, grant_due);
        }
        if agreed {
            let listed = hello.exceptions.iter().map(|e| e.document);
            // A grant after the position that the device does not list never reached
            // it, unless its list was too short: then it is told of all that ended.
            let overflowed = hello.exceptions.len() >= EXCEPTIONS_MAX;
            let ended = standing
                .ended
                .iter()
                .filter(|e| overflowed || e.from <= hello.position)
                .map(|e| e.document);
            let gone: BTreeSet<DocumentId> = ended.chain(listed).collect();
            relay.revoke_unknown(gone);
        }
        Ok(relay)
    }

    /// What lasts on this device for a shorter time than the shift. To be said before
    /// anything is sent.
    pub fn lease(&mut self, leases: Vec<Lease>) {
        if let Some(welcome) = &mut self.welcome {
            welcome.leases = (!leases.is_empty()).then_some(leases);
        }
    }

    fn revoke_unknown(&mut self, documents: BTreeSet<DocumentId>) {
        let unknown = documents
            .into_iter()
            .filter(|document| !self.reach.contains_key(document));
        self.revokes.extend(unknown);
    }

    /// The device says what it has, of this very log: each document goes on from there.
    fn compare(&mut self, heads: &[Through]) {
        self.comparing = false;
        // A log that ends before what a device has of it is not what the device had.
        for head in heads.iter().filter(|head| head.through <= self.head) {
            if let Some(reach) = self.reach.get_mut(&head.document) {
                reach.grant_due = false;
                reach.through = head.through;
                reach.own_after = self.head;
                if !reach.is_pending() {
                    self.pending.remove(&(reach.urgency, head.document));
                }
            }
        }
        self.revoke_unknown(heads.iter().map(|head| head.document).collect());
    }

    fn reach(&mut self, granted: &Granted, through: u64, grant_due: bool) {
        self.granted_from = self.granted_from.max(granted.from);
        let reach = Reach {
            grant_due,
            through,
            last: granted.last,
            own_after: self.head,
            urgency: granted.urgency,
        };
        if reach.is_pending() {
            self.pending.insert((granted.urgency, granted.document));
        }
        self.reach.insert(granted.document, reach);
    }

    /// The dictionary that this session's bodies are packed with.
    #[must_use]
    pub fn dictionary(&self) -> u16 {
        self.dictionary
    }

    /// What the device held when it said hello: delivered, if that was not known.
    #[must_use]
    pub fn held(&self) -> Vec<(DocumentId, u64)> {
        self.reach
            .iter()
            .filter(|(_, reach)| reach.through > 0 && !self.comparing)
            .map(|(document, reach)| (*document, reach.through.min(reach.last)))
            .collect()
    }

    /// The log has grown to `head`; these of the device's documents grew with it.
    /// All growth up to `head` must have been told by this call or an earlier one, and
    /// the grants and revokes up to `head` before it: the position that follows stands
    /// for exactly the documents that are granted at `head`.
    pub fn grown(&mut self, head: u64, documents: &[(DocumentId, u64)]) {
        self.head = self.head.max(head);
        for (document, last) in documents {
            if let Some(reach) = self.reach.get_mut(document) {
                reach.last = reach.last.max(*last);
                if reach.is_pending() {
                    self.pending.insert((reach.urgency, *document));
                }
            }
        }
    }

    /// The device may have this document from now on. Over the limit on documents
    /// nothing is granted: the session ends, and the next hello starts from what is current.
    pub fn grant(&mut self, granted: &Granted) {
        if self.reach.contains_key(&granted.document) {
            // An earlier grant ended meanwhile, and the device was never told: what was
            // written between is known from here only.
            self.granted_from = self.granted_from.max(granted.from);
            self.urgency(granted.document, granted.urgency);
            self.grown(self.head, &[(granted.document, granted.last)]);
            return;
        }
        if self.reach.len() >= GRANTS_MAX {
            self.close(
                ByeWhy::Busy,
                "more documents are granted than one session carries",
                1_000,
            );
            return;
        }
        self.revokes
            .retain(|document| *document != granted.document);
        self.reach(granted, 0, true);
    }

    /// … and from now on no longer.
    pub fn revoke(&mut self, document: DocumentId) {
        if let Some(reach) = self.reach.remove(&document) {
            self.pending.remove(&(reach.urgency, document));
            self.seen.retain(|seen| seen.document != document);
            if !is_on(Sabotage::RevokeUntold) {
                self.revokes.push_back(document);
            }
        }
    }

    /// The call was upgraded, downgraded, closed or opened again: its documents' urgency
    /// is another from now on.
    pub fn urgency(&mut self, document: DocumentId, urgency: Urgency) {
        if let Some(reach) = self.reach.get_mut(&document)
            && self.pending.remove(&(reach.urgency, document))
        {
            self.pending.insert((urgency, document));
        }
        if let Some(reach) = self.reach.get_mut(&document) {
            reach.urgency = urgency;
        }
    }

    /// The log has taken the device's change; its commit is durable. Within a document
    /// answers follow the order of the offers, refusals too: a device writes anew what
    /// stands behind a refused change, and must not have its earlier ones among that.
    pub fn accepted(&mut self, accepted: AcceptedFrame) {
        self.accepted = self.accepted.max(accepted.seq);
        self.answers.push_back(DownFrame::Accepted(accepted));
    }

    pub fn refused(&mut self, refused: RefusedFrame) {
        self.answers.push_back(DownFrame::Refused(refused));
    }

    /// Whether the caller may read another frame: answers that the link does not take
    /// hold the device back.
    #[must_use]
    pub fn takes_frames(&self) -> bool {
        self.answers.len() + self.haves.len() < ANSWERS_QUEUE_MAX
    }

    /// So much of an attachment that the device sends is durable at the center, or why it
    /// is not taken. Each [`Event::Put`] and each [`Event::Chunk`] gets one such answer.
    pub fn have(&mut self, blob: BlobId, bytes: u64, refused: Option<String>) {
        self.haves.push_back(HaveFrame {
            blob,
            bytes,
            refused,
        });
    }

    /// Somebody saw what this device wrote. The oldest give way when too many wait. Of a
    /// document that the device no longer has, it hears nothing.
    pub fn seen(&mut self, seen: SeenFrame) {
        if !self.reach.contains_key(&seen.document) {
            return;
        }
        self.seen
            .retain(|old| old.document != seen.document || old.who != seen.who);
        if self.seen.len() >= SEEN_QUEUE_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(seen);
    }

    /// Ends the session: the device hears why, then the link closes.
    pub fn close(&mut self, why: ByeWhy, reason: &str, retry_after_ms: u64) {
        self.bye.get_or_insert(Bye {
            why,
            reason: reason.to_owned(),
            retry_after_ms,
        });
    }

    /// Bytes came, of whatever kind: the link lives.
    pub fn heard(&mut self, now_ms: u64) {
        self.life.heard(now_ms);
    }

    /// Takes a message from the device.
    ///
    /// # Errors
    /// When it breaks the protocol: close.
    pub fn message(&mut self, bytes: &[u8], now_ms: u64) -> Result<Vec<Event>, FrameError> {
        let frames: Vec<UpFrame> = decode_message(bytes)?;
        self.life.heard(now_ms);
        let mut events = Vec::new();
        for frame in frames {
            match frame {
                UpFrame::Part(part) => match self.joining.part(part)? {
                    Some(whole) => events.extend(self.frame(decode(&whole)?, now_ms)?),
                    None => self.answers.push_back(DownFrame::Got),
                },
                frame => events.extend(self.frame(frame, now_ms)?),
            }
        }
        Ok(events)
    }

    fn frame(&mut self, frame: UpFrame, now_ms: u64) -> Result<Option<Event>, FrameError> {
        Ok(match frame {
            UpFrame::Offer(offer) => match codec::unpack(&offer.body)? {
                Unpacked::Change(bytes) => Some(Event::Offer(Offer {
                    document: offer.document,
                    bytes,
                    proof: offer.proof,
                })),
                Unpacked::Brief(_) => return Err(FrameError::OutOfTurn("an offer is whole")),
            },
            UpFrame::Delivered(messages) => {
                let news = self.link.answered(messages, now_ms);
                Some(self.delivered(news, 0)?)
            }
            UpFrame::DeliveredLate(late) => {
                let held_ms = late.held_ms.min(REPORT_MS_MAX);
                let at_ms = now_ms.saturating_sub(held_ms);
                let news = self.link.answered_late(late.messages, at_ms);
                Some(self.delivered(news, held_ms)?)
            }
            UpFrame::Shown(shown) => self.reach.get(&shown.document).map(|reach| Event::Shown {
                document: shown.document,
                through: shown.through.min(reach.last),
                at_ms: shown.at_ms,
            }),
            UpFrame::Heads(heads) if self.comparing => {
                at_most("documents", heads.len(), GRANTS_MAX)?;
                self.compare(&heads);
                None
            }
            UpFrame::Heads(_) => return Err(FrameError::OutOfTurn("nobody asked for heads")),
            UpFrame::Want(want) => {
                self.wants.retain(|(blob, _)| *blob != want.blob);
                at_most("attachments asked for", self.wants.len() + 1, WANTS_MAX)?;
                self.wants.push_back((want.blob, want.offset));
                Some(Event::Want {
                    blob: want.blob,
                    offset: want.offset,
                })
            }
            UpFrame::Unwant(blob) => {
                self.wants.retain(|(wanted, _)| *wanted != blob);
                None
            }
            UpFrame::Put(PutFrame {
                document,
                blob,
                bytes,
            }) => Some(Event::Put {
                document,
                blob,
                bytes,
            }),
            UpFrame::Chunk(chunk) => {
                at_most("bytes of an attachment", chunk.bytes.len(), CHUNK_BYTES_MAX)?;
                Some(Event::Chunk {
                    blob: chunk.blob,
                    offset: chunk.offset,
                    bytes: chunk.bytes,
                })
            }
            UpFrame::Ping => {
                self.pong_due = true;
                None
            }
            UpFrame::Pong => None,
            UpFrame::Part(_) => return Err(FrameError::OutOfTurn("a part within a part")),
        })
    }

    /// The device has so many more of the messages under way.
    fn delivered(&mut self, news: Option<usize>, held_ms: u64) -> Result<Event, FrameError> {
        let news = news.ok_or(FrameError::OutOfTurn("more is delivered than was sent"))?;
        at_most("messages under way", news, self.under_way.len())?;
        let mut through: BTreeMap<DocumentId, u64> = BTreeMap::new();
        through.extend(self.under_way.drain(..news).flatten());
        Ok(Event::Delivered {
            through: through.into_iter().collect(),
            held_ms,
        })
    }

    /// What to do next; to be asked again after everything that happens, and whenever
    /// the link has taken the last message. The choice is made now, not before.
    pub fn next(&mut self, now_ms: u64) -> Next {
        loop {
            if self.is_full() || self.frames >= FRAMES_PER_MESSAGE_MAX {
                return Next::Send(self.send(now_ms));
            }
            match self.choose() {
                Choice::Frame(frame) => self.put(encode(&frame)),
                Choice::Brings(frame, document, through) => {
                    self.put(encode(&frame));
                    self.brings.push((document, through));
                }
                Choice::Ask(next) => return next,
                Choice::Nothing if self.message_bytes() > 0 => {
                    return Next::Send(self.send(now_ms));
                }
                Choice::Nothing => break,
            }
        }
        if self.over {
            return Next::Over;
        }
        match self.life.pulse(now_ms, self.link.expected()) {
            Pulse::Ask => {
                self.put(encode(&DownFrame::Ping));
                Next::Send(self.send(now_ms))
            }
            Pulse::Wait { until_ms } => Next::Wait { until_ms },
            Pulse::Dead => Next::Over,
        }
    }

    /// Sends what is put together so far: the caller cannot fetch what [`Next::Fetch`]
    /// asks for just now, and will be asked again.
    pub fn flush(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        (self.message_bytes() > 0).then(|| self.send(now_ms))
    }

    fn message_bytes(&self) -> usize {
        self.message.len() + self.bundle.bytes()
    }

    /// On a slow link the most urgent that was missed goes ahead alone: it is here before
    /// a whole message would be.
    fn is_full(&self) -> bool {
        let goes_ahead = self.is_first && self.link.is_slow() && !self.brings.is_empty();
        goes_ahead || self.message_bytes() >= self.link.frame_bytes()
    }

    fn choose(&mut self) -> Choice {
        if self.over {
            return Choice::Nothing;
        }
        if let Some(welcome) = self.welcome.take() {
            return Choice::Frame(DownFrame::Welcome(welcome));
        }
        if let Some(bye) = self.bye.take() {
            self.over = true;
            return Choice::Frame(DownFrame::Bye(bye));
        }
        if self.link.is_full() {
            return Choice::Nothing;
        }
        if std::mem::take(&mut self.pong_due) {
            return Choice::Frame(DownFrame::Pong);
        }
        if let Some(answer) = self.answers.pop_front() {
            return Choice::Frame(answer);
        }
        if let Some(have) = self.haves.pop_front() {
            return Choice::Frame(DownFrame::Have(have));
        }
        if self.comparing || !self.link.has_room() {
            return Choice::Nothing;
        }
        self.choose_with_room()
    }

    fn choose_with_room(&mut self) -> Choice {
        if let Some(document) = self.revokes.pop_front() {
            return Choice::Frame(DownFrame::Revoke(document));
        }
        let room = self.link.frame_bytes().saturating_sub(self.message_bytes());
        for lane in [SAFETY, REST] {
            if let Some((part, brings)) = self.slices.next(lane, room) {
                let part = DownFrame::Part(part);
                return match brings {
                    Some((document, through)) => Choice::Brings(part, document, through),
                    None => Choice::Frame(part),
                };
            }
            if let Some(choice) = self.choose_document(lane, room) {
                return choice;
            }
        }
        if let Some(position) = self.take_position() {
            return Choice::Frame(DownFrame::Position(position));
        }
        if let Some(seen) = self.seen.pop_front() {
            return Choice::Frame(DownFrame::Seen(seen));
        }
        match self.wants.front() {
            Some(_) if self.message_bytes() > 0 => Choice::Nothing,
            Some(&(blob, offset)) => Choice::Ask(Next::FetchChunk {
                blob,
                offset,
                bytes_max: room.min(CHUNK_BYTES_MAX),
            }),
            None => Choice::Nothing,
        }
    }

    /// The most urgent document of this lane that has something to send.
    fn choose_document(&mut self, lane: u8, room: usize) -> Option<Choice> {
        let &(urgency, document) = if is_on(Sabotage::IgnorePriority) {
            self.pending.last()?
        } else {
            self.pending.first()?
        };
        if lane == SAFETY && !urgency.is_safety() {
            return None;
        }
        let head = self.head.max(self.accepted);
        let is_begun = self.message_bytes() > 0;
        let reach = self.reach.get_mut(&document)?;
        if reach.grant_due {
            reach.grant_due = false;
            reach.own_after = head;
            if !reach.is_pending() {
                self.pending.remove(&(urgency, document));
            }
            return Some(Choice::Frame(DownFrame::Grant(GrantFrame { document })));
        }
        if room < FETCH_BYTES_MIN && is_begun {
            return Some(Choice::Nothing);
        }
        Some(Choice::Ask(Next::Fetch {
            document,
            after: reach.through,
            session_head: reach.own_after,
            bytes_max: room,
        }))
    }

    /// What [`Next::Fetch`] asked for: with these changes the device has the document
    /// through `through`. Then [`Relay::next`] goes on.
    pub fn fetched(&mut self, document: DocumentId, changes: &[PackedChange], through: u64) {
        let Some(reach) = self.reach.get_mut(&document) else {
            return;
        };
        // Revoked and granted anew since it was asked for.
        if reach.grant_due {
            return;
        }
        let (changes, through) = match changes.get(..CHANGES_PER_FRAME_MAX) {
            Some(most) if most.len() < changes.len() => {
                (most, most.last().map_or(through, |change| change.seq))
            }
            _ => (changes, through),
        };
        reach.through = reach.through.max(through);
        // A caller that finds nothing where something was announced must not be asked for ever.
        if changes.is_empty() {
            reach.through = reach.through.max(reach.last);
        }
        let urgency = reach.urgency;
        if !reach.is_pending() {
            self.pending.remove(&(urgency, document));
        }
        if changes.is_empty() {
            return;
        }
        let is_plain = changes.last().is_some_and(|last| last.seq == through);
        let bytes: usize = changes.iter().map(|change| change.encoded().len()).sum();
        if is_plain
            && self.link.is_slow()
            && bytes <= self.link.frame_bytes()
            && self.bundle.take_in(document, changes)
        {
            self.brings.push((document, through));
            let position = self.take_position();
            if position.is_some() {
                self.put_bundle(position);
            }
            return;
        }
        let position = self.take_position();
        let frame = encode_changes(document, changes, through, position);
        if frame.len() > 2 * self.link.frame_bytes() {
            let lane = if urgency.is_safety() { SAFETY } else { REST };
            self.slices.begin(lane, frame, (document, through));
        } else {
            self.put(frame);
            self.brings.push((document, through));
        }
    }

    /// What [`Next::FetchChunk`] asked for; nothing where the attachment is not here, or
    /// not for this device. Each attachment has a piece in turn: a thumbnail does not wait
    /// for a whole image that was asked for before it.
    pub fn chunk(&mut self, blob: BlobId, offset: u64, bytes: Vec<u8>, total: u64) {
        let Some(at) = self.wants.iter().position(|want| *want == (blob, offset)) else {
            return;
        };
        let reached = offset.saturating_add(bytes.len() as u64);
        self.wants.remove(at);
        if !bytes.is_empty() && reached < total {
            self.wants.push_back((blob, reached));
        }
        // An empty one says that there is nothing: the device must not wait for ever.
        self.put(encode(&DownFrame::Chunk(ChunkFrame {
            blob,
            offset,
            total,
            bytes,
        })));
    }

    /// The position to tell now: nothing else is left to send, and the documents
    /// that the device then has are those that were granted at it.
    fn take_position(&mut self) -> Option<u64> {
        let due = (self.pending.is_empty() || is_on(Sabotage::PositionTooEarly))
            && !self.slices.is_busy(SAFETY)
            && !self.slices.is_busy(REST)
            && self.revokes.is_empty()
            && self.head >= self.granted_from
            && self.position_sent < Some(self.head);
        due.then(|| {
            self.position_sent = Some(self.head);
            self.head
        })
    }

    fn put(&mut self, frame: Vec<u8>) {
        self.put_bundle(None);
        if self.message.is_empty() {
            self.message = frame;
        } else {
            self.message.extend(frame);
        }
        self.frames += 1;
    }

    fn put_bundle(&mut self, position: Option<u64>) {
        if let Some(bundle) = self.bundle.take_frame(position) {
            self.message.extend(encode(&DownFrame::Bundle(bundle)));
            self.frames += 1;
        }
    }

    fn send(&mut self, now_ms: u64) -> Vec<u8> {
        self.put_bundle(None);
        self.is_first = false;
        self.frames = 0;
        let message = std::mem::take(&mut self.message);
        self.link.sent(message.len(), now_ms);
        self.under_way.push_back(std::mem::take(&mut self.brings));
        message
    }
}

/// Whether what the device says it has is what the center knows it to have: the
/// same log, a position in it, and the documents that were granted at that position.
fn agreement(hello: &Hello, standing: &Standing) -> Agreement {
    let at = hello.position;
    let granted = standing
        .granted
        .iter()
        .filter(|g| g.from <= at)
        .map(|g| g.document);
    let ended = standing
        .ended
        .iter()
        .filter(|e| e.from <= at && e.to > at)
        .map(|e| e.document);
    // A set: a grant that ended while the standing was read is in both.
    let documents: BTreeSet<DocumentId> = granted.chain(ended).collect();
    let is_same = digest(standing.incarnation, documents) == hello.digest;
    if at <= standing.head && (is_same || is_on(Sabotage::SkipDigest)) {
        Agreement::Agreed
    } else if at == 0 && hello.exceptions.is_empty() {
        Agreement::Anew
    } else {
        Agreement::Compare
    }
}
