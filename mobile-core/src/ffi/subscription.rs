//! Subscriptions: the whole life of one, from the first state to the last call.
//!
//! Each has a task that waits for news and hands them to the host's listener, one call at
//! a time, off the threads of the network. News that come while the listener works are
//! merged into its next call. The subscription ends when it is cancelled or dropped, when
//! the device is, and after `failed`.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use super::{
    EntryRecord, FactsRecord, FfiError, GlanceRecord, LeaseRecord, LinkRecord, Officer,
    PacketRecord, SummaryRecord, call_id,
};
use crate::core::{EntryKey, ListNews, PacketNews, lock};
use crate::{CoreError, LogLevel};

/// An entry's place in its packet: ids are unique within a compartment only.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct EntryKeyRecord {
    pub compartment: String,
    pub entry: String,
}

impl From<EntryKey> for EntryKeyRecord {
    fn from((compartment, entry): EntryKey) -> Self {
        Self {
            compartment: compartment.name().to_owned(),
            entry: entry.to_string(),
        }
    }
}

/// An entry, and where in the new list it stands.
#[derive(Debug, Clone, uniffi::Record)]
pub struct PlacedEntry {
    pub at: u32,
    pub entry: EntryRecord,
}

/// A packet's line, and where in the new list it stands.
#[derive(Debug, Clone, uniffi::Record)]
pub struct PlacedSummary {
    pub at: u32,
    pub summary: SummaryRecord,
}

/// What became of a packet. To apply `Changed`: take out what is `removed`, take out what
/// is `placed` (it was there in another form), then insert each at its place, in this order.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum PacketUpdate {
    /// All of it: the first time, and when it comes to the device.
    Whole { packet: PacketRecord },
    Changed {
        facts: Option<FactsRecord>,
        glance: Vec<GlanceRecord>,
        cautions_below: u64,
        removed: Vec<EntryKeyRecord>,
        placed: Vec<PlacedEntry>,
        /// All of them, as they are now.
        leases: Vec<LeaseRecord>,
    },
    /// It is not on this device: not yet, or not any more.
    NotHere,
}

impl From<PacketNews> for PacketUpdate {
    fn from(news: PacketNews) -> Self {
        match news {
            PacketNews::Whole { packet, glance } => Self::Whole {
                packet: PacketRecord::new(packet, glance),
            },
            PacketNews::Changed {
                facts,
                glance,
                entries,
                leases,
            } => Self::Changed {
                facts: facts.map(Into::into),
                cautions_below: glance.cautions_below as u64,
                glance: glance.lines.into_iter().map(Into::into).collect(),
                removed: entries.removed.into_iter().map(Into::into).collect(),
                placed: placed(entries.placed, |at, entry| PlacedEntry {
                    at,
                    entry: entry.into(),
                }),
                leases: leases.into_iter().map(Into::into).collect(),
            },
            PacketNews::NotHere => Self::NotHere,
        }
    }
}

/// What became of the list of packets; applied as [`PacketUpdate`] is, by `call`.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum ListUpdate {
    Whole {
        packets: Vec<SummaryRecord>,
    },
    Changed {
        removed: Vec<String>,
        placed: Vec<PlacedSummary>,
    },
}

impl From<ListNews> for ListUpdate {
    fn from(news: ListNews) -> Self {
        match news {
            ListNews::Whole(packets) => Self::Whole {
                packets: packets.into_iter().map(Into::into).collect(),
            },
            ListNews::Changed(packets) => Self::Changed {
                removed: packets.removed.iter().map(ToString::to_string).collect(),
                placed: placed(packets.placed, |at, summary| PlacedSummary {
                    at,
                    summary: summary.into(),
                }),
            },
        }
    }
}

/// A list is never so long that its places do not fit.
fn placed<T, P>(items: Vec<(usize, T)>, place: impl Fn(u32, T) -> P) -> Vec<P> {
    let place = |(at, item)| place(u32::try_from(at).unwrap_or(u32::MAX), item);
    items.into_iter().map(place).collect()
}

/// Hears of one packet. Called on a thread of the device's, one call at a time; it may
/// call the device. When it throws, the subscription ends.
#[uniffi::export(with_foreign)]
pub trait PacketListener: Send + Sync {
    fn changed(&self, update: PacketUpdate) -> Result<(), FfiError>;
    /// The last call: the store could not be read.
    fn failed(&self, error: FfiError) -> Result<(), FfiError>;
}

/// Hears of the list of packets; otherwise as [`PacketListener`].
#[uniffi::export(with_foreign)]
pub trait ListListener: Send + Sync {
    fn changed(&self, update: ListUpdate) -> Result<(), FfiError>;
    fn failed(&self, error: FfiError) -> Result<(), FfiError>;
}

