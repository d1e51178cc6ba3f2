//! What a message says, to a witness who reads along: its frames, long ones joined.

use std::marker::PhantomData;

use sync::decode_down;
use sync::frame::{DownFrame, FrameError, PartFrame, UpFrame, decode, decode_message};

/// Lanes of parts, as `sync` has them: what can hurt, and the rest.
const LANES: usize = 2;

/// A frame of either direction.
pub(super) trait Framed: Sized {
    fn read(bytes: &[u8]) -> Result<Self, FrameError>;
    fn read_message(bytes: &[u8]) -> Result<Vec<Self>, FrameError>;
    fn part(&self) -> Option<&PartFrame>;
}

impl Framed for DownFrame {
    fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        decode(bytes)
    }

    fn read_message(bytes: &[u8]) -> Result<Vec<Self>, FrameError> {
        decode_down(bytes)
    }

    fn part(&self) -> Option<&PartFrame> {
        match self {
            Self::Part(part) => Some(part),
            _ => None,
        }
    }
}

impl Framed for UpFrame {
    fn read(bytes: &[u8]) -> Result<Self, FrameError> {
        decode(bytes)
    }

    fn read_message(bytes: &[u8]) -> Result<Vec<Self>, FrameError> {
        decode_message(bytes)
    }

    fn part(&self) -> Option<&PartFrame> {
        match self {
            Self::Part(part) => Some(part),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(super) enum Joined<F> {
    Frame(F),
    /// A part of a frame of this lane; after the last one follows the frame.
    Part(u8),
}

/// One direction of a session.
#[derive(Debug)]
pub(super) struct Messages<F> {
    lanes: [Vec<u8>; LANES],
    frames: PhantomData<F>,
}

impl<F> Default for Messages<F> {
    fn default() -> Self {
        Self {
            lanes: [Vec::new(), Vec::new()],
            frames: PhantomData,
        }
    }
}

impl<F: Framed> Messages<F> {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Vec<Joined<F>>, FrameError> {
        let mut all = Vec::new();
        for frame in F::read_message(bytes)? {
            let Some(part) = frame.part() else {
                all.push(Joined::Frame(frame));
                continue;
            };
            all.push(Joined::Part(part.lane));
            let Some(lane) = self.lanes.get_mut(usize::from(part.lane)) else {
                return Err(FrameError::OutOfTurn("a part of an unknown lane"));
            };
            lane.extend(&part.bytes);
            if part.last {
                let whole = std::mem::take(lane);
                all.push(Joined::Frame(F::read(&whole)?));
            }
        }
        Ok(all)
    }
}
