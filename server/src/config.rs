//! The center's configuration: one TOML file, read at start.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use packet::Compartment;
use serde::Deserialize;
use sync::limits::{LEASE_MINUTES_MAX, LEASE_MINUTES_MIN, LEASES_MAX};

use crate::audit::keep::AuditConfig;
use crate::beats::{self, BeatConfig};
use crate::cads::CadConfig;
use crate::calls::LinksConfig;
use crate::enrich::own::cameras::{CAMERAS_MAX, Camera};
use crate::enrich::own::clips::VideoConfig;
use crate::enrich::{self, SourceConfig};
use crate::identity::KeyExchange;
use crate::people::config::SignInConfig;
use crate::plate_reads::PlateReadsConfig;
use crate::policy::{CENTER, Certifications};
use crate::retention::RetentionConfig;

/// What is wrong with the configuration, in one sentence that names the place.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path} cannot be read: {reason}")]
    Read { path: String, reason: String },
    #[error("{path}: {reason}")]
    Toml { path: String, reason: String },
    #[error("{field}: {wanted}")]
    Field { field: String, wanted: String },
}

/// `center.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The center's name, as the console shows it.
    pub name: String,
    /// Where the log and the keys are kept.
    pub data: PathBuf,
    /// Where devices connect: TLS 1.3 with client certificates.
    pub sync: SocketAddr,
    /// The console and the API. Loopback only, unless TLS is on and `sign_in.origin` says
    /// by which name people open it.
    pub console: SocketAddr,
    /// TLS on the console's port; plain HTTP is for a demo or a test on this machine.
    #[serde(default = "yes")]
    pub console_tls: bool,
    /// The DNS names and addresses by which devices know the center.
    #[serde(default = "localhost")]
    pub names: Vec<String>,
    /// The triage table; the built-in one when absent.
    #[serde(default)]
    pub triage: Option<PathBuf>,
    /// A folder of the agencies' policies (`*.cedar`) and who is certified (`people.toml`);
    /// the built-in agreement when absent.
    #[serde(default)]
    pub policies: Option<PathBuf>,
    /// How long after a call has closed its units keep the packet; when absent, to the end
    /// of the shift in which it closed.
    #[serde(default)]
    pub keep_closed_s: Option<u32>,
    /// How devices and center agree on a session's keys. Classical (X25519, P-256) by
    /// default: the post-quantum share is over a kilobyte each way, a second each at
    /// 9,600 bit/s, at every contact that does not resume a session.
    #[serde(default)]
    pub key_exchange: KeyExchange,
    /// Start only with the validated cryptographic module in force (CJIS SC-13): for a
    /// build of `cargo xtask fips`, which always insists on it.
    #[serde(default)]
    pub fips: bool,
    #[serde(default)]
    pub limits: LimitsConfig,
    /// How people sign in at the console.
    #[serde(default)]
    pub sign_in: SignInConfig,
    pub agencies: Vec<AgencyConfig>,
    /// The dispatch systems; one that needs no section of its own may be heard without.
    #[serde(default)]
    pub cads: Vec<CadConfig>,
    /// When two calls are, or may be, about the same event.
    #[serde(default)]
    pub links: LinksConfig,
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
    /// Why somebody may ask the sources; the first is also for what the center asks by itself.
    #[serde(default = "default_purposes")]
    pub purposes: Vec<PurposeConfig>,
    #[serde(default)]
    pub beats: Vec<BeatConfig>,
    #[serde(default)]
    pub plate_reads: PlateReadsConfig,
    /// What looks at which place.
    #[serde(default)]
    pub cameras: Vec<Camera>,
    /// Who makes recordings of them.
    #[serde(default)]
    pub video: Option<VideoConfig>,
    /// How long the audit log is kept, and who witnesses it.
    #[serde(default)]
    pub audit: AuditConfig,
    /// How long documents are kept, by compartment.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// What does not last for the shift on devices that have no contact.
    #[serde(default)]
    pub leases: Vec<LeaseConfig>,
}

/// `[[leases]]`: how long a device that the center cannot reach keeps a compartment of an
/// agency's packets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseConfig {
    /// Whose calls.
    pub agency: String,
    /// `records` or `juvenile`.
    pub compartment: Compartment,
    /// From the last contact in which it was still granted.
    pub minutes: u32,
}

