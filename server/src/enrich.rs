//! Asking the agencies' databases what they know, all side by side.
//!
//! A new call, what is found in its words later, and an officer's or analyst's query put
//! questions to every source that can answer them. What one says is written when it says
//! it; none waits for another. What became of each question is an entry too, so that the
//! officer sees who answered and who did not.
//!
//! ```text
//! log ─▶ Questions ─▶ known ─▶ own (the center's own store) ──────────────▶ write ─▶ log
//!                       └────▶ plan ─▶ schedule ─▶ connect ─▶ map ─▶ schedule ─▶ write
//!                                       (no I/O)   http, sql, file   jq
//! ```
//!
//! * [`known`], [`plan`](plan::plan): what there is to ask about, and of whom.
//! * [`own`]: what the center itself knows.
//! * [`schedule`]: when each source is asked what. No I/O.
//! * `connect`: how; `map`: what comes of an answer.
//! * [`write`]: into the packet, and on record.
//!
//! All but `connect` a simulated city uses as it is, in virtual time.

pub mod by_hand;
pub mod config;
mod connect;
mod drive;
mod fill;
pub mod held;
pub mod known;
mod map;
pub mod own;
pub mod plan;
mod ready;
pub mod schedule;
pub(crate) mod secret;
mod sources;
pub mod write;
mod xml;

use packet::{CallId, DeviceNumber, Entry, EntryId, Query, QueryWhat};
use rusqlite::Connection;
use tokio::sync::mpsc;

pub use self::config::{Asks, FileConfig, Format, HttpConfig, SourceConfig, SqlConfig};
pub use self::connect::{ANSWER_BYTES_MAX, FetchError, Question, ROWS_MAX};
pub use self::drive::run;
pub use self::map::{Brings, Gives};
pub use self::secret::SecretConfig;
pub(crate) use self::sources::check;
pub use self::sources::{Source, Sources, Tried};
use crate::log::{Happening, LogError};

/// Most questions that wait to be planned; beyond it a call's are not asked, and counted.
const QUEUE_MAX: usize = 65_536;
/// Most attempts at all sources together that are in flight.
pub const IN_FLIGHT_MAX: usize = 256;

/// Something to ask on behalf of a packet.
#[derive(Debug, Clone)]
enum Occasion {
    /// A call is new, or more is known of it: everything that can be asked about it and
    /// has not been.
    Call(CallId),
    /// An officer or analyst asks.
    Query {
        call: CallId,
        id: EntryId,
        query: Query,
        device: Option<DeviceNumber>,
    },
}

/// Takes what is to be asked from the log's writer, without waiting.
#[derive(Debug, Clone)]
pub struct Questions {
    queue: mpsc::Sender<Occasion>,
}

/// The other end, for [`run`].
#[derive(Debug)]
pub struct Asked(mpsc::Receiver<Occasion>);

/// A queue of questions.
#[must_use]
pub fn questions() -> (Questions, Asked) {
    let (queue, asked) = mpsc::channel(QUEUE_MAX);
    (Questions { queue }, Asked(asked))
}

impl Questions {
    /// Called by the log's writer after each commit.
    pub fn publish(&self, happenings: &[Happening]) {
        for happening in happenings {
            let occasion = match happening {
                Happening::Call {
                    call, open: true, ..
                } => Occasion::Call(*call),
                Happening::Change(change) if !change.given_back => match &change.entry {
                    // A recording is asked for by `own::clips`.
                    Entry::Query(query) if query.what != QueryWhat::Clip => Occasion::Query {
                        call: change.document.call,
                        id: change.id,
                        query: query.clone(),
                        device: change.device,
                    },
                    Entry::Mention(_) => Occasion::Call(change.document.call),
                    _ => continue,
                },
                _ => continue,
            };
            self.put(occasion);
        }
    }

    /// Asks again what was not answered when the center stopped. Of a query some sources
    /// may have answered: which is looked up when it is planned.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn resume(&self, connection: &Connection) -> Result<(), LogError> {
        let mut statement = connection.prepare("SELECT call, asked FROM calls WHERE open = 1")?;
        let calls = statement.query_map([], |row| {
            let call: i64 = row.get(0)?;
            Ok((CallId(call.cast_unsigned()), row.get::<_, bool>(1)?))
        })?;
        for call in calls {
            let (call, asked) = call?;
            if !asked {
                self.put(Occasion::Call(call));
            }
            for known::Queried { id, query, device } in known::queries(connection, call)? {
                self.put(Occasion::Query {
                    call,
                    id,
                    query,
                    device,
                });
            }
        }
        Ok(())
    }

    fn put(&self, occasion: Occasion) {
        if self.queue.try_send(occasion).is_err() {
            tracing::warn!("too many questions wait: the sources are not asked about one call");
        }
    }
}
