//! The center's end of one session, without I/O.
//!
//! A relay loads no document and keeps no change: it knows, for each document that
//! the device may have, through which `seq` it was sent and what the log's last one
//! is. When the link has room it names the most urgent document that has something
//! to send, the caller fetches a slice of it, already packed, and the relay frames
//! it. So a slow device costs a position, not memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use packet::{Compartment, DocumentId, Offer, Proof};

use crate::at_most;
use crate::codec::{Codec, DICTIONARY_NEWEST};
use crate::frame::{
    AcceptedFrame, Bye, ByeWhy, ChangeItem, DownFrame, FrameError, GrantFrame, Hello, RefusedFrame,
    SeenFrame, UpFrame, Welcome, decode, document_digest, encode, encode_changes,
};
use crate::life::{Life, Pulse};
use crate::limits::{
    ANSWERS_QUEUE_MAX, CHANGES_PER_FRAME_MAX, EXCEPTIONS_MAX, GRANTS_MAX, PROTOCOL_VERSION,
    SEEN_QUEUE_MAX,
};
use crate::link::Link;

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
    Delivered(Vec<(DocumentId, u64)>),
    /// The document was on a lit, unlocked screen.
    Shown {
        document: DocumentId,
        through: u64,
        at_ms: i64,
    },
    Nothing,
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
    /// Nothing until something happens or this time comes.
    Wait {
        until_ms: u64,
    },
    /// The session is over: close the link.
    Over,
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
    revokes: VecDeque<DocumentId>,
    answers: VecDeque<DownFrame>,
    seen: VecDeque<SeenFrame>,
    /// What each frame under way brings, beside [`Link`]'s bytes.
    under_way: VecDeque<Option<(DocumentId, u64)>>,
    link: Link,
    life: Life,
    pong_due: bool,
    bye: Option<Bye>,
    over: bool,
    codec: Codec,
}

impl Relay {
    /// Opens a session for a device whose standing was checked.
    ///
    /// # Errors
    /// When the center does not speak the device's version: what to send before closing.
    pub fn open(hello: &Hello, standing: Standing, now_ms: u64) -> Result<Self, Bye> {
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
        let codec = Codec::new().map_err(|e| Bye {
            why: ByeWhy::Busy,
            reason: e.to_string(),
            retry_after_ms: 60_000,
        })?;
        let reset = !agrees(hello, &standing);
        let mut relay = Self {
            head: standing.head,
            accepted: 0,
            position_sent: (!reset).then_some(hello.position),
            granted_from: 0,
            dictionary: hello.dictionary.min(DICTIONARY_NEWEST),
            welcome: Some(Welcome {
                version: PROTOCOL_VERSION,
                incarnation: standing.incarnation,
                now_ms: standing.center_now_ms,
                reset,
                dictionary: hello.dictionary.min(DICTIONARY_NEWEST),
            }),
            reach: BTreeMap::new(),
            pending: BTreeSet::new(),
            revokes: VecDeque::new(),
            answers: VecDeque::new(),
            seen: VecDeque::new(),
            under_way: VecDeque::new(),
            link: Link::new(),
            life: Life::new(now_ms),
            pong_due: false,
            bye: None,
            over: false,
            codec,
        };
        for granted in standing.granted.iter().take(GRANTS_MAX) {
            let exception = hello
                .exceptions
                .iter()
                .find(|e| e.document == granted.document);
            let (through, grant_due) = match exception {
                _ if reset => (0, true),
                Some(exception) => (exception.through, false),
                None if granted.from <= hello.position => (hello.position, false),
                None => (0, true),
            };
            relay.reach(granted, through, grant_due);
        }
        if !reset {
            let listed = hello.exceptions.iter().map(|e| e.document);
            // A grant after the position that the device does not list never reached
            // it, unless its list was too short: then it is told of all that ended.
            let overflowed = hello.exceptions.len() >= EXCEPTIONS_MAX;
            let gone: BTreeSet<DocumentId> = standing
                .ended
                .iter()
                .filter(|e| overflowed || e.from <= hello.position)
                .map(|e| e.document)
                .chain(listed)
                .collect();
            relay.revokes.extend(
                gone.into_iter()
                    .filter(|document| !relay.reach.contains_key(document)),
            );
        }
        Ok(relay)
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
            .filter(|(_, reach)| reach.through > 0)
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
            self.revokes.push_back(document);
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
        self.answers.len() < ANSWERS_QUEUE_MAX
    }

