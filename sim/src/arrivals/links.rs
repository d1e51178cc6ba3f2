//! What goes into wires and comes out of them, while cars move.

use super::event::{End, Event};
use super::wire::{Load, Out};
use super::{City, Step};
use crate::stage::network::Network;

impl City {
    /// Sends from one end of a wire, `after_ms` from now.
    pub(super) fn send(&mut self, wire: u64, from: End, load: Load, after_ms: u64) {
        let now_ms = self.now_ms;
        let Some(link) = self.wires.get_mut(&wire) else {
            return;
        };
        if let Some(out) = link.send(from, load, after_ms, now_ms, &mut self.rng) {
            self.plan_out(wire, out);
        }
    }

    fn plan_out(&mut self, wire: u64, Out { at_ms, at, held }: Out) {
        self.queue.plan(at_ms, Event::Out { wire, at, held });
    }

    /// Something comes out of a wire, if nothing has held it up.
    pub(super) fn out(&mut self, wire: u64, at: End, held: u64) -> Step {
        let Some(link) = self.wires.get_mut(&wire) else {
            return Ok(());
        };
        let Some(load) = link.out(at, held) else {
            return Ok(());
        };
        match (load, at) {
            (Load::Message(bytes), End::Center) => self.arrived_up(wire, bytes),
            (Load::Message(bytes), End::Device) => self.arrived_down(wire, &bytes),
            (Load::Close, at) => {
                self.closed(wire, at);
                Ok(())
            }
            (Load::Hello(_), End::Center) => match self.hellos.remove(&wire) {
                Some(hello) => self.hello(wire, &hello),
                None => Ok(()),
            },
            (Load::Upgraded(_), End::Device) => self.up(wire),
            (Load::Hello(_) | Load::Upgraded(_), _) => Ok(()),
        }
    }

    /// One end closes; the other hears of it.
    pub(super) fn close(&mut self, wire: u64, from: End) {
        let Some(link) = self.wires.get_mut(&wire) else {
            return;
        };
        match from {
            End::Device => link.open_at_device = false,
            End::Center => link.open_at_center = false,
        }
        self.send(wire, from, Load::Close, 0);
        self.forget_wire(wire);
    }

    fn closed(&mut self, wire: u64, at: End) {
        let Some(link) = self.wires.get_mut(&wire) else {
            return;
        };
        let officer = link.officer;
        match at {
            End::Center => {
                link.open_at_center = false;
                self.drop_session(wire);
            }
            End::Device => {
                link.open_at_device = false;
                if self.officers[officer].wire == Some(wire) {
                    self.hang_up(officer);
                    self.dial_later(officer, 0);
                }
            }
        }
        self.forget_wire(wire);
    }

    fn forget_wire(&mut self, wire: u64) {
        if let Some(link) = self.wires.get(&wire)
            && !link.open_at_device
            && !link.open_at_center
        {
            self.wires.remove(&wire);
            self.hellos.remove(&wire);
        }
    }

    /// The device is off in the middle of it: nobody says goodbye.
    pub(super) fn cut(&mut self, wire: u64) {
        let now_ms = self.now_ms;
        if let Some(link) = self.wires.get_mut(&wire) {
            link.cut(now_ms, &mut self.rng);
        }
        self.forget_wire(wire);
    }

    /// The link under this officer's car is another, gone or back: under the connection that
    /// the device has, and under those that it has given up.
    pub(super) fn link_is(&mut self, officer: usize, link: Option<Network>) {
        let now_ms = self.now_ms;
        let own: Vec<u64> = self
            .wires
            .iter()
            .filter(|(_, wire)| wire.officer == officer)
            .map(|(id, _)| *id)
            .collect();
        for wire in own {
            let Some(known) = self.wires.get_mut(&wire) else {
                continue;
            };
            let outs = known.link_is(link, now_ms, &mut self.rng);
            outs.into_iter().for_each(|out| self.plan_out(wire, out));
            self.plan_poll(wire, End::Device, now_ms);
            self.plan_poll(wire, End::Center, now_ms);
        }
    }

    pub(super) fn plan_poll(&mut self, wire: u64, at: End, at_ms: u64) {
        if let Some(link) = self.wires.get_mut(&wire)
            && link.plans_poll(at, at_ms, self.now_ms)
        {
            let at_ms = at_ms.max(self.now_ms + 1);
            self.queue.plan(at_ms, Event::Poll { wire, at });
        }
    }

    pub(super) fn poll(&mut self, wire: u64, at: End) -> Step {
        let Some(link) = self.wires.get(&wire) else {
            return Ok(());
        };
        let officer = link.officer;
        match at {
            End::Center => self.poll_session(wire),
            End::Device if self.officers[officer].wire == Some(wire) => self.poll_officer(officer),
            End::Device => Ok(()),
        }
    }
}
