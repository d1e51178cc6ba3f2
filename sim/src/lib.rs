//! Cedarport: a made-up mid-size city for the demo and the tests.
//!
//! **Everything here is made up and modelled.** No person, plate, address,
//! camera, incident or officer is real; phone numbers are of the range that is
//! kept for fiction (555-01xx), stream addresses of the reserved `.example`
//! domain. What is modelled on something: the natures of calls, how often each
//! comes, how often an address comes again and the style of addresses follow
//! what US cities publish about their calls for service; narratives, delays and
//! failures are our own invention and measure nothing.
//!
//! The parts:
//! - [`evening`](fn@evening): one Friday evening of calls, in the columns of the
//!   replay CSV and a narrative;
//! - [`start`]: five small agency databases (records, vehicles, persons, phones, cameras)
//!   and a video system as real HTTP services on loopback, with delays and failures;
//! - [`corner_cameras`]: the city's own cameras, each with where it looks;
//! - [`agencies`](fn@agencies): who is on duty, agency by agency;
//! - [`world`]: the whole of it in virtual time over the real center and devices,
//!   where every mishap comes from a seed and every promise is checked at each step.
//!
//! One seed makes one city: a plate that a caller of `evening(7)` reads out is
//! registered in the sources of `start(7, …)`, and addresses that are called
//! about have a past in its records. The sources also know *something* about
//! places that are not in Cedarport (see [`sources`]), so that the replay of a
//! real city's calls has findings to show. These are as made up as the rest.

mod agencies;
pub mod arrivals;
mod cameras;
mod chance;
mod city;
mod corners;
mod evening;
mod narrative;
mod natures;
mod people;
mod premises;
pub mod sources;
mod stage;
pub mod world;

pub use agencies::{Agency, Officer, Unit, agencies};
pub use corners::{CornerCamera, corner_cameras};
pub use evening::{ReplayCall, evening};
pub use sources::{Faults, Sources, start};
