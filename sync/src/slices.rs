//! A frame that is too long for its link crosses in parts, so that what is more urgent
//! passes between them: twelve kilobytes are ten seconds at 9,600 bit/s.
//!
//! There are two lanes, what can hurt and the rest: so a long caution too can pass a
//! long note. Within a lane one frame is whole before the next begins.

use std::collections::VecDeque;

use crate::frame::{FrameError, PartFrame};
use crate::limits::FRAME_BYTES_MAX;

/// What can hurt goes in the first lane.
pub(crate) const SAFETY: u8 = 0;
pub(crate) const REST: u8 = 1;
const LANES: usize = 2;

/// Frames that are partly sent, and what each brings when its last part is there.
#[derive(Debug)]
pub(crate) struct Slices<T> {
    lanes: [Option<(VecDeque<u8>, T)>; LANES],
}

impl<T> Default for Slices<T> {
    fn default() -> Self {
        Self {
            lanes: [None, None],
        }
    }
}

impl<T> Slices<T> {
    pub(crate) fn is_busy(&self, lane: u8) -> bool {
        matches!(self.lanes.get(usize::from(lane)), Some(Some(_)))
    }

    /// Takes a frame whose lane is not busy.
    pub(crate) fn begin(&mut self, lane: u8, frame: Vec<u8>, brings: T) {
        if let Some(slot) = self.lanes.get_mut(usize::from(lane)) {
            *slot = Some((frame.into(), brings));
        }
    }

    /// The next part of this lane's frame; with the last of them what the frame brings.
    pub(crate) fn next(&mut self, lane: u8, bytes_max: usize) -> Option<(PartFrame, Option<T>)> {
        let slot = self.lanes.get_mut(usize::from(lane))?;
        let (left, _) = slot.as_mut()?;
        let bytes: Vec<u8> = left
            .drain(..bytes_max.clamp(1, left.len().max(1)).min(left.len()))
            .collect();
        let last = left.is_empty();
        let brings = if last {
            slot.take().map(|(_, brings)| brings)
        } else {
            None
        };
        Some((PartFrame { lane, last, bytes }, brings))
    }
}

/// The parts that came so far.
#[derive(Debug, Default)]
pub(crate) struct Joining {
    lanes: [Vec<u8>; LANES],
}

impl Joining {
    /// The whole frame, when this was its last part.
    pub(crate) fn part(&mut self, part: PartFrame) -> Result<Option<Vec<u8>>, FrameError> {
        let lane = self
            .lanes
            .get_mut(usize::from(part.lane))
            .ok_or(FrameError::OutOfTurn("a part of an unknown lane"))?;
        crate::at_most(
            "bytes in parts",
            lane.len() + part.bytes.len(),
            FRAME_BYTES_MAX,
        )?;
        lane.extend(part.bytes);
        Ok(part.last.then(|| std::mem::take(lane)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_cut_is_joined_again_though_the_lanes_interleave() {
        let (mut slices, mut joining) = (Slices::default(), Joining::default());
        slices.begin(REST, (0..200).collect(), "rest");
        slices.begin(SAFETY, vec![7; 90], "safety");
        let (mut whole, mut brought) = (Vec::new(), Vec::new());
        while slices.is_busy(SAFETY) || slices.is_busy(REST) {
            for lane in [REST, SAFETY] {
                let Some((part, brings)) = slices.next(lane, 64) else {
                    continue;
                };
                assert!(part.bytes.len() <= 64);
                assert_eq!(part.last, brings.is_some());
                brought.extend(brings);
                whole.extend(joining.part(part).unwrap());
            }
        }
        assert_eq!(brought, ["safety", "rest"]);
        assert_eq!(whole, [vec![7; 90], (0..200).collect::<Vec<u8>>()]);
    }

    #[test]
    fn parts_without_end_are_refused() {
        let mut joining = Joining::default();
        let part = || PartFrame {
            lane: REST,
            last: false,
            bytes: vec![0; 16_000],
        };
        let mut taken = 0;
        while joining.part(part()).is_ok() {
            taken += 16_000;
            assert!(taken <= FRAME_BYTES_MAX);
        }
        let wrong = PartFrame { lane: 9, ..part() };
        assert!(joining.part(wrong).is_err());
    }
}
