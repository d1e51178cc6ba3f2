//! Times in words, in the laptop's own time zone.
//!
//! Two clocks are told here, the author's and the center's. Neither is ever given
//! as the other: whoever shows a time says whose it is.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// A clock that is off by less is called right.
const CLOCK_OFF_MS_MIN: u64 = 2_000;

#[derive(Debug, Clone)]
pub(crate) struct Times {
    zone: TimeZone,
}

impl Times {
    pub(crate) fn of_this_laptop() -> Self {
        Self {
            zone: TimeZone::system(),
        }
    }

    #[cfg(test)]
    pub(crate) fn utc() -> Self {
        Self {
            zone: TimeZone::UTC,
        }
    }

    fn zoned(&self, ms: i64) -> Option<Zoned> {
        Some(
            Timestamp::from_millisecond(ms)
                .ok()?
                .to_zoned(self.zone.clone()),
        )
    }

    /// Such as `12:03:02`, and with its date when that is not the day of `now_ms`.
    pub(crate) fn second(&self, ms: i64, now_ms: i64) -> String {
        self.written(ms, now_ms, "%H:%M:%S", "%Y-%m-%d %H:%M:%S")
    }

    /// Such as `12:03`, likewise.
    pub(crate) fn minute(&self, ms: i64, now_ms: i64) -> String {
        self.written(ms, now_ms, "%H:%M", "%Y-%m-%d %H:%M")
    }

    pub(crate) fn day(&self, ms: i64) -> String {
        self.zoned(ms)
            .map_or_else(unknown, |at| at.strftime("%Y-%m-%d").to_string())
    }

    fn written(&self, ms: i64, now_ms: i64, today: &str, else_day: &str) -> String {
        let (Some(at), Some(now)) = (self.zoned(ms), self.zoned(now_ms)) else {
            return unknown();
        };
        let form = if at.date() == now.date() {
            today
        } else {
            else_day
        };
        at.strftime(form).to_string()
    }
}

fn unknown() -> String {
    "at an unknown time".into()
}

/// Such as `4 s ahead`; `None` for a clock that was right.
pub(crate) fn clock_off(off_ms: i64) -> Option<String> {
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

/// As a sentence of its own: a capital in front, a full stop behind.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim().trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_another_day_carries_its_date() {
        let (noon, day_ms) = (1_767_268_982_000, 86_400_000);
        assert_eq!(Times::utc().second(noon, noon + 1_000), "12:03:02");
        assert_eq!(
            Times::utc().second(noon, noon + day_ms),
            "2026-01-01 12:03:02"
        );
        assert_eq!(Times::utc().minute(noon, noon), "12:03");
        assert_eq!(Times::utc().minute(i64::MAX, noon), "at an unknown time");
    }

    #[test]
    fn a_clock_is_called_wrong_from_two_seconds_on() {
        assert_eq!(clock_off(1_999), None);
        assert_eq!(clock_off(4_000).as_deref(), Some("4 s ahead"));
        assert_eq!(clock_off(-300_000).as_deref(), Some("5 min behind"));
        assert!(clock_off(i64::MIN).is_some());
    }

    #[test]
    fn a_sentence_has_a_capital_and_one_full_stop() {
        assert_eq!(sentence("the center said no."), "The center said no.");
        assert_eq!(sentence("  "), "");
    }
}
