//! What lies over the page while the laptop is locked.

use askama::Template;

/// The region `#lock`. The pad of digits beside it is no region: what was typed survives.
#[derive(Debug, Clone, Template)]
#[template(path = "lock.html")]
pub struct LockView {
    pub locked: LockedAs,
    pub title: String,
    pub words: String,
    /// A demo's PIN, shown to whoever looks.
    pub demo_pin: Option<String>,
    /// Shifts begin with the agency's own sign-in.
    pub agency: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedAs {
    Open,
    /// A PIN is to be chosen.
    NoPin,
    Pin,
    /// A supervisor's code is to be entered.
    Code,
    /// Only the center can release it.
    Out,
    ShiftOver,
    /// The shift was ended here, and all was erased.
    Ended,
}

impl LockedAs {
    /// As the page's styles and its script know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::NoPin => "no-pin",
            Self::Pin => "pin",
            Self::Code => "code",
            Self::Out => "out",
            Self::ShiftOver => "shift-over",
            Self::Ended => "ended",
        }
    }

    /// Digits are wanted.
    #[must_use]
    pub fn takes_digits(self) -> bool {
        matches!(self, Self::NoPin | Self::Pin | Self::Code)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn html(locked: LockedAs) -> String {
        let view = LockView {
            locked,
            title: "Locked".into(),
            words: "<b>Enter".into(),
            demo_pin: Some("482916".into()),
            agency: false,
        };
        view.render().unwrap()
    }

    #[test]
    fn an_open_laptop_says_nothing_over_its_page() {
        assert!(!html(LockedAs::Open).contains("Locked"));
    }

    #[test]
    fn a_locked_one_says_what_to_do_and_a_demo_shows_its_pin() {
        let pin = html(LockedAs::Pin);
        assert!(pin.contains("&#60;b&#62;Enter") && pin.contains("482916"));
        assert!(!pin.contains("/shift/renew") && !pin.contains("style="));
        assert!(html(LockedAs::ShiftOver).contains("hx-post=\"/shift/renew\""));
        assert!(html(LockedAs::Ended).contains("hx-post=\"/shift/begin\""));
    }
}
