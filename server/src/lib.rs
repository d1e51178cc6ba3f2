//! The center: it takes calls from dispatch, triages them, asks the agencies' sources,
//! keeps the one log of all changes and brings it to the officers' devices.
//!
//! ```text
//! intake ─▶ triage ─▶ calls ─▶ log ─▶ hub ─▶ session ─▶ device
//!                      ▲        │ └──▶ console
//!                   enrich ◀────┘
//! ```
//!
//! Everything that is known enters through [`log`]: a call's facts, a source's finding,
//! an analyst's note, an officer's tap. What was committed is published once, in order,
//! to the hub (devices), the questions (sources) and the console's pages.

pub mod accept;
pub mod api;
pub mod arrivals;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod beats;
pub mod cads;
pub mod calls;
pub mod center;
pub mod clock;
pub mod config;
pub mod console;
pub mod contacts;
pub mod devices;
mod doors;
pub mod enrich;
pub mod exchange;
pub mod hot_list;
pub mod hub;
pub mod identity;
pub mod intake;
pub mod log;
pub mod mentions;
pub mod metrics;
pub mod people;
pub mod plate_reads;
pub mod plot;
pub mod policy;
mod postgres;
pub mod premises;
pub mod problem;
pub mod receipts;
pub mod retention;
pub mod search;
pub mod session;
pub mod shifts;
pub mod standing;
pub mod triage;
pub mod turns;

pub use packet::address;
