//! Whether an audit log is as it was written, and which entry is not.
//!
//! Three things are held against each other: what an entry says against the hash that was
//! written with it, all hashes against the checkpoints that the center signed, and those
//! against checkpoints that somebody has kept elsewhere. Whoever can write to the store can
//! change the first two so that they agree; the signature needs the center's key; and what
//! a witness has kept nobody can change.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::entry::{COLUMNS, Entries};
use super::note::{Checkpoint, Note, NoteError, VerifierKey};
use super::stored::{self, Stored, purged_through};
use super::tree::{BLOCK_LEVELS, Blocks, Edge, Hash, Tree};
use crate::log::LogError;

/// Most faults that are told one by one.
pub const FAULTS_MAX: usize = 20;

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// These entries are not there.
    Missing { from: u64, to: u64 },
    /// The entry says something else than when it was written.
    Changed { id: u64 },
    /// The entry stands there without a hash: the log did not enter it.
    NotEntered { id: u64 },
    /// Among these entries one was changed together with its hash, or moved.
    Rewritten { from: u64, to: u64, signed_ms: i64 },
    /// The log ends before what was signed.
    CutShort {
        has: u64,
        signed: u64,
        signed_ms: i64,
    },
    /// What stands as a checkpoint is none of this center's.
    Checkpoint { size: u64, why: String },
    /// A witness's line is not that witness's.
    Cosignature {
        size: u64,
        witness: String,
        why: String,
    },
    /// A subtree's hash is not that of its entries: proofs would be wrong.
    Node { from: u64, to: u64 },
    /// In an export: the entry stands behind a later one.
    Moved { id: u64 },
    /// In an export: the center did not give out this entry.
    NotGiven { id: u64 },
    /// In an export: its end is missing.
    NoSeal,
    /// The log does not begin with what this checkpoint, kept elsewhere, says.
    Former { name: String, why: String },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Changed { id } => write!(f, "entry {id} is not as it was written"),
            Self::NotEntered { id } => {
                write!(f, "entry {id} has no hash: it was not entered by the log")
            }
            Self::Rewritten {
                from,
                to,
                signed_ms,
            } => write!(
                f,
                "{} not what was signed at {}: changed with its hash, moved, or taken away",
                if from == to {
                    format!("entry {from} is")
                } else {
                    format!("among the entries {from} to {to} one is")
                },
                time(*signed_ms)
            ),
            Self::CutShort {
                has,
                signed,
                signed_ms,
            } => write!(
                f,
                "the log ends with entry {has}, and at {} {signed} were signed: the last {} are missing",
                time(*signed_ms),
                signed - has
            ),
            Self::Checkpoint { size, why } => {
                write!(
                    f,
                    "the checkpoint of {size} entries is not this center's: {why}"
                )
            }
            Self::Cosignature { size, witness, why } => {
                write!(
                    f,
                    "the line of {witness} under the checkpoint of {size} entries: {why}"
                )
            }
            Self::Node { from, to } => write!(
                f,
                "the kept hash of the entries {from} to {to} is not theirs"
            ),
            Self::Moved { id } => write!(f, "entry {id} stands behind a later one"),
            Self::NotGiven { id } => write!(f, "entry {id} was not given out by the center"),
            Self::NoSeal => write!(f, "the end is missing: there is no seal"),
            Self::Former { name, why } => write!(f, "{name}: {why}"),
        }
    }
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// A checkpoint that somebody has kept elsewhere.
#[derive(Debug, Clone)]
pub struct Former {
    /// As faults name it: its file.
    pub name: String,
    pub note: String,
}

/// Whose log it is.
#[derive(Debug, Clone)]
pub struct Of<'a> {
    pub center: [u8; 16],
    /// The center's public key.
    pub public: [u8; 32],
    /// Witnesses whose lines are checked; others are left alone.
    pub witnesses: &'a [VerifierKey],
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The number of the last entry that was purged, lawfully, before.
    pub purged_through: u64,
    /// The number of the last entry.
    pub last: u64,
    /// Checkpoints that hold.
    pub checkpoints: u64,
    /// Of the largest that holds.
    pub signed: u64,
    /// Each witness with the largest size that it has cosigned.
    pub witnessed: BTreeMap<String, u64>,
    pub faults: Vec<Fault>,
    /// More of them than are told.
    pub more_faults: u64,
}

impl Verified {
    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.more_faults += 1;
        }
    }
}

