//! A center, some officers, and links of a rate and a latency, in virtual time.
//!
//! A link is a pipe that takes everything at once (the worst of modems: what waits
//! in it cannot be passed), delivers in order and loses only by being cut.

use std::collections::{BTreeMap, VecDeque};

use packet::DocumentId;
use sync::decode_down;
use sync::device::Next;
use sync::frame::{DownFrame, decode_hello, encode};

use crate::center::Center;
use crate::officer::Officer;

/// What a frame costs beside its bytes: WebSocket, TLS and TCP/IP headers.
const OVERHEAD_BYTES: u64 = 70;

#[derive(Default)]
struct Pipe {
    free_at_us: u64,
    on_the_way: VecDeque<(u64, Packet)>,
}

enum Packet {
    Hello(Vec<u8>),
    Message(Vec<u8>),
}

pub(crate) struct Link {
    pub(crate) up: bool,
    /// Whether this connection's hello is there: until then the center talks to the last.
    is_answered: bool,
    pub(crate) bytes_per_s: u64,
    pub(crate) latency_ms: u64,
    /// How long the device's commits take.
    pub(crate) commit_ms: u64,
    commit_at_ms: Option<u64>,
    to_center: Pipe,
    to_device: Pipe,
    pub(crate) bytes_down: u64,
    /// Every message that crossed, for those who want to look at them; the first up is a hello.
    pub(crate) messages_up: Vec<Vec<u8>>,
    pub(crate) messages_down: Vec<Vec<u8>>,
}

impl Link {
    /// The frames that the center sent.
    pub(crate) fn frames_down(&self) -> Vec<DownFrame> {
        let frames = |message: &Vec<u8>| decode_down(message).unwrap();
        self.messages_down.iter().flat_map(frames).collect()
    }

    fn send(&mut self, packet: Packet, down: bool, now_ms: u64) {
        let (Packet::Hello(bytes) | Packet::Message(bytes)) = &packet;
        let cost = bytes.len() as u64 + OVERHEAD_BYTES;
        let pipe = if down {
            self.bytes_down += cost;
            self.messages_down.push(bytes.clone());
            &mut self.to_device
        } else {
            self.messages_up.push(bytes.clone());
            &mut self.to_center
        };
        pipe.free_at_us = pipe.free_at_us.max(now_ms * 1_000) + cost * 1_000_000 / self.bytes_per_s;
        let at_ms = pipe.free_at_us.div_ceil(1_000) + self.latency_ms;
        pipe.on_the_way.push_back((at_ms, packet));
    }
}

pub(crate) struct Network {
    pub(crate) now_ms: u64,
    pub(crate) center: Center,
    pub(crate) officers: Vec<Officer>,
    pub(crate) links: Vec<Link>,
    /// Through which `seq` each officer has each document, as far as the center knows.
    pub(crate) reported: BTreeMap<(usize, DocumentId), u64>,
}

impl Network {
    /// So many officers, on links that are quick.
    pub(crate) fn new(officers: usize) -> Self {
        let link = || Link {
            up: false,
            is_answered: false,
            bytes_per_s: 10_000_000,
            latency_ms: 20,
            commit_ms: 1,
            commit_at_ms: None,
            to_center: Pipe::default(),
            to_device: Pipe::default(),
            bytes_down: 0,
            messages_up: Vec::new(),
            messages_down: Vec::new(),
        };
        Self {
            now_ms: 1_000,
            center: Center::new(),
            officers: (0..officers).map(Officer::new).collect(),
            links: (0..officers).map(|_| link()).collect(),
            reported: BTreeMap::new(),
        }
    }

    pub(crate) fn dial(&mut self, officer: usize) {
        self.cut(officer);
        self.officers[officer].commit();
        let hello = self.officers[officer]
            .device
            .dial(b"shift".to_vec(), self.now_ms);
        let link = &mut self.links[officer];
        link.up = true;
        link.is_answered = false;
        link.send(Packet::Hello(encode(&hello)), false, self.now_ms);
        self.pump();
    }

    /// What is on the way is lost. The center does not notice; the device may
    /// still commit what it has received.
    pub(crate) fn cut(&mut self, officer: usize) {
        let link = &mut self.links[officer];
        link.up = false;
        link.to_center = Pipe::default();
        link.to_device = Pipe::default();
        self.officers[officer].device.hang_up();
    }

    pub(crate) fn crash(&mut self, officer: usize) {
        self.cut(officer);
        self.links[officer].commit_at_ms = None;
        self.officers[officer].crash();
    }

    /// Everyone says what they have to say now.
    pub(crate) fn pump(&mut self) -> u64 {
        let mut until_ms = u64::MAX;
        self.center.commit();
        for (number, link) in self.links.iter_mut().enumerate() {
            loop {
                match self.center.next_frame(number, self.now_ms) {
                    Ok(bytes) if link.up && link.is_answered => {
                        link.send(Packet::Message(bytes), true, self.now_ms)
                    }
                    Ok(_) => {}
                    Err(at_ms) => {
                        until_ms = until_ms.min(at_ms);
                        break;
                    }
                }
            }
            while link.up {
                match self.officers[number].device.next(self.now_ms) {
                    Next::Send(bytes) => link.send(Packet::Message(bytes), false, self.now_ms),
                    Next::FetchChunk {
                        blob,
                        offset,
                        bytes_max,
                    } => self.officers[number].fetch_chunk(blob, offset, bytes_max, self.now_ms),
                    Next::Wait { until_ms: at_ms } => {
                        until_ms = until_ms.min(at_ms);
                        break;
                    }
                    Next::Dead => link.up = false,
                }
            }
        }
        until_ms
    }

