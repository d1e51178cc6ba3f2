//! The two state machines over a simulated network, told as stories.
#![allow(clippy::unwrap_used)]

// As the rest of the workspace names it.
extern crate forerunner_sync as sync;

mod bundles;
mod catch_up;
mod center;
mod durability;
mod grants;
mod hostile;
mod life;
mod network;
mod note;
mod officer;
mod refusal;
mod reports;
mod urgent;
mod walk;
mod welcome;
