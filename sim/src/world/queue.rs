//! What is to happen, in the order of virtual time; at one time in the order it was planned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sync::frame::Hello;

/// Which end of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Device,
    Center,
}

#[derive(Debug)]
pub(super) enum Event {
    /// The script does its next act.
    Act,
    /// A device dials, unless another dial was planned since.
    Dial {
        officer: usize,
        plan: u64,
    },
    /// The upgrade request has reached the center.
    Hello {
        wire: u64,
        hello: Box<Hello>,
    },
    /// The upgrade's answer has reached the device.
    Up {
        wire: u64,
    },
    /// … or it has waited for it long enough.
    GiveUp {
        wire: u64,
    },
    /// A message comes out of the wire; `late` when it was held up by a cut.
    Arrive {
        wire: u64,
        at: End,
        bytes: Vec<u8>,
        late: bool,
    },
    /// The other end's close comes out of the wire.
    Closed {
        wire: u64,
        at: End,
    },
    /// Something may be due at this end: room in the wire, or a sign of life.
    Poll {
        wire: u64,
        at: End,
    },
    /// A device commits what it heard.
    Commit {
        officer: usize,
        boot: u64,
    },
    /// The center commits what waits.
    Group {
        boot: u64,
    },
    /// A device starts again after a crash.
    StartDevice {
        officer: usize,
    },
    StartCenter,
    /// An officer signs on (again).
    SignOn {
        officer: usize,
    },
    /// A full disk has room again.
    RoomOnDisk {
        officer: Option<usize>,
    },
    /// What is due by time at the center.
    Tick,
    /// The hostile device does something.
    Attack,
}

#[derive(Debug)]
struct Planned {
    at_ms: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Reverse<Planned>>,
    planned: u64,
}

impl Queue {
    pub(super) fn plan(&mut self, at_ms: u64, event: Event) {
        self.planned += 1;
        let number = self.planned;
        self.heap.push(Reverse(Planned {
            at_ms,
            number,
            event,
        }));
    }

    /// The next event that is due by then.
    pub(super) fn next(&mut self, until_ms: u64) -> Option<(u64, Event)> {
        if self.heap.peek()?.0.at_ms > until_ms {
            return None;
        }
        let Reverse(planned) = self.heap.pop()?;
        Some((planned.at_ms, planned.event))
    }
}
