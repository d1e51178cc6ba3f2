//! Many light devices at one center, and their sessions.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use forerunner_tests::{HostileDevice, MORE_BADGES, TestApi};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::counted::Traffic;
use crate::light::{Came, Light};

/// Enrolments side by side.
const ENROLMENTS_AT_ONCE: usize = 16;
/// The center takes 4,096 connections from an address.
const PER_ADDRESS: usize = 1_500;
/// How fast devices come on where that is not what is measured.
const COME_ON_EVERY: Duration = Duration::from_micros(1_500);

/// Enrols so many devices, an officer signed on to each, on these units in turn, dialing from as many
/// addresses of loopback as the center's limit asks for.
pub(crate) async fn enrol(api: &TestApi, units: &[String], count: usize) -> Vec<Light> {
    let enrolling = (0..count).map(|index| async move {
        let badge = (MORE_BADGES + index).to_string();
        let identity = HostileDevice::on_duty(api, &badge, &units[index % units.len()]).await;
        let mut light = Light::new(index, identity);
        let address = u8::try_from(2 + index / PER_ADDRESS).unwrap();
        light.from = Some(Ipv4Addr::new(127, 0, 0, address));
        light
    });
    stream::iter(enrolling)
        .buffered(ENROLMENTS_AT_ONCE)
        .collect()
        .await
}

/// Devices with a session each, or on their way to one.
pub(crate) struct Online {
    end: CancellationToken,
    lights: JoinSet<Light>,
    came: UnboundedSender<Came>,
}

impl Online {
    pub(crate) fn new(came: UnboundedSender<Came>) -> Self {
        Self {
            end: CancellationToken::new(),
            lights: JoinSet::new(),
            came,
        }
    }

    /// One after the other, without haste.
    pub(crate) async fn join(&mut self, lights: impl IntoIterator<Item = Light>) {
        let mut tick = tokio::time::interval(COME_ON_EVERY);
        for light in lights {
            tick.tick().await;
            self.lights
                .spawn(light.keep(self.end.clone(), self.came.clone()));
        }
    }

    /// Each at its own moment within this time.
    pub(crate) fn storm(&mut self, lights: Vec<Light>, within: Duration) {
        for light in lights {
            let (end, came) = (self.end.clone(), self.came.clone());
            let wait = within.mul_f64(fastrand::f64());
            self.lights.spawn(async move {
                tokio::time::sleep(wait).await;
                light.keep(end, came).await
            });
        }
    }

    /// All hang up, and are given back in their order.
    pub(crate) async fn leave(self) -> Vec<Light> {
        self.end.cancel();
        let mut lights = self.lights.join_all().await;
        lights.sort_by_key(|light| light.index);
        lights
    }
}

/// Has them all count together.
pub(crate) fn count_together(lights: &mut [Light]) -> (Arc<Traffic>, Arc<Traffic>) {
    let (wire, inside) = (Arc::<Traffic>::default(), Arc::<Traffic>::default());
    for light in lights {
        light.wire = wire.clone();
        light.inside = inside.clone();
    }
    (wire, inside)
}
