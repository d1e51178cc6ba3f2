//! What is to happen, in the order of virtual time; at one time in the order it was planned.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

#[derive(Debug)]
struct Planned<E> {
    at_ms: u64,
    number: u64,
    event: E,
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Planned<E> {}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Planned<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at_ms, self.number).cmp(&(other.at_ms, other.number))
    }
}

#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Reverse<Planned<E>>>,
    planned: u64,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            heap: BinaryHeap::new(),
            planned: 0,
        }
    }
}

impl<E> Queue<E> {
    pub(crate) fn plan(&mut self, at_ms: u64, event: E) {
        self.planned += 1;
        let number = self.planned;
        self.heap.push(Reverse(Planned {
            at_ms,
            number,
            event,
        }));
    }

    /// The next event that is due by then.
    pub(crate) fn next(&mut self, until_ms: u64) -> Option<(u64, E)> {
        if self.heap.peek()?.0.at_ms > until_ms {
            return None;
        }
        let Reverse(planned) = self.heap.pop()?;
        Some((planned.at_ms, planned.event))
    }
}
