//! Agencies as witnesses of the audit log.
//!
//! A witness has a key of its own, on its own machine, and remembers the last checkpoint
//! that it has cosigned. It cosigns the next one only where that is proved to begin with the
//! last (c2sp.org/tlog-cosignature): so the center cannot show one log to one agency and
//! another to another, nor take back what was signed, without losing its witnesses. The
//! center keeps each line and shows who has cosigned what.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::note::{Checkpoint, KeyKind, Note, NoteError, VerifierKey};
use super::tree::{Hash, is_consistent};
use super::{Record, record, stored};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// `[[audit.witnesses]]`: an agency that cosigns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// One of the center's agencies, or another that watches over it.
    pub agency: String,
    /// Its verifier key, as `forerunner audit cosign` prints it.
    pub key: String,
}

impl WitnessConfig {
    /// # Errors
    /// When it is no witness's key.
    pub fn verifier(&self) -> Result<VerifierKey, NoteError> {
        let key = VerifierKey::read(&self.key)?;
        if key.kind() != KeyKind::Witness {
            return Err(NoteError::Key(
                "a witness's key is of kind 4 (cosignature/v1)",
            ));
        }
        Ok(key)
    }
}

/// What the center answers to who wants a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyView {
    pub from: u64,
    pub to: u64,
    /// Base64, as in RFC 6962, section 2.1.2.
    pub proof: Vec<String>,
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error(
        "the center shows {later} entries, and has signed {former} before: entries are missing"
    )]
    Shorter { former: u64, later: u64 },
    #[error(
        "the {later} entries that the center shows do not begin with the {former} that it has signed before: entries were changed, removed or reordered"
    )]
    Inconsistent { former: u64, later: u64 },
    #[error(
        "it is of another log ({0}) than the one cosigned before: was the center restored from a backup?"
    )]
    OtherLog(String),
}

/// Whether a checkpoint may be cosigned after the former one, by this proof.
///
/// # Errors
/// Says why not.
pub fn judge(
    former: Option<&Checkpoint>,
    later: &Checkpoint,
    proof: &[Hash],
) -> Result<(), Refused> {
    let Some(former) = former else {
        return Ok(());
    };
    if former.origin != later.origin {
        return Err(Refused::OtherLog(later.origin.clone()));
    }
    let (from, to) = (former.size, later.size);
    if to < from {
        return Err(Refused::Shorter {
            former: from,
            later: to,
        });
    }
    if is_consistent(from, &former.root, to, &later.root, proof) {
        Ok(())
    } else {
        Err(Refused::Inconsistent {
            former: from,
            later: to,
        })
    }
}

/// Why the center does not take a cosigned checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Note(#[from] NoteError),
    #[error("this center has signed no such checkpoint")]
    NotOurs,
    #[error(
        "none of this center's witnesses has cosigned it: their keys are in its configuration, under audit.witnesses"
    )]
    Nobody,
}

/// Takes the lines of those witnesses that have cosigned one of this center's checkpoints.
/// Returns the agencies; a line that is there already is no news, and none is put on record.
///
/// # Errors
/// When the checkpoint is not this center's own, or nobody known has cosigned it.
pub fn take(
    ledger: &Ledger<'_>,
    cosigned: &str,
    witnesses: &[WitnessConfig],
) -> Result<Vec<String>, NotTaken> {
    let note = Note::read(cosigned)?;
    let checkpoint = Checkpoint::of(&note)?;
    let kept = stored::of_size(ledger.sql(), checkpoint.size)?.ok_or(NotTaken::NotOurs)?;
    if Note::read(&kept.note)?.text() != note.text() {
        return Err(NotTaken::NotOurs);
    }
    let mut agencies = Vec::new();
    for witness in witnesses {
        let key = witness.verifier()?;
        let (time_s, line) = match note.cosigned_by(&key) {
            Ok(found) => found,
            Err(NoteError::NotSigned(_)) => continue,
            Err(e) => return Err(e.into()),
        };
        let size = checkpoint.size.cast_signed();
        let is_news = ledger
            .sql()
            .prepare_cached(
                "INSERT OR IGNORE INTO audit_cosignatures (size, witness, agency, time_s, line, received_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    size,
                    key.name(),
                    witness.agency,
                    time_s.cast_signed(),
                    line,
                    ledger.now_ms()
                ])
            })
            .map_err(LogError::from)?;
        if is_news > 0 {
            let cosigned = Record {
                agency: Some(witness.agency.clone()),
                object: format!("checkpoint {}", checkpoint.size),
                ..Record::of(key.name(), Act::CosignCheckpoint)
            };
            record(ledger, &cosigned)?;
        }
        agencies.push(witness.agency.clone());
    }
    if agencies.is_empty() {
        return Err(NotTaken::Nobody);
    }
    Ok(agencies)
}

/// The last that a witness has cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosigned {
    pub witness: String,
    pub agency: String,
    pub size: u64,
    /// By the witness's clock, seconds since 1970.
    pub time_s: i64,
}

/// Each witness's last.
///
/// # Errors
/// When the store fails.
pub fn latest(connection: &Connection) -> Result<Vec<Cosigned>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT witness, agency, max(size), time_s FROM audit_cosignatures GROUP BY witness ORDER BY agency",
    )?;
    let all = statement
        .query_map([], |row| {
            Ok(Cosigned {
                witness: row.get(0)?,
                agency: row.get(1)?,
                size: row.get::<_, i64>(2)?.unsigned_abs(),
                time_s: row.get(3)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(all)
}
