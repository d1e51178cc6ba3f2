//! The shape of an entry and its limits.

use jiff::Timestamp;
use jiff::civil::Date;
use packet::{EntryError, Topic, lookup};
use serde::{Deserialize, Serialize};

use super::names::{Wanted, is_partial};
use super::words;

/// A list, an agency, an author, a name, a beat's id.
pub const NAME_CHARS_MAX: usize = 80;
pub const NUMBER_CHARS_MAX: usize = 64;
pub const TEXT_CHARS_MAX: usize = 1_000;
pub const VEHICLE_CHARS_MAX: usize = 160;
pub const BEATS_MAX: usize = 50;
/// No list is right for longer than this without being looked at.
pub const ENDS_AFTER_MS_MAX: i64 = 400 * 24 * 60 * 60 * 1_000;
const PLATE_CHARS_MAX: usize = 10;
/// Fewer known characters of a plate fit half the town.
const PARTIAL_KNOWN_CHARS_MIN: usize = 3;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HotKind {
    /// A vehicle or a plate that is stolen.
    Stolen,
    /// A person that is wanted.
    Wanted,
    /// A person that is missed.
    Missing,
    /// "Be on the lookout".
    Bolo,
}

impl HotKind {
    #[must_use]
    pub fn topic(self) -> Topic {
        match self {
            Self::Stolen => Topic::Stolen,
            Self::Wanted => Topic::Wanted,
            Self::Missing => Topic::Missing,
            Self::Bolo => Topic::Bolo,
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stolen => "Stolen",
            Self::Wanted => "Wanted",
            Self::Missing => "Missing",
            Self::Bolo => "BOLO",
        }
    }
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HotEntry {
    pub kind: HotKind,
    /// Which list it is on.
    pub list: String,
    /// Whose list that is.
    pub agency: String,
    /// Who put it there.
    pub author: String,
    /// The list's own number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    pub ends: Timestamp,
    /// Who meets it may be hurt: it goes to `safety`, and sounds.
    #[serde(default)]
    pub danger: bool,
    /// What whoever meets it should know.
    pub text: String,
    #[serde(flatten)]
    pub wanted: Wanted,
    /// The beats whose units carry it before there is a call; all where it says none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beats: Vec<String>,
}

/// An entry as somebody gives it: a field that is misspelt is named, not lost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRequest {
    pub kind: HotKind,
    pub list: Option<String>,
    pub agency: Option<String>,
    pub author: Option<String>,
    pub number: Option<String>,
    pub ends: Timestamp,
    #[serde(default)]
    pub danger: bool,
    pub text: String,
    pub plate: Option<String>,
    pub state: Option<String>,
    pub name: Option<String>,
    /// Such as `1980-02-03`.
    pub date_of_birth: Option<Date>,
    pub phone: Option<String>,
    /// In words: colour, make, model, year, what else tells it from others.
    pub vehicle: Option<String>,
    #[serde(default)]
    pub beats: Vec<String>,
}

impl EntryRequest {
    /// The entry in the form in which it is kept and compared.
    ///
    /// # Errors
    /// Names the first field that is missing or breaks a limit, and what was wanted.
    pub fn checked(self, now_ms: i64) -> Result<HotEntry, EntryError> {
        let entry = HotEntry {
            kind: self.kind,
            list: self.list.unwrap_or_default(),
            agency: self.agency.unwrap_or_default(),
            author: self.author.unwrap_or_default(),
            number: self.number,
            ends: self.ends,
            danger: self.danger,
            text: self.text,
            wanted: Wanted {
                plate: self.plate,
                state: self.state,
                name: self.name,
                date_of_birth: self.date_of_birth,
                phone: self.phone,
                vehicle: self.vehicle,
            },
            beats: self.beats,
        };
        entry.checked(now_ms)
    }
}

impl HotEntry {
    /// The list's own number; empty where it has none.
    #[must_use]
    pub fn number(&self) -> &str {
        self.number.as_deref().unwrap_or_default()
    }

