//! Signed notes and checkpoints, in the forms of the Community Cryptography Specification
//! Project, so that any tool of transparency logs reads them:
//!
//! - [signed-note](https://c2sp.org/signed-note): a text with signature lines below it;
//! - [tlog-checkpoint](https://c2sp.org/tlog-checkpoint): a note that says how large a log
//!   is, and the root of its tree;
//! - [tlog-cosignature](https://c2sp.org/tlog-cosignature): a witness's line under it, which
//!   says when it was the largest that the witness had seen of the log.
//!
//! Signatures are Ed25519 (RFC 8032; FIPS 186-5). The specification would have new
//! witnesses use ML-DSA-44, which the validated module does not have; another kind of line
//! is ignored, as it asks, so that one may stand beside ours.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};

use super::tree::Hash;

/// Longest note that is read, in bytes.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;
/// Most signature lines of one that are looked at.
const SIGNATURES_MAX: usize = 32;
const DASH: &str = "\u{2014} ";

/// What is wrong with a note, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("it is no signed note (c2sp.org/signed-note): {0}")]
    Form(&'static str),
    #[error("it is no checkpoint (c2sp.org/tlog-checkpoint): {0}")]
    Checkpoint(&'static str),
    #[error("{0} has not signed it")]
    NotSigned(String),
    #[error("the signature of {0} is not over this text")]
    Forged(String),
    #[error("it is of the log {found}, not of {wanted}")]
    OtherLog { found: String, wanted: String },
    #[error("not a verifier key (NAME+HASH+KEY, c2sp.org/signed-note): {0}")]
    Key(&'static str),
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A note's text.
    Note = 1,
    /// A checkpoint that it has seen (`cosignature/v1`).
    Witness = 4,
}

/// A key by which signatures are checked, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifierKey {
    /// # Errors
    /// When the name cannot stand in a note.
    pub fn new(name: &str, kind: KeyKind, public: [u8; 32]) -> Result<Self, NoteError> {
        if name.is_empty()
            || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        {
            return Err(NoteError::Key("its name has no spaces and no plus"));
        }
        let text = [name.as_bytes(), b"\n", &[kind as u8], &public].concat();
        let hash = digest(&SHA256, &text);
        let mut id = [0; 4];
        id.copy_from_slice(&hash.as_ref()[..4]);
        Ok(Self {
            name: name.to_owned(),
            kind,
            id,
            public,
        })
    }

    /// Reads `NAME+HASH+KEY`.
    ///
    /// # Errors
    /// When it is none, or its hash is not of its key.
    pub fn read(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("three parts with a plus between them"));
        };
        let key = BASE64.decode(key.as_bytes());
        let key = key.map_err(|_| NoteError::Key("its last part is base64"))?;
        let kind = match key.first() {
            Some(1) => KeyKind::Note,
            Some(4) => KeyKind::Witness,
            _ => return Err(NoteError::Key("an Ed25519 key of kind 1 or 4")),
        };
        let public = key[1..].try_into();
        let public = public.map_err(|_| NoteError::Key("its key has 32 bytes"))?;
        let read = Self::new(name, kind, public)?;
        if HEXLOWER.encode(&read.id) != id {
            return Err(NoteError::Key("its hash is not of its name and key"));
        }
        Ok(read)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public)
            .verify(message, signature)
            .is_ok()
    }
}

/// `NAME+HASH+KEY`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind as u8][..], &self.public].concat();
        let (id, key) = (HEXLOWER.encode(&self.id), BASE64.encode(&key));
        write!(f, "{}+{id}+{key}", self.name)
    }
}

/// A key that signs, under a name. `Debug` shows no secret.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey")
            .field(&self.verifier.to_string())
            .finish()
    }
}

impl SigningKey {
    /// Of the 32 bytes of RFC 8032, section 5.1.5.
    ///
    /// # Errors
    /// When they are none, or the name cannot stand in a note.
    pub fn new(name: &str, kind: KeyKind, seed: &[u8]) -> Result<Self, NoteError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed)
            .map_err(|_| NoteError::Key("its seed has 32 bytes"))?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| NoteError::Key("its key has 32 bytes"))?;
        Ok(Self {
            pair,
            verifier: VerifierKey::new(name, kind, public)?,
        })
    }

    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn line(&self, signature: &[u8]) -> String {
        let VerifierKey { name, id, .. } = &self.verifier;
        let signature = BASE64.encode(&[id, signature].concat());
        format!("{DASH}{name} {signature}\n")
    }

    /// The text, which ends with a line's end, and its signature.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        format!("{text}\n{}", self.line(signature.as_ref()))
    }

    /// The line by which a witness says that this checkpoint is the largest it has seen of
    /// its log, now: seconds since 1970.
    #[must_use]
    pub fn cosign(&self, checkpoint: &Checkpoint, now_s: u64) -> String {
        let message = cosigned(&checkpoint.text(), now_s);
        let signature = self.pair.sign(message.as_bytes());
        self.line(&[&now_s.to_be_bytes(), signature.as_ref()].concat())
    }
}

