//! What happens in the city.

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
