//! The documents that the writer has at hand: a bounded cache, rebuilt from the log.

use std::num::NonZeroUsize;

use aws_lc_rs::digest;
use lru::LruCache;
use packet::signature::MacKey;
use packet::{Actor, Author, CenterId, Document, DocumentId, Refusal, inspect};
use rusqlite::Connection;

use super::LogError;

/// Most documents in memory. A live call has two; a busy center some hundreds of them.
const DOCUMENTS_MAX: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// The cache, and who the center writes as.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) center: CenterId,
    pub(super) author: Author,
    /// Random since this process started: the center writes each document in a line of
    /// its own, so that an entry's id is told from any other's in the packet.
    line: [u8; 16],
    pub(super) mac: MacKey,
    cache: LruCache<DocumentId, Document>,
}

impl Documents {
    pub(super) fn new(center: CenterId, author: Author, line: [u8; 16], mac: MacKey) -> Self {
        Self {
            center,
            author,
            line,
            mac,
            cache: LruCache::new(DOCUMENTS_MAX),
        }
    }

    /// The actor that the center writes this document as.
    pub(super) fn actor(&self, id: DocumentId) -> Actor {
        let digest = digest::digest(
            &digest::SHA256,
            &[self.line.as_slice(), &id.to_bytes()].concat(),
        );
        let mut random = [0; 4];
        random.copy_from_slice(&digest.as_ref()[..4]);
        Actor::new(self.author, random)
    }

    /// The document as the log has it.
    pub(super) fn get(
        &mut self,
        connection: &Connection,
        id: DocumentId,
    ) -> Result<&mut Document, LogError> {
        if !self.cache.contains(&id) {
            let document = load(connection, id)?;
            self.cache.put(id, document);
        }
        self.cache.get_mut(&id).ok_or(LogError::Stopping)
    }

    /// The document, and the key that the center vouches for its changes with.
    pub(super) fn for_judging(
        &mut self,
        connection: &Connection,
        id: DocumentId,
    ) -> Result<(&mut Document, &MacKey), LogError> {
        self.get(connection, id)?;
        let document = self.cache.get_mut(&id).ok_or(LogError::Stopping)?;
        Ok((document, &self.mac))
    }

    /// What was done to this document is taken back: read it anew when it is next needed.
    pub(super) fn forget(&mut self, id: DocumentId) {
        self.cache.pop(&id);
    }

    pub(super) fn forget_all(&mut self) {
        self.cache.clear();
    }
}

fn load(connection: &Connection, id: DocumentId) -> Result<Document, LogError> {
    let damaged =
        |e: Refusal| LogError::Store(format!("a change of {id} in the log cannot be read: {e}"));
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM readable WHERE document = ?1 ORDER BY seq")?;
    let all: Vec<Vec<u8>> = statement
        .query_map([id.to_bytes()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let inspected = all
        .iter()
        .map(|bytes| inspect(bytes).map(|change| (change, bytes.as_slice())));
    let changes: Vec<_> = inspected.collect::<Result<_, _>>().map_err(damaged)?;
    Document::from_changes(changes).map_err(damaged)
}
