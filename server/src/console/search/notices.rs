//! What saved searches found: read, counted for every page's header, put on record.

use std::sync::Arc;

use packet::Compartment;

use super::{OWNER, entry_view};
use crate::audit::{self, Record};
use crate::console::view::{NoticeView, NoticesView};
use crate::console::{Console, words};
use crate::log::{Ledger, LogError};
use crate::policy::{Act, Actor, Sight};
use crate::search::saved::{self, Notice};

/// What the owner has not seen.
#[derive(Debug)]
pub(in crate::console) struct Notices {
    pub(in crate::console) notices: Vec<Notice>,
    unseen: u64,
}

impl Notices {
    pub(in crate::console) fn view(&self, times: &words::Times) -> NoticesView {
        let now_ms = crate::clock::now_ms();
        let notices = self.notices.iter().map(|notice| NoticeView {
            id: notice.notice,
            search: notice.name.clone(),
            call_id: notice.call.to_string(),
            call: format!("{}, {}", notice.nature, notice.location),
            time: times.second(notice.at_ms, now_ms),
            entry: entry_view(times, notice.entry.clone()),
        });
        let shown = self.notices.len() as u64;
        NoticesView {
            notices: notices.collect(),
            not_shown: usize::try_from(self.unseen.saturating_sub(shown)).unwrap_or(usize::MAX),
        }
    }
}

/// # Errors
/// When the store fails.
pub(in crate::console) async fn read(
    console: &Arc<Console>,
    actor: &Actor,
) -> Result<Notices, LogError> {
    let sight = Sight::of(&console.center.policies, actor, Act::SearchIn);
    console
        .center
        .log
        .readers()
        .read(move |connection| {
            Ok(Notices {
                notices: saved::notices(connection, OWNER, &sight)?,
                unseen: saved::unseen(connection, OWNER, &sight)?,
            })
        })
        .await
}

/// Puts on record that these were shown. With a full disk reading goes on: what then cannot
/// stand in the audit log waits beside it.
pub(in crate::console) async fn record(console: &Arc<Console>, actor: &Actor, notices: &Notices) {
    if notices.notices.is_empty() {
        return;
    }
    let shown: Vec<String> = notices
        .notices
        .iter()
        .map(|notice| format!("{} {}", notice.call, notice.entry.seq))
        .collect();
    let detail = format!("shown: {}", shown.join(", "));
    let shown = Record {
        object: "notices".into(),
        detail,
        ..Record::by(actor, Act::Search)
    };
    console.center.put_on_record(vec![shown]).await;
}

pub(super) fn put_on_record(
    ledger: &Ledger<'_>,
    who: String,
    object: &str,
    detail: String,
) -> Result<(), LogError> {
    audit::record(
        ledger,
        &Record {
            object: object.into(),
            detail,
            ..Record::of(who, Act::Search)
        },
    )
}

/// Counts for every page's header, until the center stops.
pub(in crate::console) async fn keep(console: Arc<Console>) {
    let mut changes = console.center.notices.subscribe();
    changes.mark_changed();
    loop {
        let changed = tokio::select! {
            changed = changes.changed() => changed,
            () = console.stop.cancelled() => return,
        };
        if changed.is_err() {
            return;
        }
        let count = console.center.log.readers().read(|connection| {
            saved::unseen(connection, OWNER, &Sight::everywhere(&Compartment::ALL))
        });
        match count.await {
            // Also when the count is the same: it may be of others.
            Ok(count) => drop(console.notices.send_replace(count)),
            Err(e) => tracing::warn!(error = %e, "notices could not be counted"),
        }
    }
}