/// A root that ought to be the tree's at this size.
enum Wanted {
    Signed {
        at_ms: i64,
        root: Hash,
    },
    Former {
        name: String,
        root: Hash,
        /// It was signed by the log that this one was restored from.
        before_restore: bool,
    },
}

/// What has to be said of a checkpoint from before a restore that does not hold.
fn restored(before_restore: bool) -> &'static str {
    if before_restore {
        "; it was signed before the center was restored from a backup: what was entered between the two is lost"
    } else {
        ""
    }
}

/// Verifies the store that this connection has open.
///
/// # Errors
/// When it cannot be read. What is not as it ought to be is no error but a finding.
pub fn store(
    connection: &Connection,
    of: &Of<'_>,
    former: &[Former],
) -> Result<Verified, LogError> {
    let mut verified = Verified {
        purged_through: purged_through(connection)?,
        ..Verified::default()
    };
    let mut wanted: BTreeMap<u64, Vec<Wanted>> = BTreeMap::new();
    let mut largest = (0, 0);
    for kept in stored::all(connection)? {
        let signed = stored::verifier(of.center, of.public, &kept.origin).and_then(|key| {
            Checkpoint::read(
                &stored::with_cosignatures(connection, &kept).unwrap_or_default(),
                &key,
            )
        });
        match signed {
            Ok((checkpoint, note)) if checkpoint.size == kept.size => {
                cosignatures(&mut verified, &note, kept.size, of.witnesses);
                let (at_ms, root) = (kept.at_ms, checkpoint.root);
                wanted
                    .entry(kept.size)
                    .or_default()
                    .push(Wanted::Signed { at_ms, root });
                largest = (kept.size, at_ms);
            }
            Ok(_) => verified.fault(Fault::Checkpoint {
                size: kept.size,
                why: "it is of another size".into(),
            }),
            Err(e) => verified.fault(Fault::Checkpoint {
                size: kept.size,
                why: e.to_string(),
            }),
        }
    }
    let incarnation: Option<i64> = connection
        .query_row(
            "SELECT value FROM meta WHERE name = 'incarnation'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let own = stored::origin(of.center, incarnation.unwrap_or_default().unsigned_abs());
    for former in former {
        let Former { name, note } = former;
        let fault = |why: String| Fault::Former {
            name: name.clone(),
            why,
        };
        match of_this_center(note, of) {
            Ok(checkpoint) if checkpoint.size < verified.purged_through => {
                verified.fault(fault(format!(
                    "it is of {} entries, and the first {} were purged: take a later one",
                    checkpoint.size, verified.purged_through
                )))
            }
            Ok(Checkpoint { origin, size, root }) => {
                let name = name.clone();
                let before_restore = origin != own;
                let former = Wanted::Former {
                    name,
                    root,
                    before_restore,
                };
                wanted.entry(size).or_default().push(former);
            }
            Err(e) => verified.fault(fault(e.to_string())),
        }
    }
    walk(connection, &mut verified, wanted)?;
    if largest.0 > verified.last {
        verified.fault(Fault::CutShort {
            has: verified.last,
            signed: largest.0,
            signed_ms: largest.1,
        });
    }
    Ok(verified)
}

fn of_this_center(note: &str, of: &Of<'_>) -> Result<Checkpoint, NoteError> {
    let origin = Checkpoint::of(&Note::read(note)?)?.origin;
    let key = stored::verifier(of.center, of.public, &origin)?;
    Ok(Checkpoint::read(note, &key)?.0)
}

fn cosignatures(verified: &mut Verified, note: &Note, size: u64, witnesses: &[VerifierKey]) {
    for witness in witnesses {
        match note.cosigned_by(witness) {
            Ok(_) => {
                verified.witnessed.insert(witness.name().to_owned(), size);
            }
            Err(NoteError::NotSigned(_)) => {}
            Err(e) => verified.fault(Fault::Cosignature {
                size,
                witness: witness.name().to_owned(),
                why: e.to_string(),
            }),
        }
    }
}

/// Goes through all entries once, and looks at each wanted root when its size is reached.
fn walk(
    connection: &Connection,
    verified: &mut Verified,
    mut wanted: BTreeMap<u64, Vec<Wanted>>,
) -> Result<(), LogError> {
    let mut walk = Walk::begin(connection, verified.purged_through)?;
    walk.compare(verified, &mut wanted);
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE id > ?1 ORDER BY id");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([verified.purged_through.cast_signed()])?;
    let mut entries = Entries::default();
    let nodes = Stored(connection);
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?.unsigned_abs();
        let expected = walk.at + 1;
        if id != expected {
            verified.fault(Fault::Missing {
                from: expected,
                to: id.saturating_sub(1),
            });
            walk.is_broken = true;
        }
        walk.at = id;
        let leaf = match entries.entry(connection, row) {
            Ok((entry, Some(leaf))) => {
                if entry.leaf_hash() != leaf {
                    verified.fault(Fault::Changed { id });
                }
                leaf
            }
            Ok((entry, None)) => {
                verified.fault(Fault::NotEntered { id });
                entry.leaf_hash()
            }
            // A column that does not hold what it should.
            Err(LogError::Store(_)) => {
                verified.fault(Fault::Changed { id });
                Hash(row.get(18).unwrap_or_default())
            }
            Err(e) => return Err(e),
        };
        walk.add(&nodes, verified, leaf)?;
        walk.compare(verified, &mut wanted);
    }
    verified.last = walk.at;
    for (size, roots) in wanted {
        for root in roots {
            // Behind a gap no size is what it was.
            if let Wanted::Former {
                name,
                before_restore,
                ..
            } = root
                && size > verified.last
            {
                let why = format!(
                    "it is of {size} entries, and the log ends with entry {}: the last are missing{}",
                    verified.last,
                    restored(before_restore)
                );
                verified.fault(Fault::Former { name, why });
            }
        }
    }
    Ok(())
}