impl LeaseConfig {
    /// What is wrong with it: the field, and what was wanted.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let wrong = |field, wanted: &str| Err((field, wanted.to_owned()));
        match self.compartment {
            Compartment::Records | Compartment::Juvenile => {}
            Compartment::Safety | Compartment::Call => {
                let wanted = "records or juvenile: safety and call stay for the shift, since officers write in them where there is no link";
                return wrong("compartment", wanted);
            }
            Compartment::Intel => {
                return wrong("compartment", "records or juvenile: intel is on no device");
            }
        }
        if !(LEASE_MINUTES_MIN..=LEASE_MINUTES_MAX).contains(&self.minutes) {
            let wanted = format!(
                "from {LEASE_MINUTES_MIN} to {LEASE_MINUTES_MAX}, which is a whole shift; {} is not",
                self.minutes
            );
            return Err(("minutes", wanted));
        }
        Ok(())
    }
}

/// `[[purposes]]`: a purpose code that queries are asked for and sources accept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurposeConfig {
    /// As the sources know it, such as `C`.
    pub code: String,
    /// In words, such as `Criminal justice`.
    pub name: String,
}

/// Of the FBI's purpose codes for criminal history (NCIC 2000 Operating Manual, III,
/// section 1.3) those that a patrol has a use for.
#[must_use]
pub fn default_purposes() -> Vec<PurposeConfig> {
    [
        ("C", "Criminal justice"),
        ("F", "Weapons"),
        ("J", "Criminal justice employment"),
    ]
    .map(|(code, name)| PurposeConfig {
        code: code.into(),
        name: name.into(),
    })
    .into()
}

/// Most purposes, and most characters of one's code.
const PURPOSES_MAX: usize = 20;
const PURPOSE_CODE_CHARS_MAX: usize = 12;

/// `[limits]`: what bounds the center's memory when everybody comes at once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections on each port, in all and from one address.
    pub connections: usize,
    pub connections_per_address: usize,
    /// Devices that catch up from the disk at a time; the others wait in turn. What can
    /// hurt does not wait.
    pub catch_ups: usize,
    /// Devices that may wait for their turn. More are told to come back later.
    pub catch_ups_waiting: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 16 * 1024,
            connections_per_address: 4 * 1024,
            catch_ups: 8,
            catch_ups_waiting: 16 * 1024,
        }
    }
}

fn yes() -> bool {
    true
}

