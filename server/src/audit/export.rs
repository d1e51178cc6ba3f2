//! A part of the audit log in a file that proves itself.
//!
//! JSON Lines. The first line has a checkpoint and the key that it is verified by; then
//! comes one line an entry, with the path from its leaf to the checkpoint's root; the last
//! is the *seal*, a signed note that says which entries the center gave out and the root of
//! a tree over just those:
//!
//! ```text
//! {"audit_export":1,"key":"…+…+…","checkpoint":"forerunner/…\n52\n…","asked":"everything"}
//! {"at":"2026-05-01T08:00:00.123Z","entry":{"act":"SeePacket",…},"proof":["…","…"]}
//! {"seal":"forerunner-audit-export/1\nforerunner/…\neverything\n1-52\n…"}
//! ```
//!
//! So each entry is shown to be in the log, and that nobody has since taken one out of the
//! file, put one in, or moved one. A CSV of the same is for spreadsheets and proves nothing.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

use jiff::Timestamp;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::find::{self, Criteria};
use super::note::{Checkpoint, Note, SigningKey, VerifierKey};
use super::stored::{self, Stored};
use super::tree::{Edge, Hash, Tree, is_included};
use super::verify::Fault;
use crate::log::LogError;

const VERSION: u32 = 1;
const SEAL: &str = "forerunner-audit-export/1";
/// Longest line that is read.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// As what it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// JSON Lines, with proofs.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the export cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error(
        "there is no checkpoint yet, so nothing that an entry could be proved by: the center makes one a second after the first entry"
    )]
    NoCheckpoint,
    #[error("these are more than {0} entries: ask for fewer, such as a shorter time")]
    TooMany(usize),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    audit_export: u32,
    key: String,
    checkpoint: String,
    asked: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: String,
    entry: Entry,
    proof: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    seal: String,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    pub entries: usize,
    /// Of the checkpoint that they are proved by.
    pub checkpoint: u64,
}

/// Writes what is asked of the entries that are signed, at most so many.
///
/// # Errors
/// When the store or the writer fails, nothing is signed yet, or there are too many.
pub fn write(
    connection: &Connection,
    key: &SigningKey,
    criteria: &Criteria,
    form: Form,
    entries_max: usize,
    out: &mut impl Write,
) -> Result<Exported, ExportError> {
    let checkpoint = stored::latest(connection)?.ok_or(ExportError::NoCheckpoint)?;
    let asked = criteria.in_words().replace('\n', " ");
    match form {
        Form::Json => {
            let head = Head {
                audit_export: VERSION,
                key: key.verifier().to_string(),
                checkpoint: stored::with_cosignatures(connection, &checkpoint)?,
                asked: asked.clone(),
            };
            line(out, &head)?;
        }
        Form::Csv => writeln!(out, "{}", CSV_HEAD.join(","))?,
    }
    let mut tree = Tree::new(Stored(connection));
    let (mut ids, mut edge) = (Ids::default(), Edge::default());
    find::each(connection, criteria, checkpoint.size, |entry| {
        if ids.count >= entries_max {
            return Err(ExportError::TooMany(entries_max));
        }
        ids.add(entry.id);
        edge.add(entry.leaf_hash(), |_, _, _| {});
        match form {
            Form::Json => {
                let proof = tree.inclusion(entry.id - 1, checkpoint.size)?;
                let proof = proof.iter().map(Hash::text).collect();
                let at = rfc3339(entry.at_ms);
                line(out, &Line { at, entry, proof })?;
            }
            Form::Csv => csv(out, &entry)?,
        }
        Ok(())
    })?;
    if form == Form::Json {
        let origin = key.verifier().name();
        let root = edge.root().text();
        let text = format!("{SEAL}\n{origin}\n{asked}\n{}\n{root}\n", ids.text());
        let seal = key.sign(&text);
        line(out, &Seal { seal })?;
    }
    Ok(Exported {
        entries: ids.count,
        checkpoint: checkpoint.size,
    })
}

