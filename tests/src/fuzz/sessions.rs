//! Whole sessions: a peer that says anything, to either end.
//!
//! The bytes are a script: messages, each behind its length in two bytes. Between them the
//! end is asked for all that it has to say. What it says must be readable, it must come to
//! rest, and what it hears must not make it promise what is not so.

use packet::{CallId, Compartment, DocumentId, Proof, change_hash};
use sync::decode_down;
use sync::device::{self, Device, Kept, Unsent};
use sync::frame::{
    AcceptedFrame, ByeWhy, ChangeItem, Hello, RefusedFrame, UpFrame, decode_hello, decode_message,
    encode,
};
use sync::limits::{FRAME_BYTES_MAX, PROTOCOL_VERSION};
use sync::relay::{self, Event, Granted, PackedChange, Relay, Standing, Urgency};

use super::changes;

/// An end that says more without being told anything has lost its way.
const STEPS_MAX: usize = 2_000;
const MESSAGES_MAX: usize = 200;
/// Between two messages: some within a moment, the last ones after hours of silence.
const PAUSE_MS: u64 = 37;
const CENTER_NOW_MS: i64 = 1_790_000_000_000;
const INCARNATION: u64 = 7;

/// The messages of a script. What is left behind the last whole one is a message too.
fn messages(mut script: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some((length, rest)) = script.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (message, rest) = rest.split_at(length);
        all.push(message);
        script = rest;
        if all.len() == MESSAGES_MAX {
            break;
        }
    }
    all
}

fn document(compartment: Compartment) -> DocumentId {
    DocumentId::new(CallId(99), compartment)
}

/// The changes of the log: this is all that there is to send.
fn log() -> Vec<PackedChange> {
    let item = |(seq, change): (u64, Vec<u8>)| {
        PackedChange::new(&ChangeItem {
            seq,
            received_ms: CENTER_NOW_MS,
            body: sync::codec::pack(&change, 0),
            mac: [5; 16],
        })
    };
    (1..).zip(changes::honest()).map(item).collect()
}

fn open_relay(hello: &Hello) -> Option<Relay> {
    let head = log().len() as u64;
    let granted = |compartment| Granted {
        document: document(compartment),
        from: 1,
        last: head,
        urgency: Urgency::of(compartment, true, 2),
    };
    let standing = Standing {
        incarnation: INCARNATION,
        head,
        center_now_ms: CENTER_NOW_MS,
        granted: vec![granted(Compartment::Safety), granted(Compartment::Call)],
        ended: vec![],
    };
    Relay::open(hello, standing, None, 0).ok()
}

/// The center's end. The first message is the hello.
pub(super) fn relay(script: &[u8]) {
    let messages = messages(script);
    let Some((hello, messages)) = messages.split_first() else {
        return;
    };
    let Ok(hello) = decode_hello(hello) else {
        return;
    };
    let Some(mut relay) = open_relay(&hello) else {
        return;
    };
    let mut now_ms = 0;
    let mut seq = log().len() as u64;
    let mut is_over = drain_relay(&mut relay, now_ms);
    for message in messages {
        now_ms += PAUSE_MS;
        match relay.message(message, now_ms) {
            Ok(events) => events
                .into_iter()
                .for_each(|event| answer(&mut relay, event, &mut seq)),
            Err(error) => relay.close(ByeWhy::Protocol, &error.to_string(), 0),
        }
        is_over = drain_relay(&mut relay, now_ms);
        if is_over {
            break;
        }
    }
    relay.close(ByeWhy::Busy, "the center is stopping", 0);
    assert!(
        drain_relay(&mut relay, now_ms) || is_over,
        "it ends when it is told to"
    );
}

/// As a center would: half of what is offered is taken.
fn answer(relay: &mut Relay, event: Event, seq: &mut u64) {
    match event {
        Event::Offer(offer) => {
            let Ok(hash) = change_hash(&offer.bytes) else {
                return;
            };
            *seq += 1;
            if seq.is_multiple_of(2) {
                relay.accepted(AcceptedFrame {
                    hash,
                    seq: *seq,
                    received_ms: CENTER_NOW_MS,
                });
                relay.grown(*seq, &[(offer.document, *seq)]);
            } else {
                relay.refused(RefusedFrame {
                    hash,
                    code: 3,
                    reason: "no".into(),
                });
            }
        }
        Event::Delivered { through, .. } => {
            for (_, through) in through {
                assert!(through <= *seq, "{through} of {seq} is delivered");
            }
        }
        Event::Shown { through, .. } => assert!(through <= *seq),
        Event::Put { blob, .. } | Event::Chunk { blob, .. } => {
            relay.have(blob, 0, Some("no".into()));
        }
        Event::Want { .. } => {}
    }
}

