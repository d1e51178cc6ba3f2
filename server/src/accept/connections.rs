//! Who is connected: a count in all, by address and by device, kept by the sockets themselves.
//!
//! The place that a connection takes is tied to its socket and not to the task
//! that serves it: an upgrade moves the socket to another task, and the place
//! must move along. Dropping the socket gives the place back, on every way out.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::AcceptLimits;

#[derive(Debug)]
pub(super) struct Connections {
    /// Each socket holds a token; closed and empty, it is drained.
    open: TaskTracker,
    /// At most `connections_max` entries, since each stands for a connection.
    by_address: Counts<IpAddr>,
    by_device: Counts<u32>,
    limits: AcceptLimits,
}

type Counts<K> = Arc<Mutex<HashMap<K, usize>>>;

impl Connections {
    pub(super) fn new(limits: AcceptLimits) -> Self {
        Self {
            open: TaskTracker::new(),
            by_address: Arc::default(),
            by_device: Arc::default(),
            limits,
        }
    }

    /// `stream` with a place of its own, or `None` (and `stream` closed) where all are taken.
    pub(super) fn hold<S>(&self, stream: S, address: IpAddr) -> Option<Held<S>> {
        if self.open.len() >= self.limits.connections_max {
            return None;
        }
        let network = network_of(address);
        if !take(
            &self.by_address,
            network,
            self.limits.connections_per_address_max,
        ) {
            return None;
        }
        let place = Place {
            network,
            by_address: self.by_address.clone(),
            device: None,
            by_device: self.by_device.clone(),
            per_device_max: self.limits.connections_per_device_max,
            _open: self.open.token(),
        };
        Some(Held { stream, place })
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Resolves when the last socket is closed.
    pub(super) async fn drained(&self) {
        self.open.close();
        self.open.wait().await;
    }
}

/// The counter stays right even where a thread panicked while it held the lock.
fn lock<K>(counts: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One more of these, where fewer than `max` are there.
fn take<K: Hash + Eq>(counts: &Counts<K>, key: K, max: usize) -> bool {
    let mut counts = lock(counts);
    let count = counts.entry(key).or_default();
    let has_room = *count < max;
    *count += usize::from(has_room);
    has_room
}

/// One less.
fn give_back<K: Hash + Eq>(counts: &Counts<K>, key: &K) {
    let mut counts = lock(counts);
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// What one party can take addresses from: all of an IPv6 /64 counts as one.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

/// One connection's place, given back when dropped.
#[derive(Debug)]
struct Place {
    network: IpAddr,
    by_address: Counts<IpAddr>,
    /// Once the handshake has shown it.
    device: Option<u32>,
    by_device: Counts<u32>,
    per_device_max: usize,
    _open: TaskTrackerToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        give_back(&self.by_address, &self.network);
        if let Some(device) = &self.device {
            give_back(&self.by_device, device);
        }
    }
}

/// A socket and its place. The socket is declared first, so it closes before the place is free.
#[derive(Debug)]
pub(super) struct Held<S> {
    stream: S,
    place: Place,
}

impl<S> Held<S> {
    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Counts it as this device's from now on; false where that has all that it may have.
    pub(super) fn is_of(&mut self, device: u32) -> bool {
        let has_room = take(&self.place.by_device, device, self.place.per_device_max);
        if has_room {
            self.place.device = Some(device);
        }
        has_room
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn limits(connections_max: usize) -> AcceptLimits {
        AcceptLimits {
            connections_max,
            connections_per_address_max: 1,
            connections_per_device_max: 1,
            ..AcceptLimits::default()
        }
    }

    #[test]
    fn a_device_gets_only_its_share_from_wherever_it_dials_and_gets_it_back() {
        let connections = Connections::new(limits(10));
        let mut first = connections.hold((), "192.0.2.1".parse().unwrap()).unwrap();
        let mut second = connections.hold((), "192.0.2.2".parse().unwrap()).unwrap();
        assert!(first.is_of(7));
        assert!(
            !second.is_of(7),
            "from another address it is the same device"
        );
        assert!(second.is_of(8));
        drop(first);
        let mut third = connections.hold((), "192.0.2.1".parse().unwrap()).unwrap();
        assert!(third.is_of(7));
        drop((second, third));
        assert!(lock(&connections.by_device).is_empty());
    }

    #[test]
    fn all_of_one_ipv6_network_counts_as_one_and_ipv4_in_ipv6_as_ipv4() {
        let connections = Connections::new(limits(10));
        let first = connections.hold((), "2001:db8::1".parse().unwrap());
        assert!(first.is_some());
        assert!(
            connections
                .hold((), "2001:db8::ffff:2".parse().unwrap())
                .is_none()
        );
        let other = connections.hold((), "2001:db8:0:1::1".parse().unwrap());
        assert!(other.is_some());
        let v4 = connections.hold((), "192.0.2.1".parse().unwrap());
        assert!(v4.is_some());
        assert!(
            connections
                .hold((), "::ffff:192.0.2.1".parse().unwrap())
                .is_none()
        );
        assert_eq!(connections.count(), 3);
    }

    #[test]
    fn a_place_given_back_can_be_taken_again_and_leaves_nothing_behind() {
        let connections = Connections::new(limits(1));
        let address = "192.0.2.1".parse().unwrap();
        let held = connections.hold((), address);
        assert!(connections.hold((), "192.0.2.2".parse().unwrap()).is_none());
        drop(held);
        assert!(lock(&connections.by_address).is_empty());
        assert!(connections.hold((), address).is_some());
    }
}
