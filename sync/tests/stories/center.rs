//! A center that is a vector: a log, grants by device, one relay a session.

use std::collections::BTreeMap;

use packet::{ChangeHash, DocumentId};
use sync::codec;
use sync::frame::{AcceptedFrame, BlobId, ChangeItem, Hello, RefusedFrame};
use sync::relay::{Ended, Event, Granted, Next, PackedChange, Relay, Standing, Urgency};

use crate::note::{Note, hash};

#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) note: Note,
    pub(crate) author: Option<usize>,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct GrantRecord {
    pub(crate) officer: usize,
    pub(crate) document: DocumentId,
    pub(crate) from: u64,
    pub(crate) to: Option<u64>,
}

pub(crate) struct Center {
    pub(crate) incarnation: u64,
    /// `seq` is the index plus one.
    pub(crate) log: Vec<Logged>,
    by_document: BTreeMap<DocumentId, Vec<u64>>,
    pub(crate) known: BTreeMap<ChangeHash, u64>,
    numbers: BTreeMap<(DocumentId, u64), u64>,
    pub(crate) grants: Vec<GrantRecord>,
    pub(crate) sessions: BTreeMap<usize, Relay>,
    /// What came in since the last commit, in order.
    offers: Vec<(usize, packet::Offer)>,
    /// What relays reported, for the network to hold against the devices.
    pub(crate) delivered: Vec<(usize, DocumentId, u64)>,
    /// How long the last report waited on its device.
    pub(crate) held_ms: u64,
    pub(crate) shown: Vec<(usize, DocumentId, u64)>,
    /// Attachments, as far as they are here.
    pub(crate) blobs: BTreeMap<BlobId, Vec<u8>>,
    written: u64,
}

impl Center {
    pub(crate) fn new() -> Self {
        Self {
            incarnation: 7,
            log: Vec::new(),
            by_document: BTreeMap::new(),
            known: BTreeMap::new(),
            numbers: BTreeMap::new(),
            grants: Vec::new(),
            sessions: BTreeMap::new(),
            offers: Vec::new(),
            delivered: Vec::new(),
            held_ms: 0,
            shown: Vec::new(),
            blobs: BTreeMap::new(),
            written: 0,
        }
    }

    pub(crate) fn head(&self) -> u64 {
        self.log.len() as u64
    }

    pub(crate) fn last(&self, document: DocumentId) -> u64 {
        self.seqs(document).last().copied().unwrap_or(0)
    }

