//! Where calls come in: three doors, one shape.
//!
//! Dispatch systems (CAD) differ, so each format has its own door: plain JSON
//! (`json`), NENA EIDO (`eido`) and the replay CSV (`csv`). All of them end in
//! one [`CallReport`], and nothing behind this module knows which door a call
//! came through. The doors are pure functions of bytes (and, where a format
//! leaves the time open, of the time that the caller passes), so that a whole
//! city can come in in virtual time.
//!
//! A door either takes a call whole or says what is wrong where: whoever sends
//! to us can mend a field that is named, and not one that was quietly dropped.

pub mod csv;
pub mod eido;
pub mod json;
mod local_time;
mod narrative;
mod reading;
pub mod report;
mod row;
#[cfg(test)]
pub(crate) mod shared_files;

pub use local_time::LocalTime;
pub use report::{CallReport, CallStatus, IntakeError, UnitReport};
pub use row::RowFault;
pub(crate) use row::{COLUMNS, REQUIRED, Rows, Texts};
