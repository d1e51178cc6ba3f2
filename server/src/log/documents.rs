//! The documents that the writer has at hand: a bounded cache, rebuilt from the log.

use std::num::NonZeroUsize;

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
    /// The center's actor since this process started: it writes each document in one line.
    pub(super) actor: Actor,
    pub(super) mac: MacKey,
    cache: LruCache<DocumentId, Document>,
}

impl Documents {
    pub(super) fn new(center: CenterId, author: Author, mac: MacKey) -> Self {
        let mut random = [0; 4];
        let _ = aws_lc_rs::rand::fill(&mut random);
        Self {
            center,
            author,
            actor: Actor::new(author, random),
            mac,
            cache: LruCache::new(DOCUMENTS_MAX),
        }
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
        connection.prepare_cached("SELECT bytes FROM changes WHERE document = ?1 ORDER BY seq")?;
    let all: Vec<Vec<u8>> = statement
        .query_map([id.to_bytes()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let inspected = all
        .iter()
        .map(|bytes| inspect(bytes).map(|change| (change, bytes.as_slice())));
    let changes: Vec<_> = inspected.collect::<Result<_, _>>().map_err(damaged)?;
    Document::from_changes(changes).map_err(damaged)
}
