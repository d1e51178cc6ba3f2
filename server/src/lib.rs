//! placeholder
pub mod accept;
pub mod identity;
pub mod intake;
pub mod triage;
