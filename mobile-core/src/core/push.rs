//! What a push says: that there is something, and at most of which call.
//!
//! A push crosses the servers of Apple, Google or a distributor of UnifiedPush, so it holds
//! no criminal justice information: `forerunner:1`, or `forerunner:1:` and a call's id. An id
//! is a number that the center counted; it names nobody and no place.

use packet::CallId;

use super::Core;
use crate::CoreError;

/// Longer is no push of ours.
const PUSH_BYTES_MAX: usize = 64;
const PUSH_WORD: &str = "forerunner:1";

/// What woke the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Woken {
    /// The call to sync first ([`crate::Budget`]); `None`: whatever there is.
    pub call: Option<CallId>,
    /// Its packet is on this device already, so something of it has changed.
    pub is_here: bool,
}

impl Core {
    /// Reads the payload of a push. One that cannot be read still woke the app: it is taken
    /// for one that names no call, since a newer center may say more than this app knows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn woken_by(&self, payload: &str) -> Result<Woken, CoreError> {
        let call = named(payload);
        let is_here = match call {
            Some(call) => self.packet(call).await?.is_some(),
            None => false,
        };
        Ok(Woken { call, is_here })
    }
}

fn named(payload: &str) -> Option<CallId> {
    if payload.len() > PUSH_BYTES_MAX {
        return None;
    }
    let rest = payload.trim().strip_prefix(PUSH_WORD)?;
    rest.strip_prefix(':')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_names_a_call_or_none_and_never_fails() {
        let call = CallId(7);
        assert_eq!(named(&format!("forerunner:1:{call}")), Some(call));
        assert_eq!(named(&format!(" forerunner:1:{call}\n")), Some(call));
        let long = "forerunner:1:".to_owned() + &"0".repeat(500);
        for nothing in [
            "",
            "forerunner:1",
            "forerunner:1:",
            "forerunner:2:x",
            "ünkn",
            &long,
        ] {
            assert_eq!(named(nothing), None, "{nothing:?}");
        }
    }
}