    /// Somebody saw what this device wrote. The oldest give way when too many wait.
    pub fn seen(&mut self, seen: SeenFrame) {
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

    /// Takes a frame from the device.
    ///
    /// # Errors
    /// When the frame breaks the protocol: close.
    pub fn frame(&mut self, bytes: &[u8], now_ms: u64) -> Result<Event, FrameError> {
        let frame: UpFrame = decode(bytes)?;
        self.life.heard(now_ms);
        match frame {
            UpFrame::Offer(offer) => Ok(Event::Offer(Offer {
                document: offer.document,
                bytes: self.codec.unpack(&offer.body)?,
                proof: Proof::Signature(offer.signature),
            })),
            UpFrame::Delivered(frames) => {
                let news = self
                    .link
                    .answered(frames, now_ms)
                    .ok_or(FrameError::OutOfTurn("more is delivered than was sent"))?;
                at_most("frames under way", news, self.under_way.len())?;
                let mut through: BTreeMap<DocumentId, u64> = BTreeMap::new();
                through.extend(self.under_way.drain(..news).flatten());
                Ok(Event::Delivered(through.into_iter().collect()))
            }
            UpFrame::Shown(shown) => match self.reach.get(&shown.document) {
                Some(reach) => Ok(Event::Shown {
                    document: shown.document,
                    through: shown.through.min(reach.last),
                    at_ms: shown.at_ms,
                }),
                None => Ok(Event::Nothing),
            },
            UpFrame::Ping => {
                self.pong_due = true;
                Ok(Event::Nothing)
            }
            UpFrame::Pong => Ok(Event::Nothing),
        }
    }

    /// What to do next; to be asked again after everything that happens, and whenever
    /// the link has taken the last frame. The choice is made now, not before.
    pub fn next(&mut self, now_ms: u64) -> Next {
        if self.over {
            return Next::Over;
        }
        if let Some(welcome) = self.welcome.take() {
            return self.send(&DownFrame::Welcome(welcome), now_ms);
        }
        if let Some(bye) = self.bye.take() {
            self.over = true;
            return self.send(&DownFrame::Bye(bye), now_ms);
        }
        if self.pong_due && !self.link.is_full() {
            self.pong_due = false;
            return self.send(&DownFrame::Pong, now_ms);
        }
        if !self.link.is_full()
            && let Some(answer) = self.answers.pop_front()
        {
            return self.send(&answer, now_ms);
        }
        if self.link.has_room()
            && let Some(next) = self.next_with_room(now_ms)
        {
            return next;
        }
        match self.life.pulse(now_ms) {
            Pulse::Ask => self.send(&DownFrame::Ping, now_ms),
            Pulse::Wait { until_ms } => Next::Wait { until_ms },
            Pulse::Dead => Next::Over,
        }
    }

    fn next_with_room(&mut self, now_ms: u64) -> Option<Next> {
        if let Some(document) = self.revokes.pop_front() {
            return Some(self.send(&DownFrame::Revoke(document), now_ms));
        }
        if let Some(&(urgency, document)) = self.pending.first() {
            let Some(reach) = self.reach.get_mut(&document) else {
                self.pending.remove(&(urgency, document));
                return self.next_with_room(now_ms);
            };
            if reach.grant_due {
                reach.grant_due = false;
                reach.own_after = self.head.max(self.accepted);
                if !reach.is_pending() {
                    self.pending.remove(&(urgency, document));
                }
                return Some(self.send(&DownFrame::Grant(GrantFrame { document }), now_ms));
            }
            return Some(Next::Fetch {
                document,
                after: reach.through,
                session_head: reach.own_after,
                bytes_max: self.link.frame_bytes(),
            });
        }
        if let Some(position) = self.take_position() {
            return Some(self.send(&DownFrame::Position(position), now_ms));
        }
        let seen = self.seen.pop_front()?;
        Some(self.send(&DownFrame::Seen(seen), now_ms))
    }

    /// What [`Next::Fetch`] asked for: with these changes the device has the document
    /// through `through`. Returns the frame to send now; `None` when there was
    /// nothing in it but the device's own.
    pub fn fetched(
        &mut self,
        document: DocumentId,
        changes: &[PackedChange],
        through: u64,
        now_ms: u64,
    ) -> Option<Vec<u8>> {
        let reach = self.reach.get_mut(&document)?;
        // Revoked and granted anew since it was asked for.
        if reach.grant_due {
            return None;
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
        if !reach.is_pending() {
            self.pending.remove(&(reach.urgency, document));
        }
        if changes.is_empty() {
            return None;
        }
        let position = self.take_position();
        let frame = encode_changes(document, changes, through, position);
        self.link.sent(frame.len(), now_ms);
        self.under_way.push_back(Some((document, through)));
        Some(frame)
    }

    /// The position to tell now: nothing else is left to send, and the documents
    /// that the device then has are those that were granted at it.
    fn take_position(&mut self) -> Option<u64> {
        let due = self.pending.is_empty()
            && self.revokes.is_empty()
            && self.head >= self.granted_from
            && self.position_sent < Some(self.head);
        due.then(|| {
            self.position_sent = Some(self.head);
            self.head
        })
    }

    fn send(&mut self, frame: &DownFrame, now_ms: u64) -> Next {
        let bytes = encode(frame);
        self.link.sent(bytes.len(), now_ms);
        self.under_way.push_back(None);
        Next::Send(bytes)
    }
}

/// Whether what the device says it has is what the center knows it to have: the
/// same log, a position in it, and the documents that were granted at that position.
fn agrees(hello: &Hello, standing: &Standing) -> bool {
    let at = hello.position;
    if hello.incarnation != standing.incarnation || at > standing.head {
        return false;
    }
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
    documents
        .into_iter()
        .fold(0, |digest, id| digest ^ document_digest(id))
        == hello.digest
}