fn line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// RFC 3339, UTC, to the millisecond.
pub(crate) fn rfc3339(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{at:.3}")
}

/// Numbers that rise, as `1-52,60`.
#[derive(Debug, Default)]
struct Ids {
    count: usize,
    stretches: Vec<(u64, u64)>,
}

impl Ids {
    fn add(&mut self, id: u64) {
        self.count += 1;
        match self.stretches.last_mut() {
            Some((_, to)) if *to + 1 == id => *to = id,
            _ => self.stretches.push((id, id)),
        }
    }

    fn text(&self) -> String {
        let stretch = |(from, to): &(u64, u64)| match from == to {
            true => from.to_string(),
            false => format!("{from}-{to}"),
        };
        match &self.stretches[..] {
            [] => "none".into(),
            some => some.iter().map(stretch).collect::<Vec<_>>().join(","),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let mut ids = Self::default();
        for stretch in text.split(',').filter(|text| *text != "none") {
            let (from, to) = stretch.split_once('-').unwrap_or((stretch, stretch));
            let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
            let last = ids.stretches.last().map_or(0, |(_, to)| *to);
            if from <= last || to < from {
                return None;
            }
            ids.count += usize::try_from(to - from).ok()? + 1;
            ids.stretches.push((from, to));
        }
        Some(ids)
    }

    fn contains(&self, id: u64) -> bool {
        self.stretches
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&id))
    }
}

const CSV_HEAD: [&str; 17] = [
    "id", "at", "who", "agency", "device", "act", "object", "after", "through", "allowed",
    "detail", "subjects", "purpose", "reason", "from", "receiver", "policies",
];

fn csv(out: &mut impl Write, entry: &Entry) -> io::Result<()> {
    let number = |number: Option<u64>| number.map_or_else(String::new, |n| n.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let names = entry.carriers.iter();
    let who: Vec<String> = names
        .map(|c| format!("{} on device {}", c.who, c.device))
        .collect();
    let who = if who.is_empty() {
        entry.who.clone()
    } else {
        who.join("; ")
    };
    let cells = [
        entry.id.to_string(),
        rfc3339(entry.at_ms),
        who,
        text(&entry.agency),
        number(entry.device.map(u64::from)),
        entry.act.clone(),
        entry.object.clone(),
        number(entry.after),
        number(entry.through),
        if entry.allowed { "yes" } else { "no" }.into(),
        entry.detail.clone(),
        entry.subjects.join(" "),
        text(&entry.purpose),
        text(&entry.reason),
        text(&entry.from),
        text(&entry.receiver),
        entry.policies.join(" "),
    ];
    writeln!(out, "{}", cells.map(cell).join(","))
}

/// RFC 4180; what a spreadsheet would take for a formula is text.
fn cell(text: String) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// What an export was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedExport {
    pub entries: usize,
    /// Entries in the log, at the checkpoint that they are proved by.
    pub of: u64,
    /// What was asked of the center.
    pub asked: String,
    /// The key was given by who verifies, and not only by the file itself.
    pub by_known_key: bool,
    pub faults: Vec<Fault>,
}

/// Why a file cannot be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum NoExport {
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("line {line} is not as in an audit export: {why}")]
    Form { line: usize, why: String },
    #[error("{0}")]
    NotSigned(String),
}

