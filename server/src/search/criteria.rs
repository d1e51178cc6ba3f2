//! What can be asked, and what is wrong with what was asked.
//!
//! A packet matches when every part holds for it: for words, a person, a plate and a phone
//! one of its entries has them (each its own entry), for the rest the call itself.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::place::Point;
use super::terms;
use crate::address;
use crate::audit;
use crate::policy::Sight;

/// Longest text of one part, in characters.
pub const PART_CHARS_MAX: usize = 200;
/// Most words that one search asks for.
pub const WORDS_MAX: usize = 12;
/// Widest circle, in metres.
pub const RADIUS_M_MAX: u32 = 20_000;
/// A circle, where somebody gives its middle and no radius.
pub const RADIUS_M_DEFAULT: u32 = 250;
/// Most entries of one part that are looked at, the newest: a word that is everywhere does
/// not read the whole log. Where there are more, the total is *at least*.
pub const HITS_MAX: usize = 20_000;

/// A part of a search, as the API and the console's form name it. Empty: not asked.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct SearchRequest {
    /// All of them in one entry; `"in quotes"`: in this order; `beginning*`.
    pub words: String,
    pub person: String,
    pub plate: String,
    pub phone: String,
    /// The building: its apartments are found with it.
    pub address: String,
    /// Degrees, WGS 84.
    pub latitude: String,
    pub longitude: String,
    pub radius_m: String,
    /// When the call was received: RFC 3339, or a date or time of the asker's zone.
    pub from: String,
    pub to: String,
    /// `open` or `closed`.
    pub state: String,
}

impl SearchRequest {
    /// Nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        [
            &self.words,
            &self.person,
            &self.plate,
            &self.phone,
            &self.address,
            &self.latitude,
            &self.longitude,
            &self.radius_m,
            &self.from,
            &self.to,
            &self.state,
        ]
        .iter()
        .all(|part| part.trim().is_empty())
    }
}

/// What is wrong with a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wanted}")]
pub struct Wrong {
    pub field: &'static str,
    pub wanted: String,
}

/// What is asked. As saved searches keep it, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub person: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub plate: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phone: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circle: Option<Circle>,
    /// Milliseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
}

/// A place and how far around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Circle {
    /// Millionths of a degree, WGS 84.
    pub latitude_e6: i32,
    pub longitude_e6: i32,
    pub radius_m: u32,
}

impl Criteria {
    /// Reads what somebody asks. Dates and times without a zone are `zone`'s.
    ///
    /// # Errors
    /// Names the first part that is wrong, and what was wanted.
    pub fn of(request: &SearchRequest, zone: &TimeZone) -> Result<Self, Wrong> {
        let criteria = Self {
            words: part("words", &request.words)?,
            person: part("person", &request.person)?,
            plate: part("plate", &request.plate)?,
            phone: part("phone", &request.phone)?,
            address: part("address", &request.address)?,
            circle: circle(request)?,
            from_ms: time("from", &request.from, zone, false)?,
            to_ms: time("to", &request.to, zone, true)?,
            open: match request.state.as_str() {
                "" | "all" => None,
                "open" => Some(true),
                "closed" => Some(false),
                _ => return wrong("state", "open, closed or all"),
            },
        };
        criteria.check()?;
        Ok(criteria)
    }

    fn check(&self) -> Result<(), Wrong> {
        if terms::count(&self.words) > WORDS_MAX {
            return wrong("words", format!("at most {WORDS_MAX} words"));
        }
        let is_readable = |text: &str, term: Option<String>| text.is_empty() || term.is_some();
        if !is_readable(&self.words, terms::words(&self.words)) {
            return wrong("words", "at least one letter or digit");
        }
        if !is_readable(&self.person, terms::person(&self.person)) {
            return wrong("person", "a name");
        }
        if !is_readable(&self.plate, terms::plate(&self.plate)) {
            return wrong("plate", "letters and digits");
        }
        if !is_readable(&self.phone, terms::phone(&self.phone)) {
            return wrong("phone", "7 or 10 digits");
        }
        if !self.address.is_empty() && address::normalise(&self.address).building.is_empty() {
            return wrong("address", "an address, such as 5237 N 35TH ST");
        }
        if self
            .from_ms
            .zip(self.to_ms)
            .is_some_and(|(from, to)| from > to)
        {
            return wrong("to", "a time after from");
        }
        if *self == Self::default()
            || *self
                == (Self {
                    open: self.open,
                    ..Self::default()
                })
        {
            return wrong("words", "something to look for, in any of the parts");
        }
        Ok(())
    }

