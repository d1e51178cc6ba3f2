//! The device's end of a session, without I/O.
//!
//! It holds what the device has (its position, its documents, its outbox) and says
//! what to send and what to store. The caller owns the clock, the socket and the
//! store, and keeps one promise: what [`Device::frame`] returns is committed, in
//! one transaction, before [`Device::committed`] is called. Only then does the
//! center hear that it was delivered. When a commit fails, the caller drops this
//! machine and makes it anew from what the store kept.

use std::collections::{BTreeMap, VecDeque};

use packet::{ChangeHash, Compartment, DocumentId};

use crate::at_most;
use crate::codec::{Codec, DICTIONARY_NEWEST};
use crate::frame::{
    Bye, ChangesFrame, DownFrame, FrameError, Hello, OfferFrame, ShownFrame, Through, UpFrame,
    decode, document_digest, encode,
};
use crate::life::{Life, Pulse};
use crate::limits::{
    CHANGES_PER_FRAME_MAX, EXCEPTIONS_MAX, GRANTS_MAX, OFFERS_IN_FLIGHT_MAX, PROTOCOL_VERSION,
    WORDS_BYTES_MAX,
};
use crate::link::Link;

/// What a device kept of its last sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    pub incarnation: u64,
    pub position: u64,
    /// Given with the position: see [`Hello::digest`].
    pub digest: u64,
    /// The dictionary of the last session, to pack the outbox with before the reply.
    pub dictionary: u16,
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
    pub signature: Vec<u8>,
}

/// A change as it came down, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub seq: u64,
    pub received_ms: i64,
    pub bytes: Vec<u8>,
    pub mac: Vec<u8>,
}

/// Something for the device's store, in the order it has to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// The log's incarnation, the center's clock now, the session's dictionary. On a
    /// reset every document is ungranted until it is granted again, and the position is 0.
    Welcome {
        incarnation: u64,
        center_now_ms: i64,
        dictionary: u16,
        reset: bool,
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
}

/// What one frame asks of the caller.
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
    frames_received: u64,
    frames_committed: u64,
    frames_reported: u64,
    pong_due: bool,
    /// The offers under way, in the order they were sent.
    offered: VecDeque<ChangeHash>,
    offers_answered: u64,
    link: Link,
}

/// The device's state machine. One for each store; sessions come and go within it.
#[derive(Debug)]
pub struct Device {
    incarnation: u64,
    position: u64,
    digest: u64,
    dictionary: u16,
    documents: BTreeMap<DocumentId, Option<u64>>,
    receipts: u64,
    outbox: Vec<Unsent>,
    /// What was read and not yet reported: what is read offline is told later.
    shown: BTreeMap<DocumentId, (u64, i64)>,
    session: Option<Session>,
    codec: Codec,
}

impl Device {
    /// # Errors
    /// When the codec's dictionary cannot be loaded.
    pub fn new(kept: Kept) -> Result<Self, FrameError> {
        Ok(Self {
            incarnation: kept.incarnation,
            position: kept.position,
            digest: kept.digest,
            dictionary: kept.dictionary,
            documents: kept.documents.into_iter().collect(),
            receipts: kept.receipts,
            outbox: kept.outbox,
            shown: BTreeMap::new(),
            session: None,
            codec: Codec::new()?,
        })
    }

