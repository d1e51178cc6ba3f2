//! `[sign_in]` of the center's configuration.

use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use super::oidc::config::ProviderConfig;

/// Longest use notice, in characters.
const NOTICE_CHARS_MAX: usize = 4_000;

/// How people sign in at the console.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignInConfig {
    /// Where people open the console, such as `https://rtcc.example.gov`. Passkeys are
    /// bound to its name for ever. Without it the console answers this machine alone, and
    /// passkeys are made for `localhost`.
    pub origin: Option<String>,
    /// What each person acknowledges at each sign-in (AC-8). The agency's own words belong
    /// here; without them stands what AC-8 asks for at least.
    pub notice: Option<String>,
    /// Addresses of dispatch consoles, which are exempt from lock and end without use
    /// (AC-11, SC-10): they stand in a secured room, manned around the clock.
    pub dispatch_consoles: Vec<IpAddr>,
    /// The agencies' own sign-ins; an agency without one has passkeys alone.
    pub providers: Vec<ProviderConfig>,
    /// The demo's center lets one in by a single-use link; no file can say so.
    #[serde(skip)]
    pub demo: bool,
}

const NOTICE: &str = "You are accessing a restricted information system.\n\
    System usage may be monitored, recorded, and subject to audit.\n\
    Unauthorized use of the system is prohibited and may be subject to criminal and/or civil penalties.\n\
    Use of the system indicates consent to monitoring and recording.";

impl SignInConfig {
    pub(crate) fn beside(&mut self, folder: &Path) {
        for provider in &mut self.providers {
            provider.beside(folder);
        }
    }

    /// What everybody acknowledges.
    #[must_use]
    pub fn notice(&self) -> &str {
        self.notice.as_deref().map_or(NOTICE, str::trim)
    }

    /// The origin's host, with its port where it has one: what `Host` says.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.origin.as_deref()?.strip_prefix("https://")
    }

    /// The origin's host without a port.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.host()
            .map(|host| host.split_once(':').map_or(host, |(name, _)| name))
    }

    #[must_use]
    pub fn is_dispatch_console(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.dispatch_consoles.contains(&address.to_canonical()))
    }

    /// The field that does not hold, and what is wanted there.
    ///
    /// # Errors
    /// For the first such field.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.origin.is_some() && !self.name().is_some_and(is_name) {
            let wanted = "https:// and a host name in small letters, with a port or without, and nothing after it";
            return Err(("origin", wanted.into()));
        }
        if let Some(host) = self.host()
            && let Some((_, port)) = host.split_once(':')
            && (port.parse::<u16>().is_err() || port == "443" || port.starts_with(['0', '+']))
        {
            return Err((
                "origin",
                "a port from 1 to 65535, and none where it is 443".into(),
            ));
        }
        for provider in &self.providers {
            provider
                .check()
                .map_err(|(field, wanted)| (field, format!("{wanted} ({})", provider.agency)))?;
        }
        let notice = self.notice();
        if notice.is_empty() || notice.chars().count() > NOTICE_CHARS_MAX {
            return Err(("notice", format!("1 to {NOTICE_CHARS_MAX} characters")));
        }
        Ok(())
    }
}

/// A host name as browsers write it; no address.
fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    name.len() <= 253
        && name.split('.').all(label)
        && name
            .rsplit('.')
            .next()
            .is_some_and(|last| last.contains(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(origin: &str) -> SignInConfig {
        SignInConfig {
            origin: Some(origin.into()),
            ..SignInConfig::default()
        }
    }

    #[test]
    fn an_origin_is_https_and_a_name_and_nothing_more() {
        for good in [
            "https://rtcc.example.gov",
            "https://rtcc.example.gov:8443",
            "https://localhost:8443",
        ] {
            of(good).check().unwrap();
        }
        for bad in [
            "http://rtcc.example.gov",
            "https://rtcc.example.gov/",
            "https://RTCC.example.gov",
            "https://rtcc.example.gov:443",
            "https://rtcc.example.gov:0443",
            "https://rtcc.example.gov:99999",
            "https://10.0.0.7",
            "https://[::1]",
            "https://a@rtcc.example.gov",
            "https://",
            "rtcc.example.gov",
        ] {
            let (field, wanted) = of(bad).check().unwrap_err();
            assert_eq!(field, "origin", "{bad}: {wanted}");
        }
    }

    #[test]
    fn without_words_of_its_own_the_notice_says_what_ac_8_asks_for() {
        let own = SignInConfig {
            notice: Some("  Ours\n".into()),
            ..SignInConfig::default()
        };
        assert_eq!(own.notice(), "Ours");
        for said in ["restricted", "monitored", "prohibited", "consent"] {
            assert!(SignInConfig::default().notice().contains(said), "{said}");
        }
        let empty = SignInConfig {
            notice: Some("  ".into()),
            ..SignInConfig::default()
        };
        assert_eq!(empty.check().unwrap_err().0, "notice");
    }
}
