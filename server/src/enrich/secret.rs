//! A password or token, of a source or of a CAD's view: from a file or the environment, into a request, and
//! nowhere else.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use zeroize::Zeroizing;

/// Longest secret, in bytes.
const SECRET_BYTES_MAX: u64 = 8 * 1024;
/// What stands in its place wherever it is shown.
pub(super) const SHOWN: &str = "•••";

/// Where a secret is. The configuration never holds it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum SecretConfig {
    /// A file that holds it and nothing else, but for white space around it.
    File(PathBuf),
    /// A variable of the center's environment.
    Env(String),
}

/// Read once, when the center starts; shown by nothing.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl SecretConfig {
    pub(crate) fn beside(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&path);
        }
    }

    /// # Errors
    /// Names the place, never what is in it.
    pub(crate) fn read(&self) -> Result<Secret, String> {
        let (place, text) = match self {
            Self::File(path) => {
                let place = path.display().to_string();
                let failed = |e: std::io::Error| format!("{place} cannot be read: {e}");
                let bytes = std::fs::metadata(path).map_err(failed)?.len();
                if bytes > SECRET_BYTES_MAX {
                    return Err(format!("{place} is over {SECRET_BYTES_MAX} bytes"));
                }
                let text = std::fs::read_to_string(path).map_err(failed)?;
                (place, Zeroizing::new(text))
            }
            Self::Env(name) => {
                let text = std::env::var(name)
                    .map_err(|_| format!("the environment has no text in {name}"))?;
                (name.clone(), Zeroizing::new(text))
            }
        };
        let secret = text.trim();
        if secret.is_empty() || secret.contains(char::is_control) {
            return Err(format!("{place} should hold one line of text"));
        }
        Ok(Secret(Zeroizing::new(secret.to_owned())))
    }
}

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// What a source says of a question may repeat what it was asked with.
    pub(crate) fn hide(secret: Option<&Self>, text: String) -> String {
        match secret {
            Some(secret) if text.contains(secret.expose()) => text.replace(secret.expose(), SHOWN),
            _ => text,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hunter2\n").unwrap();
        let mut config = SecretConfig::File("token".into());
        config.beside(folder.path());
        let secret = config.read().unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        let told = Secret::hide(Some(&secret), "no such token: hunter2".into());
        assert_eq!(told, "no such token: •••");
    }

    #[test]
    fn a_secret_that_is_not_there_is_said_by_its_place() {
        let missing = SecretConfig::File("/no/such/file".into());
        assert!(missing.read().unwrap_err().contains("/no/such/file"));
        let unset = SecretConfig::Env("FORERUNNER_NO_SUCH_SECRET".into());
        assert!(
            unset
                .read()
                .unwrap_err()
                .contains("FORERUNNER_NO_SUCH_SECRET")
        );
        let folder = tempfile::tempdir().unwrap();
        let two = folder.path().join("two");
        std::fs::write(&two, "secret1\nsecret2").unwrap();
        let error = SecretConfig::File(two).read().unwrap_err();
        assert!(error.contains("one line") && !error.contains("secret1"));
    }
}