    /// Begins a session: the hello for the upgrade request. A session that was open ends.
    pub fn dial(&mut self, shift: Vec<u8>, now_ms: u64) -> Hello {
        self.session = Some(Session {
            life: Life::new(now_ms),
            welcomed: false,
            frames_received: 0,
            frames_committed: 0,
            frames_reported: 0,
            pong_due: false,
            offered: VecDeque::new(),
            offers_answered: 0,
            link: Link::new(),
        });
        // What does not fit is sent again: it is either ahead of the position, or was
        // granted after it and counts as new.
        let exceptions = self
            .documents
            .iter()
            .filter_map(|(&document, &apart)| {
                Some(Through {
                    document,
                    through: apart?,
                })
            })
            .take(EXCEPTIONS_MAX)
            .collect();
        Hello {
            version: PROTOCOL_VERSION,
            incarnation: self.incarnation,
            position: self.position,
            exceptions,
            digest: self.digest,
            dictionary: DICTIONARY_NEWEST,
            receipts: self.receipts,
            shift,
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

    /// Bytes came, of whatever kind: the link lives.
    pub fn heard(&mut self, now_ms: u64) {
        if let Some(session) = &mut self.session {
            session.life.heard(now_ms);
        }
    }

    /// Takes a frame from the center.
    ///
    /// # Errors
    /// When the frame breaks the protocol: close, and dial again.
    pub fn frame(&mut self, bytes: &[u8], now_ms: u64) -> Result<Effects, FrameError> {
        let frame: DownFrame = decode(bytes)?;
        let session = self
            .session
            .as_mut()
            .ok_or(FrameError::OutOfTurn("no session is open"))?;
        session.life.heard(now_ms);
        if !session.welcomed && !matches!(frame, DownFrame::Welcome(_) | DownFrame::Bye(_)) {
            return Err(FrameError::OutOfTurn("the welcome comes first"));
        }
        let mut effects = Effects::default();
        match frame {
            DownFrame::Welcome(_) if session.welcomed => {
                return Err(FrameError::OutOfTurn("a second welcome"));
            }
            DownFrame::Welcome(welcome) => {
                session.welcomed = true;
                self.incarnation = welcome.incarnation;
                self.dictionary = welcome.dictionary.min(DICTIONARY_NEWEST);
                if welcome.reset {
                    self.position = 0;
                    self.digest = 0;
                    self.documents.clear();
                    self.shown.clear();
                }
                effects.store.push(Store::Welcome {
                    incarnation: welcome.incarnation,
                    center_now_ms: welcome.now_ms,
                    dictionary: self.dictionary,
                    reset: welcome.reset,
                });
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
            DownFrame::Changes(changes) => self.changes(changes, &mut effects)?,
            DownFrame::Position(position) => self.at(position, &mut effects),
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
            DownFrame::Ping => session.pong_due = true,
            DownFrame::Pong => {}
            DownFrame::Bye(bye) => {
                at_most("reason", bye.reason.len(), WORDS_BYTES_MAX)?;
                effects.bye = Some(bye);
            }
        }
        // A frame that could not be taken is never reported as delivered.
        if let Some(session) = &mut self.session {
            session.frames_received += 1;
        }
        Ok(effects)
    }

    fn changes(&mut self, frame: ChangesFrame, effects: &mut Effects) -> Result<(), FrameError> {
        at_most("changes", frame.changes.len(), CHANGES_PER_FRAME_MAX)?;
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
                bytes: self.codec.unpack(&item.body)?,
                mac: item.mac,
            });
        }
        *apart = Some(frame.through);
        effects.store.push(Store::Changes {
            document: frame.document,
            changes,
            through: frame.through,
        });
        if let Some(position) = frame.position {
            self.at(position, effects);
        }
        Ok(())
    }

    fn at(&mut self, position: u64, effects: &mut Effects) {
        self.position = position;
        self.documents.values_mut().for_each(|apart| *apart = None);
        self.digest = self
            .documents
            .keys()
            .fold(0, |digest, id| digest ^ document_digest(*id));
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
            session.offers_answered += 1;
            session.link.answered(session.offers_answered, now_ms);
        }
    }

    /// All that the frames so far asked to store is durable.
    pub fn committed(&mut self) {
        if let Some(session) = &mut self.session {
            session.frames_committed = session.frames_received;
        }
    }

    /// What to do next; to be asked again after everything that happens, and whenever
    /// the link has taken the last frame.
    pub fn next(&mut self, now_ms: u64) -> Next {
        let Some(session) = &mut self.session else {
            return Next::Dead;
        };
        if session.pong_due {
            session.pong_due = false;
            return Next::Send(encode(&UpFrame::Pong));
        }
        if let Some(offer) = next_offer(&self.outbox, session) {
            let body = self.codec.pack(&offer.bytes, self.dictionary);
            let frame = encode(&UpFrame::Offer(OfferFrame {
                document: offer.document,
                body,
                signature: offer.signature.clone(),
            }));
            session.offered.push_back(offer.hash);
            session.link.sent(frame.len(), now_ms);
            return Next::Send(frame);
        }
        if session.frames_committed > session.frames_reported {
            session.frames_reported = session.frames_committed;
            return Next::Send(encode(&UpFrame::Delivered(session.frames_reported)));
        }
        if session.welcomed
            && let Some((document, (through, at_ms))) = self.shown.pop_first()
        {
            return Next::Send(encode(&UpFrame::Shown(ShownFrame {
                document,
                through,
                at_ms,
            })));
        }
        match session.life.pulse(now_ms) {
            Pulse::Ask => Next::Send(encode(&UpFrame::Ping)),
            Pulse::Wait { until_ms } => Next::Wait { until_ms },
            Pulse::Dead => Next::Dead,
        }
    }
}

/// The most urgent change that is not under way, if the link has room for it.
fn next_offer<'a>(outbox: &'a [Unsent], session: &Session) -> Option<&'a Unsent> {
    if session.offered.len() >= OFFERS_IN_FLIGHT_MAX || !session.link.has_room() {
        return None;
    }
    outbox
        .iter()
        .filter(|unsent| !session.offered.contains(&unsent.hash))
        // The first of the most urgent compartment: order within a document is kept.
        .min_by_key(|unsent| unsent.document.compartment != Compartment::Safety)
}