    /// As somebody would ask it.
    #[must_use]
    pub fn request(&self) -> SearchRequest {
        let of_circle =
            |part: fn(&Circle) -> String| self.circle.as_ref().map(part).unwrap_or_default();
        let time = |ms: Option<i64>| {
            let at = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
            at.map(|at| at.to_string()).unwrap_or_default()
        };
        SearchRequest {
            words: self.words.clone(),
            person: self.person.clone(),
            plate: self.plate.clone(),
            phone: self.phone.clone(),
            address: self.address.clone(),
            latitude: of_circle(|circle| in_degrees(circle.latitude_e6)),
            longitude: of_circle(|circle| in_degrees(circle.longitude_e6)),
            radius_m: of_circle(|circle| circle.radius_m.to_string()),
            from: time(self.from_ms),
            to: time(self.to_ms),
            state: match self.open {
                None => String::new(),
                Some(true) => "open".into(),
                Some(false) => "closed".into(),
            },
        }
    }

    /// What is looked for in entries, in FTS5's language.
    pub(super) fn terms(&self) -> Vec<String> {
        [
            terms::words(&self.words),
            terms::person(&self.person),
            terms::plate(&self.plate),
            terms::phone(&self.phone),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What must hold for `c`, a row of `calls`, with its parameters from `?1` on.
    pub(super) fn condition(&self, sight: &Sight) -> Condition {
        let mut condition = self.condition_of_call(sight);
        let (whose, within) = sight.of_entries();
        for term in self.terms() {
            let term = condition.put(term.into());
            condition.and(format!(
                "c.call IN (SELECT e.call FROM entry_words AS w JOIN search_entries AS e ON e.seq = w.rowid {whose}
                 WHERE w.entry_words MATCH {term} AND {within} ORDER BY w.rowid DESC LIMIT {HITS_MAX})"
            ));
        }
        condition
    }

    /// As [`Criteria::condition`], of what the call itself says: nothing of its entries.
    pub(super) fn condition_of_call(&self, sight: &Sight) -> Condition {
        let mut condition = Condition::default();
        condition.and(sight.knows("c.agency"));
        if !self.address.is_empty() {
            let building = condition.put(address::normalise(&self.address).building.into());
            condition.and(format!("c.address = {building}"));
        }
        if let Some(circle) = &self.circle {
            condition.within(circle);
        }
        if let Some(from_ms) = self.from_ms {
            let from = condition.put(from_ms.into());
            condition.and(format!("c.received_ms >= {from}"));
        }
        if let Some(to_ms) = self.to_ms {
            let to = condition.put(to_ms.into());
            condition.and(format!("c.received_ms <= {to}"));
        }
        if let Some(open) = self.open {
            let open = condition.put(i64::from(open).into());
            condition.and(format!("c.open = {open}"));
        }
        condition
    }

    /// In words, for the audit log and for lists of saved searches.
    #[must_use]
    pub fn in_words(&self) -> String {
        self.told(true)
    }

    /// As the audit log has it: without what a person is found by.
    #[must_use]
    pub(crate) fn on_record(&self) -> String {
        self.told(false)
    }

    /// … which stands there as keyed hashes.
    pub(crate) fn subjects(&self) -> Vec<audit::Subject> {
        let parts = [
            ("words", &self.words),
            ("person", &self.person),
            ("plate", &self.plate),
            ("phone", &self.phone),
            ("address", &self.address),
        ];
        let read = |(kind, value): (&str, &String)| audit::Subject::read(kind, value);
        parts.into_iter().filter_map(read).collect()
    }

    fn told(&self, with_subjects: bool) -> String {
        let time = |ms: i64| {
            Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
        };
        let parts = [
            (
                "words",
                (!self.words.is_empty()).then(|| self.words.clone()),
            ),
            (
                "person",
                (!self.person.is_empty()).then(|| self.person.clone()),
            ),
            (
                "plate",
                (!self.plate.is_empty()).then(|| self.plate.clone()),
            ),
            (
                "phone",
                (!self.phone.is_empty()).then(|| self.phone.clone()),
            ),
            (
                "address",
                (!self.address.is_empty()).then(|| self.address.clone()),
            ),
            (
                "within",
                self.circle.map(|circle| {
                    let (latitude, longitude) = (
                        f64::from(circle.latitude_e6) / 1e6,
                        f64::from(circle.longitude_e6) / 1e6,
                    );
                    format!("{} m of {latitude:.6}, {longitude:.6}", circle.radius_m)
                }),
            ),
            ("from", self.from_ms.map(time)),
            ("to", self.to_ms.map(time)),
            (
                "state",
                self.open
                    .map(|open| if open { "open" } else { "closed" }.to_owned()),
            ),
        ];
        let said: Vec<String> = parts
            .into_iter()
            .filter_map(|(name, value)| {
                let value = value?;
                let is_subject = matches!(
                    name,
                    "words" | "person" | "plate" | "phone" | "address" | "within"
                );
                Some(if with_subjects || !is_subject {
                    format!("{name} {value}")
                } else {
                    name.to_owned()
                })
            })
            .collect();
        said.join("; ")
    }
}

fn in_degrees(e6: i32) -> String {
    format!("{:.6}", f64::from(e6) / 1e6)
}

/// SQL and its parameters. Every value is a parameter.
#[derive(Debug, Default)]
pub(super) struct Condition {
    parts: Vec<String>,
    pub(super) values: Vec<Value>,
}

impl Condition {
    /// The parameter's name.
    pub(super) fn put(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }

    pub(super) fn and(&mut self, part: String) {
        self.parts.push(part);
    }

    fn within(&mut self, circle: &Circle) {
        let middle = Point {
            latitude_e6: circle.latitude_e6,
            longitude_e6: circle.longitude_e6,
        };
        let (around, (north, east)) = (middle.around(circle.radius_m), middle.scale());
        let [low, high, left, right, latitude, longitude] = [
            around.south,
            around.north,
            around.west,
            around.east,
            i64::from(circle.latitude_e6),
            i64::from(circle.longitude_e6),
        ]
        .map(|value| self.put(value.into()));
        let [north, east, square] =
            [north, east, f64::from(circle.radius_m).powi(2)].map(|value| self.put(value.into()));
        self.and(format!(
            "c.call IN (SELECT call FROM call_places
             WHERE south >= {low} AND north <= {high} AND west >= {left} AND east <= {right}
             AND ((south - {latitude}) * {north}) * ((south - {latitude}) * {north})
               + ((west - {longitude}) * {east}) * ((west - {longitude}) * {east}) <= {square})"
        ));
    }

    pub(super) fn sql(&self) -> String {
        if self.parts.is_empty() {
            "1".into()
        } else {
            self.parts.join(" AND ")
        }
    }
}

fn wrong<T>(field: &'static str, wanted: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong {
        field,
        wanted: wanted.into(),
    })
}