    /// The entry in the form in which it is kept and compared.
    ///
    /// # Errors
    /// Names the first field that breaks a limit, and what was wanted.
    pub fn checked(mut self, now_ms: i64) -> Result<Self, EntryError> {
        trim("list", &mut self.list, NAME_CHARS_MAX)?;
        trim("agency", &mut self.agency, NAME_CHARS_MAX)?;
        trim("author", &mut self.author, NAME_CHARS_MAX)?;
        trim("text", &mut self.text, TEXT_CHARS_MAX)?;
        optional("number", &mut self.number, NUMBER_CHARS_MAX)?;
        optional("name", &mut self.wanted.name, NAME_CHARS_MAX)?;
        optional("vehicle", &mut self.wanted.vehicle, VEHICLE_CHARS_MAX)?;
        self.wanted.plate = self.wanted.plate.take().map(plate).transpose()?;
        optional("state", &mut self.wanted.state, 2)?;
        if let Some(state) = &mut self.wanted.state {
            *state = state.to_uppercase();
            if !words::is_state(state) {
                return Err(field("state", "a state's two letters"));
            }
            if self.wanted.plate.is_none() {
                return Err(field("state", "the plate that is of this state"));
            }
        }
        if let Some(phone) = &mut self.wanted.phone {
            *phone = words::phone(phone).ok_or_else(|| field("phone", "a number of ten digits"))?;
        }
        if let Some(name) = &self.wanted.name
            && words::name_parts(name).1.is_empty()
        {
            return Err(field("name", "a surname and a given name: \"DOE, JANE\""));
        }
        if self.wanted.date_of_birth.is_some() && self.wanted.name.is_none() {
            return Err(field("date_of_birth", "the name of whose it is"));
        }
        self.named_as_its_kind_wants()?;
        if self.beats.len() > BEATS_MAX {
            return Err(field("beats", &format!("at most {BEATS_MAX}")));
        }
        for beat in &mut self.beats {
            trim("beats", beat, NAME_CHARS_MAX)?;
        }
        ends(self.ends, now_ms)?;
        Ok(self)
    }

    fn named_as_its_kind_wants(&self) -> Result<(), EntryError> {
        let Wanted {
            plate,
            name,
            phone,
            vehicle,
            ..
        } = &self.wanted;
        let is_empty = plate.is_none() && name.is_none() && phone.is_none() && vehicle.is_none();
        match self.kind {
            HotKind::Stolen if plate.is_none() && vehicle.is_none() => {
                Err(field("plate", "a plate, or the vehicle in words"))
            }
            HotKind::Wanted | HotKind::Missing if is_empty => Err(field(
                "name",
                "whom to look for: a name, a plate or a phone",
            )),
            _ => Ok(()),
        }
    }
}

/// When something ends that is kept for later: after now, and not for ever.
pub(crate) fn ends(ends: Timestamp, now_ms: i64) -> Result<(), EntryError> {
    let in_ms = ends.as_millisecond().saturating_sub(now_ms);
    if (1..=ENDS_AFTER_MS_MAX).contains(&in_ms) {
        return Ok(());
    }
    let days = ENDS_AFTER_MS_MAX / (24 * 60 * 60 * 1_000);
    Err(field(
        "ends",
        &format!("a time after now, at most {days} days"),
    ))
}

fn plate(text: String) -> Result<String, EntryError> {
    let plate = lookup::partial_plate(&text);
    let known = plate.chars().filter(char::is_ascii_alphanumeric).count();
    let at_least = if is_partial(&plate) {
        PARTIAL_KNOWN_CHARS_MIN
    } else {
        1
    };
    if known < at_least || plate.len() > PLATE_CHARS_MAX {
        return Err(field(
            "plate",
            &format!(
                "letters and digits, at most {PLATE_CHARS_MAX}; of a part of a plate at least \
                 {PARTIAL_KNOWN_CHARS_MIN} are known, with ? for one that is not and * for any number"
            ),
        ));
    }
    Ok(plate)
}

