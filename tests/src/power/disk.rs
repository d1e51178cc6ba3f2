//! What lies on a disk when the power fails.
//!
//! A file's last sync makes all before it durable. What was done since then may have got
//! there or not, each sector by itself and in any order. A deletion stands between two
//! files of one name: without it the old one is there, whole; with it only what came
//! after. That a synced file has its name is taken for granted, as SQLite sees to it.

use std::path::{Path, PathBuf};

use super::vfs::{Event, Tape};

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

#[derive(Debug, Clone)]
enum Pending {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { size: usize },
    Delete,
}

/// One name's file: what is surely there, and what may be.
#[derive(Debug, Clone, Default)]
struct Image {
    /// `None`: there is no such file.
    durable: Option<Vec<u8>>,
    pending: Vec<Pending>,
    /// Of `pending`, what a lying disk has called synced.
    called_synced: usize,
}

/// A disk at a moment of a recording.
#[derive(Debug)]
pub struct Disk<'a> {
    tape: &'a Tape,
    lies: bool,
    at: usize,
    images: Vec<Image>,
}

impl<'a> Disk<'a> {
    /// Before anything was done.
    #[must_use]
    pub fn new(tape: &'a Tape) -> Self {
        Self {
            tape,
            lies: false,
            at: 0,
            images: vec![Image::default(); tape.files.len()],
        }
    }

    /// From now on a file's sync is done when its next one comes: a write cache that lies.
    pub fn lie(&mut self) {
        self.lies = true;
    }

    /// After so many events; a disk only goes forward.
    pub fn advance(&mut self, to: usize) {
        for event in &self.tape.events[self.at..to] {
            let (file, pending) = match event {
                Event::Write { file, at, bytes } => {
                    let (at, bytes) = (*at, bytes.clone());
                    (*file, Some(Pending::Write { at, bytes }))
                }
                Event::Truncate { file, size } => (*file, Some(Pending::Truncate { size: *size })),
                Event::Delete { file, .. } => (*file, Some(Pending::Delete)),
                Event::Sync { file } => (*file, None),
            };
            let image = &mut self.images[file];
            let is_sync = pending.is_none();
            image.pending.extend(pending);
            let is_durable = matches!(event, Event::Delete { is_durable, .. } if *is_durable);
            if is_sync || is_durable {
                image.sync(self.lies);
            }
        }
        self.at = to;
    }

    /// What may be found below `folder` when the power fails now, by the file's place in it.
    pub fn cut(&self, folder: &Path, random: &mut fastrand::Rng) -> Vec<(PathBuf, Vec<u8>)> {
        let files = self.tape.files.iter().zip(&self.images);
        let below = files.filter_map(|(path, image)| {
            let place = path.strip_prefix(folder).ok()?;
            Some((place.to_owned(), image.cut(random)?))
        });
        below.collect()
    }
}

impl Image {
    fn sync(&mut self, lies: bool) {
        let done = if lies {
            self.called_synced
        } else {
            self.pending.len()
        };
        for pending in self.pending.drain(..done) {
            pending.apply(&mut self.durable);
        }
        self.called_synced = self.pending.len();
    }

    fn cut(&self, random: &mut fastrand::Rng) -> Option<Vec<u8>> {
        let mut found = self.durable.clone();
        let mut pending = &self.pending[..];
        // Either a deletion got to the disk, and nothing from before it counts, or it and
        // all that was done to the next file of the name did not.
        while let Some(at) = pending.iter().position(|p| matches!(p, Pending::Delete)) {
            if random.bool() {
                pending = &pending[..at];
            } else {
                (found, pending) = (None, &pending[at + 1..]);
            }
        }
        let mut atoms: Vec<Pending> = pending.iter().flat_map(Pending::torn).collect();
        // Nothing, little, half, most or all of it.
        let kept = [0.0, 0.1, 0.5, 0.9, 1.0][random.usize(..5)];
        atoms.retain(|_| random.f64() < kept);
        if random.bool() {
            random.shuffle(&mut atoms);
        }
        atoms.iter().for_each(|atom| atom.apply(&mut found));
        found
    }
}

impl Pending {
    /// As pieces that get to the disk each by itself.
    fn torn(&self) -> Vec<Self> {
        let Self::Write { at, bytes } = self else {
            return vec![self.clone()];
        };
        let mut pieces = Vec::new();
        let (mut at, mut left) = (*at, &bytes[..]);
        while !left.is_empty() {
            let in_sector = (SECTOR_BYTES - at % SECTOR_BYTES).min(left.len());
            let (piece, rest) = left.split_at(in_sector);
            let bytes = piece.to_vec();
            pieces.push(Self::Write { at, bytes });
            (at, left) = (at + in_sector, rest);
        }
        pieces
    }

    fn apply(&self, file: &mut Option<Vec<u8>>) {
        match self {
            Self::Write { at, bytes } => {
                let file = file.get_or_insert_default();
                let end = at + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*at..end].copy_from_slice(bytes);
            }
            Self::Truncate { size } => file.get_or_insert_default().resize(*size, 0),
            Self::Delete => *file = None,
        }
    }
}
