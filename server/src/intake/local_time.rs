//! Times as a CAD's rows give them: mostly local, without an offset.
//!
//! Twice a year a local time is no time, or is two. What is done then:
//!
//! * **A time that the clocks skip** (02:30 in spring) is taken by the offset before the
//!   change, so it comes out an hour later by the wall clock (RFC 5545, section 3.3.5).
//! * **A time that comes twice** (01:30 in autumn) is the later of the two that is not
//!   ahead of the time at which the row was read. So in the hour that is repeated, an
//!   update is not taken for one of an hour ago, which would be late and count for
//!   nothing. A row is read once and its time is kept with it: read again it is not asked
//!   again. Where nobody says when the row was read (a replay), it is the first of the two.
//!
//! A row that gives an offset (RFC 3339) has neither question.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// By how much a CAD's clock may be ahead of the center's.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Date and time as databases write them: a `T` or a space between.
const FORMS: [&str; 2] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];

/// Whose local time it is, and when it is read.
#[derive(Debug, Clone)]
pub struct LocalTime {
    zone: TimeZone,
    read_at: Option<Timestamp>,
}

impl LocalTime {
    /// Of rows of which nobody says when they were read.
    #[must_use]
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            read_at: None,
        }
    }

    #[must_use]
    pub fn read_at(self, read_at: Timestamp) -> Self {
        Self {
            read_at: Some(read_at),
            ..self
        }
    }

    /// The time in `text`; `None` where it is none.
    pub(super) fn read(&self, text: &str) -> Option<Timestamp> {
        if let Ok(whole) = text.parse() {
            return Some(whole);
        }
        let local = FORMS
            .iter()
            .find_map(|form| DateTime::strptime(form, text).ok())?;
        let reading = self.zone.to_ambiguous_timestamp(local);
        match (reading.offset(), self.read_at) {
            (AmbiguousOffset::Fold { .. }, Some(read_at)) => {
                let latest = read_at.checked_add(AHEAD_MAX).ok()?;
                let second = reading.later().ok()?;
                if second <= latest {
                    Some(second)
                } else {
                    reading.earlier().ok()
                }
            }
            _ => reading.compatible().ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn chicago() -> LocalTime {
        LocalTime::new(TimeZone::posix("CST6CDT,M3.2.0,M11.1.0").unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_that_the_clocks_skip_comes_out_an_hour_later() {
        for local in [chicago(), chicago().read_at(at("2018-03-11T12:00:00Z"))] {
            // 02:30 does not exist; by the clock it is 03:30 then.
            let read = local.read("2018-03-11 02:30:00");
            assert_eq!(read, Some(at("2018-03-11T08:30:00Z")));
            assert_eq!(read, local.read("2018-03-11 03:30:00"));
        }
    }

    #[test]
    fn a_time_that_comes_twice_is_the_later_one_that_is_not_ahead() {
        let first = Some(at("2018-11-04T06:30:00Z"));
        let second = Some(at("2018-11-04T07:30:00Z"));
        let twice = "2018-11-04 01:30:00";
        for (read_at, wanted) in [
            // As the first half past one is, and an hour later as the second is.
            ("2018-11-04T06:30:10Z", first),
            ("2018-11-04T07:20:00Z", first),
            ("2018-11-04T07:25:00Z", second),
            ("2018-11-04T07:30:10Z", second),
            ("2018-11-04T20:00:00Z", second),
        ] {
            assert_eq!(
                chicago().read_at(at(read_at)).read(twice),
                wanted,
                "{read_at}"
            );
        }
        assert_eq!(chicago().read(twice), first);
    }

    #[test]
    fn a_time_with_an_offset_is_itself() {
        let local = chicago().read_at(at("2018-11-04T20:00:00Z"));
        for text in ["2018-11-04T01:30:00-05:00", "2018-11-04 01:30:00.000-05:00"] {
            assert_eq!(local.read(text), Some(at("2018-11-04T06:30:00Z")), "{text}");
        }
        for text in ["", "yesterday", "2018-13-01 00:00:00", "2018-11-04"] {
            assert_eq!(local.read(text), None, "{text}");
        }
    }
}