struct Walk {
    edge: Edge,
    /// The number of the entry looked at last.
    at: u64,
    /// The last size at which the root was as signed.
    held: u64,
    /// An entry is missing, or a root was not as signed: those that follow say nothing more.
    is_broken: bool,
}

impl Walk {
    fn begin(connection: &Connection, purged: u64) -> Result<Self, LogError> {
        Ok(Self {
            edge: Tree::new(Stored(connection)).edge(purged)?,
            at: purged,
            held: purged,
            is_broken: false,
        })
    }

    fn add(
        &mut self,
        nodes: &Stored<'_>,
        verified: &mut Verified,
        leaf: Hash,
    ) -> Result<(), LogError> {
        let mut whole = Vec::new();
        self.edge.add(leaf, |level, position, hash| {
            if level.is_multiple_of(BLOCK_LEVELS) {
                whole.push((level, position, *hash));
            }
        });
        if self.is_broken {
            return Ok(());
        }
        for (level, position, hash) in whole {
            let block = nodes.block(level, position / super::tree::BLOCK)?;
            let kept = block.get((position % super::tree::BLOCK) as usize);
            // Those after the last checkpoint are not kept yet.
            if kept.is_some_and(|kept| *kept != hash) {
                verified.fault(Fault::Node {
                    from: (position << level) + 1,
                    to: (position + 1) << level,
                });
            }
        }
        Ok(())
    }

    fn compare(&mut self, verified: &mut Verified, wanted: &mut BTreeMap<u64, Vec<Wanted>>) {
        let Some(roots) = wanted.remove(&self.edge.size()) else {
            return;
        };
        if self.is_broken {
            return;
        }
        let (size, found) = (self.edge.size(), self.edge.root());
        for root in roots {
            match root {
                Wanted::Signed { root, .. } if root == found => {
                    verified.checkpoints += 1;
                    verified.signed = size;
                    self.held = size;
                }
                Wanted::Signed { at_ms, .. } => {
                    verified.fault(Fault::Rewritten {
                        from: self.held + 1,
                        to: size.max(self.held + 1),
                        signed_ms: at_ms,
                    });
                    self.is_broken = true;
                }
                Wanted::Former { root, .. } if root == found => {}
                Wanted::Former {
                    name,
                    before_restore,
                    ..
                } => verified.fault(Fault::Former {
                    name,
                    why: format!(
                        "its {size} entries are not the first {size} of this log{}",
                        restored(before_restore)
                    ),
                }),
            }
        }
    }
}

/// A file with a checkpoint in it.
///
/// # Errors
/// When it cannot be read.
pub fn former_in(path: &Path) -> Result<Former, String> {
    let note = std::fs::read_to_string(path);
    Ok(Former {
        name: path.display().to_string(),
        note: note.map_err(|e| format!("{} cannot be read: {e}", path.display()))?,
    })
}