    /// Until nothing is on the way and nothing waits for a commit.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            self.pump();
            match self.next_event_ms() {
                Some(at_ms) => self.arrive(at_ms),
                None => return,
            }
        }
        panic!("it does not settle");
    }

    pub(crate) fn run_ms(&mut self, ms: u64) {
        let end_ms = self.now_ms + ms;
        loop {
            let timer_ms = self.pump();
            let at_ms = self.next_event_ms().unwrap_or(u64::MAX).min(timer_ms);
            if at_ms > end_ms {
                self.now_ms = end_ms;
                return;
            }
            self.arrive(at_ms);
        }
    }

    fn next_event_ms(&self) -> Option<u64> {
        let events = self.links.iter().flat_map(|link| {
            [
                link.commit_at_ms,
                link.to_center.on_the_way.front().map(|(at_ms, _)| *at_ms),
                link.to_device.on_the_way.front().map(|(at_ms, _)| *at_ms),
            ]
        });
        events.flatten().min()
    }

    fn arrive(&mut self, at_ms: u64) {
        self.now_ms = self.now_ms.max(at_ms);
        let now_ms = self.now_ms;
        for number in 0..self.links.len() {
            let link = &mut self.links[number];
            let officer = &mut self.officers[number];
            while let Some((_, packet)) = link.to_device.on_the_way.pop_front_if(|p| p.0 <= now_ms)
            {
                let Packet::Message(bytes) = packet else {
                    unreachable!("a hello goes up")
                };
                let effects = officer.device.message(&bytes, now_ms).unwrap();
                assert_eq!(effects.bye, None);
                officer.uncommitted.extend(effects.store);
                link.commit_at_ms.get_or_insert(now_ms + link.commit_ms);
            }
            if link.commit_at_ms.is_some_and(|at_ms| at_ms <= now_ms) {
                link.commit_at_ms = None;
                officer.commit();
                check_position(&self.center, officer);
            }
            while let Some((_, packet)) = link.to_center.on_the_way.pop_front_if(|p| p.0 <= now_ms)
            {
                match packet {
                    Packet::Hello(bytes) => {
                        let hello = decode_hello(&bytes).unwrap();
                        self.center.hello(number, &hello, now_ms);
                        link.is_answered = true;
                    }
                    Packet::Message(bytes) => self.center.frame(number, &bytes, now_ms),
                }
            }
        }
        self.check_delivered();
    }

    /// What a relay reports as delivered is on the device's disk.
    fn check_delivered(&mut self) {
        for (number, document, through) in std::mem::take(&mut self.center.delivered) {
            self.reported.insert((number, document), through);
            // Between hello and commit a document may have been revoked.
            if self.center.is_granted(number, document) && self.officers[number].has(document) {
                check_has(&self.center, &self.officers[number], document, through);
            }
        }
    }

    /// Heals everything, and holds all that must be true against all that is.
    pub(crate) fn check_converged(&mut self) {
        for number in 0..self.officers.len() {
            let link = &mut self.links[number];
            (link.bytes_per_s, link.commit_ms) = (10_000_000, 1);
            self.dial(number);
        }
        self.settle();
        for officer in &self.officers {
            let here: Vec<_> = officer.disk.documents.keys().copied().collect();
            let mut granted: Vec<_> = self.center.granted(officer.number).collect();
            granted.sort_by_key(|g| g.document);
            let granted: Vec<_> = granted.into_iter().map(|g| g.document).collect();
            assert_eq!(here, granted, "what is here is what is granted");
            assert_eq!(officer.disk.position, self.center.head());
            for document in here {
                check_has(&self.center, officer, document, u64::MAX);
                let count = self.center.seqs(document).len();
                assert_eq!(officer.count(document), count, "no more than the log has");
            }
            assert!(officer.disk.outbox.is_empty(), "everything was answered");
        }
        self.check_notes();
    }

    /// Every note is in the log once, or was refused and is not.
    fn check_notes(&self) {
        let mut times = std::collections::BTreeMap::new();
        for logged in &self.center.log {
            *times.entry(logged.note.number).or_insert(0) += 1;
            assert!(!logged.note.forbidden);
        }
        for officer in &self.officers {
            for (note, (_, state)) in &officer.disk.notes {
                let times = times.get(note).copied().unwrap_or(0);
                match state {
                    crate::officer::State::AtCenter => assert_eq!(times, 1, "note {note:x}"),
                    crate::officer::State::Refused => assert_eq!(times, 0, "note {note:x}"),
                    crate::officer::State::OnDevice => panic!("note {note:x} was not answered"),
                }
            }
        }
    }
}

fn check_has(center: &Center, officer: &Officer, document: DocumentId, through: u64) {
    let held = &officer.disk.documents[&document];
    for seq in center.seqs(document).iter().filter(|seq| **seq <= through) {
        let logged = center.logged(*seq);
        let hash = logged.note.hash;
        let own = officer.disk.outbox.iter().any(|unsent| unsent.hash == hash);
        assert!(
            own || held.changes.contains_key(&hash),
            "{document} lacks {seq}, though it is said to be here through {through}",
        );
    }
}

/// A position, or a place apart from it, is the truth.
fn check_position(center: &Center, officer: &Officer) {
    if officer.disk.incarnation != center.incarnation {
        return;
    }
    for (document, held) in &officer.disk.documents {
        if held.granted {
            let through = held.apart.unwrap_or(officer.disk.position);
            check_has(center, officer, *document, through);
        }
    }
}
