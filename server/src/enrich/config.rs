//! `[[sources]]` in the configuration: all that makes a source, without a line of code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use packet::{Compartment, Confidence, Subject, Topic};
use serde::Deserialize;

use super::fill::Name;
use super::map::Gives;
use super::schedule::Limits;
use super::secret::SecretConfig;
use crate::config::PurposeConfig;

/// Most sources of a center.
pub const SOURCES_MAX: usize = 64;

/// One source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// As screens show it.
    pub name: String,
    /// Whose it is: the `id` of one of the center's agencies.
    #[serde(default)]
    pub agency: Option<String>,
    /// What it can be asked about: one, or a list.
    #[serde(deserialize_with = "one_or_more")]
    pub asks: Vec<Asks>,
    /// How it is asked: exactly one of these three.
    #[serde(default)]
    pub http: Option<HttpConfig>,
    #[serde(default)]
    pub sql: Option<SqlConfig>,
    #[serde(default)]
    pub file: Option<FileConfig>,
    /// The shape of its answers, where it is one that the center knows …
    #[serde(default)]
    pub gives: Option<Gives>,
    /// … or a jq program that makes findings of them. Neither: rows of a table.
    #[serde(default)]
    pub mapping: Option<PathBuf>,
    /// Where its findings go. Cautions go to `safety`, whatever stands here.
    #[serde(default = "the_call")]
    pub compartment: Compartment,
    /// How its findings match, where its mapping does not say.
    #[serde(default = "exactly")]
    pub confidence: Confidence,
    /// Asked of each new call by itself; if not, only when a person asks.
    #[serde(default = "yes")]
    pub automatic: bool,
    /// The purpose codes that it accepts; none: all of the center's.
    #[serde(default)]
    pub purposes: Vec<String>,
    /// It wants to know why a person asks, in words.
    #[serde(default)]
    pub reason: bool,
    /// What stands for `{secret}`: where it is, never what it is.
    #[serde(default)]
    pub secret: Option<SecretConfig>,
    /// How long one attempt may take.
    #[serde(default = "three_seconds")]
    pub timeout_ms: u32,
    /// How long a packet waits for the answer, with all attempts.
    #[serde(default = "two_minutes")]
    pub deadline_ms: u32,
    /// Most attempts at a time.
    #[serde(default = "eight")]
    pub in_flight: u16,
    /// Most attempts in a minute, of which a twelfth may come at once.
    #[serde(default = "six_thousand")]
    pub per_minute: u32,
    /// How long an answer is good for whoever asks the same.
    #[serde(default = "a_minute")]
    pub cache_s: u32,
    /// What `forerunner sources check` asks about, in place of something made up.
    #[serde(default)]
    pub sample: Option<String>,
    /// Which cautions that it brings beside restricted findings go to `safety` by themselves;
    /// all others of it wait for a person.
    #[serde(default)]
    pub releases: Vec<ReleaseRule>,
}

/// The agency that owns a source has approved that cautions are released which it brings
/// beside a record about this.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRule {
    /// What the record is about, such as `wanted`.
    pub topic: Topic,
    /// Who has approved it, by name.
    pub approved_by: String,
    /// And when.
    pub on: Date,
}

/// What a source can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    Address,
    Plate,
    Person,
    Phone,
    Position,
}

impl Asks {
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Address(_) => Self::Address,
            Subject::Plate { .. } => Self::Plate,
            Subject::Person { .. } => Self::Person,
            Subject::Phone(_) => Self::Phone,
            Subject::Position { .. } => Self::Position,
        }
    }

    /// As people say it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Plate => "plate",
            Self::Person => "person",
            Self::Phone => "phone",
            Self::Position => "position",
        }
    }

    /// What a question about it must hold: one of each of these.
    fn needs(self) -> &'static [&'static [Name]] {
        match self {
            Self::Address => &[&[Name::Address]],
            Self::Plate => &[&[Name::Plate]],
            Self::Person => &[&[Name::Name, Name::Last]],
            Self::Phone => &[&[Name::Phone]],
            Self::Position => &[&[Name::Latitude], &[Name::Longitude]],
        }
    }
}