/// Verifies a file of [`Form::Json`]. `known` is the center's key; where it is not given, the
/// file is held against the key that it names itself.
///
/// # Errors
/// When it is no such file, or the center has not signed it.
pub fn verify(file: impl BufRead, known: Option<&VerifierKey>) -> Result<VerifiedExport, NoExport> {
    let mut lines = Lines { file, at: 0 };
    let head: Head = parse(1, &lines.next()?.unwrap_or_default())?;
    let form = |line, why: String| NoExport::Form { line, why };
    let own = VerifierKey::read(&head.key).map_err(|e| form(1, e.to_string()))?;
    // A log that was restored signs with the same key under another name.
    if known.is_some_and(|known| known.public() != own.public()) {
        return Err(NoExport::NotSigned(
            "it names another key than the center's".into(),
        ));
    }
    let (checkpoint, _) = Checkpoint::read(&head.checkpoint, &own)
        .map_err(|e| NoExport::NotSigned(format!("its checkpoint: {e}")))?;
    let mut verified = VerifiedExport {
        entries: 0,
        of: checkpoint.size,
        asked: head.asked.clone(),
        by_known_key: known.is_some(),
        faults: Vec::new(),
    };
    let (mut edge, mut found, mut order) = (Edge::default(), BTreeSet::new(), 0);
    let seal = loop {
        let at = lines.at + 1;
        let Some(text) = lines.next()? else {
            break None;
        };
        if let Ok(Seal { seal }) = serde_json::from_str(&text) {
            break Some(seal);
        }
        let Line {
            at: time,
            entry,
            proof,
        } = parse(at, &text)?;
        let path: Option<Vec<Hash>> = proof.iter().map(|hash| Hash::read(hash)).collect();
        let (leaf, id) = (entry.leaf_hash(), entry.id);
        let is_in = path.is_some_and(|path| {
            id > 0 && is_included(&leaf, id - 1, checkpoint.size, &path, &checkpoint.root)
        });
        if !is_in || time != rfc3339(entry.at_ms) {
            verified.faults.push(Fault::Changed { id });
        } else if id <= order {
            verified.faults.push(Fault::Moved { id });
        }
        order = id;
        edge.add(leaf, |_, _, _| {});
        found.insert(id);
        verified.entries += 1;
    };
    let Some(seal) = seal else {
        verified.faults.push(Fault::NoSeal);
        return Ok(verified);
    };
    let ids = sealed(&seal, &own, &head.asked, &edge, verified.faults.is_empty())?;
    for (from, to) in &ids.stretches {
        for id in *from..=*to {
            if !found.contains(&id) {
                verified.faults.push(Fault::Missing { from: id, to: id });
            }
        }
    }
    for id in found {
        if !ids.contains(id) {
            verified.faults.push(Fault::NotGiven { id });
        }
    }
    Ok(verified)
}

/// Which entries the center has given out, when the seal is its own.
fn sealed(
    seal: &str,
    key: &VerifierKey,
    asked: &str,
    edge: &Edge,
    is_whole_so_far: bool,
) -> Result<Ids, NoExport> {
    let not = |why: &str| NoExport::NotSigned(format!("its seal: {why}"));
    let note = Note::read(seal).map_err(|e| not(&e.to_string()))?;
    note.signed_by(key).map_err(|e| not(&e.to_string()))?;
    let lines: Vec<&str> = note.text().split_terminator('\n').collect();
    let [SEAL, origin, sealed_asked, ids, root] = lines[..] else {
        return Err(not("it is of another form"));
    };
    if origin != key.name() || sealed_asked != asked {
        return Err(not("it is of another export"));
    }
    let ids = Ids::read(ids).ok_or_else(|| not("its numbers are not in order"))?;
    let is_whole = ids.count as u64 == edge.size();
    if is_whole && is_whole_so_far && root != edge.root().text() {
        return Err(not("it is over other entries"));
    }
    Ok(ids)
}

struct Lines<R> {
    file: R,
    at: usize,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<String>, NoExport> {
        let mut text = String::new();
        let read = io::Read::take(&mut self.file, LINE_BYTES_MAX).read_line(&mut text)?;
        self.at += 1;
        Ok((read > 0).then_some(text))
    }
}

fn parse<T: for<'de> Deserialize<'de>>(line: usize, text: &str) -> Result<T, NoExport> {
    serde_json::from_str(text).map_err(|e| NoExport::Form {
        line,
        why: e.to_string(),
    })
}
