//! What goes into wires and comes out of them.

use super::World;
use super::event::{End, Event};
use super::fault::Step;
use super::network::Cut;

impl World {
    /// Sends a message from one end of a wire.
    pub(super) fn send(&mut self, wire: u64, from: End, bytes: Vec<u8>) {
        let Some(link) = self.wires.get_mut(&wire) else {
            return;
        };
        let at_ms = link.send(
            from,
            bytes.len() + FRAMING_BYTES,
            self.now_ms,
            &mut self.rng,
        );
        let at = other(from);
        let late = false;
        self.queue.plan(
            at_ms,
            Event::Arrive {
                wire,
                at,
                bytes,
                late,
            },
        );
    }

    pub(super) fn arrive(&mut self, wire: u64, at: End, bytes: Vec<u8>, late: bool) -> Step {
        let Some(link) = self.wires.get(&wire) else {
            return Ok(());
        };
        match link.cut {
            Some(cut) if !late => {
                // Only what is on its way up matters late: the device has gone on.
                if let (Some(late_ms), End::Center) = (cut.late_ms, at) {
                    let late = true;
                    self.queue.plan(
                        self.now_ms + late_ms,
                        Event::Arrive {
                            wire,
                            at,
                            bytes,
                            late,
                        },
                    );
                }
                Ok(())
            }
            _ => match at {
                End::Center => {
                    if late {
                        self.note(&format!("C w{wire} gets {} B late", bytes.len()));
                    }
                    self.arrived_up(wire, bytes)
                }
                End::Device => self.arrived_down(wire, &bytes),
            },
        }
    }

    /// One end closes; the other hears of it, if anything still comes through.
    pub(super) fn close(&mut self, wire: u64, from: End) {
        let Some(link) = self.wires.get_mut(&wire) else {
            return;
        };
        match from {
            End::Device => link.open_at_device = false,
            End::Center => link.open_at_center = false,
        }
        let at = other(from);
        if link.cut.is_none() {
            let at_ms = link.send(from, FRAMING_BYTES, self.now_ms, &mut self.rng);
            self.queue.plan(at_ms, Event::Closed { wire, at });
        }
        self.forget_wire(wire);
    }

    pub(super) fn closed(&mut self, wire: u64, at: End) -> Step {
        let Some(link) = self.wires.get_mut(&wire) else {
            return Ok(());
        };
        if link.cut.is_some() {
            return Ok(());
        }
        let officer = link.officer;
        match at {
            End::Center => {
                link.open_at_center = false;
                if let Some(running) = &mut self.center.running {
                    running.sessions.remove(&wire);
                }
            }
            End::Device => {
                link.open_at_device = false;
                if self.officers[officer].wire == Some(wire) {
                    self.note(&format!("D{officer} link closed"));
                    self.hang_up(officer);
                    self.plan_dial(officer, 500);
                }
            }
        }
        self.forget_wire(wire);
        Ok(())
    }

    fn forget_wire(&mut self, wire: u64) {
        if let Some(link) = self.wires.get(&wire)
            && !link.open_at_device
            && !link.open_at_center
        {
            self.wires.remove(&wire);
        }
    }

    /// The center has crashed. Half of the devices learn of it by a reset, the others by
    /// silence.
    pub(super) fn center_is_gone(&mut self, wire: u64) {
        let tells = self.rng.bool();
        let Some(link) = self.wires.get_mut(&wire) else {
            return;
        };
        link.open_at_center = false;
        if tells {
            let at = End::Device;
            let at_ms = self.now_ms + 2 * link.network.latency_ms;
            self.queue.plan(at_ms, Event::Closed { wire, at });
        } else {
            link.cut.get_or_insert(Cut { late_ms: None });
        }
    }

    /// The network under a device is gone, without a word to anybody.
    pub(super) fn cut(&mut self, index: usize, late_ms: Option<u64>, device_notices: bool) {
        let Some(wire) = self.officers[index].wire else {
            return;
        };
        if let Some(link) = self.wires.get_mut(&wire) {
            link.cut.get_or_insert(Cut { late_ms });
        }
        if device_notices {
            self.hang_up(index);
        }
    }

    pub(super) fn plan_poll(&mut self, wire: u64, at: End, at_ms: u64) {
        if let Some(link) = self.wires.get_mut(&wire)
            && link.plans_poll(at, at_ms, self.now_ms)
        {
            self.queue
                .plan(at_ms.max(self.now_ms + 1), Event::Poll { wire, at });
        }
    }

    pub(super) fn poll(&mut self, wire: u64, at: End) -> Step {
        let Some(link) = self.wires.get(&wire) else {
            return Ok(());
        };
        match at {
            End::Center => self.poll_session(wire),
            End::Device => {
                let officer = link.officer;
                if self.officers[officer].wire == Some(wire) {
                    self.poll_officer(officer)
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// TCP's, TLS's and WebSocket's own bytes of one message.
const FRAMING_BYTES: usize = 66;

fn other(end: End) -> End {
    match end {
        End::Device => End::Center,
        End::Center => End::Device,
    }
}