/// A question over HTTP. `{address}`, `{plate}`, `{state}`, `{name}`, `{first}`, `{last}`,
/// `{born}`, `{phone}`, `{latitude}`, `{longitude}`, `{purpose}`, `{reason}` and `{secret}`
/// stand for what is asked, escaped for where they stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    pub url: String,
    /// Sent by POST; without one it is a GET.
    #[serde(default)]
    pub body: Option<String>,
    /// Of the body.
    #[serde(default = "json_type")]
    pub content_type: String,
    /// Takes `{secret}` and `{purpose}`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub format: Format,
    /// The certificate authority that vouches for it, in PEM; the system's where there is none.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// What its answers are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    Xml,
}

/// A question to a database: one `SELECT`, in which `:plate` and the like are parameters.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlConfig {
    /// `postgresql://user@host:port/database` (the password is the source's `secret`), or
    /// the path of a SQLite file.
    pub database: String,
    pub select: String,
    /// The certificate authority that vouches for a PostgreSQL, in PEM: with one it is
    /// spoken to by TLS and no other way. One on another machine must have one.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A CSV file with a header, kept in memory, and read again when it changes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    pub csv: PathBuf,
    /// Which column must be what is asked about: `{ plate = "PLATE_NO" }`. Compared by
    /// letters and digits alone, without regard to case; an address as addresses are.
    #[serde(rename = "match")]
    pub columns: BTreeMap<String, String>,
}

fn the_call() -> Compartment {
    Compartment::Call
}

fn exactly() -> Confidence {
    Confidence::Exact
}

fn yes() -> bool {
    true
}

fn three_seconds() -> u32 {
    3_000
}

fn two_minutes() -> u32 {
    120_000
}

fn eight() -> u16 {
    8
}

fn six_thousand() -> u32 {
    6_000
}

fn a_minute() -> u32 {
    60
}

fn json_type() -> String {
    "application/json".into()
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Asks>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "address, plate, person, phone or position, or a list of these"
    )]
    enum OneOrMore {
        One(Asks),
        More(Vec<Asks>),
    }
    Ok(match OneOrMore::deserialize(from)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    })
}

