//! What the pages say in words: times in the center's zone, states, priorities.
//!
//! Two clocks are told here, the author's and the center's. Neither is ever given
//! as the other: whoever shows a time says whose it is.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use packet::entry::QueryWhat;
use packet::{CallId, LinkHow, MentionWhat, UnitState};

use super::view::PriorityView;
use crate::calls::StepWhat;
use crate::log::LogError;

/// A clock that is off by less is called right.
const CLOCK_OFF_MS_MIN: u64 = 2_000;

/// Times of day in one zone.
#[derive(Debug, Clone)]
pub(super) struct Times {
    zone: TimeZone,
    /// Said behind each time when the zone is not the center's own.
    suffix: &'static str,
}

impl Times {
    /// In the center's zone; where the machine has none, in UTC, and says so.
    pub(super) fn of_this_center() -> Self {
        match TimeZone::try_system() {
            Ok(zone) if !zone.is_unknown() => Self { zone, suffix: "" },
            _ => Self::utc(),
        }
    }

    fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
            suffix: " UTC",
        }
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// As a browser's box of a date and a time has it.
    pub(super) fn for_box(&self, ms: i64) -> String {
        self.zoned(ms).map_or_else(String::new, |at| {
            at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
        })
    }

    fn zoned(&self, ms: i64) -> Option<Zoned> {
        Some(
            Timestamp::from_millisecond(ms)
                .ok()?
                .to_zoned(self.zone.clone()),
        )
    }

    /// Such as `12:03:02`, and with its date when that is not the day of `now_ms`.
    pub(super) fn second(&self, ms: i64, now_ms: i64) -> String {
        let (Some(at), Some(now)) = (self.zoned(ms), self.zoned(now_ms)) else {
            return "at an unknown time".into();
        };
        let form = if at.date() == now.date() {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        format!("{}{}", at.strftime(form), self.suffix)
    }

    /// With its date: when something ends.
    pub(super) fn minute(&self, ms: i64) -> String {
        match self.zoned(ms) {
            Some(at) => format!("{}{}", at.strftime("%Y-%m-%d %H:%M"), self.suffix),
            None => "at an unknown time".into(),
        }
    }

    /// A time as a browser's box writes it, without a zone: the center's.
    pub(super) fn local(&self, text: &str) -> Option<Timestamp> {
        let time: DateTime = text.trim().parse().ok()?;
        Some(time.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    /// The date of a record. Sources give dates without a zone, kept as midnight UTC.
    pub(super) fn record_date(ms: i64) -> Option<String> {
        let at = Timestamp::from_millisecond(ms).ok()?;
        Some(at.strftime("%Y-%m-%d").to_string())
    }
}

/// Such as `4 s ahead`; `None` for a clock that was right.
pub(super) fn clock_off(off_ms: i64) -> Option<String> {
    let ms = off_ms.unsigned_abs();
    if ms < CLOCK_OFF_MS_MIN {
        return None;
    }
    let way = if off_ms > 0 { "ahead" } else { "behind" };
    Some(match ms / 1_000 {
        seconds @ 0..=119 => format!("{seconds} s {way}"),
        seconds @ 120..=7_199 => format!("{} min {way}", seconds / 60),
        seconds => format!("{} h {way}", seconds / 3_600),
    })
}

pub(super) fn priority(number: u8) -> PriorityView {
    let word = match number {
        1 => "Emergency",
        2 => "Urgent",
        3 => "Prompt",
        4 => "Routine",
        _ => "Low",
    };
    PriorityView {
        number,
        word: word.into(),
    }
}

pub(super) fn unit_state(state: UnitState) -> &'static str {
    match state {
        UnitState::Assigned => "assigned",
        UnitState::EnRoute => "en route",
        UnitState::OnScene => "on scene",
        UnitState::Clear => "clear",
    }
}

pub(super) fn query(what: QueryWhat) -> &'static str {
    match what {
        QueryWhat::Plate => "plate",
        QueryWhat::Person => "person",
        QueryWhat::Phone => "phone",
        QueryWhat::Address => "address",
        QueryWhat::Clip => "recording",
    }
}