fn part(field: &'static str, text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    if text.chars().count() > PART_CHARS_MAX {
        return wrong(field, format!("at most {PART_CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}

fn circle(request: &SearchRequest) -> Result<Option<Circle>, Wrong> {
    let degrees = |field, text: &str, most: f64| match text.trim() {
        "" => Ok(None),
        text => match text.parse::<f64>() {
            Ok(degrees) if degrees.abs() <= most => Ok(Some(degrees)),
            _ => wrong(field, format!("degrees, at most {most} either way")),
        },
    };
    let latitude = degrees("latitude", &request.latitude, 90.0)?;
    let longitude = degrees("longitude", &request.longitude, 180.0)?;
    let radius_m = match request.radius_m.trim() {
        "" => None,
        text => match text.parse::<u32>() {
            Ok(radius_m) if (1..=RADIUS_M_MAX).contains(&radius_m) => Some(radius_m),
            _ => return wrong("radius_m", format!("metres, from 1 to {RADIUS_M_MAX}")),
        },
    };
    match (latitude, longitude) {
        (Some(latitude), Some(longitude)) => {
            let middle = Point::of_degrees(latitude, longitude);
            Ok(Some(Circle {
                latitude_e6: middle.latitude_e6,
                longitude_e6: middle.longitude_e6,
                radius_m: radius_m.unwrap_or(RADIUS_M_DEFAULT),
            }))
        }
        (None, None) if radius_m.is_none() => Ok(None),
        (None, _) => wrong("latitude", "the latitude of the circle's middle"),
        (Some(_), None) => wrong("longitude", "the longitude of the circle's middle"),
    }
}

/// A day means all of it: `is_end` takes its last millisecond.
fn time(
    field: &'static str,
    text: &str,
    zone: &TimeZone,
    is_end: bool,
) -> Result<Option<i64>, Wrong> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at.as_millisecond()));
    }
    let midnight = |date: Date| date.to_zoned(zone.clone()).ok();
    let at = if let Ok(date) = text.parse::<Date>()
        && !text.contains('T')
    {
        if is_end {
            let next = date.tomorrow().ok().and_then(midnight);
            next.map(|next| next.timestamp().as_millisecond() - 1)
        } else {
            midnight(date).map(|at| at.timestamp().as_millisecond())
        }
    } else {
        let at = text.parse::<DateTime>().ok();
        let zoned = at.and_then(|at| at.to_zoned(zone.clone()).ok());
        zoned.map(|at| at.timestamp().as_millisecond())
    };
    match at {
        Some(ms) => Ok(Some(ms)),
        None => wrong(field, "a time such as 2026-11-28T18:00:00Z, or a date"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(request: SearchRequest) -> Result<Criteria, Wrong> {
        Criteria::of(&request, &TimeZone::UTC)
    }

    #[test]
    fn what_is_wrong_names_its_part() {
        let field = |request| of(request).unwrap_err().field;
        let request = SearchRequest::default;
        assert_eq!(field(request()), "words");
        assert_eq!(
            field(SearchRequest {
                state: "open".into(),
                ..request()
            }),
            "words"
        );
        assert_eq!(
            field(SearchRequest {
                words: "--".into(),
                ..request()
            }),
            "words"
        );
        assert_eq!(
            field(SearchRequest {
                words: "a ".repeat(13),
                ..request()
            }),
            "words"
        );
        assert_eq!(
            field(SearchRequest {
                phone: "555".into(),
                ..request()
            }),
            "phone"
        );
        assert_eq!(
            field(SearchRequest {
                latitude: "91".into(),
                ..request()
            }),
            "latitude"
        );
        assert_eq!(
            field(SearchRequest {
                latitude: "NaN".into(),
                ..request()
            }),
            "latitude"
        );
        assert_eq!(
            field(SearchRequest {
                latitude: "43".into(),
                ..request()
            }),
            "longitude"
        );
        assert_eq!(
            field(SearchRequest {
                radius_m: "50".into(),
                ..request()
            }),
            "latitude"
        );
        assert_eq!(
            field(SearchRequest {
                from: "yesterday".into(),
                ..request()
            }),
            "from"
        );
        assert_eq!(
            field(SearchRequest {
                person: "x".repeat(201),
                ..request()
            }),
            "person"
        );
        assert_eq!(
            field(SearchRequest {
                from: "2026-02-02".into(),
                to: "2026-02-01".into(),
                ..request()
            }),
            "to"
        );
        assert_eq!(
            field(SearchRequest {
                words: "a".into(),
                state: "shut".into(),
                ..request()
            }),
            "state"
        );
    }

    #[test]
    fn a_day_is_all_of_it_and_a_search_survives_being_saved() {
        let criteria = of(SearchRequest {
            from: "2026-11-28".into(),
            to: "2026-11-28".into(),
            latitude: "43.05".into(),
            longitude: "-87.95".into(),
            ..SearchRequest::default()
        })
        .unwrap();
        assert_eq!(
            criteria.to_ms.unwrap() - criteria.from_ms.unwrap(),
            86_400_000 - 1
        );
        assert_eq!(criteria.circle.unwrap().radius_m, RADIUS_M_DEFAULT);
        let saved = serde_json::to_string(&criteria).unwrap();
        assert_eq!(serde_json::from_str::<Criteria>(&saved).unwrap(), criteria);
        assert_eq!(of(criteria.request()).unwrap(), criteria);
        assert!(
            criteria
                .in_words()
                .contains("within 250 m of 43.050000, -87.950000")
        );
    }
}