/// Hears of the link; otherwise as [`PacketListener`].
#[uniffi::export(with_foreign)]
pub trait LinkListener: Send + Sync {
    fn changed(&self, link: LinkRecord) -> Result<(), FfiError>;
}

/// Lives until it is cancelled or dropped.
#[derive(Debug, uniffi::Object)]
pub struct Subscription {
    ended: Arc<Ended>,
}

#[derive(Debug)]
struct Ended {
    token: CancellationToken,
    /// Held for the moment in which a call begins, never while it runs: a listener may
    /// cancel, and may wait for a thread that cancels.
    begins: Mutex<()>,
}

#[uniffi::export]
impl Subscription {
    /// When this returns no call of the listener begins any more; one that has begun may
    /// still run. Doing it again does nothing.
    pub fn cancel(&self) {
        let _none_begins = lock(&self.ended.begins);
        self.ended.token.cancel();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// What a listener answers; `Ok(false)`: that was the last it hears.
type Heard = Result<bool, FfiError>;

impl Officer {
    fn subscription(&self) -> Arc<Subscription> {
        Arc::new(Subscription {
            ended: Arc::new(Ended {
                token: CancellationToken::new(),
                begins: Mutex::new(()),
            }),
        })
    }

    /// Tells `hear` all that `next` brings, until the subscription has ended.
    fn tell<N: Send + 'static>(
        &self,
        subscription: &Subscription,
        mut news: impl AsyncNews<N>,
        hear: impl Fn(N) -> Heard + Clone + Send + 'static,
    ) {
        let (core, ended) = (self.core.clone(), subscription.ended.clone());
        self.runtime.spawn(async move {
            loop {
                let next = tokio::select! {
                    next = news.next() => next,
                    () = ended.token.cancelled() => None,
                };
                let Some(news) = next else { return };
                let (hear, ended) = (hear.clone(), ended.clone());
                let heard = tokio::task::spawn_blocking(move || {
                    let begins = lock(&ended.begins);
                    if ended.token.is_cancelled() {
                        return Ok(false);
                    }
                    drop(begins);
                    hear(news)
                });
                match heard.await {
                    Ok(Ok(true)) => {}
                    Ok(Ok(false)) => return,
                    Ok(Err(_)) | Err(_) => {
                        let words = "a listener threw: its subscription has ended";
                        core.0.log.log(LogLevel::Warning, words);
                        return;
                    }
                }
            }
        });
    }
}

/// What a subscription waits for; `None`: there will be no more.
trait AsyncNews<N>: Send + 'static {
    fn next(&mut self) -> impl Future<Output = Option<N>> + Send;
}

impl AsyncNews<Result<PacketNews, CoreError>> for crate::core::PacketFollower {
    async fn next(&mut self) -> Option<Result<PacketNews, CoreError>> {
        Some(Self::next(self).await)
    }
}

impl AsyncNews<Result<ListNews, CoreError>> for crate::core::ListFollower {
    async fn next(&mut self) -> Option<Result<ListNews, CoreError>> {
        Some(Self::next(self).await)
    }
}

impl AsyncNews<crate::LinkState> for crate::core::LinkFollower {
    async fn next(&mut self) -> Option<crate::LinkState> {
        Self::next(self).await
    }
}

#[uniffi::export]
impl Officer {
    /// Tells `listener` of one packet, whether it is on this device yet or not: as it is
    /// now, and then what changes. At most ten times a second; what comes in between is merged.
    pub fn subscribe_packet(
        &self,
        call: String,
        listener: Arc<dyn PacketListener>,
    ) -> Result<Arc<Subscription>, FfiError> {
        let news = self.core.follow_packet(call_id(&call)?);
        let subscription = self.subscription();
        self.tell(&subscription, news, move |news| match news {
            Ok(news) => listener.changed(news.into()).map(|()| true),
            Err(error) => listener.failed(error.into()).map(|()| false),
        });
        Ok(subscription)
    }

    /// Tells `listener` of the list of packets, as [`Officer::packets`] gives it.
    pub fn subscribe_packets(&self, listener: Arc<dyn ListListener>) -> Arc<Subscription> {
        let news = self.core.follow_packets();
        let subscription = self.subscription();
        self.tell(&subscription, news, move |news| match news {
            Ok(news) => listener.changed(news.into()).map(|()| true),
            Err(error) => listener.failed(error.into()).map(|()| false),
        });
        subscription
    }

    /// Tells `listener` of the link, as [`Officer::link`] gives it.
    pub fn subscribe_link(&self, listener: Arc<dyn LinkListener>) -> Arc<Subscription> {
        let news = self.core.follow_link();
        let subscription = self.subscription();
        self.tell(&subscription, news, move |link| {
            listener.changed(link.into()).map(|()| true)
        });
        subscription
    }
}
