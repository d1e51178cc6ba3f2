//! `[[cads]]` in the configuration.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::enrich::secret::SecretConfig;

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
    /// A view of its database ([`super::view`]).
    #[serde(default)]
    pub view: Option<ViewConfig>,
}

/// `[cads.view]`: where the view is, and how it is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewConfig {
    /// `postgresql://user@host:port/database` (the password is `secret`), or the path of a
    /// SQLite file.
    pub database: String,
    /// Where the password is, never what it is.
    #[serde(default)]
    pub secret: Option<SecretConfig>,
    /// The certificate authority that vouches for a PostgreSQL, in PEM: with one it is
    /// spoken to by TLS and no other way. One on another machine must have one.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The view's name, with its schema where it has one.
    pub name: String,
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
        for path in [&mut self.codes, &mut self.folder].into_iter().flatten() {
            *path = folder.join(&*path);
        }
        if let Some(view) = &mut self.view {
            view.move_to(folder);
        }
    }

    /// What is wrong with it: the field, and what was wanted.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        self.view.as_ref().map_or(Ok(()), ViewConfig::check)
    }
}

impl ViewConfig {
    pub(crate) fn is_postgres(&self) -> bool {
        ["postgresql://", "postgres://"]
            .iter()
            .any(|scheme| self.database.starts_with(scheme))
    }

    fn move_to(&mut self, folder: &Path) {
        if !self.is_postgres() && !self.database.is_empty() {
            self.database = folder.join(&self.database).display().to_string();
        }
        if let Some(ca) = &mut self.ca {
            *ca = folder.join(&*ca);
        }
        if let Some(secret) = &mut self.secret {
            secret.beside(folder);
        }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.is_postgres() && (self.database.contains("://") || self.database.is_empty()) {
            let wanted = "postgresql://… or the path of a SQLite file";
            return Err(("view.database", wanted.into()));
        }
        if !self.is_postgres() && (self.ca.is_some() || self.secret.is_some()) {
            let wanted = "a PostgreSQL: a file has neither a secret nor a ca";
            return Err(("view.database", wanted.into()));
        }
        let name = "a name of letters, digits and _, with a schema and a dot before it or without";
        if !is_name(&self.name) {
            return Err(("view.name", name.into()));
        }
        if !is_name(&self.key) || self.key.contains('.') {
            let wanted = "a column's name of letters, digits and _";
            return Err(("view.key", wanted.into()));
        }
        if !POLL_MS.contains(&self.poll_ms) {
            let wanted = format!("from {} to {} milliseconds", POLL_MS.start(), POLL_MS.end());
            return Err(("view.poll_ms", wanted));
        }
        if !(1..=OVERLAP_MAX).contains(&self.overlap) {
            return Err(("view.overlap", format!("from 1 to {OVERLAP_MAX} keys")));
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

    fn section(view: &str) -> CadConfig {
        let text = format!("agency = \"pd\"\nfolder = \"in\"\n[view]\n{view}");
        toml::from_str(&text).unwrap()
    }

    const GOOD: &str = "database = \"cad.db\"\nname = \"cad.calls\"\nkey = \"id\"\n";

    #[test]
    fn a_good_section_is_taken_and_its_paths_are_beside_the_file() {
        let mut cad = section(GOOD);
        cad.check().unwrap();
        cad.move_to(Path::new("/etc/center"));
        assert_eq!(cad.folder.unwrap(), Path::new("/etc/center/in"));
        assert_eq!(cad.view.unwrap().database, "/etc/center/cad.db");
        let url = "postgresql://forerunner@cad.example/cad";
        let mut cad = section(&GOOD.replace("cad.db", url));
        cad.check().unwrap();
        cad.move_to(Path::new("/etc/center"));
        assert_eq!(cad.view.unwrap().database, url);
    }

    #[test]
    fn a_bad_section_names_the_field() {
        for (from, to, field) in [
            ("cad.db", "mysql://a/b", "view.database"),
            ("name", "ca = \"a.pem\"\nname", "view.database"),
            ("cad.calls", "calls; DROP TABLE calls", "view.name"),
            ("cad.calls", "a.b.c", "view.name"),
            ("cad.calls", "7calls", "view.name"),
            ("\"id\"", "\"id --\"", "view.key"),
            ("\"id\"", "\"calls.id\"", "view.key"),
            ("key", "poll_ms = 1\nkey", "view.poll_ms"),
            ("key", "overlap = 0\nkey", "view.overlap"),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            assert_eq!(section(&bad).check().unwrap_err().0, field, "{to}");
        }
    }
}
