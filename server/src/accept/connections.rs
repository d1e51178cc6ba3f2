//! Who is connected: a count in all and by address, kept by the sockets themselves.
//!
//! The place that a connection takes is tied to its socket and not to the task
//! that serves it: an upgrade moves the socket to another task, and the place
//! must move along. Dropping the socket gives the place back, on every way out.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

#[derive(Debug)]
pub(super) struct Connections {
    /// Each socket holds a token; closed and empty, it is drained.
    open: TaskTracker,
    /// At most `connections_max` entries, since each stands for a connection.
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    connections_max: usize,
    per_address_max: usize,
}

impl Connections {
    pub(super) fn new(connections_max: usize, per_address_max: usize) -> Self {
        Self {
            open: TaskTracker::new(),
            by_address: Arc::default(),
            connections_max,
            per_address_max,
        }
    }

    /// `stream` with a place of its own, or `None` (and `stream` closed) where all are taken.
    pub(super) fn hold<S>(&self, stream: S, address: IpAddr) -> Option<Held<S>> {
        if self.open.len() >= self.connections_max {
            return None;
        }
        let network = network_of(address);
        let mut by_address = lock(&self.by_address);
        let count = by_address.entry(network).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        drop(by_address);
        let place = Place {
            network,
            by_address: self.by_address.clone(),
            _open: self.open.token(),
        };
        Some(Held {
            stream,
            _place: place,
        })
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
fn lock(by_address: &Mutex<HashMap<IpAddr, usize>>) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
    by_address.lock().unwrap_or_else(PoisonError::into_inner)
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
    by_address: Arc<Mutex<HashMap<IpAddr, usize>>>,
    _open: TaskTrackerToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_address = lock(&self.by_address);
        if let Some(count) = by_address.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.network);
            }
        }
    }
}

/// A socket and its place. The socket is declared first, so it closes before the place is free.
#[derive(Debug)]
pub(super) struct Held<S> {
    stream: S,
    _place: Place,
}

impl<S> Held<S> {
    pub(super) fn get_ref(&self) -> &S {
        &self.stream
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

    #[test]
    fn all_of_one_ipv6_network_counts_as_one_and_ipv4_in_ipv6_as_ipv4() {
        let connections = Connections::new(10, 1);
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
        let connections = Connections::new(1, 1);
        let address = "192.0.2.1".parse().unwrap();
        let held = connections.hold((), address);
        assert!(connections.hold((), "192.0.2.2".parse().unwrap()).is_none());
        drop(held);
        assert!(lock(&connections.by_address).is_empty());
        assert!(connections.hold((), address).is_some());
    }
}