/// The field, and what was wanted of it.
pub(crate) type Wrong = (&'static str, String);

impl SourceConfig {
    /// A source over HTTP, everything else as it is by default.
    #[must_use]
    pub fn over_http(name: &str, asks: Asks, gives: Gives, url: String) -> Self {
        Self {
            name: name.to_owned(),
            agency: None,
            asks: vec![asks],
            http: Some(HttpConfig {
                url,
                body: None,
                content_type: json_type(),
                headers: BTreeMap::new(),
                format: Format::Json,
                ca: None,
            }),
            sql: None,
            file: None,
            gives: Some(gives),
            mapping: None,
            compartment: the_call(),
            confidence: exactly(),
            automatic: true,
            purposes: Vec::new(),
            reason: false,
            secret: None,
            timeout_ms: three_seconds(),
            deadline_ms: two_minutes(),
            in_flight: eight(),
            per_minute: six_thousand(),
            cache_s: a_minute(),
            sample: None,
            releases: Vec::new(),
        }
    }

    /// Paths are relative to the configuration's folder.
    pub(crate) fn beside(&mut self, folder: &Path) {
        let join = |path: &mut PathBuf| *path = folder.join(&*path);
        self.mapping.iter_mut().for_each(join);
        if let Some(http) = &mut self.http {
            http.ca.iter_mut().for_each(join);
        }
        if let Some(sql) = &mut self.sql {
            sql.ca.iter_mut().for_each(join);
            if !sql.is_postgres() {
                sql.database = folder.join(&sql.database).display().to_string();
            }
        }
        if let Some(file) = &mut self.file {
            join(&mut file.csv);
        }
        if let Some(secret) = &mut self.secret {
            secret.beside(folder);
        }
    }

    /// # Errors
    /// The first field that does not hold, and what was wanted. What is in files is looked
    /// at when the source is opened.
    pub(crate) fn check(
        &self,
        agencies: &[String],
        purposes: &[PurposeConfig],
    ) -> Result<(), Wrong> {
        let wrong = |field, wanted: &str| Err((field, wanted.to_owned()));
        if self.name.trim().is_empty() || self.name.chars().count() > 60 {
            return wrong("name", "1 to 60 characters");
        }
        if let Some(agency) = &self.agency
            && !agencies.contains(agency)
        {
            return wrong("agency", "the id of one of the center's agencies");
        }
        if !self.releases.is_empty() && self.agency.is_none() {
            return wrong(
                "releases",
                "none without `agency`: who owns the source approves them",
            );
        }
        if self
            .releases
            .iter()
            .any(|rule| rule.approved_by.trim().is_empty())
        {
            return wrong("releases.approved_by", "the name of who approved it");
        }
        if self.asks.is_empty() {
            return wrong(
                "asks",
                "address, plate, person, phone or position, or a list of these",
            );
        }
        let connectors = [self.http.is_some(), self.sql.is_some(), self.file.is_some()];
        if connectors.into_iter().filter(|is_there| *is_there).count() != 1 {
            return wrong("http, sql, file", "exactly one of them");
        }
        if self.gives.is_some() && self.mapping.is_some() {
            return wrong("gives, mapping", "one of them at most");
        }
        if self.http.is_some() && self.gives.is_none() && self.mapping.is_none() {
            return wrong("gives", "the shape of its answers, or a mapping");
        }
        if let Some(unknown) = self
            .purposes
            .iter()
            .find(|code| !purposes.iter().any(|purpose| purpose.code == **code))
        {
            let known: Vec<_> = purposes.iter().map(|p| p.code.as_str()).collect();
            let wanted = format!(
                "codes of the center's purposes ({}), not {unknown}",
                known.join(", ")
            );
            return Err(("purposes", wanted));
        }
        if !(10..=60_000).contains(&self.timeout_ms) {
            return wrong("timeout_ms", "10 to 60000");
        }
        if !(self.timeout_ms..=600_000).contains(&self.deadline_ms) {
            return wrong("deadline_ms", "timeout_ms to 600000");
        }
        if !(1..=64).contains(&self.in_flight) {
            return wrong("in_flight", "1 to 64");
        }
        if !(1..=60_000).contains(&self.per_minute) {
            return wrong("per_minute", "1 to 60000");
        }
        if self.cache_s > 86_400 {
            return wrong("cache_s", "at most 86400");
        }
        Ok(())
    }

    /// Whether each thing that it is asked about stands in its question.
    pub(super) fn check_names(
        &self,
        field: &'static str,
        uses: impl Fn(Name) -> bool,
    ) -> Result<(), Wrong> {
        for asks in &self.asks {
            for names in asks.needs() {
                if !names.iter().any(|name| uses(*name)) {
                    let words: Vec<_> = names.iter().map(|name| name.word()).collect();
                    let wanted = format!(
                        "{} in it, to be asked about {}",
                        words.join(" or "),
                        asks.word()
                    );
                    return Err((field, wanted));
                }
            }
        }
        Ok(())
    }

    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            timeout_ms: self.timeout_ms,
            deadline_ms: self.deadline_ms,
            in_flight_max: self.in_flight,
            per_minute_max: self.per_minute,
            cache_ms: self.cache_s.saturating_mul(1_000),
        }
    }

    /// Whether it is told this of whoever asks; a database's parameters have a colon in front.
    pub(super) fn tells(&self, name: Name) -> bool {
        let (braces, colon) = (format!("{{{}}}", name.word()), format!(":{}", name.word()));
        let http = self.http.as_ref().is_some_and(|http| {
            let texts = [Some(&http.url), http.body.as_ref()];
            texts
                .into_iter()
                .flatten()
                .chain(http.headers.values())
                .any(|text| text.contains(&braces))
        });
        http || self
            .sql
            .as_ref()
            .is_some_and(|sql| sql.select.contains(&colon))
    }
}

impl SqlConfig {
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        ["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| self.database.starts_with(scheme))
    }
}
