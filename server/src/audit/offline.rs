//! The audit log for whoever works at the center's machine, with its keys: beside a center
//! that runs, or with none. What is done is put on record like everything else.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::export::{self, ExportError, Exported, Form};
use super::find::Criteria;
use super::note::{SigningKey, VerifierKey};
use super::stored::{self, KeptCheckpoint};
use super::verify::{self, Former, Of, Verified};
use super::{Record, Subject, forget, record_in};
use crate::backup::{KEYS, LOG};
use crate::clock;
use crate::config::Config;
use crate::identity::{AuditKey, KeysError, LogKey};
use crate::log::{self, LogError};
use crate::policy::{Act, Role, decide};

/// Who it is, as the audit log names it.
const WHO: &str = "operator, at the command line";
/// A backup has one; its log is only read.
const MANIFEST: &str = "manifest.json";

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("{path} cannot be written: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error("the key given is not the one in {0}: it is another center's, or the key was changed")]
    OtherKey(String),
}

fn operator(act: Act) -> Record {
    Record {
        allowed: decide(Role::Operator, act),
        ..Record::of(WHO, act)
    }
}

/// Verifies the log of a center's data folder, or of a backup. With `known`, the key in the
/// folder has to be that one.
///
/// # Errors
/// When it cannot be read. That an entry is not as it was written is no error but a finding.
pub fn verify(
    folder: &Path,
    former: &[Former],
    witnesses: &[VerifierKey],
    known: Option<&VerifierKey>,
) -> Result<Verified, OfflineError> {
    let store_key = LogKey::open(&folder.join(KEYS))?.store_key;
    let key = AuditKey::open(&folder.join(KEYS))?;
    if known.is_some_and(|known| *known.public() != key.public()) {
        return Err(OfflineError::OtherKey(folder.display().to_string()));
    }
    let path = folder.join(LOG);
    let of = Of {
        center: key.center_id(),
        public: key.public(),
        witnesses,
    };
    let verified = verify::store(&log::to_read(&path, &store_key)?, &of, former)?;
    if !folder.join(MANIFEST).exists() {
        let found = match verified.faults.first() {
            None => "it is as it was written".to_owned(),
            Some(fault) => format!("it is not as it was written: {fault}"),
        };
        let looked = Record {
            object: format!("audit entries 1 to {}", verified.last),
            detail: found,
            ..operator(Act::VerifyAudit)
        };
        record_in(
            &mut log::beside(&path, &store_key)?,
            &looked,
            clock::now_ms(),
        )?;
    }
    Ok(verified)
}

/// A center's log and what signs it.
fn open(config: &Config) -> Result<(Connection, SigningKey), OfflineError> {
    let keys = config.data.join(KEYS);
    let key = AuditKey::open(&keys)?;
    let log_key = LogKey::open(&keys)?;
    let connection = log::beside(&config.data.join(LOG), &log_key.store_key)?;
    let incarnation: i64 = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'incarnation'",
            [],
            |row| row.get(0),
        )
        .map_err(LogError::from)?;
    let signer = key.signer(incarnation.unsigned_abs())?;
    Ok((connection, signer))
}

fn sign(connection: &mut Connection, key: &SigningKey) -> Result<Option<KeptCheckpoint>, LogError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let signed = stored::checkpoint(&transaction, key, clock::now_ms())?;
    transaction.commit()?;
    Ok(signed)
}

/// Signs what is there, and returns the checkpoint with its cosignatures, and the key that
/// verifies it.
///
/// # Errors
/// When the log cannot be read, or is not as it was signed before.
pub fn checkpoint(config: &Config) -> Result<(Option<String>, VerifierKey), OfflineError> {
    let (mut connection, key) = open(config)?;
    let signed = sign(&mut connection, &key)?;
    let note = signed.map(|signed| stored::with_cosignatures(&connection, &signed));
    Ok((note.transpose()?, key.verifier().clone()))
}

/// Writes the entries that are asked for to a new file.
///
/// # Errors
/// When the log cannot be read, or the file is there already or cannot be written.
pub fn export(
    config: &Config,
    criteria: &Criteria,
    form: Form,
    to: &Path,
) -> Result<Exported, OfflineError> {
    let (mut connection, key) = open(config)?;
    sign(&mut connection, &key)?;
    let failed = |source| OfflineError::Io {
        path: to.display().to_string(),
        source,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::new(options.open(to).map_err(failed)?);
    let exported = export::write(&connection, &key, criteria, form, usize::MAX, &mut file)?;
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)?;
    let record = Record {
        object: format!(
            "{} entries, by checkpoint {}",
            exported.entries, exported.checkpoint
        ),
        detail: criteria.in_words(),
        subjects: criteria.subject.clone().into_iter().collect(),
        ..operator(Act::ExportAudit)
    };
    record_in(&mut connection, &record, clock::now_ms())?;
    Ok(exported)
}

/// Destroys the key by which the entries about somebody are found. Says whether there was one.
///
/// # Errors
/// When the log cannot be written.
pub fn forget_subject(
    config: &Config,
    subject: &Subject,
    by: &str,
    reason: &str,
) -> Result<bool, OfflineError> {
    let (mut connection, _) = open(config)?;
    let record = Record {
        who: format!("{by}, {WHO}"),
        reason: Some(reason.to_owned()),
        ..operator(Act::ForgetSubject)
    };
    Ok(forget(&mut connection, subject, &record, clock::now_ms())?)
}
