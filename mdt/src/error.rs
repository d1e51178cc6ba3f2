//! Why the officer's page could not be started: one sentence each.

use std::io;
use std::path::PathBuf;

use mobile_core::CoreError;

#[derive(Debug, thiserror::Error)]
pub enum MdtError {
    #[error("port {port} on this laptop is taken by another program: choose another port")]
    PortTaken { port: u16 },
    #[error("cannot listen on port {port} of this laptop: {source}")]
    Listen { port: u16, source: io::Error },
    #[error("the folder {} cannot be used: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
    #[error("the folder {} is in use by another forerunner mdt", path.display())]
    FolderInUse { path: PathBuf },
    #[error("{0}")]
    Ticket(CoreError),
    #[error("this laptop is not enrolled: start it once with its enrolment ticket")]
    NoTicket,
    #[error("the laptop's store cannot be opened: {0}")]
    Open(CoreError),
    #[error("this laptop gives no random numbers for the page's secret")]
    Random,
}
