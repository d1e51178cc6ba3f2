//! What happens in the city.

/// Which end of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Device,
    Center,
}

#[derive(Debug)]
pub(super) enum Event {
    /// A call is in CAD, and told to the center.
    Entered {
        call: usize,
    },
    /// A dispatcher looks for a unit.
    Dispatch {
        call: usize,
    },
    /// A unit passes to another kind of link, or its device goes off or on.
    LinkChanges {
        officer: usize,
        way: u64,
    },
    /// A unit is at its call.
    Arrives {
        officer: usize,
        call: usize,
    },
    /// … and free again.
    Leaves {
        officer: usize,
        call: usize,
    },
    DeviceOff {
        officer: usize,
    },
    DeviceOn {
        officer: usize,
    },
    /// What became of an attempt at a source.
    Answer {
        attempt: u64,
    },
    /// The scheduler has something to do.
    Due,
    /// The center commits what waits.
    Group,
    /// What sessions said is gathered.
    Gathered,
    /// What is due by time at the center.
    Tick,
    /// A device dials, unless another dial was planned since.
    Dial {
        officer: usize,
        plan: u64,
    },
    /// The first packet of a dial is sent, once more.
    FirstPacket {
        officer: usize,
        plan: u64,
        tries: u32,
    },
    /// The device has waited long enough for the answer to its hello.
    GiveUp {
        wire: u64,
    },
    /// The next message comes out of the wire at this end, if nothing has held it up since.
    Out {
        wire: u64,
        at: End,
        held: u64,
    },
    /// Something may be due at this end: room in the wire, or a sign of life.
    Poll {
        wire: u64,
        at: End,
    },
    /// A device commits what it heard.
    Commit {
        officer: usize,
        session: u64,
    },
}