    pub(crate) fn seqs(&self, document: DocumentId) -> &[u64] {
        self.by_document.get(&document).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn logged(&self, seq: u64) -> &Logged {
        &self.log[seq as usize - 1]
    }

    fn append(&mut self, document: DocumentId, bytes: Vec<u8>, author: Option<usize>) -> u64 {
        let note = Note::read(&bytes);
        self.log.push(Logged {
            note,
            author,
            bytes,
        });
        let seq = self.head();
        self.by_document.entry(document).or_default().push(seq);
        assert_eq!(self.known.insert(note.hash, seq), None, "logged twice");
        seq
    }

    /// A change of the center's own: an analyst's note, a finding, an assignment.
    fn own(&mut self, document: DocumentId, bytes: usize) -> u64 {
        self.written += 1;
        let note = Note {
            hash: hash(1 << 20, self.written),
            number: 1 << 40 | self.written,
            actor: 1 << 20,
            change_number: self.written,
            forbidden: false,
        };
        self.append(document, note.bytes(bytes), None)
    }

    pub(crate) fn write(&mut self, document: DocumentId, bytes: usize) -> u64 {
        let seq = self.own(document, bytes);
        self.tell_growth(&[document]);
        seq
    }

    pub(crate) fn tell_growth(&mut self, documents: &[DocumentId]) {
        let grown: Vec<_> = documents.iter().map(|d| (*d, self.last(*d))).collect();
        let head = self.head();
        for relay in self.sessions.values_mut() {
            relay.grown(head, &grown);
        }
    }

    pub(crate) fn is_granted(&self, officer: usize, document: DocumentId) -> bool {
        self.granted(officer).any(|g| g.document == document)
    }

    pub(crate) fn granted(&self, officer: usize) -> impl Iterator<Item = &GrantRecord> {
        self.grants
            .iter()
            .filter(move |g| g.officer == officer && g.to.is_none())
    }

    pub(crate) fn grant(&mut self, officer: usize, document: DocumentId) {
        if self.is_granted(officer, document) {
            return;
        }
        let from = self.own(document, 90);
        let record = GrantRecord {
            officer,
            document,
            from,
            to: None,
        };
        self.grants.push(record);
        let granted = self.as_granted(&record);
        if let Some(relay) = self.sessions.get_mut(&officer) {
            relay.grant(&granted);
        }
        self.tell_growth(&[document]);
    }

    pub(crate) fn revoke(&mut self, officer: usize, document: DocumentId) {
        if !self.is_granted(officer, document) {
            return;
        }
        let to = self.own(document, 90);
        let record = self
            .grants
            .iter_mut()
            .find(|g| g.officer == officer && g.document == document && g.to.is_none());
        record.unwrap().to = Some(to);
        if let Some(relay) = self.sessions.get_mut(&officer) {
            relay.revoke(document);
        }
        self.tell_growth(&[document]);
    }

    /// The unit is cleared and assigned again before the session has heard of either: it
    /// hears of the second grant, which stands for both.
    pub(crate) fn grant_anew_untold(&mut self, officer: usize, document: DocumentId) {
        let relay = self.sessions.remove(&officer);
        self.revoke(officer, document);
        self.grant(officer, document);
        let record = *self
            .granted(officer)
            .find(|g| g.document == document)
            .unwrap();
        let granted = self.as_granted(&record);
        let mut relay = relay.unwrap();
        relay.grant(&granted);
        relay.grown(self.head(), &[]);
        self.sessions.insert(officer, relay);
    }

    fn as_granted(&self, record: &GrantRecord) -> Granted {
        let document = record.document;
        Granted {
            document,
            from: record.from,
            last: self.last(document),
            urgency: Urgency::of(document.compartment, true, 3),
        }
    }

    pub(crate) fn hello(&mut self, officer: usize, hello: &Hello, now_ms: u64) {
        let ended = self.grants.iter().filter(|g| g.officer == officer);
        let ended = ended.filter_map(|g| {
            Some(Ended {
                document: g.document,
                from: g.from,
                to: g.to.filter(|to| *to > hello.position)?,
            })
        });
        let standing = Standing {
            incarnation: self.incarnation,
            head: self.head(),
            center_now_ms: now_ms as i64,
            granted: self.granted(officer).map(|g| self.as_granted(g)).collect(),
            ended: ended.collect(),
        };
        let relay = Relay::open(hello, standing, None, now_ms).unwrap();
        for (document, through) in relay.held() {
            self.delivered.push((officer, document, through));
        }
        self.sessions.insert(officer, relay);
    }

    pub(crate) fn frame(&mut self, officer: usize, bytes: &[u8], now_ms: u64) {
        let relay = self.sessions.get_mut(&officer).unwrap();
        for event in relay.message(bytes, now_ms).unwrap() {
            match event {
                Event::Offer(offer) => self.offers.push((officer, offer)),
                Event::Delivered { through, held_ms } => {
                    self.held_ms = held_ms;
                    let reached = through
                        .into_iter()
                        .map(|(d, through)| (officer, d, through));
                    self.delivered.extend(reached);
                }
                Event::Shown {
                    document, through, ..
                } => self.shown.push((officer, document, through)),
                Event::Want { .. } => {}
                Event::Put { blob, .. } => {
                    let here = self.blobs.entry(blob).or_default().len() as u64;
                    relay.have(blob, here, None);
                }
                Event::Chunk {
                    blob,
                    offset,
                    bytes,
                } => {
                    let here = self.blobs.entry(blob).or_default();
                    here.truncate(offset as usize);
                    here.extend(bytes);
                    relay.have(blob, here.len() as u64, None);
                }
            }
        }
    }

    /// Judges and logs what was offered, then answers, in the order of the offers.
    pub(crate) fn commit(&mut self) {
        let offers = std::mem::take(&mut self.offers);
        let mut answers = Vec::new();
        let mut grew = Vec::new();
        for (officer, offer) in offers {
            let note = Note::read(&offer.bytes);
            let next = self
                .numbers
                .entry((offer.document, note.actor))
                .or_insert(1);
            let answer = if let Some(seq) = self.known.get(&note.hash) {
                Ok(*seq)
            } else if note.forbidden {
                Err((17, "not allowed"))
            } else if note.change_number != *next {
                Err((7, "stands on a change that is not there"))
            } else {
                *next += 1;
                grew.push(offer.document);
                Ok(self.append(offer.document, offer.bytes, Some(officer)))
            };
            answers.push((officer, note.hash, answer));
        }
        for (officer, hash, answer) in answers {
            let Some(relay) = self.sessions.get_mut(&officer) else {
                continue;
            };
            match answer {
                Ok(seq) => relay.accepted(AcceptedFrame {
                    hash,
                    seq,
                    received_ms: 0,
                }),
                Err((code, reason)) => relay.refused(RefusedFrame {
                    hash,
                    code,
                    reason: reason.into(),
                }),
            }
        }
        self.tell_growth(&grew);
    }

    /// The next frame for this officer's link, if there is one now.
    pub(crate) fn next_frame(&mut self, officer: usize, now_ms: u64) -> Result<Vec<u8>, u64> {
        loop {
            let Some(relay) = self.sessions.get_mut(&officer) else {
                return Err(u64::MAX);
            };
            match relay.next(now_ms) {
                Next::Send(bytes) => return Ok(bytes),
                Next::Wait { until_ms } => return Err(until_ms),
                Next::Over => {
                    self.sessions.remove(&officer);
                    return Err(u64::MAX);
                }
                Next::Fetch {
                    document,
                    after,
                    session_head,
                    bytes_max,
                } => {
                    let (changes, through) =
                        self.fetch(officer, document, after, session_head, bytes_max);
                    let relay = self.sessions.get_mut(&officer).unwrap();
                    relay.fetched(document, &changes, through);
                }
                Next::FetchChunk {
                    blob,
                    offset,
                    bytes_max,
                } => {
                    let whole = self.blobs.get(&blob).map_or(&[][..], Vec::as_slice);
                    let from = whole.len().min(offset as usize);
                    let to = whole.len().min(from + bytes_max);
                    let (piece, total) = (whole[from..to].to_vec(), whole.len() as u64);
                    relay.chunk(blob, offset, piece, total);
                }
            }
        }
    }

    fn fetch(
        &mut self,
        officer: usize,
        document: DocumentId,
        after: u64,
        session_head: u64,
        bytes_max: usize,
    ) -> (Vec<PackedChange>, u64) {
        let mut changes = Vec::new();
        let mut through = after;
        let mut bytes = 0;
        for seq in self.by_document.get(&document).into_iter().flatten() {
            let logged = &self.log[*seq as usize - 1];
            if *seq <= after {
                continue;
            }
            if logged.author == Some(officer) && *seq > session_head {
                through = *seq;
                continue;
            }
            let packed = PackedChange::new(&ChangeItem {
                seq: *seq,
                received_ms: 0,
                body: codec::pack(&logged.bytes, 1),
                mac: [0; 16],
            });
            if bytes > 0 && bytes + packed.encoded().len() > bytes_max {
                break;
            }
            bytes += packed.encoded().len();
            through = *seq;
            changes.push(packed);
        }
        (changes, through)
    }
}