fn cosigned(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

/// A fresh seed of a key, in base64; `None` where this machine gives no randomness.
#[must_use]
pub fn random_seed() -> Option<String> {
    let mut seed = [0; 32];
    aws_lc_rs::rand::fill(&mut seed).ok()?;
    Some(BASE64.encode(&seed))
}

/// A text and the lines below it; who has signed is not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    name: String,
    id: [u8; 4],
    signature: Vec<u8>,
    /// As it stands in the note, with its end.
    whole: String,
}

impl Note {
    /// # Errors
    /// When it is none.
    pub fn read(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Form("it is too long"));
        }
        if note.contains(|c: char| c.is_ascii_control() && c != '\n') {
            return Err(NoteError::Form("a control character"));
        }
        let Some(end) = note.rfind("\n\n") else {
            return Err(NoteError::Form("no empty line above the signatures"));
        };
        let (text, lines) = (&note[..=end], &note[end + 2..]);
        if !lines.ends_with('\n') {
            return Err(NoteError::Form("its last line has no end"));
        }
        let lines: Vec<Line> = lines
            .split_inclusive('\n')
            .take(SIGNATURES_MAX)
            .map(Self::line)
            .collect::<Result<_, _>>()?;
        if lines.is_empty() {
            return Err(NoteError::Form("no signature"));
        }
        Ok(Self {
            text: text.to_owned(),
            lines,
        })
    }

    fn line(whole: &str) -> Result<Line, NoteError> {
        let wrong = NoteError::Form("a line below the text is no signature");
        let line = whole.trim_end_matches('\n').strip_prefix(DASH);
        let (name, signature) = line
            .and_then(|line| line.split_once(' '))
            .ok_or(wrong.clone())?;
        let bytes = BASE64
            .decode(signature.as_bytes())
            .map_err(|_| wrong.clone())?;
        let (id, signature) = bytes.split_first_chunk().ok_or(wrong)?;
        Ok(Line {
            name: name.to_owned(),
            id: *id,
            signature: signature.to_owned(),
            whole: whole.to_owned(),
        })
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    fn by<'a>(&'a self, key: &VerifierKey) -> impl Iterator<Item = &'a Line> + use<'a> {
        let (name, id) = (key.name.clone(), key.id);
        let lines = self.lines.iter();
        lines.filter(move |line| line.name == name && line.id == id)
    }

    /// Whether this key has signed the text.
    ///
    /// # Errors
    /// When it has not, or what stands there for its signature is none.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut is_signed = false;
        for line in self.by(key) {
            if key.kind != KeyKind::Note || !key.has_signed(self.text.as_bytes(), &line.signature) {
                return Err(NoteError::Forged(key.name.clone()));
            }
            is_signed = true;
        }
        if is_signed {
            Ok(())
        } else {
            Err(NoteError::NotSigned(key.name.clone()))
        }
    }

    /// When this witness says that it saw the checkpoint, seconds since 1970, and its line.
    ///
    /// # Errors
    /// As [`Note::signed_by`].
    pub fn cosigned_by(&self, key: &VerifierKey) -> Result<(u64, &str), NoteError> {
        let line = self.by(key).next();
        let line = line.ok_or_else(|| NoteError::NotSigned(key.name.clone()))?;
        let forged = || NoteError::Forged(key.name.clone());
        let (time, signature) = line.signature.split_first_chunk().ok_or_else(forged)?;
        let time_s = u64::from_be_bytes(*time);
        let message = cosigned(&self.text, time_s);
        if key.kind != KeyKind::Witness
            || time_s > i64::MAX.unsigned_abs()
            || !key.has_signed(message.as_bytes(), signature)
        {
            return Err(forged());
        }
        Ok((time_s, &line.whole))
    }
}

