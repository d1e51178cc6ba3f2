//! `[[sign_in.providers]]` of the center's configuration.

use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::Deserialize;

use crate::enrich::secret::SecretConfig;

/// The field that does not hold, and what is wanted there.
pub(crate) type Wrong = (&'static str, String);

const SAFE: &str = "an https:// address";
const REDIRECT: &str = "https:// addresses that the agency's app has claimed, http://127.0.0.1/… for laptops, or a scheme of the app's own with a dot in it, as gov.example.app:/sign-on";

/// By which claim a supervisor names people of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Only where the provider says that it has verified it.
    #[default]
    Email,
    /// `employee_id`, which the agency's provider has to be told to send.
    EmployeeId,
}

impl Claim {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmployeeId => "employee_id",
        }
    }
}

/// One for an agency.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    pub agency: String,
    /// As the provider's own discovery document says it.
    pub issuer: String,
    pub client_id: String,
    /// Where it is, never what it is. Absent: a public client, which PKCE alone protects.
    #[serde(default)]
    pub client_secret: Option<SecretConfig>,
    /// Whom to trust instead of the system's authorities: certificates in PEM.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    #[serde(default)]
    pub claim: Claim,
    /// Ways of signing in (`amr`, RFC 8176) of which one at least is wanted, such as `mfa`.
    /// Absent: that the provider asks for two factors is the agency's to see to (IA-2).
    #[serde(default)]
    pub amr: Vec<String>,
    /// Officers sign on by it too, on their devices: a badge alone is not taken any more.
    #[serde(default)]
    pub officers: Option<OfficersConfig>,
}

/// `[sign_in.providers.officers]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficersConfig {
    /// The claim whose value is the officer's badge.
    #[serde(default = "employee_id")]
    pub claim: String,
    /// Where the provider knows the agency's app as another client than the console.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Of that client.
    #[serde(default)]
    pub client_secret: Option<SecretConfig>,
    /// Where a device may ask to be led back to. On `http://127.0.0.1/…` any port counts
    /// (RFC 8252, section 7.3); of the others each stands for itself.
    pub redirects: Vec<String>,
}

fn employee_id() -> String {
    Claim::EmployeeId.name().into()
}

impl ProviderConfig {
    pub(crate) fn beside(&mut self, folder: &Path) {
        let officers = self.officers.as_mut();
        let secrets = [
            self.client_secret.as_mut(),
            officers.and_then(|officers| officers.client_secret.as_mut()),
        ];
        for secret in secrets.into_iter().flatten() {
            secret.beside(folder);
        }
        self.ca = self.ca.take().map(|ca| folder.join(ca));
    }

    /// # Errors
    /// For the first field that does not hold.
    pub fn check(&self) -> Result<(), Wrong> {
        let is_good = |url: Url| is_safe(&url) && is_plain(&url);
        if !Url::parse(&self.issuer).is_ok_and(is_good) {
            let wanted = format!("{SAFE}, as the provider's own document says it");
            return Err(("providers.issuer", wanted));
        }
        if self.client_id.trim().is_empty() {
            return Err(("providers.client_id", "as the provider gave it".into()));
        }
        let Some(officers) = &self.officers else {
            return Ok(());
        };
        if officers.claim.trim().is_empty() {
            let wanted = "the claim that holds the badge, such as employee_id";
            return Err(("providers.officers.claim", wanted.into()));
        }
        if officers.client_secret.is_some() && officers.client_id.is_none() {
            let wanted = "the client whose secret officers.client_secret is";
            return Err(("providers.officers.client_id", wanted.into()));
        }
        if officers.redirects.is_empty() || !officers.redirects.iter().all(|one| is_redirect(one)) {
            return Err(("providers.officers.redirects", REDIRECT.into()));
        }
        Ok(())
    }
}

impl OfficersConfig {
    /// Whether a device may be led back there.
    #[must_use]
    pub fn leads_back_to(&self, redirect: &str) -> bool {
        let Ok(asked) = Url::parse(redirect) else {
            return false;
        };
        self.redirects.iter().any(|known| {
            let Ok(mut known) = Url::parse(known) else {
                return false;
            };
            if is_loopback(&known) && known.port().is_none() {
                // The port of this start. What has none has the scheme's own, 80.
                let _ = known.set_port(asked.port());
            }
            is_plain(&asked) && known == asked
        })
    }
}

fn is_redirect(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let may = match url.scheme() {
        "https" => true,
        // Literally: a name may be made to lead elsewhere (RFC 8252, section 8.3).
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "[::1]")),
        scheme => scheme.contains('.'),
    };
    may && is_plain(&url)
}

/// Nothing in it but where it leads to.
fn is_plain(url: &Url) -> bool {
    url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
}

/// Nobody on the way reads or changes what crosses.
pub(super) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> ProviderConfig {
        toml::from_str(&format!(
            "agency = \"pd\"\nissuer = \"https://login.example.gov\"\nclient_id = \"forerunner\"\n{text}"
        ))
        .unwrap()
    }

    fn issued_by(issuer: &str) -> ProviderConfig {
        ProviderConfig {
            issuer: issuer.into(),
            ..of("")
        }
    }

    #[test]
    fn a_provider_is_asked_where_nobody_on_the_way_reads_along() {
        for good in [
            "https://login.example.gov/realms/pd",
            "http://127.0.0.1:8080",
            "http://localhost:8080",
        ] {
            issued_by(good).check().unwrap();
        }
        for bad in [
            "http://login.example.gov",
            "http://127.0.0.1:80@login.example.gov",
            "https://user:password@login.example.gov",
            "https://login.example.gov/?x=1",
            "login.example.gov",
        ] {
            let (field, wanted) = issued_by(bad).check().unwrap_err();
            assert_eq!(field, "providers.issuer", "{bad}: {wanted}");
        }
    }

    #[test]
    fn officers_are_led_back_to_their_app_and_nowhere_else() {
        let config = of(
            "[officers]\nredirects = [\"http://127.0.0.1/sign-on/back\", \"gov.example.app:/sign-on\", \"https://app.example.gov/sign-on\"]",
        );
        config.check().unwrap();
        let officers = config.officers.unwrap();
        for good in [
            "http://127.0.0.1:49152/sign-on/back",
            "http://127.0.0.1/sign-on/back",
            "gov.example.app:/sign-on",
            "https://app.example.gov/sign-on",
        ] {
            assert!(officers.leads_back_to(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:49152/sign-on/back?x=1",
            "http://127.0.0.1:49152/elsewhere",
            "http://127.0.0.2:49152/sign-on/back",
            "http://localhost:49152/sign-on/back",
            "https://127.0.0.1:49152/sign-on/back",
            "http://a@127.0.0.1:49152/sign-on/back",
            "gov.example.other:/sign-on",
            "https://app.example.gov:8443/sign-on",
            "https://app.example.gov/sign-on#x",
            "https://elsewhere.example/sign-on",
            "nothing",
        ] {
            assert!(!officers.leads_back_to(bad), "{bad}");
        }
        for bad in [
            "[]",
            "[\"http://app.example.gov/sign-on\"]",
            "[\"http://localhost/sign-on\"]",
            "[\"javascript:alert(1)\"]",
            "[\"app:/sign-on\"]",
            "[\"https://app.example.gov/sign-on?x=1\"]",
        ] {
            let config = of(&format!("[officers]\nredirects = {bad}"));
            let (field, _) = config.check().unwrap_err();
            assert_eq!(field, "providers.officers.redirects", "{bad}");
        }
    }
}