pub(super) fn mention(what: MentionWhat) -> &'static str {
    match what {
        MentionWhat::Plate => "Plate",
        MentionWhat::PartialPlate => "A part of a plate",
        MentionWhat::Vehicle => "Vehicle",
        MentionWhat::Phone => "Phone",
        MentionWhat::Person => "Person",
        MentionWhat::Address => "Address",
        MentionWhat::Weapon => "Weapon",
        MentionWhat::Danger => "Danger",
    }
}

/// A step of a call's life, such as `Upgraded from 3 to 1`. `name`: what another call is called.
pub(super) fn step(what: &StepWhat, name: impl Fn(CallId) -> String) -> String {
    match what {
        StepWhat::Opened { by_officer: false } => "Opened by dispatch".into(),
        StepWhat::Opened { by_officer: true } => "Opened by an officer".into(),
        StepWhat::Upgraded { from, to } => format!("Upgraded from {from} to {to}"),
        StepWhat::Downgraded { from, to } => format!("Downgraded from {from} to {to}"),
        StepWhat::Renamed { to } => format!("Now {to}"),
        StepWhat::Moved { to } => format!("Now at {to}"),
        StepWhat::Updated => "Updated".into(),
        StepWhat::Unit { unit, state } => format!("{unit} {}", unit_state(*state)),
        StepWhat::Linked { other, how } => format!("{} {}", link(*how), name(*other)),
        StepWhat::Unlinked { other } => format!("No longer linked with {}", name(*other)),
        StepWhat::Closed { disposition: None } => "Closed".into(),
        StepWhat::Closed {
            disposition: Some(disposition),
        } => format!("Closed: {disposition}"),
        StepWhat::Reopened => "Reopened".into(),
    }
}

pub(super) fn link(how: LinkHow) -> &'static str {
    match how {
        LinkHow::Proposed => "Perhaps the same event as",
        LinkHow::Rule | LinkHow::Hand => "The same event as",
    }
}

/// Such as `1.2 MB`.
pub(super) fn size(bytes: u32) -> String {
    match bytes {
        0..=999 => format!("{bytes} B"),
        1_000..=999_999 => format!("{} KB", bytes / 1_000),
        _ => format!("{:.1} MB", f64::from(bytes) / 1e6),
    }
}

/// `drone_feed` as `Drone feed`.
pub(super) fn heading(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Why the center cannot do it now, for a page: what the store says stays at the center.
pub(super) fn trouble(error: &LogError) -> String {
    match error {
        LogError::Full => "The center's disk is full: it shows what it has and takes nothing new.",
        LogError::Stopping => "The center is stopping.",
        _ => "The center's store failed; its log says why.",
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_another_day_carries_its_date_and_utc_is_named() {
        let noon = 1_767_268_982_000;
        assert_eq!(Times::utc().second(noon, noon + 1_000), "12:03:02 UTC");
        assert_eq!(
            Times::utc().second(noon, noon + 86_400_000),
            "2026-01-01 12:03:02 UTC"
        );
        assert_eq!(Times::utc().second(i64::MAX, noon), "at an unknown time");
    }

    #[test]
    fn a_time_from_a_box_is_the_centers_own() {
        let times = Times::utc();
        let at = times
            .local("2026-01-01T12:03")
            .map(|at| at.as_millisecond());
        assert_eq!(at, Some(1_767_268_980_000));
        assert_eq!(times.minute(1_767_268_980_000), "2026-01-01 12:03 UTC");
        assert_eq!(times.local("soon"), None);
    }

    #[test]
    fn a_clock_is_called_wrong_from_two_seconds_on() {
        assert_eq!(clock_off(1_999), None);
        assert_eq!(clock_off(4_000).as_deref(), Some("4 s ahead"));
        assert_eq!(clock_off(-300_000).as_deref(), Some("5 min behind"));
        assert!(clock_off(i64::MIN).is_some());
    }

    #[test]
    fn an_unknown_kind_is_a_heading_in_words() {
        assert_eq!(heading("drone_feed"), "Drone feed");
        assert_eq!(heading(""), "");
    }
}
