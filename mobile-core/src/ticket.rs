//! What a device needs to enrol: handed over by the agency, as one line of text or a code to scan.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde::{Deserialize, Serialize};

use crate::CoreError;

/// Longest ticket: a certificate authority's certificate and some words.
const TICKET_BYTES_MAX: usize = 16 * 1024;

/// Where the center is, how it is recognised, and the code that it takes once.
///
/// As text: JSON `{"center", "ca": base64 of DER, "code"}`, all of it in base64url on one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// `host:port` of the center's sync port.
    pub center: String,
    /// The certificate of the center's own authority, DER.
    pub ca: Vec<u8>,
    pub code: String,
}

/// Without the code: what prints ends in logs.
impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("center", &self.center)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    center: String,
    ca: String,
    code: String,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = Written {
            center: self.center.clone(),
            ca: BASE64.encode(&self.ca),
            code: self.code.clone(),
        };
        let json = serde_json::to_vec(&written).map_err(|_| fmt::Error)?;
        f.write_str(&BASE64URL_NOPAD.encode(&json))
    }
}

impl FromStr for Ticket {
    type Err = CoreError;

    fn from_str(text: &str) -> Result<Self, CoreError> {
        let wrong = |what: &str| CoreError::Ticket(what.to_owned());
        let text = text.trim();
        if text.len() > TICKET_BYTES_MAX {
            return Err(wrong("it is too long"));
        }
        let json = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| wrong("it is not one line of base64url"))?;
        let written: Written =
            serde_json::from_slice(&json).map_err(|_| wrong("it lacks center, ca or code"))?;
        let ca = BASE64
            .decode(written.ca.as_bytes())
            .map_err(|_| wrong("its certificate is damaged"))?;
        Ok(Self {
            center: written.center,
            ca,
            code: written.code,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_ticket_survives_its_text_form_and_half_of_one_is_refused() {
        let ticket = Ticket {
            center: "center.example:8443".into(),
            ca: vec![1, 2, 3],
            code: "ABCD-1234".into(),
        };
        let text = ticket.to_string();
        assert_eq!(format!(" {text}\n").parse::<Ticket>().unwrap(), ticket);
        assert!(text[..text.len() / 2].parse::<Ticket>().is_err());
        assert!(!format!("{ticket:?}").contains("ABCD"));
    }
}
