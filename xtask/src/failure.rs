//! Why a command stopped, and what the shell is told.

use std::fmt;
use std::process::ExitCode;

/// What the caller can do differs: call it rightly, or mend what it names.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line makes no sense.
    Usage(String),
    /// Something was run or read, and it did not go well.
    Failed(String),
    /// It did not go well, and all has been printed.
    Reported,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) | Self::Reported => ExitCode::FAILURE,
        }
    }

    /// For `map_err` on I/O: what was being done, and what came of it.
    pub(crate) fn while_doing(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Failed(text) => f.write_str(text),
            Self::Reported => f.write_str("failed, as printed above"),
        }
    }
}