fn localhost() -> Vec<String> {
    vec!["localhost".into(), "127.0.0.1".into()]
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgencyConfig {
    pub id: String,
    pub name: String,
    pub units: Vec<String>,
    pub officers: Vec<OfficerConfig>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerConfig {
    pub badge: String,
    pub name: String,
    /// What the officer is certified for: the day on which each ends, in the center's zone.
    #[serde(default)]
    pub certifications: Certifications,
}

impl Config {
    /// A center of these agencies with all else as a file that says nothing more has it, on
    /// ports of this machine's choice: for a demo or a test, without TLS on the console.
    #[must_use]
    pub fn on_loopback(name: &str, data: PathBuf, agencies: Vec<AgencyConfig>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            name: name.into(),
            data,
            sync: any,
            console: any,
            console_tls: false,
            names: localhost(),
            triage: None,
            policies: None,
            keep_closed_s: None,
            key_exchange: KeyExchange::default(),
            fips: false,
            limits: LimitsConfig::default(),
            sign_in: SignInConfig::default(),
            agencies,
            cads: vec![],
            links: LinksConfig::default(),
            sources: vec![],
            purposes: default_purposes(),
            beats: vec![],
            plate_reads: PlateReadsConfig::default(),
            cameras: vec![],
            video: None,
            audit: AuditConfig::default(),
            retention: RetentionConfig::default(),
            leases: vec![],
        }
    }

    /// Where the console's pages come from, once it listens on this port.
    #[must_use]
    pub fn console_origin(&self, port: u16) -> String {
        match &self.sign_in.origin {
            Some(origin) => origin.clone(),
            None => {
                let scheme = if self.console_tls { "https" } else { "http" };
                format!("{scheme}://localhost:{port}")
            }
        }
    }

    /// Reads and checks a file. Paths in it are relative to its folder.
    ///
    /// # Errors
    /// In one sentence that names the line or the field.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ConfigError::Read {
            path: shown.clone(),
            reason: e.to_string(),
        })?;
        let mut config: Self = toml::from_str(&text).map_err(|e| ConfigError::Toml {
            path: shown,
            reason: e.to_string().trim().replace('\n', " "),
        })?;
        if let Some(folder) = path.parent() {
            config.data = folder.join(&config.data);
            config.triage = config.triage.map(|triage| folder.join(triage));
            config.policies = config.policies.map(|policies| folder.join(policies));
            for source in &mut config.sources {
                source.beside(folder);
            }
            config.cads.iter_mut().for_each(|cad| cad.move_to(folder));
            config.sign_in.beside(folder);
        }
        config.check()?;
        Ok(config)
    }

    /// # Errors
    /// Names the first field that does not hold.
    pub fn check(&self) -> Result<(), ConfigError> {
        let field = |field: &str, wanted: &str| {
            Err(ConfigError::Field {
                field: field.into(),
                wanted: wanted.into(),
            })
        };
        if let Err((wrong, wanted)) = self.sign_in.check() {
            return field(&format!("sign_in.{wrong}"), &wanted);
        }
        if !self.console.ip().is_loopback() {
            if !self.console_tls {
                return field(
                    "console",
                    "a loopback address (127.0.0.1:PORT), or console_tls = true: cookies cross in it",
                );
            }
            if self.sign_in.origin.is_none() {
                return field(
                    "sign_in.origin",
                    "by which name people open a console that is not on loopback, as https://rtcc.example.gov",
                );
            }
        }
        if let Some(name) = self.sign_in.name().filter(|_| self.console_tls)
            && !self.names.iter().any(|known| known == name)
        {
            return field(
                "names",
                &format!(
                    "{name} too: the console's certificate is made for these, and sign_in.origin says so"
                ),
            );
        }
        let LimitsConfig {
            connections,
            connections_per_address,
            catch_ups,
            ..
        } = self.limits;
        for (name, limit) in [
            ("limits.connections", connections),
            ("limits.connections_per_address", connections_per_address),
            ("limits.catch_ups", catch_ups),
        ] {
            if limit == 0 {
                return field(name, "at least 1");
            }
        }
        if self.agencies.is_empty() {
            return field("agencies", "at least one");
        }
        let mut agencies = HashSet::new();
        let mut units = HashSet::new();
        for agency in &self.agencies {
            if agency.id == CENTER {
                return field(
                    "agencies.id",
                    &format!("an id other than {CENTER}, which stands for the center itself"),
                );
            }
            if !agencies.insert(&agency.id) {
                return field("agencies.id", &format!("{} stands twice", agency.id));
            }
            if let Some(twice) = agency.units.iter().find(|unit| !units.insert(*unit)) {
                return field("agencies.units", &format!("{twice} stands twice"));
            }
        }
        let mut providers = HashSet::new();
        for provider in &self.sign_in.providers {
            if !agencies.contains(&provider.agency) || !providers.insert(&provider.agency) {
                return field(
                    "sign_in.providers.agency",
                    "the id of one of the agencies, each once",
                );
            }
        }
        if self.cameras.len() > CAMERAS_MAX {
            return field("cameras", &format!("at most {CAMERAS_MAX}"));
        }
        let mut cameras = HashSet::new();
        for camera in &self.cameras {
            if !cameras.insert(&camera.name) {
                return field("cameras.name", &format!("{} stands twice", camera.name));
            }
            if let Err(wanted) = camera.check() {
                return field(&format!("cameras.{}", camera.name), &wanted);
            }
        }
        if let Err((name, wanted)) = self.audit.check() {
            return field(&name, &wanted);
        }
        if let Err((name, wanted)) = self.retention.check() {
            return field(&name, &wanted);
        }
        if self.leases.len() > LEASES_MAX {
            return field("leases", &format!("at most {LEASES_MAX} of them"));
        }
        let mut leased = HashSet::new();
        for lease in &self.leases {
            if !agencies.contains(&lease.agency) {
                return field(
                    "leases.agency",
                    &format!("{} is none of the agencies", lease.agency),
                );
            }
            if let Err((wrong, wanted)) = lease.check() {
                return field(&format!("leases.{}.{wrong}", lease.agency), &wanted);
            }
            if !leased.insert((&lease.agency, lease.compartment)) {
                let name = lease.compartment.name();
                return field(
                    &format!("leases.{}.compartment", lease.agency),
                    &format!("{name} stands twice"),
                );
            }
        }
        if let Some(Err(wanted)) = self.video.as_ref().map(VideoConfig::check) {
            return field("video", &wanted);
        }
        if !(1..=PURPOSES_MAX).contains(&self.purposes.len()) {
            return field("purposes", "1 to 20 of them");
        }
        let mut codes = HashSet::new();
        for purpose in &self.purposes {
            let is_code = (1..=PURPOSE_CODE_CHARS_MAX).contains(&purpose.code.len())
                && purpose
                    .code
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric());
            if !is_code || !codes.insert(&purpose.code) {
                return field(
                    "purposes.code",
                    "1 to 12 letters and digits, each code once",
                );
            }
            if !(1..=60).contains(&purpose.name.trim().chars().count()) {
                return field("purposes.name", "1 to 60 characters");
            }
        }
        beats::check(&self.beats, &self.agencies)
            .map_err(|(field, wanted)| ConfigError::Field { field, wanted })?;
        if let Err(wanted) = self.plate_reads.check() {
            return field("plate_reads.keep_hours", &wanted);
        }
        if let Err((wrong, wanted)) = self.links.check() {
            return field(&format!("links.{wrong}"), &wanted);
        }
        let mut dispatched = HashSet::new();
        for cad in &self.cads {
            if !agencies.contains(&cad.agency) {
                return field(
                    "cads.agency",
                    &format!("{} is none of the agencies", cad.agency),
                );
            }
            if !dispatched.insert(&cad.agency) {
                return field("cads.agency", &format!("{} stands twice", cad.agency));
            }
            if let Err((wrong, wanted)) = cad.check() {
                return field(&format!("cads.{}.{wrong}", cad.agency), &wanted);
            }
        }
        enrich::check(self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = r#"
        name = "Test RTCC"
        data = "data"
        sync = "127.0.0.1:0"
        console = "127.0.0.1:0"
        [[agencies]]
        id = "pd"
        name = "Police"
        units = ["1A", "1B"]
        officers = [{ badge = "12", name = "Diaz" }]
    "#;

    fn read(text: &str) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("center.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
    }

    #[test]
    fn a_good_file_is_taken_and_its_paths_are_beside_it() {
        let config = read(GOOD).unwrap();
        assert!(config.data.is_absolute() && config.data.ends_with("data"));
        assert!(config.console_tls);
    }

    #[test]
    fn a_bad_file_names_what_is_wrong() {
        for (from, to, says) in [
            (
                "127.0.0.1:0\"\n        [[",
                "0.0.0.0:80\"\n        [[",
                "sign_in.origin: by which name",
            ),
            ("\"1B\"", "\"1A\"", "1A stands twice"),
            ("name = \"Test RTCC\"", "nam = \"x\"", "unknown field `nam`"),
            ("[[agencies]]", "[[agency]]", "agency"),
            (
                "[[agencies]]",
                "[[purposes]]\ncode = \"C D\"\nname = \"x\"\n[[agencies]]",
                "purposes.code: 1 to 12 letters",
            ),
            (
                "[[agencies]]",
                "[links]\nwithin_m = 0\n[[agencies]]",
                "links.within_m: from 1 to 5000 metres",
            ),
            (
                "[[agencies]]",
                "[[cads]]\nagency = \"so\"\n[[agencies]]",
                "cads.agency: so is none",
            ),
            (
                "[[agencies]]",
                "[[cads]]\nagency = \"pd\"\n[[cads]]\nagency = \"pd\"\n[[agencies]]",
                "cads.agency: pd stands twice",
            ),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD, "{from}");
            let says_this = read(&bad).unwrap_err().to_string();
            assert!(says_this.contains(says), "{says_this}");
        }
    }

    #[test]
    fn a_cads_view_that_is_wrong_names_its_field() {
        let view = "[[cads]]\nagency = \"pd\"\n[cads.view]\ndatabase = \"cad.db\"\nname = \"calls\"\nkey = \"version\"\n";
        let good = format!("{GOOD}{view}");
        let cad = &read(&good).unwrap().cads[0];
        assert!(cad.view.as_ref().unwrap().database.starts_with('/'));
        for (from, to, says) in [
            ("cad.db", "", "cads.pd.view.database: postgresql://"),
            (
                "cad.db",
                "mysql://cad/x",
                "cads.pd.view.database: postgresql://",
            ),
            (
                "name = \"calls\"",
                "name = \"calls; DROP\"",
                "cads.pd.view.name: a name",
            ),
            (
                "\"version\"",
                "\"a.b\"",
                "cads.pd.view.key: a column's name",
            ),
            (
                "key =",
                "overlap = 0\nkey =",
                "cads.pd.view.overlap: from 1",
            ),
            (
                "key =",
                "ca = \"x.pem\"\nkey =",
                "cads.pd.view.database: a PostgreSQL",
            ),
            ("[cads.view]", "[cads.database]", "unknown field `database`"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let says_this = read(&bad).unwrap_err().to_string();
            assert!(says_this.contains(says), "{says_this}");
        }
    }

    #[test]
    fn a_console_beyond_loopback_has_tls_and_an_origin_and_a_certificate_for_it() {
        let open = GOOD.replacen("console = \"127.0.0.1:0\"", "console = \"0.0.0.0:0\"", 1);
        let with = |top: &str, origin: &str| read(&format!("{top}\n{open}\n[sign_in]\n{origin}\n"));
        let named = "names = [\"rtcc.example.gov\"]";
        let origin = "origin = \"https://rtcc.example.gov\"";
        let config = with(named, origin).unwrap();
        assert_eq!(config.console_origin(7), "https://rtcc.example.gov");
        assert_eq!(read(GOOD).unwrap().console_origin(7), "https://localhost:7");
        for (top, sign_in, says) in [
            (named, "", "sign_in.origin: by which name"),
            ("console_tls = false", origin, "console: a loopback address"),
            ("", origin, "names: rtcc.example.gov too"),
            (
                named,
                "origin = \"rtcc.example.gov\"",
                "sign_in.origin: https://",
            ),
            (named, "demo = true", "unknown field `demo`"),
        ] {
            let why = with(top, sign_in).unwrap_err().to_string();
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn a_lease_that_is_wrong_names_its_field() {
        let lease = "[[leases]]\nagency = \"pd\"\ncompartment = \"juvenile\"\nminutes = 60\n";
        let good = format!("{GOOD}{lease}");
        assert_eq!(read(&good).unwrap().leases[0].minutes, 60);
        for (from, to, says) in [
            ("= 60", "= 4", "leases.pd.minutes: from 5 to 720"),
            ("= 60", "= 721", "leases.pd.minutes: from 5 to 720"),
            ("juvenile", "call", "leases.pd.compartment: records or juv"),
            ("juvenile", "intel", "leases.pd.compartment: records or juv"),
            ("juvenile", "juvenil", "unknown variant `juvenil`"),
            ("= \"pd\"\nc", "= \"so\"\nc", "leases.agency: so is none"),
            ("[[leases]]", "[[lease]]", "unknown field `lease`"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let says_this = read(&bad).unwrap_err().to_string();
            assert!(says_this.contains(says), "{says_this}");
        }
        let twice = read(&format!("{good}{lease}")).unwrap_err().to_string();
        assert!(twice.contains("juvenile stands twice"), "{twice}");
    }

    const SOURCE: &str = r#"
        [[sources]]
        name = "Records"
        asks = "address"
        gives = "records"
        http = { url = "https://rms.example.org/records?address={address}" }
    "#;

    #[test]
    fn a_source_is_a_section_and_a_wrong_one_names_its_field() {
        let good = format!("{GOOD}{SOURCE}");
        assert_eq!(read(&good).unwrap().sources[0].timeout_ms, 3_000);
        for (from, to, says) in [
            (
                "name = \"Records\"",
                "name = \" \"",
                "sources. .name: 1 to 60",
            ),
            (
                "\"address\"",
                "\"adress\"",
                "address, plate, person, phone or position",
            ),
            ("asks = \"address\"", "asks = []", "sources.Records.asks: "),
            ("http =", "htp =", "unknown field `htp`"),
            (
                "http =",
                "#",
                "sources.Records.http, sql, file: exactly one",
            ),
            ("gives = \"records\"", "", "sources.Records.gives: "),
            (
                "gives =",
                "mapping = \"a.jq\"\ngives =",
                "sources.Records.gives, mapping: one",
            ),
            (
                "gives =",
                "timeout_ms = 5\ngives =",
                "sources.Records.timeout_ms: 10 to",
            ),
            (
                "gives =",
                "deadline_ms = 5\ngives =",
                "sources.Records.deadline_ms: timeout_ms to",
            ),
            (
                "gives =",
                "in_flight = 0\ngives =",
                "sources.Records.in_flight: 1 to",
            ),
            (
                "gives =",
                "per_minute = 0\ngives =",
                "sources.Records.per_minute: 1 to",
            ),
            (
                "gives =",
                "agency = \"x\"\ngives =",
                "sources.Records.agency: the id",
            ),
            (
                "gives =",
                "purposes = [\"Z\"]\ngives =",
                "sources.Records.purposes: codes of the center's purposes (C, F, J), not Z",
            ),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let says_this = read(&bad).unwrap_err().to_string();
            assert!(says_this.contains(says), "{says_this}");
        }
    }
}
