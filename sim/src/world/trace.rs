//! What happened, one line an event. Two runs of one seed have the same trace to the
//! byte: no line holds what comes from the machine's own randomness or clock.

use std::fmt::Write as _;

use aws_lc_rs::digest;

/// How many lines tell of what led to a fault.
const TAIL_LINES: usize = 40;

/// The lines of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    lines: Vec<String>,
}

impl Trace {
    pub(super) fn add(&mut self, at_ms: u64, line: &str) {
        self.lines.push(format!("{at_ms:>9} {line}"));
    }

    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    #[must_use]
    pub fn tail(&self) -> &[String] {
        &self.lines[self.lines.len().saturating_sub(TAIL_LINES)..]
    }

    /// SHA-256 over the lines, each with its newline, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut context = digest::Context::new(&digest::SHA256);
        for line in &self.lines {
            context.update(line.as_bytes());
            context.update(b"\n");
        }
        let mut hex = String::new();
        for byte in context.finish().as_ref() {
            // Writing into a `String` cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}