/// How large a log is, and the root of its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// What is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.text())
    }

    /// Reads a note's text. Lines behind the third, which a log should not write, are not
    /// taken: what they say nobody can check.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(note: &Note) -> Result<Self, NoteError> {
        let lines: Vec<&str> = note.text.split_terminator('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(NoteError::Checkpoint(
                "three lines: the log, its size, its root",
            ));
        };
        let number: u64 = size
            .parse()
            .map_err(|_| NoteError::Checkpoint("its size is a number"))?;
        if origin.is_empty() || number.to_string() != size {
            return Err(NoteError::Checkpoint(
                "a name, and a number in one spelling",
            ));
        }
        let root =
            Hash::read(root).ok_or(NoteError::Checkpoint("its root is a SHA-256 in base64"))?;
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root,
        })
    }

    /// Reads one that this log's own key has signed.
    ///
    /// # Errors
    /// When it is none, of another log, or not signed.
    pub fn read(note: &str, log: &VerifierKey) -> Result<(Self, Note), NoteError> {
        let note = Note::read(note)?;
        let checkpoint = Self::of(&note)?;
        if checkpoint.origin != log.name {
            return Err(NoteError::OtherLog {
                found: checkpoint.origin,
                wanted: log.name.clone(),
            });
        }
        note.signed_by(log)?;
        Ok((checkpoint, note))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// From c2sp.org/signed-note, section *Example*.
    const KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    /// From c2sp.org/tlog-cosignature; whose keys they are it does not say.
    const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    fn center() -> SigningKey {
        SigningKey::new("forerunner/1", KeyKind::Note, &[1; 32]).unwrap()
    }

    fn witness() -> SigningKey {
        SigningKey::new("pd.example/witness", KeyKind::Witness, &[2; 32]).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "forerunner/1".into(),
            size: 7,
            root: Hash([9; 32]),
        }
    }

    #[test]
    fn the_specifications_own_note_is_verified() {
        let key = VerifierKey::read(KEY).unwrap();
        assert_eq!(key.to_string(), KEY);
        let note = Note::read(NOTE).unwrap();
        assert_eq!(note.signed_by(&key), Ok(()));
        let changed = Note::read(&NOTE.replace("message", "messagE")).unwrap();
        assert_eq!(
            changed.signed_by(&key),
            Err(NoteError::Forged("example.com/foo".into()))
        );
    }

    #[test]
    fn the_specifications_own_checkpoint_is_read_with_its_cosignature() {
        let note = Note::read(COSIGNED).unwrap();
        let read = Checkpoint::of(&note).unwrap();
        assert_eq!(read.size, 20_852_163);
        assert_eq!(note.text, read.text());
        // The example's own timestamp line.
        let (time, _) = note.lines[1].signature.split_first_chunk().unwrap();
        assert_eq!(u64::from_be_bytes(*time), 1_679_315_147);
        assert!(cosigned(note.text(), 1_679_315_147).starts_with(
            "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\nCsUYapGG"
        ));
    }

    #[test]
    fn a_checkpoint_is_the_logs_and_the_witnesss_or_nobodys() {
        let (center, witness) = (center(), witness());
        let mut note = center.sign(&checkpoint().text());
        note += &witness.cosign(&checkpoint(), 1_800_000_000);
        let (read, signed) = Checkpoint::read(&note, center.verifier()).unwrap();
        assert_eq!(read, checkpoint());
        let (time_s, line) = signed.cosigned_by(witness.verifier()).unwrap();
        assert_eq!(time_s, 1_800_000_000);
        assert_eq!(line, witness.cosign(&checkpoint(), 1_800_000_000));
        // Another key under the same name, and a line moved below another checkpoint.
        let other = SigningKey::new("forerunner/1", KeyKind::Note, &[3; 32]).unwrap();
        assert_eq!(
            Checkpoint::read(&note, other.verifier()),
            Err(NoteError::NotSigned("forerunner/1".into()))
        );
        let larger = Checkpoint {
            size: 8,
            ..checkpoint()
        };
        let moved = center.sign(&larger.text()) + line;
        let (_, moved) = Checkpoint::read(&moved, center.verifier()).unwrap();
        assert_eq!(
            moved.cosigned_by(witness.verifier()),
            Err(NoteError::Forged("pd.example/witness".into()))
        );
    }

    #[test]
    fn what_is_no_note_is_told_and_never_taken() {
        let whole = center().sign(&checkpoint().text());
        for end in 0..whole.len() {
            if let Some(cut) = whole.get(..end) {
                assert!(Checkpoint::read(cut, center().verifier()).is_err(), "{end}");
            }
        }
        for (wrong, right) in [
            ("\n07\n", "\n7\n"),
            ("\n7\n\n", "\n7\n"),
            ("\n+7\n", "\n7\n"),
        ] {
            let text = checkpoint().text().replace(right, wrong);
            let note = center().sign(&text);
            assert!(
                Checkpoint::read(&note, center().verifier()).is_err(),
                "{wrong:?}"
            );
        }
        for key in [
            "",
            "a+b",
            "a+530d903a+AekyeRrm",
            "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        ] {
            assert!(VerifierKey::read(key).is_err(), "{key}");
        }
    }
}
