//! `[[cads]]` in the configuration.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One dispatch system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CadConfig {
    /// Whose calls it has: the id of one of `agencies`.
    pub agency: String,
    /// As EIDOs name this agency, such as `tpd.example` (NENA-STA-021.1, the `$id` of an
    /// agency component); the agency's own id when absent.
    #[serde(default)]
    pub eido_id: Option<String>,
    /// The zone of the times that it gives without an offset (IANA).
    #[serde(default = "utc")]
    pub zone: String,
    /// Its nature codes in the center's words.
    #[serde(default)]
    pub codes: Option<PathBuf>,
    /// A folder whose CSV files are read ([`super::folder`]).
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// A view of its database ([`super::database`]).
    #[serde(default)]
    pub database: Option<DatabaseConfig>,
}

/// `[cads.database]`: where the view is, and how it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The file of an SQLite database.
    #[serde(default)]
    pub sqlite: Option<PathBuf>,
    /// The view's name, with its schema where it has one.
    pub view: String,
    /// The column whose whole number goes up with every row.
    pub key: String,
    #[serde(default = "two_seconds")]
    pub poll_ms: u64,
    /// How many keys below the highest are read again, for rows that came late.
    #[serde(default = "a_thousand")]
    pub overlap: u32,
}

/// How often a view may be asked, and how seldom.
const POLL_MS: std::ops::RangeInclusive<u64> = 100..=3_600_000;
/// How many keys may be read again at each look.
const OVERLAP_MAX: u32 = 10_000;

fn utc() -> String {
    "UTC".into()
}

fn two_seconds() -> u64 {
    2_000
}

fn a_thousand() -> u32 {
    1_000
}

impl CadConfig {
    /// Paths in the section are relative to the configuration's folder.
    pub(crate) fn move_to(&mut self, folder: &Path) {
        let database = self.database.as_mut();
        let paths = [
            self.codes.as_mut(),
            self.folder.as_mut(),
            database.and_then(|database| database.sqlite.as_mut()),
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }

    /// What is wrong with it: the field, and what was wanted.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        self.database.as_ref().map_or(Ok(()), DatabaseConfig::check)
    }
}

impl DatabaseConfig {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.sqlite.is_none() {
            return Err(("database", "sqlite: the database's file".into()));
        }
        let name = "a name of letters, digits and _, with a schema and a dot before it or without";
        if !is_name(&self.view) {
            return Err(("database.view", name.into()));
        }
        if !is_name(&self.key) || self.key.contains('.') {
            return Err((
                "database.key",
                "a column's name of letters, digits and _".into(),
            ));
        }
        if !POLL_MS.contains(&self.poll_ms) {
            let wanted = format!("from {} to {} milliseconds", POLL_MS.start(), POLL_MS.end());
            return Err(("database.poll_ms", wanted));
        }
        if !(1..=OVERLAP_MAX).contains(&self.overlap) {
            return Err(("database.overlap", format!("from 1 to {OVERLAP_MAX} keys")));
        }
        Ok(())
    }
}

/// What can stand in a query and be nothing but a name.
fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let parts: Vec<_> = text.split('.').collect();
    parts.len() <= 2 && parts.into_iter().all(is_part)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn section(database: &str) -> CadConfig {
        let text = format!("agency = \"pd\"\nfolder = \"in\"\n[database]\n{database}");
        toml::from_str(&text).unwrap()
    }

    const GOOD: &str = "sqlite = \"cad.db\"\nview = \"cad.calls\"\nkey = \"id\"\n";

    #[test]
    fn a_good_section_is_taken_and_its_paths_are_beside_the_file() {
        let mut cad = section(GOOD);
        cad.check().unwrap();
        cad.move_to(Path::new("/etc/center"));
        assert_eq!(cad.folder.unwrap(), Path::new("/etc/center/in"));
        let database = cad.database.unwrap();
        assert_eq!(database.sqlite.unwrap(), Path::new("/etc/center/cad.db"));
    }

    #[test]
    fn a_bad_section_names_the_field() {
        for (from, to, field) in [
            ("sqlite = \"cad.db\"\n", "", "database"),
            ("cad.calls", "calls; DROP TABLE calls", "database.view"),
            ("cad.calls", "a.b.c", "database.view"),
            ("cad.calls", "7calls", "database.view"),
            ("\"id\"", "\"id --\"", "database.key"),
            ("\"id\"", "\"calls.id\"", "database.key"),
            ("key", "poll_ms = 1\nkey", "database.poll_ms"),
            ("key", "overlap = 0\nkey", "database.overlap"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            assert_eq!(section(&bad).check().unwrap_err().0, field, "{to}");
        }
    }
}