pub(crate) fn field(field: &'static str, wanted: &str) -> EntryError {
    EntryError::Field {
        field,
        wanted: wanted.into(),
    }
}

/// Text of 1 to so many characters that a screen can show, trimmed.
pub(crate) fn trim(
    name: &'static str,
    text: &mut String,
    chars_max: usize,
) -> Result<(), EntryError> {
    *text = text.trim().to_owned();
    let is_shown = !text.contains(|c: char| c.is_control() && c != '\n' && c != '\t');
    if (1..=chars_max).contains(&text.chars().count()) && is_shown {
        return Ok(());
    }
    Err(field(
        name,
        &format!("text of 1 to {chars_max} characters that can be shown"),
    ))
}

/// As [`trim`]; empty is the same as not there.
pub(crate) fn optional(
    name: &'static str,
    text: &mut Option<String>,
    chars_max: usize,
) -> Result<(), EntryError> {
    if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
        *text = None;
    }
    text.as_mut()
        .map_or(Ok(()), |text| trim(name, text, chars_max))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW_MS: i64 = 1_767_268_982_000;

    fn stolen() -> HotEntry {
        HotEntry {
            kind: HotKind::Stolen,
            list: "Stolen vehicles".into(),
            agency: "County sheriff".into(),
            author: "K. Lund".into(),
            number: Some(" 26-17 ".into()),
            ends: Timestamp::from_millisecond(NOW_MS + 1_000).unwrap(),
            danger: false,
            text: "Taken from 5th and Oak".into(),
            wanted: Wanted {
                plate: Some("abc-123".into()),
                state: Some("wi".into()),
                ..Wanted::default()
            },
            beats: vec![],
        }
    }

    #[test]
    fn an_entry_is_kept_in_the_form_in_which_it_is_compared() {
        let kept = stolen().checked(NOW_MS).unwrap();
        assert_eq!(kept.wanted.text(), "ABC123 WI");
        assert_eq!(kept.number(), "26-17");
        assert_eq!(kept.clone().checked(NOW_MS).unwrap(), kept);
        let json = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<HotEntry>(&json).unwrap(), kept);
    }

    #[test]
    fn what_breaks_a_limit_is_named_with_what_was_wanted() {
        type Breaks = fn(&mut HotEntry);
        let broken: [(&str, Breaks); 14] = [
            ("list", |e| e.list = " ".into()),
            ("author", |e| e.author = "x".repeat(NAME_CHARS_MAX + 1)),
            ("text", |e| e.text = "a\u{7}b".into()),
            ("ends", |e| {
                e.ends = Timestamp::from_millisecond(NOW_MS).unwrap()
            }),
            ("ends", |e| e.ends = Timestamp::MAX),
            ("plate", |e| e.wanted.plate = Some("-".into())),
            ("plate", |e| e.wanted.plate = Some("AB*".into())),
            ("plate", |e| e.wanted.plate = Some("ABCDEFGHIJK".into())),
            ("plate", |e| {
                e.wanted = Wanted::default();
            }),
            ("state", |e| e.wanted.state = Some("XX".into())),
            ("phone", |e| e.wanted.phone = Some("555-0123".into())),
            ("name", |e| e.wanted.name = Some("Doe".into())),
            ("date_of_birth", |e| {
                e.wanted.date_of_birth = Some("1980-02-03".parse().unwrap());
            }),
            ("beats", |e| e.beats = vec!["1".into(); BEATS_MAX + 1]),
        ];
        for (name, breaks) in broken {
            let mut entry = stolen();
            breaks(&mut entry);
            let error = entry.checked(NOW_MS).unwrap_err().to_string();
            assert!(error.starts_with(name), "{name}: {error}");
        }
        let mut lookout = stolen();
        (lookout.kind, lookout.wanted) = (HotKind::Bolo, Wanted::default());
        lookout.checked(NOW_MS).unwrap();
    }
}