/// Asks until it rests or is over; whether it is over.
fn drain_relay(relay: &mut Relay, now_ms: u64) -> bool {
    for _ in 0..STEPS_MAX {
        match relay.next(now_ms) {
            relay::Next::Send(message) => {
                assert!(message.len() <= FRAME_BYTES_MAX);
                decode_down(&message).expect("a device can read it");
            }
            relay::Next::Fetch {
                document, after, ..
            } => {
                let found = log().into_iter().filter(|change| change.seq > after);
                let found: Vec<_> = found.take(2).collect();
                let through = found.last().map_or(after, |change| change.seq);
                relay.fetched(document, &found, through);
            }
            relay::Next::FetchChunk { blob, offset, .. } => {
                relay.chunk(blob, offset, vec![1; 10], 10);
            }
            relay::Next::Wait { until_ms } => {
                assert!(until_ms > now_ms, "it waits for what is now");
                return false;
            }
            relay::Next::Over => return true,
        }
    }
    panic!("it does not come to rest");
}

fn kept() -> Kept {
    let unsent = changes::honest().into_iter().take(2).map(|bytes| Unsent {
        document: document(Compartment::Call),
        hash: change_hash(&bytes).unwrap(),
        bytes,
        proof: Proof::Signature(vec![0x30; 70]),
    });
    Kept {
        outbox: unsent.collect(),
        ..Kept::default()
    }
}

/// The device's end.
pub(super) fn device(script: &[u8]) {
    let mut device = Device::new(kept());
    let mut now_ms = 0;
    device.dial(vec![7; 32], now_ms);
    let mut is_dead = drain_device(&mut device, now_ms);
    for message in messages(script) {
        now_ms += PAUSE_MS;
        match device.message(message, now_ms) {
            Ok(_) => device.committed(),
            // As the driver does: what came before is good, and the link is closed.
            Err(_) => break,
        }
        is_dead = drain_device(&mut device, now_ms);
        if is_dead {
            break;
        }
    }
    // Whatever it was told, its next hello is one that a center reads.
    let hello = device.dial(vec![7; 32], now_ms);
    assert_eq!(hello.version, PROTOCOL_VERSION);
    assert_eq!(decode_hello(&encode(&hello)), Ok(hello));
    assert!(!drain_device(&mut device, now_ms) || is_dead);
}

/// Asks until it rests or is dead; whether it is dead.
fn drain_device(device: &mut Device, now_ms: u64) -> bool {
    for _ in 0..STEPS_MAX {
        match device.next(now_ms) {
            device::Next::Send(message) => {
                assert!(message.len() <= FRAME_BYTES_MAX);
                decode_message::<UpFrame>(&message).expect("a center can read it");
            }
            device::Next::FetchChunk { blob, offset, .. } => {
                device.chunk(blob, offset, vec![1; 10], now_ms);
            }
            device::Next::Wait { until_ms } => {
                assert!(until_ms > now_ms, "it waits for what is now");
                return false;
            }
            device::Next::Dead => return true,
        }
    }
    panic!("it does not come to rest");
}

pub(super) mod seeds {
    use super::*;

    fn script(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut script = Vec::new();
        for message in messages {
            let length = u16::try_from(message.len()).unwrap();
            script.extend_from_slice(&length.to_be_bytes());
            script.extend_from_slice(message);
        }
        script
    }

    /// What each end of an honest session heard: the relay, the device.
    fn honest() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut device = Device::new(kept());
        let hello = device.dial(vec![7; 32], 0);
        let mut relay = open_relay(&hello).unwrap();
        let (mut up, mut down) = (vec![encode(&hello)], Vec::new());
        let mut seq = log().len() as u64;
        for round in 1..20 {
            let now_ms = round * PAUSE_MS;
            loop {
                match relay.next(now_ms) {
                    relay::Next::Send(message) => {
                        device.message(&message, now_ms).unwrap();
                        device.committed();
                        down.push(message);
                    }
                    relay::Next::Fetch {
                        document, after, ..
                    } => {
                        let found: Vec<_> = log()
                            .into_iter()
                            .filter(|c| c.seq > after)
                            .take(2)
                            .collect();
                        let through = found.last().map_or(after, |change| change.seq);
                        relay.fetched(document, &found, through);
                    }
                    _ => break,
                }
            }
            while let device::Next::Send(message) = device.next(now_ms) {
                for event in relay.message(&message, now_ms).unwrap() {
                    answer(&mut relay, event, &mut seq);
                }
                up.push(message);
            }
        }
        (up, down)
    }

    pub(in crate::fuzz) fn relay() -> Vec<Vec<u8>> {
        let (up, _) = honest();
        vec![script(&up), script(&up[..2.min(up.len())])]
    }

    pub(in crate::fuzz) fn device() -> Vec<Vec<u8>> {
        let (_, down) = honest();
        vec![script(&down), script(&down[..2.min(down.len())])]
    }
}
